// web/webgpu/shaders/decide.js: the shader that goes from a total to a norm and a coefficient. All integers: the same bits on
// every device. Text for web/webgpu/context.js.
import {
  FLAG_CLIPPED,
  FLAG_INFINITY,
  FLAG_NAN,
  MODE_KEEP,
  MODE_NAN,
  MODE_SCALE,
  MODE_SCALE_DOWN,
  MODE_SIGNED_ZERO,
  MODE_ZERO,
  POLICY_ROOM,
  POLICY_SKIP,
  POLICY_TOWARD_ZERO,
  POLICY_UNLIMITED,
  POLICY_ZERO,
  TOTAL_SHIFT,
} from '../constants.js';
import { RESULT } from '../layouts.js';
import { LOGARITHM, PARAMETERS } from './wgsl.js';

/** @typedef {import('./sums.js').ReduceKind} ReduceKind */

/**
 * One invocation: the norm and the coefficient of a total. Numbers are m * 2^e, with m of 32 bits whose top is set,
 * or 0. Roots are those of integers, cut off: beside the error of the sum (see web/webgpu/shaders/sums.js) the norm is
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
${RESULT.wgsl}
@group(0) @binding(0) var<storage, read_write> result: Result;

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
  var digits = array<u32, 6>(0u, 0u, result.sum0, result.sum1, result.sum2, result.sum3);
  var first = 3u;
  while (first > 0u && digits[first + 2u] == 0u) { first--; }
  let a = digits[first + 2u];
  let b = digits[first + 1u];
  let c = digits[first];
  let zeros = countLeadingZeros(a);
  var words = vec2<u32>(a, b);
  if (zeros > 0u) { words = vec2<u32>((a << zeros) | (b >> (32u - zeros)), (b << zeros) | (c >> (32u - zeros))); }
  return Leading(words, result.exponent - ${TOTAL_SHIFT} + 32 * (i32(first) - 1) - i32(zeros));
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
// Of numbers whose mantissas have their top bits set.
fn times(a: Number, b: Number) -> Number {
  let words = product(a.m, b.m);
  if (words.x >= 0x80000000u) { return Number(words.x, a.e + b.e + 32); }
  return Number((words.x << 1u) | (words.y >> 31u), a.e + b.e + 31);
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
  result.flags = flags;
  result.norm = norm;
  result.coefficient = coefficient;
  result.step = parameters.step.x;
  result.mode = mode;
  result.factor = factor.m;
  result.shift = factor.e;
}

// What is not clipped is only divided by lossScale.
fn divide(flags: u32, norm: u32, inverse: Number) {
  let isOne = inverse.m == 0x800000u && inverse.e == -23;
  let mode = select(${MODE_SCALE}u, ${MODE_KEEP}u, isOne);
  finish(flags | select(${FLAG_CLIPPED}u, 0u, isOne), norm, floatBits(inverse), mode, inverse);
}

@compute @workgroup_size(1)
fn main() {
  let one = 0x3f800000u;
  let nothing = Number(0u, 0);
  let inverse = Number(parameters.inverseMantissa, parameters.inverseExponent);
  let isUnlimited = (parameters.policy & ${POLICY_UNLIMITED}u) != 0u;
  let largest = result.largest;
  if (largest >= 0x7f800000u) {
    let isNaN = largest > 0x7f800000u;
    let flags = select(${FLAG_INFINITY}u, ${FLAG_NAN}u, isNaN);
    let norm = select(0x7f800000u, 0x7fc00000u, isNaN);
    if ((parameters.policy & ${POLICY_SKIP}u) != 0u) {
      finish(flags, norm, one, ${MODE_KEEP}u, nothing);
    } else if ((parameters.policy & ${POLICY_ZERO}u) != 0u) {
      finish(flags | ${FLAG_CLIPPED}u, norm, 0u, ${MODE_ZERO}u, nothing);
    } else if (isUnlimited) {
      divide(flags, norm, inverse);
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
  let before = floatBits(times(norm, normalised(inverse.m, inverse.e)));
  if (isUnlimited || !isLarger(most, Number(parameters.limitMantissa, parameters.limitExponent))) {
    divide(0u, before, inverse);
    return;
  }
  if (maxNorm.m == 0u) {
    finish(${FLAG_CLIPPED}u, before, 0u, ${MODE_SIGNED_ZERO}u, nothing);
    return;
  }
  // What is added leaves room for the errors of both measurements and the rounding of elements, as web/clip.js does: 2 * 2^-23 + 2^-24 at
  // most; for real p 2^-18 + 4e-6 + 2^-24.
  var eps = Number(parameters.epsMantissa, parameters.epsExponent);
  let room = Number(norm.m, norm.e - ${kind === 'real' ? 16 : 21});
  if ((parameters.policy & ${POLICY_ROOM}u) != 0u && isLarger(room, eps)) { eps = room; }
  let factor = quotientRoundedDown(maxNorm, sumRoundedUp(norm, eps));
  let mode = select(${MODE_SCALE}u, ${MODE_SCALE_DOWN}u, (parameters.policy & ${POLICY_TOWARD_ZERO}u) != 0u);
  finish(${FLAG_CLIPPED}u, before, floatBits(factor), mode, factor);
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
