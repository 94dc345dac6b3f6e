// web/webgpu/results.js: from the words that the GPU wrote to those of partials of the core, which merges them and takes the root, and
// to what a report says of each tensor and of all.
import { ELEMENTS, emptyState, FLAGS, INFINITY, LARGEST, NAN, sumOf, writeSum } from '../core/partial.js';
import { finish, mergeInto } from '../core/reduce.js';
import { FLOAT_INFINITY, RESULT } from './layouts.js';

/** @import { Health } from '../core/inspect.js' */
/** @import { Job } from './jobs.js' */

/**
 * @param {Uint32Array} words  of the result buffer
 * @param {number} elements    how many there are
 * @returns {BigUint64Array}   the partial
 */
export function partialOfResult(words, elements) {
  const [, , high, low] = words.subarray(RESULT.at.upper);
  const lower = words.subarray(RESULT.at.lower);
  return partialOf(words.subarray(RESULT.at.upper), [high, low, lower[2], lower[3]], lower[1] | 0, elements);
}

/**
 * @param {Uint32Array} words  of the result buffer
 * @returns {{ job: number, position: number, value: number } | null}  the first element that is not finite
 */
export function offenderOf(words) {
  const [largest, job, position, bits] = words.subarray(RESULT.at.upper);
  return largest < FLOAT_INFINITY ? null : { job, position, value: floatOf(bits) };
}

/** @type {(words: Uint32Array, elements: number) => BigUint64Array} */
const partialOfJob = (words, elements) => partialOf(words, words.subarray(2, 4), words[1] | 0, elements);

/**
 * @param {Uint32Array} words  of a partial on the GPU, see RESULT in web/webgpu/layouts.js
 * @param {ArrayLike<number>} digits  of its sum, to the base 2^32, in units of 2^exponent
 * @param {number} exponent
 * @param {number} elements
 */
function partialOf([largest], digits, exponent, elements) {
  const partial = emptyState();
  const numbers = new Float64Array(partial.buffer);
  numbers[ELEMENTS] = elements;
  if (largest >= FLOAT_INFINITY) {
    partial[FLAGS] = largest > FLOAT_INFINITY ? NAN : INFINITY;
    return partial;
  }
  numbers[LARGEST] = floatOf(largest);
  writeSum(
    partial,
    Array.from(digits, BigInt).reduce((sum, digit) => (sum << 32n) | digit, 0n),
    exponent,
  );
  return partial;
}

/**
 * @param {number} normType
 * @param {readonly { length: number }[]} tensors
 * @param {readonly Job[]} jobs  of those that are not empty, in their order
 * @param {BigUint64Array} total  the partial of all
 * @param {Uint32Array} words  of all jobs the partial, that of those that are finite for p = 1, and the counts
 * @returns {{ total: Health, rows: { health: Health, value: number }[] }}  with the first value that is not finite
 */
export function rowsOf(normType, tensors, jobs, total, words) {
  const wordsOf = (/** @type {number} */ region, /** @type {Job} */ { number }) =>
    words.subarray(4 * (region * jobs.length + number), 4 * (region * jobs.length + number + 1));
  const finiteOfAll = emptyState();
  let end = 0;
  const rows = tensors.map(({ length }) => {
    const [partial, finite] = [emptyState(), emptyState()];
    new Float64Array(partial.buffer)[ELEMENTS] = length;
    const counts = { zeros: 0, nan: 0, inf: 0, firstNonfinite: -1, value: 0 };
    for (const { range } = jobs[end] ?? {}; length > 0 && jobs[end]?.range === range; ++end) {
      mergeInto(partialOfJob(wordsOf(0, jobs[end]), 0), partial);
      mergeInto(partialOfJob(wordsOf(1, jobs[end]), 0), finite);
      count(wordsOf(2, jobs[end]), jobs[end], counts);
    }
    mergeInto(finite, finiteOfAll);
    return { health: healthOf(normType, partial, finite, counts), value: counts.value };
  });
  const sumOver = (/** @type {'zeros' | 'nan' | 'inf'} */ name) =>
    rows.reduce((sum, { health }) => sum + health[name], 0);
  const counts = { zeros: sumOver('zeros'), nan: sumOver('nan'), inf: sumOver('inf'), firstNonfinite: -1 };
  return { total: healthOf(normType, total, finiteOfAll, counts), rows };
}

/** @type {(words: Uint32Array, job: Job, counts: { zeros: number, nan: number, inf: number, firstNonfinite: number, value: number }) => void} */
function count([zerosAndNans, infinite, position, bits], { firstElement }, counts) {
  counts.zeros += zerosAndNans & 0xffff;
  counts.nan += zerosAndNans >>> 16;
  counts.inf += infinite;
  if (bits === 0 || counts.firstNonfinite >= 0) return;
  counts.firstNonfinite = firstElement + position;
  counts.value = floatOf(bits);
}

/**
 * @param {number} normType
 * @param {BigUint64Array} partial  of all elements
 * @param {BigUint64Array} finite   of those that are finite, for p = 1
 * @param {Pick<Health, 'zeros' | 'nan' | 'inf' | 'firstNonfinite'>} counts
 * @returns {Health}
 */
function healthOf(normType, partial, finite, { zeros, nan, inf, firstNonfinite }) {
  const elements = new Float64Array(partial.buffer)[ELEMENTS];
  return {
    norm: finish(partial, normType),
    ...sumOf(partial),
    elements,
    max: new Float64Array(finite.buffer)[LARGEST],
    meanAbs: finish(finite, 1) / Math.max(1, elements - nan - inf),
    zeros,
    nan,
    inf,
    firstNonfinite,
  };
}

/** @param {number} bits */
function floatOf(bits) {
  return new Float32Array(Uint32Array.of(bits).buffer)[0];
}
