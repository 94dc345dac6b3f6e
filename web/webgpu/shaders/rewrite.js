// web/webgpu/shaders/rewrite.js: the shader that rewrites the elements of jobs in place. The same bits on every device. Text
// for web/webgpu/context.js.
import { BFLOAT16 } from '../../core/dtypes.js';
import {
  CHUNKS_PER_THREAD,
  JOB_ELEMENTS,
  MODE_KEEP,
  MODE_NAN,
  MODE_SCALE,
  MODE_SCALE_DOWN,
  MODE_SIGNED_ZERO,
  MODE_ZERO,
  THREADS,
} from '../constants.js';
import { RESULT } from '../layouts.js';
import { jobShader, PARAMETERS, repeat, switchOver } from './wgsl.js';

/**
 * 'scale' as the result says, g * coefficient rounded to nearest even or toward zero; 'clamp' to the limits of the parameters.
 * Whole words are written, so two jobs of one dispatch never share one.
 * @param {'scale' | 'clamp'} verb
 * @param {import('../jobs.js').DispatchKind} kind
 * @returns {string}
 */
export function rewriteShader(verb, kind) {
  const isScaling = verb === 'scale';
  return `
${jobShader({ ...kind, access: 'read_write' })}
${isScaling ? `${RESULT.wgsl}\n@group(1) @binding(0) var<uniform> result: Result;` : PARAMETERS}
${isScaling ? SCALE_ELEMENT : CLAMP_ELEMENT}
${kind.isWhole ? (isScaling ? SCALE_FLOATS : CLAMP_FLOATS) + rewriteWhole(kind.slots) : kind.hasHalves ? REWRITE_WORDS : REWRITE_FLOATS}

@compute @workgroup_size(${THREADS})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  ${isScaling ? `if (result.mode == ${MODE_KEEP}u) { return; }` : ''}
  for (var index = group.x; index < dispatch.jobCount; index += groups.x) {
    rewriteJob(jobAt(index), thread);
  }
}
`;
}

const each = (/** @type {(k: number) => string} */ line) => repeat(CHUNKS_PER_THREAD, line);

/**
 * All that an invocation has is loaded before any is stored; what is rare is done element by element.
 * @param {number} slots
 */
const rewriteWhole = (slots) => `
fn rewriteJob(job: Job, thread: u32) {
  let first = job.word >> 2u;
  let at = first + thread;
  var isUsual = true;
  ${each((k) => `var x${k}: vec4<u32>;`)}
  ${switchOver(slots, (tensor) => each((k) => `x${k} = ${tensor}[at + ${k * THREADS}u];`))}
  ${each((k) => `x${k} = rewrittenFloats(x${k}, &isUsual);`)}
  if (isUsual) {
    ${switchOver(slots, (tensor) => each((k) => `${tensor}[at + ${k * THREADS}u] = x${k};`))}
  } else {
    for (var chunk = at; chunk < first + ${JOB_ELEMENTS / 4}u; chunk += THREADS) {
      var x = load(job, chunk);
      for (var i = 0u; i < 4u; i++) { x[i] = rewrittenElement(x[i], x[i], 0u); }
      store(job, chunk, x);
    }
  }
}
`;

const REWRITE_FLOATS = `
fn rewriteJob(job: Job, thread: u32) {
  for (var i = thread; i < job.end; i += THREADS) {
    let element = load(job, job.word + i);
    store(job, job.word + i, rewrittenElement(element, element, 0u));
  }
}
`;

// Words of one float32, or of two halves, of which one may not be the job's.
const REWRITE_WORDS = `
fn rewriteJob(job: Job, thread: u32) {
  let isHalf = job.dtype != 0u;
  for (var i = thread; i < select(job.end, (job.end + 1u) >> 1u, isHalf); i += THREADS) {
    let word = load(job, job.word + i);
    let halves = vec4<u32>(word & 0xffffu, word >> 16u, 0u, 0u);
    let wide = widenHalves(halves, job.dtype);
    let first = rewrittenElement(select(word, halves.x, isHalf), select(word, wide.x, isHalf), job.dtype);
    let second = rewrittenElement(halves.y, wide.y, job.dtype);
    let low = select(halves.x, first, 2u * i >= job.start);
    let high = select(halves.y, second, 2u * i + 1u < job.end);
    store(job, job.word + i, select(first, low | (high << 16u), isHalf));
  }
}
`;

/**
 * Any element in integers, of its bits and of the same as a float32. By the codes of types: the bits of a mantissa, the implicit
 * one included; the smallest normal binades; the NaN that is written.
 */
