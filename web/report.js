// web/report.js: gradReport, the health of all gradients and of each.
import { checkNormType, checkOptions } from './words/checks.js';
import { collect, namesOf } from './door/collect.js';
import { DTYPE_NAMES } from './core/dtypes.js';
import { firstNonfiniteOf, inspect, readRow, valueAt } from './core/inspect.js';
import { alignColumns, formatCount, formatNumber, formatShare, withWords } from './words/text.js';

/**
 * @typedef {import('./door/collect.js').Gradients} Gradients
 * @typedef {import('./core/inspect.js').Health} Health
 */

/**
 * Which norm a report is about.
 * @typedef {object} ReportOptions
 * @property {number} [normType]  p: any number > 0, Infinity included; 2 if left out
 */

/**
 * What is known of a tensor before its share is; value is that of the first element that is not finite, if there is one.
 * @typedef {{ name: string, dtype: string, value?: number, health: Health }} Row
 */

/**
 * One tensor's row; a flat object, so that console.table(report.tensors) is a table.
 * @typedef {object} TensorReport
 * @property {string} name      such as fc1.weight; in lists the index
 * @property {string} dtype     such as float32
 * @property {number} elements  how many there are
 * @property {number} norm      the p-norm of this tensor alone
 * @property {number} share     of the sum of p-th powers, in [0, 1]; all add up to 1, but are 0 if the norm is 0 and
 *   NaN if an element is not finite. For p from 2^40 on, where one element is all of the norm, those who have it share alike
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
// From here on sums of powers lose their digits: two floats beside each other differ by exp(2^16) in their powers.
const MAXIMUM_FROM = 2 ** 40;
const HEADERS = ['tensor', 'dtype', 'elements', 'norm', 'share', 'max', 'mean |g|', 'zeros', 'NaN', 'inf'];

/**
 * What gradReport returns: the norm and the health of all gradients, and a row for each tensor.
 */
export class GradReport {
  /**
   * For gradReport and its like elsewhere, who did the looking.
   * @internal
   * @param {number} normType
   * @param {Health} total
   * @param {readonly Nonfinite[]} nonfinite
   * @param {() => readonly Row[]} rowsOf  in the order of reading; called when somebody looks at them
   */
  constructor(normType, total, nonfinite, rowsOf) {
    /** @type {readonly TensorReport[] | undefined} */
    let tensors;
    const get = () => (tensors ??= tensorReports(normType, total, rowsOf()));

    /** The p-norm of all: gradNorm, bit for bit. @readonly */
    this.norm = total.norm;
    /** p. @readonly */
    this.normType = normType;
    /** How many elements there are. @readonly */
    this.elements = total.elements;
    /** The largest magnitude of the finite elements. @readonly */
    this.max = total.max;
    /** The mean magnitude of the finite elements, within 2^-22; 0 if there are none. @readonly */
    this.meanAbs = total.meanAbs;
    /** How many elements are 0 or -0. @readonly */
    this.zeros = total.zeros;
    /** How many elements are NaN. @readonly */
    this.nan = total.nan;
    /** How many elements are Infinity or -Infinity. @readonly */
    this.inf = total.inf;
    /** The first element that is not finite, or null if all are. @readonly @type {Nonfinite | null} */
    this.firstNonfinite = nonfinite[0] ?? null;
    /** A row for each tensor, in the order of reading. @readonly @type {readonly TensorReport[]} */
    this.tensors = [];
    Object.defineProperty(this, 'tensors', { get, enumerable: true });
    /** The first element that is not finite of each tensor that has one. @readonly @type {readonly Nonfinite[]} */
    this.nonfinite = nonfinite;
  }

