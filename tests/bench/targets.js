// tests/bench/targets.js: what must be true of a run: the promises of cases.js against the figures.

import { ERROR_BOUND, FIRST_CALL_MILLISECONDS, SPEED_TARGETS } from './cases.js';
import { OURS } from './peers.js';

/** @typedef {import('./measure.js').CaseResult} CaseResult */
/** @typedef {import('./first_call.js').FirstCall} FirstCall */

/**
 * @typedef {object} Verdict
 * @property {string} where
 * @property {string} promise
 * @property {string} measured
 * @property {'pass' | 'MISS' | 'not measured' | 'not judged'} mark
 */

/**
 * Judges what was measured; promises on cases that --case left out do not appear.
 * @param {CaseResult[]} results
 * @param {FirstCall | undefined} firstCall
 * @param {boolean} quick the sizes are too small to judge the speed
 * @returns {Verdict[]}
 */
export function judge(results, firstCall, quick) {
  const verdicts = SPEED_TARGETS.flatMap((target) => {
    const result = results.find(({ id }) => id === target.id);
    return result ? [judgeSpeed(target, result, quick)] : [];
  });
  if (results.length > 0) verdicts.push(judgeError(results));
  if (firstCall) verdicts.push(judgeFirstCall(firstCall));
  return verdicts;
}

/**
 * @param {import('./cases.js').SpeedTarget} target
 * @param {CaseResult} result
 * @param {boolean} quick
 * @returns {Verdict}
 */
function judgeSpeed({ peer, atLeast, label }, result, quick) {
  const where = result.name;
  const promise = `>= ${atLeast} ${label}`;
  const ratio = result.rows.find(({ name }) => name === peer)?.figures?.ratio ?? NaN;
  if (Number.isNaN(ratio)) return { where, promise, measured: '-', mark: 'not measured' };
  const mark = quick ? 'not judged' : ratio >= atLeast ? 'pass' : 'MISS';
  return { where, promise, measured: ratio.toPrecision(3), mark };
}

/**
 * @param {CaseResult[]} results
 * @returns {Verdict}
 */
function judgeError(results) {
  const where = 'every case';
  const promise = 'relative error <= 2^-23 (1.2e-7)';
  const errors = results.map(
    ({ rows }) => rows.find(({ name }) => name === OURS)?.figures?.relativeError ?? NaN,
  );
  const worst = Math.max(...errors); // NaN if any case failed
  if (Number.isNaN(worst)) return { where, promise, measured: '-', mark: 'not measured' };
  return { where, promise, measured: worst.toExponential(1), mark: worst <= ERROR_BOUND ? 'pass' : 'MISS' };
}

/**
 * @param {FirstCall} firstCall
 * @returns {Verdict}
 */
function judgeFirstCall(firstCall) {
  const where = 'first call';
  const promise = `<= ${FIRST_CALL_MILLISECONDS} ms, import included`;
  if (firstCall.reason !== undefined) return { where, promise, measured: '-', mark: 'not measured' };
  const { milliseconds } = firstCall.ours;
  const mark = milliseconds <= FIRST_CALL_MILLISECONDS ? 'pass' : 'MISS';
  return { where, promise, measured: `${milliseconds.toFixed(1)} ms`, mark };
}
