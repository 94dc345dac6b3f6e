// tests/webgpu-laws.test.js: the laws of norms, of plans on a GPU.
import { after, before } from 'node:test';
import { GpuGradNorm } from 'gradnorm/webgpu';
import { boundOnGpu, PRODUCT_POWERS } from './accuracy.js';
import { testLaws } from './laws.js';
import { bufferOf, closeGpu, IS_THOROUGH, openGpu } from './webgpu-device.js';

/** @type {GPUDevice} */
let device;
/** @type {string[]} */
let errors;
/** @type {GpuGradNorm} */
let gpu;

before(async () => ({ device, errors, gpu } = await openGpu()));
after(() => closeGpu({ device, errors, gpu }));

/**
 * Each gradient in a buffer of its own, at an offset of whole words that is no multiple of 16. (Halves that begin in the
 * middle of a word are cut into jobs one element earlier, which may change the last bits.)
 * @param {(import('./laws.js').Gradient | null | undefined)[]} gradients
 * @param {number} p
 * @returns {Promise<number>}
 */
async function norm(gradients, p) {
  const tensors = gradients.map((gradient) => {
    if (gradient === null || gradient === undefined) return gradient;
    const isHalf = 'dtype' in gradient;
    const array = isHalf ? gradient.data : /** @type {Float32Array} */ (gradient);
    const offset = 20;
    const dtype = isHalf ? gradient.dtype : /** @type {const} */ ('float32');
    return { buffer: bufferOf(device, array, offset), offset, length: array.length, dtype };
  });
  const plan = gpu.plan(tensors);
  try {
    return await plan.gradNorm(p);
  } finally {
    plan.destroy();
    for (const tensor of tensors) tensor?.buffer.destroy();
  }
}

testLaws({
  norm,
  normTypes: IS_THOROUGH
    ? [0.1, 0.5, 1, 1.5, 2, 2.7, 3, 4, 10, 64, 66.6, Infinity]
    : [0.1, 0.5, 1, 2, 3, 4, 64, Infinity],
  bound: (_, p) => boundOnGpu(p),
  isProduct: (p) => PRODUCT_POWERS.includes(p),
  // Real powers by the GPU's own floats: their rounding depends on where an element stands.
  sameBitsWhenCut: (p) => boundOnGpu(p) === 2 ** -23,
  isNarrow: true,
  trials: IS_THOROUGH ? 3 : 1,
});
