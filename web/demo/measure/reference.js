// web/demo/measure/reference.js: the norm that the contenders' relative errors are measured against.
//
// It has to run over 124 million elements, so it is float64 with Neumaier's compensated summation
// (doi:10.1002/zamm.19740540106), not exact; reference.test.js compares it with the exact oracle.
//
// Relative error <= 1e-13 for float32 input whose norm is a normal double: with u = 2^-53,
//   the terms    |x| and x*x are exact for float32 x, x*x*x is off by u; Math.pow by a few u
//   the sum      2u + (n u)^2 <= 4u for n = 2^27 terms, all of one sign
//   the root     sqrt: u; pow(sum, 1/p): a few u, plus u |ln sum| / p for the rounded 1/p (< 710 u / p)

import { HALF_FORMATS } from './data.js';

/** @typedef {import('./data.js').Dtype} Dtype */
/** @typedef {import('./data.js').Tensor} Tensor */

/** What the head of this file derives, for p >= 1. */
export const REFERENCE_ERROR = 1e-13;

/**
 * @param {Tensor[]} tensors finite elements
 * @param {number} normType >= 1 or Infinity
 * @param {Dtype} [dtype]
 * @returns {number} the p-norm of all elements
 */
export function referenceNorm(tensors, normType, dtype = 'float32') {
  if (dtype !== 'float32') return referenceNorm(tensors.map(decoder(dtype)), normType);
  if (normType === Infinity)
    return tensors.reduce((largest, tensor) => Math.max(largest, maximum(tensor)), 0);
  const sum = { high: 0, low: 0 };
  for (const tensor of tensors) addPowers(sum, tensor, normType);
  const total = sum.high + sum.low;
  if (normType === 1) return total;
  return normType === 2 ? Math.sqrt(total) : Math.pow(total, 1 / normType);
}

/**
 * By a table of all values, each by its definition: exact in float32.
 * @param {'float16' | 'bfloat16'} dtype
 * @returns {(tensor: Tensor) => Float32Array<ArrayBuffer>}
 */
function decoder(dtype) {
  const { fractionBits, bias } = HALF_FORMATS[dtype];
  const values = Float32Array.from({ length: 2 ** 16 }, (_, bits) => {
    const exponent = (bits & 0x7fff) >> fractionBits;
    const fraction = (bits & ((1 << fractionBits) - 1)) / 2 ** fractionBits;
    const magnitude = exponent === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (exponent - bias);
    return bits < 0x8000 ? magnitude : -magnitude;
  });
  return (tensor) => {
    const decoded = new Float32Array(tensor.length);
    for (let i = 0; i < tensor.length; i++) decoded[i] = values[tensor[i]];
    return decoded;
  };
}

/** @param {Tensor} tensor */
function maximum(tensor) {
  let largest = 0;
  for (const element of tensor) if (Math.abs(element) > largest) largest = Math.abs(element);
  return largest;
}

/**
 * Neumaier's loop for terms >= 0: the low part collects what each addition to the high part rounds away.
 * @param {{ high: number, low: number }} sum changed in place
 * @param {Tensor} tensor
 * @param {number} normType
 */
function addPowers(sum, tensor, normType) {
  let { high, low } = sum;
  for (let i = 0; i < tensor.length; i++) {
    const magnitude = Math.abs(tensor[i]);
    const term = powerOf(magnitude, normType);
    const next = high + term;
    low += high >= term ? high - next + term : term - next + high;
    high = next;
  }
  sum.high = high;
  sum.low = low;
}

/**
 * By products where there are some: Math.pow takes fifty times as long.
 * @param {number} magnitude
 * @param {number} normType
 */
function powerOf(magnitude, normType) {
  if (normType === 1) return magnitude;
  if (normType === 2) return magnitude * magnitude;
  return normType === 3 ? magnitude * magnitude * magnitude : Math.pow(magnitude, normType);
}

/**
 * @param {number} actual
 * @param {number} expected
 * @returns {number} |actual - expected| / |expected|, 0 where both are equal
 */
export function relativeDifference(actual, expected) {
  return actual === expected ? 0 : Math.abs(actual - expected) / Math.abs(expected);
}
