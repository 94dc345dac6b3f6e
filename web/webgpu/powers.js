// web/webgpu/powers.js: which shader a power needs, and the parameters of a step as the shaders read them. Pure.
import { needsRoundingTowardZero } from '../core/room.js';
import { BINADES, LOWEST_BINADE, PARAMETER_BYTES, PARAMETERS } from './layouts.js';

/** @typedef {import('./shaders/sums.js').ReduceKind} ReduceKind */

/**
 * Real powers that the GPU computes, within 4e-6. Others go through the CPU.
 */
export const SMALLEST_REAL_POWER = 0.5;
export const LARGEST_REAL_POWER = 64;

/** What to do when the norm is not finite, as the shaders see it. */
export const POLICIES = { propagate: 0, skip: 2, throw: 2, zero: 4 };
const UNLIMITED = 1;
const ROOM = 8;
const TOWARD_ZERO = 16;
// At most the room that the shaders leave.
const LEAST_ROOM = 2 ** -22;

/** @type {Map<number, ReduceKind>} */
const KINDS = new Map([
  [1, 'first'],
  [2, 'square'],
  [3, 'cube'],
  [4, 'fourth'],
  [Infinity, 'maximum'],
]);

/**
 * @param {number} normType  p > 0
 * @returns {ReduceKind | null}  null: the GPU does not compute this power
 */
export function kindOf(normType) {
  const isReal = normType >= SMALLEST_REAL_POWER && normType <= LARGEST_REAL_POWER;
  return KINDS.get(normType) ?? (isReal ? 'real' : null);
}

/**
 * @typedef {object} StepParameters
 * @property {number} normType
 * @property {number} [maxNorm]
 * @property {number} [eps]
 * @property {keyof typeof POLICIES} [nonfinite]
 * @property {number} [clipValue]
 * @property {number} [floats]  how many elements there are, if all are float32, for which clipping leaves room
 * @property {number} [step]  its number, which comes back with the result
 */

/**
 * The parameters of a step: as web/webgpu/layouts.js says, without the table where it is not read.
 * @param {StepParameters} step
 * @returns {ArrayBuffer}
 */
export function parametersOf({
  normType,
  maxNorm = Infinity,
  eps = 0,
  nonfinite = 'propagate',
  clipValue = Infinity,
  floats: count = 0,
  step = 0,
}) {
  const isReal = kindOf(normType) === 'real';
  const buffer = new ArrayBuffer(isReal ? PARAMETER_BYTES : 4 * PARAMETERS.words);
  const words = new Uint32Array(buffer);
  const floats = new Float32Array(buffer);
  const { at } = PARAMETERS;
  words.set(mantissaAndExponent(maxNorm), at.maxNormMantissa);
  words.set(mantissaAndExponent(eps), at.epsMantissa);
  const towardZero = needsRoundingTowardZero(count, 2 ** -149, maxNorm, normType, LEAST_ROOM);
  words[at.policy] =
    POLICIES[nonfinite] |
    (maxNorm === Infinity ? UNLIMITED : 0) |
    (count > 0 ? ROOM : 0) |
    (count > 0 && towardZero ? TOWARD_ZERO : 0);
  words[at.step] = step;
  if (isReal) writePower(words, floats, normType);
  words.set([bitsOf(clipValue), halfBitsOf(clipValue, 11, -14), halfBitsOf(clipValue, 8, -126)], at.limits);
  return buffer;
}

/**
 * @param {Uint32Array} words
 * @param {Float32Array} floats  the same memory
 * @param {number} p
 */
function writePower(words, floats, p) {
  floats[PARAMETERS.at.power] = p;
  // Twelve bits: times a binade it has at most 20.
  const unit = 2 ** (Math.floor(Math.log2(p)) - 11);
  floats[PARAMETERS.at.powerUpper] = Math.round(p / unit) * unit;
  floats[PARAMETERS.at.powerLower] = p - floats[PARAMETERS.at.powerUpper];
  for (let i = 0; i < BINADES; ++i) {
    const power = p * (LOWEST_BINADE + i);
    words[PARAMETERS.words + 2 * i] = Math.ceil(power);
    floats[PARAMETERS.words + 2 * i + 1] = power - Math.ceil(power);
  }
}

/**
 * A number >= 0 as m * 2^e, m of 32 bits with the top bit set and the rest cut off; 0, 0 for 0 and Infinity.
 * @param {number} value
 * @returns {[number, number]}
 */
export function mantissaAndExponent(value) {
  if (value === 0 || value === Infinity) return [0, 0];
  let exponent = 0;
  let m = value;
  for (; m < 2 ** 31; m *= 2) exponent -= 1;
  for (; m >= 2 ** 32; m /= 2) exponent += 1;
  return [Math.floor(m), exponent];
}

/** @param {number} value */
function bitsOf(value) {
  return new Uint32Array(Float32Array.of(value).buffer)[0];
}

/**
 * The bits of a number >= 0 as a half, rounded to nearest even.
 * @param {number} value
 * @param {number} precision  bits of a mantissa
 * @param {number} smallest   binade of the normal numbers
 * @returns {number}
 */
export function halfBitsOf(value, precision, smallest) {
  const infinity = 2 ** 15 - 2 ** (precision - 1);
  if (value === 0 || value === Infinity) return value === 0 ? 0 : infinity;
  const [m, e] = mantissaAndExponent(value);
  const binade = Math.max(e + 31, smallest);
  const units = m * 2 ** (e - binade + precision - 1);
  const whole = Math.floor(units);
  const rest = units - whole;
  const rounded = rest > 0.5 || (rest === 0.5 && whole % 2 === 1) ? whole + 1 : whole;
  return Math.min(infinity, (binade - smallest) * 2 ** (precision - 1) + rounded);
}
