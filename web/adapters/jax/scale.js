// web/adapters/jax/scale.js: arrays of jax-js times a number that is another at every step. Takes only methods of the arrays
// themselves.

import { dispose } from './tree.js';

/** @typedef {import('./tree.js').JaxArray} JaxArray */

/** A float32 holds no factor below 2^-149, so a smaller one than this is taken in steps. */
const STEP = 2 ** -100;

/**
 * New arrays of the same types.
 * @param {readonly JaxArray[]} arrays  which stay
 * @param {number} factor
 * @returns {JaxArray[]}
 */
export function scaled(arrays, factor) {
  if (factor > 0 && factor < STEP) {
    const smaller = arrays.map((array) => array.ref.mul(STEP));
    const products = scaled(smaller, factor / STEP);
    dispose(smaller);
    return products;
  }
  /** By device. @type {Map<string, JaxArray>} */
  const factors = new Map();
  const products = arrays.map((array) => {
    if (array.size === 0) return array.ref;
    const scalar = factors.get(array.device) ?? scalarBeside(array, factor);
    factors.set(array.device, scalar);
    return array.ref.mul(scalar.ref).astype(array.dtype);
  });
  dispose([...factors.values()]);
  return products;
}

/**
 * New arrays of the same shapes and types, all zeros.
 * @param {readonly JaxArray[]} arrays  which stay
 * @returns {JaxArray[]}
 */
export function zerosLike(arrays) {
  return arrays.map((array) => array.ref.less(array.ref).astype(array.dtype));
}

/**
 * A number as an array of float32 in memory, where another array is. As a number it would be compiled into a kernel that jax-js
 * keeps for ever, one at each step; so would an array that has only this value.
 * @param {JaxArray} array  not empty
 * @param {number} value
 * @returns {JaxArray}
 */
function scalarBeside(array, value) {
  const first = array.ref.reshape(-1).slice([0, 1]);
  const zero = first.ref.less(first).astype(/** @type {import('./tree.js').DType} */ ('float32'));
  const pair = /** @type {any} */ (Float32Array.of(value, 2));
  return zero.add(pair).slice(0);
}
