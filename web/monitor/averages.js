// web/monitor/averages.js: mean and standard deviation of the norms that a GradMonitor has seen. Pure; imports nothing.

/** Mean and standard deviation of the norms: of all during warm-up, then exponential averages. */
export class Averages {
  count = 0;
  mean = 0;
  deviation = 0;
  /** @private */
  _options;

  /** @param {{ readonly alpha: number, readonly zThreshold: number, readonly warmUp: number }} options */
  constructor(options) {
    this._options = options;
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
    const isWarmingUp = this._isWarmingUp();
    if (this.count++ === 0) this.mean = this.deviation = 0;
    const weight = isWarmingUp ? 1 / this.count : 1 - this._options.alpha;
    const distance = norm - this.mean;
    const kept = 1 - weight;
    this.mean += weight * distance;
    this.deviation = rootOfSum(kept, this.deviation, weight * (isWarmingUp ? kept : kept * kept), distance);
  }

  /** @param {number} norm */
  zScoreOf(norm) {
    if (this._isWarmingUp() || !Number.isFinite(norm)) return NaN;
    return norm === this.mean ? 0 : (norm - this.mean) / this.deviation;
  }

  /**
   * What ZClip clips the norm to; Infinity if it does not.
   * @param {number} norm
   */
  limitFor(norm) {
    const { zThreshold } = this._options;
    const zScore = this.zScoreOf(norm);
    if (!(zScore > zThreshold)) return Infinity;
    // In this order nothing overflows: the quotient is less than 1 and the product less than norm - mean.
    return this.mean + (zThreshold / zScore) * (zThreshold * this.deviation);
  }

  /**
   * Nothing is known before the first norm, whatever the options say.
   * @private
   */
  _isWarmingUp() {
    return this.count < Math.max(1, this._options.warmUp);
  }
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
