// tests/accuracy.js: the promised error bounds, and an assertion that holds a result against the oracle.
import assert from 'node:assert/strict';
import { exactNorm, relativeError, toNumber } from './oracle.js';

/** Elements whose powers the core adds in floating point (kBlockElements in src/kernels.hpp). */
export const BLOCK = 4096;

/** The powers that every accuracy suite runs over. */
export const NORM_TYPES = [0.1, 0.5, 1, 1.5, 2, 2.5, 3, 4, 7, 8, 10, 50, 1000, Infinity];

/** @typedef {import('./oracle.js').Elements} Elements */

/**
 * The promised bound on the relative error of a norm: that of doubles if all elements are float64, int32 or
 * uint32, otherwise that of floats.
 * @param {readonly Elements[]} arrays
 * @param {number} p
 */
export function promisedBound(arrays, p) {
  if (!arrays.every(isWide)) return 2 ** -23;
  const wholeOrHalfOdd = p >= 1 && Number.isInteger(2 * p);
  return wholeOrHalfOdd || p === Infinity ? 2 ** -48 : 2 ** -40 * Math.max(1, 1 / p);
}

/** The powers that the GPU takes by multiplication. */
export const PRODUCT_POWERS = [1, 2, 3, 4];

/**
 * The promised bound on the relative error of a norm of the GPU.
 * @param {number} p
 */
export function boundOnGpu(p) {
  const isReal = p >= 0.5 && p <= 64 && !PRODUCT_POWERS.includes(p);
  return isReal ? 4e-6 : 2 ** -23;
}

/** @param {Elements} array */
function isWide(array) {
  return [Float64Array, Int32Array, Uint32Array].some((Type) => array instanceof Type);
}

/**
 * @param {number} actual
 * @param {readonly Elements[]} arrays
 * @param {number} p
 * @param {string} where
 */
export function assertAccurate(actual, arrays, p, where) {
  const exact = exactNorm(arrays, p);
  assertClose(actual, exact, promisedBound(arrays, p), `${where}, p = ${p}`);
}

/**
 * @param {number} actual
 * @param {import('./oracle.js').BigFloat} exact
 * @param {number} bound
 * @param {string} where
 */
export function assertClose(actual, exact, bound, where) {
  const error = relativeError(actual, exact);
  if (error <= bound) return;
  const rounded = toNumber(exact);
  // A norm below the normal doubles cannot be closer than their spacing.
  if (rounded < 2 ** -1022 && Math.abs(actual - rounded) <= Number.MIN_VALUE) return;
  assert.fail(
    `${where}: got ${hex(actual)}, the norm is ${hex(rounded)}: ` +
      `relative error ${error} = 2^${Math.log2(error).toFixed(2)}, promised 2^${Math.log2(bound).toFixed(2)}`,
  );
}

/**
 * A double as C prints it with %a, then in decimal.
 * @param {number} value
 */
export function hex(value) {
  if (!Number.isFinite(value) || value === 0) return Object.is(value, -0) ? '-0' : String(value);
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, Math.abs(value));
  const biased = bits.getUint32(0) >>> 20;
  const fraction = (bits.getBigUint64(0) & 0xfffffffffffffn).toString(16).padStart(13, '0');
  const exponent = (biased === 0 ? 1 : biased) - 1023;
  return `${value < 0 ? '-' : ''}0x${biased === 0 ? 0 : 1}.${fraction}p${exponent} (${value})`;
}

/**
 * An array of `length` elements made one after the other.
 * @template {Float32ArrayConstructor | Float64ArrayConstructor} T
 * @param {T} Type
 * @param {number} length
 * @param {(index: number) => number} element
 * @returns {InstanceType<T>}
 */
export function makeArray(Type, length, element) {
  const array = new Type(length);
  for (let i = 0; i < length; ++i) array[i] = element(i);
  return /** @type {InstanceType<T>} */ (array);
}

/**
 * A seeded source of numbers in [0, 1): mulberry32 by Tommy Ettinger, public domain.
 * @param {number} seed
 * @returns {() => number}
 */
export function createRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * The items in a random order.
 * @template T
 * @param {readonly T[]} list
 * @param {() => number} random
 */
export function shuffled(list, random) {
  const result = [...list];
  for (let i = result.length - 1; i > 0; --i) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
}
