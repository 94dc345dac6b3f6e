// web/webgpu/results.js: from the words that the GPU wrote to those of partials of the core, which merges them and takes the root, and
// to what a report says of each tensor and of all.
import { Inspection } from '../core/inspection.js';
import { PARTIAL_WORDS, PIECE_WORDS } from '../core/layout.js';
import { getCore } from '../core/module.js';
import { ELEMENTS, emptyState, FLAGS, INFINITY, LARGEST, NAN, writeSum } from '../core/partial.js';
import { finish } from '../core/reduce.js';
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
 * @returns {{ total: Health, rows: { health: Health, value: number | undefined }[] }}  with the first value that is not finite
 */
export function rowsOf(normType, tensors, jobs, total, words) {
  const inspection = new Inspection(normType, getCore());
  let next = 0;
  const rows = tensors.map(({ length }) => {
    for (const { range } = jobs[next] ?? {}; length > 0 && jobs[next]?.range === range; ++next)
      inspection.addWords(pieceOf(jobs, next, words));
    const row = { health: inspection.row(), value: inspection.first?.value };
    inspection.next();
    return row;
  });
  return { total: { ...inspection.total(), norm: finish(total, normType) }, rows };
}

/**
 * What the core knows of a piece, from what the GPU wrote of a job.
 * @param {readonly Job[]} jobs
 * @param {number} index
 * @param {Uint32Array} words
 */
function pieceOf(jobs, index, words) {
  const { start, stop } = jobs[index];
  const [partial, finite, counts] = [0, 1, 2].map((region) =>
    words.subarray(4 * (region * jobs.length + index), 4 * (region * jobs.length + index + 1)),
  );
  const [zerosAndNans, infinite, position, bits] = counts;
  const piece = new BigUint64Array(PIECE_WORDS);
  [partial, finite].forEach((part, i) =>
    piece.set(partialOf(part, part.subarray(2), part[1] | 0, stop - start), i * PARTIAL_WORDS),
  );
  const first = bits === 0 ? -1 : position;
  const numbers = [zerosAndNans & 0xffff, zerosAndNans >>> 16, infinite, first, floatOf(bits)];
  new Float64Array(piece.buffer).set(numbers, 2 * PARTIAL_WORDS);
  return piece;
}

/** @param {number} bits */
function floatOf(bits) {
  return new Float32Array(Uint32Array.of(bits).buffer)[0];
}
