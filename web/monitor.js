// web/monitor.js: GradMonitor, which watches the gradient norm from step to step. Pure. Without private members, which proxies
// that make objects reactive cannot reach.
import { check, exactly } from './words/checks.js';
import { average, limitFor, zScoreOf } from './monitor/averages.js';
import { addTo, makeHistory, normsOf, percentileOf } from './monitor/history.js';
import { COUNT, integerBetween, readOptions } from './monitor/options.js';
import { withWords } from './words/text.js';

/**
 * @typedef {import('./monitor/options.js').MonitorMethod} MonitorMethod
 * @typedef {import('./monitor/options.js').MonitorOptions} MonitorOptions
 */

/**
 * @typedef {object} MonitorStep  In JSON NaN and Infinity are words; otherwise a plain object.
 * @property {number} norm  the norm that was passed
 * @property {number} mean  of the norms before this one; NaN if there were none but zeros
 * @property {number} deviation  the standard deviation of the norms before this one; NaN if there were none but zeros
 * @property {number} zScore  (norm - mean) / deviation; 0 if norm equals mean; Infinity or -Infinity if only the
 *   deviation is 0; NaN during warm-up, before any norm, and if norm is not finite
 * @property {number} threshold  what to clip the gradients to at this step; Infinity: do not clip
 * @property {boolean} spike  norm > threshold; false if norm is not finite
 */

/**
 * @typedef {object} MonitorState  What toJSON returns: plain and safe for JSON.
 * @property {'monitor'} gradnorm  what it is the state of
 * @property {1} version  of this form
 * @property {Record<string, string | number | boolean>} options  those of the method, Infinity as 'Infinity'
 * @property {number} steps  how many finite norms there were
 * @property {number} [averaged]  how many norms the averages are of, since they began; steps if left out
 * @property {number} spikes  how many of them were spikes
 * @property {number} nonfinite  how many norms were NaN or Infinity
 * @property {number} consecutiveNonfinite  how many of the latest were
 * @property {number} mean  0 if averaged is
 * @property {number} deviation  0 if averaged is
 * @property {number[]} history  the last norms, oldest first; empty unless the method is 'percentile'
 */

/**
 * @typedef {import('./words/checks.js').Rule} Rule
 */

const VERSION = 1;
const NEAR_ZERO = 1e-6;

/** @type {Rule} */
const FINITE = { type: 'number', accepts: (x) => x >= 0 && x < Infinity, expected: 'a finite number >= 0' };
/** @type {Rule} */
const OBJECT = {
  type: 'object',
  accepts: (value) => value !== null && !Array.isArray(value),
  expected: 'an object',
};

/**
 * Watches the gradient norm over time: says at each step how unusual the norm g_t is and what to clip it to.
 *
 * The averages are those of ZClip, whatever the method, so that a z-score always means the same:
 *
 *     z_t = (g_t - mean_{t-1}) / deviation_{t-1}
 *     c_t = mean_{t-1} + (zThreshold^2 / z_t) deviation_{t-1}  if z_t > zThreshold, else g_t
 *     mean_t = alpha mean_{t-1} + (1 - alpha) c_t
 *     deviation_t^2 = alpha deviation_{t-1}^2 + (1 - alpha) (c_t - mean_t)^2
 *
 * They start as mean and standard deviation (of the population) of the first `warmUp` norms, at least of one. In
 * a dry run nothing is clipped, so c_t = g_t. With zThreshold = Infinity likewise.
 *
 * The threshold, by `method`:
 * - 'zscore': c_t where z_t > zThreshold, else Infinity. It is the mean where z_t is Infinity. The averages see only c_t: a
 *   norm that jumps by more than about zThreshold^2 deviations and stays there is clipped from then on.
 * - 'percentile' (AutoClip): the percentile of the last norms as they were before clipping, g_t included; linear
 *   interpolation, as numpy. Most norms lie above a low percentile and are "spikes" in this sense.
 * - 'fixed': maxNorm.
 *
 * No threshold that a monitor finds ends the training. A norm of 0 (no gradient at all) is counted, and changes neither
 * averages nor history; so does none of the warm-up. A threshold below 1e-6 min(1, g_t) is no limit but tells that the norms
 * before were near zero: Infinity takes its place. Where c_t is as small, the averages begin anew with g_t, warm-up included.
 *
 * The first `warmUp` finite norms have threshold Infinity, except with 'fixed'. A norm that is NaN or Infinity is
 * counted, and changes neither averages nor history; its threshold is the one in force ('zscore' has none then).
 *
 * All norms from 0 to Number.MAX_VALUE give finite averages: the deviation is kept, never its square. Memory is
 * fixed at construction: 16 bytes for each norm of the history.
 *
 * Sources: ZClip: A. Kumar, L. Owen, N. Roy Chowdhury, F. Güra, "ZClip: Adaptive Spike Mitigation for LLM
 * Pre-Training", 2025, doi:10.48550/arXiv.2504.02507. AutoClip: P. Seetharaman, G. Wichern, B. Pardo, J. Le Roux,
 * "AutoClip: Adaptive Gradient Clipping for Source Separation Networks", 2020, doi:10.48550/arXiv.2007.14469.
 *
 * @example
 * const monitor = new GradMonitor({ method: 'zscore', warmUp: 3, maxNonfinite: 10 });
 * for (const norm of [1, 1.1, 0.9]) monitor.update(norm);
 * monitor.update(1).spike; // false
 * // In the place of maxNorm, between the backward pass and the optimizer:
 * clipGradNorm({ weight: new Float32Array([100]) }, monitor); // 100
 * monitor.last.spike; // true
 */
