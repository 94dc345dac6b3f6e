// web/webgpu/read-back.js: tensors from the GPU to the CPU, for powers that the GPU does not compute. Copied at once, so that
// what is measured is what they were at the call.
import { BYTE_SHIFTS, FLOAT32 } from '../core/dtypes.js';
import { COPY_DST, COPY_SRC, MAP_READ } from './layouts.js';
import { wordsAround } from './jobs.js';

/**
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./tensors.js').GpuTensor} GpuTensor
 */

/** Copies of tensors. */
export class ReadBack {
  #device;
  #tensors;
  /** Nothing is copied of a tensor that has nothing. @type {(GpuBuffer | null)[]} */
  #copies = [];

  /**
   * @param {import('./context.js').Context} context
   * @param {readonly GpuTensor[]} tensors
   * @throws {TypeError} if a buffer cannot be copied from
   */
  constructor({ device }, tensors) {
    this.#device = device;
    this.#tensors = tensors;
    for (const { buffer, length, place } of tensors) {
      if (length === 0 || (buffer.usage & COPY_SRC) !== 0) continue;
      throw new TypeError(
        `${place} has a buffer without usage COPY_SRC; to read it back, ` +
          'expected one made with GPUBufferUsage.COPY_SRC',
      );
    }
  }

  submit() {
    const label = 'gradnorm read back';
    const encoder = this.#device.createCommandEncoder({ label });
    this.#copies = this.#tensors.map((tensor) => {
      if (tensor.length === 0) return null;
      const { begin, end } = wordsAround(tensor); // copies are of whole words
      const copy = this.#device.createBuffer({ label, size: end - begin, usage: MAP_READ | COPY_DST });
      encoder.copyBufferToBuffer(tensor.buffer, begin, copy, 0, end - begin);
      return copy;
    });
    this.#device.queue.submit([encoder.finish()]);
  }

  /** @returns {Promise<import('../core/dtypes.js').Tensor[]>}  as the CPU path takes them, until destroy() */
  async read() {
    await Promise.all(this.#copies.map((copy) => copy?.mapAsync(1)));
    return this.#tensors.map(({ offset, length, dtype }, i) => {
      const words = this.#copies[i]?.getMappedRange() ?? new ArrayBuffer(4);
      const array =
        dtype === FLOAT32
          ? new Float32Array(words, 0, length)
          : new Uint16Array(words, offset % 2 ** BYTE_SHIFTS[FLOAT32], length);
      return { array, dtype, length, parent: null, key: undefined };
    });
  }

  destroy() {
    for (const copy of this.#copies) copy?.destroy();
  }
}
