// web/webgpu/tensors.js: the door for buffers. Reads what the user passed into a flat list of tensors, like
// web/collect.js for arrays, and throws on what is wrong with it.
import { describe, placeIn } from '../errors.js';
import { STORAGE } from './constants.js';
import { bytesPerElement, DTYPES } from './jobs.js';

/** @typedef {import('./types.js').GpuBuffer} GpuBuffer */

/**
 * A gradient in a buffer with usage STORAGE.
 * @typedef {object} GpuGradient
 * @property {GpuBuffer} buffer
 * @property {number} [offset]  in bytes, a multiple of the element's size; 0 if left out
 * @property {number} length    in elements
 * @property {'float32' | 'float16' | 'bfloat16'} [dtype]  'float32' if left out
 */

/**
 * A gradient in a buffer, or any list, Map or plain record of these, nested as you like. Null is skipped.
 * @typedef {GpuGradient | null | undefined | (object & { [Symbol.iterator](): Iterator<GpuGradients> }) |
 *   { readonly size: number, entries(): Iterator<[unknown, GpuGradients]> } |
 *   { readonly [name: string]: GpuGradients }} GpuGradients
 */

/**
 * Gradients in buffers, in arrays, or both.
 * @typedef {GpuGradient | import('../collect.js').Gradient | (object & { [Symbol.iterator](): Iterator<MixedGradients> }) |
 *   { readonly size: number, entries(): Iterator<[unknown, MixedGradients]> } |
 *   { readonly [name: string]: MixedGradients }} MixedGradients
 */

/**
 * @typedef {object} GpuTensor
 * @property {GpuBuffer} buffer
 * @property {number} dtype    as in web/webgpu/constants.js
 * @property {number} offset   in bytes
 * @property {number} length   in elements
 * @property {string} place    as the user would write it, such as tensors.fc1.weight
 * @property {string} name     such as fc1.weight
 */

const EXPECTED = 'expected { buffer, offset, length, dtype }, a list, Map or plain record of these, or null';
const MAX_DEPTH = 100;

/**
 * @param {unknown} tensors
 * @returns {GpuTensor[]}  in the order of reading
 * @throws {TypeError} on anything that is no tensor in a buffer, naming its place
 */
export function collectTensors(tensors) {
  /** @type {GpuTensor[]} */
  const found = [];
  visit(tensors, 'tensors', [], (tensor) => found.push(tensor));
  return found;
}

/**
 * Takes the tensors in buffers out of gradients that may be in arrays, too.
 * @param {unknown} gradients
 * @returns {{ tensors: GpuTensor[], rest: unknown }}  the rest has null in their places
 */
export function separate(gradients) {
  /** @type {GpuTensor[]} */
  const tensors = [];
  const rest = withoutTensors(gradients, 'gradients', [], (tensor) => tensors.push(tensor));
  return { tensors, rest };
}

/**
 * Whether an object says that it is in a buffer. Typed arrays have a buffer, too.
 * @param {unknown} value
 * @returns {value is GpuGradient}
 */
function isReference(value) {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value) && 'buffer' in value;
}

/**
 * @param {unknown} value
 * @param {string} place
 * @param {string[]} path
 * @param {(tensor: GpuTensor) => void} add
 */
function visit(value, place, path, add) {
  if (value === null || value === undefined) return;
  if (isReference(value)) {
    add(readTensor(value, place, path));
    return;
  }
  const items = itemsOf(value);
  if (items === null) throw new TypeError(`${place} is ${describe(value)}; ${EXPECTED}`);
  checkDepth(place, path);
  for (const [key, item] of items) visit(item, placeIn(place, key), [...path, String(key)], add);
}

/**
 * @param {unknown} value
 * @param {string} place
 * @param {string[]} path
 * @param {(tensor: GpuTensor) => void} add
 * @returns {unknown}  the same without tensors in buffers
 */
