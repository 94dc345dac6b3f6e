// web/norm.js: gradNorm, the first verb of the API.
import { checkNormType } from './words/checks.js';
import { collect } from './door/collect.js';
import { reduceNorm } from './core/reduce.js';

/**
 * @typedef {import('./door/collect.js').Gradients} Gradients
 */

/**
 * The global p-norm of all gradients, as if they were one long vector:
 *
 *     gradNorm(g, p) = (sum_i sum_j |g_ij|^p)^(1/p)      max |g_ij| for p = Infinity
 *
 * Relative error at most 2^-23 (one float32 ulp) for every p; of gradients that are all Float64Array, Int32Array
 * or Uint32Array at most 2^-48 if p >= 1 and 2p is whole, else 2^-40 * max(1, 1/p), as long as the norm is a
 * normal double. The result is finite whenever the true norm is, and has the same bits whatever the order of the
 * gradients.
 *
 * Null and undefined are skipped; no gradients at all have norm 0. NaN if any element is NaN, otherwise
 * Infinity if any is infinite. A single element in all is returned exactly. Gradients are never written.
 *
 * @example
 * gradNorm([new Float32Array([3]), null, new Float32Array([4])]); // 5
 * gradNorm({ weight: new Float32Array([1, -2]), bias: null }, Infinity); // 2
 *
 * @overload
 * @param {Gradients} gradients  one gradient, one parameter, or any array, iterable, Map or plain record of them
 * @param {number} [normType]    p: any number > 0, Infinity included; 2 if left out
 * @returns {number}
 * @throws {TypeError} if normType is not a number, or anything in gradients is not a gradient; the message
 *   names the place, what was found there and what is expected
 * @throws {RangeError} if normType is not greater than 0
 */
/**
 * @param {Gradients} gradients
 * @param {number} [normType]
 */
export function gradNorm(gradients, normType = 2) {
  checkNormType(normType);
  return reduceNorm(collect(gradients), normType);
}