export class GradMonitor {
  /** @private */
  _options;
  /** @private */
  _history;
  /** @private  what is counted and averaged, in the words of the state */
  _counts = {
    steps: 0,
    averaged: 0,
    spikes: 0,
    nonfinite: 0,
    consecutiveNonfinite: 0,
    mean: 0,
    deviation: 0,
  };
  /** @private @type {MonitorStep | null} */
  _last = null;

  /**
   * A monitor that has seen no norm yet.
   * @param {MonitorOptions} [options]
   * @throws {TypeError} if an option is unknown, belongs to another method or has the wrong type
   * @throws {RangeError} if an option is a number out of its range
   */
  constructor(options = {}) {
    check('GradMonitor: options', options, OBJECT);
    this._options = readOptions('GradMonitor: option ', options);
    this._history = this.method === 'percentile' ? makeHistory(this._options.history, []) : null;
  }

  /** What sets the threshold. */
  get method() {
    return this._options.method;
  }

  /** Whether the averages assume that nobody clips; threshold and spike are told all the same. */
  get dryRun() {
    return this._options.dryRun;
  }

  /** How many finite norms there were. */
  get steps() {
    return this._counts.steps;
  }

  /** How many of them were spikes. */
  get spikes() {
    return this._counts.spikes;
  }

  /** How many norms were NaN or Infinity. */
  get nonfinite() {
    return this._counts.nonfinite;
  }

  /** How many of the latest norms were NaN or Infinity, up to the last one and without a finite one between. */
  get consecutiveNonfinite() {
    return this._counts.consecutiveNonfinite;
  }

  /** What update returned last, also to clipGradNorm; null before the first norm and after fromJSON. */
  get last() {
    return this._last;
  }

  /**
   * Takes the norm of one step.
   * @param {number | { readonly norm: number }} normOrReport  a norm >= 0, NaN or Infinity, or a report of one
   * @returns {MonitorStep}
   * @throws {TypeError} if that is neither a number nor an object with a number as its norm
   * @throws {RangeError} if the norm is negative
   * @throws {Error} if more than maxNonfinite norms in a row are NaN or Infinity; this one is counted, and the
   *   next finite norm begins anew. After the other errors the monitor is as it was.
   */
  update(normOrReport) {
    const norm = normOf(normOrReport);
    const finite = Number.isFinite(norm);
    if (finite && norm > 0 && this._history !== null) addTo(this._history, norm);
    const threshold = this._thresholdFor(norm);
    const { averaged, mean, deviation } = this._counts;
    /** @type {MonitorStep} */
    const step = {
      norm,
      mean: averaged > 0 ? mean : NaN,
      deviation: averaged > 0 ? deviation : NaN,
      zScore: zScoreOf(this._counts, norm, this._options),
      threshold,
      spike: finite && norm > threshold,
    };
    Object.defineProperty(step, 'toJSON', { value: () => withWords(step) });
    this._last = step;
    if (finite) this._countFinite(step);
    else this._countNonfinite(norm);
    return step;
  }

  /**
   * @private
   * @param {number} norm
   */
  _thresholdFor(norm) {
    const { method, maxNorm, percentile, warmUp } = this._options;
    if (method === 'fixed') return maxNorm;
    let threshold = limitFor(this._counts, norm, this._options);
    if (this._history !== null) threshold = percentileOf(this._history, percentile);
    return this._counts.averaged < warmUp || isNearZero(threshold, norm) ? Infinity : threshold;
  }

