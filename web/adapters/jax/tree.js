// web/adapters/jax/tree.js: the door of this adapter. Reads trees of jax-js's arrays, and throws on whatever else is there
// before anything is consumed.
import { describe, isList, placeIn } from '../../words/errors.js';

/** @typedef {import('@jax-js/jax').DType} DType */

/**
 * An array of jax-js.
 * @typedef {import('@jax-js/jax').Array} JaxArray
 */

/**
 * The function jit of jax-js.
 * @typedef {import('@jax-js/jax').jit} Jit
 */

/**
 * Arrays in lists and plain records, nested as you like; null is skipped.
 * @typedef {import('@jax-js/jax').JsTree<JaxArray | null | undefined>} JaxTree
 */

const MAX_DEPTH = 100;
const EXPECTED = 'expected an array of jax-js outside of jit and grad, or a list or plain record of them';

/**
 * A tree with other leaves, in the same order of reading.
 * @template Leaf
 * @param {unknown} tree
 * @param {(array: JaxArray, place: string) => Leaf} replace
 * @param {(entries: [string, unknown][]) => unknown} [record]  makes one of its entries
 * @param {string} [place]
 * @param {number} [depth]
 * @returns {any}
 */
export function mapTree(tree, replace, record = Object.fromEntries, place = 'gradients', depth = 0) {
  const visit = (/** @type {unknown} */ item, /** @type {string | number} */ key) =>
    mapTree(item, replace, record, placeIn(place, key), depth + 1);
  if (tree === null || (tree === undefined && depth > 0)) return tree;
  if (depth > MAX_DEPTH) throw new TypeError(`${place} is more than ${MAX_DEPTH} levels deep; ${EXPECTED}`);
  if (isArray(tree)) return replace(tree, place);
  if (isList(tree)) return /** @type {unknown[]} */ (tree).map(visit);
  if (/** @type {object | undefined} */ (tree)?.constructor === Object) {
    const entries = Object.entries(/** @type {object} */ (tree));
    return record(entries.map(([name, item]) => [name, visit(item, name)]));
  }
  throw new TypeError(`${place} is ${describe(tree)}; ${EXPECTED}`);
}

/**
 * The same tree as gradients, of which a Map has names that mean nothing else.
 * @param {unknown} tree  that was read before
 * @param {(array: JaxArray) => unknown} replace
 */
export function gradientsOf(tree, replace) {
  return mapTree(tree, replace, (entries) => new Map(entries));
}

/**
 * The arrays of a tree, each as often as it is there, which is as often as it will be consumed.
 * @param {unknown} tree
 * @param {object} [door]
 * @param {boolean} [door.isWritten]  whether they must be floating-point numbers
 * @param {string} [door.root]  the name of the argument
 * @param {Map<JaxArray, number>} [door.uses]  how often each was read already
 * @returns {JaxArray[]}
 * @throws {TypeError} on anything else, on an array of another type, or one without as many references, naming its place
 */
export function readTree(tree, { isWritten = false, root = 'gradients', uses = new Map() } = {}) {
  /** @type {JaxArray[]} */
  const arrays = [];
  const read = (/** @type {JaxArray} */ array, /** @type {string} */ place) => {
    const { dtype, refCount } = array;
    const times = (uses.get(array) ?? 0) + 1;
    uses.set(array, times);
    if (refCount < times) {
      const expected = `expected ${times} or more: pass its .ref where you use it again`;
      throw new TypeError(
        `${place} is an array of jax-js whose refCount is ${Math.max(0, refCount)}; ${expected}`,
      );
    }
    if (dtype === 'bool' || (isWritten && !dtype.startsWith('float'))) {
      throw new TypeError(`${place} is an array of ${dtype}; expected floating-point numbers`);
    }
    arrays.push(array);
  };
  mapTree(tree, read, Object.fromEntries, root);
  return arrays;
}

/**
 * An array's elements, for one of its references: also if they cannot be read, as while work in other threads is under way.
 * @param {JaxArray} array
 */
export function take(array) {
  try {
    return array.dataSync();
  } catch (error) {
    array.dispose();
    throw error;
  }
}

/** @param {readonly JaxArray[]} arrays */
export function dispose(arrays) {
  for (const array of arrays) array.dispose();
}

/**
 * Nothing of an array is read, least of all what is iterated: that would consume it.
 * @param {unknown} value
 * @returns {value is JaxArray}
 */
function isArray(value) {
  return typeof value === 'object' && value !== null && 'refCount' in value && 'dataSync' in value;
}
