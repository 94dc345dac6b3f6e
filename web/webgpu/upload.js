// web/webgpu/upload.js: arrays through a ring of buffers to the GPU and to a partial, for those who want to know what that
// costs.
import { NormAccumulator } from '../api.js';
import { BYTE_SHIFTS, DTYPE_NAMES } from '../core/dtypes.js';
import { bytesOf } from '../words/typed-array.js';
import { COPY_DST, JOB_ELEMENTS, STORAGE } from './constants.js';
import { DTYPES } from './jobs.js';

/**
 * @typedef {import('../core/dtypes.js').Tensor} Tensor
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./context.js').Context} Context
 * @typedef {import('./tensors.js').GpuTensor} GpuTensor
 */

/** Four buffers, and as much again that WebGPU keeps until its copies are done: 64 MiB. */
export const RING_BUFFERS = 4;
export const BUFFER_BYTES = 8 * 2 ** 20;

/**
 * Elements of an array, and where they go in a buffer.
 * @typedef {object} Piece
 * @property {Tensor} tensor
 * @property {number} start   the first element
 * @property {number} count   of elements
 * @property {number} offset  in bytes, in the buffer
 */

/**
 * Whether the GPU has kernels for the elements of a tensor.
 * @param {Tensor} tensor
 */
export function isUploadable({ dtype }) {
  return DTYPES.has(DTYPE_NAMES[dtype]);
}

/** Buffers that are filled and measured in turn. */
export class UploadRing {
  #context;
  #measure;
  /** @type {{ buffer: GpuBuffer | null, free: Promise<unknown> }[]} */
  #slots = Array.from({ length: RING_BUFFERS }, () => ({ buffer: null, free: Promise.resolve() }));
  #next = 0;
  #isDestroyed = false;

  /**
   * @param {Context} context
   * @param {(tensors: GpuTensor[], normType: number) => Promise<NormAccumulator>} measure
   */
  constructor(context, measure) {
    this.#context = context;
    this.#measure = measure;
  }

  /**
   * @param {readonly Tensor[]} tensors  that are uploadable
   * @param {number} normType
   * @returns {Promise<NormAccumulator>}
   */
  async accumulate(tensors, normType) {
    const total = new NormAccumulator(normType);
    const parts = [];
    // Most wait until a buffer is free, and the arrays are the caller's to change.
    const copies = tensors.map((tensor) => ({ ...tensor, array: copyOf(tensor) }));
    for (const pieces of loadsOf(copies)) {
      const slot = this.#slots[this.#next];
      this.#next = (this.#next + 1) % RING_BUFFERS;
      const isFree = slot.free;
      // Taken before waiting, so that another call waits for this one.
      const part = isFree.then(() => this.#measure(this.#fill(slot, pieces), normType));
      slot.free = part.catch(() => {});
      parts.push(part);
      await isFree;
    }
    for (const part of await Promise.all(parts)) total.merge(part);
    return total;
  }

  destroy() {
    this.#isDestroyed = true;
    for (const { buffer } of this.#slots) buffer?.destroy();
  }

  /**
   * @param {{ buffer: GpuBuffer | null }} slot
   * @param {readonly Piece[]} pieces
   * @returns {GpuTensor[]}
   */
  #fill(slot, pieces) {
    if (this.#isDestroyed) throw new Error('gradnorm: the upload was destroyed');
    const { device } = this.#context;
    slot.buffer ??= device.createBuffer({
      label: 'gradnorm upload',
      size: BUFFER_BYTES,
      usage: STORAGE | COPY_DST,
    });
    const { buffer } = slot;
    return pieces.map(({ tensor, start, count, offset }) => {
      const shift = BYTE_SHIFTS[tensor.dtype];
      const bytes = bytesOf(tensor.array, start * 2 ** shift, count << shift);
      const whole = bytes.length & ~3; // writes are of whole words
      device.queue.writeBuffer(buffer, offset, bytes, 0, whole);
      if (whole < bytes.length) {
        device.queue.writeBuffer(buffer, offset + whole, Uint8Array.of(bytes[whole], bytes[whole + 1], 0, 0));
      }
      const dtype = /** @type {number} */ (DTYPES.get(DTYPE_NAMES[tensor.dtype]));
      return { buffer, dtype, offset, length: count, place: 'uploads', name: 'uploads' };
    });
  }
}

/**
 * @param {Tensor} tensor
 * @returns {Uint8Array}  its bytes, as they are now
 */
function copyOf({ array, dtype, length }) {
  return bytesOf(array, 0, length * 2 ** BYTE_SHIFTS[dtype]).slice();
}

/**
 * What goes into a buffer at a time. Tensors are cut at the ends of jobs, so that cutting changes no sum.
 * @param {readonly Tensor[]} tensors
 * @returns {Generator<Piece[]>}
 */
function* loadsOf(tensors) {
  /** @type {Piece[]} */
  let load = [];
  let offset = 0;
  for (const tensor of tensors) {
    const shift = BYTE_SHIFTS[tensor.dtype];
    for (let start = 0; start < tensor.length;) {
      const room = (BUFFER_BYTES - offset) >> shift;
      const rest = tensor.length - start;
      const count = rest <= room ? rest : room - (room % JOB_ELEMENTS);
      if (count === 0) {
        yield load;
        load = [];
        offset = 0;
        continue;
      }
      load.push({ tensor, start, count, offset });
      offset += ((count << shift) + 3) & ~3;
      start += count;
    }
  }
  if (load.length > 0) yield load;
}
