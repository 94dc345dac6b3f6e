// web/webgpu/shaders/health.js: the shader behind GpuPlan.report: a workgroup looks at the elements of a job, those that are
// finite and those that are not. Text for web/webgpu/context.js.
import { JOB_ELEMENTS, THREADS } from '../constants.js';
import { reduceOver } from './reduce.js';
import { sumShader } from './sums.js';
import { chunkShader, jobShader } from './wgsl.js';

/**
 * Takes the place of the job's partial with
 *
 *     word 0   the largest finite magnitude's bits
 *     word 1   the sum of the finite magnitudes over 2^E, within 2^-22, as the bits of a float; the largest is in
 *              [2^(E - 1), 2^E)
 *     word 2   how many are zero | how many NaN << 16
 *     word 3   how many infinite | position of the first that is not finite << 13 | what it is << 26:
 *              0 nothing, 1 NaN, 2 Infinity, 3 -Infinity
 *
 * @param {import('../jobs.js').DispatchKind} options
 * @returns {string}
 */
export function healthShader(options) {
  const { hasSubgroups } = options;
  return `
${hasSubgroups ? 'enable subgroups;' : ''}
${jobShader({ ...options, access: 'read' })}
${chunkShader(options)}
${sumShader('first')}
var<workgroup> largestOfAll: atomic<u32>;
var<workgroup> firstOffender: atomic<u32>;
var<workgroup> zerosAndNans: atomic<u32>;
var<workgroup> infinities: atomic<u32>;
var<workgroup> sumHigh: atomic<u32>;
var<workgroup> sumLow: atomic<u32>;

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let job = jobAt(group.x);
  var all = NONE;
  var counts = NONE;
  var infinite = NONE;
  var offender = 0u;
  for (var chunk = thread; 4u * chunk < job.end; chunk += THREADS) {
    let x = chunkOf(job, chunk);
    let magnitude = x & MAGNITUDE;
    let isInfinite = magnitude == vec4<u32>(INFINITY);
    let isNan = magnitude > vec4<u32>(INFINITY);
    counts += select(NONE, ONE, magnitude == NONE) + select(NONE, ONE << vec4<u32>(16u), isNan);
    infinite += select(NONE, ONE, isInfinite);
    all = max(all, select(magnitude, NONE, isInfinite | isNan));
    for (var i = 0u; i < 4u && any(isInfinite | isNan); i++) {
      if (magnitude[i] < INFINITY) { continue; }
      // The first has the largest of these: the complement of its position before what it is.
      let what = select(2u + (x[i] >> 31u), 1u, isNan[i]);
      offender = max(offender, ((${JOB_ELEMENTS}u - (4u * chunk + i - job.start)) << 2u) | what);
    }
  }
  let own = max(max(all.x, all.y), max(all.z, all.w));
  let zerosAndNansOfOwn = totalOf(counts);
  let infinitiesOfOwn = totalOf(infinite);
  ${reduceOver(hasSubgroups, 'Max', 'own', 'largestOfAll')}
  ${reduceOver(hasSubgroups, 'Max', 'offender', 'firstOffender')}
  ${reduceOver(hasSubgroups, 'Add', 'zerosAndNansOfOwn', 'zerosAndNans')}
  ${reduceOver(hasSubgroups, 'Add', 'infinitiesOfOwn', 'infinities')}
  workgroupBarrier();
  let largest = atomicLoad(&largestOfAll);
  let scaling = scalingOf(largest);
  var sum: Sum;
  for (var chunk = thread; 4u * chunk < job.end; chunk += THREADS) {
    let x = chunkOf(job, chunk);
    let finite = select(x, NONE, (x & MAGNITUDE) >= vec4<u32>(INFINITY));
    addPowers(&sum, select(finite, lifted(finite), scaling.isSmall), scaling);
  }
  let units = unitsOf(sum);
  ${reduceOver(hasSubgroups, 'Add', 'units.x', 'sumHigh')}
  ${reduceOver(hasSubgroups, 'Add', 'units.y', 'sumLow')}
  workgroupBarrier();
  if (thread > 0u) { return; }
  // The last chunk is counted whole, and has zeros where the job has nothing, as at the start.
  let missing = 4u * ((job.end + 3u) / 4u) - (job.end - job.start);
  let first = atomicLoad(&firstOffender);
  let position = select(0u, ${JOB_ELEMENTS}u - (first >> 2u), first != 0u);
  let low = atomicLoad(&sumLow);
  let high = atomicLoad(&sumHigh) + (low >> 24u);
  let total = f32(high) * ${2 ** -18} + f32(low & 0xffffffu) * ${2 ** -42};
  work[dispatch.firstPartial + job.number] = vec4<u32>(
    largest,
    bitcast<u32>(select(total, 0.0, largest == 0u)),
    atomicLoad(&zerosAndNans) - missing,
    atomicLoad(&infinities) | (position << 13u) | ((first & 3u) << 26u),
  );
}`;
}