const SCALE_ELEMENT = `
const WIDTHS = array<u32, 4>(24u, 0u, 11u, 8u);
const SMALLEST = array<i32, 4>(-126, 0, -14, -126);
const INFINITIES = array<u32, 4>(0x7f800000u, 0u, 0x7c00u, 0x7f80u);
const QUIET_NANS = array<u32, 4>(0x7fc00000u, 0u, 0x7e00u, 0x7fc0u);

fn rewrittenElement(bits: u32, widened: u32, dtype: u32) -> u32 {
  let mode = result.mode;
  if (mode == ${MODE_ZERO}u) { return 0u; }
  let nan = QUIET_NANS[dtype];
  if (mode == ${MODE_NAN}u) { return nan; }
  let sign = bits & select(0x8000u, 0x80000000u, dtype == 0u);
  let magnitude = widened & 0x7fffffffu;
  if (magnitude >= 0x7f800000u) {
    // Infinity times 0 is NaN; a NaN stays.
    return select(bits, nan, magnitude == 0x7f800000u && mode == ${MODE_SIGNED_ZERO}u);
  }
  if (magnitude == 0u || mode == ${MODE_SIGNED_ZERO}u) { return sign; }
  // magnitude = mantissa * 2^exponent, the mantissa in [2^23, 2^24).
  var exponent = i32(magnitude >> 23u) - 150;
  var mantissa = (magnitude & 0x7fffffu) | 0x800000u;
  if (magnitude < 0x800000u) {
    let zeros = countLeadingZeros(magnitude) - 8u;
    mantissa = magnitude << zeros;
    exponent = -149 - i32(zeros);
  }
  let factor = result.factor;
  exponent += result.shift;
  // The upper 32 of the product's 48 bits; the others only tell whether there is something.
  let a1 = mantissa >> 12u;
  let a0 = mantissa & 0xfffu;
  let b1 = factor >> 12u;
  let b0 = factor & 0xfffu;
  let middle = a1 * b0 + a0 * b1;
  let low = a0 * b0 + ((middle & 0xfu) << 12u);
  var upper = ((a1 * b1) << 8u) + (middle >> 4u) + (low >> 16u);
  let rest = low & 0xffffu;
  var binade = exponent + 47;
  if (upper < 0x80000000u) {
    upper = (upper << 1u) | (rest >> 15u);
    binade -= 1;
    upper |= select(0u, 1u, (rest & 0x7fffu) != 0u);
  } else {
    upper |= select(0u, 1u, rest != 0u);
  }
  // Round to nearest even what is below the type's last bit there.
  let width = WIDTHS[dtype];
  let smallest = SMALLEST[dtype];
  let drop = i32(32u - width) + max(smallest - binade, 0);
  if (drop > 32) { return sign; }
  let shift = u32(drop);
  let kept = select(upper >> (shift & 31u), 0u, shift == 32u);
  let cut = select(upper & ((1u << (shift & 31u)) - 1u), upper, shift == 32u);
  let half = 1u << (shift - 1u);
  let roundUp = mode != ${MODE_SCALE_DOWN}u && (cut > half || (cut == half && (kept & 1u) != 0u));
  // A lossScale below 1 may go beyond the largest.
  let rounded = (u32(clamp(binade - smallest, 0, 255)) << (width - 1u)) + kept + select(0u, 1u, roundUp);
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
  let isDown = result.mode == ${MODE_SCALE_DOWN}u;
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
  let nearest = product + select(NONE, ONE, isTooSmall & vec4<bool>(!isDown)) - select(NONE, ONE, isTooLarge);
  let drop = -24 - result.shift;
  let binade = bitcast<vec4<i32>>((nearest >> bits) & vec4<u32>(0xffu)) - vec4<i32>(drop);
  let isZero = (x & MAGNITUDE) == NONE;
  let isNormal = (((x >> bits) & vec4<u32>(0xffu)) >= vec4<u32>(2u)) & (binade > vec4<i32>(0)) & (binade < vec4<i32>(255));
  let isScaling = result.mode == ${MODE_SCALE}u || isDown;
  *isUsual = *isUsual && isScaling && all(isZero | isNormal);
  return select(nearest - vec4<u32>(bitcast<u32>(drop) << 23u), x, isZero);
}
`;

/** Magnitudes in the order of their bits; NaN stays. */
const CLAMP_ELEMENT = `
fn rewrittenElement(bits: u32, widened: u32, dtype: u32) -> u32 {
  let signBit = select(0x8000u, 0x80000000u, dtype == 0u);
  var infinity = 0x7f800000u;
  if (dtype != 0u) { infinity = select(0x7c00u, 0x7f80u, dtype == ${BFLOAT16}u); }
  let magnitude = bits & (signBit - 1u);
  if (magnitude > infinity) { return bits; }
  return (bits & signBit) | min(magnitude, parameters.limits[dtype]);
}
`;
const CLAMP_FLOATS = `
fn rewrittenFloats(x: vec4<u32>, isUsual: ptr<function, bool>) -> vec4<u32> {
  let magnitude = x & MAGNITUDE;
  let clamped = (x & ~MAGNITUDE) | min(magnitude, vec4<u32>(parameters.limits.x));
  return select(clamped, x, magnitude > vec4<u32>(INFINITY));
}
`;
