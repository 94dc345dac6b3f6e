// web/monitor/options.js: what a GradMonitor may be told, and its stored state hold. Pure.
import { check, oneOf } from '../words/checks.js';
import { describe } from '../words/errors.js';

/**
 * @typedef {import('../words/checks.js').Rule} Rule
 */

/**
 * @typedef {'fixed' | 'percentile' | 'zscore'} MonitorMethod  What sets the threshold.
 */

/**
 * How to find a threshold, and when to give up.
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

/** @typedef {Required<MonitorOptions>} Settings  without the options of other methods */

/** @type {Rule} */
export const COUNT = {
  type: 'number',
  accepts: (x) => Number.isSafeInteger(x) && x >= 0,
  expected: 'an integer >= 0',
};

/**
 * @param {number} least
 * @param {number} most
 * @param {string} [note]  why no more
 * @returns {Rule}
 */
export function integerBetween(least, most, note = '') {
  const accepts = (/** @type {number} */ x) => Number.isInteger(x) && x >= least && x <= most;
  return { type: 'number', accepts, expected: `an integer from ${least} to ${most}${note}` };
}

/** @type {Record<string, Rule & { standard?: unknown, only?: MonitorMethod }>} */
const OPTIONS = {
  method: { ...oneOf(['fixed', 'percentile', 'zscore']), standard: 'zscore' },
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
    standard: 10,
    only: 'percentile',
  },
  history: { ...integerBetween(1, 1e6), standard: 1000, only: 'percentile' },
  alpha: {
    type: 'number',
    accepts: (x) => x > 0 && x < 1,
    expected: 'a number > 0 and < 1',
    standard: 0.97,
  },
  zThreshold: {
    type: 'number',
    accepts: (x) => x > 0,
    expected: 'a number > 0 or Infinity',
    standard: 2.5,
  },
  warmUp: { ...COUNT, standard: 25 },
  maxNonfinite: {
    type: 'number',
    accepts: (x) => x === Infinity || COUNT.accepts(x),
    expected: 'an integer >= 0 or Infinity',
    standard: Infinity,
  },
  dryRun: { type: 'boolean', accepts: () => true, expected: 'true or false', standard: false },
};

/**
 * @param {string} place  what stands before the name of an option in messages
 * @param {Record<string, any>} given
 * @param {boolean} [isStored]  of a state, which has them all, and Infinity as a word
 * @returns {Settings}
 */
export function readOptions(place, given, isStored = false) {
  const valueOf = (/** @type {string} */ name) => {
    const value = given[name];
    if (isStored) return value === 'Infinity' ? Infinity : value;
    return value === undefined ? OPTIONS[name].standard : value;
  };
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
  const isKnown = Object.hasOwn(OPTIONS, name);
  const names = `one of ${Object.keys(OPTIONS).join(', ')}`;
  check(place + name, value, { accepts: () => isKnown, expected: names }, 'unknown');
  const { only = method } = OPTIONS[name];
  const accepts = () => value === undefined || only === method;
  const got = `${describe(value)} with method '${method}'`;
  check(place + name, value, { accepts, expected: `it only with method '${only}'` }, got);
}
