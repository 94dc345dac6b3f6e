// web/words/typed-array.js: what a typed array really is, by the engine's own getters. They work on arrays of other
// realms (iframes, vm contexts), run no user code, and no subclass can override them. Pure; imports nothing.

const prototype = /* @__PURE__ */ Object.getPrototypeOf(Int8Array.prototype);
const getTag = /* @__PURE__ */ getterOf(Symbol.toStringTag);
const getLength = /* @__PURE__ */ getterOf('length');
const getBuffer = /* @__PURE__ */ getterOf('buffer');
const getByteOffset = /* @__PURE__ */ getterOf('byteOffset');

/**
 * @param {string | symbol} name
 * @returns {{ call(array: unknown): any }}
 */
function getterOf(name) {
  return /** @type {any} */ (Object.getOwnPropertyDescriptor(prototype, name)).get;
}

/**
 * The name of a typed array's type, such as 'Float32Array'; undefined for anything else.
 * @param {unknown} value
 * @returns {string | undefined}
 */
export function typedArrayName(value) {
  return getTag.call(value);
}

/**
 * @param {ArrayLike<number>} array  a typed array
 * @returns {number}
 */
export function lengthOf(array) {
  return getLength.call(array);
}

/**
 * Whether the array's buffer was detached, or shrunk to before the array's end: its methods throw then.
 * @param {ArrayLike<number>} array  a typed array
 * @returns {boolean}
 */
export function isDetached(array) {
  try {
    prototype.keys.call(array);
    return false;
  } catch {
    return true;
  }
}

/**
 * Of an array that is detached in this sense: whether its buffer is there, but ends before the array does.
 * @param {ArrayLike<number>} array  a typed array
 * @returns {boolean}
 */
export function isOutOfBounds(array) {
  try {
    return new Uint8Array(bufferOf(array)).length >= 0;
  } catch {
    return false;
  }
}

/**
 * @param {ArrayLike<number>} array  a typed array
 * @returns {ArrayBufferLike}
 */
export function bufferOf(array) {
  return getBuffer.call(array);
}

/**
 * @param {ArrayLike<number>} array  a typed array
 * @returns {number}
 */
export function byteOffsetOf(array) {
  return getByteOffset.call(array);
}

/**
 * Some bytes of an array. Unlike subarray it calls no constructor of a subclass.
 * @param {ArrayLike<number>} array  a typed array
 * @param {number} start  in bytes, from the array's own start
 * @param {number} length  in bytes
 * @returns {Uint8Array}
 */
export function bytesOf(array, start, length) {
  return new Uint8Array(bufferOf(array), byteOffsetOf(array) + start, length);
}

/**
 * A view that stays as long as it is, where the array itself follows the length of its buffer.
 * @template {ArrayLike<number>} Type
 * @param {Type} array  a typed array
 * @param {number} length
 * @returns {Type}
 */
export function firstOf(array, length) {
  const ArrayType = /** @type {any} */ (globalThis)[/** @type {string} */ (typedArrayName(array))];
  return new ArrayType(bufferOf(array), byteOffsetOf(array), length);
}

/**
 * @param {ArrayLike<number>} array  a typed array of 16-bit elements
 * @returns {Uint16Array}  its bits
 */
export function uint16ViewOf(array) {
  return new Uint16Array(bufferOf(array), byteOffsetOf(array), lengthOf(array));
}

/**
 * @param {ArrayLike<number>} array  a typed array
 * @param {number} value
 * @param {number} length  of the elements to fill
 */
export function fillWith(array, value, length) {
  prototype.fill.call(array, value, 0, length);
}
