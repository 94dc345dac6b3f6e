// web/webgpu/clip-shaders.js: the shaders that write: from a total to a coefficient, and the rewriting of elements
// in place. All integers: the same bits on every device. Text for web/webgpu/context.js.
import {
  FLAG_CLIPPED,
  FLAG_INFINITY,
  FLAG_NAN,
  JOB_ELEMENTS,
  QUIET_NAN,
  RESULT_WORDS,
  THREADS,
  TOTAL_AT,
  TOTAL_SHIFT,
} from './constants.js';
import { LOGARITHM, PARAMETERS, repeat, switchOver, WIDEN_HALF } from './wgsl.js';

/**
 * What the rewriting does, in the result: nothing, multiply, fill with +0, NaN or zeros of the old signs, or multiply and round
 * toward zero.
 */
const MODE_KEEP = 0;
const MODE_SCALE = 1;
const MODE_ZERO = 2;
const MODE_NAN = 3;
const MODE_SIGNED_ZERO = 4;
const MODE_SCALE_DOWN = 5;
// Where it stands in the result, behind the total's words that are used, and the coefficient's 24 bits and exponent.
const MODE_AT = RESULT_WORDS - 3;

/** @typedef {import('./reduce-shader.js').ReduceKind} ReduceKind */

/**
 * One invocation: the norm and the coefficient of a total. Numbers are m * 2^e, with m of 32 bits whose top is set,
 * or 0. Roots are those of integers, cut off: beside the error of the sum (see web/webgpu/reduce-shader.js) the norm is
 * at most 2^-31 too small (for real p: within 2^-19), the denominator is rounded up and the quotient down, so that
 *
 *     coefficient <= maxNorm / (norm + eps)
 *
 * up to these errors of the norm.
 * @param {ReduceKind} kind
 * @returns {string}
 */
