// web/accumulator.js: NormAccumulator, a norm in parts. Keeps the state of the core's exact sum between calls, and
// takes it across threads and networks.
import { check, checkNormType, checkNumber, exactly } from './words/checks.js';
import { collect } from './door/collect.js';
import { finish, mergeInto, reduceInto } from './core/reduce.js';
import { checksum, ELEMENTS, emptyState, jsonOf, KIND, TOTALS, VERSION, wordsOf } from './core/partial.js';

/**
 * @typedef {import('./door/collect.js').Gradients} Gradients
 */

/**
 * @typedef {import('./core/partial.js').NormAccumulatorState} NormAccumulatorState
 * @typedef {import('./words/checks.js').Rule} Rule
 */

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
 * for (const gradient of [new Float32Array([3]), new Float32Array([4])]) accumulator.add(gradient);
 * accumulator.norm; // 5
 *
 * const state = accumulator.toJSON(); // in a worker, which posts it
 * const total = new NormAccumulator().merge(NormAccumulator.fromJSON(state)); // where they meet
 * total.norm; // 5
 */
export class NormAccumulator {
  // Not private members: proxies that make objects reactive could not reach those.
  /** @private @type {number} */
  _normType;
  /** @private */
  _state = emptyState();

  /**
   * @param {number} [normType]  p: any number > 0, Infinity included; 2 if left out
   * @throws {TypeError} if normType is not a number
   * @throws {RangeError} if it is not greater than 0
   */
  constructor(normType = 2) {
    checkNormType(normType);
    this._normType = normType;
  }

  /** p. */
  get normType() {
    return this._normType;
  }

  /** How many elements were added. */
  get count() {
    return new Float64Array(this._state.buffer)[ELEMENTS];
  }

  /** The norm of everything that was added so far; 0 at first. */
  get norm() {
    return finish(this._state, this._normType);
  }

  /**
   * Adds gradients, which are read at once and not kept.
   * @param {Gradients} gradients  in any form that gradNorm accepts
   * @returns {this}
   * @throws {TypeError} if anything in gradients is not a gradient; nothing is added then
   * @throws {RangeError} if it is full, after more than 2^31 blocks, whole or begun, of 4096 elements of a tensor;
   *   nothing is added then
   */
  add(gradients) {
    reduceInto(collect(gradients), this._normType, this._state);
    return this;
  }

  /**
   * Adds everything that was added to another one, which stays as it is.
   * @param {Pick<NormAccumulator, 'toJSON'>} other  a NormAccumulator, of this copy of the library or of another
   * @returns {this}
   * @throws {TypeError} if it is not a NormAccumulator
   * @throws {RangeError} if its normType is another, or it is full, as for add
   */
  merge(other) {
    check('other', other, ACCUMULATOR);
    const own = other instanceof NormAccumulator ? other : NormAccumulator.fromJSON(other.toJSON());
    const p = this._normType;
    checkNumber('other.normType', own._normType, (q) => q === p, `${p}, as here`);
    mergeInto(own._state, this._state);
    return this;
  }

  /**
   * Forgets everything that was added.
   * @returns {this}
   */
  reset() {
    this._state.set(emptyState());
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
    return jsonOf(this._state, this._normType);
  }

  /**
   * The accumulator of a state, which may have come from anywhere.
   * @param {unknown} state  what toJSON returned, also by way of JSON or postMessage
   * @returns {NormAccumulator}
   * @throws {TypeError} if it is not such a state, of this version, or was damaged; the message names what is
   *   wrong with it
   */
  static fromJSON(state) {
    const given = check('the state', state, STATE);
    const read = (/** @type {string} */ name, /** @type {Rule} */ rule) =>
      check(`not the state of a NormAccumulator: ${name}`, given[name], rule);
    for (const [name, rule] of Object.entries(FIELDS)) read(name, rule);
    const accumulator = new NormAccumulator(given.normType === 'Infinity' ? Infinity : given.normType);
    accumulator._state.set(wordsOf(given));
    const sum = checksum(accumulator._state, accumulator._normType);
    read('check', { accepts: (found) => found === sum, expected: `"${sum}", which fits the rest` });
    return accumulator;
  }
}

/** @type {Rule} */
const ACCUMULATOR = {
  accepts: (other) => typeof other?.toJSON === 'function',
  expected: 'a NormAccumulator (make one of a state by NormAccumulator.fromJSON)',
};
/** @type {Rule} */
const STATE = {
  type: 'object',
  accepts: (state) => state !== null,
  expected: 'what the toJSON of a NormAccumulator returned',
};
/** @type {Rule} */
const BOOLEAN = { type: 'boolean', accepts: () => true, expected: 'true or false' };

/** @type {Record<keyof NormAccumulatorState, Rule>} */
const FIELDS = {
  gradnorm: exactly(KIND),
  version: { accepts: (value) => value === VERSION, expected: `${VERSION}` },
  normType: {
    accepts: (value) => value === 'Infinity' || (Number.isFinite(value) && value > 0),
    expected: "a number > 0 or 'Infinity'",
  },
  elements: { accepts: (x) => Number.isSafeInteger(x) && x >= 0, expected: 'a whole number >= 0' },
  largest: { accepts: (x) => Number.isFinite(x) && x >= 0, expected: 'a finite number >= 0' },
  nan: BOOLEAN,
  infinity: BOOLEAN,
  top: { accepts: isTop, expected: 'a whole number of 64 bits as a string, or null' },
  totals: { accepts: areTotals, expected: `a list of ${TOTALS} hexadecimal numbers below 2^63` },
  check: { accepts: (value) => /^[0-9a-f]{8}$/.test(value), expected: '8 hexadecimal digits' },
};

/** @param {unknown} value */
function isTop(value) {
  if (value === null) return true;
  if (typeof value !== 'string' || !/^-?\d{1,19}$/.test(value)) return false;
  return BigInt.asIntN(64, BigInt(value)) === BigInt(value);
}

/** @param {unknown} value */
function areTotals(value) {
  return (
    Array.isArray(value) &&
    value.length === TOTALS &&
    value.every((total) => /^[0-7]?[0-9a-f]{1,15}$/.test(total))
  );
}
