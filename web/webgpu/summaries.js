// web/webgpu/summaries.js: from what was copied from the GPU, the partials and the health of jobs, to what a report says of each
// tensor and of all.
import { ELEMENTS, emptyState } from '../core/partial.js';
import { finish, mergeInto } from '../core/reduce.js';
import { JOB_WORDS } from './constants.js';
import { floatOf, partialOfJob, sumOfPartial } from './totals.js';

/**
 * @typedef {import('../core/inspect.js').Health} Health
 * @typedef {import('./jobs.js').Job} Job
 */

/** The first element that is not finite, as web/webgpu/shaders/health.js numbers it. */
const VALUES = [0, NaN, Infinity, -Infinity];

/**
 * @param {number} normType
 * @param {readonly { length: number }[]} tensors
 * @param {readonly Job[]} jobs  of those that are not empty, in their order
 * @param {{ total: BigUint64Array, norms: Uint32Array, health: Uint32Array }} findings  the partial of all, and of each job
 *   its partial and what web/webgpu/shaders/health.js wrote
 * @returns {{ total: Health, rows: (Health & { value: number })[] }}  with the first value that is not finite
 */
export function summariesOf(normType, tensors, jobs, { total, norms, health }) {
  let end = 0;
  const rows = tensors.map(({ length }) => {
    const begin = end;
    const { range } = jobs[begin] ?? {};
    while (length > 0 && jobs[end]?.range === range) ++end;
    const own = jobs.slice(begin, end);
    const partial = emptyState();
    new Float64Array(partial.buffer)[ELEMENTS] = length;
    for (const { number } of own) mergeInto(partialOfJob(norms, number), partial);
    return { ...normOf(partial, length, normType), ...healthOf(health, own, length) };
  });
  const elements = sumOver(rows, (row) => row.elements);
  return { total: { ...normOf(total, elements, normType), ...healthOfAll(rows) }, rows };
}

/**
 * @param {BigUint64Array} partial
 * @param {number} elements
 * @param {number} normType
 */
function normOf(partial, elements, normType) {
  return { norm: finish(partial, normType), ...sumOfPartial(partial), elements };
}

/**
 * @param {Uint32Array} health
 * @param {readonly Job[]} jobs  of a tensor
 * @param {number} elements
 */
function healthOf(health, jobs, elements) {
  const found = { max: 0, zeros: 0, nan: 0, inf: 0, firstNonfinite: -1, value: 0 };
  let sum = 0;
  for (const { number, firstElement } of jobs) {
    const at = JOB_WORDS * number;
    const [largestBits, sumBits, zerosAndNans, others] = health.subarray(at, at + JOB_WORDS);
    found.max = Math.max(found.max, floatOf(largestBits));
    sum += floatOf(sumBits) * 2 ** exponentAbove(largestBits);
    found.zeros += zerosAndNans & 0xffff;
    found.nan += zerosAndNans >>> 16;
    found.inf += others & 0x1fff;
    const what = others >>> 26;
    if (what !== 0 && found.firstNonfinite < 0) {
      found.firstNonfinite = firstElement + ((others >>> 13) & 0x1fff);
      found.value = VALUES[what];
    }
  }
  const finite = elements - found.nan - found.inf;
  return { ...found, meanAbs: finite === 0 ? 0 : sum / finite };
}

/**
 * E such that the magnitude is in [2^(E - 1), 2^E).
 * @param {number} bits  of a finite float32 >= 0
 */
function exponentAbove(bits) {
  const field = bits >>> 23;
  return field === 0 ? -117 - Math.clz32(bits) : field - 126;
}

/** @param {readonly Health[]} rows */
function healthOfAll(rows) {
  const finite = (/** @type {Health} */ { elements, nan, inf }) => elements - nan - inf;
  const count = sumOver(rows, finite);
  return {
    max: rows.reduce((max, row) => Math.max(max, row.max), 0),
    meanAbs: count === 0 ? 0 : sumOver(rows, (row) => row.meanAbs * (finite(row) / count)),
    zeros: sumOver(rows, (row) => row.zeros),
    nan: sumOver(rows, (row) => row.nan),
    inf: sumOver(rows, (row) => row.inf),
    firstNonfinite: -1,
  };
}

/** @type {(rows: readonly Health[], value: (row: Health) => number) => number} */
const sumOver = (rows, value) => rows.reduce((sum, row) => sum + value(row), 0);
