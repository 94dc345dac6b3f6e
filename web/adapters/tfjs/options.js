// web/adapters/tfjs/options.js: what clipping is asked to do, checked.
import { PER, readClipOptions } from '../../door/clip-options.js';
import { checkChoice, checkLossScale, checkNotNegative, checkOptions } from '../../words/checks.js';
import { describe } from '../../words/errors.js';

/** @typedef {import('../../door/clip-options.js').NonfinitePolicy} NonfinitePolicy */
/** @typedef {import('../../clip.js').Monitor} Monitor */

/**
 * @typedef {object} TfClipOptions
 * @property {number} [normType]  p: any number > 0, Infinity included; 2 if left out
 * @property {number} [eps]       added to the norm when it divides: 1e-6 if left out, 0 as in TensorFlow
 * @property {'all' | 'tensor'} [per]  what is clipped to maxNorm: the norm of all ('all', if left out), or each tensor's own
 *   ('tensor', as the clipnorm of Keras)
 * @property {NonfinitePolicy} [nonfinite]  'propagate' if left out
 * @property {number} [lossScale]  what the loss was multiplied by: gradients are measured, and given, divided by it
 */

/**
 * @typedef {object} OwnClipOptions
 * @property {number} [maxNorm]   a number >= 0 or Infinity; this, monitor or maxValue
 * @property {Monitor} [monitor]  a GradMonitor, that says at each step what to clip to
 * @property {number} [maxValue]  a number >= 0 or Infinity, that every element is clamped to
 * @property {(norm: number) => void} [onNorm]  gets the norm before clipping of each step
 * @typedef {TfClipOptions & OwnClipOptions} WithClipOptions
 */

/**
 * @typedef {object} Settings
 * @property {number} maxNorm   Infinity where one of the others is there
 * @property {Monitor | null} monitor
 * @property {number} maxValue  Infinity likewise
 * @property {number} normType
 * @property {number} eps
 * @property {'all' | 'tensor'} per
 * @property {NonfinitePolicy} nonfinite
 * @property {number} lossScale
 * @property {boolean} isNormTold  whether somebody wants to know the norm
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
  if (onNorm !== null && typeof onNorm !== 'function') {
    throw new TypeError(`onNorm is ${describe(onNorm)}; expected a function`);
  }
  if (monitor !== undefined && !isMonitor(monitor)) {
    throw new TypeError(`monitor is ${describe(monitor)}; expected a GradMonitor`);
  }
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
  const { per = PER[0], lossScale = 1, ...common } = /** @type {TfClipOptions} */ (options);
  const monitor = isMonitor(limit) ? limit : null;
  if (monitor === null) checkNotNegative('maxNorm', limit, 'or Infinity, or a GradMonitor');
  checkChoice('per', per, PER);
  const clipOptions = readClipOptions(common);
  checkLossScale(lossScale);
  if (monitor !== null && per === 'tensor') {
    throw new TypeError(
      "per is 'tensor' beside a GradMonitor, who knows the norm of all; expected a number as maxNorm",
    );
  }
  const maxNorm = monitor === null ? /** @type {number} */ (limit) : Infinity;
  return { maxNorm, monitor, maxValue: Infinity, per, lossScale, isNormTold: true, ...clipOptions };
}

/**
 * @param {unknown} value
 * @returns {value is Monitor}
 */
function isMonitor(value) {
  return typeof (/** @type {any} */ (value)?.update) === 'function';
}
