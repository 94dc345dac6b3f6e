// web/collect.js: the door. Reads what the user passed into a flat list of tensors: first in the pipeline,
// before web/reduce.js, and with web/aliases.js the only place that throws on gradients. All of the user's code
// (getters, iterators, proxies) runs here, so that nothing can interrupt or re-enter a reduction.
import { DTYPE_NAMES, dtypeOf, GRADIENT_TYPES_IN_WORDS, halfDtypeOf } from './dtypes.js';
import { describe, placeIn, tagOf } from './errors.js';
import { isDetached, lengthOf, typedArrayName } from './typed-array.js';

/**
 * @typedef {import('./dtypes.js').GradientArray} GradientArray
 * @typedef {import('./dtypes.js').Float16GradientArray} Float16GradientArray
 * @typedef {import('./dtypes.js').HalfGradient} HalfGradient
 */

/**
 * A gradient, or null where a parameter has none.
 * @typedef {GradientArray | Float16GradientArray | HalfGradient | null | undefined} Gradient
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
 * One gradient as the pipeline sees it: its elements, and where it was found.
 * @typedef {object} Tensor
 * @property {GradientArray} array  the elements, or their bits; of the length that is written beside it
 * @property {number} dtype         its code in web/dtypes.js
 * @property {number} length        in elements
 * @property {Place | null} parent
 * @property {unknown} key          index or name in the parent
 */

/**
 * The place of a container: how the user would write it, and what to look for to find a circle.
 * @typedef {object} Place
 * @property {Place | null} parent
 * @property {unknown} key         index or name in the parent; the root has none
 * @property {object} container
 * @property {number} depth
 */

/**
 * Whose door it is: what the argument is called, and which objects are gradients beside arrays.
 * @typedef {object} Door
 * @property {string} root   the name of the argument
 * @property {string} types  of gradients, in words
 * @property {(value: object, parent: Place | null, key: unknown) => boolean} take  takes a value, if it is a gradient
 *   that is in no array
 */

/** @type {Door} */
const ARRAYS = { root: 'gradients', types: GRADIENT_TYPES_IN_WORDS, take: () => false };

const NUMBERS = 'an Array of numbers (wrap it: Float32Array.from(values))';
const MAX_DEPTH = 100;

// The key of a parameter's gradient.
const GRAD = Symbol('grad');

/**
 * Flattens gradients into a list of tensors in the order of reading, skipping null and undefined. Arrays are
 * read by index up to the length they had at first; iterators are closed on any error.
 * @param {unknown} gradients
 * @param {Door} [door]
 * @returns {Tensor[]}  those in arrays
 * @throws {TypeError} on anything that is not a gradient, naming its place
 */
export function collect(gradients, door = ARRAYS) {
  /** @type {Tensor[]} */
  const tensors = [];
  visit(tensors, door, gradients, null, undefined);
  // A getter or an iterator may have transferred the buffer of a gradient that had been read already.
  for (let i = 0; i < tensors.length; ++i) {
    const tensor = tensors[i];
    if (lengthOf(tensor.array) !== tensor.length) throw changed(door, tensor);
  }
  return tensors;
}

/**
 * Where a tensor was found, as the user would write it: gradients[3], gradients.fc1.weight.grad.
 * @param {Tensor} tensor
 * @returns {string}
 */
export function placeOf({ parent, key }) {
  return placeAt(ARRAYS.root, parent, key);
}

/**
 * The name of a tensor: the names and indices on the way to it, such as fc1.weight or layers.0.bias, or
 * 'gradients' if it is the only one.
 * @param {Tensor} tensor
 * @returns {string}
 */
export function tensorName({ parent, key }) {
  return nameAt(ARRAYS.root, parent, key);
}

/**
 * @param {string} root
 * @param {Place | null} parent
 * @param {unknown} key
 * @returns {string}  such as fc1.weight
 */
export function nameAt(root, parent, key) {
  return pathTo(parent, key).join('.') || root;
}

/**
 * @param {Place | null} parent
 * @param {unknown} key
 * @returns {string[]}
 */
function pathTo(parent, key) {
  if (parent === null) return [];
  const path = pathTo(parent.parent, parent.key);
  if (key !== GRAD) path.push(typeof key === 'object' ? describe(key) : String(key));
  return path;
}

/**
 * @param {Tensor[]} tensors
 * @param {Door} door
 * @param {unknown} value
 * @param {Place | null} parent
 * @param {unknown} key
 */
function visit(tensors, door, value, parent, key) {
  if (value === null || value === undefined) return;
  if (typeof value !== 'object') throw notAGradient(door, value, parent, key);
  const name = typedArrayName(value);
  if (name === undefined) {
    visitContainer(tensors, door, value, parent, key);
  } else {
    const dtype = dtypeOf(name);
    if (dtype === undefined) throw notAGradient(door, value, parent, key);
    visitArray(tensors, door, value, dtype, parent, key);
  }
}

/**
 * @param {Tensor[]} tensors
 * @param {Door} door
 * @param {object} value   a typed array
 * @param {number} dtype   of its elements
 * @param {Place | null} parent
 * @param {unknown} key
 */
function visitArray(tensors, door, value, dtype, parent, key) {
  const array = /** @type {GradientArray} */ (value);
  const length = lengthOf(array);
  if (length === 0 && isDetached(array)) {
    throw mistake(door, parent, key, `${describe(array)} on a detached buffer`, 'one that can be read');
  }
  tensors.push({ array, dtype, length, parent, key });
}

/**
 * @param {Tensor[]} tensors
 * @param {Door} door
 * @param {object} value
 * @param {Place | null} parent
 * @param {unknown} key
 */
