// web/door/clip-options.js: the options of clipping, on the CPU and on the GPU: what they are if left out, and what they may
// be. Pure.
import { checkChoice, checkLossScale, checkNormType, checkNotNegative } from '../words/checks.js';

/**
 * What to do when the norm is NaN or Infinity:
 *
 * - 'propagate': multiply as always, as PyTorch does. By NaN for a NaN norm; by 0 for an infinite one, which
 *   leaves zeros, and NaN where an element was infinite.
 * - 'throw': a GradientError that names the first element that is not finite; nothing is written.
 * - 'skip': nothing is written; the caller leaves the step of the optimizer out.
 * - 'zero': every element becomes 0, so that plain gradient descent stays where it is.
 * @typedef {'propagate' | 'throw' | 'skip' | 'zero'} NonfinitePolicy
 */

/**
 * How to clip.
 * @typedef {object} ClipOptions
 * @property {number} [normType]  p: any number > 0, Infinity included; 2 if left out
 * @property {number} [eps]       added to the norm when it divides: 1e-6 if left out, as in PyTorch; 0 as in optax
 *   and TensorFlow
 * @property {NonfinitePolicy} [nonfinite]  'propagate' if left out
 * @property {number} [lossScale]  what the loss was multiplied by: gradients are measured, and written, divided by it, clipped or
 *   not; a finite number > 0, 1 if left out
 */

/** @typedef {'all' | 'tensor'} ClipPer  What maxNorm is the limit of: the norm of all tensors together, or of each alone. */

/** @type {readonly NonfinitePolicy[]} */
export const POLICIES = ['propagate', 'throw', 'skip', 'zero'];
/** @type {readonly ClipPer[]} */
export const PER = ['all', 'tensor'];
export const DEFAULT_EPS = 1e-6;

/**
 * @param {unknown} maxNorm  no monitor
 * @param {boolean} isEach   whether it is the limit of each tensor, which no monitor knows
 * @throws {TypeError | RangeError} if it is no number >= 0
 */
export function checkMaxNorm(maxNorm, isEach) {
  if (isEach) checkNotNegative("with per: 'tensor' maxNorm", maxNorm, 'or Infinity');
  else checkNotNegative('maxNorm', maxNorm, 'or Infinity, or a GradMonitor');
}

/**
 * @param {ClipOptions} options
 * @returns {Required<ClipOptions>}
 * @throws {TypeError | RangeError} if one of them is out of its range
 */
export function readClipOptions({ normType = 2, eps = DEFAULT_EPS, nonfinite = POLICIES[0], lossScale = 1 }) {
  checkNormType(normType);
  checkNotNegative('eps', eps, 'and finite');
  checkChoice('nonfinite', nonfinite, POLICIES);
  checkLossScale(lossScale);
  return { normType, eps, nonfinite, lossScale };
}
