// tests/bench/table.js: aligned and Markdown tables, bars, units and progress (knows nothing of benchmarks).

/** @typedef {{ title: string, align?: 'left' | 'right' }} Column */

/**
 * A table of aligned columns, two spaces apart, a rule under the titles.
 * @param {Column[]} columns
 * @param {string[][]} rows
 * @returns {string}
 */
export function alignedTable(columns, rows) {
  const titles = columns.map(({ title }) => title);
  const widths = columns.map((_, index) => Math.max(...[titles, ...rows].map((row) => row[index].length)));
  const line = (/** @type {string[]} */ cells) =>
    cells
      .map((cell, index) => pad(cell, widths[index], columns[index].align))
      .join('  ')
      .trimEnd();
  return [line(titles), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

/**
 * @param {Column[]} columns
 * @param {string[][]} rows
 * @returns {string}
 */
export function markdownTable(columns, rows) {
  const line = (/** @type {string[]} */ cells) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rule = columns.map(({ align }) => (align === 'right' ? '--:' : '---'));
  return [line(columns.map(({ title }) => title)), line(rule), ...rows.map(line)].join('\n');
}

/**
 * @param {string} cell
 * @param {number} width
 * @param {'left' | 'right'} [align]
 */
function pad(cell, width, align = 'left') {
  return align === 'right' ? cell.padStart(width) : cell.padEnd(width);
}

/** A full cell and the seven that are partly filled. */
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/**
 * @param {number} value
 * @param {number} largest the value of a bar of full width
 * @param {number} width
 * @returns {string}
 */
export function bar(value, largest, width) {
  const eighths = Math.round((value / largest) * width * 8);
  return '█'.repeat(eighths >> 3) + EIGHTHS[eighths & 7];
}

/**
 * @param {number} nanoseconds
 * @returns {string} three digits and a unit
 */
export function formatTime(nanoseconds) {
  if (nanoseconds < 999.5) return `${threeDigits(nanoseconds)} ns`;
  if (nanoseconds < 999.5e3) return `${threeDigits(nanoseconds / 1e3)} us`;
  if (nanoseconds < 999.5e6) return `${threeDigits(nanoseconds / 1e6)} ms`;
  return `${threeDigits(nanoseconds / 1e9)} s`;
}

/**
 * @param {number} value >= 0
 * @returns {string} with three significant digits, never in scientific notation; '-' for NaN
 */
export function threeDigits(value) {
  if (Number.isNaN(value)) return '-';
  const rounded = Number(value.toPrecision(3));
  const decimals = rounded === 0 ? 0 : 2 - Math.floor(Math.log10(rounded));
  return rounded.toFixed(Math.min(Math.max(decimals, 0), 6));
}

/** What the program is doing, on standard error: one changing line on a terminal, a line a step elsewhere. */
export class Progress {
  /** @param {NodeJS.WriteStream} stream */
  constructor(stream) {
    this.stream = stream;
    this.step = '';
  }

  /** @param {string} step */
  begin(step) {
    this.step = step;
    if (!this.stream.isTTY) this.stream.write(`${step}\n`);
  }

  /** @param {string} detail */
  update(detail) {
    if (!this.stream.isTTY) return;
    const line = `${this.step}  ${detail}`.slice(0, this.stream.columns - 1);
    this.stream.write(`\r${line}\x1b[K`);
  }

  /** Makes room for other output. */
  clear() {
    if (this.stream.isTTY) this.stream.write('\r\x1b[K');
  }
}
