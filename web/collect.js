// web/collect.js: the door. Reads what the user passed into a flat list of arrays: first in the pipeline,
// before web/reduce.js, and the only place that throws on gradients. All of the user's code (getters,
// iterators, proxies) runs here, so that nothing can interrupt or re-enter a reduction.
import { dtypeOf, GRADIENT_TYPES_IN_WORDS } from './dtypes.js';
import { describe, tagOf } from './errors.js';
import { isDetached, lengthOf, typedArrayName } from './typed-array.js';

/**
 * @typedef {import('./dtypes.js').GradientArray} GradientArray
 */

/**
 * A gradient, or null where a parameter has none.
 * @typedef {GradientArray | null | undefined} Gradient
 */

/**
 * A parameter: any object with a `grad`, such as a layer's weight after the backward pass.
 * @typedef {{ readonly grad?: Gradient }} Parameter
 */

/**
 * One gradient, one parameter, or any array, iterable, Map or plain record of these, nested as you like.
 * @typedef {Gradient | Parameter |
 *   (object & { [Symbol.iterator](): Iterator<Gradients> }) |
 *   { readonly size: number, entries(): Iterator<[unknown, Gradients]> } |
 *   { readonly [name: string]: Gradients }} Gradients
 */
// The third and fourth are Iterable and ReadonlyMap, which TypeScript calls circular in a JSDoc type.

/**
 * The place of a container: how the user would write it, and what to look for to find a circle.
 * @typedef {object} Place
 * @property {Place | null} parent
 * @property {unknown} key         index or name in the parent; the root has none
 * @property {object} container
 * @property {number} depth
 */

const EXPECTED =
  `${GRADIENT_TYPES_IN_WORDS}, an object whose grad is one, ` +
  'a list, Map or plain record of these, or null';
const NUMBERS = 'an Array of numbers (wrap it: Float32Array.from(values))';
const MAX_DEPTH = 100;

/**
 * Flattens gradients into a list of arrays in the order of reading, skipping null and undefined. Arrays are
 * read by index up to the length they had at first; iterators are closed on any error.
 * @param {Gradients} gradients
 * @returns {GradientArray[]}
 * @throws {TypeError} on anything that is not a gradient, naming its place
 */
export function collect(gradients) {
  /** @type {GradientArray[]} */
  const arrays = [];
  visit(arrays, gradients, null, undefined);
  // A getter or an iterator may have transferred the buffer of an array that had been read already.
  for (let i = 0; i < arrays.length; ++i) {
    if (arrays[i].length === 0 && lengthOf(arrays[i]) === 0) {
      throw new TypeError('one of the gradients lost its buffer while the others were read');
    }
  }
  return arrays;
}

/**
 * @param {GradientArray[]} arrays
 * @param {unknown} value
 * @param {Place | null} parent
 * @param {unknown} key
 */
function visit(arrays, value, parent, key) {
  if (value === null || value === undefined) return;
  if (typeof value !== 'object') throw notAGradient(value, parent, key);
  const name = typedArrayName(value);
  if (name === undefined) {
    visitContainer(arrays, value, parent, key);
  } else {
    visitArray(arrays, value, name, parent, key);
  }
}

/**
 * @param {GradientArray[]} arrays
 * @param {object} value   a typed array
 * @param {string} name    of its type
 * @param {Place | null} parent
 * @param {unknown} key
 */
function visitArray(arrays, value, name, parent, key) {
  if (dtypeOf(name) === undefined) throw notAGradient(value, parent, key);
  const array = /** @type {GradientArray} */ (value);
  // lengthOf cannot be fooled by a subclass, but takes longer.
  if (array.length > 0 || lengthOf(array) > 0) {
    arrays.push(array);
  } else if (isDetached(array)) {
    throw mistake(parent, key, `${describe(array)} on a detached buffer`, 'one that can be read');
  }
}

/**
 * @param {GradientArray[]} arrays
 * @param {object} value
 * @param {Place | null} parent
 * @param {unknown} key
 */
