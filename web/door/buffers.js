// web/door/buffers.js: the door for buffers of a GPU. Takes them out of what web/door/collect.js walks through, and throws on what is
// wrong with them.
import { collect, isPlainRecord, nameAt, notAGradient, placeAt } from './collect.js';
import { BYTE_SHIFTS, dtypeNamed, FLOAT64, GRADIENT_TYPES_IN_WORDS, isWritable } from '../core/dtypes.js';
import { describe } from '../words/errors.js';

/** @typedef {import('../webgpu/types.js').GpuBuffer} GpuBuffer */

/**
 * A gradient in a buffer with usage STORAGE.
 * @typedef {object} GpuGradient
 * @property {GpuBuffer} buffer  on the device of the GpuGradNorm
 * @property {number} [offset]  in bytes, a multiple of the element's size; 0 if left out
 * @property {number} length    in elements
 * @property {'float32' | 'float16' | 'bfloat16'} [dtype]  'float32' if left out
 */

/**
 * A parameter: any object with a `grad` that is in a buffer.
 * @typedef {{ readonly grad?: GpuGradient | null } |
 *   { readonly grad: GpuGradient | null | undefined, readonly name?: string }} GpuParameter
 */

/**
 * A gradient in a buffer, a parameter, or any list, Map or plain record of these, nested as you like. Null is skipped.
 * @typedef {GpuGradient | GpuParameter | null | undefined | (object & { [Symbol.iterator](): Iterator<GpuGradients> }) |
 *   { readonly size: number, entries(): Iterator<[unknown, GpuGradients]> } |
 *   { readonly [name: string]: GpuGradients }} GpuGradients
 */

/**
 * Gradients in buffers, in arrays, or both.
 * @typedef {GpuGradient | GpuParameter | import('./collect.js').Gradient | import('./collect.js').Parameter |
 *   (object & { [Symbol.iterator](): Iterator<MixedGradients> }) |
 *   { readonly size: number, entries(): Iterator<[unknown, MixedGradients]> } |
 *   { readonly [name: string]: MixedGradients }} MixedGradients
 */

/**
 * @typedef {object} GpuTensor
 * @property {GpuBuffer} buffer
 * @property {number} dtype    the code of its elements' type
 * @property {number} offset   in bytes
 * @property {number} length   in elements
 * @property {string} place    as the user would write it, such as tensors.fc1.weight
 * @property {string} name     such as fc1.weight
 */

/** @typedef {import('./collect.js').Door} Door */
/** @typedef {import('../core/dtypes.js').Place} Place */

const NAMES = ['buffer', 'offset', 'length', 'dtype'];
const TYPES = `{ ${NAMES.join(', ')} }`;

/** The flag of buffers that shaders can bind: WebGPU's names are no globals in Node.js. */
const STORAGE = 0x80;

/**
 * @param {unknown} tensors
 * @returns {GpuTensor[]}  in the order of reading
 * @throws {TypeError} on anything that is no tensor in a buffer, naming its place
 */
export function collectTensors(tensors) {
  const door = new BufferDoor('tensors', TYPES);
  const [array] = collect(tensors, door);
  if (array !== undefined) throw notAGradient(door, array.array, array.parent, array.key);
  return door.tensors;
}

/**
 * Gradients of which some are in buffers and some in arrays.
 * @param {unknown} gradients
 * @returns {{ tensors: GpuTensor[], arrays: readonly import('../core/dtypes.js').Tensor[] }}
 * @throws {TypeError} on anything that is no gradient, naming its place
 */
export function collectMixed(gradients) {
  const door = new BufferDoor('gradients', `${TYPES} on the GPU, ${GRADIENT_TYPES_IN_WORDS}`);
  const arrays = collect(gradients, door);
  return { tensors: door.tensors, arrays };
}

/**
 * The whole words that the elements lie in, in bytes.
 * @param {{ offset: number, dtype: number, length: number }} elements
 */
export function wordsAround({ offset, dtype, length }) {
  const bytes = length * 2 ** BYTE_SHIFTS[dtype];
  return { begin: offset - (offset % 4), end: Math.ceil((offset + bytes) / 4) * 4 };
}

/** Takes references to buffers. @implements {Door} */
class BufferDoor {
  /** @type {GpuTensor[]} */
  tensors = [];

  /**
   * @param {string} root
   * @param {string} types
   */
  constructor(root, types) {
    this.root = root;
    this.types = types;
  }

  /** @type {(value: object, parent: Place | null, key: unknown) => boolean} */
  take(value, parent, key) {
    // Tensors of TensorFlow.js have a method of that name.
    if (ArrayBuffer.isView(value) || !('buffer' in value) || 'dataSync' in value) return false;
    const { root } = this;
    const reference = /** @type {GpuGradient} */ (value);
    this.tensors.push(readTensor(reference, placeAt(root, parent, key), nameAt(root, parent, key)));
    return true;
  }
}

/** @type {(reference: GpuGradient, place: string, name: string) => GpuTensor} */
function readTensor(reference, place, name) {
  checkNames(reference, place);
  const { buffer, offset = 0, length, dtype = 'float32' } = reference;
  if (!isBuffer(buffer)) throw mistake(place, 'buffer', buffer, 'a GPUBuffer');
  const code = dtypeNamed(dtype);
  if (code === undefined || !isWritable(code) || code === FLOAT64)
    throw mistake(place, 'dtype', dtype, "'float32', 'float16' or 'bfloat16'");
  const bytes = 2 ** BYTE_SHIFTS[code];
  if (!isWhole(offset) || offset % bytes !== 0)
    throw mistake(place, 'offset', offset, `bytes, a multiple of ${bytes}`);
  if (!isWhole(length)) throw mistake(place, 'length', length, 'a whole number of elements >= 0');
  const { end } = wordsAround({ dtype: code, offset, length });
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
  return { buffer, dtype: code, offset, length, place, name };
}

/**
 * A record that is written for us has no other names. Objects of the user's own classes may have more, but none that seems to say
 * what is left to its default.
 * @param {GpuGradient} reference
 * @param {string} place
 */
function checkNames(reference, place) {
  const unknown = namesOf(reference).find((name) => !NAMES.includes(name));
  if (unknown === undefined) return;
  throw new TypeError(
    `${place} has an unknown name, ${JSON.stringify(unknown)}; expected any of ${NAMES.join(', ')}`,
  );
}

/**
 * The names that count.
 * @param {GpuGradient} reference
 * @returns {string[]}
 */
function namesOf(reference) {
  if (isPlainRecord(reference)) return Object.keys(reference);
  const values = /** @type {Record<string, unknown>} */ (/** @type {unknown} */ (reference));
  const { offset, dtype } = reference;
  return allNamesOf(reference).filter(
    (name) =>
      (offset === undefined && /offset|start|begin/i.test(name) && Number(values[name]) >= 0) ||
      (dtype === undefined && /type|format/i.test(name) && /\d|half/.test(String(values[name]))),
  );
}

/**
 * Own names and those of getters, wherever they are inherited from.
 * @param {object} object
 * @returns {string[]}
 */
function allNamesOf(object) {
  const prototype = Object.getPrototypeOf(object);
  return prototype === null ? [] : [...Object.getOwnPropertyNames(object), ...allNamesOf(prototype)];
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
