// web/accumulator.js: NormAccumulator, a norm in parts. Keeps the state of the core's exact sum between calls, and
// takes it across threads and networks.
import { checkNormType } from './arguments.js';
import { collect } from './collect.js';
import { describe } from './errors.js';
import { finish, mergeInto, reduceInto } from './reduce.js';

/**
 * @typedef {import('./collect.js').Gradients} Gradients
 */

/**
 * The state of a NormAccumulator as plain JSON. The sum of the p-th powers of the elements is
 *
 *     totals[0] * 2^(32 * top) + totals[1] * 2^(32 * (top - 1)) + ... + totals[4] * 2^(32 * (top - 4))
 *
 * @typedef {object} NormAccumulatorState
 * @property {'norm accumulator'} gradnorm
 * @property {1} version
 * @property {number | 'Infinity'} normType
 * @property {number} elements   how many were added
 * @property {number} largest    the largest finite magnitude that had to be looked at, as for p = Infinity
 * @property {boolean} nan       whether there was a NaN
 * @property {boolean} infinity  whether there was an infinity
 * @property {string | null} top decimal; null while the sum is empty
 * @property {string[]} totals   five whole numbers below 2^64, hexadecimal
 * @property {string} check      FNV-1a of the words of the state, 8 hexadecimal digits
 */

const KIND = 'norm accumulator';
const VERSION = 1;
// The words of PartialState in src/partial.hpp: five totals, then these.
const TOTALS = 5;
const TOP = 5;
const ELEMENTS = 6;
const LARGEST = 7;
const FLAGS = 8;
const WORDS = 9;
const EMPTY_TOP = -(2n ** 63n);
const NAN = 1n;
const INFINITY = 2n;

/**
 * A norm in parts: of gradients that come one by one, as the backward pass makes them, or that are spread over
 * threads or machines. The norm has bit for bit the value of gradNorm on the list of everything that was added,
 * in any order, and whatever was added here or merged in; tensors must not be cut, except at multiples of 4096
 * elements. Error bounds and special values are those of gradNorm.
 *
 * The state is a few numbers, whatever was added: at most 1 kB as JSON.
 *
 * @example
 * const accumulator = new NormAccumulator();
 * for (const layer of layers.toReversed()) accumulator.add(layer.backward());
 * accumulator.norm; // gradNorm of all
 *
 * // In a worker:             postMessage(accumulator.toJSON());
 * // In the one that merges:  total.merge(NormAccumulator.fromJSON(event.data));
 */
export class NormAccumulator {
  /** @type {number} */
  #normType;
  #state = emptyState();

  /**
   * @param {number} [normType]  p: any number > 0, Infinity included; 2 if left out
   * @throws {TypeError} if normType is not a number
   * @throws {RangeError} if it is not greater than 0
   */
  constructor(normType = 2) {
    checkNormType(normType);
    this.#normType = normType;
  }

  /** p. */
  get normType() {
    return this.#normType;
  }