  /**
   * A table, as the console of Node.js shows a report. Of more than 40 tensors those that are not finite and those
   * with the largest norms, unless it is told which.
   * @param {readonly TensorReport[]} [rows]  of `tensors`
   * @returns {string}
   */
  toString(rows = rowsToShow(this.tensors)) {
    const hidden = this.tensors.length - rows.length;
    return [
      ...linesOfTotals(this),
      ...this.nonfinite.slice(0, MOST_NONFINITE).map(lineOfNonfinite),
      ...lineOfHidden(this.nonfinite.length - MOST_NONFINITE, 'not finite'),
      ...(rows.length > 0 ? ['', ...alignColumns([HEADERS, ...rows.map(cellsOf)], 2)] : []),
      ...lineOfHidden(hidden, ''),
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
    return /** @type {Record<string, unknown>} */ (withWords(this));
  }
}

/**
 * The health of all gradients and of each, in one pass: their norms, which tensors they come from, and which
 * element is the first that is not finite.
 *
 * @example
 * const report = gradReport({ weight: new Float32Array([3, NaN]), bias: new Float32Array([4]) });
 * report.norm; // NaN
 * report.firstNonfinite; // { tensor: 'weight', index: 1, value: NaN }
 * report.tensors[1].norm; // 4
 * String(report).split('\n')[0]; // '2-norm NaN of 3 elements in 2 tensors'
 *
 * @param {Gradients} gradients  in any form that gradNorm accepts; never written
 * @param {ReportOptions} [options]
 * @returns {GradReport}
 * @throws {TypeError} as gradNorm
 * @throws {RangeError} if normType is not greater than 0
 */
export function gradReport(gradients, options = {}) {
  checkOptions('gradReport', options, ['normType']);
  const { normType = 2 } = options;
  checkNormType(normType);
  const tensors = collect(gradients);
  return reportOfTensors(tensors, normType, namesOf(tensors));
}

/**
 * @param {readonly import('./core/dtypes.js').Tensor[]} tensors
 * @param {number} normType
 * @param {(index: number) => string} nameOf
 * @returns {GradReport}
 */
export function reportOfTensors(tensors, normType, nameOf) {
  const { total, rows } = inspect(tensors, normType);
  // All that rows are made of later: not the tensors, which this would keep in memory.
  const dtypes = tensors.map(({ dtype }) => DTYPE_NAMES[dtype]);
  /** @type {Nonfinite[]} */
  const nonfinite = [];
  for (const [i, tensor] of tensors.entries()) {
    const index = firstNonfiniteOf(rows, i);
    if (index >= 0) nonfinite.push({ tensor: nameOf(i), index, value: valueAt(tensor, index) });
  }
  return new GradReport(normType, total, nonfinite, () =>
    dtypes.map((dtype, i) => ({ name: nameOf(i), dtype, health: readRow(rows, i) })),
  );
}

/**
 * The report of rows that somebody else has made.
 * @param {number} normType
 * @param {Health} total
 * @param {readonly Row[]} rows  with the value of the first element that is not finite
 * @returns {GradReport}
 */
export function reportOfRows(normType, total, rows) {
  const nonfinite = rows.flatMap(({ name, value, health: { firstNonfinite: index } }) =>
    index < 0 ? [] : [{ tensor: name, index, value: /** @type {number} */ (value) }],
  );
  return new GradReport(normType, total, nonfinite, () => rows);
}

/**
 * @param {number} normType
 * @param {Health} total
 * @param {readonly Row[]} rows
 */
function tensorReports(normType, total, rows) {
  const shareOf = sharesOf(normType, total, rows);
  return rows.map((row) => reportOf(row, shareOf(row.health)));
}

/**
 * A share is the quotient of two sums of powers; NaN where an element is not finite. There is no sum for p = Infinity, nor a
 * good one for p so large that it might be: those who have the largest magnitude share alike. With nothing but zeros, every share
 * is 0.
 * @param {number} normType
 * @param {Health} total
 * @param {readonly Row[]} rows
 * @returns {(health: Health) => number}
 */
function sharesOf(normType, total, rows) {
  if (total.nan + total.inf > 0) return () => NaN;
  if (total.mantissa !== 0 && normType < MAXIMUM_FROM) {
    return ({ mantissa, exponent }) =>
      mantissa && (mantissa / total.mantissa) * 2 ** (exponent - total.exponent);
  }
  const sharing = rows.filter(({ health }) => health.max === total.max).length;
  return ({ max }) => (max > 0 && max === total.max ? 1 / sharing : 0);
}

/**
 * @param {Row} row
 * @param {number} share
 * @returns {TensorReport}
 */
function reportOf({ name, dtype, health }, share) {
  const { elements, norm, max, meanAbs, zeros, nan, inf } = health;
  return { name, dtype, elements, norm, share, max, meanAbs, zeros, nan, inf };
}

/**
 * @param {GradReport} report
 * @returns {string[]}
 */
function linesOfTotals({ tensors, elements, normType, norm, max, meanAbs, zeros, nan, inf }) {
  const p = normType === Infinity ? '∞' : Number(normType.toPrecision(4));
  const zeroShare = elements > 0 ? ` (${formatShare(zeros / elements)})` : '';
  return [
    `${p}-norm ${formatNumber(norm)} of ${plural(elements, 'element')} in ${plural(tensors.length, 'tensor')}`,
    `max ${formatNumber(max)}, mean |g| ${formatNumber(meanAbs)}, zeros ${formatCount(zeros)}${zeroShare}, ` +
      `NaN ${formatCount(nan)}, infinite ${formatCount(inf)}`,
  ];
}

/**
 * @param {number} count
 * @param {string} noun
 */
function plural(count, noun) {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/**
 * @param {number} count  of what is not shown
 * @param {string} what
 * @returns {string[]}  a line or none
 */
function lineOfHidden(count, what) {
  return count > 0 ? [`and ${formatCount(count)} more ${what}`.trimEnd()] : [];
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
  const shown = new Set([...tensors].sort(byImportance).slice(0, MOST_ROWS));
  return tensors.filter((tensor) => shown.has(tensor));
}

/**
 * For sorting: those that are not finite, then those with the largest norms.
 * @param {TensorReport} a
 * @param {TensorReport} b
 */
export function byImportance(a, b) {
  return b.nan + b.inf - (a.nan + a.inf) || b.norm - a.norm;
}

/** @param {TensorReport} row */
function cellsOf({ name, dtype, elements, norm, share, max, meanAbs, zeros, nan, inf }) {
  return [
    name,
    dtype,
    formatCount(elements),
    formatNumber(norm),
    formatShare(share),
    ...[max, meanAbs].map(formatNumber),
    ...[zeros, nan, inf].map(formatCount),
  ];
}