function withoutTensors(value, place, path, add) {
  if (isReference(value)) {
    add(readTensor(value, place, path));
    return null;
  }
  const items = isGradient(value) ? null : itemsOf(value);
  if (items === null) return value;
  checkDepth(place, path);
  const rest = items.map(([key, item]) => {
    return /** @type {[unknown, unknown]} */ ([
      key,
      withoutTensors(item, placeIn(place, key), [...path, String(key)], add),
    ]);
  });
  if (Array.isArray(value)) return rest.map(([, item]) => item);
  return value instanceof Map ? new Map(rest) : Object.fromEntries(rest);
}

/**
 * Whether it is for web/collect.js to read: half-precision bits, or a parameter, unless its gradient is in a buffer.
 * @param {unknown} value
 */
function isGradient(value) {
  if (typeof value !== 'object' || value === null) return true;
  if ('grad' in value) return !isReference(value.grad);
  return ArrayBuffer.isView(value) || 'dtype' in value;
}

/**
 * @param {unknown} value
 * @returns {[unknown, unknown][] | null}  null if it is no list, Map or plain record
 */
function itemsOf(value) {
  if (typeof value !== 'object' || value === null) return null;
  if (Array.isArray(value)) return value.map((item, index) => [index, item]);
  if (value instanceof Map) return [...value];
  const prototype = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return isPlain && !ArrayBuffer.isView(value) && !(Symbol.iterator in value) ? Object.entries(value) : null;
}

/**
 * @param {string} place
 * @param {string[]} path
 */
function checkDepth(place, path) {
  if (path.length <= MAX_DEPTH) return;
  throw new TypeError(
    `${place.slice(0, 80)}… is nested ${path.length} levels deep; expected at most ${MAX_DEPTH} levels`,
  );
}

/**
 * @param {GpuGradient} reference
 * @param {string} place
 * @param {string[]} path
 * @returns {GpuTensor}
 */
function readTensor(reference, place, path) {
  const { buffer, offset = 0, length, dtype = 'float32' } = reference;
  if (!isBuffer(buffer)) throw mistake(place, 'buffer', buffer, 'a GPUBuffer');
  const code = DTYPES.get(dtype);
  if (code === undefined) throw mistake(place, 'dtype', dtype, "'float32', 'float16' or 'bfloat16'");
  const bytes = bytesPerElement(code);
  if (!isWhole(offset) || offset % bytes !== 0)
    throw mistake(place, 'offset', offset, `a multiple of ${bytes}`);
  if (!isWhole(length)) throw mistake(place, 'length', length, 'a whole number of elements >= 0');
  const end = Math.ceil((offset + length * bytes) / 4) * 4;
  if (end > buffer.size) {
    throw new TypeError(
      `${place} has ${length} elements of ${dtype} from offset ${offset}, up to byte ${end}; ` +
        `expected at most the ${buffer.size} bytes of its buffer`,
    );
  }
  if ((buffer.usage & STORAGE) === 0) {
    throw new TypeError(
      `${place} has a buffer without usage STORAGE; expected one made with GPUBufferUsage.STORAGE`,
    );
  }
  return { buffer, dtype: code, offset, length, place, name: path.join('.') || 'tensors' };
}

/**
 * By what it can do, so that the buffers of any implementation count.
 * @param {unknown} value
 * @returns {value is GpuBuffer}
 */
function isBuffer(value) {
  const buffer = /** @type {Partial<GpuBuffer> | null | undefined} */ (value);
  return (
    typeof buffer?.mapAsync === 'function' &&
    typeof buffer.size === 'number' &&
    typeof buffer.usage === 'number'
  );
}

/** @param {unknown} value */
function isWhole(value) {
  return Number.isSafeInteger(value) && /** @type {number} */ (value) >= 0;
}

/**
 * @param {string} place
 * @param {string} property
 * @param {unknown} value
 * @param {string} expected
 */
function mistake(place, property, value, expected) {
  return new TypeError(`${place} has ${property} ${describe(value)}; expected ${expected}`);
}