function visitContainer(tensors, door, value, parent, key) {
  if (isRevoked(value)) throw notAGradient(door, value, parent, key);
  if (!('grad' in value) && door.take(value, parent, key)) return;
  const list = Array.isArray(value) ? value : null;
  const place = enter(door, value, parent, key);
  if (list !== null) {
    for (let i = 0, length = list.length; i < length; ++i) visit(tensors, door, list[i], place, i);
  } else if (isMap(value)) {
    visitIterable(value.entries(), ([name, item]) => visit(tensors, door, item, place, name));
  } else if ('grad' in value) {
    visitGradientOfParameter(tensors, door, value.grad, place);
  } else if (!visitHalf(tensors, door, value, parent, key)) {
    visitIterableOrRecord(tensors, door, value, place);
  }
}

/**
 * @param {Tensor[]} tensors
 * @param {Door} door
 * @param {object} value
 * @param {Place} place  the value's own
 */
function visitIterableOrRecord(tensors, door, value, place) {
  if (isIterable(value)) {
    let index = 0;
    visitIterable(value[Symbol.iterator](), (item) => visit(tensors, door, item, place, index++));
  } else if (isPlainRecord(value)) {
    for (const name of Object.keys(value)) visit(tensors, door, value[name], place, name);
  } else {
    throw notAGradient(door, value, place.parent, place.key);
  }
}

/**
 * @param {Tensor[]} tensors
 * @param {Door} door
 * @param {unknown} gradient
 * @param {Place} place
 */
function visitGradientOfParameter(tensors, door, gradient, place) {
  if (gradient === null || gradient === undefined) return;
  const dtype = dtypeOf(typedArrayName(gradient) ?? '');
  if (dtype !== undefined) {
    visitArray(tensors, door, /** @type {object} */ (gradient), dtype, place, GRAD);
    return;
  }
  const isReadable = typeof gradient === 'object' && !isRevoked(gradient);
  if (isReadable && (door.take(gradient, place, GRAD) || visitHalf(tensors, door, gradient, place, GRAD)))
    return;
  const words = describe(gradient);
  const isList = words === 'an Array' && typeof (/** @type {unknown[]} */ (gradient)[0]) === 'number';
  throw mistake(door, place, GRAD, isList ? NUMBERS : words, `${door.types}, or null`);
}

/**
 * @param {Tensor[]} tensors
 * @param {Door} door
 * @param {object} value
 * @param {Place | null} parent
 * @param {unknown} key
 * @returns {boolean}  whether the value is the bits of half-precision elements
 */
function visitHalf(tensors, door, value, parent, key) {
  const half = /** @type {Partial<HalfGradient>} */ (value);
  const dtype = halfDtypeOf(half.dtype);
  if (dtype === undefined) return false;
  const { data } = half;
  if (data === undefined || typedArrayName(data) !== 'Uint16Array') {
    const place = `${placeAt(door.root, parent, key)}.data`;
    const expected = `a Uint16Array of the bits of ${DTYPE_NAMES[dtype]} elements`;
    throw new TypeError(`${place} is ${describe(data)}; expected ${expected}`);
  }
  visitArray(tensors, door, data, dtype, parent, key);
  return true;
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
 * @param {Door} door
 * @param {object} container
 * @param {Place | null} parent
 * @param {unknown} key
 * @returns {Place}
 */
function enter(door, container, parent, key) {
  for (let ancestor = parent; ancestor !== null; ancestor = ancestor.parent) {
    if (ancestor.container !== container) continue;
    const origin = placeAt(door.root, ancestor.parent, ancestor.key);
    throw mistake(door, parent, key, `the same object as ${origin}`, 'a tree without circles');
  }
  const depth = parent === null ? 0 : parent.depth + 1;
  if (depth > MAX_DEPTH) {
    throw mistake(door, parent, key, `nested ${depth} levels deep`, `at most ${MAX_DEPTH} levels`);
  }
  return { parent, key, container, depth };
}

/** @param {Door} door */
function expectedOf({ types }) {
  return `${types}, an object whose grad is one, a list, Map or plain record of these, or null`;
}

/**
 * @param {Door} door
 * @param {unknown} value
 * @param {Place | null} parent
 * @param {unknown} key
 */
export function notAGradient(door, value, parent, key) {
  if (typeof value === 'number' && key === 0 && parent !== null && Array.isArray(parent.container)) {
    return mistake(door, parent.parent, parent.key, NUMBERS, expectedOf(door));
  }
  const isDtype = key === 'dtype' && typeof value === 'string';
  return mistake(door, parent, key, describe(value), isDtype ? "'float16' or 'bfloat16'" : expectedOf(door));
}

/**
 * @param {Door} door
 * @param {Tensor} tensor
 */
function changed(door, { array, length, parent, key }) {
  const got = `${describe(array)} that changed from ${length} to ${lengthOf(array)} elements`;
  return mistake(door, parent, key, got, 'buffers to stay while the gradients are read');
}

/**
 * @param {Door} door
 * @param {Place | null} parent
 * @param {unknown} key
 * @param {string} got
 * @param {string} expected
 */
function mistake(door, parent, key, got, expected) {
  return new TypeError(`${placeAt(door.root, parent, key)} is ${got}; expected ${expected}`);
}

/**
 * @param {string} root
 * @param {Place | null} parent
 * @param {unknown} key
 * @returns {string}  such as gradients[3], gradients.fc1.weight or gradients["fc1/weight"]
 */
export function placeAt(root, parent, key) {
  if (parent === null) return root;
  const prefix = placeAt(root, parent.parent, parent.key);
  return key === GRAD ? `${prefix}.grad` : placeIn(prefix, key);
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
 * Whether it is a Proxy that was revoked: whatever is asked of it throws.
 * @param {object} value
 */
function isRevoked(value) {
  try {
    Array.isArray(value);
    return false;
  } catch {
    return true;
  }
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
