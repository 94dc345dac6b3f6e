// web/monitor/history.js: the last norms that a GradMonitor has seen, for percentiles of them. Pure; imports nothing.

/**
 * @typedef {object} History
 * @property {Float64Array} arrived  in a ring
 * @property {Float64Array} sorted
 * @property {number} count  of the norms that are there yet
 * @property {number} next   where the next one goes; the oldest is there, once all places are taken
 */

/**
 * @param {number} bound
 * @param {readonly number[]} norms  at most as many, oldest first
 * @returns {History}
 */
export function makeHistory(bound, norms) {
  const arrived = new Float64Array(bound);
  arrived.set(norms);
  const sorted = arrived.slice();
  sorted.subarray(0, norms.length).sort();
  return { arrived, sorted, count: norms.length, next: norms.length % bound };
}

/**
 * Adds a norm, in place of the oldest when full.
 * @param {History} history  changed in place
 * @param {number} norm
 */
export function addTo(history, norm) {
  const { arrived, sorted, next } = history;
  if (history.count === sorted.length) {
    const oldest = rankIn(sorted, history.count--, arrived[next]);
    sorted.copyWithin(oldest, oldest + 1);
  }
  const rank = rankIn(sorted, history.count, norm);
  sorted.copyWithin(rank + 1, rank, history.count++);
  sorted[rank] = norm;
  arrived[next] = norm;
  history.next = (next + 1) % sorted.length;
}

/**
 * With the roundings of numpy.percentile, method 'linear'; Infinity if there are no norms.
 * @param {History} history
 * @param {number} percentile
 */
export function percentileOf({ sorted, count }, percentile) {
  if (count === 0) return Infinity;
  const position = (count - 1) * (percentile / 100);
  const index = Math.floor(position);
  const below = sorted[index];
  const above = sorted[Math.min(index + 1, count - 1)];
  const fraction = position - index;
  if (fraction < 0.5) return below + (above - below) * fraction;
  return above - (above - below) * (1 - fraction);
}

/**
 * @param {History} history
 * @returns {number[]}  oldest first
 */
export function normsOf({ arrived, count, next }) {
  return [...arrived.subarray(next, count), ...arrived.subarray(0, next)];
}

/**
 * How many norms are less than this one.
 * @param {Float64Array} sorted
 * @param {number} count  of its first elements
 * @param {number} norm
 */
function rankIn(sorted, count, norm) {
  let low = 0;
  while (low < count) {
    const middle = (low + count) >> 1;
    if (sorted[middle] < norm) low = middle + 1;
    else count = middle;
  }
  return low;
}
