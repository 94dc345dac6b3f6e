// web/webgpu/health-shader.js: the shader behind GpuPlan.report: a workgroup looks at the elements of a job, those that
// are finite and those that are not. Text for web/webgpu/context.js.
import { ELEMENTS_PER_THREAD, JOB_ELEMENTS, THREADS } from './constants.js';
import {
  findLargest,
  jobDeclarations,
  loadJob,
  positionOf,
  reduceOver,
  sumOfPowers,
} from './reduce-shader.js';
import { repeat } from './wgsl.js';

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
 * @param {number} slots  bindings of tensors
 * @param {boolean} subgroups  whether the device has the feature
 * @returns {string}
 */
export function healthShader(slots, subgroups) {
  return `
${jobDeclarations(slots, subgroups)}
var<workgroup> zerosAndNans: atomic<u32>;
var<workgroup> infinities: atomic<u32>;
var<workgroup> whatIsFirst: u32;

@compute @workgroup_size(${THREADS})
fn inspect(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  ${loadJob(slots)}
  var counts = 0u;
  var infinite = 0u;
  var offender = 0xffffffffu;
  var what = 0u;
  ${repeat(
    ELEMENTS_PER_THREAD,
    (j) => `{
    let magnitude = x${j} & 0x7fffffffu;
    counts += select(0u, 1u, magnitude == 0u) + select(0u, 0x10000u, magnitude > 0x7f800000u);
    infinite += select(0u, 1u, magnitude == 0x7f800000u);
    if (magnitude >= 0x7f800000u) {
      if (${positionOf(j)} < offender) {
        offender = ${positionOf(j)};
        what = select(2u + (x${j} >> 31u), 1u, magnitude > 0x7f800000u);
      }
      x${j} = 0u;
    }
  }`,
  )}
  ${reduceOver(subgroups, 'Add', 'counts', 'zerosAndNans')}
  ${reduceOver(subgroups, 'Add', 'infinite', 'infinities')}
  atomicMin(&firstOffender, offender);
  ${findLargest(subgroups)}
  if (what != 0u && atomicLoad(&firstOffender) == offender) { whatIsFirst = what; }
  workgroupBarrier();
  var sum = 0.0;
  if (largest != 0u) {
    ${sumOfPowers('first', subgroups)}
    sum = f32(atomicLoad(&sumHigh)) * ${2 ** -18} + f32(atomicLoad(&sumLow)) * ${2 ** -42};
  }
  if (thread == 0u) {
    // Those beyond the job's ends were loaded as zeros.
    let missing = ${JOB_ELEMENTS}u - (end - start);
    let position = select(atomicLoad(&firstOffender) - start, 0u, whatIsFirst == 0u);
    work[place + 1u] = vec4<u32>(
      largest,
      bitcast<u32>(sum),
      atomicLoad(&zerosAndNans) - missing,
      atomicLoad(&infinities) | (position << 13u) | (whatIsFirst << 26u),
    );
  }
}`;
}
