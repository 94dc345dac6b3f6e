// web/report.js: gradReport, the health of all gradients and of each.
import { checkNormType, checkOptions } from './arguments.js';
import { collect, tensorName } from './collect.js';
import { DTYPE_NAMES } from './dtypes.js';
import { inspect, valueAt } from './inspect.js';
import { alignColumns, formatCount, formatNumber, formatShare } from './text.js';

/**
 * @typedef {import('./collect.js').Gradients} Gradients
 * @typedef {import('./collect.js').Tensor} Tensor
 * @typedef {import('./inspect.js').Summary} Summary
 */

/**
 * One tensor's row; a flat object, so that console.table(report.tensors) is a table.
 * @typedef {object} TensorReport
 * @property {string} name      such as fc1.weight; in lists the index
 * @property {string} dtype     such as float32
 * @property {number} elements
 * @property {number} norm      the p-norm of this tensor alone
 * @property {number} share     of the sum of p-th powers, in [0, 1]
 * @property {number} max       the largest magnitude of the finite elements
 * @property {number} meanAbs   the mean magnitude of the finite elements
 * @property {number} zeros     how many elements are 0 or -0
 * @property {number} nan       how many elements are NaN
 * @property {number} inf       how many elements are Infinity or -Infinity
 */

/**
 * An element that is not finite.
 * @typedef {object} Nonfinite
 * @property {string} tensor  the name
 * @property {number} index   counted over the tensor's elements
 * @property {number} value   NaN, Infinity or -Infinity
 */

// A console shows about this many rows; more are cut to those that matter.
const MOST_ROWS = 40;
const MOST_NONFINITE = 10;
const HEADERS = ['tensor', 'dtype', 'elements', 'norm', 'share', 'max', 'mean |g|', 'zeros', 'NaN', 'inf'];

/**
 * What gradReport returns.
 */
export class GradReport {
  /**
   * @param {readonly Tensor[]} tensors
   * @param {number} normType
   */
  constructor(tensors, normType) {
    const { total, rows } = inspect(tensors, normType);
    const shareOf = total.mantissa === 0 ? sharesOfMaximum(total, rows) : sharesOfSum(total);

    /** The p-norm of all: gradNorm, bit for bit. @readonly */
    this.norm = total.norm;
    /** p. @readonly */
    this.normType = normType;
    /** How many elements there are. @readonly */
    this.elements = total.elements;
    /** The largest magnitude of the finite elements. @readonly */
    this.max = total.largest;
    /** The mean magnitude of the finite elements, within 2^-22; 0 if there are none. @readonly */
    this.meanAbs = total.mean;
    /** How many elements are 0 or -0. @readonly */
    this.zeros = total.zeros;
    /** How many elements are NaN. @readonly */
    this.nan = total.nans;
    /** How many elements are Infinity or -Infinity. @readonly */
    this.inf = total.infinities;
    /** A row for each tensor, in the order of reading. @readonly @type {readonly TensorReport[]} */
    this.tensors = rows.map((row, i) => reportOf(tensors[i], row, shareOf(row)));
    /** The first element that is not finite of each tensor that has one. @readonly @type {readonly Nonfinite[]} */
    this.nonfinite = tensors.flatMap((tensor, i) => firstNonfinite(tensor, rows[i]));
  }

  /**
   * The first element that is not finite, or null if all are.
   * @returns {Nonfinite | null}
   */
  get firstNonfinite() {
    return this.nonfinite[0] ?? null;
  }

  /** @returns {string}  a table, as the console of Node.js shows a report */
  toString() {
    const rows = rowsToShow(this.tensors);
    const hidden = this.tensors.length - rows.length;
    return [
      ...linesOfTotals(this),
      ...this.nonfinite.slice(0, MOST_NONFINITE).map(lineOfNonfinite),
      ...(rows.length > 0 ? ['', ...alignColumns([HEADERS, ...rows.map(cellsOf)], 2)] : []),
      ...(hidden > 0 ? [`and ${formatCount(hidden)} more with smaller shares`] : []),
    ].join('\n');
  }

  /** For the console of Node.js. */
  [Symbol.for('nodejs.util.inspect.custom')]() {
    return this.toString();
  }

  /**
   * Everything, with 'NaN', 'Infinity' and '-Infinity' as strings, which JSON would turn into null.
   * @returns {Record<string, unknown>}
   */
  toJSON() {
    const { norm, normType, elements, max, meanAbs, zeros, nan, inf, firstNonfinite, tensors, nonfinite } =
      this;
    const all = {
      norm,
      normType,
      elements,
      max,
      meanAbs,
      zeros,
      nan,
      inf,
      firstNonfinite,
      tensors,
      nonfinite,
    };
    return /** @type {Record<string, unknown>} */ (withWords(all));
  }
}

