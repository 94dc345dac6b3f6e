// web/webgpu/gather.js: small tensors in many buffers, copied into one before they are measured. A dispatch binds a
// handful of buffers, so thousands of them would take hundreds of dispatches; copies need no binding.
import { COPY_DST, COPY_SRC, GATHERED_BYTES, STORAGE } from './constants.js';
import { wordsAround } from './jobs.js';

/**
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./types.js').GpuCommandEncoder} GpuCommandEncoder
 * @typedef {import('./jobs.js').Range} Range
 */

/** Copies of those ranges whose buffers are hardly read otherwise. */
export class Gather {
  /** In bytes. @type {{ source: GpuBuffer, begin: number, target: number, size: number }[]} */
  #copies = [];
  /** @type {GpuBuffer | null} */
  #buffer = null;

  /**
   * @param {import('./context.js').Context} context
   * @param {readonly Range[]} ranges
   */
  constructor({ device, limits }, ranges) {
    /** What is read of each buffer. @type {Map<GpuBuffer, number>} */
    const read = new Map();
    for (const range of ranges) read.set(range.buffer, (read.get(range.buffer) ?? 0) + sizeOf(range));
    const isSmall = (/** @type {GpuBuffer} */ buffer) =>
      (read.get(buffer) ?? 0) <= GATHERED_BYTES && (buffer.usage & COPY_SRC) !== 0;
    const room = read.size > limits.slots ? Math.min(limits.bindingBytes, device.limits.maxBufferSize) : 0;
    let end = 0;
    const targets = ranges.map((range) => {
      const size = sizeOf(range);
      if (!isSmall(range.buffer) || end + size > room) return -1;
      const target = end;
      this.#copies.push({ source: range.buffer, begin: wordsAround(range).begin, target, size });
      // Where a job of float32 is whole.
      end += Math.ceil(size / 16) * 16;
      return target;
    });
    const buffer =
      end === 0
        ? null
        : device.createBuffer({ label: 'gradnorm gathered tensors', size: end, usage: STORAGE | COPY_DST });
    this.#buffer = buffer;
    /** What to measure in the place of the ranges. @type {readonly Range[]} */
    this.ranges = ranges.map((range, i) =>
      buffer === null || targets[i] < 0
        ? range
        : { ...range, buffer, offset: targets[i] + (range.offset % 4) },
    );
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

/** @param {Range} range */
function sizeOf(range) {
  const { begin, end } = wordsAround(range);
  return end - begin;
}
