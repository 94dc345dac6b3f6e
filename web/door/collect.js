// web/door/collect.js: the door. Reads what the user passed into a flat list of tensors: first in the pipeline,
// before web/core/reduce.js, and with web/door/aliases.js the only place that throws on gradients. All of the user's code
// (getters, iterators, proxies) runs here, so that nothing can interrupt or re-enter a reduction.
import { tensorsOf } from '../core/homes.js';
import { arrayTypeOf, dtypeNamed, dtypeOf, GRADIENT_TYPES_IN_WORDS, isWritable } from '../core/dtypes.js';
import { describe, isList, placeIn, tagOf } from '../words/errors.js';
import { firstOf, isDetached, isOutOfBounds, lengthOf, typedArrayName } from '../words/typed-array.js';

/**
 * @typedef {import('../core/dtypes.js').Tensor} Tensor
 * @typedef {import('../core/dtypes.js').Place} Place
 * @typedef {import('../core/dtypes.js').GradientArray} GradientArray
 * @typedef {import('../core/dtypes.js').Float16GradientArray} Float16GradientArray
 * @typedef {import('../core/dtypes.js').HalfGradient} HalfGradient
 * @typedef {import('../core/dtypes.js').NamedGradient} NamedGradient
 */

/**
 * A gradient, or null where a parameter has none.
 * @typedef {GradientArray | Float16GradientArray | HalfGradient | NamedGradient | null | undefined} Gradient
 */

/**
 * A parameter: any object with a `grad`, such as a layer's weight after the backward pass.
 * @typedef {{ readonly grad?: Gradient } | { readonly grad: Gradient, readonly name?: string }} Parameter
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
 * Whose door it is: what the argument is called, and which objects are gradients beside arrays.
 * @typedef {object} Door
 * @property {string} root   the name of the argument
 * @property {string} types  of gradients, in words
 * @property {readonly unknown[]} tensors  those that were taken
 * @property {(value: object, parent: Place | null, key: unknown) => boolean} take  takes a value, if it is a gradient
 *   that is in no array
 */

/** @type {Door} */
export const ARRAYS = { root: 'gradients', types: GRADIENT_TYPES_IN_WORDS, tensors: [], take: () => false };

const NUMBERS = 'an Array of numbers (wrap it: Float32Array.from(values))';
const DTYPES = "'float16', 'bfloat16' or the name of its data's type, such as 'float32'";
export const MAX_DEPTH = 100;

// The key of a parameter's gradient.
const GRAD = Symbol('grad');

/**
 * Flattens gradients into a list of tensors in the order of reading, skipping null and undefined. Arrays are
 * read by index up to the length they had at first; iterators are closed on any error.
 * @param {unknown} gradients
 * @param {Door} [door]
 * @returns {readonly Tensor[]}  those in arrays
 * @throws {TypeError} on anything that is not a gradient, naming its place; also on undefined in the place of them
 *   all, which is a name that was misspelt
 */
