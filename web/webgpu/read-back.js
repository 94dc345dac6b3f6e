// web/webgpu/read-back.js: tensors from the GPU to the CPU, for powers that the GPU does not compute. A piece at a time, through one
// buffer.
import { COPY_DST, COPY_SRC, JOB_FLOAT16, JOB_FLOAT32, MAP_READ } from './constants.js';
import { watched } from './failures.js';
import { bytesPerElement, wordsAround } from './jobs.js';

/**
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./context.js').Context} Context
 * @typedef {import('./tensors.js').GpuTensor} GpuTensor
 * @typedef {import('../index.js').NormAccumulator} NormAccumulator
 */

/**
 * @typedef {Float32Array | { data: Uint16Array, dtype: 'float16' | 'bfloat16' }} Elements
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
export function addReadBack(context, tensor, accumulator) {
  return readPieces(context, tensor, (piece) => accumulator.add(piece));
}

/**
 * A copy of a tensor, as the CPU path takes it.
 * @param {Context} context
 * @param {GpuTensor} tensor
 * @returns {Promise<Elements>}
 * @throws {TypeError} if its buffer cannot be copied from
 */
export async function readBack(context, tensor) {
  const { dtype, length } = tensor;
  const bytes = new ArrayBuffer(length * bytesPerElement(dtype));
  let done = 0;
  await readPieces(context, tensor, (piece) => {
    const { buffer, byteOffset, byteLength } = piece instanceof Float32Array ? piece : piece.data;
    new Uint8Array(bytes, done, byteLength).set(new Uint8Array(buffer, byteOffset, byteLength));
    done += byteLength;
  });
  return elementsOf(bytes, 0, bytes.byteLength, dtype);
}

/**
 * @param {Context} context
 * @param {GpuTensor} tensor
 * @param {(piece: Elements) => void} take  gets elements that are gone when it returns
 * @returns {Promise<void>}
 */
async function readPieces(context, tensor, take) {
  const { device } = context;
  const { buffer, dtype, offset, length, place } = tensor;
  if ((buffer.usage & COPY_SRC) === 0) {
    throw new TypeError(
      `${place} has a buffer without usage COPY_SRC; to read it back, ` +
        'expected one made with GPUBufferUsage.COPY_SRC',
    );
  }
  const bytes = length * bytesPerElement(dtype);
  const size = Math.min(PIECE_BYTES, Math.ceil(bytes / 4) * 4) + 4;
  const piece = device.createBuffer({ label: 'gradnorm read back', size, usage: MAP_READ | COPY_DST });
  try {
    for (let done = 0; done < bytes; done += PIECE_BYTES) {
      const count = Math.min(PIECE_BYTES, bytes - done);
      const { begin, end } = wordsAround(offset + done, count); // copies are of whole words
      const whole = end - begin;
      const { failure } = watched(context, [tensor], () => {
        const encoder = device.createCommandEncoder({ label: 'gradnorm read back' });
        encoder.copyBufferToBuffer(buffer, begin, piece, 0, whole);
        device.queue.submit([encoder.finish()]);
      });
      const [error] = await Promise.all([failure, piece.mapAsync(1, 0, whole)]);
      if (error !== null) throw error;
      take(elementsOf(piece.getMappedRange(0, whole), offset + done - begin, count, dtype));
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
 * @returns {Elements}
 */
function elementsOf(bytes, skip, count, dtype) {
  if (dtype === JOB_FLOAT32) return new Float32Array(bytes, skip, count / 4);
  return {
    data: new Uint16Array(bytes, skip, count / 2),
    dtype: dtype === JOB_FLOAT16 ? 'float16' : 'bfloat16',
  };
}
