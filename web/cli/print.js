// web/cli/print.js: a report as text or as JSON, as far as the options ask for it.
import { clipCoefficient } from '../clip.js';
import { byImportance, GradReport } from '../report.js';
import { formatNumber, withWords } from '../words/text.js';
import { printable } from './words.js';

/**
 * @typedef {import('../api.js').TensorReport} TensorReport
 * @typedef {import('./options.js').Options} Options
 */

/**
 * @param {GradReport} report
 * @param {Options} options
 * @returns {string}
 */
export function print(report, options) {
  return options.json ? jsonOf(report, options) : textFor(report, options);
}

/**
 * @param {GradReport} report
 * @param {Options} options
 */
function jsonOf(report, options) {
  const { paths, maxNorm } = options;
  const tensors = rowsFor(report.tensors, options) ?? report.tensors;
  const clip =
    maxNorm === undefined ? {} : { maxNorm, clipCoefficient: clipCoefficient(report.norm, maxNorm) };
  return JSON.stringify(withWords({ files: paths, ...report.toJSON(), tensors, ...clip }));
}

/**
 * @param {GradReport} report
 * @param {Options} options
 */
function textFor(report, options) {
  const tensors = report.tensors.map((row) => ({ ...row, name: printable(row.name) }));
  const nonfinite = report.nonfinite.map((found) => ({ ...found, tensor: printable(found.tensor) }));
  const shown = Object.assign(Object.create(GradReport.prototype), report, { tensors, nonfinite });
  const text = shown.toString(rowsFor(tensors, options));
  return options.maxNorm === undefined ? text : `${text}\n\n${lineOfClipping(report.norm, options.maxNorm)}`;
}

/**
 * @param {readonly TensorReport[]} tensors
 * @param {Options} options
 * @returns {readonly TensorReport[] | undefined}  undefined for what a report shows by itself
 */
function rowsFor(tensors, { top, perTensor }) {
  if (top !== undefined) return [...tensors].sort(byImportance).slice(0, top);
  return perTensor ? tensors : undefined;
}

/**
 * @param {number} norm
 * @param {number} maxNorm
 */
function lineOfClipping(norm, maxNorm) {
  return `clip coefficient ${formatNumber(clipCoefficient(norm, maxNorm))} for max norm ${formatNumber(maxNorm)}`;
}
