// web/adapters/tfjs/options.js: what clipping is asked to do, checked.
import { checkMaxNorm, PER, readClipOptions } from '../../door/clip-options.js';
import { check, checkChoice, checkNotNegative, checkOptions } from '../../words/checks.js';

/** @typedef {import('../../door/clip-options.js').ClipOptions} ClipOptions */
/** @typedef {import('../../door/clip-options.js').ClipPer} ClipPer */
/** @typedef {import('../../clip.js').Monitor} Monitor */

/**
 * How to clip, beside what is common to all that clip.
 * @typedef {object} TfOnlyOptions
 * @property {ClipPer} [per]  what is clipped to maxNorm: the norm of all ('all', if left out), or each tensor's own ('tensor')
 */

/**
 * How to clip.
 * @typedef {ClipOptions & TfOnlyOptions} TfClipOptions
 */

/**
 * To what limit an optimizer clips: one of maxNorm, a number >= 0 or Infinity; monitor, a GradMonitor, that says it at each step;
 * maxValue, a number >= 0 or Infinity, that every element is clamped to.
 * @typedef {{ maxNorm: number, monitor?: undefined, maxValue?: undefined } |
 *   { maxNorm?: undefined, monitor: Monitor, maxValue?: undefined } |
 *   { maxNorm?: undefined, monitor?: undefined, maxValue: number }} ClipLimit
 */

/**
 * Who is told the norm.
 * @typedef {object} Listener
 * @property {(norm: number) => void} [onNorm]  gets the norm before clipping of each step; where it is computed on a GPU, later
 */

/**
 * How an optimizer clips.
 * @typedef {ClipLimit & TfClipOptions & Listener} WithClipOptions
 */

/**
 * @typedef {object} Limits
 * @property {number} maxNorm   Infinity where one of the others is there
 * @property {Monitor | null} monitor
 * @property {number} maxValue  Infinity likewise
 * @property {boolean} isNormTold  whether somebody wants to know the norm
 * @typedef {Required<TfClipOptions> & Limits} Settings
 */

const NAMES = ['normType', 'eps', 'per', 'nonfinite', 'lossScale'];
const LIMITS = ['maxNorm', 'monitor', 'maxValue'];

/**
 * @param {any} options  of withClip
 * @returns {Settings & { onNorm: ((norm: number) => void) | undefined }}
 */
export function readOwnOptions(options) {
  checkOptions('withClip', options, [...LIMITS, ...NAMES, 'onNorm']);
  const { maxNorm, monitor, maxValue, onNorm, ...rest } = /** @type {WithClipOptions} */ (options);
  const given = LIMITS.filter((name) => options[name] !== undefined);
  const expected = `one of ${LIMITS.join(', ')}`;
  const got = given.length > 1 ? given.join(' and ') : 'missing';
  check('the limit of withClip', given, { accepts: () => given.length === 1, expected }, got);
  if (monitor !== undefined) check('monitor', monitor, { accepts: isMonitor, expected: 'a GradMonitor' });
  if (maxValue !== undefined) checkNotNegative('maxValue', maxValue, 'or Infinity');
  const isNormTold = onNorm !== undefined;
  if (isNormTold) check('onNorm', onNorm, { accepts: isFunction, expected: 'a function' });
  const settings = readOptions('withClip', maxNorm ?? monitor ?? Infinity, rest);
  return { ...settings, maxValue: maxValue ?? Infinity, isNormTold, onNorm };
}

/**
 * @param {string} caller
 * @param {unknown} limit    a number or a monitor, who knows the norm of all alone
 * @param {unknown} options
 * @returns {Settings}
 */
export function readOptions(caller, limit, options) {
  checkOptions(caller, options, NAMES);
  const { per = 'all', ...rest } = /** @type {TfClipOptions} */ (options);
  const isAll = per !== 'tensor';
  const monitor = isAll && isMonitor(limit) ? limit : null;
  if (monitor === null) checkMaxNorm(limit, !isAll);
  const settings = readClipOptions(rest);
  checkChoice('per', per, PER);
  const maxNorm = monitor === null ? /** @type {number} */ (limit) : Infinity;
  return { ...settings, maxNorm, monitor, maxValue: Infinity, per, isNormTold: true };
}

/**
 * @param {any} value
 * @returns {value is Monitor}
 */
function isMonitor(value) {
  return isFunction(value?.update);
}

/** @param {unknown} value */
function isFunction(value) {
  return typeof value === 'function';
}
