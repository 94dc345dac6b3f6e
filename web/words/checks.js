// web/words/checks.js: checks of every argument and stored field that is not a gradient, before anything is read or written.
import { describe, tagOf } from './errors.js';

/**
 * What a value from outside must be. One of another type is refused by a TypeError, a number out of its range by a RangeError;
 * where the rule names no type, every refusal is a TypeError.
 * @typedef {object} Rule
 * @property {'number' | 'boolean' | 'object'} [type]
 * @property {(value: any) => boolean} accepts
 * @property {string} expected
 */

/**
 * @param {string} place
 * @param {unknown} value
 * @param {Rule} rule
 * @param {unknown} [got]  the value in words, if not its description
 * @returns {any}  the value
 */
export function check(place, value, { type, accepts, expected }, got) {
  const isOfType = type === undefined || typeof value === type;
  if (isOfType && accepts(value)) return value;
  const Kind = isOfType && type === 'number' ? RangeError : TypeError;
  throw new Kind(`${place} is ${got ?? describe(value)}; expected ${expected}`);
}

/**
 * @param {string | number} value
 * @returns {Rule}
 */
export function exactly(value) {
  return {
    type: typeof value === 'number' ? 'number' : undefined,
    accepts: (found) => found === value,
    expected: typeof value === 'string' ? `'${value}'` : `${value}`,
  };
}

/**
 * @param {readonly string[]} choices
 * @returns {Rule}
 */
export function oneOf(choices) {
  return { accepts: (value) => choices.includes(value), expected: `one of '${choices.join("', '")}'` };
}

/**
 * A number that is out of range is told without its type.
 * @param {string} name
 * @param {unknown} value
 * @param {(value: number) => boolean} accepts
 * @param {string} expected
 */
export function checkNumber(name, value, accepts, expected) {
  check(name, value, { type: 'number', accepts, expected }, typeof value === 'number' ? value : undefined);
}

/** @param {unknown} normType */
export function checkNormType(normType) {
  checkNumber('normType', normType, (p) => p > 0, 'a number > 0 or Infinity');
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {'or Infinity' | 'or Infinity, or a GradMonitor' | 'or NaN' | 'and finite'} limit
 */
export function checkNotNegative(name, value, limit) {
  const takesNaN = limit === 'or NaN';
  const accepts = (/** @type {number} */ x) =>
    takesNaN ? !(x < 0) : x >= 0 && (limit !== 'and finite' || x < Infinity);
  checkNumber(name, value, accepts, `a number >= 0${takesNaN ? ', Infinity' : ''} ${limit}`);
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {readonly string[]} choices
 */
export function checkChoice(name, value, choices) {
  check(name, value, oneOf(choices));
}

/**
 * @param {string} caller
 * @param {unknown} options
 * @param {readonly string[]} known
 * @param {boolean} [isRecord]  a Map, an array or something of the platform has other names than these, and none that is seen
 */
export function checkOptions(caller, options, known, isRecord = tagOf(options) === 'Object') {
  const unknown =
    isRecord && Object.keys(/** @type {object} */ (options)).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const got = isRecord ? `have an unknown name, ${JSON.stringify(unknown)}` : `are ${describe(options)}`;
  throw new TypeError(`the options of ${caller} ${got}; expected an object with any of ${known.join(', ')}`);
}

/** @param {unknown} lossScale */
export function checkLossScale(lossScale) {
  // Gradients are multiplied by the inverse.
  const accepts = (/** @type {number} */ x) => x > 0 && x < Infinity && 1 / x < Infinity;
  checkNumber('lossScale', lossScale, accepts, 'a finite number > 0');
}
