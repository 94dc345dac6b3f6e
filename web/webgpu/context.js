// web/webgpu/context.js: what is made once for each device: layouts, pipelines, and whether the device was lost. Above
// the shaders, below web/webgpu/plan.js.
import { COPY_DST, STORAGE } from './layouts.js';

/**
 * @typedef {import('./types.js').GpuDevice} GpuDevice
 * @typedef {import('./types.js').GpuBindGroupLayout} GpuBindGroupLayout
 * @typedef {import('./types.js').GpuComputePipeline} GpuComputePipeline
 * @typedef {import('./types.js').GpuBufferBinding} GpuBufferBinding
 * @typedef {import('./jobs.js').Limits} Limits
 */

/** @typedef {'storage' | 'read-only-storage' | 'uniform'} BindingKind */

/**
 * A shader, by a name that no other has, and the kinds of the bindings of each of its groups.
 * @typedef {{ name: string, groups: BindingKind[][], code: () => string }} Kernel
 */

/** More bindings than this make shaders long. */
const MOST_SLOTS = 15;

/** @type {WeakMap<GpuDevice, Context>} */
const contexts = new WeakMap();

/**
 * @param {GpuDevice} device
 * @returns {Context}  the same for the same device
 */
export function contextOf(device) {
  let context = contexts.get(device);
  if (context === undefined) contexts.set(device, (context = new Context(device)));
  return context;
}

/** A device and what we made on it. */
export class Context {
  /** @type {Map<string, GpuComputePipeline>} */
  #pipelines = new Map();
  /** Those that are on their way. @type {Map<string, Promise<GpuComputePipeline | null>>} */
  #compilations = new Map();
  /** @type {Map<string, GpuBindGroupLayout>} */
  #layouts = new Map();
  /** @type {string | null} */
  #loss = null;

  /** @param {GpuDevice} device */
  constructor(device) {
    this.device = device;
    this.limits = limitsOf(device);
    /** Bound where a dispatch has fewer tensors than bindings; each its own part, as those that are written must. */
    this.placeholder = device.createBuffer({
      label: 'gradnorm placeholder',
      size: this.limits.slots * this.limits.alignment,
      usage: STORAGE | COPY_DST,
    });
    /** Resolves when the device is lost. */
    this.lost = device.lost.then(({ reason, message }) => {
      this.#loss = `${reason === 'destroyed' ? 'destroyed' : 'lost'}${message === '' ? '' : `: ${message}`}`;
    });
  }

  /** How the device was lost, or null. */
  get loss() {
    return this.#loss;
  }

  /** @throws {Error} if the device was lost */
  checkAlive() {
    if (this.#loss !== null) throw new Error(`gradnorm: the GPU device was ${this.#loss}`);
  }

  /**
   * Compiles now, unless it is done already.
   * @param {Kernel} kernel
   */
  pipeline(kernel) {
    let pipeline = this.#pipelines.get(kernel.name);
    if (pipeline === undefined) {
      pipeline = this.device.createComputePipeline(this.#descriptor(kernel));
      this.#pipelines.set(kernel.name, pipeline);
    }
    return pipeline;
  }

  /**
   * Compiles in the background. Never rejects: what is wrong with a pipeline, whoever needs it is told.
   * @param {Kernel} kernel
   */
  async prepare(kernel) {
    const { name } = kernel;
    if (this.#pipelines.has(name)) return;
    let compilation = this.#compilations.get(name);
    if (compilation === undefined) {
      const compile = async () => this.device.createComputePipelineAsync(this.#descriptor(kernel));
      compilation = compile().catch(() => null);
      this.#compilations.set(name, compilation);
    }
    const pipeline = await compilation;
    if (pipeline !== null && !this.#pipelines.has(name)) this.#pipelines.set(name, pipeline);
  }

  /** @param {BindingKind[]} kinds */
  layout(kinds) {
    const name = kinds.join();
    let layout = this.#layouts.get(name);
    if (layout === undefined) {
      const entries = kinds.map((type, binding) => ({
        binding,
        visibility: 0x4, // COMPUTE
        buffer: { type },
      }));
      layout = this.device.createBindGroupLayout({ label: 'gradnorm', entries });
      this.#layouts.set(name, layout);
    }
    return layout;
  }

  /**
   * @param {string} label
   * @param {BindingKind[]} kinds
   * @param {GpuBufferBinding[]} resources
   */
  bindGroup(label, kinds, resources) {
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    return this.device.createBindGroup({ label, layout: this.layout(kinds), entries });
  }

  /** @param {Kernel} kernel */
  #descriptor({ name, groups, code }) {
    const label = `gradnorm ${name}`;
    const bindGroupLayouts = groups.map((kinds) => this.layout(kinds));
    return {
      label,
      layout: this.device.createPipelineLayout({ label, bindGroupLayouts }),
      compute: { module: this.device.createShaderModule({ label, code: code() }), entryPoint: 'main' },
    };
  }
}

/** @type {(device: GpuDevice) => Limits} */
function limitsOf({ limits, features }) {
  const alignment = Math.max(limits.minStorageBufferOffsetAlignment, limits.minUniformBufferOffsetAlignment);
  return {
    // One storage buffer is the table of jobs.
    slots: Math.min(limits.maxStorageBuffersPerShaderStage - 1, MOST_SLOTS),
    bindingBytes: limits.maxStorageBufferBindingSize,
    workgroups: limits.maxComputeWorkgroupsPerDimension,
    alignment,
    hasSubgroups: features.has('subgroups'),
  };
}
