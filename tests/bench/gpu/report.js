// tests/bench/gpu/report.js: the figures of the GPU benchmark as tables for people.
import { alignedTable, formatTime, markdownTable, threeDigits } from '../table.js';
import { LEAST_RATIO, LEAST_SHARE, SIZES } from './cases.js';

/** @typedef {import('./measure.js').ShapeResult} ShapeResult */
/** @typedef {import('./measure.js').Row} Row */

/** @type {import('../table.js').Column[]} */
const COLUMNS = [
  { title: 'contender' },
  ...[
    'rounds',
    'until known',
    'spread',
    'on the GPU',
    'spread',
    'GB/s',
    'of copying',
    'time / ours',
    'on the GPU',
    'rel. error',
  ].map((title) => ({ title, align: /** @type {const} */ ('right') })),
];

export const LEGEND = `All contenders have buffers of their own with the same values on the same device and take turns in the rounds of one run.
until known: wall time from the call until the number is in JavaScript, or for clipping and copying until the queue is empty.
on the GPU: the time in which at least one compute pass ran, by timestamps; for the copy the time between two passes.
GB/s: bytes that have to be moved, by the time on the GPU if there are timestamps, or else by the wall time. A copy reads
and writes: 2 bytes for each of the buffer; a norm reads: 1; norm and scaling read twice and write once: 3.
of copying: these GB/s as a share of those of copyBufferToBuffer of the same size in the same table.
tfjs-webgpu: sqrt(sum(square)) of each tensor, then of these norms; it clips by making new tensors, and always multiplies.
time / ours: ratio of the medians. spread: interquartile range / median. rel. error: against a compensated float64 sum; for
clip, of the norm that is left, against the one that should be.`;

/**
 * @param {ShapeResult} result
 * @param {boolean} markdown
 * @returns {string}
 */
export function shapeTable({ name, tensors, elements, rows }, markdown) {
  const title = `${name}: ${elements.toLocaleString('en-US')} float32 in ${tensors} ${tensors === 1 ? 'tensor' : 'tensors'}`;
  const cells = rows.map((row) =>
    row.reason === undefined ? cellsOf(row) : [row.name, ...COLUMNS.slice(1).map(() => '-')],
  );
  const table = markdown ? markdownTable(COLUMNS, cells) : alignedTable(COLUMNS, cells);
  const notes = rows.flatMap(({ name: who, reason }) =>
    reason === undefined ? [] : [`\n${who}: ${reason}`],
  );
  return `${markdown ? '###' : '=='} ${title}\n\n${table}${notes.join('')}`;
}

/** @param {Row} row */
function cellsOf({ name, samples, wall, gpu, gigabytesPerSecond, share, ratio, relativeError }) {
  return [
    name,
    String(samples.length),
    formatTime(wall.median),
    percent(wall.spread),
    Number.isNaN(gpu.median) ? '-' : formatTime(gpu.median),
    percent(gpu.spread),
    threeDigits(gigabytesPerSecond),
    percent(share),
    threeDigits(ratio.wall),
    threeDigits(ratio.gpu),
    Number.isNaN(relativeError) ? '-' : relativeError === 0 ? '0' : relativeError.toExponential(1),
  ];
}

/** @param {number} share */
function percent(share) {
  return Number.isNaN(share) ? '-' : `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;
}

/** @typedef {{ target: string, measured: string, mark: 'ok' | 'MISS' | 'not measured' | 'not judged' }} Verdict */

/**
 * @param {ShapeResult[]} results
 * @param {boolean} isSoftware
 * @returns {Verdict[]}
 */
export function judge(results, isSoftware) {
  const size = `${SIZES[SIZES.length - 1]} MiB`;
  const rows = results.find(({ name }) => name === size)?.rows;
  const share = rows?.find(({ name }) => name === 'gradnorm p=2')?.share ?? NaN;
  const ratio = rows?.find(({ name }) => name === 'tfjs-webgpu p=2')?.ratio.wall ?? NaN;
  const mark = (/** @type {number} */ value, /** @type {number} */ least) => {
    if (isSoftware) return 'not judged';
    return Number.isNaN(value) ? 'not measured' : value >= least ? 'ok' : 'MISS';
  };
  return [
    {
      target: `p=2 of ${size}: at least ${LEAST_SHARE * 100} % of the GB/s of copying`,
      measured: percent(share),
      mark: mark(share, LEAST_SHARE),
    },
    {
      target: `p=2 of ${size}: tfjs-webgpu takes at least ${LEAST_RATIO} times as long until the norm is known`,
      measured: threeDigits(ratio),
      mark: mark(ratio, LEAST_RATIO),
    },
  ];
}

/**
 * @param {Verdict[]} verdicts
 * @param {boolean} markdown
 */
export function targetTable(verdicts, markdown) {
  /** @type {import('../table.js').Column[]} */
  const columns = [{ title: 'target' }, { title: 'measured', align: 'right' }, { title: '' }];
  const rows = verdicts.map(({ target, measured, mark }) => [target, measured, mark]);
  return markdown ? markdownTable(columns, rows) : alignedTable(columns, rows);
}
