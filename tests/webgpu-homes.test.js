// tests/webgpu-homes.test.js: buffers on a GPU, under the conformance suite of homes.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { boundOnGpu } from './accuracy.js';
import { testHome } from './homes.js';
import { bufferOf, bytesOf, closeGpu, openGpu, POISON } from './webgpu-device.js';

/** @typedef {import('gradnorm/webgpu').GpuPlan} GpuPlan */

/** @type {Awaited<ReturnType<typeof openGpu>>} */
let opened;
before(async () => (opened = await openGpu()));
after(() => closeGpu(opened));

const OFFSET = 20;

/**
 * Each gradient in a buffer of its own amid poison, all in one plan.
 * @param {(import('./homes.js').Source | null)[]} sources
 */
function put(sources) {
  const { device, gpu } = opened;
  const arrays = sources.flatMap((source) =>
    source === null ? [] : 'data' in source ? source.data : source,
  );
  const buffers = arrays.map((array) => bufferOf(device, array, OFFSET));
  let at = 0;
  const tensors = sources.map((source) => {
    if (source === null) return null;
    const k = at++;
    const dtype = 'data' in source ? source.dtype : /** @type {const} */ ('float32');
    return { buffer: buffers[k], offset: OFFSET, length: arrays[k].length, dtype };
  });
  const contents = () => Promise.all(buffers.map((buffer) => bytesOf(device, buffer)));
  return {
    gradients: gpu.plan(tensors),
    read: async () =>
      (await contents()).map(
        (bytes, k) => new Uint8Array(bytes.slice(OFFSET, OFFSET + arrays[k].byteLength)),
      ),
    async assertNeighbours() {
      for (const [k, bytes] of (await contents()).entries()) {
        const halves = new Uint16Array(bytes);
        const end = (OFFSET + arrays[k].byteLength) / 2;
        const beside = [...halves.subarray(0, OFFSET / 2), ...halves.subarray(end)];
        const isPoison = (/** @type {number} */ half) => half === (POISON & 0xffff) || half === POISON >>> 16;
        assert.ok(beside.every(isPoison), `a neighbour of ${arrays[k].length} elements was written`);
      }
    },
  };
}

testHome({
  put,
  reduce: (/** @type {GpuPlan} */ plan, p) => plan.accumulate(p),
  inspect: (plan, normType) => plan.report({ normType }),
  scale: (plan, maxNorm, options) => plan.clipGradNorm(maxNorm, options).norm(),
  clamp: (plan, limit) => void plan.clipGradValue(limit),
  bound: boundOnGpu,
  isExact: false,
});
