// web/words/checks.js: checks of every argument that is not a gradient, before anything is read or written.
import { describe, tagOf } from './errors.js';

/** @param {unknown} normType */
export function checkNormType(normType) {
  const expected = 'expected a number > 0 or Infinity';
  if (typeof normType !== 'number') throw new TypeError(`normType is ${describe(normType)}; ${expected}`);
  if (!(normType > 0)) throw new RangeError(`normType is ${normType}; ${expected}`);
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {'or Infinity' | 'or Infinity, or a GradMonitor' | 'or NaN' | 'and finite'} limit
 */
export function checkNotNegative(name, value, limit) {
  const expected = `expected a number >= 0${limit === 'or NaN' ? ', Infinity or NaN' : ` ${limit}`}`;
  if (typeof value !== 'number') throw new TypeError(`${name} is ${describe(value)}; ${expected}`);
  const accepted = value >= 0 || (limit === 'or NaN' && Number.isNaN(value));
  if (!accepted || (limit === 'and finite' && value === Infinity)) {
    throw new RangeError(`${name} is ${value}; ${expected}`);
  }
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {readonly string[]} choices
 */
export function checkChoice(name, value, choices) {
  if (choices.includes(/** @type {string} */ (value))) return;
  const expected = choices.map((choice) => `'${choice}'`).join(', ');
  throw new TypeError(`${name} is ${describe(value)}; expected one of ${expected}`);
}

/**
 * @param {string} caller
 * @param {unknown} options
 * @param {readonly string[]} known
 * @param {boolean} [isRecord]
 */
export function checkOptions(caller, options, known, isRecord = tagOf(options) === 'Object') {
  const expected = `expected an object with any of ${known.join(', ')}`;
  // A Map, an array or something of the platform has other names than these, and none that is seen.
  if (!isRecord) {
    throw new TypeError(`the options of ${caller} are ${describe(options)}; ${expected}`);
  }
  const unknown = Object.keys(/** @type {object} */ (options)).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(
      `the options of ${caller} have an unknown name, ${JSON.stringify(unknown)}; ${expected}`,
    );
  }
}
