// web/core/inspect.js: tensors to rows, one each and one for all of them, for web/report.js; and the first element that is not
// finite, for those who throw. Stands beside web/core/reduce.js in the pipeline.
import { BFLOAT16, FLOAT16, nonfiniteHalf } from './dtypes.js';
import { byHome } from './homes.js';
import { HEALTH_WORDS, PARTIAL_WORDS, ROW_NUMBERS } from './layout.js';
import { MAX_GROUPS } from './memory.js';
import { forEachBatch, pack } from './pack.js';
import { uint16ViewOf } from '../words/typed-array.js';

/**
 * @typedef {import('./dtypes.js').Tensor} Tensor
 */

/**
 * What the core knows about a tensor, or about all: `Row` in src/segments.hpp.
 * @typedef {object} Health
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
 * @returns {{ total: Health, rows: Float64Array }}  a row for each tensor, for readRow
 */
export function inspect(tensors, normType) {
  const rows = new Float64Array(ROW_NUMBERS * tensors.length);
  const [first, ...others] = byHome(tensors);
  inspectHousehold(first, normType, rows);
  const { core } = first;
  for (const other of others) {
    inspectHousehold(other, normType, rows);
    const { partials, healths } = other.core;
    core.partials.set(partials.subarray(PARTIAL_WORDS * MAX_GROUPS));
    core.healths.set(healths.subarray(HEALTH_WORDS * MAX_GROUPS));
    core.merge(core.partialsAt, core.healthsAt, 1, core.totalAt, core.totalHealthAt);
  }
  core.report(normType, core.totalAt, core.totalHealthAt, 1, core.rowsAt);
  return { total: readRow(core.rows, 0), rows };
}

/**
 * The rows of tensors in one home; the total of its core is theirs.
 * @param {import('./homes.js').Household} household
 * @param {number} normType
 * @param {Float64Array} rows  of all tensors
 */
function inspectHousehold(household, normType, rows) {
  const { core, tensors } = household;
  const { partialsAt, healthsAt, totalAt, totalHealthAt } = core;
  core.clear(totalAt, totalHealthAt, 1);
  forEachBatch(household, (first, groups, positionOf) => {
    core.clear(partialsAt, healthsAt, groups);
    pack(core, tensors, first, first + groups, 1, (count) =>
      core.reduce(normType, core.segmentsAt, count, partialsAt, healthsAt),
    );
    core.merge(partialsAt, healthsAt, groups, totalAt, totalHealthAt);
    core.report(normType, partialsAt, healthsAt, groups, core.rowsAt);
    if (household.positions === null) {
      rows.set(core.rows.subarray(0, ROW_NUMBERS * groups), ROW_NUMBERS * first);
      return;
    }
    for (let group = 0; group < groups; ++group) {
      const at = ROW_NUMBERS * group;
      rows.set(core.rows.subarray(at, at + ROW_NUMBERS), ROW_NUMBERS * positionOf(group));
    }
  });
}

/**
 * The first element that is not finite.
 * @param {readonly Tensor[]} tensors
 * @returns {{ tensor: Tensor, index: number, value: number } | null}  null if all are finite
 */
export function findNonfinite(tensors) {
  // Any p would do; this one costs least.
  const { rows } = inspect(tensors, Infinity);
  const at = tensors.findIndex((_, i) => firstNonfiniteOf(rows, i) >= 0);
  if (at < 0) return null;
  const index = firstNonfiniteOf(rows, at);
  return { tensor: tensors[at], index, value: valueAt(tensors[at], index) };
}

/**
 * The value of an element that is not finite.
 * @param {Pick<Tensor, 'array' | 'dtype'>} tensor
 * @param {number} index
 * @returns {number}
 */
export function valueAt({ array, dtype }, index) {
  if (dtype !== FLOAT16 && dtype !== BFLOAT16) return array[index];
  return nonfiniteHalf(uint16ViewOf(array)[index], dtype);
}

/**
 * @param {Float64Array} rows
 * @param {number} index
 * @returns {number}  of the first element that is not finite in this row's tensor, or -1
 */
export function firstNonfiniteOf(rows, index) {
  return rows[ROW_NUMBERS * (index + 1) - 1];
}

/**
 * @param {Float64Array} numbers
 * @param {number} index
 * @returns {Health}
 */
export function readRow(numbers, index) {
  const at = ROW_NUMBERS * index;
  return {
    norm: numbers[at],
    mantissa: numbers[at + 1],
    exponent: numbers[at + 2],
    elements: numbers[at + 3],
    max: numbers[at + 4],
    meanAbs: numbers[at + 5],
    zeros: numbers[at + 6],
    nan: numbers[at + 7],
    inf: numbers[at + 8],
    firstNonfinite: numbers[at + 9],
  };
}
