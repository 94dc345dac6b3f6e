// tests/bench/report.js: turns the figures of a run into tables for people.

import { OURS } from './peers.js';
import { REFERENCE_ERROR } from '../../web/demo/measure/reference.js';
import { alignedTable, bar, formatTime, markdownTable, threeDigits } from './table.js';

/** @typedef {import('./measure.js').CaseResult} CaseResult */
/** @typedef {import('./measure.js').Row} Row */
/** @typedef {import('./table.js').Column} Column */

const BAR_WIDTH = 20;

/** @type {Column[]} */
const CASE_COLUMNS = [
  { title: 'contender' },
  ...['rounds', 'median', 'spread', 'GB/s', 'time / ours', 'middle half', 'rel. error'].map(rightAligned),
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
    'clip: each run clips to a little less than the one before has left, so all of them have to scale.',
    'spread: interquartile range / median. GB/s: gradients, each counted once. time / ours: ratio of the medians.',
    'middle half: quartiles of that ratio within the rounds.',
    `rel. error: against a compensated float64 sum, itself within ${REFERENCE_ERROR} of the truth; for clip, of the`,
    'norm that is left, against the one that should be.',
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
function caseTitle({ name, dtype, tensors, elements }) {
  const count = elements.toLocaleString('en-US');
  return `${name}: ${count} ${dtype} in ${tensors} ${tensors === 1 ? 'tensor' : 'tensors'}`;
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
    formatError(relativeError),
  ];
}

/** @param {number} error */
function formatError(error) {
  if (Number.isNaN(error)) return '-';
  return error === 0 ? '0' : error.toExponential(1);
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
 * A small table for each group of cases: our time, and how many times as long each peer takes.
 * @param {CaseResult[]} results
 * @param {boolean} markdown
 * @returns {string} '' if there is nothing to sum up
 */
export function summaryTables(results, markdown) {
  const groups = [...new Set(results.map(({ group }) => group))];
  return groups
    .map((group) => {
      const members = results.filter((result) => result.group === group);
      return `${heading(`${group}: time / ours`, markdown)}\n\n${summaryTable(members, markdown)}`;
    })
    .join('\n\n');
}

/**
 * @param {CaseResult[]} results
 * @param {boolean} markdown
 */
function summaryTable(results, markdown) {
  const peers = measuredPeers(results);
  const titles = ['gradnorm', 'spread', ...peers, 'our error'];
  const columns = [{ title: 'case' }, ...titles.map((title) => rightAligned(title))];
  const rows = results.map((result) => [result.name, ...summaryCells(result, peers)]);
  return markdown ? markdownTable(columns, rows) : alignedTable(columns, rows);
}

/**
 * @param {CaseResult} result
 * @param {string[]} peers
 * @returns {string[]}
 */
function summaryCells({ rows }, peers) {
  const figures = new Map(rows.map((row) => [row.name, row.figures]));
  const ours = figures.get(OURS);
  if (!ours) return ['-', '-', ...peers.map(() => '-'), '-'];
  const ratios = peers.map((peer) => threeDigits(figures.get(peer)?.ratio ?? NaN));
  return [formatTime(ours.nanoseconds), formatShare(ours.spread), ...ratios, formatError(ours.relativeError)];
}

/**
 * @param {CaseResult[]} results
 * @returns {string[]} who has figures in any of them, in the order of their rows
 */
function measuredPeers(results) {
  const rows = results.flatMap((result) => result.rows);
  const names = new Set(rows.map(({ name }) => name));
  return [...names].filter(
    (name) => name !== OURS && rows.some((row) => row.name === name && row.figures !== undefined),
  );
}

/**
 * @param {string} title
 * @returns {Column}
 */
function rightAligned(title) {
  return { title, align: 'right' };
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
  return `${title}\n\n${processTable({ gradnorm: ours, 'an empty module': empty }, markdown)}`;
}

/**
 * @param {import('./command.js').CommandResult} command
 * @param {boolean} markdown
 * @returns {string}
 */
export function commandTable(command, markdown) {
  const size = command.reason === undefined ? `${command.bytes / 2 ** 20} MiB of` : '';
  const title = heading(`command: ${size} float32 in a file that is cached`, markdown);
  if (command.reason !== undefined) return `${title}\n\n${command.reason}`;
  const { ours, cat } = command;
  return `${title}\n\n${processTable({ 'gradnorm file': ours, 'cat file > /dev/null': cat }, markdown)}`;
}

/**
 * @param {Record<string, import('./first_call.js').Timing>} timings
 * @param {boolean} markdown
 */
function processTable(timings, markdown) {
  const columns = [{ title: 'process' }, ...['median', 'spread', 'processes'].map(rightAligned)];
  const rows = Object.entries(timings).map(([name, { milliseconds, spread, samples }]) => [
    name,
    formatTime(milliseconds * 1e6),
    formatShare(spread),
    String(samples.length),
  ]);
  return markdown ? markdownTable(columns, rows) : alignedTable(columns, rows);
}

/**
 * @param {import('./targets.js').Verdict[]} verdicts
 * @param {boolean} markdown
 * @returns {string}
 */
export function targetTable(verdicts, markdown) {
  const left = ['where', 'must show', 'against'].map((title) => ({ title }));
  const columns = [...left, rightAligned('measured'), { title: 'mark' }];
  const rows = verdicts.map(({ where, promise, against, measured, mark }) => [
    where,
    promise,
    against,
    measured,
    mark,
  ]);
  const table = markdown ? markdownTable(columns, rows) : alignedTable(columns, rows);
  return `${heading('must show', markdown)}\n\n${table}`;
}
