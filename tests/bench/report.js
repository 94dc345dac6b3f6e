// tests/bench/report.js: turns the figures of a run into tables for people.

import { REFERENCE_ERROR } from './reference.js';
import { alignedTable, bar, formatTime, markdownTable, threeDigits } from './table.js';

/** @typedef {import('./measure.js').CaseResult} CaseResult */
/** @typedef {import('./measure.js').Row} Row */
/** @typedef {import('./table.js').Column} Column */

const BAR_WIDTH = 20;

/** @type {Column[]} */
const CASE_COLUMNS = [
  { title: 'contender' },
  { title: 'rounds', align: 'right' },
  { title: 'median', align: 'right' },
  { title: 'spread', align: 'right' },
  { title: 'GB/s', align: 'right' },
  { title: 'time / ours', align: 'right' },
  { title: 'middle half', align: 'right' },
  { title: 'rel. error', align: 'right' },
];

/**
 * @param {import('./peers.js').Contender[]} contenders
 * @param {boolean} markdown
 * @returns {string} what the clock covers for each, and how to read the columns
 */
export function legend(contenders, markdown) {
  const columns = [{ title: 'contender' }, { title: 'what is timed' }];
  const rows = contenders.map(({ name, timed }) => [name, timed]);
  return [
    markdown ? markdownTable(columns, rows) : alignedTable(columns, rows),
    '',
    'The data are made, converted and uploaded before the clock starts. Lists go one tensor after the other,',
    'the results combined in float64; but tfjs joins small tensors by tf.concat, its faster way (and timed).',
    'Each has a process of its own; all take turns in the rounds of one run, slow ones sit some rounds out.',
    'Runs below 4 ms are repeated within a sample, after one untimed, in warm caches; longer ones start cold.',
    'spread: interquartile range / median. GB/s: float32 read. time / ours: ratio of the medians.',
    'middle half: quartiles of that ratio within the rounds.',
    `rel. error: against a compensated float64 sum, itself within ${REFERENCE_ERROR} of the truth.`,
  ].join('\n');
}

/**
 * @param {CaseResult} result
 * @param {boolean} markdown
 * @returns {string}
 */
export function caseTable(result, markdown) {
  const { notes, marks } = footnotes(result.rows);
  const fastest = Math.max(...result.rows.map(({ figures }) => figures?.gigabytesPerSecond ?? 0));
  const rows = result.rows.map((row, index) => {
    const cells = row.figures
      ? figureCells(row)
      : [`${row.name} ${marks[index]}`, ...CASE_COLUMNS.slice(1).map(() => '-')];
    return markdown ? cells : [...cells, bar(row.figures?.gigabytesPerSecond ?? 0, fastest, BAR_WIDTH)];
  });
  const table = markdown
    ? markdownTable(CASE_COLUMNS, rows)
    : alignedTable([...CASE_COLUMNS, { title: '' }], rows);
  const lines = [heading(caseTitle(result), markdown), '', table];
  return notes.length === 0 ? lines.join('\n') : [...lines, ...(markdown ? [''] : []), ...notes].join('\n');
}

/** @param {CaseResult} result */
function caseTitle({ name, tensors, elements }) {
  const count = elements.toLocaleString('en-US');
  return `${name}: ${count} float32 in ${tensors} ${tensors === 1 ? 'tensor' : 'tensors'}`;
}

/**
 * @param {string} text
 * @param {boolean} markdown
 */
function heading(text, markdown) {
  return markdown ? `### ${text}` : `== ${text}`;
}

/** @param {Row} row */
function figureCells({ name, figures }) {
  const { nanoseconds, spread, gigabytesPerSecond, ratio, ratioQuartiles, relativeError, samples } =
    /** @type {import('./measure.js').Figures} */ (figures);
  return [
    name,
    String(samples.length),
    formatTime(nanoseconds),
    formatShare(spread),
    threeDigits(gigabytesPerSecond),
    threeDigits(ratio),
    Number.isNaN(ratio) ? '-' : ratioQuartiles.map(threeDigits).join(' .. '),
    relativeError === 0 ? '0' : relativeError.toExponential(1),
  ];
}

/** @param {number} share */
function formatShare(share) {
  return `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;
}

/**
 * One note a reason, and each row's mark of its note.
 * @param {Row[]} rows
 */
function footnotes(rows) {
  const reasons = [...new Set(rows.flatMap(({ reason }) => reason ?? []))];
  const notes = reasons.map((reason, index) => `[${index + 1}] ${reason}`);
  const marks = rows.map(({ reason }) => (reason ? `[${reasons.indexOf(reason) + 1}]` : ''));
  return { notes, marks };
}

/**
 * @param {import('./first_call.js').FirstCall} firstCall
 * @param {boolean} markdown
 * @returns {string}
 */
export function firstCallTable(firstCall, markdown) {
  const title = heading('first call: import and one gradNorm of 1000 elements in a fresh process', markdown);
  if (firstCall.reason !== undefined) return `${title}\n\n${firstCall.reason}`;
  const { ours, empty } = firstCall;
  /** @type {Column[]} */
  const columns = [
    { title: 'module' },
    { title: 'median', align: 'right' },
    { title: 'spread', align: 'right' },
    { title: 'processes', align: 'right' },
  ];
  const row = (/** @type {string} */ name, /** @type {import('./first_call.js').Timing} */ timing) => [
    name,
    formatTime(timing.milliseconds * 1e6),
    formatShare(timing.spread),
    String(timing.samples.length),
  ];
  const rows = [row('gradnorm', ours), row('an empty module', empty)];
  return `${title}\n\n${markdown ? markdownTable(columns, rows) : alignedTable(columns, rows)}`;
}

/**
 * @param {import('./targets.js').Verdict[]} verdicts
 * @param {boolean} markdown
 * @returns {string}
 */
export function targetTable(verdicts, markdown) {
  /** @type {Column[]} */
  const columns = [
    { title: 'where' },
    { title: 'must show' },
    { title: 'measured', align: 'right' },
    { title: 'mark' },
  ];
  const rows = verdicts.map(({ where, promise, measured, mark }) => [where, promise, measured, mark]);
  const table = markdown ? markdownTable(columns, rows) : alignedTable(columns, rows);
  return `${heading('must show', markdown)}\n\n${table}`;
}