  /**
   * @private
   * @param {MonitorStep} step
   */
  _countFinite({ norm, spike }) {
    if (norm > 0) this._average(norm);
    ++this._counts.steps;
    if (spike) ++this._counts.spikes;
    this._counts.consecutiveNonfinite = 0;
  }

  /**
   * @private
   * @param {number} norm
   */
  _average(norm) {
    const limit = limitFor(this._counts, norm, this._options);
    const beginsAnew = isNearZero(limit, norm);
    if (beginsAnew) this._counts.averaged = 0;
    average(this._counts, beginsAnew || this.dryRun ? norm : Math.min(norm, limit), this._options);
  }

  /**
   * @private
   * @param {number} norm
   */
  _countNonfinite(norm) {
    const { maxNonfinite } = this._options;
    ++this._counts.nonfinite;
    const inARow = ++this._counts.consecutiveNonfinite;
    if (inARow <= maxNonfinite) return;
    throw new Error(
      `GradMonitor: the gradient norm is ${norm}; not finite in a row: ${inARow}, ` +
        `expected at most ${maxNonfinite} (option maxNonfinite)`,
    );
  }

  /** For the console of Node.js. */
  [Symbol.for('nodejs.util.inspect.custom')]() {
    return { ...this.toJSON(), history: this._history?.count ?? 0 };
  }

  /**
   * The whole monitor as a plain object, so that JSON.stringify(monitor) saves it.
   * @returns {MonitorState}
   */
  toJSON() {
    return {
      gradnorm: 'monitor',
      version: VERSION,
      options: /** @type {any} */ (withWords(this._options)),
      ...this._counts,
      history: this._history === null ? [] : normsOf(this._history),
    };
  }

  /**
   * The monitor that was saved: every later result has the same bits as if it had never been stopped.
   * @param {unknown} state  from toJSON, also after JSON.stringify and JSON.parse
   * @returns {GradMonitor}
   * @throws {TypeError | RangeError} if that is no such state; the message names the field, what was found there
   *   and what is expected
   */
  static fromJSON(state) {
    const place = 'GradMonitor.fromJSON: ';
    const given = check(`${place}state`, state, OBJECT);
    const read = (/** @type {string} */ name, /** @type {Rule} */ rule, value = given[name]) =>
      check(place + name, value, rule);
    read('gradnorm', exactly('monitor'));
    read('version', exactly(VERSION));
    const monitor = new GradMonitor(readOptions(`${place}options.`, read('options', OBJECT), true));
    const steps = read('steps', COUNT);
    const upToSteps = integerBetween(0, steps, ' (steps)');
    const averaged = read('averaged', upToSteps, given.averaged ?? steps);
    const statistic = averaged === 0 ? exactly(0) : FINITE;
    const nonfinite = read('nonfinite', COUNT);
    monitor._counts = {
      steps,
      averaged,
      spikes: read('spikes', upToSteps),
      nonfinite,
      consecutiveNonfinite: read('consecutiveNonfinite', integerBetween(0, nonfinite, ' (nonfinite)')),
      mean: read('mean', statistic),
      deviation: read('deviation', statistic),
    };
    const history = read('history', { accepts: Array.isArray, expected: 'an Array' });
    const bound = monitor._options.history ?? 0;
    const [least, most] = [averaged, steps].map((count) => Math.min(count, bound));
    read('history.length', least === most ? exactly(most) : integerBetween(least, most), history.length);
    const norms = Array.from(history, (norm, i) => read(`history[${i}]`, FINITE, norm));
    if (monitor._history !== null) monitor._history = makeHistory(bound, norms);
    return monitor;
  }
}

/**
 * Whether a limit would leave next to nothing of a norm, and is next to nothing itself.
 * @param {number} limit
 * @param {number} norm
 */
function isNearZero(limit, norm) {
  return limit < NEAR_ZERO * Math.min(1, norm);
}

/** @param {unknown} value */
function normOf(value) {
  const isReport = typeof value === 'object' && value !== null && 'norm' in value;
  const norm = check(
    `GradMonitor.update: norm${isReport ? ' of the report' : ''}`,
    isReport ? value.norm : value,
    {
      type: 'number',
      accepts: (x) => !(x < 0),
      expected: `a number >= 0, Infinity or NaN${isReport ? '' : ', or a report with such a norm'}`,
    },
  );
  // JSON knows no -0.
  return norm === 0 ? 0 : norm;
}
