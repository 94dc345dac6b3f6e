// web/words/text.js: numbers and tables as text, for reports. Pure; imports nothing.

/**
 * Rows of cells as lines, in columns two spaces apart.
 * @param {readonly string[][]} rows
 * @param {number} leftAligned  how many of the first columns are; the others end alike
 * @returns {string[]}
 */
export function alignColumns(rows, leftAligned) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const pad = (/** @type {string} */ cell, /** @type {number} */ column) =>
    column < leftAligned ? cell.padEnd(widths[column]) : cell.padStart(widths[column]);
  return rows.map((row) => row.map(pad).join('  '));
}

/**
 * @param {number} count
 * @returns {string}  such as 1,234,567
 */
export function formatCount(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/**
 * @param {number} value
 * @returns {string}  of four digits, or three and an exponent
 */
export function formatNumber(value) {
  if (value === 0 || !Number.isFinite(value)) return String(value);
  return value >= 1e-3 && value < 9999.5 ? value.toPrecision(4) : value.toExponential(2);
}

/**
 * @param {number} share  in [0, 1]
 * @returns {string}  such as 12.3 %
 */
export function formatShare(share) {
  return Number.isFinite(share) ? `${(100 * share).toFixed(1)} %` : String(share);
}

/**
 * A value as JSON can hold it: NaN and the infinities as words.
 * @param {unknown} value
 * @returns {unknown}
 */
export function withWords(value) {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(withWords);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withWords(item)]));
}
