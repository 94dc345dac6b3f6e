// web/core/staging.js: elements into a staging area and back out of it. Used by what reduces and by what rewrites; knows nothing
// of norms.
import { BYTE_SHIFTS, FLOAT32, FLOAT64 } from './dtypes.js';
import { bytesOf } from '../words/typed-array.js';

/**
 * @typedef {import('./dtypes.js').Tensor} Tensor
 * @typedef {import('./dtypes.js').GradientArray} GradientArray
 * @typedef {import('./memory.js').StagingArea} StagingArea
 */

// Up to here a loop copies faster than TypedArray.prototype.set.
const LOOP_COPY_ELEMENTS = 8;

/**
 * Copies elements of a tensor to a byte offset in the staging area, a multiple of 16.
 * @param {StagingArea} staging
 * @param {Tensor} tensor
 * @param {number} start  the first element
 * @param {number} count  of elements, no more than fit
 * @param {number} byteOffset
 */
export function copyIn(staging, { array, dtype, length }, start, count, byteOffset) {
  const isWhole = count === length;
  if (dtype === FLOAT32 && count <= LOOP_COPY_ELEMENTS) {
    copyByLoop(array, start, count, staging.float32, byteOffset >> 2);
  } else if (dtype === FLOAT32 && isWhole) {
    staging.float32.set(array, byteOffset >> 2);
  } else if (dtype === FLOAT64 && isWhole) {
    staging.float64.set(array, byteOffset >> 3);
  } else {
    staging.bytes.set(bytesAt(array, dtype, start, count), byteOffset);
  }
}

/**
 * Copies the first elements in the staging area back to where they came from.
 * @param {StagingArea} staging
 * @param {Tensor} tensor
 * @param {number} start
 * @param {number} count
 */
export function copyOut({ bytes }, { array, dtype }, start, count) {
  const target = bytesAt(array, dtype, start, count);
  target.set(bytes.subarray(0, target.length));
}

/**
 * @param {GradientArray} array
 * @param {number} dtype
 * @param {number} start
 * @param {number} count
 */
function bytesAt(array, dtype, start, count) {
  const bytesPerElement = 1 << BYTE_SHIFTS[dtype];
  return bytesOf(array, start * bytesPerElement, count * bytesPerElement);
}

/**
 * @param {ArrayLike<number>} source
 * @param {number} start
 * @param {number} count
 * @param {Float32Array} target
 * @param {number} offset
 */
function copyByLoop(source, start, count, target, offset) {
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    target[offset + i] = source[start + i];
    target[offset + i + 1] = source[start + i + 1];
    target[offset + i + 2] = source[start + i + 2];
    target[offset + i + 3] = source[start + i + 3];
  }
  for (; i < count; ++i) target[offset + i] = source[start + i];
}
