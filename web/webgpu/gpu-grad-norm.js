// web/webgpu/gpu-grad-norm.js: GpuGradNorm, the way into the GPU path: a device, and plans on it.
import { offerInlineModule } from '../core/source-inline.js';
import { emptyState } from '../core/partial.js';
import { finish, mergeInto, reduceInto, reduceNorm } from '../core/reduce.js';
import { collectMixed, collectTensors } from '../door/buffers.js';
import { checkDevice, checkOptions } from '../door/gpu-options.js';
import { checkChoice, checkNormType } from '../words/checks.js';
import { Context, contextOf } from './context.js';
import { waitForLoss } from './failures.js';
import { GpuPlan } from './plan.js';

/** @import { GpuDevice } from './types.js' */
/** @import { GpuOptions } from '../door/gpu-options.js' */
/** @import { GpuGradients } from '../door/buffers.js' */

/**
 * Gradient norms and clipping where the gradients are: in buffers of a WebGPU device.
 *
 * @example
 * const gpu = await GpuGradNorm.create(); // or { device }, yours
 * const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
 * const buffer = gpu.device.createBuffer({ size: 16, usage });
 * gpu.device.queue.writeBuffer(buffer, 0, new Float32Array([3, 0, 0, 4]));
 * const plan = gpu.plan({ weight: { buffer, length: 3 }, bias: { buffer, offset: 12, length: 1 } }); // once
 * const step = plan.clipGradNorm(1); // every step
 * await step.norm(); // 5
 * gpu.destroy();
 */
export class GpuGradNorm {
  #context;
  #ownsDevice;
  /** @type {Set<GpuPlan>} */
  #plans = new Set();
  #isDestroyed = false;

  /**
   * For GpuGradNorm.create.
   * @internal
   * @param {Context} context
   * @param {boolean} ownsDevice
   */
  constructor(context, ownsDevice) {
    if (!(context instanceof Context)) {
      throw new TypeError(
        'GpuGradNorm has no public constructor; expected await GpuGradNorm.create({ device })',
      );
    }
    this.#context = context;
    this.#ownsDevice = ownsDevice;
  }

  /**
   * The way in: on a device of yours, or on one that is requested with the adapter's own limits.
   * @param {GpuOptions} [options]
   * @returns {Promise<GpuGradNorm>}
   * @throws {TypeError} if an option is wrong, or the device has less than the limits that every device has
   * @throws {Error} if there is no WebGPU or no adapter
   */
  static async create(options = {}) {
    checkOptions('GpuGradNorm.create', options, ['device', 'powerPreference']);
    offerInlineModule();
    const { device, powerPreference } = options;
    if (powerPreference !== undefined) {
      checkChoice('powerPreference', powerPreference, ['low-power', 'high-performance']);
    }
    const used = device === undefined ? await requestDevice(powerPreference) : device;
    checkDevice(used);
    return new GpuGradNorm(contextOf(used), device === undefined);
  }

  /** The device on which the buffers must be. */
  get device() {
    return this.#context.device;
  }

  /**
   * Prepares measuring and clipping a list of tensors. Buffers are read when a step runs, not now.
   * @param {GpuGradients} tensors
   * @returns {GpuPlan}
   * @throws {TypeError} on what is no tensor in a buffer, naming its place
   * @throws {Error} if this was destroyed or the device lost
   */
  plan(tensors) {
    this.#checkUsable();
    const plan = this.#make(collectTensors(tensors));
    // Begun now, whether anybody waits for it or not.
    plan.ready.catch(() => {});
    return plan;
  }

  /**
   * The norm of gradients of which some are in buffers and some in arrays: each is reduced where it is, and the exact
   * sums are added by the core. What is measured is what they hold when this is called. As gradNorm otherwise, with the
   * bounds of GpuPlan.gradNorm where the GPU computes. Makes a plan each time; measure what is always in the same buffers
   * with a plan of your own.
   * @overload
   * @param {import('../door/buffers.js').MixedGradients} gradients
   * @param {number} [normType]  p: any number > 0, Infinity included; 2 if left out
   * @returns {Promise<number>}
   * @throws {TypeError | RangeError | Error} as gradNorm and plan
   */
  /**
   * @param {import('../door/buffers.js').MixedGradients} gradients
   * @param {number} [normType]
   */
  async gradNorm(gradients, normType = 2) {
    if (arguments.length === 0) throw new TypeError('gradNorm was called without gradients');
    checkNormType(normType);
    this.#checkUsable();
    const { tensors, arrays } = collectMixed(gradients);
    if (tensors.length === 0) return reduceNorm(arrays, normType);
    const partial = emptyState();
    // Each reads now: the arrays and buffers are the caller's again when this returns.
    const plan = this.#make(tensors, 1);
    const onGpu = plan.partial(normType);
    try {
      reduceInto(arrays, normType, partial);
      mergeInto(await onGpu, partial);
      return finish(partial, normType);
    } catch (error) {
      onGpu.catch(() => {});
      await waitForLoss(this.#context);
      this.#checkUsable();
      throw error;
    } finally {
      plan.destroy();
    }
  }

  /**
   * Destroys all plans, and the device if it was requested here. What is under way rejects.
   * @returns {void}
   */
  destroy() {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    for (const plan of [...this.#plans]) plan.destroy();
    if (this.#ownsDevice) this.#context.device.destroy();
  }

  /** @type {(tensors: import('../door/buffers.js').GpuTensor[], steps?: number) => GpuPlan} */
  #make(tensors, steps) {
    const plan = new GpuPlan(this.#context, tensors, () => this.#plans.delete(plan), steps);
    this.#plans.add(plan);
    return plan;
  }

  #checkUsable() {
    if (this.#isDestroyed) throw new Error('gradnorm: this GpuGradNorm was destroyed');
    this.#context.checkAlive();
  }
}

/**
 * A device with the adapter's own limits for what decides how much fits into a dispatch.
 * @param {'low-power' | 'high-performance'} [powerPreference]
 * @returns {Promise<GpuDevice>}
 */
async function requestDevice(powerPreference) {
  const gpu = globalThis.navigator?.gpu;
  if (gpu === undefined) {
    throw new Error(
      'gradnorm: there is no WebGPU here (navigator.gpu); expected a browser that has it, or a device (in Node.js of the package webgpu)',
    );
  }
  const adapter = await gpu.requestAdapter(powerPreference === undefined ? {} : { powerPreference });
  if (adapter === null) throw new Error('gradnorm: WebGPU has no adapter for this machine');
  const { limits, features } = adapter;
  return adapter.requestDevice({
    label: 'gradnorm',
    requiredFeatures: features.has('subgroups') ? [/** @type {any} */ ('subgroups')] : [],
    requiredLimits: {
      maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
      maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
      maxBufferSize: limits.maxBufferSize,
    },
  });
}
