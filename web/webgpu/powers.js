// web/webgpu/powers.js: which shader a power needs, and the parameters of a step as the shaders read them. Pure.
import { BFLOAT16, FLOAT16, halfBitsOf } from '../core/dtypes.js';
import { needsRoundingTowardZero } from '../core/room.js';
import { FILL, FLOAT_NAN, KEEP, PARAMETERS, SCALE, SCALE_DOWN } from './layouts.js';

/** @import { ReduceKind } from './shaders/sums.js' */

/** Real powers that the GPU computes, within 4e-6. Others go through the CPU. */
const SMALLEST = 0.5;
const LARGEST = 64;

/** @type {Map<number, ReduceKind>} */
const KINDS = /* @__PURE__ */ new Map([
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
  return KINDS.get(normType) ?? (normType >= SMALLEST && normType <= LARGEST ? 'real' : null);
}

/** @param {number} normType  to clip with */
export function checkedKindOf(normType) {
  const kind = kindOf(normType);
  if (kind !== null) return kind;
  const expected = `a number from ${SMALLEST} to ${LARGEST}, or Infinity`;
  throw new RangeError(`normType is ${normType}; to clip on the GPU, expected ${expected}`);
}

/**
 * The parameters of a step: those of Parameters in web/webgpu/layouts.js.
 * @param {object} step
 * @param {number} step.normType
 * @param {number} [step.maxNorm]
 * @param {number} [step.eps]
 * @param {import('../door/clip-options.js').NonfinitePolicy} [step.nonfinite]
 * @param {number} [step.lossScale]
 * @param {number} [step.clipValue]
 * @param {number} [step.floats]  how many elements there are, if all are float32, for which clipping leaves room
 * @param {number} [step.number]  which comes back with the result
 * @returns {Uint32Array}
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
  const words = new Uint32Array(PARAMETERS.words);
  const numbers = new Float32Array(words.buffer);
  // If the product is beyond the doubles, no norm is above it.
  const limit = maxNorm * lossScale;
  const isUnlimited = limit === Infinity;
  const [mantissa, exponent] = numberOf(1 / lossScale);
  const factor = mantissa >>> 8;
  const inverse = factor * 2 ** (exponent + 8);
  const leave = [KEEP, 0, 0, floatBits(1)];
  const divide = inverse === 1 ? leave : [SCALE, factor, exponent + 8, floatBits(inverse)];
  words.set(numberOf(maxNorm), at.maxNorm);
  words.set(isUnlimited ? [0xffffffff, 2 ** 30] : numberOf(limit), at.limit);
  words.set(numberOf(Math.min(eps * lossScale, Number.MAX_VALUE)), at.eps);
  words.set([factor << 8, exponent], at.inverse);
  words.set(divide, at.ifSmall);
  const halves = halfBitsOf(clipValue, FLOAT16) | (halfBitsOf(clipValue, BFLOAT16) << 16);
  words.set([SCALE, floatBits(clipValue), halves], at.clamp);
  const isPropagating = nonfinite === 'propagate';
  const other = isPropagating ? divide : nonfinite === 'zero' ? [FILL, 0, 0, 0] : leave;
  const isMultiplied = isPropagating && !isUnlimited;
  words.set(isMultiplied ? [FILL, 1, 0, FLOAT_NAN] : other, at.ifNan);
  words.set(isMultiplied ? [SCALE, 0, 0, 0] : other, at.ifInfinite);
  // Of real powers; others have no need of it.
  const upper = Math.min(Math.floor(normType * 2 ** 16), 2 ** 30);
  words[at.powerUpper] = upper;
  numbers.set([normType], at.power);
  numbers.set([normType - upper / 2 ** 16], at.powerLower);
  const room = kindOf(normType) === 'real' ? 16 : 21;
  words[at.room] = floats > 0 ? room : 0;
  const isTowardZero = needsRoundingTowardZero(floats, 2 ** -149, maxNorm, normType, 2 ** -22);
  words[at.scaleMode] = floats > 0 && isTowardZero ? SCALE_DOWN : SCALE;
  words[at.step] = number;
  return words;
}

/** @param {number} value */
function floatBits(value) {
  return new Uint32Array(Float32Array.of(value).buffer)[0];
}

/**
 * A number >= 0 as m * 2^e, m of 32 bits with the top bit set and the rest cut off; 0, 0 for 0 and Infinity.
 * @param {number} value
 * @returns {[number, number]}
 */
function numberOf(value) {
  if (value === 0 || value === Infinity) return [0, 0];
  let exponent = 0;
  let m = value;
  for (; m < 2 ** 31; m *= 2) exponent -= 1;
  for (; m >= 2 ** 32; m /= 2) exponent += 1;
  return [Math.floor(m), exponent];
}
