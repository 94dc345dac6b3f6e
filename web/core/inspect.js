// web/core/inspect.js: tensors to summaries, a row each and one for all of them, for web/report.js; and the first
// element that is not finite, for those who throw. Stands beside web/core/reduce.js in the pipeline.
import { BFLOAT16, BYTE_SHIFTS, FLOAT16, nonfiniteHalf } from './dtypes.js';
import { copyIn } from './staging.js';
import { uint16ViewOf } from '../words/typed-array.js';
import { getCore } from './module.js';

/**
 * @typedef {import('../door/collect.js').Tensor} Tensor
 * @typedef {import('./module.js').Core} Core
 */

/**
 * What the core knows about a tensor, or about all: `Summary` in src/tensor.hpp.
 * @typedef {object} Summary
 * @property {number} norm
 * @property {number} mantissa      of the sum of the p-th powers,
 * @property {number} exponent      mantissa * 2^exponent, which may be beyond the doubles
 * @property {number} elements
 * @property {number} max           magnitude of the finite elements
 * @property {number} meanAbs       magnitude of the finite elements
 * @property {number} zeros
 * @property {number} nan
 * @property {number} inf
 * @property {number} firstNonfinite  index of the first element that is not finite, or -1
 */

/**
 * @param {readonly Tensor[]} tensors
 * @param {number} normType
 * @returns {{ total: Summary, rows: Summary[] }}  a row for each tensor
 */
export function inspect(tensors, normType) {
  const core = getCore();
  core.begin(normType);
  const rows = tensors.map((tensor) => inspectTensor(core, tensor));
  core.summarise();
  return { total: readSummary(core), rows };
}

/**
 * The first element that is not finite.
 * @param {readonly Tensor[]} tensors
 * @returns {{ tensor: Tensor, index: number, value: number } | null}  null if all are finite
 */
export function findNonfinite(tensors) {
  const core = getCore();
  core.begin(Infinity); // any p would do; this one costs least
  for (const tensor of tensors) {
    const { firstNonfinite } = inspectTensor(core, tensor);
    if (firstNonfinite >= 0) return { tensor, index: firstNonfinite, value: valueAt(tensor, firstNonfinite) };
  }
  return null;
}

/**
 * The value of an element that is not finite.
 * @param {Tensor} tensor
 * @param {number} index
 * @returns {number}
 */
export function valueAt({ array, dtype }, index) {
  if (dtype !== FLOAT16 && dtype !== BFLOAT16) return array[index];
  return nonfiniteHalf(uint16ViewOf(array)[index], dtype);
}

/**
 * @param {Core} core
 * @param {Tensor} tensor
 * @returns {Summary}
 */
function inspectTensor(core, tensor) {
  const { dtype, length } = tensor;
  const chunk = core.stagingBytes >> BYTE_SHIFTS[dtype]; // a multiple of a block
  for (let start = 0; start < length; start += chunk) {
    const count = Math.min(chunk, length - start);
    copyIn(core, tensor, start, count, 0);
    core.inspect(dtype, count);
  }
  core.summariseTensor();
  return readSummary(core);
}

/**
 * @param {Core} core
 * @returns {Summary}
 */
function readSummary({ summary }) {
  return {
    norm: summary[0],
    mantissa: summary[1],
    exponent: summary[2],
    elements: summary[3],
    max: summary[4],
    meanAbs: summary[5],
    zeros: summary[6],
    nan: summary[7],
    inf: summary[8],
    firstNonfinite: summary[9],
  };
}