function visitContainer(arrays, value, parent, key) {
  let list;
  try {
    list = Array.isArray(value) ? value : null;
  } catch {
    throw notAGradient(value, parent, key); // a revoked Proxy
  }
  const place = enter(value, parent, key);
  if (list !== null) {
    for (let i = 0, length = list.length; i < length; ++i) visit(arrays, list[i], place, i);
  } else if (isMap(value)) {
    visitIterable(value.entries(), ([name, item]) => visit(arrays, item, place, name));
  } else if ('grad' in value) {
    visitGradientOfParameter(arrays, value.grad, place);
  } else if (isIterable(value)) {
    let index = 0;
    visitIterable(value[Symbol.iterator](), (item) => visit(arrays, item, place, index++));
  } else if (isPlainRecord(value)) {
    for (const name of Object.keys(value)) visit(arrays, value[name], place, name);
  } else {
    throw notAGradient(value, parent, key);
  }
}

/**
 * @param {GradientArray[]} arrays
 * @param {unknown} gradient
 * @param {Place} place
 */
function visitGradientOfParameter(arrays, gradient, place) {
  if (gradient === null || gradient === undefined) return;
  const name = typedArrayName(gradient);
  if (name === undefined) {
    const words = describe(gradient);
    const isList = words === 'an Array' && typeof (/** @type {unknown[]} */ (gradient)[0]) === 'number';
    const got = isList ? NUMBERS : words;
    throw mistake(place, 'grad', got, `${GRADIENT_TYPES_IN_WORDS}, or null`);
  }
  visitArray(arrays, /** @type {object} */ (gradient), name, place, 'grad');
}

/**
 * A for...of that also closes an iterator whose next() has thrown: what it holds may be a file or a lock.
 * @template T
 * @param {Iterator<T>} iterator
 * @param {(item: T) => void} visitItem
 */
function visitIterable(iterator, visitItem) {
  try {
    for (let step = iterator.next(); !step.done; step = iterator.next()) visitItem(step.value);
  } catch (error) {
    try {
      iterator.return?.();
    } catch {
      // The first error is the one to report.
    }
    throw error;
  }
}

/**
 * @param {object} container
 * @param {Place | null} parent
 * @param {unknown} key
 * @returns {Place}
 */
function enter(container, parent, key) {
  for (let ancestor = parent; ancestor !== null; ancestor = ancestor.parent) {
    if (ancestor.container !== container) continue;
    const origin = nameOf(ancestor.parent, ancestor.key);
    throw mistake(parent, key, `the same object as ${origin}`, 'a tree without circles');
  }
  const depth = parent === null ? 0 : parent.depth + 1;
  if (depth > MAX_DEPTH) {
    throw mistake(parent, key, `nested ${depth} levels deep`, `at most ${MAX_DEPTH} levels`);
  }
  return { parent, key, container, depth };
}

/**
 * @param {unknown} value
 * @param {Place | null} parent
 * @param {unknown} key
 */
function notAGradient(value, parent, key) {
  if (typeof value === 'number' && key === 0 && parent !== null && Array.isArray(parent.container)) {
    return mistake(parent.parent, parent.key, NUMBERS, EXPECTED);
  }
  return mistake(parent, key, describe(value), EXPECTED);
}

/**
 * @param {Place | null} parent
 * @param {unknown} key
 * @param {string} got
 * @param {string} expected
 */
function mistake(parent, key, got, expected) {
  return new TypeError(`${nameOf(parent, key)} is ${got}; expected ${expected}`);
}

/**
 * @param {Place | null} parent
 * @param {unknown} key
 * @returns {string}  such as gradients[3], gradients.fc1.weight or gradients["fc1/weight"]
 */
function nameOf(parent, key) {
  if (parent === null) return 'gradients';
  const prefix = nameOf(parent.parent, parent.key);
  if (typeof key !== 'string') return `${prefix}[${typeof key === 'object' ? describe(key) : String(key)}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)
    ? `${prefix}.${key}`
    : `${prefix}[${JSON.stringify(key)}]`;
}

/**
 * By its tag, so that Maps of other realms count.
 * @param {object} value
 * @returns {value is Map<unknown, unknown>}
 */
function isMap(value) {
  return tagOf(value) === 'Map';
}

/**
 * @param {object} value
 * @returns {value is Iterable<unknown>}
 */
function isIterable(value) {
  return typeof (/** @type {Partial<Iterable<unknown>>} */ (value)[Symbol.iterator]) === 'function';
}

/**
 * An object literal of any realm, or one without a prototype.
 * @param {object} value
 * @returns {value is Record<string, unknown>}
 */
function isPlainRecord(value) {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
