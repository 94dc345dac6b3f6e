// web/reduce.js: gradients on the CPU to a norm. Second in the pipeline, after web/collect.js: packs the
// arrays into the core's staging area and calls it once each time the area is full.
import { dtypeOf, FLOAT32 } from './dtypes.js';
import { lengthOf, pieceOf, typedArrayName } from './typed-array.js';
import { getCore } from './wasm.js';

/**
 * @typedef {import('./dtypes.js').GradientArray} GradientArray
 * @typedef {import('./wasm.js').Core} Core
 */

// Up to here a loop copies faster than TypedArray.prototype.set.
const LOOP_COPY_ELEMENTS = 8;
// The core loads 16 bytes at a time.
const ALIGNMENT = 16;
const WORDS_PER_SEGMENT = 3;

/**
 * The p-norm of the arrays as if they were one vector. The arrays are read, never written.
 * @param {readonly GradientArray[]} arrays
 * @param {number} normType  p > 0, Infinity included
 * @returns {number}
 */
export function reduceNorm(arrays, normType) {
  const core = getCore();
  core.begin(normType);
  pack(core, arrays);
  return core.finish();
}

/**
 * @param {Core} core
 * @param {readonly GradientArray[]} arrays
 */
function pack(core, arrays) {
  const { blockElements, maxSegments, stagingBytes, segments, float32, float64 } = core;
  let segmentCount = 0;
  let byteOffset = 0;
  for (let k = 0; k < arrays.length; ++k) {
    const array = arrays[k];
    const length = lengthOf(array);
    const dtype = /** @type {number} */ (dtypeOf(typedArrayName(array)));
    const shift = dtype === FLOAT32 ? 2 : 3;
    for (let start = 0; start < length;) {
      let count = (stagingBytes - byteOffset) >> shift;
      // A piece that does not end its array ends at a block, so that cutting changes no block's sum.
      if (count < length - start) count -= count % blockElements;
      else count = length - start;
      if (count === 0 || segmentCount === maxSegments) {
        core.accumulate(segmentCount);
        segmentCount = 0;
        byteOffset = 0;
        continue;
      }
      const offset = byteOffset >> shift;
      if (count <= LOOP_COPY_ELEMENTS) {
        copyByLoop(array, start, count, dtype === FLOAT32 ? float32 : float64, offset);
      } else if (dtype === FLOAT32) {
        float32.set(count === length ? array : pieceOf(Float32Array, array, start, count), offset);
      } else {
        float64.set(count === length ? array : pieceOf(Float64Array, array, start, count), offset);
      }
      const word = segmentCount * WORDS_PER_SEGMENT;
      segments[word] = byteOffset;
      segments[word + 1] = count;
      segments[word + 2] = dtype;
      segmentCount += 1;
      byteOffset = (byteOffset + (count << shift) + ALIGNMENT - 1) & -ALIGNMENT;
      start += count;
    }
  }
  if (segmentCount > 0) core.accumulate(segmentCount);
}

/**
 * @param {GradientArray} source
 * @param {number} start
 * @param {number} count
 * @param {GradientArray} target
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
