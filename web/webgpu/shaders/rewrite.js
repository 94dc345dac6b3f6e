// web/webgpu/shaders/rewrite.js: the shader that rewrites the elements of jobs in place. The same bits on every device. Text
// for web/webgpu/context.js.
import { BFLOAT16 } from '../../core/dtypes.js';
import {
  CHUNKS_PER_THREAD,
  FILL,
  JOB_ELEMENTS,
  KEEP,
  RESULT,
  SCALE,
  SCALE_DOWN,
  THREADS,
} from '../layouts.js';
import { jobShader, PRODUCT, repeat, switchOver } from './wgsl.js';

/**
 * 'scale': as the result buffer says. 'clamp': to the limits in the parameters, which stand where a result has its factor and
 * shift, so that either buffer can be bound.
 * @typedef {'scale' | 'clamp'} RewriteKind
 */

/**
 * How is said in web/webgpu/layouts.js. Whole words are written, so two jobs of one dispatch never share one.
 * @param {RewriteKind} verb
 * @param {import('../jobs.js').DispatchKind} kind
 * @returns {string}
 */
export function rewriteShader(verb, kind) {
  const isScale = verb === 'scale';
  return `
${jobShader({ ...kind, access: 'read_write' })}
${RESULT.wgsl}
@group(1) @binding(0) var<uniform> result: Result;
${isScale ? SCALE_ELEMENT : CLAMP_ELEMENT}
${kind.isWhole ? rewriteWhole(isScale, kind.slots) : rewriteWords(kind.hasHalves)}

@compute @workgroup_size(${THREADS})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  if (result.mode == ${KEEP}u) { return; }
  for (var index = group.x; index < dispatch.count; index += groups.x) {
    rewriteJob(jobAt(index), thread);
  }
}
`;
}

const each = (/** @type {(k: number) => string} */ line) => repeat(CHUNKS_PER_THREAD, line);

/** @type {(isScale: boolean, slots: number) => string} */
const rewriteWhole = (isScale, slots) => `
${isScale ? SCALE_FLOATS : ''}
fn rewriteJob(job: Job, thread: u32) {
  let first = job.word >> 2u;
  ${isScale ? scaleUsual(slots) : ''}
  for (var chunk = first + thread; chunk < first + ${JOB_ELEMENTS / 4}u; chunk += THREADS) {
    var x = load(job, chunk);
    for (var i = 0u; i < 4u; i++) { x[i] = rewrittenElement(x[i], x[i], 0u); }
    store(job, chunk, x);
  }
}
`;

/**
 * All that an invocation has is loaded before any is stored; what is rare is left to be done element by element.
 * @param {number} slots
 */
const scaleUsual = (slots) => `
  let at = first + thread;
  var isUsual = (result.mode != ${FILL}u) & (result.factor != 0u);
  ${each((k) => `var x${k}: vec4<u32>;`)}
  ${switchOver(slots, (tensor) => each((k) => `x${k} = ${tensor}[at + ${k * THREADS}u];`))}
  ${each((k) => `x${k} = rewrittenFloats(x${k}, &isUsual);`)}
  if (isUsual) {
    ${switchOver(slots, (tensor) => each((k) => `${tensor}[at + ${k * THREADS}u] = x${k};`))}
    return;
  }`;

/** Words of one float32, or of two halves, of which one may not be the job's. */
const rewriteWords = (/** @type {boolean} */ hasHalves) => `
fn rewriteJob(job: Job, thread: u32) {
  let words = select(job.end, (job.end + 1u) >> 1u, job.dtype != 0u);
  for (var i = thread; i < words; i += THREADS) {
    let word = load(job, job.word + i);
    ${hasHalves ? `if (job.dtype != 0u) { ${REWRITE_HALVES} }` : ''}
    store(job, job.word + i, rewrittenElement(word, word, 0u));
  }
}
`;
const REWRITE_HALVES = `
      let halves = vec4<u32>(word & 0xffffu, word >> 16u, 0u, 0u);
      let wide = widenHalves(halves, job.dtype);
      let low = select(halves.x, rewrittenElement(halves.x, wide.x, job.dtype), 2u * i >= job.start);
      let high = select(halves.y, rewrittenElement(halves.y, wide.y, job.dtype), 2u * i + 1u < job.end);
      store(job, job.word + i, low | (high << 16u));
      continue;
    `;

/**
 * Any element, of its bits and of the same as a float32: multiplied in integers. By the codes of types: the bits of a mantissa, the
 * implicit one included; the smallest normal binades; Infinity; the NaN that is written.
 */
