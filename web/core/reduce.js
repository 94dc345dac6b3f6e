// web/core/reduce.js: tensors on the CPU to a norm or a partial. Second in the pipeline, after web/door/collect.js: packs
// the tensors into the core's staging area and calls it once each time the area holds enough.
import { BYTE_SHIFTS } from './dtypes.js';
import { copyIn } from './staging.js';
import { TOTALS } from './partial.js';
import { getCore, WORDS_PER_SEGMENT } from './module.js';

/**
 * @typedef {import('../door/collect.js').Tensor} Tensor
 * @typedef {import('./module.js').Core} Core
 */

// The core loads 16 bytes at a time, faster where they are aligned; elements must lie at multiples of their size.
const ALIGNMENT = 16;

// Small tensors are no faster in larger heaps, which fall out of the second-level cache.
const ENOUGH_BYTES = 1 << 18;

/**
 * The p-norm of the tensors as if they were one vector. The tensors are read, never written.
 * @param {readonly Tensor[]} tensors
 * @param {number} normType  p > 0, Infinity included
 * @returns {number}
 */
export function reduceNorm(tensors, normType) {
  const core = getCore();
  core.begin(normType);
  pack(core, tensors);
  return core.finish();
}

/**
 * Adds tensors to a partial.
 * @param {readonly Tensor[]} tensors
 * @param {number} normType
 * @param {BigUint64Array} state  of the partial; see web/accumulator.js for what is in it
 * @throws {RangeError} if that is more than a partial holds; nothing is added then
 */
export function reduceInto(tensors, normType, state) {
  const core = getCore();
  begin(core, normType, state);
  pack(core, tensors);
  save(core, state);
}

/**
 * Adds a partial to another.
 * @param {BigUint64Array} from
 * @param {number} normType  of both
 * @param {BigUint64Array} state
 * @throws {RangeError} if that is more than a partial holds; nothing is added then
 */
export function mergeInto(from, normType, state) {
  const core = getCore();
  begin(core, normType, state);
  core.state.set(from);
  core.merge();
  save(core, state);
}

/**
 * The norm of what was added to a partial.
 * @param {BigUint64Array} state
 * @param {number} normType
 * @returns {number}
 */
export function finish(state, normType) {
  const core = getCore();
  begin(core, normType, state);
  return core.finish();
}

/**
 * @param {Core} core
 * @param {number} normType
 * @param {BigUint64Array} state
 */
function begin(core, normType, state) {
  core.begin(normType);
  core.state.set(state);
  core.merge();
}

/**
 * @param {Core} core
 * @param {BigUint64Array} state
 * @throws {RangeError} if the totals might overflow next time; the state stays as it was
 */
function save(core, state) {
  core.save();
  const isFull = core.state.subarray(0, TOTALS).some((total) => total >= 1n << 63n);
  if (isFull) throw new RangeError('more than 2^31 blocks were added; expected a reset() before');
  state.set(core.state);
}

/**
 * @param {Core} core
 * @param {readonly Tensor[]} tensors
 */
function pack(core, tensors) {
  const { blockElements, maxSegments, stagingBytes, segments } = core;
  let segmentCount = 0;
  let byteOffset = 0;
  for (let k = 0; k < tensors.length; ++k) {
    const tensor = tensors[k];
    const { dtype, length } = tensor;
    const shift = BYTE_SHIFTS[dtype];
    for (let start = 0; start < length;) {
      let count = (stagingBytes - byteOffset) >> shift;
      // A piece that does not end its tensor ends at a block, so that cutting changes no block's sum.
      if (count < length - start) count -= count % blockElements;
      else count = length - start;
      if (count === 0 || byteOffset >= ENOUGH_BYTES || segmentCount === maxSegments) {
        core.accumulate(segmentCount);
        segmentCount = 0;
        byteOffset = 0;
        continue;
      }
      copyIn(core, tensor, start, count, byteOffset);
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
