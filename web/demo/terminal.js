// web/demo/terminal.js: how `npm start` looks in a terminal: numbers, bars, sparklines and tables as strings,
// and one area of the screen that is redrawn in place. Used by train.js, and its numbers by the
// demo page; everything but LiveArea is a pure function.

const EIGHTHS = ' ▏▎▍▌▋▊▉█';
const LEVELS = '▁▂▃▄▅▆▇█';

const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';
const CLEAR_TO_LINE_END = '\x1b[K';
const CLEAR_TO_SCREEN_END = '\x1b[J';

/**
 * Four significant digits, or three and an exponent: '0.04210', '12.31', '12310', '4.21e-5', 'NaN'.
 * No longer than 9 characters if not negative.
 *
 * @param {number} value
 */
export function formatNumber(value) {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || size === 0) return String(value);
  if (size < 1e-3 || size >= 1e6) return value.toExponential(2);
  return size >= 1000 ? value.toFixed(0) : value.toPrecision(4);
}

/**
 * Thousands separated by commas: '29,303'.
 *
 * @param {number} count an integer
 */
export function formatCount(count) {
  return count.toLocaleString('en-US');
}

/**
 * Two or three digits and a unit: '27 µs', '6.4 ms', '310 ms', '9.3 s', '21 s', '2 min 05 s'.
 *
 * @param {number} milliseconds
 */
export function formatDuration(milliseconds) {
  if (milliseconds < 0.9995) return `${Math.round(milliseconds * 1000)} µs`;
  if (milliseconds < 999.5) return `${milliseconds.toFixed(milliseconds < 9.95 ? 1 : 0)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 99.5) return `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s`;
  const rounded = Math.round(seconds);
  return `${Math.floor(rounded / 60)} min ${String(rounded % 60).padStart(2, '0')} s`;
}

/**
 * @param {number} share 0 .. 1
 * @returns {string} '0.42%', '12.00%'
 */
export function formatShare(share) {
  return `${(share * 100).toFixed(2)}%`;
}

/**
 * A bar that grows by an eighth of a character.
 *
 * @param {number} fraction done, 0 .. 1; outside, the nearer end
 * @param {number} width in columns
 * @returns {string} exactly `width` characters
 */
export function progressBar(fraction, width) {
  const eighths = Math.round(Math.min(1, Math.max(0, fraction)) * width * 8);
  const full = Math.floor(eighths / 8);
  const part = eighths % 8 === 0 ? '' : EIGHTHS[eighths % 8];
  return ('█'.repeat(full) + part).padEnd(width, '░');
}

/**
 * One block character for each value, from the lowest (▁) to the highest (█) finite one; equal values give
 * lines of middle height. Infinite values give ∞ or -, NaN gives ×: they must be seen and must not flatten
 * the rest.
 *
 * @param {number[]} values
 * @returns {string} as many characters as values
 */
export function sparkline(values) {
  const finite = values.filter(Number.isFinite);
  const lowest = Math.min(...finite);
  const highest = Math.max(...finite);
  return values.map((value) => sparkCharacter(value, lowest, highest)).join('');
}

/**
 * @param {number} value
 * @param {number} lowest
 * @param {number} highest
 */
function sparkCharacter(value, lowest, highest) {
  if (Number.isNaN(value)) return '×';
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '-';
  if (lowest === highest) return LEVELS[3];
  // Halves, as the difference may overflow; not of small numbers, whose halves may underflow.
  const scale = highest > 1 ? 1 / 2 : 1;
  const height = (value * scale - lowest * scale) / (highest * scale - lowest * scale);
  return LEVELS[Math.round(height * (LEVELS.length - 1))];
}

/**
 * Spreads `total` steps over `width` columns and gives the highest value in each, NaN before all, so that
 * one spike among thousands of steps stays in sight. Ends with the column that `values[count - 1]` lies in.
 *
 * @param {ArrayLike<number>} values
 * @param {number} count how many of them are there yet
 * @param {number} total how many there will be
 * @param {number} width in columns
 * @returns {number[]} at most `width` values
 */
export function columnMaxima(values, count, total, width) {
  const maxima = [];
  for (let column = 0; column < width; column++) {
    const start = Math.floor((column * total) / width);
    const end = Math.max(start + 1, Math.floor(((column + 1) * total) / width));
    if (start >= count) break;
    let maximum = -Infinity;
    for (let step = start; step < Math.min(end, count); step++) maximum = Math.max(maximum, values[step]);
    maxima.push(maximum);
  }
  return maxima;
}

/**
 * Rows of cells as lines, each column as wide as its widest cell and two spaces apart. Short rows may leave
 * out cells at their end.
 *
 * @param {string[][]} rows
 * @param {('left' | 'right')[]} alignments of the columns
 * @returns {string[]}
 */
export function tableLines(rows, alignments) {
  const widths = alignments.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        alignments[column] === 'right' ? cell.padStart(widths[column]) : cell.padEnd(widths[column]),
      )
      .join('  ')
      .trimEnd(),
  );
}

/**
 * Words in columns of equal width, as many side by side as fit.
 *
 * @param {string[]} words
 * @param {number} width in columns
 * @returns {string[]} lines
 */
export function wordLines(words, width) {
  const columns = Math.max(1, Math.floor((width + 2) / (Math.max(...words.map((word) => word.length)) + 2)));
  const rows = [];
  for (let start = 0; start < words.length; start += columns) rows.push(words.slice(start, start + columns));
  return tableLines(rows, new Array(columns).fill('left'));
}

/**
 * Breaks a sentence between words.
 *
 * @param {string} text
 * @param {number} width in columns; a longer word gets a line of its own
 * @returns {string[]} lines
 */
export function wrapText(text, width) {
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines[lines.length - 1]} ${word}`;
    if (lines.length > 0 && longer.length <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/**
 * @param {string} line
 * @param {number} width
 * @returns {string} at most `width` characters, the last of them an ellipsis if some were cut off
 */
export function clipLine(line, width) {
  return line.length <= width ? line : `${line.slice(0, width - 1)}…`;
}

/**
 * Lines at the bottom of the output that are drawn over in place. A frame is one write that never clears
 * what it is about to write again, hence no flicker. The cursor is hidden from the first frame to `close`.
 */
export class LiveArea {
  /** @type {string[]} */
  #lines = [];
  #open = false;

  /** @param {{ columns?: number, write(text: string): unknown }} stream a terminal */
  constructor(stream) {
    this.stream = stream;
  }

  /** Columns that may be used: one less than there are, as a full line wraps in some terminals. */
  get width() {
    return (this.stream.columns ?? 80) - 1;
  }

  /** @param {string[]} lines */
  draw(lines) {
    const clipped = lines.map((line) => clipLine(line, this.width));
    const start = this.#open ? cursorUp(this.#height()) : HIDE_CURSOR;
    const text = clipped.map((line) => `${line}${CLEAR_TO_LINE_END}\n`).join('');
    this.stream.write(start + text + CLEAR_TO_SCREEN_END);
    this.#lines = clipped;
    this.#open = true;
  }

  /** Leaves the last frame where it is and shows the cursor again. May be called at any time. */
  close() {
    if (this.#open) this.stream.write(SHOW_CURSOR);
    this.#open = false;
  }

  /** Lines on the screen now: a window made narrower since has wrapped them. */
  #height() {
    const columns = this.stream.columns ?? 80;
    return this.#lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / columns)), 0);
  }
}

/** @param {number} lines */
function cursorUp(lines) {
  return `\r\x1b[${lines}A`;
}
