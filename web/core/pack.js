// web/core/pack.js: tensors into the segment table of the core that reaches them, and a call each time that it is full. Whatever
// the core does with tensors it does by way of this.
import { BYTE_SHIFTS } from './dtypes.js';
import { SEGMENT_WORDS } from './layout.js';
import { MAX_GROUPS, MAX_SEGMENTS, STAGING_BYTES } from './memory.js';
import { copyIn } from './staging.js';
import { byteOffsetOf } from '../words/typed-array.js';

/**
 * @typedef {import('./dtypes.js').Tensor} Tensor
 * @typedef {import('./memory.js').Core} Core
 */

// The core loads 16 bytes at a time, faster where they are aligned; elements must lie at multiples of their size.
const ALIGNMENT = 16;

// Small tensors are no faster in larger heaps, which fall out of the second-level cache.
const ENOUGH_BYTES = 1 << 18;

/**
 * Calls `run` with the number of segments in the core's table until all tensors were there, each wholly, and in their order.
 * @param {Core} core
 * @param {readonly Tensor[]} tensors
 * @param {number} first  of the tensors
 * @param {number} end    of the tensors
 * @param {0 | 1} step    between the groups of two tensors; the first has group 0
 * @param {(count: number) => void} run
 */
export function pack(core, tensors, first, end, step, run) {
  if (core.staging === null) packWhereTheyLie(core, tensors, first, end, step, run);
  else packByCopying(core, core.staging, tensors, first, end, step, run);
}

/**
 * Calls `visit` for as many tensors of a household at a time as there are groups, with each tensor's place in the list of all.
 * @param {import('./homes.js').Household} household
 * @param {(first: number, groups: number, positionOf: (group: number) => number) => void} visit
 */
export function forEachBatch({ tensors, positions }, visit) {
  for (let first = 0; first < tensors.length; first += MAX_GROUPS) {
    const positionOf = (/** @type {number} */ group) => positions?.[first + group] ?? first + group;
    visit(first, Math.min(MAX_GROUPS, tensors.length - first), positionOf);
  }
}

/**
 * @param {Core} core
 * @param {readonly Tensor[]} tensors
 * @param {number} first
 * @param {number} end
 * @param {0 | 1} step
 * @param {(count: number) => void} run
 */
function packWhereTheyLie({ segments }, tensors, first, end, step, run) {
  let count = 0;
  for (let k = first; k < end; ++k) {
    const { array, length, dtype } = tensors[k];
    setSegment(segments, count++, byteOffsetOf(array), length, dtype, step * (k - first));
    if (count === MAX_SEGMENTS) {
      run(count);
      count = 0;
    }
  }
  if (count > 0) run(count);
}

/**
 * @param {Core} core
 * @param {import('./memory.js').StagingArea} staging
 * @param {readonly Tensor[]} tensors
 * @param {number} first
 * @param {number} end
 * @param {0 | 1} step
 * @param {(count: number) => void} run
 */
function packByCopying({ blockElements, segments }, staging, tensors, first, end, step, run) {
  let segmentCount = 0;
  let byteOffset = 0;
  for (let k = first; k < end; ++k) {
    const tensor = tensors[k];
    const { dtype, length } = tensor;
    const shift = BYTE_SHIFTS[dtype];
    for (let start = 0; start < length;) {
      let count = (STAGING_BYTES - byteOffset) >> shift;
      // A piece that does not end its tensor ends at a block, so that cutting changes no block's sum.
      if (count < length - start) count -= count % blockElements;
      else count = length - start;
      if (count === 0 || byteOffset >= ENOUGH_BYTES || segmentCount === MAX_SEGMENTS) {
        run(segmentCount);
        segmentCount = 0;
        byteOffset = 0;
        continue;
      }
      copyIn(staging, tensor, start, count, byteOffset);
      setSegment(segments, segmentCount++, staging.at + byteOffset, count, dtype, step * (k - first));
      byteOffset = (byteOffset + (count << shift) + ALIGNMENT - 1) & -ALIGNMENT;
      start += count;
    }
  }
  if (segmentCount > 0) run(segmentCount);
}

/**
 * @param {Uint32Array} segments
 * @param {number} index
 * @param {number} address
 * @param {number} length
 * @param {number} dtype
 * @param {number} group
 */
export function setSegment(segments, index, address, length, dtype, group) {
  const word = index * SEGMENT_WORDS;
  segments[word] = address;
  segments[word + 1] = length;
  segments[word + 2] = dtype;
  segments[word + 3] = group;
}
