// tests/bench/targets.js: what must be true of a run: the promises of cases.js against the figures.

import {
  COMMAND_SPEED,
  ERROR_TARGETS,
  FIRST_CALL_MILLISECONDS,
  PAGE_TARGETS,
  SPEED_KEPT,
  TARGETS,
} from './cases.js';
import { BEFORE, OURS } from './peers.js';

/** @typedef {import('./cases.js').Target} Target */
/** @typedef {import('./measure.js').CaseResult} CaseResult */
/** @typedef {import('./measure.js').Figures} Figures */
/** @typedef {import('./first_call.js').FirstCall} FirstCall */
/** @typedef {import('./page.js').PageResult} PageResult */
/** @typedef {import('./command.js').CommandResult} CommandResult */

/**
 * @typedef {object} Verdict
 * @property {string} where
 * @property {string} against   whom, or ''
 * @property {string} promise
 * @property {string} measured
 * @property {'pass' | 'MISS' | 'not measured' | 'not judged'} mark
 */

/**
 * Judges what was measured; promises on cases that --case left out do not appear.
 * @param {CaseResult[]} results
 * @param {FirstCall | undefined} firstCall
 * @param {boolean} quick the sizes are too small to judge the speed
 * @param {PageResult[]} [pages] one for each browser
 * @param {CommandResult} [command]
 * @returns {Verdict[]}
 */
export function judge(results, firstCall, quick, pages = [], command = undefined) {
  const before = results
    .filter((result) => figuresOf(result, BEFORE) !== undefined)
    .map(({ id }) => ({ id, peer: BEFORE, atLeast: SPEED_KEPT }));
  // A run beside another version leaves some contenders out.
  const takesPart = (/** @type {Target} */ { peer }) => results.some((result) => figuresOf(result, peer));
  const targets = before.length === 0 ? TARGETS : [...TARGETS.filter(takesPart), ...before];
  const comparisons = targets.flatMap((target) => {
    const result = results.find(({ id }) => id === target.id);
    return result ? [judgePeer(target, result, quick)] : [];
  });
  const errors = ERROR_TARGETS.flatMap((target) => {
    const concerned = results.filter(({ task }) => target.tasks.includes(task));
    return concerned.length > 0 ? [judgeErrors(target, concerned)] : [];
  });
  const onCommand = command ? [judgeCommand(command, quick)] : [];
  const onPages = pages.flatMap((page) => judgePage(page, quick));
  return [
    ...comparisons,
    ...errors,
    ...(firstCall ? [judgeFirstCall(firstCall)] : []),
    ...onPages,
    ...onCommand,
  ];
}

/**
 * @param {CaseResult} result
 * @param {string} contender
 * @returns {Figures | undefined}
 */
function figuresOf({ rows }, contender) {
  return rows.find(({ name }) => name === contender)?.figures;
}

/**
 * @param {Target} target
 * @param {CaseResult} result
 * @param {boolean} quick
 * @returns {Verdict}
 */
function judgePeer(target, result, quick) {
  const of = ('of' in target && target.of) || OURS;
  const ours = figuresOf(result, of);
  const peer = figuresOf(result, target.peer);
  const where = of === OURS ? result.name : `${result.name}, resident`;
  const head = { where, against: target.peer, promise: promiseOf(target) };
  if (!ours || !peer) return { ...head, measured: '-', mark: 'not measured' };
  if ('sameBits' in target) {
    const same = Object.is(ours.value, peer.value);
    return { ...head, measured: same ? 'the same' : 'others', mark: same ? 'pass' : 'MISS' };
  }
  const ratio = peer.ratio / ours.ratio;
  const measured = 'atMost' in target ? 1 / ratio : ratio;
  const kept =
    'atLeast' in target
      ? measured >= target.atLeast
      : measured <= ('atMost' in target ? target.atMost : target.itsAtMost);
  return { ...head, measured: measured.toPrecision(3), mark: quick ? 'not judged' : kept ? 'pass' : 'MISS' };
}

/**
 * @param {Target} target
 * @returns {string}
 */
function promiseOf(target) {
  if ('sameBits' in target) return 'the same bits';
  if ('atMost' in target) return `<= ${target.atMost} of its time`;
  if ('itsAtMost' in target) return `takes <= ${target.itsAtMost} of our time`;
  const { atLeast, aim } = target;
  const promise = atLeast >= 1 ? `>= ${atLeast} times as fast` : `>= ${atLeast} of its speed`;
  return aim === undefined ? promise : `${promise} (aim ${aim})`;
}

/**
 * @param {import('./cases.js').ErrorTarget} target
 * @param {CaseResult[]} results
 * @returns {Verdict}
 */
function judgeErrors({ of, bound, words }, results) {
  const head = { where: of, against: '', promise: `relative error <= ${words}` };
  const errors = results.map((result) => figuresOf(result, OURS)?.relativeError ?? NaN);
  const worst = Math.max(...errors); // NaN if any case failed
  if (Number.isNaN(worst)) return { ...head, measured: '-', mark: 'not measured' };
  return { ...head, measured: worst.toExponential(1), mark: worst <= bound ? 'pass' : 'MISS' };
}

/**
 * @param {FirstCall} firstCall
 * @returns {Verdict}
 */
function judgeFirstCall(firstCall) {
  const head = {
    where: 'first call',
    against: '',
    promise: `<= ${FIRST_CALL_MILLISECONDS} ms, import included`,
  };
  if (firstCall.reason !== undefined) return { ...head, measured: '-', mark: 'not measured' };
  const { milliseconds } = firstCall.ours;
  const mark = milliseconds <= FIRST_CALL_MILLISECONDS ? 'pass' : 'MISS';
  return { ...head, measured: `${milliseconds.toFixed(1)} ms`, mark };
}

/**
 * @param {CommandResult} command
 * @param {boolean} quick
 * @returns {Verdict}
 */
function judgeCommand(command, quick) {
  const head = { where: 'command', against: 'cat', promise: `>= ${COMMAND_SPEED} of its speed` };
  if (command.reason !== undefined) return { ...head, measured: '-', mark: 'not measured' };
  const speed = command.cat.milliseconds / command.ours.milliseconds;
  const mark = quick ? 'not judged' : speed >= COMMAND_SPEED ? 'pass' : 'MISS';
  return { ...head, measured: speed.toPrecision(3), mark };
}

/**
 * @param {PageResult} page
 * @param {boolean} quick
 * @returns {Verdict[]}
 */
function judgePage(page, quick) {
  return PAGE_TARGETS.flatMap((target) => {
    const { figure, unit } = target;
    const [sign, limit] = 'atMost' in target ? ['<=', target.atMost] : ['>=', target.atLeast];
    const head = { where: `demo page, ${page.browser}`, against: '', promise: `${sign} ${limit} ${unit}` };
    if ('reason' in page) return { ...head, measured: '-', mark: /** @type {const} */ ('not measured') };
    const measured = page[figure];
    if (measured === undefined) return [];
    const isKept = sign === '<=' ? measured <= limit : measured >= limit;
    return { ...head, measured: measured.toFixed(0), mark: quick ? 'not judged' : isKept ? 'pass' : 'MISS' };
  });
}
