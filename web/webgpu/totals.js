// web/webgpu/totals.js: from the words that the GPU wrote to a total, and to the state of a partial, which the core
// merges and takes the root of. Pure.
import { ELEMENTS, emptyState, FLAGS, INFINITY, jsonOf, LARGEST, NAN, TOP, TOTALS } from '../core/partial.js';
import { JOB_WORDS, TOTAL_SHIFT } from './constants.js';
import { RESULT } from './layouts.js';

/** @typedef {import('../core/partial.js').NormAccumulatorState} NormAccumulatorState */

const FLOAT_INFINITY = 0x7f800000;
const NONE = 0xffffffff;

/**
 * A sum of powers, exact; and the first element that is not finite.
 * @typedef {object} Total
 * @property {number} largestBits  the largest magnitude, as a float32
 * @property {bigint} sum
 * @property {number} exponent     the sum counts units of 2^exponent
 * @property {Offender | null} offender
 */

/**
 * @typedef {object} Offender
 * @property {number} job
 * @property {number} position  in the job
 * @property {number} value     NaN, Infinity or -Infinity
 */

/**
 * @param {Uint32Array} words  of the result buffer
 * @returns {Total}
 */
export function readTotal(words) {
  const { at } = RESULT;
  const digits = words.subarray(at.sum0, at.sum3 + 1);
  const sum = Array.from(digits, BigInt).reduceRight((upper, digit) => (upper << 32n) | digit);
  const job = words[at.job];
  const offender =
    job === NONE ? null : { job, position: words[at.position], value: floatOf(words[at.bits]) };
  return { largestBits: words[at.largest], sum, exponent: (words[at.exponent] | 0) - TOTAL_SHIFT, offender };
}

/**
 * The total of some jobs, as web/webgpu/shaders/merge.js would make it but for its offender.
 * @param {Uint32Array} work  the partials: web/webgpu/shaders/reduce.js says what is in them
 * @param {number} begin      the first job
 * @param {number} end        behind the last
 * @returns {Total}
 */
export function totalOfPartials(work, begin, end) {
  let largestBits = 0;
  let top = -Infinity;
  for (let job = begin; job < end; ++job) {
    const at = JOB_WORDS * job;
    largestBits = Math.max(largestBits, work[at]);
    if (hasSum(work, at)) top = Math.max(top, work[at + 1] | 0);
  }
  let sum = 0n;
  for (let job = begin; job < end; ++job) {
    const at = JOB_WORDS * job;
    if (!hasSum(work, at)) continue;
    const part = (BigInt(work[at + 2]) << 32n) | BigInt(work[at + 3]);
    const shift = TOTAL_SHIFT - (top - (work[at + 1] | 0));
    sum += shift >= 0 ? part << BigInt(shift) : part >> BigInt(-shift);
  }
  return { largestBits, sum, exponent: sum === 0n ? 0 : top - TOTAL_SHIFT, offender: null };
}

/**
 * @param {Uint32Array} work
 * @param {number} at
 */
function hasSum(work, at) {
  return work[at] < FLOAT_INFINITY && (work[at + 2] | work[at + 3]) !== 0;
}

/**
 * @param {Total} total
 * @param {number} elements  how many there are
 * @param {number} normType
 * @returns {NormAccumulatorState}
 */
export function stateOf({ largestBits, sum, exponent }, elements, normType) {
  const words = emptyState();
  const numbers = new Float64Array(words.buffer);
  numbers[ELEMENTS] = elements;
  if (largestBits < FLOAT_INFINITY) numbers[LARGEST] = floatOf(largestBits);
  if (largestBits > FLOAT_INFINITY) words[FLAGS] = NAN;
  if (largestBits === FLOAT_INFINITY) words[FLAGS] = INFINITY;
  if (sum > 0n) writeSum(words, sum, exponent);
  return jsonOf(words, normType);
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

/** @param {number} bits */
export function floatOf(bits) {
  return new Float32Array(Uint32Array.of(bits).buffer)[0];
}
