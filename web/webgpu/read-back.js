// web/webgpu/read-back.js: tensors from the GPU to the CPU, for powers that the GPU does not compute. A piece at a time, through one
// buffer.
import { BFLOAT16, COPY_DST, COPY_SRC, FLOAT16, MAP_READ } from './constants.js';
import { bytesPerElement } from './jobs.js';

/**
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./context.js').Context} Context
 * @typedef {import('./tensors.js').GpuTensor} GpuTensor
 * @typedef {import('../index.js').NormAccumulator} NormAccumulator
 */

/** A multiple of the bytes of a block, so that cutting there changes no bit. */
const PIECE_BYTES = 4 * 2 ** 20;

/**
 * Adds a tensor to an accumulator, piece by piece.
 * @param {Context} context
 * @param {GpuTensor} tensor
 * @param {NormAccumulator} accumulator
 * @returns {Promise<void>}
 * @throws {TypeError} if its buffer cannot be copied from
 */
export async function addReadBack({ device }, { buffer, dtype, offset, length, place }, accumulator) {
  if ((buffer.usage & COPY_SRC) === 0) {
    throw new TypeError(
      `${place} has a buffer without usage COPY_SRC; to read it back for this normType, ` +
        'expected one made with GPUBufferUsage.COPY_SRC',
    );
  }
  const bytes = length * bytesPerElement(dtype);
  const size = Math.min(PIECE_BYTES, Math.ceil(bytes / 4) * 4) + 4;
  const piece = device.createBuffer({ label: 'gradnorm read back', size, usage: MAP_READ | COPY_DST });
  try {
    for (let done = 0; done < bytes; done += PIECE_BYTES) {
      const count = Math.min(PIECE_BYTES, bytes - done);
      const skip = (offset + done) % 4; // copies are of whole words
      const whole = Math.ceil((skip + count) / 4) * 4;
      const encoder = device.createCommandEncoder({ label: 'gradnorm read back' });
      encoder.copyBufferToBuffer(buffer, offset + done - skip, piece, 0, whole);
      device.queue.submit([encoder.finish()]);
      await piece.mapAsync(1, 0, whole);
      accumulator.add(elementsOf(piece.getMappedRange(0, whole), skip, count, dtype));
      piece.unmap();
    }
  } finally {
    piece.destroy();
  }
}

/**
 * @param {ArrayBuffer} bytes
 * @param {number} skip   in bytes
 * @param {number} count  in bytes
 * @param {number} dtype
 */
function elementsOf(bytes, skip, count, dtype) {
  if (dtype === FLOAT16)
    return { data: new Uint16Array(bytes, skip, count / 2), dtype: /** @type {const} */ ('float16') };
  if (dtype === BFLOAT16)
    return { data: new Uint16Array(bytes, skip, count / 2), dtype: /** @type {const} */ ('bfloat16') };
  return new Float32Array(bytes, skip, count / 4);
}
