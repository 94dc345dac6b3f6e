// web/webgpu/shaders/reduce.js: the shader that makes partials: a workgroup reduces the elements of a job to their largest
// magnitude and the sum of their p-th powers, an integer and a power of two. Text for web/webgpu/context.js.
import { CHUNKS_PER_THREAD, THREADS, UNIT_BITS } from '../layouts.js';
import { sumShader } from './sums.js';
import { chunkShader, jobShader, repeat } from './wgsl.js';

/**
 * Partials are described at RESULT in web/webgpu/layouts.js. 'health' is for GpuPlan.report: behind the partials of all jobs it
 * writes those for p = 1 of the elements that are finite, and behind these the counts of each job: how many elements are zero |
 * how many NaN << 16, how many infinite, and the position and the bits of the first that is not finite, or 0.
 *
 * Whole jobs are held in registers between the two passes, maximum and sum; others, and what is rare, are read twice.
 * @param {import('./sums.js').ReduceKind | 'health'} kind
 * @param {import('../jobs.js').DispatchKind} options
 * @returns {string}
 */
export function reduceShader(kind, options) {
  const { hasSubgroups } = options;
  const isHealth = kind === 'health';
  const power = isHealth ? 'first' : kind;
  const isHeld = options.isWhole && !isHealth;
  const over = reduceOver(hasSubgroups);
  return `
${hasSubgroups ? 'enable subgroups;' : ''}
${jobShader({ ...options, access: 'read' })}
${chunkShader(options)}
var<workgroup> largestOfAll: atomic<u32>;
var<workgroup> firstOffender: atomic<u32>;
var<workgroup> sumHigh: atomic<u32>;
var<workgroup> sumLow: atomic<u32>;
var<workgroup> zerosAndNans: atomic<u32>;
var<workgroup> infinities: atomic<u32>;
${power === 'maximum' ? '' : sumShader(power)}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let job = jobAt(group.x);
  var all = NONE;
  ${isHealth ? 'var counts = NONE;\nvar infinite = NONE;' : ''}
  ${isHeld ? largestOfWhole() : forEachChunk(isHealth ? COUNT : 'all = max(all, x & MAGNITUDE);')}
  let own = max(max(all.x, all.y), max(all.z, all.w));
  ${over('Max', 'own', 'largestOfAll')}
  ${isHealth ? over('Add', 'totalOf(counts)', 'zerosAndNans') + over('Add', 'totalOf(infinite)', 'infinities') : ''}
  workgroupBarrier();
  let largest = atomicLoad(&largestOfAll);
  let isSick = ${isHealth ? SICK_COUNTS : 'largest >= INFINITY'};
  ${FIND_OFFENDER}
  ${power === 'maximum' ? '' : sumOfJob(isHeld, isHealth ? FINITE : 'x')}
  ${power === 'maximum' ? '' : over('Add', 'units.x', 'sumHigh') + over('Add', 'units.y', 'sumLow')}
  workgroupBarrier();
  let partialAt = ${isHealth ? '2u * ' : ''}dispatch.jobs + job.number;
  let isFirst = offender != 0u && atomicLoad(&firstOffender) == offender;
  let position = ~offender - job.start;
  ${isHealth ? WRITE_COUNTS : WRITE_OFFENDER}
  if (thread > 0u) { return; }
  ${power === 'maximum' ? 'work[partialAt] = vec4<u32>(largest, 0u, 0u, 0u);' : WRITE_SUM}
}`;
}

/** @param {string} body  for four elements x */
const forEachChunk = (body) => `
  for (var chunk = thread; 4u * chunk < job.end; chunk += THREADS) {
    let x = chunkOf(job, chunk);
    ${body}
  }`;

const largestOfWhole = () => `
  ${repeat(CHUNKS_PER_THREAD, (k) => `var x${k} = chunkOf(job, thread + ${k * THREADS}u);`)}
  ${repeat(CHUNKS_PER_THREAD, (k) => `all = max(all, x${k} & MAGNITUDE);`)}`;

const COUNT = `
    let magnitude = x & MAGNITUDE;
    let isNan = magnitude > vec4<u32>(INFINITY);
    let isInfinite = magnitude == vec4<u32>(INFINITY);
    counts += vec4<u32>(magnitude == NONE) + (vec4<u32>(isNan) << vec4<u32>(16u));
    infinite += vec4<u32>(isInfinite);
    all = max(all, select(magnitude, NONE, isNan | isInfinite));`;
const SICK_COUNTS = '(atomicLoad(&zerosAndNans) >> 16u) + atomicLoad(&infinities) > 0u';

/**
 * Every invocation's value into a variable of the workgroup.
 * @type {(hasSubgroups: boolean) => (operation: 'Max' | 'Add', value: string, target: string) => string}
 */
const reduceOver = (hasSubgroups) => (operation, value, target) =>
  hasSubgroups
    ? `{
    let all = subgroup${operation}(${value});
    if (subgroupElect()) { atomic${operation}(&${target}, all); }
  }`
    : `atomic${operation}(&${target}, ${value});`;

// The first NaN or Infinity of the job, as the complement of its position: the variables of a workgroup are 0 at first.
const FIND_OFFENDER = `
  var offender = 0u;
  var bits = 0u;
  if (isSick) {
    for (var chunk = thread; 4u * chunk < job.end && offender == 0u; chunk += THREADS) {
      let x = chunkOf(job, chunk);
      for (var i = 0u; i < 4u && offender == 0u; i++) {
        if ((x[i] & 0x7fffffffu) >= INFINITY) {
          offender = ~(4u * chunk + i);
          bits = x[i];
        }
      }
    }
    atomicMax(&firstOffender, offender);
  }`;

/**
 * Of elements that are held, or of those of x that count.
 * @type {(isHeld: boolean, elements: string) => string}
 */
const sumOfJob = (isHeld, elements) => `
  let scaling = scalingOf(largest);
  var sum: Sum;
  ${isHeld ? repeat(CHUNKS_PER_THREAD, (k) => `addElements(&sum, x${k}, scaling);`) : forEachChunk(`addElements(&sum, ${elements}, scaling);`)}
  let units = unitsOf(sum);`;

const FINITE = 'select(x, NONE, (x & MAGNITUDE) >= vec4<u32>(INFINITY))';

const WRITE_OFFENDER = `
  if (isFirst) { work[partialAt] = vec4<u32>(largest, job.number, position, bits); }
  if (isSick) { return; }`;

// The last chunk is counted whole, and has zeros where the job has nothing, as at the start.
const WRITE_COUNTS = `
  if (isFirst || (thread == 0u && !isSick)) {
    let missing = 4u * ((job.end + 3u) / 4u) - (job.end - job.start);
    let counts = atomicLoad(&zerosAndNans) - missing;
    work[partialAt + dispatch.jobs] = vec4<u32>(counts, atomicLoad(&infinities), position, bits);
  }`;

// The low parts of 128 invocations are below 2^31 together.
const WRITE_SUM = `
  let high = atomicLoad(&sumHigh);
  let low = atomicLoad(&sumLow);
  let lowWord = (high << 24u) + low;
  let highWord = (high >> 8u) + u32(lowWord < low);
  let exponent = bitcast<u32>(scaling.exponent - ${UNIT_BITS});
  work[partialAt] = select(vec4<u32>(largest, exponent, highWord, lowWord), NONE, largest == 0u);`;
