// web/webgpu/shaders/decide.js: the shader that goes from a total to a norm and a coefficient. All integers: the same bits on
// every device. Text for web/webgpu/context.js.
import {
  FLAG_CLIPPED,
  FLAG_INFINITY,
  FLAG_NAN,
  FLOAT_INFINITY,
  FLOAT_NAN,
  KEEP,
  RESULT,
} from '../layouts.js';
import { LOGARITHM, PARAMETERS, PRODUCT } from './wgsl.js';

/** @import { ReduceKind } from './sums.js' */

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
const INFINITY = ${FLOAT_INFINITY}u;

struct Number { m: u32, e: i32 }

fn numberOf(words: vec2<u32>) -> Number {
  return Number(words.x, bitcast<i32>(words.y));
}
fn normalised(m: u32, e: i32) -> Number {
  let zeros = countLeadingZeros(m);
  return Number(m << (zeros & 31u), e - i32(zeros));
}
fn isLarger(a: Number, b: Number) -> bool {
  if (a.m == 0u || b.m == 0u || a.e == b.e) { return a.m > b.m; }
  return a.e > b.e;
}
${PRODUCT}
fn atMost(a: vec2<u32>, b: vec2<u32>) -> bool {
  return a.x < b.x || (a.x == b.x && a.y <= b.y);
}
${rootShader(kind === 'cube' ? 3 : 2)}
${kind === 'real' ? LOGARITHM : ''}
fn normOfTotal() -> Number {
  let words = result.upper.zw;
  let e = bitcast<i32>(result.upper.y);
  ${NORMS[kind]}
}

// a + b, rounded up.
fn sumRoundedUp(a: Number, b: Number) -> Number {
  if (b.m == 0u) { return a; }
  if (isLarger(b, a)) { return sumOfSorted(b, a); }
  return sumOfSorted(a, b);
}
fn sumOfSorted(large: Number, small: Number) -> Number {
  let distance = u32(large.e - small.e);
  let sum = large.m + select(1u, ((small.m - 1u) >> (distance & 31u)) + 1u, distance < 32u);
  if (sum >= large.m) { return Number(sum, large.e); }
  // The carry is the new top bit.
  return Number(((sum + 1u) >> 1u) | 0x80000000u, large.e + 1);
}
// a / b with 24 bits, rounded down.
fn quotientRoundedDown(a: Number, b: Number) -> Number {
  let shift = select(24u, 23u, a.m >= b.m);
  let shifted = vec2<u32>(a.m >> (32u - shift), a.m << shift);
  var quotient = 0u;
  for (var bit = 0x800000u; bit != 0u; bit >>= 1u) {
    let candidate = quotient | bit;
    if (atMost(product(candidate, b.m), shifted)) { quotient = candidate; }
  }
  return Number(quotient, a.e - b.e - i32(shift));
}
// The bits of m * 2^e as a float32, cut off.
fn floatBits(m: u32, e: i32) -> u32 {
  let n = normalised(m, e);
  let exponent = n.e + 158;
  if (n.m == 0u || exponent < -22) { return 0u; }
  if (exponent > 254) { return INFINITY; }
  if (exponent < 1) { return n.m >> u32(9 - exponent); }
  return (u32(exponent) << 23u) | ((n.m >> 8u) & 0x7fffffu);
}

fn finish(flags: u32, norm: u32, rewriting: vec4<u32>) {
  let isRewritten = u32(rewriting.x != ${KEEP}u);
  result.head = vec4<u32>(flags | (${FLAG_CLIPPED}u * isRewritten), norm, rewriting.w, parameters.step);
  result.mode = rewriting.x;
  result.factor = rewriting.y;
  result.shift = rewriting.z;
}

