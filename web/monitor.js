// web/monitor.js: GradMonitor, which watches the gradient norm from step to step. Pure. Without private members, which proxies
// that make objects reactive cannot reach.
import { describe } from './words/errors.js';
import { withWords } from './words/text.js';

/**
 * @typedef {'fixed' | 'percentile' | 'zscore'} MonitorMethod  What sets the threshold.
 */

/**
 * @typedef {object} MonitorOptions
 * @property {MonitorMethod} [method]  'zscore' if left out
 * @property {number} [maxNorm]  only with 'fixed', and required there: the threshold, >= 0 or Infinity
 * @property {number} [percentile]  only with 'percentile': from 0 to 100; 10 if left out
 * @property {number} [history]  only with 'percentile': how many of the last norms it is taken over, an integer
 *   from 1 to 1000000; 1000 if left out
 * @property {number} [alpha]  what the averages keep at each step, > 0 and < 1; 0.97 if left out
 * @property {number} [zThreshold]  the z-score beyond which a norm is limited on its way into the averages, and
 *   with 'zscore' clipped, > 0 or Infinity; 2.5 if left out
 * @property {number} [warmUp]  how many finite norms start the averages; nothing is clipped meanwhile except
 *   with 'fixed', whose maxNorm always holds. An integer >= 0; 25 if left out
 * @property {number} [maxNonfinite]  how many norms in a row may be NaN or Infinity, an integer >= 0 or Infinity;
 *   Infinity if left out
 * @property {boolean} [dryRun]  the gradients will not be clipped; false if left out
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
 * @property {'monitor'} gradnorm
 * @property {1} version
 * @property {Record<string, string | number | boolean>} options  those of the method, Infinity as 'Infinity'
 * @property {number} steps
 * @property {number} [averaged]  how many norms the averages are of, since they began; steps if left out, as in earlier
 *   releases
 * @property {number} spikes
 * @property {number} nonfinite
 * @property {number} consecutiveNonfinite
 * @property {number} mean  0 if averaged is
 * @property {number} deviation  0 if averaged is
 * @property {number[]} history  the last norms, oldest first; empty unless the method is 'percentile'
 */

/**
 * @typedef {object} Rule  What a value from outside must be.
 * @property {'number' | 'string' | 'boolean' | 'object'} type
 * @property {(value: any) => boolean} accepts
 * @property {string} expected
 * @property {MonitorMethod} [only]  the only method that has this option
 */

/** @typedef {Required<MonitorOptions>} Settings  without the options of other methods */

const VERSION = 1;
const METHODS = ['fixed', 'percentile', 'zscore'];
const MAX_HISTORY = 1e6;
const NEAR_ZERO = 1e-6;

const DEFAULTS = {
  method: 'zscore',
  percentile: 10,
  history: 1000,
  alpha: 0.97,
  zThreshold: 2.5,
  warmUp: 25,
  maxNonfinite: Infinity,
  dryRun: false,
};

/** @type {Rule} */
const NORM = { type: 'number', accepts: (x) => !(x < 0), expected: 'a number >= 0, Infinity or NaN' };
/** @type {Rule} */
const NORM_OR_REPORT = { ...NORM, expected: `${NORM.expected}, or a report with such a norm` };
/** @type {Rule} */
const FINITE_NORM = {
  type: 'number',
  accepts: (x) => x >= 0 && x < Infinity,
  expected: 'a finite number >= 0',
};
/** @type {Rule} */
const COUNT = {
  type: 'number',
  accepts: (x) => Number.isSafeInteger(x) && x >= 0,
  expected: 'an integer >= 0',
};
/** @type {Rule} */
const OBJECT = {
  type: 'object',
  accepts: (value) => value !== null && !Array.isArray(value),
  expected: 'an object',
};
/** @type {Rule} */
const ARRAY = { type: 'object', accepts: Array.isArray, expected: 'an Array' };

