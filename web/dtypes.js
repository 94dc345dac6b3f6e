// web/dtypes.js: the element types of gradients. Pure; the codes are those of bindings/bindings.cpp.

/**
 * @typedef {Float32Array | Float64Array} GradientArray  A gradient: an array of elements the core can read.
 */

export const FLOAT32 = 0;
export const FLOAT64 = 1;

export const GRADIENT_TYPES_IN_WORDS = 'a Float32Array or Float64Array';

/**
 * @param {string} name  of a typed array's type
 * @returns {boolean}
 */
export function isGradientType(name) {
  return name === 'Float32Array' || name === 'Float64Array';
}
