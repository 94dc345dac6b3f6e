// web/clip.js: the verbs that modify gradients. Measures with web/core/reduce.js, writes with web/core/rewrite.js.
import { distinctWritable } from './door/aliases.js';
import { checkChoice, checkNotNegative, checkOptions } from './words/checks.js';
import { checkMaxNorm, DEFAULT_EPS, PER, readClipOptions } from './door/clip-options.js';
import { collect, placeOf, tensorName } from './door/collect.js';
import { FLOAT64 } from './core/dtypes.js';
import { allocationOf } from './core/homes.js';
import { traitsOf } from './core/traits.js';
import { GradientError } from './words/errors.js';
import { findNonfinite } from './core/inspect.js';
import { reduceEach, reduceNorm } from './core/reduce.js';
import { clamp, fillWithZeros, scale, scaleEach, scaleExactly, scaleTowardZero } from './core/rewrite.js';
import { FLOAT_ROOM, needsRoundingTowardZero, roomOfDoubles } from './core/room.js';

/**
 * @typedef {import('./door/collect.js').Gradients} Gradients
 * @typedef {import('./core/dtypes.js').Tensor} Tensor
 * @typedef {import('./door/clip-options.js').ClipOptions} ClipOptions
 * @typedef {import('./door/clip-options.js').ClipPer} ClipPer
 * @typedef {Pick<import('./monitor.js').GradMonitor, 'update' | 'dryRun'>} Monitor  A GradMonitor, of this copy of the
 *   library or of another, or what does as it does.
 */

/**
 * Scales the gradients in place so that their global p-norm is at most maxNorm, and returns the norm that they
 * had before:
 *
 *     norm = gradNorm(gradients, normType)
 *     g = g * maxNorm / (norm + eps)   if norm > maxNorm; otherwise nothing is written
 *
 * Of Float32Arrays and Float64Arrays the norm is at most maxNorm afterwards, as gradNorm measures it, so that clipping
 * again writes nothing. Rounding may not take it above, so the factor is at most maxNorm / norm * (1 - 3 * 2^-23), where
 * all are Float64Arrays (1 - 2^-46) if p >= 1 and 2p is whole, else (1 - 2^-38 max(1, 1/p)); and where maxNorm is so
 * small that the roundings of subnormal elements count, those are rounded toward zero. With halves among them the factor is
 * the formula's, and the norm may end above maxNorm by what the elements' roundings make: at most 2^-11 of it for float16,
 * 2^-8 for bfloat16, as long as they are normal.
 *
 * The norm is finite whenever the gradients are and it is not beyond the doubles, so gradients of 1e20, whose
 * float32 squares would overflow, are clipped like any others. Each product is computed in double, then rounded
 * to the nearest value of the element's type, ties to even; for float32 elements the factor itself is first
 * rounded down to a float32, as long as it is a normal one. Elements that are listed twice count twice and are
 * scaled once.
 *
 * maxNorm = 0 makes every element zero; maxNorm = Infinity never scales. A GradMonitor in the place of maxNorm is
 * told the norm and says what to clip to, Infinity included; in a dry run nothing is ever clipped.
 *
 * Gradients of a loss that was multiplied by `lossScale`, so that those in half precision do not vanish, are measured and
 * clipped as if they had been divided by it before, and they are divided in the same pass: g = g / lossScale where nothing
 * is clipped, exactly if lossScale is a power of two. A norm that is not finite under 'skip' writes nothing, so that the
 * scale can be lowered and the step left out. Source: P. Micikevicius et al., "Mixed Precision Training", ICLR 2018, arXiv:1710.03740.
 *
 * With `per: 'tensor'` maxNorm is the limit of each tensor's own norm, as Keras' clipnorm (without it, its global_clipnorm):
 * a tensor is scaled as if it were alone, and `nonfinite` is about its norm. The norm of all is returned.
 *
 * Source: R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", ICML
 * 2013, arXiv:1211.5063; eps and the return value are those of torch.nn.utils.clip_grad_norm_.
 *
 * @example
 * const gradients = { weight: new Float32Array([30, 0]), bias: new Float32Array([40]) };
 * clipGradNorm(gradients, 1); // 50
 * clipGradNorm(gradients, 1) <= 1; // true
 *
 * @param {Gradients} gradients  floating-point gradients in any form that gradNorm accepts
 * @param {number | Monitor} maxNorm  a number >= 0 or Infinity, or a monitor that has one for every step, of the norm of all
 * @param {ClipOptions & { per?: ClipPer }} [options]  per: 'all' if left out
 * @returns {number}  the norm before, of the gradients divided by lossScale
 * @throws {TypeError} if an argument is of the wrong type, a gradient cannot be written, or two share only a part
 *   of their memory; the message names the place, what was found there and what is expected
 * @throws {RangeError} if maxNorm, eps, normType or lossScale is out of range
 * @throws {GradientError} under 'throw', if the norm is NaN or Infinity
 */
