// web/cli/element-types.js: the element types of files, and how those that the core does not know become others that it does.
import { dtypeNamed } from '../core/dtypes.js';

/**
 * @typedef {object} ElementType
 * @property {string} name   as a report shows it
 * @property {number} bytes  of an element
 * @property {number} dtype  as which the core measures it
 * @property {(bytes: Uint8Array, room: Uint8Array) => Uint8Array} widen  what the core measures: the bytes themselves, or a part
 *   of the room
 */

/** Elements that are measured at a time: whole blocks of the core, and little enough to stay in a cache. */
export const CHUNK_ELEMENTS = 2 ** 17;
export const WIDEST_BYTES = 8;

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
 * Integers of 64 bits become doubles in their own place. A double holds every one below 2^53 exactly, which is all that is
 * promised of other elements; a larger one would be rounded, so it is refused.
 * @param {boolean} isSigned
 * @returns {ElementType['widen']}
 */
function toDoubles(isSigned) {
  return (bytes) => {
    const { buffer, byteOffset, byteLength } = bytes;
    const low = new Uint32Array(buffer, byteOffset, byteLength / 4);
    const high = isSigned ? new Int32Array(buffer, byteOffset, byteLength / 4) : low;
    const doubles = new Float64Array(buffer, byteOffset, byteLength / 8);
    for (let i = 0; i < doubles.length; ++i) {
      const value = high[2 * i + 1] * 2 ** 32 + low[2 * i];
      if (Math.abs(value) >= 2 ** 53) throw new InexactInteger(integerAt(bytes, i, isSigned), i);
      doubles[i] = value;
    }
    return bytes;
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

/** Bits of the same values as float16, by bits of float8_e4m3fn: no infinities, NaN where all bits but the sign are set. */
const E4M3 = Uint16Array.from({ length: 256 }, (_, bits) => {
  const sign = (bits & 0x80) << 8;
  const magnitude = bits & 0x7f;
  if (magnitude === 0x7f) return sign | 0x7e00;
  // The exponent's bias is 15 instead of 7, the fraction 10 bits instead of 3.
  if (magnitude >= 8) return sign | ((magnitude << 7) + (8 << 10));
  // Subnormal: fraction * 2^-9, which is a normal float16.
  const exponent = 31 - Math.clz32(magnitude);
  return magnitude === 0 ? sign : sign | ((exponent + 6) << 10) | ((magnitude << (10 - exponent)) & 0x3ff);
});

/** float8_e5m2 is the upper half of a float16. */
const E5M2 = Uint16Array.from({ length: 256 }, (_, bits) => bits << 8);

/**
 * @param {Uint16Array} table
 * @returns {ElementType['widen']}
 */
function toHalves(table) {
  return (bytes, room) => {
    const halves = new Uint16Array(room.buffer, room.byteOffset, bytes.length);
    for (let i = 0; i < bytes.length; ++i) halves[i] = table[bytes[i]];
    return room.subarray(0, 2 * bytes.length);
  };
}

/** @type {ElementType['widen']} */
const asItIs = (bytes) => bytes;

/** @type {[string, number, string, ElementType['widen']][]} */
const TYPES = [
  ['float64', 8, 'float64', asItIs],
  ['float32', 4, 'float32', asItIs],
  ['float16', 2, 'float16', asItIs],
  ['bfloat16', 2, 'bfloat16', asItIs],
  ['float8_e4m3fn', 1, 'float16', toHalves(E4M3)],
  ['float8_e5m2', 1, 'float16', toHalves(E5M2)],
  ['int64', 8, 'float64', toDoubles(true)],
  ['int32', 4, 'int32', asItIs],
  ['int16', 2, 'int16', asItIs],
  ['int8', 1, 'int8', asItIs],
  ['uint64', 8, 'float64', toDoubles(false)],
  ['uint32', 4, 'uint32', asItIs],
  ['uint16', 2, 'uint16', asItIs],
  ['uint8', 1, 'uint8', asItIs],
  ['bool', 1, 'uint8', asItIs],
];

/** @type {Map<string, ElementType>} */
const BY_NAME = new Map(
  TYPES.map(([name, bytes, as, widen]) => [name, { name, bytes, dtype: Number(dtypeNamed(as)), widen }]),
);

/**
 * @param {string} name
 * @returns {ElementType}
 */
export function elementType(name) {
  return /** @type {ElementType} */ (BY_NAME.get(name));
}