const SCALE_ELEMENT = `
${PRODUCT}
const WIDTHS = array<u32, 4>(24u, 0u, 11u, 8u);
const SMALLEST = array<i32, 4>(-126, 0, -14, -126);
const INFINITIES = array<u32, 4>(0x7f800000u, 0u, 0x7c00u, 0x7f80u);
const QUIET_NANS = array<u32, 4>(0x7fc00000u, 0u, 0x7e00u, 0x7fc0u);

fn rewrittenElement(bits: u32, widened: u32, dtype: u32) -> u32 {
  let mode = result.mode;
  let factor = result.factor;
  if (mode == ${FILL}u) { return QUIET_NANS[dtype] * factor; }
  let sign = bits & select(0x8000u, 0x80000000u, dtype == 0u);
  let magnitude = widened & 0x7fffffffu;
  // Infinity times 0 is NaN; a NaN stays.
  if (magnitude >= INFINITY) { return select(bits, QUIET_NANS[dtype], magnitude == INFINITY && factor == 0u); }
  if (magnitude == 0u || factor == 0u) { return sign; }
  // magnitude = mantissa * 2^(exponent - 158), the mantissa's top bit set.
  var exponent = i32(magnitude >> 23u);
  var mantissa = (magnitude << 8u) | 0x80000000u;
  if (exponent == 0) {
    let zeros = countLeadingZeros(magnitude);
    mantissa = magnitude << zeros;
    exponent = 9 - i32(zeros);
  }
  // Of the product's lower word only counts whether there is something.
  var words = product(mantissa, factor << 8u);
  var binade = exponent + bitcast<i32>(result.shift) - 103;
  if (words.x < 0x80000000u) {
    words = vec2<u32>((words.x << 1u) | (words.y >> 31u), words.y << 1u);
    binade -= 1;
  }
  let upper = words.x | u32(words.y != 0u);
  // Round to nearest even what is below the type's last bit there.
  let width = WIDTHS[dtype];
  let smallest = SMALLEST[dtype];
  let drop = i32(32u - width) + max(smallest - binade, 0);
  if (drop > 32) { return sign; }
  let shift = u32(drop);
  let kept = select(upper >> (shift & 31u), 0u, shift == 32u);
  let cut = select(upper & ((1u << (shift & 31u)) - 1u), upper, shift == 32u);
  let half = 1u << (shift - 1u);
  let roundUp = mode == ${SCALE}u && (cut > half || (cut == half && (kept & 1u) != 0u));
  // A lossScale below 1 may go beyond the largest.
  let rounded = (u32(clamp(binade - smallest, 0, 255)) << (width - 1u)) + kept + u32(roundUp);
  return sign | min(rounded, INFINITIES[dtype]);
}
`;

/**
 * Four float32: where all go to normal numbers or zero, by a product of floats, which every device rounds to one of the two
 * nearest, and the exact rest that this leaves, which says whether the other one is right. With the coefficient
 * factor * 2^shift, the factor of 24 bits, and the mantissas m and r of x and of the product, the rest is m * factor - r * 2^s,
 * s being 23 or 24. It is less than 2^s, so that 32 bits of each are enough.
 */
const SCALE_FLOATS = `
fn rewrittenFloats(x: vec4<u32>, isUsual: ptr<function, bool>) -> vec4<u32> {
  let magnitude = x & MAGNITUDE;
  let isDown = result.mode == ${SCALE_DOWN}u;
  // The factor as a float in [1/2, 1).
  let factor = bitcast<f32>((126u << 23u) | (result.factor & 0x7fffffu));
  let product = bitcast<vec4<u32>>(bitcast<vec4<f32>>(x) * factor);
  let bits = vec4<u32>(23u);
  let mantissa = (x & vec4<u32>(0x7fffffu)) | vec4<u32>(0x800000u);
  let r = (product & vec4<u32>(0x7fffffu)) | vec4<u32>(0x800000u);
  let s = vec4<u32>(24u) + (product >> bits) - (x >> bits);
  let rest = bitcast<vec4<i32>>(mantissa * vec4<u32>(result.factor) - (r << s));
  // Half of the distance to the next number above; below a power of two that to the next one below is half as large.
  let above = bitcast<vec4<i32>>(ONE << (s - ONE));
  let below = select(above, above >> ONE, r == vec4<u32>(0x800000u));
  let isOdd = (r & ONE) == ONE;
  let isTooSmall = (rest > above) | (isOdd & (rest == above));
  let isTooLarge = select((rest < -below) | (isOdd & (rest == -below)), rest < vec4<i32>(0), isDown);
  let nearest = product + vec4<u32>(isTooSmall & vec4<bool>(!isDown)) - vec4<u32>(isTooLarge);
  let drop = -24 - bitcast<i32>(result.shift);
  let binade = bitcast<vec4<i32>>((nearest >> bits) & vec4<u32>(0xffu)) - vec4<i32>(drop);
  let isZero = magnitude == NONE;
  // The product with a factor in [1/2, 1) is normal, too.
  let isNormal = magnitude - vec4<u32>(2u << 23u) < vec4<u32>(INFINITY - (2u << 23u));
  *isUsual = *isUsual & all(isZero | (isNormal & (binade > vec4<i32>(0)) & (binade < vec4<i32>(255))));
  return select(nearest - vec4<u32>(bitcast<u32>(drop) << 23u), x, isZero);
}
`;

const CLAMP_ELEMENT = `
fn rewrittenElement(bits: u32, widened: u32, dtype: u32) -> u32 {
  let sign = bits & select(0x8000u, 0x80000000u, dtype == 0u);
  let half = (result.shift >> select(0u, 16u, dtype == ${BFLOAT16}u)) & 0xffffu;
  let limit = select(half, result.factor, dtype == 0u);
  return select(sign | min(bits ^ sign, limit), bits, (widened & 0x7fffffffu) > INFINITY);
}
`;
