// web/webgpu/shaders/sums.js: how a job's powers are summed, for each kind of power. Text for the shaders that reduce.
import { CHUNKS_PER_THREAD, UNIT_BITS } from '../layouts.js';
import { LOGARITHM, PARAMETERS } from './wgsl.js';

/**
 * What a workgroup computes: the sums for p = 1, 2, 3, 4 or another, none for Infinity.
 * @typedef {'first' | 'square' | 'cube' | 'fourth' | 'real' | 'maximum'} ReduceKind
 */

/**
 * What small jobs are multiplied by, 2^LIFT, and the biased exponent below which they are: subnormals, which a device may flush,
 * become normal. If a job is not small, its subnormals are below 2^-94 of the largest, and count nothing.
 */
const LIFT = 100;
const SMALL = 95;

/**
 * With E the binade of the job's largest magnitude, so that y = |x| / 2^E is in [0, 1), the sum is that of y^p in
 * units of 2^-42, an integer below 2^54:
 *
 * - p = 1, 2: y is taken as a whole number of 2^-42 or 2^-32 and the powers are computed in integers. What is cut
 *   off makes the norm at most 2^-27 and 2^-25 smaller. The products with a power of two and the conversions are exact, so
 *   every device gives the same bits.
 * - p = 3, 4: y is an exact float, its powers are two roundings away: relative 2 * 2^-24, p times less in the
 *   norm; and at most 2^-26 is cut off.
 * - other p: y^p = 2^(p log2 y), see web/webgpu/shaders/wgsl.js.
 *
 * What a power has below a unit is cut off, so that elements far below the largest count as zero: below 2^-42 of 2^E for p = 1,
 * 2^-21 for p = 2, 2^-14 for p = 3.
 *
 * The text has, for a job whose largest magnitude is not 0:
 *
 *     fn scalingOf(largest: u32) -> Scaling   what its elements are multiplied by, and the exponent of its sum
 *     fn addElements(sum: ptr<function, Sum>, elements: vec4<u32>, scaling: Scaling)
 *     fn unitsOf(sum: Sum) -> vec2<u32>       what one invocation added: x * 2^24 + y units, y below 2^24
 *
 * @param {Exclude<ReduceKind, 'maximum'>} kind
 * @returns {string}
 */
export function sumShader(kind) {
  return `
struct Scaling { isSmall: bool, factor: f32, offset: f32, exponent: i32 }

fn lifted(x: vec4<u32>) -> vec4<u32> {
  let magnitude = x & MAGNITUDE;
  // magnitude * 2^-149: the conversion is exact and normal.
  let converted = bitcast<vec4<u32>>(vec4<f32>(magnitude)) - vec4<u32>(${149 - LIFT}u << 23u);
  let small = select(converted, NONE, magnitude == NONE);
  return select(magnitude + vec4<u32>(${LIFT}u << 23u), small, magnitude < vec4<u32>(0x800000u));
}
fn scalingOf(largest: u32) -> Scaling {
  let isSmall = largest < (${SMALL}u << 23u);
  let top = select(largest, lifted(vec4<u32>(largest)).x, isSmall);
  let binade = top >> 23u;
  let exponent = i32(binade) - 126 - select(0, ${LIFT}, isSmall);
  ${SCALINGS[kind]}
}
fn totalOf(x: vec4<u32>) -> u32 {
  return x.x + x.y + x.z + x.w;
}
${kind === 'first' || kind === 'square' ? DIGITS : FLOATS}
${kind === 'real' ? PARAMETERS + LOGARITHM + POWER : ''}
fn addElements(sum: ptr<function, Sum>, elements: vec4<u32>, scaling: Scaling) {
  var x = elements;
  if (scaling.isSmall) { x = lifted(x); }
  let y = abs(bitcast<vec4<f32>>(x)) * scaling.factor;
  ${POWERS[kind]}
}
`;
}

// 2^(32 - E), or 2^(2 - E): 2^-E itself may be subnormal.
const TO_WHOLE = 'bitcast<f32>((285u - binade) << 23u)';
const TO_FOURS = 'bitcast<f32>((255u - binade) << 23u)';

