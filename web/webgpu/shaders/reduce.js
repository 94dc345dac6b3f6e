// web/webgpu/shaders/reduce.js: the shader that makes partials: a workgroup reduces the elements of a job to their largest
// magnitude and the sum of their p-th powers, an integer and a power of two. Text for web/webgpu/context.js.
import { CHUNKS_PER_THREAD, THREADS, UNIT_BITS } from '../constants.js';
import { leastUsual, sumShader } from './sums.js';
import { chunkShader, jobShader, repeat, switchOver } from './wgsl.js';

/** @typedef {import('./sums.js').ReduceKind} ReduceKind */

/**
 * A partial is: largest magnitude's bits, exponent, sum / 2^32, sum % 2^32. With NaN or Infinity: largest bits, 0,
 * position of the first of them, its bits.
 *
 * Whole jobs are held in registers between the two passes, maximum and sum; others, and what is rare, are read twice.
 * @param {ReduceKind} kind
 * @param {import('../jobs.js').DispatchKind} options
 * @returns {string}
 */
export function reduceShader(kind, options) {
  const { hasSubgroups } = options;
  const isSum = kind !== 'maximum';
  return `
${hasSubgroups ? 'enable subgroups;' : ''}
${jobShader({ ...options, access: 'read' })}
${chunkShader(options)}
var<workgroup> largestOfAll: atomic<u32>;
var<workgroup> firstOffender: atomic<u32>;
var<workgroup> sumHigh: atomic<u32>;
var<workgroup> sumLow: atomic<u32>;
${isSum ? sumShader(kind) : ''}

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let job = jobAt(group.x);
  ${options.isWhole ? largestOfWhole(options.slots) : LARGEST_OF_CHUNKS}
  let own = max(max(all.x, all.y), max(all.z, all.w));
  ${reduceOver(hasSubgroups, 'Max', 'own', 'largestOfAll')}
  workgroupBarrier();
  let largest = atomicLoad(&largestOfAll);
  ${FIND_OFFENDER}
  ${isSum ? sumOfJob(kind, options.isWhole, hasSubgroups) : ''}
  workgroupBarrier();
  let partialAt = dispatch.firstPartial + job.number;
  if (largest >= INFINITY) {
    if (offender != 0u && atomicLoad(&firstOffender) == offender) {
      work[partialAt] = vec4<u32>(largest, 0u, ~offender - job.start, bits);
    }
  } else if (thread == 0u) {
    ${isSum ? WRITE_SUM : 'work[partialAt] = vec4<u32>(largest, 0u, 0u, 0u);'}
  }
}`;
}

const LARGEST_OF_CHUNKS = `
  var all = NONE;
  for (var chunk = thread; 4u * chunk < job.end; chunk += THREADS) {
    all = max(all, chunkOf(job, chunk) & MAGNITUDE);
  }`;

/** @param {number} slots */
const largestOfWhole = (slots) => `
  let at = (job.word >> 2u) + thread;
  ${repeat(CHUNKS_PER_THREAD, (k) => `var x${k}: vec4<u32>;`)}
  ${switchOver(slots, (tensor) => repeat(CHUNKS_PER_THREAD, (k) => `x${k} = ${tensor}[at + ${k * THREADS}u];`))}
  var all = x0 & MAGNITUDE;
  ${repeat(CHUNKS_PER_THREAD - 1, (k) => `all = max(all, x${k + 1} & MAGNITUDE);`)}`;

/**
 * Every invocation's value into a variable of the workgroup.
 * @param {boolean} hasSubgroups
 * @param {'Max' | 'Add'} operation
 * @param {string} value
 * @param {string} target
 */
export function reduceOver(hasSubgroups, operation, value, target) {
  if (!hasSubgroups) return `atomic${operation}(&${target}, ${value});`;
  return `{
    let all = subgroup${operation}(${value});
    if (subgroupElect()) { atomic${operation}(&${target}, all); }
  }`;
}

// The first NaN or Infinity of the job, as the complement of its position: the variables of a workgroup are 0 at first.
const FIND_OFFENDER = `
  var offender = 0u;
  var bits = 0u;
  if (largest >= INFINITY) {
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

/** @type {(kind: Exclude<ReduceKind, 'maximum'>, isWhole: boolean, hasSubgroups: boolean) => string} */
function sumOfJob(kind, isWhole, hasSubgroups) {
  const usual = isWhole
    ? `if (largest >= ${leastUsual(kind)}) {
    ${repeat(CHUNKS_PER_THREAD, (k) => `addPowers(&sum, x${k}, scaling);`)}
  } else`
    : '';
  return `
  let scaling = scalingOf(largest);
  var sum: Sum;
  ${usual} {
    for (var chunk = thread; 4u * chunk < job.end; chunk += THREADS) {
      let x = chunkOf(job, chunk);
      addPowers(&sum, select(x, lifted(x), scaling.isSmall), scaling);
    }
  }
  let units = unitsOf(sum);
  ${reduceOver(hasSubgroups, 'Add', 'units.x', 'sumHigh')}
  ${reduceOver(hasSubgroups, 'Add', 'units.y', 'sumLow')}`;
}

// The low parts of 128 invocations are below 2^31 together.
const WRITE_SUM = `
    let high = atomicLoad(&sumHigh);
    let low = atomicLoad(&sumLow);
    let lowWord = (high << 24u) + low;
    let highWord = (high >> 8u) + select(0u, 1u, lowWord < low);
    let exponent = bitcast<u32>(scaling.exponent - ${UNIT_BITS});
    work[partialAt] = select(vec4<u32>(largest, exponent, highWord, lowWord), vec4<u32>(0u), largest == 0u);`;
