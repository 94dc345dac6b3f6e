// web/typed-array.js: what a typed array really is, by the engine's own getters. They work on arrays of other
// realms (iframes, vm contexts), run no user code, and no subclass can override them. Pure; imports nothing.

const prototype = Object.getPrototypeOf(Int8Array.prototype);
const { keys } = prototype;
const getTag = getterOf(Symbol.toStringTag);
const getLength = getterOf('length');
const getBuffer = getterOf('buffer');
const getByteOffset = getterOf('byteOffset');

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
    keys.call(array);
    return false;
  } catch {
    return true;
  }
}

/**
 * As subarray, which would call the constructor of a subclass.
 * @template {Float32ArrayConstructor | Float64ArrayConstructor} T
 * @param {T} Type
 * @param {ArrayLike<number>} array  a typed array of that type
 * @param {number} start
 * @param {number} count
 * @returns {InstanceType<T>}
 */
export function pieceOf(Type, array, start, count) {
  const byteOffset = getByteOffset.call(array) + start * Type.BYTES_PER_ELEMENT;
  return /** @type {InstanceType<T>} */ (new Type(getBuffer.call(array), byteOffset, count));
}
