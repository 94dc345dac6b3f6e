// web/cli/element-types.js: the element types of files, and how their bytes become gradients of the library.

/**
 * @typedef {import('../api.js').Gradient} Gradient
 */

/**
 * @typedef {object} ElementType
 * @property {string} name  as a report shows it
 * @property {number} bytes  of an element
 * @property {(bytes: Uint8Array) => Gradient} gradientOf  little-endian elements, at the start of a buffer; they may be
 *   overwritten
 */

/** Elements that are measured at a time: whole blocks of the core, and little enough to stay in a cache. */
export const CHUNK_ELEMENTS = 2 ** 17;

/** An integer that no double holds; index counts the elements that were to be widened. */
export class InexactInteger extends Error {
  /**
   * @param {bigint} value
   * @param {number} index
   */
  constructor(value, index) {
    super(`${value}`);
    this.value = value;
    this.index = index;
  }
}

/**
 * @template T
 * @param {new (buffer: ArrayBufferLike, byteOffset: number, length: number) => T} View
 * @param {number} size  of an element
 * @returns {(bytes: Uint8Array) => T}
 */
function viewAs(View, size) {
  return ({ buffer, byteOffset, byteLength }) => new View(buffer, byteOffset, byteLength / size);
}

const float32 = viewAs(Float32Array, 4);
const float64 = viewAs(Float64Array, 8);
const uint16 = viewAs(Uint16Array, 2);
const int32 = viewAs(Int32Array, 4);
const uint32 = viewAs(Uint32Array, 4);

/**
 * Integers of 64 bits become doubles in their own place. A double holds every one below 2^53 exactly, which is all that is
 * promised of other elements; a larger one would be rounded, so it is refused.
 * @param {boolean} isSigned
 * @returns {(bytes: Uint8Array) => Float64Array}
 */
function doublesOf(isSigned) {
  return (bytes) => {
    const low = uint32(bytes);
    const high = isSigned ? int32(bytes) : low;
    const doubles = float64(bytes);
    for (let i = 0; i < doubles.length; ++i) {
      const value = high[2 * i + 1] * 2 ** 32 + low[2 * i];
      if (Math.abs(value) >= 2 ** 53) throw new InexactInteger(integerAt(bytes, i, isSigned), i);
      doubles[i] = value;
    }
    return doubles;
  };
}

/**
 * @param {Uint8Array} bytes
 * @param {number} index
 * @param {boolean} isSigned
 */
function integerAt({ buffer, byteOffset }, index, isSigned) {
  const view = new DataView(buffer, byteOffset + 8 * index, 8);
  return isSigned ? view.getBigInt64(0, true) : view.getBigUint64(0, true);
}

/** Values of float8_e4m3fn by their bits: no infinities, NaN where all bits but the sign are set. */
const E4M3 = Float32Array.from({ length: 256 }, (_, bits) => {
  const exponent = (bits >> 3) & 15;
  const fraction = bits & 7;
  if ((bits & 0x7f) === 0x7f) return NaN;
  const magnitude = exponent === 0 ? fraction * 2 ** -9 : (8 + fraction) * 2 ** (exponent - 10);
  return bits & 0x80 ? -magnitude : magnitude;
});

const floats = new Float32Array(CHUNK_ELEMENTS);
const halves = new Uint16Array(CHUNK_ELEMENTS);

/** @type {ElementType[]} */
const TYPES = [
  { name: 'float64', bytes: 8, gradientOf: float64 },
  { name: 'float32', bytes: 4, gradientOf: float32 },
  { name: 'float16', bytes: 2, gradientOf: (bytes) => ({ data: uint16(bytes), dtype: 'float16' }) },
  { name: 'bfloat16', bytes: 2, gradientOf: (bytes) => ({ data: uint16(bytes), dtype: 'bfloat16' }) },
  {
    name: 'float8_e4m3fn',
    bytes: 1,
    gradientOf(bytes) {
      for (let i = 0; i < bytes.length; ++i) floats[i] = E4M3[bytes[i]];
      return floats.subarray(0, bytes.length);
    },
  },
  {
    // The upper half of a float16.
    name: 'float8_e5m2',
    bytes: 1,
    gradientOf(bytes) {
      for (let i = 0; i < bytes.length; ++i) halves[i] = bytes[i] << 8;
      return { data: halves.subarray(0, bytes.length), dtype: 'float16' };
    },
  },
  { name: 'int8', bytes: 1, gradientOf: viewAs(Int8Array, 1) },
  { name: 'int16', bytes: 2, gradientOf: viewAs(Int16Array, 2) },
  { name: 'int32', bytes: 4, gradientOf: int32 },
  { name: 'int64', bytes: 8, gradientOf: doublesOf(true) },
  { name: 'uint8', bytes: 1, gradientOf: (bytes) => bytes },
  { name: 'uint16', bytes: 2, gradientOf: uint16 },
  { name: 'uint32', bytes: 4, gradientOf: uint32 },
  { name: 'uint64', bytes: 8, gradientOf: doublesOf(false) },
  { name: 'bool', bytes: 1, gradientOf: (bytes) => bytes },
];

const BY_NAME = new Map(TYPES.map((type) => [type.name, type]));

/**
 * @param {string} name
 * @returns {ElementType}
 */
export function elementType(name) {
  return /** @type {ElementType} */ (BY_NAME.get(name));
}
