// web/monitor/averages.js: mean and standard deviation of the norms that a GradMonitor has seen. Pure; imports nothing.

/**
 * Of all norms during warm-up, then exponential averages.
 * @typedef {object} Averages
 * @property {number} averaged  how many norms they are of
 * @property {number} mean
 * @property {number} deviation
 */

/** @typedef {{ readonly alpha: number, readonly zThreshold: number, readonly warmUp: number }} Weights */

/**
 * Adds a norm. With w = 1/n during warm-up (Welford), else 1 - alpha, and d = norm - mean before:
 *
 *     mean += w d
 *     deviation^2 = (1 - w) deviation^2 + w (1 - w) d^2    during warm-up
 *     deviation^2 = (1 - w) deviation^2 + w (1 - w)^2 d^2  later, for norm - mean is now (1 - w) d
 *
 * Equal norms leave the mean exactly as it is.
 * @param {Averages} averages  changed in place
 * @param {number} norm
 * @param {Weights} weights
 */
export function average(averages, norm, weights) {
  const warmingUp = isWarmingUp(averages, weights);
  if (averages.averaged++ === 0) averages.mean = averages.deviation = 0;
  const weight = warmingUp ? 1 / averages.averaged : 1 - weights.alpha;
  const distance = norm - averages.mean;
  const kept = 1 - weight;
  averages.mean += weight * distance;
  averages.deviation = rootOfSum(
    kept,
    averages.deviation,
    weight * (warmingUp ? kept : kept * kept),
    distance,
  );
}

/**
 * @param {Averages} averages
 * @param {number} norm
 * @param {Weights} weights
 */
export function zScoreOf(averages, norm, weights) {
  if (isWarmingUp(averages, weights) || !Number.isFinite(norm)) return NaN;
  return norm === averages.mean ? 0 : (norm - averages.mean) / averages.deviation;
}

/**
 * What ZClip clips the norm to; Infinity if it does not.
 * @param {Averages} averages
 * @param {number} norm
 * @param {Weights} weights
 */
export function limitFor(averages, norm, weights) {
  const { zThreshold } = weights;
  const zScore = zScoreOf(averages, norm, weights);
  if (!(zScore > zThreshold)) return Infinity;
  // In this order nothing overflows: the quotient is less than 1 and the product less than norm - mean.
  return averages.mean + (zThreshold / zScore) * (zThreshold * averages.deviation);
}

/**
 * Nothing is known before the first norm, whatever the options say.
 * @param {Averages} averages
 * @param {Weights} weights
 */
function isWarmingUp({ averaged }, { warmUp }) {
  return averaged < Math.max(1, warmUp);
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