export function collect(gradients, door = ARRAYS) {
  if (gradients === undefined) throw notAGradient(door, gradients, null, undefined);
  const known = door === ARRAYS ? tensorsOf(gradients) : undefined;
  if (known !== undefined) return known;
  const reader = new Reader(door);
  reader.visit(gradients, null, undefined);
  const { tensors } = reader;
  // A getter or an iterator may have transferred or grown the buffer of a gradient that had been read already.
  for (let i = 0; i < tensors.length; ++i) {
    const tensor = tensors[i];
    // Asked the fast way first, which a subclass may have an answer of its own to.
    if (tensor.array.length === tensor.length) continue;
    const length = lengthOf(tensor.array);
    if (length < tensor.length) throw changed(door, tensor);
    if (length > tensor.length) tensor.array = firstOf(tensor.array, tensor.length);
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
 * The names of tensors, as tensorName has them, put together when somebody asks; keeps no tensor in memory until then.
 * @param {readonly Tensor[]} tensors
 * @returns {(index: number) => string}
 */
export function namesOf(tensors) {
  /** The way to each tensor, which those in one container have in common. @type {string[][]} */
  const ways = [];
  /** @type {unknown[]} */
  const keys = [];
  /** @type {Place | null} */
  let last = null;
  /** @type {string[]} */
  let way = [];
  for (const { parent, key } of tensors) {
    if (parent !== last) {
      last = parent;
      way = parent === null ? [] : pathTo(parent.parent, parent.name ?? parent.key);
    }
    ways.push(way);
    keys.push(parent === null ? GRAD : key);
  }
  return (index) => {
    const key = keys[index];
    return [...ways[index], ...(key === GRAD ? [] : [String(key)])].join('.') || ARRAYS.root;
  };
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
  const path = pathTo(parent.parent, parent.name ?? parent.key);
  if (key !== GRAD) path.push(String(key));
  return path;
}

/** Walks through what the user passed. A place is told by the one that it is in and the key there. */
class Reader {
  /** @param {Door} door */
  constructor(door) {
    this.door = door;
    /** @type {Tensor[]} */
    this.tensors = [];
  }

  /**
   * @param {unknown} value
   * @param {Place | null} parent
   * @param {unknown} key
   */
  visit(value, parent, key) {
    if (value === null || value === undefined) return;
    if (typeof value !== 'object' && typeof value !== 'function')
      throw notAGradient(this.door, value, parent, key);
    const type = typedArrayName(value);
    const list = type === undefined && isList(value);
    if (list === undefined) throw notAGradient(this.door, value, parent, key);
    if ('grad' in value) {
      this.visitParameter(value, parent, key);
    } else if (type === undefined) {
      this.visitContainer(value, list, parent, key);
    } else {
      const dtype = dtypeOf(type);
      if (dtype === undefined) throw notAGradient(this.door, value, parent, key);
      this.visitArray(value, dtype, parent, key);
    }
  }

  /**
   * @param {object} value   a typed array
   * @param {number} dtype   of its elements
   * @param {Place | null} parent
   * @param {unknown} key
   */
  visitArray(value, dtype, parent, key) {
    const array = /** @type {GradientArray} */ (value);
    const length = lengthOf(array);
    if (length === 0 && isDetached(array)) {
      const why = isOutOfBounds(array) ? 'a buffer that shrank to before its end' : 'a detached buffer';
      throw mistake(this.door, parent, key, `${describe(array)} on ${why}`, 'one that can be read');
    }
    this.tensors.push({ array, dtype, length, parent, key });
  }

  /**
   * @param {object} value
   * @param {boolean} list  whether it is an Array
   * @param {Place | null} parent
   * @param {unknown} key
   */
  visitContainer(value, list, parent, key) {
    if (this.door.take(value, parent, key)) return;
    if (isForeign(value)) throw notAGradient(this.door, value, parent, key);
    const place = this.enter(value, parent, key);
    if (list) {
      const items = /** @type {unknown[]} */ (value);
      for (let i = 0, length = items.length; i < length; ++i) this.visit(items[i], place, i);
    } else if (isMap(value)) {
      this.visitMap(value, place);
    } else if (!this.visitTyped(value, parent, key)) {
      this.visitIterableOrRecord(value, place);
    }
  }

  /**
   * @param {Pick<ReadonlyMap<unknown, unknown>, 'entries'>} map
   * @param {Place} place  the map's own
   */
  visitMap(map, place) {
    let index = 0;
    this.visitNamed(() =>
      visitIterable(map.entries(), (pair) => {
        if (!isList(pair))
          throw mistake(this.door, place, index, describe(pair), '[name, gradient], as a Map has');
        const [key, item] = pair;
        this.visit(item, place, Object(key) === key ? (nameOf(key) ?? index) : key);
        ++index;
      }),
    );
  }

  /**
   * @param {object} value
   * @param {Place} place  the value's own
   */
  visitIterableOrRecord(value, place) {
    if (isIterable(value)) {
      let index = 0;
      visitIterable(value[Symbol.iterator](), (item) => this.visit(item, place, index++));
    } else if (isPlainRecord(value)) {
      this.visitNamed(() => {
        for (const name of Object.keys(value)) this.visit(value[name], place, name);
      });
    } else {
      throw notAGradient(this.door, value, place.parent, place.key);
    }
  }

  /**
   * Integers beside floats under names are the indices of a sparse gradient, a shape or a mask: counted as gradients, they would
   * give a wrong norm in silence. Nobody calls them `grad` by chance.
   * @param {() => void} visitItems  of a record or Map
   */
  visitNamed(visitItems) {
    const first = this.tensors.length;
    const taken = this.door.tensors.length;
    visitItems();
    const added = this.tensors.slice(first);
    const integers = added.find(({ dtype, key }) => !isWritable(dtype) && key !== GRAD);
    if (integers === undefined) return;
    if (this.door.tensors.length === taken && !added.some(({ dtype }) => isWritable(dtype))) return;
    const got = `${describe(integers.array)} beside floating-point gradients in one record`;
    const expected = 'names of gradients only (of a sparse one its values)';
    throw mistake(this.door, integers.parent, integers.key, got, expected);
  }

  /**
   * @param {object} value  an object with a `grad`
   * @param {Place | null} parent
   * @param {unknown} key
   */
  visitParameter(value, parent, key) {
    const place = this.enter(value, parent, key);
    if (typeof key === 'number') place.name = nameOf(value);
    const gradient = /** @type {{ grad: unknown }} */ (value).grad;
    if (gradient === null || gradient === undefined) return;
    const dtype = dtypeOf(typedArrayName(gradient) ?? '');
    if (dtype !== undefined) {
      this.visitArray(/** @type {object} */ (gradient), dtype, place, GRAD);
      return;
    }
    const isReadable = typeof gradient === 'object' && isList(gradient) !== undefined;
    if (
      isReadable &&
      (this.door.take(gradient, place, GRAD) ||
        (!isForeign(gradient) && this.visitTyped(gradient, place, GRAD)))
    )
      return;
    const words = describe(gradient);
    const isNumbers = words === 'an Array' && typeof (/** @type {unknown[]} */ (gradient)[0]) === 'number';
    throw mistake(this.door, place, GRAD, isNumbers ? NUMBERS : words, `${this.door.types}, or null`);
  }

  /**
   * @param {object} value
   * @param {Place | null} parent
   * @param {unknown} key
   * @returns {boolean}  whether the value is { data, dtype }: elements, or their bits, with the name of their type
   */
  visitTyped(value, parent, key) {
    const named = /** @type {{ data?: unknown, dtype?: unknown }} */ (value);
    const { dtype: name } = named;
    const dtype = dtypeNamed(name);
    if (dtype === undefined) return false;
    const { data } = named;
    const type = typedArrayName(data) ?? '';
    const isBits = type === 'Uint16Array' && /float16/.test(/** @type {string} */ (name));
    if (!isBits && dtypeOf(type) !== dtype) {
      throw mistake(
        this.door,
        { parent, key, name: null, container: value, depth: 0 },
        'data',
        describe(data),
        arrayTypeOf(dtype),
      );
    }
    this.visitArray(/** @type {object} */ (data), dtype, parent, key);
    return true;
  }

  /**
   * @param {object} container
   * @param {Place | null} parent
   * @param {unknown} key
   * @returns {Place}
   */
  enter(container, parent, key) {
    for (let ancestor = parent; ancestor !== null; ancestor = ancestor.parent) {
      if (ancestor.container !== container) continue;
      const origin = placeAt(this.door.root, ancestor.parent, ancestor.key);
      throw mistake(this.door, parent, key, `the same object as ${origin}`, 'a tree without circles');
    }
    const depth = parent === null ? 0 : parent.depth + 1;
    if (depth > MAX_DEPTH) {
      throw mistake(this.door, parent, key, `nested ${depth} levels deep`, `at most ${MAX_DEPTH} levels`);
    }
    return { parent, key, name: undefined, container, depth };
  }
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
  return mistake(door, parent, key, describe(value), isDtype ? DTYPES : expectedOf(door));
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
 * Whether a value stands for elements that cannot be read: a tensor of a framework, whose iterator may consume it, or a
 * typed array behind a Proxy, whose iterator fails.
 * @param {object} value
 */
function isForeign(value) {
  return 'dataSync' in value || 'BYTES_PER_ELEMENT' in value;
}

/**
 * By its tag, so that Maps of other realms count, or by what it can do, so that those of other libraries do. Sets can do the
 * same.
 * @param {object} value
 * @returns {value is Pick<ReadonlyMap<unknown, unknown>, 'entries'>}
 */
function isMap(value) {
  const tag = tagOf(value);
  if (tag === 'Map' || tag === 'Set') return tag === 'Map';
  const { size, entries } = /** @type {Partial<ReadonlyMap<unknown, unknown>>} */ (value);
  return typeof size === 'number' && typeof entries === 'function';
}

/**
 * The name that an object or a function has itself.
 * @param {unknown} value
 * @returns {string | undefined}
 */
function nameOf(value) {
  if (isList(value) === undefined) return undefined;
  const { name } = /** @type {{ name?: unknown }} */ (value);
  return typeof name === 'string' && name !== '' ? name : undefined;
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
export function isPlainRecord(value) {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
