// web/webgpu/summaries.js: from the partials of jobs, copied from the GPU, to what a report says of each tensor and of
// all.
import { GradReport, NormAccumulator } from '../api.js';
import { DTYPES, jobsOf } from './jobs.js';
import { JOB_WORDS } from './constants.js';
import { floatOf, stateOf, totalOfPartials } from './totals.js';

/**
 * @typedef {import('../core/inspect.js').Summary} Summary
 * @typedef {import('./jobs.js').Schedule} Schedule
 * @typedef {import('./tensors.js').GpuTensor} GpuTensor
 * @typedef {import('./totals.js').Total} Total
 */

/**
 * What the GPU found: of all the total, of each job its partial and what web/webgpu/shaders/health.js wrote.
 * @typedef {object} Findings
 * @property {Total} total
 * @property {Uint32Array} norms
 * @property {Uint32Array} health
 */

/** The first element that is not finite, as web/webgpu/shaders/health.js numbers it. */
const VALUES = [0, NaN, Infinity, -Infinity];

const NAMES = new Map([...DTYPES].map(([name, code]) => [code, name]));

/**
 * @param {number} normType
 * @param {readonly GpuTensor[]} tensors
 * @param {Schedule} schedule  of those that are not empty
 * @param {Findings} findings
 * @returns {GradReport}
 */
export function reportOf(normType, tensors, schedule, { total, norms, health }) {
  let job = 0;
  const rows = tensors.map((tensor) => {
    const begin = job;
    job += jobsOf(tensor);
    const { value, ...found } = healthOf(health, schedule, begin, job, tensor.length);
    return {
      name: tensor.name,
      dtype: /** @type {string} */ (NAMES.get(tensor.dtype)),
      value,
      summary: { ...normOf(totalOfPartials(norms, begin, job), tensor.length, normType), ...found },
    };
  });
  const summaries = rows.map(({ summary }) => summary);
  const elements = sumOver(summaries, (summary) => summary.elements);
  return new GradReport(normType, { ...normOf(total, elements, normType), ...healthOfAll(summaries) }, rows);
}

/**
 * @param {Total} total
 * @param {number} elements
 * @param {number} normType
 */
function normOf(total, elements, normType) {
  const { norm } = NormAccumulator.fromJSON(stateOf(total, elements, normType));
  return { norm, mantissa: Number(total.sum), exponent: total.exponent, elements };
}

/**
 * @param {Uint32Array} health
 * @param {Schedule} schedule
 * @param {number} begin     the first job of a tensor
 * @param {number} end       behind the last
 * @param {number} elements
 */
function healthOf(health, { jobs }, begin, end, elements) {
  const found = { max: 0, zeros: 0, nan: 0, inf: 0, firstNonfinite: -1, value: 0 };
  let sum = 0;
  for (let job = begin; job < end; ++job) {
    const at = JOB_WORDS * job;
    const [largestBits, sumBits, zerosAndNans, others] = health.subarray(at, at + 4);
    found.max = Math.max(found.max, floatOf(largestBits));
    sum += floatOf(sumBits) * 2 ** exponentAbove(largestBits);
    found.zeros += zerosAndNans & 0xffff;
    found.nan += zerosAndNans >>> 16;
    found.inf += others & 0x1fff;
    const what = others >>> 26;
    if (what !== 0 && found.firstNonfinite < 0) {
      found.firstNonfinite = jobs[job].firstElement + ((others >>> 13) & 0x1fff);
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

/** @param {readonly Summary[]} rows */
function healthOfAll(rows) {
  const finite = (/** @type {Summary} */ { elements, nan, inf }) => elements - nan - inf;
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

/**
 * @param {readonly Summary[]} rows
 * @param {(row: Summary) => number} value
 */
function sumOver(rows, value) {
  return rows.reduce((sum, row) => sum + value(row), 0);
}