export function decideShader(kind) {
  return `
${PARAMETERS}
@group(0) @binding(0) var<storage, read_write> result: array<u32, ${RESULT_WORDS}>;

struct Number { m: u32, e: i32 }

fn normalised(m: u32, e: i32) -> Number {
  if (m == 0u) { return Number(0u, 0); }
  let zeros = countLeadingZeros(m);
  return Number(m << zeros, e - i32(zeros));
}
fn isLarger(a: Number, b: Number) -> bool {
  if (a.m == 0u || b.m == 0u) { return a.m != 0u && b.m == 0u; }
  return a.e > b.e || (a.e == b.e && a.m > b.m);
}
// a * b, the upper word first.
fn product(a: u32, b: u32) -> vec2<u32> {
  let a1 = a >> 16u;
  let a0 = a & 0xffffu;
  let b1 = b >> 16u;
  let b0 = b & 0xffffu;
  let low = a0 * b0;
  let middle = a1 * b0 + (low >> 16u);
  let other = a0 * b1 + (middle & 0xffffu);
  return vec2<u32>(a1 * b1 + (middle >> 16u) + (other >> 16u), (other << 16u) | (low & 0xffffu));
}
fn atMost(a: vec2<u32>, b: vec2<u32>) -> bool {
  return a.x < b.x || (a.x == b.x && a.y <= b.y);
}
// The upper two words of the total's sum, the top bit set: sum = (x * 2^32 + y) * 2^e.
struct Leading { words: vec2<u32>, e: i32 }
fn leadingOfSum() -> Leading {
  var first = 3u;
  while (first > 0u && result[${TOTAL_AT + 5}u + first] == 0u) { first--; }
  let a = result[${TOTAL_AT + 5}u + first];
  var b = 0u;
  var c = 0u;
  if (first >= 1u) { b = result[${TOTAL_AT + 4}u + first]; }
  if (first >= 2u) { c = result[${TOTAL_AT + 3}u + first]; }
  let zeros = countLeadingZeros(a);
  var words = vec2<u32>(a, b);
  if (zeros > 0u) { words = vec2<u32>((a << zeros) | (b >> (32u - zeros)), (b << zeros) | (c >> (32u - zeros))); }
  return Leading(words, bitcast<i32>(result[${TOTAL_AT + 1}u]) - ${TOTAL_SHIFT} + 32 * (i32(first) - 1) - i32(zeros));
}
fn squareRoot(given: Leading) -> Number {
  var words = given.words;
  var e = given.e;
  if ((e & 1) != 0) {
    words = vec2<u32>(words.x >> 1u, (words.x << 31u) | (words.y >> 1u));
    e += 1;
  }
  var root = 0u;
  for (var bit = 0x80000000u; bit != 0u; bit >>= 1u) {
    let candidate = root | bit;
    if (atMost(product(candidate, candidate), words)) { root = candidate; }
  }
  return Number(root, e >> 1u);
}
${kind === 'real' ? LOGARITHM : ''}
${NORMS[kind]}

// a + b, rounded up.
fn sumRoundedUp(a: Number, b: Number) -> Number {
  if (b.m == 0u) { return a; }
  if (a.m == 0u) { return b; }
  var large = a;
  var small = b;
  if (isLarger(b, a)) {
    large = b;
    small = a;
  }
  let distance = u32(large.e - small.e);
  let part = select(small.m >> (distance & 31u), 0u, distance > 31u);
  let isCut = distance > 31u || (part << (distance & 31u)) != small.m;
  let sum = large.m + part;
  if (sum >= large.m) {
    if (!isCut) { return Number(sum, large.e); }
    if (sum < 0xffffffffu) { return Number(sum + 1u, large.e); }
    return Number(0x80000000u, large.e + 1);
  }
  // The carry is the new top bit. (sum >> 1) + 1 cannot carry: sum < 2^32 - 1.
  let roundUp = select(0u, 1u, isCut || (sum & 1u) != 0u);
  return Number(((sum >> 1u) | 0x80000000u) + roundUp, large.e + 1);
}
// a / b with 24 bits, rounded down.
fn quotientRoundedDown(a: Number, b: Number) -> Number {
  var rest = a.m;
  var e = a.e - b.e;
  var quotient = 0u;
  var carry = 0u;
  if (rest >= b.m) {
    rest -= b.m;
    quotient = 1u;
  }
  // One bit a step until 24 are there; the first may be a zero.
  while (quotient < 0x800000u) {
    carry = rest >> 31u;
    rest <<= 1u;
    quotient <<= 1u;
    e -= 1;
    if (carry == 1u || rest >= b.m) {
      rest -= b.m;
      quotient |= 1u;
    }
  }
  return Number(quotient, e);
}
// The bits of a float32, cut off; of one with at most 32 bits.
fn floatBits(number: Number) -> u32 {
  let n = normalised(number.m, number.e);
  if (n.m == 0u) { return 0u; }
  let exponent = n.e + 31;
  if (exponent > 127) { return 0x7f800000u; }
  if (exponent < -149) { return 0u; }
  if (exponent < -126) { return n.m >> u32(8 - 126 - exponent); }
  return (u32(exponent + 127) << 23u) | ((n.m >> 8u) & 0x7fffffu);
}

fn finish(flags: u32, norm: u32, coefficient: u32, mode: u32, factor: Number) {
  result[0] = flags;
  result[1] = norm;
  result[2] = coefficient;
  result[3] = parameters.step.x;
  result[${MODE_AT}] = mode;
  result[${MODE_AT + 1}] = factor.m;
  result[${MODE_AT + 2}] = bitcast<u32>(factor.e);
}

@compute @workgroup_size(1)
fn decide() {
  let one = 0x3f800000u;
  let nothing = Number(0u, 0);
  let isUnlimited = (parameters.policy & 1u) != 0u;
  let largest = result[${TOTAL_AT}];
  if (largest >= 0x7f800000u) {
    let isNaN = largest > 0x7f800000u;
    let flags = select(${FLAG_INFINITY}u, ${FLAG_NAN}u, isNaN);
    let norm = select(0x7f800000u, 0x7fc00000u, isNaN);
    if ((parameters.policy & 2u) != 0u) {
      finish(flags, norm, one, ${MODE_KEEP}u, nothing);
    } else if ((parameters.policy & 4u) != 0u) {
      finish(flags | ${FLAG_CLIPPED}u, norm, 0u, ${MODE_ZERO}u, nothing);
    } else if (isUnlimited) {
      finish(flags, norm, one, ${MODE_KEEP}u, nothing);
    } else if (isNaN) {
      finish(flags | ${FLAG_CLIPPED}u, norm, 0x7fc00000u, ${MODE_NAN}u, nothing);
    } else {
      finish(flags | ${FLAG_CLIPPED}u, norm, 0u, ${MODE_SIGNED_ZERO}u, nothing);
    }
    return;
  }
  var norm = nothing;
  if (largest != 0u) { norm = normOfTotal(largest); }
  let maxNorm = Number(parameters.maxNormMantissa, parameters.maxNormExponent);
  ${kind === 'real' ? REAL_NORM_AT_MOST : 'let most = norm;'}
  if (isUnlimited || !isLarger(most, maxNorm)) {
    finish(0u, floatBits(norm), one, ${MODE_KEEP}u, nothing);
    return;
  }
  if (maxNorm.m == 0u) {
    finish(${FLAG_CLIPPED}u, floatBits(norm), 0u, ${MODE_SIGNED_ZERO}u, nothing);
    return;
  }
  // What is added leaves room for the errors of both measurements and the rounding of elements, as web/clip.js does: 2 * 2^-23 + 2^-24 at
  // most; for real p 2^-18 + 4e-6 + 2^-24.
  var eps = Number(parameters.epsMantissa, parameters.epsExponent);
  let room = Number(norm.m, norm.e - ${kind === 'real' ? 16 : 21});
  if ((parameters.policy & 8u) != 0u && isLarger(room, eps)) { eps = room; }
  let factor = quotientRoundedDown(maxNorm, sumRoundedUp(norm, eps));
  let mode = select(${MODE_SCALE}u, ${MODE_SCALE_DOWN}u, (parameters.policy & 16u) != 0u);
  finish(${FLAG_CLIPPED}u, floatBits(norm), floatBits(factor), mode, factor);
}
`;
}