const SCALINGS = {
  first: `return Scaling(isSmall, ${TO_WHOLE}, 0.0, exponent);`,
  square: `return Scaling(isSmall, ${TO_WHOLE}, 0.0, 2 * exponent);`,
  cube: `return Scaling(isSmall, ${TO_FOURS}, 0.0, 3 * exponent);`,
  fourth: `return Scaling(isSmall, ${TO_FOURS}, 0.0, 4 * exponent);`,
  // 2^(p log2 y + fraction - headroom), with headroom such that the largest is in (1/2, 1].
  real: `
  let fixed = parameters.powerUpper * exponent;
  let fraction = f32(fixed & 0xffff) * ${2 ** -16} + parameters.powerLower * f32(exponent);
  let y = top + (126u << 23u) - (binade << 23u);
  let headroom = ceil(parameters.power * logarithm2(y) + fraction);
  return Scaling(isSmall, ${TO_FOURS}, fraction - headroom, (fixed >> 16u) + i32(headroom));`,
};

// Terms are upper * 2^10 + lower units. An invocation adds 32, no component more than 8. The sums of the upper half words are
// below 2^21; that of the lowers, the largest of which is ((2^16 - 1)^2 >> 5) + ((2^16 - 1)^2 >> 22) = 2^27 - 3073, below
// 2^32. The sum of all is below 4096 * 2^42, so that x of an invocation is below 2^23, of a workgroup below 2^31.
const DIGITS = `
struct Sum { digit1: vec4<u32>, digit0: vec4<u32>, rest: vec4<u32> }

fn unitsOf(sum: Sum) -> vec2<u32> {
  let digit1 = totalOf(sum.digit1);
  let digit0 = totalOf(sum.digit0);
  let rest = totalOf(sum.rest);
  let low = ((digit0 << 10u) & 0xffffffu) + (rest & 0xffffffu);
  return vec2<u32>((digit1 << 2u) + (digit0 >> 14u) + (rest >> 24u) + (low >> 24u), low & 0xffffffu);
}
`;

// Terms are whole * 2^24 + rest units, the wholes at most 2^18 and the rests below 2^24, 32 of them an invocation.
const FLOATS = `
struct Sum { whole: vec4<u32>, rest: vec4<u32> }

fn addTerms(sum: ptr<function, Sum>, terms: vec4<f32>) {
  let whole = vec4<u32>(terms);
  (*sum).whole += whole;
  (*sum).rest += vec4<u32>(max(terms - vec4<f32>(whole), vec4<f32>(0.0)) * 16777216.0);
}
fn unitsOf(sum: Sum) -> vec2<u32> {
  let rest = totalOf(sum.rest);
  return vec2<u32>(totalOf(sum.whole) + (rest >> 24u), rest & 0xffffffu);
}
`;
if (CHUNKS_PER_THREAD !== 8) throw new Error('the sums of an invocation are bounded for 32 elements');

/**
 * A product of 4 y, a power of which is that of y times a power of two, in units of 2^-18.
 * @type {(power: number, product: string) => string}
 */
const termsOfProduct = (power, product) =>
  `addTerms(sum, (${product}) * ${2 ** (UNIT_BITS - 24 - 2 * power)}.0);`;

const POWERS = {
  /** y in units of 2^-42: its upper 32 bits and 10 more. */
  first: `
  let upper = vec4<u32>(y);
  (*sum).digit1 += upper >> vec4<u32>(16u);
  (*sum).digit0 += upper & vec4<u32>(0xffffu);
  (*sum).rest += vec4<u32>((y - vec4<f32>(upper)) * 1024.0);`,
  /** y = (a 2^16 + b) 2^-32; a a 2^32 + a b 2^17 + b b in units of 2^22. */
  square: `
  let whole = vec4<u32>(y);
  let a = whole >> vec4<u32>(16u);
  let b = whole & vec4<u32>(0xffffu);
  let upper = a * a;
  (*sum).digit1 += upper >> vec4<u32>(16u);
  (*sum).digit0 += upper & vec4<u32>(0xffffu);
  (*sum).rest += ((a * b) >> vec4<u32>(5u)) + ((b * b) >> vec4<u32>(22u));`,
  cube: termsOfProduct(3, 'y * y * y'),
  fourth: termsOfProduct(4, '(y * y) * (y * y)'),
  real: `
  let offset = scaling.offset;
  addTerms(sum, ${2 ** (UNIT_BITS - 24)}.0 *
    vec4<f32>(power(y.x, offset), power(y.y, offset), power(y.z, offset), power(y.w, offset)));`,
};

/** (y / 4)^p * 2^offset, 0 for 0. */
const POWER = `
fn power(y: f32, offset: f32) -> f32 {
  let bits = bitcast<u32>(y);
  if (bits < (4u << 23u)) { return 0.0; }
  return exponential2(parameters.power * logarithm2(bits - (2u << 23u)) + offset);
}
`;
