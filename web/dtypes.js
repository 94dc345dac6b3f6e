// web/dtypes.js: the element types of gradients. Pure; the codes are those of bindings/bindings.cpp.

/**
 * @typedef {Float32Array | Float64Array} GradientArray  A gradient: an array of elements the core can read.
 */

export const FLOAT32 = 0;
export const FLOAT64 = 1;

export const GRADIENT_TYPES_IN_WORDS = 'a Float32Array or Float64Array';

/**
 * The code of a typed array's type; undefined if its elements are no gradient.
 * @param {string | undefined} name  of the type
 * @returns {typeof FLOAT32 | typeof FLOAT64 | undefined}
 */
export function dtypeOf(name) {
  if (name === 'Float32Array') return FLOAT32;
  return name === 'Float64Array' ? FLOAT64 : undefined;
}