export function clipGradNorm(gradients, maxNorm, options = {}) {
  checkOptions('clipGradNorm', options, ['normType', 'eps', 'nonfinite', 'lossScale', 'per']);
  const { per = 'all' } = options;
  const isEach = per === 'tensor';
  const monitor =
    !isEach && typeof (/** @type {any} */ (maxNorm)?.update) === 'function'
      ? /** @type {Monitor} */ (maxNorm)
      : null;
  if (monitor === null) checkMaxNorm(maxNorm, isEach);
  const settings = readClipOptions(options);
  const { normType, nonfinite, lossScale } = settings;
  checkChoice('per', per, PER);

  const tensors = collect(gradients);
  const writable = distinctWritable(tensors);
  if (isEach) return clipEach(tensors, writable, /** @type {number} */ (maxNorm), settings);
  const norm = reduceNorm(tensors, normType) / lossScale;
  const limit = monitor === null ? /** @type {number} */ (maxNorm) : thresholdOf(monitor, norm);
  const isFinite = Number.isFinite(norm);
  if (!isFinite && nonfinite === 'throw') throw nonfiniteError(tensors, norm, settings);
  const isDry = monitor?.dryRun === true;
  if (isFinite || nonfinite === 'propagate')
    scaleToNorm(tensors, writable, norm, isDry ? Infinity : limit, settings);
  else if (nonfinite === 'zero' && !isDry) fillWithZeros(writable);
  return norm;
}

/**
 * Scales gradients in place whose norm is known already: g = g * clipCoefficient(totalNorm, maxNorm, eps). The
 * second half of clipGradNorm, for those who look at the norm in between or have it from elsewhere. The factor leaves
 * the room for rounding that p = 2 needs: where gradNorm measured totalNorm, for p >= 1 and for Float64Arrays alone 2p
 * whole, the bits are those of clipGradNorm, and the norm is at most maxNorm afterwards. Nothing is written if totalNorm
 * <= maxNorm. A totalNorm that is not finite multiplies as under 'propagate'. With lossScale it is the norm of the
 * gradients divided by that, and g = g / lossScale * clipCoefficient(totalNorm, maxNorm, eps).
 *
 * @param {Gradients} gradients  as for clipGradNorm
 * @param {number} maxNorm       a number >= 0 or Infinity
 * @param {number} totalNorm     a number >= 0, Infinity or NaN
 * @param {Pick<ClipOptions, 'eps' | 'lossScale'>} [options]
 * @returns {void}
 * @throws {TypeError} as clipGradNorm
 * @throws {RangeError} if maxNorm, totalNorm, eps or lossScale is out of range
 */
export function clipGradsWithNorm(gradients, maxNorm, totalNorm, options = {}) {
  checkOptions('clipGradsWithNorm', options, ['eps', 'lossScale']);
  checkNotNegative('maxNorm', maxNorm, 'or Infinity');
  checkNotNegative('totalNorm', totalNorm, 'or NaN');
  const settings = readClipOptions(options);
  const tensors = collect(gradients);
  scaleToNorm(tensors, distinctWritable(tensors), totalNorm, maxNorm, settings);
}

/**
 * What clipping multiplies gradients of a norm by: 1 if norm <= maxNorm or maxNorm is Infinity, otherwise
 * maxNorm / (norm + eps), which is below 1: NaN for a norm that is NaN, 0 for one that is Infinity.
 *
 * @param {number} norm     a number >= 0, Infinity or NaN
 * @param {number} maxNorm  a number >= 0 or Infinity
 * @param {number} [eps]    a number >= 0 and finite; 1e-6 if left out
 * @returns {number}
 * @throws {TypeError} if one of them is not a number
 * @throws {RangeError} if one of them is out of range
 */
export function clipCoefficient(norm, maxNorm, eps = DEFAULT_EPS) {
  checkNotNegative('norm', norm, 'or NaN');
  checkNotNegative('maxNorm', maxNorm, 'or Infinity');
  checkNotNegative('eps', eps, 'and finite');
  return coefficient(norm, maxNorm, eps);
}

/**
 * Clamps every element to [-clipValue, clipValue] in place, the limit rounded to the nearest value of the
 * element's type (Infinity, where clipValue is beyond it). NaN stays NaN; an infinity becomes the limit with its
 * sign. clipValue = 0 makes every element zero but NaN, Infinity writes nothing. With lossScale every element is
 * divided by it before, in the same pass.
 *
 * @param {Gradients} gradients  as for clipGradNorm
 * @param {number} clipValue     a number >= 0 or Infinity
 * @param {Pick<ClipOptions, 'lossScale'>} [options]
 * @returns {void}
 * @throws {TypeError} as clipGradNorm
 * @throws {RangeError} if clipValue is negative or NaN, or lossScale is out of range
 */