/**
 * The health of all gradients and of each, in one pass: their norms, which tensors they come from, and which
 * element is the first that is not finite.
 *
 * @example
 * const report = gradReport(gradients);
 * console.log(report);            // a table
 * report.norm;                    // gradNorm(gradients)
 * report.firstNonfinite;          // { tensor: 'fc1.weight', index: 1234, value: NaN }, or null
 * console.table(report.tensors);
 *
 * @param {Gradients} gradients  in any form that gradNorm accepts; never written
 * @param {{ normType?: number }} [options]  p: any number > 0, Infinity included; 2 if left out
 * @returns {GradReport}
 * @throws {TypeError} as gradNorm
 * @throws {RangeError} if normType is not greater than 0
 */
export function gradReport(gradients, options = {}) {
  checkOptions('gradReport', options, ['normType']);
  const { normType = 2 } = options;
  checkNormType(normType);
  return new GradReport(collect(gradients), normType);
}

/**
 * A share is the quotient of two sums of powers; NaN where the norm is not finite.
 * @param {Summary} total
 * @returns {(row: Summary) => number}
 */
function sharesOfSum(total) {
  if (Number.isNaN(total.norm) || total.infinities > 0) return () => NaN;
  return ({ mantissa, exponent }) => (mantissa / total.mantissa) * 2 ** (exponent - total.exponent);
}

/**
 * There is no sum for p = Infinity, or so large that it might be: those who have the largest magnitude share
 * alike. With nothing but zeros, every share is 0.
 * @param {Summary} total
 * @param {readonly Summary[]} rows
 * @returns {(row: Summary) => number}
 */
function sharesOfMaximum(total, rows) {
  if (!Number.isFinite(total.norm)) return () => NaN;
  if (total.norm === 0) return () => 0;
  const count = rows.filter(({ norm }) => norm === total.norm).length;
  return ({ norm }) => (norm === total.norm ? 1 / count : 0);
}

/**
 * @param {Tensor} tensor
 * @param {Summary} row
 * @param {number} share
 * @returns {TensorReport}
 */
function reportOf(tensor, row, share) {
  return {
    name: tensorName(tensor),
    dtype: DTYPE_NAMES[tensor.dtype],
    elements: row.elements,
    norm: row.norm,
    share,
    max: row.largest,
    meanAbs: row.mean,
    zeros: row.zeros,
    nan: row.nans,
    inf: row.infinities,
  };
}

/**
 * @param {Tensor} tensor
 * @param {Summary} row
 * @returns {Nonfinite[]}  one or none
 */
function firstNonfinite(tensor, { firstNonfinite: index }) {
  return index < 0 ? [] : [{ tensor: tensorName(tensor), index, value: valueAt(tensor, index) }];
}

/**
 * @param {GradReport} report
 * @returns {string[]}
 */
function linesOfTotals({ tensors, elements, normType, norm, max, meanAbs, zeros, nan, inf }) {
  const p = normType === Infinity ? '∞' : normType;
  const tensorCount = `${formatCount(tensors.length)} tensor${tensors.length === 1 ? '' : 's'}`;
  const zeroShare = elements > 0 ? ` (${formatShare(zeros / elements)})` : '';
  return [
    `${p}-norm ${formatNumber(norm)} of ${formatCount(elements)} elements in ${tensorCount}`,
    `max ${formatNumber(max)}, mean |g| ${formatNumber(meanAbs)}, zeros ${formatCount(zeros)}${zeroShare}, ` +
      `NaN ${formatCount(nan)}, infinite ${formatCount(inf)}`,
  ];
}

/** @param {Nonfinite} nonfinite */
function lineOfNonfinite({ tensor, index, value }) {
  return `not finite: ${tensor}, first at index ${index}: ${value}`;
}

/**
 * All rows, or those that are not finite and those with the largest shares; in the order of reading.
 * @param {readonly TensorReport[]} tensors
 * @returns {readonly TensorReport[]}
 */
function rowsToShow(tensors) {
  if (tensors.length <= MOST_ROWS) return tensors;
  const byImportance = [...tensors].sort((a, b) => b.nan + b.inf - (a.nan + a.inf) || b.norm - a.norm);
  const shown = new Set(byImportance.slice(0, MOST_ROWS));
  return tensors.filter((tensor) => shown.has(tensor));
}

/** @param {TensorReport} row */
function cellsOf({ name, dtype, elements, norm, share, max, meanAbs, zeros, nan, inf }) {
  return [
    name,
    dtype,
    formatCount(elements),
    formatNumber(norm),
    formatShare(share),
    formatNumber(max),
    formatNumber(meanAbs),
    formatCount(zeros),
    formatCount(nan),
    formatCount(inf),
  ];
}

/**
 * @param {unknown} value
 * @returns {unknown}
 */
function withWords(value) {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(withWords);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withWords(item)]));
}
