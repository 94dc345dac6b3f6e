// web/core/traits.js: what clipping wants to know of all tensors together. Pure.
import { FLOAT64 } from './dtypes.js';

/**
 * @typedef {object} Traits
 * @property {number} widest    the largest code of their types
 * @property {boolean} areDoubles  whether all are
 * @property {number} elements
 */

/**
 * @param {readonly import('./dtypes.js').Tensor[]} tensors
 * @returns {Traits}
 */
export function traitsOf(tensors) {
  let widest = 0;
  let areDoubles = true;
  let elements = 0;
  for (let i = 0; i < tensors.length; ++i) {
    const { dtype, length } = tensors[i];
    widest = Math.max(widest, dtype);
    areDoubles &&= dtype === FLOAT64;
    elements += length;
  }
  return { widest, areDoubles, elements };
}