/** @type {Record<string, Rule>} */
const OPTIONS = {
  method: {
    type: 'string',
    accepts: (value) => METHODS.includes(value),
    expected: `one of '${METHODS.join("', '")}'`,
  },
  maxNorm: {
    type: 'number',
    accepts: (x) => x >= 0,
    expected: 'a number >= 0 or Infinity',
    only: 'fixed',
  },
  percentile: {
    type: 'number',
    accepts: (x) => x >= 0 && x <= 100,
    expected: 'a number from 0 to 100',
    only: 'percentile',
  },
  history: {
    type: 'number',
    accepts: (x) => Number.isInteger(x) && x >= 1 && x <= MAX_HISTORY,
    expected: `an integer from 1 to ${MAX_HISTORY}`,
    only: 'percentile',
  },
  alpha: { type: 'number', accepts: (x) => x > 0 && x < 1, expected: 'a number > 0 and < 1' },
  zThreshold: { type: 'number', accepts: (x) => x > 0, expected: 'a number > 0 or Infinity' },
  warmUp: COUNT,
  maxNonfinite: {
    type: 'number',
    accepts: (x) => x === Infinity || COUNT.accepts(x),
    expected: 'an integer >= 0 or Infinity',
  },
  dryRun: { type: 'boolean', accepts: () => true, expected: 'true or false' },
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
 * const monitor = new GradMonitor({ method: 'zscore', maxNonfinite: 10 });
 * // at each step, between the backward pass and the optimizer:
 * const { threshold, spike } = monitor.update(gradNorm(gradients));
 * if (spike) clipGradNorm(gradients, threshold);
 */
export class GradMonitor {
  /** @private */
  _options;
  /** @private */
  _averages;
  /** @private @type {History | undefined} */
  _history;
  /** @private */
  _steps = 0;
  /** @private */
  _spikes = 0;
  /** @private */
  _nonfinite = 0;
  /** @private */
  _consecutiveNonfinite = 0;
  /** @private @type {MonitorStep | null} */
  _last = null;

  /**
   * @param {MonitorOptions} [options]
   * @throws {TypeError} if an option is unknown, belongs to another method or has the wrong type
   * @throws {RangeError} if an option is a number out of its range
   */
  constructor(options = {}) {
    check('GradMonitor: options', options, OBJECT);
    this._options = readOptions('GradMonitor: option ', options, DEFAULTS);
    this._averages = new Averages(this._options);
    if (this._options.method === 'percentile') this._history = new History(this._options.history);
  }

  get method() {
    return this._options.method;
  }

  /** Whether the averages assume that nobody clips; threshold and spike are told all the same. */
  get dryRun() {
    return this._options.dryRun;
  }

  /** How many finite norms there were. */
  get steps() {
    return this._steps;
  }

  /** How many of them were spikes. */
  get spikes() {
    return this._spikes;
  }

  /** How many norms were NaN or Infinity. */
  get nonfinite() {
    return this._nonfinite;
  }

  /** How many of the latest norms were NaN or Infinity, up to the last one and without a finite one between. */
  get consecutiveNonfinite() {
    return this._consecutiveNonfinite;
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
    if (finite && norm > 0) this._history?.add(norm);
    const threshold = this._thresholdFor(norm);
    const mean = this._averages.count === 0 ? NaN : this._averages.mean;
    const deviation = this._averages.count === 0 ? NaN : this._averages.deviation;
    const zScore = this._averages.zScoreOf(norm);
    const step = { norm, mean, deviation, zScore, threshold, spike: finite && norm > threshold };
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
    const isWarmingUp = this._averages.count < warmUp;
    const ofHistory = isWarmingUp ? Infinity : this._history?.percentile(percentile);
    const threshold = ofHistory ?? this._averages.limitFor(norm);
    return isNearZero(threshold, norm) ? Infinity : threshold;
  }

  /**
   * @private
   * @param {MonitorStep} step
   */
  _countFinite({ norm, spike }) {
    if (norm > 0) this._average(norm);
    ++this._steps;
    if (spike) ++this._spikes;
    this._consecutiveNonfinite = 0;
  }

  /**
   * @private
   * @param {number} norm
   */
  _average(norm) {
    const limit = this._averages.limitFor(norm);
    const beginsAnew = isNearZero(limit, norm);
    if (beginsAnew) this._averages.count = 0;
    this._averages.add(beginsAnew || this.dryRun ? norm : Math.min(norm, limit));
  }

  /**
   * @private
   * @param {number} norm
   */
  _countNonfinite(norm) {
    const { maxNonfinite } = this._options;
    ++this._nonfinite;
    if (++this._consecutiveNonfinite <= maxNonfinite) return;
    throw new Error(
      `GradMonitor: the gradient norm is ${norm}; not finite in a row: ${this._consecutiveNonfinite}, ` +
        `expected at most ${maxNonfinite} (option maxNonfinite)`,
    );
  }

  /** For the console of Node.js. */
  [Symbol.for('nodejs.util.inspect.custom')]() {
    return { ...this.toJSON(), history: this._history?.toArray().length ?? 0 };
  }

  /**
   * The whole monitor as a plain object, so that JSON.stringify(monitor) saves it.
   * @returns {MonitorState}
   */
  toJSON() {
    return {
      gradnorm: 'monitor',
      version: VERSION,
      options: encodeOptions(this._options),
      steps: this.steps,
      averaged: this._averages.count,
      spikes: this._spikes,
      nonfinite: this._nonfinite,
      consecutiveNonfinite: this._consecutiveNonfinite,
      mean: this._averages.mean,
      deviation: this._averages.deviation,
      history: this._history?.toArray() ?? [],
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
    const { gradnorm, version, options, steps, ...rest } = check(`${place}state`, state, OBJECT);
    check(`${place}gradnorm`, gradnorm, exactly('monitor'));
    check(`${place}version`, version, exactly(VERSION));
    const decoded = decodeOptions(check(`${place}options`, options, OBJECT));
    const monitor = new GradMonitor(readOptions(`${place}options.`, decoded, {}));
    monitor._steps = check(`${place}steps`, steps, COUNT);
    const averaged = check(`${place}averaged`, rest.averaged ?? steps, countUpTo(steps, 'steps'));
    monitor._averages.count = averaged;
    const statistic = averaged === 0 ? exactly(0) : FINITE_NORM;
    monitor._averages.mean = check(`${place}mean`, rest.mean, statistic);
    monitor._averages.deviation = check(`${place}deviation`, rest.deviation, statistic);
    monitor._spikes = check(`${place}spikes`, rest.spikes, countUpTo(steps, 'steps'));
    monitor._nonfinite = check(`${place}nonfinite`, rest.nonfinite, COUNT);
    const atMost = countUpTo(rest.nonfinite, 'nonfinite');
    monitor._consecutiveNonfinite = check(`${place}consecutiveNonfinite`, rest.consecutiveNonfinite, atMost);
    monitor._restoreHistory(`${place}history`, rest.history);
    return monitor;
  }

  /**
   * @private
   * @param {string} place
   * @param {unknown} norms
   */
  _restoreHistory(place, norms) {
    const list = check(place, norms, ARRAY);
    const bound = this._history === undefined ? 0 : this._options.history;
    const [least, most] = [this._averages.count, this.steps].map((count) => Math.min(count, bound));
    check(`${place}.length`, list.length, countBetween(least, most));
    for (let i = 0; i < list.length; ++i) this._history?.add(check(`${place}[${i}]`, list[i], FINITE_NORM));
  }
}

/** Mean and standard deviation of the norms: of all during warm-up, then exponential averages. */
class Averages {
  count = 0;
  mean = 0;
  deviation = 0;
  /** @private */
  _alpha;
  /** @private */
  _zThreshold;
  /** @private */
  _warmUp;

  /** @param {Settings} options */
  constructor({ alpha, zThreshold, warmUp }) {
    this._alpha = alpha;
    this._zThreshold = zThreshold;
    this._warmUp = Math.max(1, warmUp);
  }

  /**
   * With w = 1/n during warm-up (Welford), else 1 - alpha, and d = norm - mean before:
   *
   *     mean += w d
   *     deviation^2 = (1 - w) deviation^2 + w (1 - w) d^2    during warm-up
   *     deviation^2 = (1 - w) deviation^2 + w (1 - w)^2 d^2  later, for norm - mean is now (1 - w) d
   *
   * Equal norms leave the mean exactly as it is.
   * @param {number} norm
   */
  add(norm) {
    if (this.count === 0) this.mean = this.deviation = 0;
    const warmingUp = ++this.count <= this._warmUp;
    const weight = warmingUp ? 1 / this.count : 1 - this._alpha;
    const distance = norm - this.mean;
    const kept = 1 - weight;
    this.mean += weight * distance;
    this.deviation = rootOfSum(kept, this.deviation, weight * (warmingUp ? kept : kept * kept), distance);
  }

  /** @param {number} norm */
  zScoreOf(norm) {
    if (this.count < this._warmUp || !Number.isFinite(norm)) return NaN;
    return norm === this.mean ? 0 : (norm - this.mean) / this.deviation;
  }

  /**
   * What ZClip clips the norm to; Infinity if it does not.
   * @param {number} norm
   */
  limitFor(norm) {
    const zScore = this.zScoreOf(norm);
    if (!(zScore > this._zThreshold)) return Infinity;
    // In this order nothing overflows: the quotient is less than 1 and the product less than norm - mean.
    return this.mean + (this._zThreshold / zScore) * (this._zThreshold * this.deviation);
  }
}

/** The last norms, in the order of their arrival and sorted. */
class History {
  /** @private */
  _arrived;
  /** @private */
  _sorted;
  /** @private */
  _count = 0;
  /** @private */
  _oldest = 0;

  /** @param {number} bound */
  constructor(bound) {
    this._arrived = new Float64Array(bound);
    this._sorted = new Float64Array(bound);
  }

  /**
   * Adds a norm, in place of the oldest when full; only what lies between the two in order of size moves.
   * @param {number} norm
   */
  add(norm) {
    const sorted = this._sorted;
    const rank = this._rankOf(norm);
    const full = this._count === sorted.length;
    const free = full ? this._rankOf(this._arrived[this._oldest]) : this._count++;
    if (free < rank) sorted.copyWithin(free, free + 1, rank);
    else sorted.copyWithin(rank + 1, rank, free);
    sorted[free < rank ? rank - 1 : rank] = norm;
    this._arrived[full ? this._oldest : this._count - 1] = norm;
    if (full) this._oldest = (this._oldest + 1) % sorted.length;
  }

  /**
   * With the roundings of numpy.percentile, method 'linear'; Infinity if there are no norms.
   * @param {number} percentile
   */
  percentile(percentile) {
    if (this._count === 0) return Infinity;
    const position = (this._count - 1) * (percentile / 100);
    const index = Math.floor(position);
    const below = this._sorted[index];
    const above = this._sorted[Math.min(index + 1, this._count - 1)];
    const fraction = position - index;
    if (fraction < 0.5) return below + (above - below) * fraction;
    return above - (above - below) * (1 - fraction);
  }

  /** Oldest first. */
  toArray() {
    const norms = this._arrived.subarray(0, this._count);
    return [...norms.subarray(this._oldest), ...norms.subarray(0, this._oldest)];
  }

  /**
   * How many norms are less than this one.
   * @private
   * @param {number} norm
   */
  _rankOf(norm) {
    let low = 0;
    let high = this._count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this._sorted[middle] < norm) low = middle + 1;
      else high = middle;
    }
    return low;
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

/**
 * sqrt(a x^2 + b y^2), without overflow where the result is finite.
 * @param {number} a
 * @param {number} x
 * @param {number} b
 * @param {number} y
 */
function rootOfSum(a, x, b, y) {
  const scale = Math.max(Math.abs(x), Math.abs(y));
  if (scale === 0) return 0;
  const u = x / scale;
  const v = y / scale;
  return scale * Math.sqrt(a * u * u + b * v * v);
}

/** @param {unknown} value */
function normOf(value) {
  const isReport = typeof value === 'object' && value !== null && 'norm' in value;
  const norm = isReport
    ? check('GradMonitor.update: norm of the report', value.norm, NORM)
    : check('GradMonitor.update: norm', value, NORM_OR_REPORT);
  // JSON knows no -0.
  return norm === 0 ? 0 : norm;
}

/**
 * @param {string} place  what stands before the name of an option in messages
 * @param {Record<string, any>} given
 * @param {Record<string, any>} defaults
 * @returns {Settings}
 */
function readOptions(place, given, defaults) {
  const valueOf = (/** @type {string} */ name) => (given[name] === undefined ? defaults[name] : given[name]);
  const method = check(`${place}method`, valueOf('method'), OPTIONS.method);
  for (const name of Object.keys(given)) checkKnown(place, name, given[name], method);
  const names = Object.keys(OPTIONS).filter((name) => (OPTIONS[name].only ?? method) === method);
  const entries = names.map((name) => [name, check(place + name, valueOf(name), OPTIONS[name])]);
  return Object.fromEntries(entries);
}

/**
 * An option of another method is refused: ignored, it would leave its user believing in a limit that is not there.
 * @param {string} place
 * @param {string} name
 * @param {unknown} value
 * @param {MonitorMethod} method
 */
function checkKnown(place, name, value, method) {
  const rule = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined;
  if (rule === undefined) {
    throw new TypeError(`${place}${name} is unknown; expected one of ${Object.keys(OPTIONS).join(', ')}`);
  }
  if (value === undefined || (rule.only ?? method) === method) return;
  throw new TypeError(
    `${place}${name} is ${describe(value)} with method '${method}'; expected it only with method '${rule.only}'`,
  );
}

/** @param {Settings} options */
function encodeOptions(options) {
  return mapValues(options, (value) => (value === Infinity ? 'Infinity' : value));
}

/** @param {Record<string, unknown>} options */
function decodeOptions(options) {
  return mapValues(options, (value) => (value === 'Infinity' ? Infinity : value));
}

/**
 * @param {object} record
 * @param {(value: unknown) => any} convert
 */
function mapValues(record, convert) {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, convert(value)]));
}

/**
 * @param {string | number} value
 * @returns {Rule}
 */
function exactly(value) {
  const type = /** @type {'string' | 'number'} */ (typeof value);
  const expected = type === 'string' ? `'${value}'` : `${value}`;
  return { type, accepts: (found) => found === value, expected };
}

/**
 * @param {number} limit
 * @param {string} name
 * @returns {Rule}
 */
function countUpTo(limit, name) {
  const expected = `an integer from 0 to ${limit} (${name})`;
  return { type: 'number', accepts: (x) => COUNT.accepts(x) && x <= limit, expected };
}

/**
 * @param {number} least
 * @param {number} most
 * @returns {Rule}
 */
function countBetween(least, most) {
  if (least === most) return exactly(most);
  const expected = `an integer from ${least} to ${most}`;
  return { type: 'number', accepts: (x) => x >= least && x <= most, expected };
}

/**
 * @param {string} place
 * @param {unknown} value
 * @param {Rule} rule
 * @returns {any} the value
 */
function check(place, value, { type, accepts, expected }) {
  if (typeof value === type && accepts(value)) return value;
  const Kind = typeof value === type && type === 'number' ? RangeError : TypeError;
  throw new Kind(`${place} is ${describe(value)}; expected ${expected}`);
}
