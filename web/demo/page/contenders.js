// web/demo/page/contenders.js: the six ways to the norm of a tensor that the section "Measure" compares. The loops are
// those of `npm run bench`.
import { allocGradients, gradNorm } from 'gradnorm';
import { GpuGradNorm } from 'gradnorm/webgpu';

import { eightAccumulatorNorm, plainNorm } from '../measure/loops.js';

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {() => number | Promise<number>} run from where its data lies to a number in JavaScript
 */

/**
 * @typedef {object} Adapter
 * @property {string} name
 * @property {boolean} isSoftware
 */

const USAGE = { storage: 0x80, copyDestination: 0x08 };

/** What software that pretends to be a GPU is called. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|software|basic render|warp/i;

export class Gpu {
  #gpu;

  /**
   * @param {GpuGradNorm} gpu
   * @param {Adapter} adapter
   */
  constructor(gpu, adapter) {
    this.#gpu = gpu;
    this.adapter = adapter;
  }

  /**
   * @returns {Promise<Gpu>}
   * @throws {Error} there is no WebGPU or no adapter
   */
  static async open() {
    const gpu = await GpuGradNorm.create({ powerPreference: 'high-performance' });
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
    return new Gpu(gpu, describeAdapter(adapter?.info));
  }

  /**
   * Both ways through the GPU, on one buffer.
   *
   * @param {Float32Array<ArrayBuffer>} tensor
   * @returns {{ contenders: Contender[], close: () => void }}
   */
  contenders(tensor) {
    const { device } = this.#gpu;
    const buffer = device.createBuffer({
      label: 'demo tensor',
      size: tensor.byteLength,
      usage: USAGE.storage | USAGE.copyDestination,
    });
    device.queue.writeBuffer(buffer, 0, tensor);
    const plan = this.#gpu.plan([{ buffer, length: tensor.length }]);
    return {
      contenders: [
        { name: 'WebGPU, resident', run: () => plan.gradNorm(2) },
        {
          name: 'WebGPU, upload and readback',
          run: () => {
            device.queue.writeBuffer(buffer, 0, tensor);
            return plan.gradNorm(2);
          },
        },
      ],
      close() {
        plan.destroy();
        buffer.destroy();
      },
    };
  }
}

/**
 * @param {Float32Array<ArrayBuffer>} tensor
 * @returns {Contender[]}
 */
export function cpuContenders(tensor) {
  const tensors = [tensor];
  const resident = allocGradients(tensor);
  resident.set(tensor);
  return [
    { name: 'Plain JavaScript loop', run: () => plainNorm(tensors, 2) },
    { name: 'Loop with 8 accumulators', run: () => eightAccumulatorNorm(tensors) },
    { name: 'gradnorm, WebAssembly', run: () => gradNorm(tensors, 2) },
    { name: 'gradnorm, allocGradients', run: () => gradNorm(resident, 2) },
  ];
}

/**
 * @param {GPUAdapterInfo | undefined} info
 * @returns {Adapter}
 */
function describeAdapter(info) {
  if (info === undefined) return { name: 'an adapter that says nothing of itself', isSoftware: false };
  const { vendor, architecture, device, description } = info;
  const words = [vendor, architecture, description === '' ? device : description].filter(Boolean);
  const isSoftware = Boolean(info.isFallbackAdapter) || SOFTWARE.test(words.join(' '));
  return { name: words.join(' ') || 'an adapter without a name', isSoftware };
}
