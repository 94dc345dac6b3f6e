// web/webgpu/gather.js: small tensors in many buffers, copied into one before they are measured. A dispatch binds a
// handful of buffers, so thousands of them would take hundreds of dispatches; copies need no binding.
import { COPY_DST, COPY_SRC, GATHERED_BYTES, STORAGE } from './constants.js';
import { bytesPerElement, wordsAround } from './jobs.js';

/**
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./types.js').GpuCommandEncoder} GpuCommandEncoder
 * @typedef {import('./context.js').Context} Context
 * @typedef {import('./jobs.js').Range} Range
 */

/**
 * Whole words, in bytes.
 * @typedef {object} Copy
 * @property {GpuBuffer} source
 * @property {number} begin   in the source
 * @property {number} target  in the gathered buffer
 * @property {number} size
 */

/** Copies of those ranges whose buffers are hardly read otherwise. */
export class Gather {
  /** @type {Copy[]} */
  #copies = [];
  /** @type {GpuBuffer | null} */
  #buffer = null;

  /**
   * @param {Context} context
   * @param {readonly Range[]} ranges
   */
  constructor({ device, limits }, ranges) {
    const bytesRead = bytesReadOf(ranges);
    const isWorthIt = bytesRead.size > limits.slots;
    const isSmall = (/** @type {GpuBuffer} */ buffer) =>
      (bytesRead.get(buffer) ?? 0) <= GATHERED_BYTES && (buffer.usage & COPY_SRC) !== 0;
    const room = Math.min(limits.bindingBytes, device.limits.maxBufferSize);
    let end = 0;
    const gathered = ranges.map((range) => {
      const copy = copyOf(range, end);
      if (!isWorthIt || !isSmall(range.buffer) || end + copy.size > room) return null;
      end += copy.size;
      this.#copies.push(copy);
      return copy;
    });
    if (end > 0) {
      const label = 'gradnorm gathered tensors';
      this.#buffer = device.createBuffer({ label, size: end, usage: STORAGE | COPY_DST });
    }
    const buffer = this.#buffer;
    /** What to measure in the place of the ranges. @type {readonly Range[]} */
    this.ranges = ranges.map((range, i) => {
      const copy = gathered[i];
      if (copy === null || buffer === null) return range;
      return { ...range, buffer, offset: copy.target + range.offset - copy.begin };
    });
  }

  /** @param {GpuCommandEncoder} encoder  outside of a pass */
  encode(encoder) {
    for (const { source, begin, target, size } of this.#copies) {
      encoder.copyBufferToBuffer(source, begin, /** @type {GpuBuffer} */ (this.#buffer), target, size);
    }
  }

  destroy() {
    this.#buffer?.destroy();
  }
}

/**
 * How much is read of each buffer.
 * @param {readonly Range[]} ranges
 */
function bytesReadOf(ranges) {
  /** @type {Map<GpuBuffer, number>} */
  const read = new Map();
  for (const range of ranges) read.set(range.buffer, (read.get(range.buffer) ?? 0) + copyOf(range, 0).size);
  return read;
}

/**
 * @param {Range} range
 * @param {number} target
 * @returns {Copy}
 */
function copyOf({ buffer, dtype, offset, length }, target) {
  const { begin, end } = wordsAround(offset, length * bytesPerElement(dtype));
  return { source: buffer, begin, target, size: end - begin };
}
