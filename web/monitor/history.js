// web/monitor/history.js: the last norms that a GradMonitor has seen, for percentiles of them. Pure; imports nothing.

/** The last norms, in the order of their arrival and sorted. */
export class History {
  /** @private */
  _arrived;
  /** @private */
  _sorted;
  /** @private */
  _count;
  /** @private  where the next norm goes; the oldest is there, once all places are taken */
  _next;

  /**
   * @param {number} bound
   * @param {readonly number[]} norms  at most as many, oldest first
   */
  constructor(bound, norms) {
    this._arrived = new Float64Array(bound);
    this._arrived.set(norms);
    this._count = norms.length;
    this._next = this._count % bound;
    this._sorted = this._arrived.slice();
    this._sorted.subarray(0, this._count).sort();
  }

  /**
   * Adds a norm, in place of the oldest when full.
   * @param {number} norm
   */
  add(norm) {
    const { _arrived: arrived, _sorted: sorted } = this;
    if (this._count === sorted.length) {
      const rank = this._rankOf(arrived[this._next]);
      sorted.copyWithin(rank, rank + 1);
      --this._count;
    }
    const rank = this._rankOf(norm);
    sorted.copyWithin(rank + 1, rank, this._count++);
    sorted[rank] = norm;
    arrived[this._next] = norm;
    this._next = (this._next + 1) % sorted.length;
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
    return [...this._arrived.subarray(this._next, this._count), ...this._arrived.subarray(0, this._next)];
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
