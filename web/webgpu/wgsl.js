// web/webgpu/wgsl.js: WGSL that several shaders share, as text. WGSL lets an implementation reassociate, fuse, flush
// subnormals and assume that NaN and Infinity do not occur, so elements are taken apart and put together as
// integers; floating point is only computed with where it is zero or bounded and normal, and where a last bit more
// or less is within the bound.
import { BINADES, PARAMETER_WORDS } from './constants.js';

/**
 * @param {number} count
 * @param {(index: number) => string} line
 * @returns {string}
 */
export function repeat(count, line) {
  return Array.from({ length: count }, (_, index) => line(index)).join('\n');
}

/**
 * A switch over the tensors' bindings, which WGSL cannot index.
 * @param {number} slots
 * @param {string} selector
 * @param {(slot: number) => string} body
 */
export function switchOver(slots, selector, body) {
  return `switch ${selector} {\n${repeat(
    slots,
    (slot) => `${slot === slots - 1 ? `case ${slot}u, default` : `case ${slot}u`}: { ${body(slot)} }`,
  )}\n}`;
}

/** The parameters of a step: a uniform buffer. */
export const PARAMETERS = `
struct Parameters {
  // maxNorm and eps: mantissa * 2^exponent, the mantissa's top bit set or 0.
  maxNormMantissa: u32,
  maxNormExponent: i32,
  epsMantissa: u32,
  epsExponent: i32,
  // 1: maxNorm is Infinity; 2, 4: skip or zero when the norm is not finite.
  policy: u32,
  // p = upper + lower; the upper has few bits, so that its product with a whole number is exact.
  power: f32,
  powerUpper: f32,
  powerLower: f32,
  // clipValue in the bits of float32, float16 and bfloat16.
  limits: vec4<u32>,
  // The number of the step, and three unused.
  step: vec4<u32>,
  // For binades k from LOWEST_BINADE on, two a row: ceil(p k), and p k - ceil(p k) as the bits of a float.
  table: array<vec4<u32>, ${BINADES / 2}>,
}
@group(1) @binding(0) var<uniform> parameters: Parameters;
`;
if (PARAMETER_WORDS !== 16) throw new Error('Parameters has 16 words before its table');

/** A half's bits to those of the same float32. Subnormal halves become normal floats. */
export const WIDEN_HALF = `
fn widenHalf(half: u32, isBFloat: bool) -> u32 {
  if (isBFloat) { return half << 16u; }
  let sign = (half & 0x8000u) << 16u;
  let rest = half & 0x7fffu;
  var magnitude = (rest << 13u) + 0x38000000u;
  if (rest >= 0x7c00u) {
    magnitude = (rest << 13u) + 0x70000000u;
  } else if (rest < 0x400u) {
    // rest * 2^-24: the conversion is exact and normal.
    magnitude = select(bitcast<u32>(f32(rest)) - (24u << 23u), 0u, rest == 0u);
  }
  return sign | magnitude;
}
`;

/**
 * log2 and exp2 for the powers that are not products.
 *
 * logarithm2: within 2^-22 of log2(x) * max(1, |log2 x|), for normal x. With m = x / 2^k in [0.707, 1.414] and
 * s = (m - 1) / (m + 1), log2 m = 2 / ln 2 * (s + s^3/3 + s^5/5 + s^7/7 + s^9/9 + ...); the rest is below 2^-29.
 *
 * exponential2: 2^x within a relative 2^-22 for x in [-100, 100], 0 below. The Taylor series of e^(r ln 2),
 * |r| <= 1/2, to the seventh power leaves 2^-27.
 */
export const LOGARITHM = `
fn logarithm2Fraction(bits: u32) -> f32 {
  let m = bitcast<f32>(((bits - 0x3f3504f3u) & 0x7fffffu) + 0x3f3504f3u);
  let s = (m - 1.0) / (m + 1.0);
  let q = s * s;
  return s * (2.885390082 + q * (0.961796694 + q * (0.577078016 + q * (0.412198583 + q * 0.320598898))));
}
fn logarithm2Whole(bits: u32) -> i32 {
  return bitcast<i32>(bits - 0x3f3504f3u) >> 23u;
}
fn exponential2(x: f32) -> f32 {
  if (x < -100.0) { return 0.0; }
  let whole = floor(x + 0.5);
  let r = x - whole;
  let series = 1.0 + r * (0.693147181 + r * (0.240226507 + r * (0.0555041087 + r * (0.00961812911 +
    r * (0.00133335581 + r * (0.000154035304 + r * 0.0000152527338))))));
  return bitcast<f32>(bitcast<u32>(series) + bitcast<u32>(i32(whole) << 23u));
}
`;
