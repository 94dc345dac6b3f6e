// web/webgpu/context.js: what is made once for each device: layouts, pipelines, and whether the device was lost.
import { COPY_DST, STORAGE } from './layouts.js';

/** @import { GpuBindGroup, GpuBindGroupLayout, GpuComputePipeline, GpuDevice } from './types.js' */

/**
 * A shader, by a name that no other has, and the bindings of each of its groups, a letter for each: u for a uniform buffer, r for
 * storage that is read, w for storage that is written.
 * @typedef {{ name: string, groups: string[], code: () => string }} Kernel
 */

const KINDS = /** @type {const} */ ({ u: 'uniform', r: 'read-only-storage', w: 'storage' });

/** More bindings than this make shaders long. */
const MOST_SLOTS = 15;

/**
 * What a map has under a key, made when it is first asked for.
 * @template K, V
 * @param {{ get(key: K): V | undefined, set(key: K, value: V): unknown }} map
 * @param {K} key
 * @param {() => V} make
 */
function cached(map, key, make) {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}

/** @type {WeakMap<GpuDevice, Context>} */
const contexts = /* @__PURE__ */ new WeakMap();

/** @type {(device: GpuDevice) => Context} */
export const contextOf = (device) => cached(contexts, device, () => new Context(device));

/** A device and what we made on it. */
export class Context {
  /** @type {Map<string, GpuComputePipeline>} */
  #pipelines = new Map();
  /** Those that are on their way. @type {Map<string, Promise<void>>} */
  #compilations = new Map();
  /** @type {Map<string, GpuBindGroupLayout>} */
  #layouts = new Map();
  /** How the device was lost. @type {string | null} */
  loss = null;

  /** @param {GpuDevice} device */
  constructor(device) {
    const { limits, features } = device;
    const alignment = Math.max(
      limits.minStorageBufferOffsetAlignment,
      limits.minUniformBufferOffsetAlignment,
    );
    // One storage buffer is the table of jobs.
    const slots = Math.min(limits.maxStorageBuffersPerShaderStage - 1, MOST_SLOTS);
    this.device = device;
    /** @type {import('./jobs.js').Limits} */
    this.limits = {
      slots,
      bindingBytes: limits.maxStorageBufferBindingSize,
      workgroups: limits.maxComputeWorkgroupsPerDimension,
      alignment,
      hasSubgroups: features.has('subgroups'),
    };
    /** Bound where a dispatch has fewer tensors than bindings; each its own part, as those that are written must. */
    this.placeholder = device.createBuffer({
      label: 'gradnorm placeholder',
      size: slots * alignment,
      usage: STORAGE | COPY_DST,
    });
    /** Resolves when the device is lost. */
    this.lost = device.lost.then(({ reason, message }) => {
      this.loss = `${reason === 'destroyed' ? reason : 'lost'}${message === '' ? '' : `: ${message}`}`;
    });
  }

  /** @throws {Error} if the device was lost */
  checkAlive() {
    if (this.loss !== null) throw new Error(`gradnorm: the GPU device was ${this.loss}`);
  }

  /**
   * Compiles now, unless it is done already.
   * @param {Kernel} kernel
   */
  pipeline(kernel) {
    const make = () => this.device.createComputePipeline(this.#descriptor(kernel));
    return cached(this.#pipelines, kernel.name, make);
  }

  /**
   * Compiles in the background. Never rejects: what is wrong with a pipeline, whoever needs it is told.
   * @param {Kernel} kernel
   */
  prepare(kernel) {
    const compile = async () => {
      if (this.#pipelines.has(kernel.name)) return;
      const pipeline = await this.device.createComputePipelineAsync(this.#descriptor(kernel));
      cached(this.#pipelines, kernel.name, () => pipeline);
    };
    return cached(this.#compilations, kernel.name, () => compile().catch(() => {}));
  }

  /** @param {string} kinds  of the bindings of a group */
  layout(kinds) {
    const entries = Array.from(kinds, (kind, binding) => ({
      binding,
      visibility: 0x4, // COMPUTE
      buffer: { type: KINDS[/** @type {keyof typeof KINDS} */ (kind)] },
    }));
    const make = () => this.device.createBindGroupLayout({ label: 'gradnorm', entries });
    return cached(this.#layouts, kinds, make);
  }

  /** @type {(label: string, kinds: string, resources: import('./types.js').GpuBufferBinding[]) => GpuBindGroup} */
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
