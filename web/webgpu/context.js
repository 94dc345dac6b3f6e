// web/webgpu/context.js: what is made once for each device: layouts, pipelines, and whether the device was lost. Above
// the shaders, below web/webgpu/plan.js.
import { decideShader, rewriteShader } from './clip-shaders.js';
import { COPY_DST, STAGE_COMPUTE, STORAGE } from './constants.js';
import { healthShader } from './health-shader.js';
import { mergeShader } from './merge-shader.js';
import { reduceShader } from './reduce-shader.js';

/**
 * @typedef {import('./types.js').GpuDevice} GpuDevice
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./types.js').GpuBindGroupLayout} GpuBindGroupLayout
 * @typedef {import('./types.js').GpuComputePipeline} GpuComputePipeline
 * @typedef {import('./reduce-shader.js').ReduceKind} ReduceKind
 * @typedef {import('./jobs.js').Limits} Limits
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
  /** @type {Map<number, TensorKernels>} */
  #kernels = new Map();
  /** @type {string | null} */
  #loss = null;

  /** @param {GpuDevice} device */
  constructor(device) {
    this.device = device;
    this.limits = limitsOf(device);
    this.hasSubgroups = device.features.has('subgroups');
    this.layouts = makeLayouts(device);
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
   * The kernels for dispatches with as many bindings of tensors. For one there is no choosing between them, which matters
   * on devices that run every branch.
   * @param {number} bindings
   * @returns {TensorKernels}
   */
  kernelsFor(bindings) {
    const slots = bindings <= 1 ? 1 : this.limits.slots;
    let kernels = this.#kernels.get(slots);
    if (kernels === undefined) this.#kernels.set(slots, (kernels = new TensorKernels(this, slots)));
    return kernels;
  }

  /** @param {1 | 2} level */
  merge(level) {
    return this.pipeline(`merge ${level}`, 'mergeParts', [this.layouts.merge], () => mergeShader(level));
  }

  /** @param {ReduceKind} kind */
  decide(kind) {
    const { decide, uniform } = this.layouts;
    return this.pipeline(`decide ${kind}`, 'decide', [decide, uniform], () => decideShader(kind));
  }

  /**
   * @param {string} name
   * @param {string} entryPoint
   * @param {GpuBindGroupLayout[]} bindGroupLayouts
   * @param {() => string} code
   * @returns {GpuComputePipeline}
   */
  pipeline(name, entryPoint, bindGroupLayouts, code) {
    let pipeline = this.#pipelines.get(name);
    if (pipeline === undefined) {
      const label = `gradnorm ${name}`;
      pipeline = this.device.createComputePipeline({
        label,
        layout: this.device.createPipelineLayout({ label, bindGroupLayouts }),
        compute: { module: this.device.createShaderModule({ label, code: code() }), entryPoint },
      });
      this.#pipelines.set(name, pipeline);
    }
    return pipeline;
  }
}

/** The kernels that read or write tensors, for a number of bindings. */
export class TensorKernels {
  #context;

  /**
   * @param {Context} context
   * @param {number} slots
   */
  constructor(context, slots) {
    this.#context = context;
    this.slots = slots;
    const { device } = context;
    const tensors = (/** @type {BindingKind} */ kind) => Array.from({ length: slots }, () => kind);
    this.layouts = {
      reduce: makeLayout(device, `reduce ${slots}`, ['uniform', 'storage', ...tensors('read-only-storage')]),
      rewrite: makeLayout(device, `rewrite ${slots}`, [
        'uniform',
        'read-only-storage',
        ...tensors('storage'),
      ]),
    };
  }

  /** @param {ReduceKind} kind */
  reduce(kind) {
    const { hasSubgroups, layouts } = this.#context;
    const groups = kind === 'real' ? [this.layouts.reduce, layouts.uniform] : [this.layouts.reduce];
    const code = () => reduceShader(kind, this.slots, hasSubgroups);
    return this.#context.pipeline(`reduce ${kind} ${this.slots}`, 'reduce', groups, code);
  }

  /** For the same bind groups as reduce's, and partials of its own. */
  health() {
    const code = () => healthShader(this.slots, this.#context.hasSubgroups);
    return this.#context.pipeline(`health ${this.slots}`, 'inspect', [this.layouts.reduce], code);
  }

  /** @param {'scale' | 'clamp'} verb */
  rewrite(verb) {
    const groups = [this.layouts.rewrite, this.#context.layouts.uniform];
    const code = () => rewriteShader(verb, this.slots);
    return this.#context.pipeline(`${verb} ${this.slots}`, 'rewrite', groups, code);
  }
}

/**
 * @param {GpuDevice} device
 * @returns {Limits}
 */
function limitsOf({ limits }) {
  const alignment = Math.max(limits.minStorageBufferOffsetAlignment, limits.minUniformBufferOffsetAlignment);
  return {
    // One storage buffer is the table of jobs.
    slots: Math.min(limits.maxStorageBuffersPerShaderStage - 1, MOST_SLOTS),
    bindingBytes: limits.maxStorageBufferBindingSize,
    workgroups: limits.maxComputeWorkgroupsPerDimension,
    alignment,
  };
}

/** @param {GpuDevice} device */
function makeLayouts(device) {
  return {
    merge: makeLayout(device, 'merge', ['uniform', 'read-only-storage', 'storage']),
    decide: makeLayout(device, 'decide', ['storage']),
    uniform: makeLayout(device, 'uniform', ['uniform']),
  };
}

/** @typedef {'storage' | 'read-only-storage' | 'uniform'} BindingKind */

/**
 * @param {GpuDevice} device
 * @param {string} label
 * @param {BindingKind[]} kinds
 * @returns {GpuBindGroupLayout}
 */
function makeLayout(device, label, kinds) {
  return device.createBindGroupLayout({
    label: `gradnorm ${label}`,
    entries: kinds.map((kind, binding) => ({
      binding,
      visibility: STAGE_COMPUTE,
      buffer: { type: kind },
    })),
  });
}
