// web/webgpu/read-back.js: tensors from the GPU to the CPU, for powers that the GPU does not compute. Copied at once, so that
// what is measured is what they were at the call, and read one after the other.
import { COPY_DST, COPY_SRC, JOB_FLOAT16, JOB_FLOAT32, MAP_READ } from './constants.js';
import { bytesPerElement, wordsAround } from './jobs.js';

/**
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./context.js').Context} Context
 * @typedef {import('./tensors.js').GpuTensor} GpuTensor
 */

/**
 * As the CPU path takes them.
 * @typedef {Float32Array | { data: Uint16Array, dtype: 'float16' | 'bfloat16' }} Elements
 */

/** Copies of tensors. */
export class ReadBack {
  #context;
  #tensors;
  /** Nothing is copied of a tensor that has nothing. @type {(GpuBuffer | null)[]} */
  #copies = [];

  /**
   * @param {Context} context
   * @param {readonly GpuTensor[]} tensors
   * @throws {TypeError} if a buffer cannot be copied from
   */
  constructor(context, tensors) {
    this.#context = context;
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
    const { device } = this.#context;
    const label = 'gradnorm read back';
    const encoder = device.createCommandEncoder({ label });
    this.#copies = this.#tensors.map((tensor) => {
      if (tensor.length === 0) return null;
      const { begin, end } = wordsOf(tensor); // copies are of whole words
      const copy = device.createBuffer({ label, size: end - begin, usage: MAP_READ | COPY_DST });
      encoder.copyBufferToBuffer(tensor.buffer, begin, copy, 0, end - begin);
      return copy;
    });
    device.queue.submit([encoder.finish()]);
  }

  /**
   * @param {(elements: Elements) => void} take  gets elements that are gone when it returns, in the order of the tensors
   * @returns {Promise<void>}
   */
  async read(take) {
    for (const [i, tensor] of this.#tensors.entries()) {
      const copy = this.#copies[i];
      await copy?.mapAsync(1);
      take(elementsOf(copy?.getMappedRange() ?? new ArrayBuffer(0), tensor));
      copy?.destroy();
    }
  }

  destroy() {
    for (const copy of this.#copies) copy?.destroy();
  }
}

/** @param {GpuTensor} tensor */
function wordsOf({ offset, length, dtype }) {
  return wordsAround(offset, length * bytesPerElement(dtype));
}

/**
 * @param {ArrayBuffer} words
 * @param {GpuTensor} tensor
 * @returns {Elements}
 */
function elementsOf(words, { offset, length, dtype }) {
  if (dtype === JOB_FLOAT32) return new Float32Array(words, 0, length);
  return {
    data: new Uint16Array(words, length === 0 ? 0 : offset % 4, length),
    dtype: dtype === JOB_FLOAT16 ? 'float16' : 'bfloat16',
  };
}

/**
 * @param {Elements} elements
 * @returns {Elements}
 */
export function copyOf(elements) {
  return elements instanceof Float32Array
    ? elements.slice()
    : { data: elements.data.slice(), dtype: elements.dtype };
}

/**
 * Copies as gradients, read like a Map, but with every tensor in it: of names that are joined some are alike.
 * @param {readonly GpuTensor[]} tensors
 * @param {readonly Elements[]} copies
 */
export function namedEntries(tensors, copies) {
  return {
    size: copies.length,
    entries: () =>
      copies.map((copy, i) => /** @type {[string, Elements]} */ ([tensors[i].name, copy])).values(),
  };
}
