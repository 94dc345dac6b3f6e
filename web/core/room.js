// web/core/room.js: how far below its limit clipping must aim, so that rounding cannot take the norm above it. For the CPU
// and the GPU. Pure; imports nothing.

/** The relative error of a measured norm is at most 2^-23, twice, and that of an element 2^-24. */
export const FLOAT_ROOM = 3 * 2 ** -23;

/**
 * The same where all elements are doubles, whose norm is measured within 2^-48 or 2^-40 max(1, 1/p).
 * @param {number} p
 */
export function roomOfDoubles(p) {
  if (p === Infinity || (p >= 1 && (2 * p) % 1 === 0)) return 2 ** -46;
  return Math.min(2 ** -38 * Math.max(1, 1 / p), FLOAT_ROOM);
}

/**
 * Whether elements that round to subnormal numbers could take the norm above a limit in spite of the room, so that all must be
 * rounded toward zero. Each moves by less than the smallest subnormal s: n of them move the norm by less than n^(1/p) s if
 * p >= 1, and its p-th power by less than n s^p if p < 1. An eighth of the room is left for that.
 * @param {number} elements
 * @param {number} smallest
 * @param {number} limit
 * @param {number} p
 * @param {number} room
 */
export function needsRoundingTowardZero(elements, smallest, limit, p, room) {
  const power = Math.min(p, 1);
  return (elements * smallest ** power) / limit ** power > (power * room) / 8;
}
