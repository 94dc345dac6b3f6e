// web/webgpu/powers.js: which shader a power needs, and the parameters of a step as the shaders read them. Pure.
import { BFLOAT16, FLOAT16, FLOAT32 } from '../core/dtypes.js';
import { needsRoundingTowardZero } from '../core/room.js';
import { POLICY_ROOM, POLICY_SKIP, POLICY_TOWARD_ZERO, POLICY_UNLIMITED, POLICY_ZERO } from './constants.js';
import { BINADES, LOWEST_BINADE, PARAMETER_BYTES, PARAMETERS } from './layouts.js';

/** @typedef {import('./shaders/sums.js').ReduceKind} ReduceKind */

/** Real powers that the GPU computes, within 4e-6. Others go through the CPU. */
export const SMALLEST_REAL_POWER = 0.5;
export const LARGEST_REAL_POWER = 64;

const POLICIES = { propagate: 0, skip: POLICY_SKIP, throw: POLICY_SKIP, zero: POLICY_ZERO };
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
 * The parameters of a step, without the table where it is not read.
 * @param {object} step
 * @param {number} step.normType
 * @param {number} [step.maxNorm]
 * @param {number} [step.eps]
 * @param {keyof typeof POLICIES} [step.nonfinite]
 * @param {number} [step.lossScale]
 * @param {number} [step.clipValue]
 * @param {number} [step.floats]  how many elements there are, if all are float32, for which clipping leaves room
 * @param {number} [step.number]  which comes back with the result
 * @returns {ArrayBuffer}
 */
export function parametersOf({
  normType,
  maxNorm = Infinity,
  eps = 0,
  nonfinite = 'propagate',
  lossScale = 1,
  clipValue = Infinity,
  floats = 0,
  number = 0,
}) {
  const { at } = PARAMETERS;
  const isReal = kindOf(normType) === 'real';
  const buffer = new ArrayBuffer(isReal ? PARAMETER_BYTES : 4 * PARAMETERS.words);
  const words = new Uint32Array(buffer);
  // Where it is beyond the doubles, so is no norm.
  const limit = maxNorm * lossScale;
  const [inverse, exponent] = mantissaAndExponent(1 / lossScale);
  words.set(mantissaAndExponent(maxNorm), at.maxNormMantissa);
  words.set(mantissaAndExponent(limit), at.limitMantissa);
  words.set(mantissaAndExponent(Math.min(eps * lossScale, Number.MAX_VALUE)), at.epsMantissa);
  words.set([inverse >>> 8, exponent + 8], at.inverseMantissa);
  const towardZero = needsRoundingTowardZero(floats, 2 ** -149, maxNorm, normType, LEAST_ROOM);
  words[at.policy] =
    POLICIES[nonfinite] |
    (limit === Infinity ? POLICY_UNLIMITED : 0) |
    (floats > 0 ? POLICY_ROOM : 0) |
    (floats > 0 && towardZero ? POLICY_TOWARD_ZERO : 0);
  words[at.step] = number;
  words[at.limits + FLOAT32] = new Uint32Array(Float32Array.of(clipValue).buffer)[0];
  words[at.limits + FLOAT16] = halfBitsOf(clipValue, 11, -14);
  words[at.limits + BFLOAT16] = halfBitsOf(clipValue, 8, -126);
  if (isReal) writePower(words, new Float32Array(buffer), normType);
  return buffer;
}

/**
 * @param {Uint32Array} words
 * @param {Float32Array} floats  the same memory
 * @param {number} p
 */
function writePower(words, floats, p) {
  const { at, words: table } = PARAMETERS;
  // Twelve bits: times a binade it has at most 20.
  const unit = 2 ** (Math.floor(Math.log2(p)) - 11);
  const upper = Math.round(p / unit) * unit;
  floats.set([p, upper, p - upper], at.power);
  for (let i = 0; i < BINADES; ++i) {
    const power = p * (LOWEST_BINADE + i);
    words[table + 2 * i] = Math.ceil(power);
    floats[table + 2 * i + 1] = power - Math.ceil(power);
  }
}

/**
 * A number >= 0 as m * 2^e, m of 32 bits with the top bit set and the rest cut off; 0, 0 for 0 and Infinity.
 * @param {number} value
 * @returns {[number, number]}
 */
function mantissaAndExponent(value) {
  if (value === 0 || value === Infinity) return [0, 0];
  let exponent = 0;
  let m = value;
  for (; m < 2 ** 31; m *= 2) exponent -= 1;
  for (; m >= 2 ** 32; m /= 2) exponent += 1;
  return [Math.floor(m), exponent];
}

/**
 * The bits of a number >= 0 as a half, rounded to nearest even.
 * @param {number} value
 * @param {number} precision  bits of a mantissa
 * @param {number} smallest   binade of the normal numbers
 * @returns {number}
 */
function halfBitsOf(value, precision, smallest) {
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