export function clipGradValue(gradients, clipValue, options = {}) {
  checkOptions('clipGradValue', options, ['lossScale']);
  checkNotNegative('clipValue', clipValue, 'or Infinity');
  const { lossScale } = readClipOptions(options);
  clamp(distinctWritable(collect(gradients)), 1 / lossScale, clipValue);
}

/**
 * @param {number} norm
 * @param {number} maxNorm
 * @param {number} eps
 */
function coefficient(norm, maxNorm, eps) {
  return norm <= maxNorm || maxNorm === Infinity ? 1 : maxNorm / (norm + eps);
}

/**
 * What a monitor, whoever made it, says of a norm.
 * @param {Monitor} monitor
 * @param {number} norm
 */
function thresholdOf(monitor, norm) {
  const threshold = monitor.update(norm)?.threshold;
  checkNotNegative('the threshold of maxNorm.update(norm)', threshold, 'or Infinity');
  return threshold;
}

/**
 * @param {readonly Tensor[]} tensors
 * @param {readonly Tensor[]} writable  the distinct ones of these
 * @param {number} maxNorm
 * @param {Required<ClipOptions>} options
 * @returns {number}  the norm of all
 */
function clipEach(tensors, writable, maxNorm, options) {
  const { normType, nonfinite, lossScale } = options;
  const { norm, norms } = reduceEach(writable, normType);
  const sick = norms.findIndex((own) => !Number.isFinite(own / lossScale));
  if (sick >= 0 && nonfinite === 'throw')
    throw nonfiniteError([writable[sick]], norms[sick] / lossScale, options, placeOf(writable[sick]));
  const total = writable === tensors ? norm : reduceNorm(tensors, normType);
  const factors = norms.map((scaled, k) => {
    const own = scaled / lossScale;
    const tensor = writable[k];
    if (!Number.isFinite(own) && nonfinite !== 'propagate') {
      if (nonfinite === 'zero') fillWithZeros([tensor]);
      return 1;
    }
    const { factor, write } = scalingOf(traitsOf([tensor]), own, maxNorm, options);
    if (write === scale) return factor;
    write([tensor], factor);
    return 1;
  });
  scaleEach(writable, factors);
  return total / lossScale;
}

/**
 * @param {readonly Tensor[]} tensors
 * @param {readonly Tensor[]} writable  the distinct ones of these
 * @param {number} norm
 * @param {number} limit
 * @param {Required<ClipOptions>} options
 */
function scaleToNorm(tensors, writable, norm, limit, options) {
  const traits = allocationOf(tensors)?.traits ?? traitsOf(tensors);
  const { factor, write } = scalingOf(traits, norm, limit, options);
  write(writable, factor);
}

/**
 * How to scale tensors so that their norm, measured again, is not above the limit. Measuring errs by at most b, as gradNorm
 * says, and elements round by u, 2^-24 or 2^-53, so that the norm is at most
 *
 *     factor * norm * (1 + b) (1 + u) / (1 - b)
 *
 * and a room above 2b + u keeps it below. No room makes up for the roundings of halves: with them it is 0. A factor below the
 * normal doubles is rounded down.
 * @param {import('./core/traits.js').Traits} traits
 * @param {number} norm
 * @param {number} limit
 * @param {Required<ClipOptions>} options
 * @returns {{ factor: number, write: typeof scale }}
 */
function scalingOf({ widest, areDoubles, elements }, norm, limit, { eps, normType, lossScale }) {
  const clipping = coefficient(norm, limit, eps);
  const factor = clipping / lossScale;
  if (clipping === 1) return { factor, write: scaleExactly };
  if (!(clipping > 0) || widest > FLOAT64) return { factor, write: scale };
  const room = areDoubles ? roomOfDoubles(normType) : FLOAT_ROOM;
  const smallest = areDoubles ? 2 ** -1074 : 2 ** -149;
  return {
    factor: Math.max(0, Math.min(factor, ((limit / norm) * (1 - room)) / lossScale - 2 ** -1074)),
    write: needsRoundingTowardZero(elements, smallest, limit, normType, room) ? scaleTowardZero : scale,
  };
}

/**
 * @param {readonly Tensor[]} tensors
 * @param {number} norm
 * @param {Required<ClipOptions>} options
 * @param {string} [whose]
 */
function nonfiniteError(tensors, norm, { normType, lossScale }, whose = 'the gradients') {
  const found = findNonfinite(tensors);
  if (found === null) {
    const isStable = reduceNorm(tensors, normType) / lossScale === norm;
    const why = isStable
      ? 'beyond the largest double'
      : 'and another now: something writes to them meanwhile';
    return new GradientError(`the norm of ${whose} is ${norm}, ${why}; nothing was clipped`, null);
  }
  const { tensor, index, value } = found;
  return new GradientError(
    `${placeOf(tensor)} has the value ${value} at index ${index}; expected finite gradients; nothing was clipped`,
    { tensor: tensorName(tensor), index, value },
  );
}
