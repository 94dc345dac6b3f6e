// web/core/partial.js: the words of a partial's state, PartialState in src/partial.hpp, for those who make or keep one
// outside the core. Pure; imports nothing.

/**
 * The state of a NormAccumulator as plain JSON.
 *
 * The sum of the p-th powers of the elements is
 *
 *     totals[0] * 2^(32 * top) + totals[1] * 2^(32 * (top - 1)) + ... + totals[4] * 2^(32 * (top - 4))
 *
 * @typedef {object} NormAccumulatorState
 * @property {'norm accumulator'} gradnorm  what it is the state of
 * @property {1} version         of this form
 * @property {number | 'Infinity'} normType  p
 * @property {number} elements   how many were added
 * @property {number} largest    the largest finite magnitude that had to be looked at, as for p = Infinity
 * @property {boolean} nan       whether there was a NaN
 * @property {boolean} infinity  whether there was an infinity
 * @property {string | null} top decimal; null while the sum is empty
 * @property {string[]} totals   five whole numbers below 2^63, hexadecimal
 * @property {string} check      FNV-1a of the words of the state, 8 hexadecimal digits
 */

export const KIND = 'norm accumulator';
export const VERSION = 1;

/** Five totals, then these. */
export const TOTALS = 5;
export const TOP = 5;
export const ELEMENTS = 6;
export const LARGEST = 7;
export const FLAGS = 8;
export const WORDS = 9;
// Shifted, as tools that lower `**` for old targets make Math.pow of it, which takes no BigInt.
const EMPTY_TOP = -(1n << 63n);
export const NAN = 1n;
export const INFINITY = 2n;

/** @returns {BigUint64Array} */
export function emptyState() {
  const words = new BigUint64Array(WORDS);
  words[TOP] = BigInt.asUintN(64, EMPTY_TOP);
  return words;
}

/**
 * @param {BigUint64Array} words  a state
 * @param {number} normType
 * @returns {NormAccumulatorState}
 */
export function jsonOf(words, normType) {
  const numbers = new Float64Array(words.buffer);
  const top = BigInt.asIntN(64, words[TOP]);
  return {
    gradnorm: KIND,
    version: VERSION,
    normType: normType === Infinity ? 'Infinity' : normType,
    elements: numbers[ELEMENTS],
    largest: numbers[LARGEST],
    nan: (words[FLAGS] & NAN) !== 0n,
    infinity: (words[FLAGS] & INFINITY) !== 0n,
    top: top === EMPTY_TOP ? null : String(top),
    totals: Array.from(words.subarray(0, TOTALS), (total) => total.toString(16)),
    check: checksum(words, normType),
  };
}

/**
 * The words that jsonOf was given; whoever calls checks the state and its checksum.
 * @param {NormAccumulatorState} state
 * @returns {BigUint64Array}
 */
export function wordsOf({ elements, largest, nan, infinity, top, totals }) {
  const words = emptyState();
  const numbers = new Float64Array(words.buffer);
  totals.forEach((total, i) => (words[i] = BigInt(`0x${total}`)));
  if (top !== null) words[TOP] = BigInt.asUintN(64, BigInt(top));
  numbers[ELEMENTS] = elements;
  numbers[LARGEST] = largest;
  words[FLAGS] = (nan ? NAN : 0n) | (infinity ? INFINITY : 0n);
  return words;
}

/**
 * Puts a sum into an empty state: digits to the base 2^32, the first of them not zero; what is below the fifth is dropped.
 * @param {BigUint64Array} words
 * @param {bigint} sum        in units of 2^exponent
 * @param {number} exponent
 */
export function writeSum(words, sum, exponent) {
  if (sum === 0n) return;
  const digitOfUnit = Math.floor(exponent / 32);
  const aligned = sum << BigInt(exponent - 32 * digitOfUnit);
  const digits = Math.ceil(aligned.toString(2).length / 32);
  words[TOP] = BigInt.asUintN(64, BigInt(digitOfUnit + digits - 1));
  for (let i = 0; i < TOTALS && i < digits; ++i)
    words[i] = (aligned >> BigInt(32 * (digits - 1 - i))) & 0xffffffffn;
}

/**
 * FNV-1a with 32 bits over the bytes of the state and of p, to recognise a state that was damaged.
 * @param {BigUint64Array} words
 * @param {number} normType
 * @returns {string}
 */
export function checksum(words, normType) {
  const bytes = new Uint8Array(8 * (WORDS + 1));
  bytes.set(new Uint8Array(words.buffer));
  new DataView(bytes.buffer).setFloat64(8 * WORDS, normType, true);
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
