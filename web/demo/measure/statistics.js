// web/demo/measure/statistics.js: medians and spreads of samples, and whose turn it is (pure).

/**
 * The quantile by linear interpolation between the two nearest order statistics (R's type 7).
 * @param {number[]} samples
 * @param {number} fraction 0 to 1
 * @returns {number} NaN without samples
 */
export function quantile(samples, fraction) {
  if (samples.length === 0) return NaN;
  const sorted = Float64Array.from(samples).sort();
  const position = (sorted.length - 1) * fraction;
  const below = Math.floor(position);
  const above = Math.ceil(position);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

/** @param {number[]} samples */
export function median(samples) {
  return quantile(samples, 0.5);
}

/**
 * The interquartile range as a share of the median: how far the middle half of the samples is apart.
 * @param {number[]} samples positive
 * @returns {number}
 */
export function spread(samples) {
  return (quantile(samples, 0.75) - quantile(samples, 0.25)) / median(samples);
}

/**
 * Whether a contender with `share` turns takes one in this round: its turns lie evenly among the rounds, so
 * that a slow contender with few turns meets the same weather as the others.
 * @param {number} round from 0
 * @param {number} share 1 to rounds
 * @param {number} rounds
 * @returns {boolean}
 */
export function takesTurn(round, share, rounds) {
  return Math.floor(((round + 1) * share) / rounds) > Math.floor((round * share) / rounds);
}

/**
 * Forward and backward in turns, from another item on in every second round; nobody comes twice in a row.
 * @template Item
 * @param {Item[]} items
 * @param {number} round from 0
 * @returns {Item[]}
 */
export function orderOf(items, round) {
  const first = ((round + 1) >> 1) % items.length;
  const rotated = [...items.slice(first), ...items.slice(0, first)];
  return round % 2 === 0 ? rotated : [rotated[0], ...rotated.slice(1).reverse()];
}
