// web/words/errors.js: words for error messages, and the error of a gradient that is not finite. Near the bottom of the
// pipeline.
import { typedArrayName } from './typed-array.js';

/**
 * Thrown by clipGradNorm under `nonfinite: 'throw'`, before anything is written. Says which element is the first
 * that is not finite; all three are null where every element is, and only their norm is beyond the doubles. structuredClone
 * and postMessage make a plain Error of it, of whose properties they keep only the message and the `cause`, which has the
 * same three.
 */
export class GradientError extends Error {
  /**
   * @internal
   * @param {string} message
   * @param {{ tensor: string, index: number, value: number } | null} offender
   */
  constructor(message, offender) {
    super(message, { cause: offender });
    /** Of the class. */
    this.name = 'GradientError';
    /** The tensor's name, as in a report. @type {string | null} */
    this.tensor = offender?.tensor ?? null;
    /** Of the element, counted over the tensor's elements. @type {number | null} */
    this.index = offender?.index ?? null;
    /** NaN, Infinity or -Infinity. @type {number | null} */
    this.value = offender?.value ?? null;
  }

  /**
   * For JSON.stringify, which makes an empty object of any other Error.
   * @returns {Record<string, unknown>}
   */
  toJSON() {
    const { name, message, tensor, index, value } = this;
    return { name, message, tensor, index, value: value === null ? null : String(value) };
  }
}

/**
 * A short description of any value, for the "got" half of a message. Never throws.
 * @param {unknown} value
 * @returns {string}
 */
export function describe(value) {
  const type = typeof value;
  if (type === 'undefined' || value === null) return String(value);
  if (type === 'function') return 'a function';
  if (type === 'object') return describeObject(/** @type {object} */ (value));
  const text = type === 'bigint' ? `${shorten(String(value))}n` : String(value);
  const word = type === 'string' ? JSON.stringify(shorten(text)) : text;
  return `${word} (${withArticle(type)})`;
}

/**
 * What an object says it is, such as 'Map' or 'Response': the same in every realm.
 * @param {unknown} value
 * @returns {string}
 */
export function tagOf(value) {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/**
 * The place of an item as the user would write it: place.key, place[3] or place["fc1/weight"].
 * @param {string} place  of the container
 * @param {unknown} key
 * @returns {string}
 */
export function placeIn(place, key) {
  if (typeof key !== 'string') return `${place}[${typeof key === 'object' ? describe(key) : String(key)}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
    ? `${place}.${key}`
    : `${place}[${JSON.stringify(key)}]`;
}

/**
 * Whether a value is an Array; undefined for a Proxy that was revoked, of which nothing can be asked. The answer must be used:
 * a test for nothing but the exception is dropped by bundlers.
 * @param {unknown} value
 * @returns {boolean | undefined}
 */
export function isList(value) {
  try {
    return Array.isArray(value);
  } catch {
    return undefined;
  }
}

/** @param {object} value */
function describeObject(value) {
  const name = typedArrayName(value) ?? className(value);
  return name === 'Promise' ? 'a Promise (await it first)' : withArticle(name);
}

/** @param {unknown} object */
function className(object) {
  const list = isList(object);
  if (list !== false) return list ? 'Array' : 'revoked Proxy';
  try {
    const name = /** @type {{ constructor?: { name?: unknown } }} */ (object).constructor?.name;
    const word = shorten(typeof name === 'string' && name !== '' ? name : tagOf(object));
    return (word === 'Object' ? 'object' : word) + adviceFor(/** @type {object} */ (object));
  } catch {
    return 'object';
  }
}

/**
 * What to pass in the place of a tensor of a framework. Nothing of it is read, which might consume it.
 * @param {object} object
 */
function adviceFor(object) {
  if ('dataSync' in object) return ` (gradnorm/${'ref' in object ? 'jax' : 'tfjs'} takes it)`;
  if ('BYTES_PER_ELEMENT' in object) return ' (a Proxy or a polyfill: pass a typed array itself)';
  if ('mapAsync' in object) return ' (gradnorm/webgpu takes { buffer, length })';
  return 'dims' in object && 'data' in object ? ' (pass { data: tensor.data, dtype: tensor.type })' : '';
}

/** @param {string} text */
function shorten(text) {
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`;
}

/** @param {string} noun */
function withArticle(noun) {
  return `${/^[AEIOaeio]/.test(noun) ? 'an' : 'a'} ${noun}`;
}
