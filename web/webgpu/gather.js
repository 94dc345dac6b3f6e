// web/webgpu/gather.js: small tensors in many buffers, copied into one before they are measured. A dispatch binds a
// handful of buffers, so thousands of them would take hundreds of dispatches; copies need no binding.
import { wordsAround } from '../door/buffers.js';
import { COPY_DST, COPY_SRC, JOB_ELEMENTS, STORAGE } from './layouts.js';

/** @import { GpuBuffer } from './types.js' */
/** @import { Range } from './jobs.js' */

/** A buffer of which no more than this is read, in bytes, may be copied together with others: a job of float32. */
const MOST_GATHERED = 4 * JOB_ELEMENTS;

/** Copies of the ranges in buffers of which little is measured. */
export class Gather {
  /** Sources, where they begin, where they go, and their bytes. @type {[GpuBuffer, number, number, number][]} */
  #copies = [];
  /** @type {GpuBuffer | null} */
  #buffer = null;

  /**
   * @param {import('./context.js').Context} context
   * @param {readonly Range[]} ranges
   */
  constructor({ device, limits }, ranges) {
    /** What to measure in the place of the ranges. */
    this.ranges = ranges;
    /** What is read of each buffer. @type {Map<GpuBuffer, number>} */
    const read = new Map();
    for (const range of ranges) read.set(range.buffer, (read.get(range.buffer) ?? 0) + sizeOf(range));
    if (read.size <= limits.slots) return;
    const room = Math.min(limits.bindingBytes, device.limits.maxBufferSize);
    let end = 0;
    const targets = ranges.map((range) => {
      const { buffer } = range;
      const size = sizeOf(range);
      const isSmall = (read.get(buffer) ?? 0) <= MOST_GATHERED && (buffer.usage & COPY_SRC) !== 0;
      if (!isSmall || end + size > room) return -1;
      const target = end;
      this.#copies.push([buffer, wordsAround(range).begin, target, size]);
      // The next multiple of 16 bytes, so that a job of float32 can be whole there.
      end += Math.ceil(size / 16) * 16;
      return target;
    });
    if (end === 0) return;
    const label = 'gradnorm gathered tensors';
    const buffer = device.createBuffer({ label, size: end, usage: STORAGE | COPY_DST });
    this.#buffer = buffer;
    this.ranges = ranges.map((range, i) =>
      targets[i] < 0 ? range : { ...range, buffer, offset: targets[i] + (range.offset % 4) },
    );
  }

  /** @param {import('./types.js').GpuCommandEncoder} encoder  outside of a pass */
  encode(encoder) {
    for (const [source, begin, target, size] of this.#copies)
      encoder.copyBufferToBuffer(source, begin, /** @type {GpuBuffer} */ (this.#buffer), target, size);
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
