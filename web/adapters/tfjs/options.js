// web/adapters/tfjs/options.js: what clipping is asked to do, checked.
import { PER, readClipOptions } from '../../door/clip-options.js';
import { check, checkChoice, checkNotNegative, checkNumber, checkOptions } from '../../words/checks.js';

/** @typedef {import('../../door/clip-options.js').ClipOptions} ClipOptions */
/** @typedef {import('../../door/clip-options.js').ClipPer} ClipPer */
/** @typedef {import('../../clip.js').Monitor} Monitor */

/**
 * @typedef {object} TfOnlyOptions
 * @property {ClipPer} [per]  what is clipped to maxNorm: the norm of all ('all', if left out), or each tensor's own ('tensor')
 * @property {number} [lossScale]  what the loss was multiplied by: gradients are measured, and given, divided by it
 * @typedef {ClipOptions & TfOnlyOptions} TfClipOptions
 */

/**
 * @typedef {object} OwnClipOptions
 * @property {number} [maxNorm]   a number >= 0 or Infinity; this, monitor or maxValue
 * @property {Monitor} [monitor]  a GradMonitor, that says at each step what to clip to
 * @property {number} [maxValue]  a number >= 0 or Infinity, that every element is clamped to
 * @property {(norm: number) => void} [onNorm]  gets the norm before clipping of each step; where it is computed on a GPU, later
 * @typedef {TfClipOptions & OwnClipOptions} WithClipOptions
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
 * @param {unknown} options  of withClip
 * @returns {Settings & { onNorm: ((norm: number) => void) | null }}
 */
export function readOwnOptions(options) {
  checkOptions('withClip', options, [...LIMITS, ...NAMES, 'onNorm']);
  const { maxNorm, monitor, maxValue, onNorm = null, ...rest } = /** @type {WithClipOptions} */ (options);
  const given = LIMITS.filter((name) => /** @type {Record<string, unknown>} */ (options)[name] !== undefined);
  if (given.length !== 1) {
    const got = given.length === 0 ? 'none' : given.join(' and ');
    throw new TypeError(`the options of withClip have ${got} of ${LIMITS.join(', ')}; expected one of them`);
  }
  if (onNorm !== null)
    check('onNorm', onNorm, { accepts: (f) => typeof f === 'function', expected: 'a function' });
  if (monitor !== undefined) check('monitor', monitor, { accepts: isMonitor, expected: 'a GradMonitor' });
  if (maxValue !== undefined) checkNotNegative('maxValue', maxValue, 'or Infinity');
  const settings = readOptions('withClip', maxNorm ?? monitor ?? Infinity, rest);
  return { ...settings, maxValue: maxValue ?? Infinity, isNormTold: onNorm !== null, onNorm };
}

/**
 * @param {string} caller
 * @param {unknown} limit    a number or a monitor
 * @param {unknown} options
 * @returns {Settings}
 */
export function readOptions(caller, limit, options) {
  checkOptions(caller, options, NAMES);
  const { per = 'all', lossScale = 1, ...rest } = /** @type {TfClipOptions} */ (options);
  const monitor = isMonitor(limit) ? limit : null;
  if (monitor === null) checkNotNegative('maxNorm', limit, 'or Infinity, or a GradMonitor');
  const settings = readClipOptions(rest);
  checkChoice('per', per, PER);
  checkNumber('lossScale', lossScale, (scale) => scale > 0 && scale < Infinity, 'a finite number > 0');
  if (monitor !== null && per === 'tensor') {
    throw new TypeError(
      "per is 'tensor' beside a GradMonitor, who knows the norm of all; expected a number as maxNorm",
    );
  }
  const maxNorm = monitor === null ? /** @type {number} */ (limit) : Infinity;
  return { ...settings, maxNorm, monitor, maxValue: Infinity, per, lossScale, isNormTold: true };
}

/**
 * @param {unknown} value
 * @returns {value is Monitor}
 */
function isMonitor(value) {
  return typeof (/** @type {any} */ (value)?.update) === 'function';
}
