// web/webgpu/read-back.js: tensors from the GPU to the CPU, for powers that the GPU does not compute. Copied at once, so that
// what is measured is what they were at the call.
import { BYTE_SHIFTS, FLOAT32 } from '../core/dtypes.js';
import { wordsAround } from '../door/buffers.js';
import { COPY_DST, COPY_SRC, MAP_READ } from './layouts.js';

/**
 * @template T
 * @param {import('./context.js').Context} context
 * @param {import('./ledger.js').Ledger} ledger
 * @param {readonly import('../door/buffers.js').GpuTensor[]} tensors
 * @param {(tensors: readonly import('../core/dtypes.js').Tensor[]) => T} use  gets copies that are gone when it returns
 * @returns {Promise<T>}
 * @throws {TypeError} if a buffer cannot be copied from
 */
export async function onCpu({ device }, ledger, tensors, use) {
  const uncopied = tensors.find(({ length, buffer }) => length > 0 && (buffer.usage & COPY_SRC) === 0);
  if (uncopied !== undefined) {
    throw new TypeError(
      `${uncopied.place} has a buffer without usage COPY_SRC; to read it back, ` +
        'expected one made with GPUBufferUsage.COPY_SRC',
    );
  }
  const label = 'gradnorm read back';
  /** Of those that have something. @type {import('./types.js').GpuBuffer[]} */
  const made = [];
  try {
    const { result: copies } = ledger.watch(() => {
      const encoder = device.createCommandEncoder({ label });
      const copies = tensors.map((tensor) => {
        if (tensor.length === 0) return null;
        const { begin, end } = wordsAround(tensor); // copies are of whole words
        const copy = device.createBuffer({ label, size: end - begin, usage: MAP_READ | COPY_DST });
        made.push(copy);
        encoder.copyBufferToBuffer(tensor.buffer, begin, copy, 0, end - begin);
        return copy;
      });
      device.queue.submit([encoder.finish()]);
      return copies;
    });
    return await ledger.wait(ledger.claimAll(), async () => {
      await Promise.all(made.map((copy) => copy.mapAsync(1)));
      const arrays = tensors.map(({ offset, length, dtype }, i) => {
        const words = copies[i]?.getMappedRange() ?? new ArrayBuffer(4);
        const array =
          dtype === FLOAT32
            ? new Float32Array(words, 0, length)
            : new Uint16Array(words, offset % 2 ** BYTE_SHIFTS[FLOAT32], length);
        return { array, dtype, length, parent: null, key: undefined };
      });
      return use(arrays);
    });
  } finally {
    for (const copy of made) copy.destroy();
  }
}
