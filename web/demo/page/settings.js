// web/demo/page/settings.js: what a visitor can set, and where it starts. Pure.

/** @typedef {'fixed' | 'percentile' | 'zscore'} Method */

/**
 * @typedef {object} Settings
 * @property {number} learningRate of the first step; falls to 0 over a run
 * @property {number} sequenceLength letters of a text
 * @property {number} maxNorm the threshold of the method 'fixed'
 * @property {number} normType p of the norm that is clipped
 * @property {Method} method
 */

/** Steps of a run: about ten seconds, and all that the charts have to hold. */
export const RUN_STEPS = 1200;

/**
 * A learning rate at which the copy that is not clipped diverges within a few dozen steps, whatever the seed, and a
 * threshold at which the other one learns; tests/demo.test.js holds both to it.
 * @type {Settings}
 */
export const DEFAULTS = { learningRate: 5, sequenceLength: 48, maxNorm: 0.75, normType: 2, method: 'fixed' };

/** A threshold for each p that rescues at the default learning rate: the norms differ by orders of magnitude. */
export const MAX_NORMS = new Map([
  [1, 40],
  [2, DEFAULTS.maxNorm],
  [3, 0.25],
  [Infinity, 0.06],
]);