// A root that is cut short must not let a norm pass that is above the limit.
const REAL_NORM_AT_MOST = `let most = sumRoundedUp(norm, Number(norm.m, norm.e - 18));`;

const NORMS = {
  maximum: `
fn normOfTotal(largest: u32) -> Number {
  let exponent = largest >> 23u;
  if (exponent == 0u) { return normalised(largest, -149); }
  return Number((largest << 8u) | 0x80000000u, i32(exponent) - 158);
}`,
  first: `
fn normOfTotal(largest: u32) -> Number {
  let sum = leadingOfSum();
  return Number(sum.words.x, sum.e + 32);
}`,
  square: `
fn normOfTotal(largest: u32) -> Number {
  return squareRoot(leadingOfSum());
}`,
  fourth: `
fn normOfTotal(largest: u32) -> Number {
  let root = squareRoot(leadingOfSum());
  return squareRoot(Leading(vec2<u32>(root.m, 0u), root.e - 32));
}`,
  // The root of 96 bits, the exponent a multiple of three.
  cube: `
fn normOfTotal(largest: u32) -> Number {
  let sum = leadingOfSum();
  var words = vec3<u32>(sum.words, 0u);
  var e = sum.e - 32;
  while (e % 3 != 0) {
    words = vec3<u32>(words.x >> 1u, (words.x << 31u) | (words.y >> 1u), (words.y << 31u) | (words.z >> 1u));
    e += 1;
  }
  var root = 0u;
  for (var bit = 0x80000000u; bit != 0u; bit >>= 1u) {
    let candidate = root | bit;
    let square = product(candidate, candidate);
    let upper = product(square.x, candidate);
    let lower = product(square.y, candidate);
    let middle = upper.y + lower.x;
    let cube = vec3<u32>(upper.x + select(0u, 1u, middle < upper.y), middle, lower.y);
    if (cube.x < words.x || (cube.x == words.x && atMost(cube.yz, words.yz))) { root = candidate; }
  }
  return normalised(root, e / 3);
}`,
  // 2^((log2 of the sum) / p), split into a whole number, whose product with p is nearly exact, and a remainder.
  real: `
fn normOfTotal(largest: u32) -> Number {
  let sum = leadingOfSum();
  let mantissa = 0x3f800000u | ((sum.words.x >> 8u) & 0x7fffffu);
  let exponent = f32(sum.e + 63);
  let fraction = f32(logarithm2Whole(mantissa)) + logarithm2Fraction(mantissa);
  let whole = floor((exponent + fraction) / parameters.power + 0.5);
  let remainder = ((exponent - parameters.powerUpper * whole) - parameters.powerLower * whole) + fraction;
  let root = bitcast<u32>(exponential2(remainder / parameters.power));
  return Number((root << 8u) | 0x80000000u, i32(whole) + i32(root >> 23u) - 158);
}`,
};