  /** How many elements were added. */
  get count() {
    return new Float64Array(this.#state.buffer)[ELEMENTS];
  }

  /** The norm of everything that was added so far; 0 at first. */
  get norm() {
    return finish(this.#state, this.#normType);
  }

  /**
   * Adds gradients, which are read at once and not kept.
   * @param {Gradients} gradients  in any form that gradNorm accepts
   * @returns {this}
   * @throws {TypeError} if anything in gradients is not a gradient; nothing is added then
   */
  add(gradients) {
    reduceInto(collect(gradients), this.#normType, this.#state);
    return this;
  }

  /**
   * Adds everything that was added to another one, which stays as it is.
   * @param {NormAccumulator} other
   * @returns {this}
   * @throws {TypeError} if it is not a NormAccumulator
   * @throws {RangeError} if its normType is another
   */
  merge(other) {
    if (!(other instanceof NormAccumulator)) {
      const expected = 'a NormAccumulator (make one of a state by NormAccumulator.fromJSON)';
      throw new TypeError(`other is ${describe(other)}; expected ${expected}`);
    }
    if (other.#normType !== this.#normType) {
      throw new RangeError(`other.normType is ${other.#normType}; expected ${this.#normType}, as here`);
    }
    mergeInto(other.#state, this.#normType, this.#state);
    return this;
  }

  /**
   * Forgets everything that was added.
   * @returns {this}
   */
  reset() {
    this.#state.set(emptyState());
    return this;
  }

  /** For the console of Node.js. */
  [Symbol.for('nodejs.util.inspect.custom')]() {
    return { normType: this.normType, count: this.count, norm: this.norm };
  }

  /**
   * The state, for JSON.stringify, postMessage and structuredClone. Two accumulators that were given the same
   * tensors in any order have the same state.
   * @returns {NormAccumulatorState}
   */
  toJSON() {
    const words = this.#state;
    const numbers = new Float64Array(words.buffer);
    const top = BigInt.asIntN(64, words[TOP]);
    return {
      gradnorm: KIND,
      version: VERSION,
      normType: this.#normType === Infinity ? 'Infinity' : this.#normType,
      elements: numbers[ELEMENTS],
      largest: numbers[LARGEST],
      nan: (words[FLAGS] & NAN) !== 0n,
      infinity: (words[FLAGS] & INFINITY) !== 0n,
      top: top === EMPTY_TOP ? null : String(top),
      totals: Array.from(words.subarray(0, TOTALS), (total) => total.toString(16)),
      check: checksum(words, this.#normType),
    };
  }

  /**
   * @param {unknown} state  what toJSON returned, also by way of JSON or postMessage
   * @returns {NormAccumulator}
   * @throws {TypeError} if it is not such a state, of this version, or was damaged; the message names what is
   *   wrong with it
   */
  static fromJSON(state) {
    const given = checkState(state);
    const accumulator = new NormAccumulator(given.normType === 'Infinity' ? Infinity : given.normType);
    const words = accumulator.#state;
    const numbers = new Float64Array(words.buffer);
    given.totals.forEach((total, i) => (words[i] = BigInt(`0x${total}`)));
    words[TOP] = BigInt.asUintN(64, given.top === null ? EMPTY_TOP : BigInt(given.top));
    numbers[ELEMENTS] = given.elements;
    numbers[LARGEST] = given.largest;
    words[FLAGS] = (given.nan ? NAN : 0n) | (given.infinity ? INFINITY : 0n);
    const check = checksum(words, accumulator.#normType);
    if (check !== given.check) throw notAState('check', given.check, `"${check}", which fits the rest`);
    return accumulator;
  }
}

/** @returns {BigUint64Array} */
function emptyState() {
  const words = new BigUint64Array(WORDS);
  words[TOP] = BigInt.asUintN(64, EMPTY_TOP);
  return words;
}

/** @type {[keyof NormAccumulatorState, (value: any) => boolean, string][]} */
const FIELDS = [
  ['gradnorm', (value) => value === KIND, `'${KIND}'`],
  ['version', (value) => value === VERSION, String(VERSION)],
  [
    'normType',
    (value) => value === 'Infinity' || (Number.isFinite(value) && value > 0),
    "a number > 0 or 'Infinity'",
  ],
  ['elements', (value) => Number.isSafeInteger(value) && value >= 0, 'a whole number >= 0'],
  ['largest', (value) => Number.isFinite(value) && value >= 0, 'a finite number >= 0'],
  ['nan', (value) => typeof value === 'boolean', 'true or false'],
  ['infinity', (value) => typeof value === 'boolean', 'true or false'],
  ['top', isTop, 'a whole number of 64 bits as a string, or null'],
  ['totals', areTotals, `a list of ${TOTALS} hexadecimal numbers below 2^64`],
  ['check', (value) => /^[0-9a-f]{8}$/.test(value), '8 hexadecimal digits'],
];

/** @param {unknown} value */
function isTop(value) {
  if (value === null) return true;
  if (typeof value !== 'string' || !/^-?\d{1,19}$/.test(value)) return false;
  return BigInt.asIntN(64, BigInt(value)) === BigInt(value);
}

/** @param {unknown} value */
function areTotals(value) {
  return (
    Array.isArray(value) && value.length === TOTALS && value.every((total) => /^[0-9a-f]{1,16}$/.test(total))
  );
}

/**
 * @param {unknown} state
 * @returns {NormAccumulatorState}
 */
function checkState(state) {
  if (typeof state !== 'object' || state === null) {
    throw new TypeError(
      `the state is ${describe(state)}; expected what the toJSON of a NormAccumulator returned`,
    );
  }
  const given = /** @type {NormAccumulatorState} */ (state);
  for (const [name, accepts, expected] of FIELDS) {
    if (!accepts(given[name])) throw notAState(name, given[name], expected);
  }
  return given;
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {string} expected
 */
function notAState(name, value, expected) {
  return new TypeError(
    `not the state of a NormAccumulator: ${name} is ${describe(value)}; expected ${expected}`,
  );
}

/**
 * FNV-1a with 32 bits over the bytes of the state and of p, to recognise a state that was damaged.
 * @param {BigUint64Array} words
 * @param {number} normType
 * @returns {string}
 */
function checksum(words, normType) {
  const bytes = new Uint8Array(8 * (WORDS + 1));
  bytes.set(new Uint8Array(words.buffer));
  new DataView(bytes.buffer).setFloat64(8 * WORDS, normType, true);
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
