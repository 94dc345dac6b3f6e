// web/core/dtypes.js: the element types of gradients. Pure; the codes are those of src/elements.hpp.

/**
 * Half-precision elements as their bits: IEEE binary16, or the upper half of a binary32 (bfloat16).
 * @typedef {{ readonly data: Uint16Array, readonly dtype: 'float16' | 'bfloat16' }} HalfGradient
 */

/**
 * A Float16Array, where the engine has it; written out because not every version of TypeScript knows it.
 * @typedef {{ readonly [Symbol.toStringTag]: 'Float16Array', readonly length: number,
 *   readonly buffer: ArrayBufferLike, [index: number]: number }} Float16GradientArray
 */

/**
 * Elements with the name of their type, as frameworks keep them.
 * @typedef {{ readonly data: Float32Array, readonly dtype: 'float32' } |
 *   { readonly data: Float64Array, readonly dtype: 'float64' } |
 *   { readonly data: Float16GradientArray, readonly dtype: 'float16' } |
 *   { readonly data: Int8Array, readonly dtype: 'int8' } |
 *   { readonly data: Uint8Array | Uint8ClampedArray, readonly dtype: 'uint8' } |
 *   { readonly data: Int16Array, readonly dtype: 'int16' } |
 *   { readonly data: Uint16Array, readonly dtype: 'uint16' } |
 *   { readonly data: Int32Array, readonly dtype: 'int32' } |
 *   { readonly data: Uint32Array, readonly dtype: 'uint32' }} NamedGradient
 */

/**
 * A typed array of elements that the core can read.
 * @typedef {Float32Array | Float64Array | Int8Array | Uint8Array | Uint8ClampedArray | Int16Array |
 *   Uint16Array | Int32Array | Uint32Array} GradientArray
 */

/**
 * One gradient as the pipeline sees it: its elements, and where it was found.
 * @typedef {object} Tensor
 * @property {GradientArray} array  the elements, or their bits; of the length that is written beside it
 * @property {number} dtype         the code of its elements' type
 * @property {number} length        in elements, at the door; a buffer that grows later changes nothing
 * @property {Place | null} parent  for the door alone
 * @property {unknown} key          index or name in the parent
 */

/**
 * The place of a container: how the user would write it, and what to look for to find a circle.
 * @typedef {object} Place
 * @property {Place | null} parent
 * @property {unknown} key         index or name in the parent; the root has none
 * @property {unknown} name        its own, of a parameter in a list
 * @property {object} container
 * @property {number} depth
 */

export const FLOAT32 = 0;
export const FLOAT64 = 1;
export const FLOAT16 = 2;
export const BFLOAT16 = 3;

/** The name of each code. */
export const DTYPE_NAMES = [
  'float32',
  'float64',
  'float16',
  'bfloat16',
  'int8',
  'uint8',
  'int16',
  'uint16',
  'int32',
  'uint32',
];

/** The base-2 logarithm of the bytes of an element, by code. */
export const BYTE_SHIFTS = [2, 3, 1, 1, 0, 0, 1, 1, 2, 2];

const CODES = /* @__PURE__ */ codesOfArrays();

function codesOfArrays() {
  const types = ['Float64', 'Float16', 'Int8', 'Uint8', 'Uint8Clamped', 'Int16', 'Uint16', 'Int32', 'Uint32'];
  return new Map(
    types.map((type) => [`${type}Array`, DTYPE_NAMES.indexOf(type.replace('Clamped', '').toLowerCase())]),
  );
}

export const GRADIENT_TYPES_IN_WORDS =
  'a Float32Array, Float64Array, Float16Array or array of 8- to 32-bit integers, ' +
  "{ data: Uint16Array, dtype: 'float16' or 'bfloat16' }";

export const WRITABLE_TYPES_IN_WORDS =
  'a Float32Array, Float64Array or Float16Array, ' +
  "or { data: Uint16Array, dtype: 'float16' or 'bfloat16' }";

/**
 * The code of a typed array's type; undefined if its elements are no gradient.
 * @param {string} name  of the type
 * @returns {number | undefined}
 */
export function dtypeOf(name) {
  return name === 'Float32Array' ? FLOAT32 : CODES.get(name);
}

/**
 * The code of a type by its own name, such as 'float16'; undefined for any other.
 * @param {unknown} name
 * @returns {number | undefined}
 */
export function dtypeNamed(name) {
  const code = DTYPE_NAMES.indexOf(/** @type {string} */ (name));
  return code < 0 ? undefined : code;
}

/**
 * Which arrays hold elements of a type, in words.
 * @param {number} dtype
 */
export function arrayTypeOf(dtype) {
  const name = DTYPE_NAMES[dtype];
  const bits = `a Uint16Array of the bits of ${name} elements`;
  if (dtype === BFLOAT16) return bits;
  const type = name.replace(/^./, (letter) => letter.toUpperCase());
  const array = `${/^I/.test(type) ? 'an' : 'a'} ${type}Array`;
  return dtype === FLOAT16 ? `${bits}, or ${array}` : array;
}

/** @param {number} dtype */
export function isHalf(dtype) {
  return dtype === FLOAT16 || dtype === BFLOAT16;
}

/**
 * Whether clipping may write elements of this type: integers cannot hold what comes out.
 * @param {number} dtype
 */
export function isWritable(dtype) {
  return dtype <= BFLOAT16;
}

/**
 * The value of half-precision bits that are not finite.
 * @param {number} bits  16 of them
 * @param {number} dtype  FLOAT16 or BFLOAT16
 * @returns {number}  NaN, Infinity or -Infinity
 */
export function nonfiniteHalf(bits, dtype) {
  const infinity = dtype === FLOAT16 ? 0x7c00 : 0x7f80;
  if ((bits & 0x7fff) !== infinity) return NaN;
  return bits === infinity ? Infinity : -Infinity;
}

/**
 * The bits of a number >= 0 as a half, rounded to nearest even.
 * @param {number} value
 * @param {number} dtype  FLOAT16 or BFLOAT16
 * @returns {number}
 */
export function halfBitsOf(value, dtype) {
  const [precision, smallest, infinity] = dtype === FLOAT16 ? [10, -14, 0x7c00] : [7, -126, 0x7f80];
  const finite = Math.min(value, 2 ** 128);
  const binade = Math.max(Math.floor(Math.log2(finite)), smallest);
  // Doubles of this size are whole numbers, so the sum is rounded as the half is to be.
  const units = finite / 2 ** (binade - precision) + 2 ** 52 - 2 ** 52;
  return Math.min(infinity, (binade - smallest) * 2 ** precision + units);
}
