// web/webgpu/totals.js: from the words that the GPU wrote to those of a partial of the core, which merges them and takes the
// root. Pure.
import { ELEMENTS, emptyState, FLAGS, INFINITY, LARGEST, NAN, TOP, TOTALS } from '../core/partial.js';
import { FLOAT_INFINITY, JOB_WORDS, TOTAL_SHIFT } from './constants.js';
import { RESULT } from './layouts.js';

const NONE = 0xffffffff;

/** @typedef {{ job: number, position: number, value: number }} Offender   NaN, Infinity or -Infinity, in a job */

/**
 * @param {Uint32Array} words  of the result buffer
 * @param {number} elements    how many there are
 * @returns {BigUint64Array}   the partial
 */
export function partialOfResult(words, elements) {
  const { at } = RESULT;
  const digits = Array.from(words.subarray(at.sum0, at.sum3 + 1), BigInt);
  const sum = digits.reduceRight((upper, digit) => (upper << 32n) | digit);
  return partialOf(words[at.largest], sum, (words[at.exponent] | 0) - TOTAL_SHIFT, elements);
}

/**
 * @param {Uint32Array} words  of the result buffer
 * @returns {Offender | null}  the first element that is not finite
 */
export function offenderOf(words) {
  const { job, position, bits } = RESULT.at;
  return words[job] === NONE
    ? null
    : { job: words[job], position: words[position], value: floatOf(words[bits]) };
}

/**
 * @param {Uint32Array} words  the partials of jobs: web/webgpu/shaders/reduce.js says what is in them
 * @param {number} job
 */
export function partialOfJob(words, job) {
  const [largest, exponent, high, low] = words.subarray(JOB_WORDS * job, JOB_WORDS * (job + 1));
  const sum = largest < FLOAT_INFINITY ? (BigInt(high) << 32n) | BigInt(low) : 0n;
  return partialOf(largest, sum, exponent | 0, 0);
}

/**
 * @param {number} largestBits  the largest magnitude, as a float32
 * @param {bigint} sum          in units of 2^exponent
 * @param {number} exponent
 * @param {number} elements
 */
function partialOf(largestBits, sum, exponent, elements) {
  const words = emptyState();
  const numbers = new Float64Array(words.buffer);
  numbers[ELEMENTS] = elements;
  if (largestBits < FLOAT_INFINITY) numbers[LARGEST] = floatOf(largestBits);
  if (largestBits > FLOAT_INFINITY) words[FLAGS] = NAN;
  if (largestBits === FLOAT_INFINITY) words[FLAGS] = INFINITY;
  if (sum > 0n) writeSum(words, sum, exponent);
  return words;
}

/**
 * Digits to the base 2^32, the first of them not zero; what is below the fifth is dropped, as the core does.
 * @param {BigUint64Array} words
 * @param {bigint} sum
 * @param {number} exponent
 */
function writeSum(words, sum, exponent) {
  const digitOfUnit = Math.floor(exponent / 32);
  const aligned = sum << BigInt(exponent - 32 * digitOfUnit);
  const digits = Math.ceil(aligned.toString(2).length / 32);
  words[TOP] = BigInt.asUintN(64, BigInt(digitOfUnit + digits - 1));
  for (let i = 0; i < TOTALS; ++i) {
    const digit = digits - 1 - i;
    if (digit >= 0) words[i] = (aligned >> BigInt(32 * digit)) & 0xffffffffn;
  }
}

/**
 * The sum of a partial, mantissa * 2^exponent.
 * @param {BigUint64Array} words
 */
export function sumOfPartial(words) {
  const sum = words.subarray(0, TOTALS).reduce((upper, digit) => (upper << 32n) + digit, 0n);
  return { mantissa: Number(sum), exponent: 32 * (Number(BigInt.asIntN(64, words[TOP])) - TOTALS + 1) };
}

/** @param {number} bits */
export function floatOf(bits) {
  return new Float32Array(Uint32Array.of(bits).buffer)[0];
}