@compute @workgroup_size(1)
fn main() {
  let largest = result.upper.x;
  if (largest > INFINITY) {
    finish(${FLAG_NAN}u, ${FLOAT_NAN}u, parameters.ifNan);
    return;
  }
  if (largest == INFINITY) {
    finish(${FLAG_INFINITY}u, INFINITY, parameters.ifInfinite);
    return;
  }
  var norm = Number(0u, 0);
  if (largest != 0u) { norm = normOfTotal(); }
  let inverse = numberOf(parameters.inverse);
  let before = floatBits(product(norm.m, inverse.m).x, norm.e + inverse.e + 32);
  ${kind === 'real' ? REAL_NORM_AT_MOST : 'let most = norm;'}
  if (!isLarger(most, numberOf(parameters.limit))) {
    finish(0u, before, parameters.ifSmall);
    return;
  }
  // What is added leaves room for the errors of both measurements and the rounding of elements, as web/clip.js does: 2 * 2^-23 + 2^-24 at
  // most; for real p 2^-18 + 4e-6 + 2^-24.
  var eps = numberOf(parameters.eps);
  let room = Number(norm.m, norm.e - parameters.room);
  if (parameters.room != 0 && isLarger(room, eps)) { eps = room; }
  let factor = quotientRoundedDown(numberOf(parameters.maxNorm), sumRoundedUp(norm, eps));
  let coefficient = floatBits(factor.m, factor.e);
  finish(0u, before, vec4<u32>(parameters.scaleMode, factor.m, bitcast<u32>(factor.e), coefficient));
}
`;
}

/**
 * The root of (x * 2^32 + y) * 2^e, the top bit set: the square root of 64 bits, or the cube root of 96. Before, as many low bits are
 * cut off (fewer than the degree) as make the exponent a multiple of the degree.
 * @param {2 | 3} degree
 */
const rootShader = (degree) => `
fn rootOf(words: vec2<u32>, e: i32) -> Number {
  var wide = vec3<u32>(words, 0u);
  var exponent = e - ${32 * (degree - 2)};
  while (exponent % ${degree} != 0) {
    wide = vec3<u32>(wide.x >> 1u, (wide.x << 31u) | (wide.y >> 1u), (wide.y << 31u) | (wide.z >> 1u));
    exponent += 1;
  }
  var root = 0u;
  for (var bit = 0x80000000u; bit != 0u; bit >>= 1u) {
    let candidate = root | bit;
    let square = product(candidate, candidate);
    ${degree === 2 ? 'let power = vec3<u32>(square, 0u);' : POWER_OF_CUBE}
    if (power.x < wide.x || (power.x == wide.x && atMost(power.yz, wide.yz))) { root = candidate; }
  }
  return normalised(root, exponent / ${degree});
}`;

const POWER_OF_CUBE = `
    let upper = product(square.x, candidate);
    let lower = product(square.y, candidate);
    let middle = upper.y + lower.x;
    let power = vec3<u32>(upper.x + u32(middle < upper.y), middle, lower.y);`;

// A root that is cut short must not let a norm pass that is above the limit.
const REAL_NORM_AT_MOST = 'let most = sumRoundedUp(norm, Number(norm.m, norm.e - 18));';

/** Of a sum whose upper words are words * 2^e. */
const NORMS = {
  maximum: `
  let largest = result.upper.x;
  let exponent = largest >> 23u;
  if (exponent == 0u) { return normalised(largest, -149); }
  return Number((largest << 8u) | 0x80000000u, i32(exponent) - 158);`,
  first: 'return Number(words.x, e + 32);',
  square: 'return rootOf(words, e);',
  cube: 'return rootOf(words, e);',
  fourth: `
  let root = rootOf(words, e);
  return rootOf(vec2<u32>(root.m, 0u), root.e - 32);`,
  // 2^((log2 of the sum) / p), split into a whole number, whose product with p is nearly exact, and a remainder.
  real: `
  let logarithm = logarithm2(0x3f800000u | ((words.x >> 8u) & 0x7fffffu));
  let exponent = e + 63;
  let whole = floor((f32(exponent) + logarithm) / parameters.power + 0.5);
  let fixed = (exponent << 16u) - parameters.powerUpper * i32(whole);
  let remainder = f32(fixed) * ${2 ** -16} - parameters.powerLower * whole + logarithm;
  let root = bitcast<u32>(exponential2(remainder / parameters.power));
  return Number((root << 8u) | 0x80000000u, i32(whole) + i32(root >> 23u) - 158);`,
};