/**
 * Rewrites the elements of jobs in place: 'scale' as the result says, g * coefficient rounded to nearest even or toward zero;
 * 'clamp' to the limits of the parameters. Whole words are written, so two jobs of one dispatch never share one.
 * @param {'scale' | 'clamp'} verb
 * @param {number} slots
 * @returns {string}
 */
export function rewriteShader(verb, slots) {
  return `
struct Dispatch { firstJob: u32, jobCount: u32 }
@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, read> jobs: array<vec4<u32>>;
${repeat(slots, (slot) => `@group(0) @binding(${slot + 2}) var<storage, read_write> tensor${slot}: array<u32>;`)}
${verb === 'clamp' ? PARAMETERS : ''}
${
  verb === 'scale'
    ? `struct Result { words: array<vec4<u32>, ${RESULT_WORDS / 4}> }
@group(1) @binding(0) var<uniform> result: Result;`
    : ''
}
${WIDEN_HALF}
${verb === 'scale' ? SCALE : CLAMP}

fn rewrittenWord(word: u32, index: u32, job: vec4<u32>) -> u32 {
  let dtype = (job.x >> 8u) & 0xffu;
  if (dtype == 0u) { return rewritten(word, dtype); }
  let start = (job.x >> 16u) & 1u;
  var low = word & 0xffffu;
  var high = word >> 16u;
  if (2u * index >= start) { low = rewritten(low, dtype); }
  if (2u * index + 1u < job.z) { high = rewritten(high, dtype); }
  return low | (high << 16u);
}

@compute @workgroup_size(${THREADS})
fn rewrite(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  ${verb === 'scale' ? `if (result.words[${MODE_AT >> 2}][${MODE_AT & 3}] == ${MODE_KEEP}u) { return; }` : ''}
  for (var at = group.x; at < dispatch.jobCount; at += groups.x) {
    let job = jobs[dispatch.firstJob + at];
    let slot = job.x & 0xffu;
    let words = select(job.z, (job.z + 1u) >> 1u, ((job.x >> 8u) & 0xffu) != 0u);
    ${switchOver(
      slots,
      'slot',
      (slot) => `
      for (var i = thread; i < words; i += ${THREADS}u) {
        tensor${slot}[job.y + i] = rewrittenWord(tensor${slot}[job.y + i], i, job);
      }`,
    )}
  }
}
`;
}
if (JOB_ELEMENTS % (2 * THREADS) !== 0) throw new Error('a job of halves is whole words');

// Mantissa bits, the implicit one included, and the smallest normal binade of each element type.
const SCALE = `
const WIDTHS = array<u32, 3>(24u, 11u, 8u);
const SMALLEST = array<i32, 3>(-126, -14, -126);

fn rewritten(bits: u32, dtype: u32) -> u32 {
  let mode = result.words[${MODE_AT >> 2}][${MODE_AT & 3}];
  if (mode == ${MODE_ZERO}u) { return 0u; }
  var nan = ${QUIET_NAN[0]}u;
  var wide = bits;
  var signBit = 0x80000000u;
  if (dtype != 0u) {
    nan = select(${QUIET_NAN[1]}u, ${QUIET_NAN[2]}u, dtype == 2u);
    wide = widenHalf(bits, dtype == 2u);
    signBit = 0x8000u;
  }
  if (mode == ${MODE_NAN}u) { return nan; }
  let sign = bits & signBit;
  let magnitude = wide & 0x7fffffffu;
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
  let factor = result.words[${(MODE_AT + 1) >> 2}][${(MODE_AT + 1) & 3}];
  exponent += bitcast<i32>(result.words[${(MODE_AT + 2) >> 2}][${(MODE_AT + 2) & 3}]);
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
  return sign | ((u32(max(binade - smallest, 0)) << (width - 1u)) + kept + select(0u, 1u, roundUp));
}
`;

// Magnitudes in the order of their bits; NaN stays.
const CLAMP = `
fn rewritten(bits: u32, dtype: u32) -> u32 {
  let signBit = select(0x8000u, 0x80000000u, dtype == 0u);
  var infinity = 0x7f800000u;
  if (dtype != 0u) { infinity = select(0x7c00u, 0x7f80u, dtype == 2u); }
  let magnitude = bits & (signBit - 1u);
  if (magnitude > infinity) { return bits; }
  return (bits & signBit) | min(magnitude, parameters.limits[dtype]);
}
`;
