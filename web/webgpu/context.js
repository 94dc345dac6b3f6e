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

/** More bindings than this make shaders long and save little. */
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
  /** @type {string | null} */
  #loss = null;

  /** @param {GpuDevice} device */
  constructor(device) {
    this.device = device;
    this.limits = limitsOf(device);
    this.hasSubgroups = device.features.has('subgroups');
    this.layouts = makeLayouts(device, this.limits.slots);
    /** Bound where a dispatch has fewer tensors than bindings; each its own part, as those that are written must. */
    this.placeholder = device.createBuffer({
      label: 'gradnorm placeholder',
      size: this.limits.slots * this.limits.alignment,
      usage: STORAGE | COPY_DST,
    });
    device.lost.then(({ reason, message }) => {
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

  /** @param {ReduceKind} kind */
  reduce(kind) {
    const { uniform, reduce } = this.layouts;
    const code = () => reduceShader(kind, this.limits.slots, this.hasSubgroups);
    return this.#pipeline(`reduce ${kind}`, 'reduce', kind === 'real' ? [reduce, uniform] : [reduce], code);
  }

  /** For the same bind groups as reduce's, and partials of its own. */
  health() {
    const code = () => healthShader(this.limits.slots, this.hasSubgroups);
    return this.#pipeline('health', 'reduce', [this.layouts.reduce], code);
  }

  /** @param {1 | 2} level */
  merge(level) {
    return this.#pipeline(`merge ${level}`, 'mergeParts', [this.layouts.merge], () => mergeShader(level));
  }

  /** @param {ReduceKind} kind */
  decide(kind) {
    const { decide, uniform } = this.layouts;
    return this.#pipeline(`decide ${kind}`, 'decide', [decide, uniform], () => decideShader(kind));
  }

  /** @param {'scale' | 'clamp'} verb */
  rewrite(verb) {
    const { rewrite, uniform } = this.layouts;
    const code = () => rewriteShader(verb, this.limits.slots);
    return this.#pipeline(verb, 'rewrite', [rewrite, uniform], code);
  }

  /**
   * @param {string} name
   * @param {string} entryPoint
   * @param {GpuBindGroupLayout[]} bindGroupLayouts
   * @param {() => string} code
   * @returns {GpuComputePipeline}
   */
  #pipeline(name, entryPoint, bindGroupLayouts, code) {
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

/**
 * @param {GpuDevice} device
 * @param {number} slots
 */
function makeLayouts(device, slots) {
  /** @typedef {'storage' | 'read-only-storage' | 'uniform'} Kind */
  const layout = (/** @type {string} */ label, /** @type {Kind[]} */ kinds) =>
    device.createBindGroupLayout({
      label: `gradnorm ${label}`,
      entries: kinds.map((kind, binding) => ({
        binding,
        visibility: STAGE_COMPUTE,
        buffer: { type: kind },
      })),
    });
  const tensors = (/** @type {Kind} */ kind) => Array.from({ length: slots }, () => kind);
  return {
    reduce: layout('reduce', ['uniform', 'storage', ...tensors('read-only-storage')]),
    rewrite: layout('rewrite', ['uniform', 'read-only-storage', ...tensors('storage')]),
    merge: layout('merge', ['uniform', 'read-only-storage', 'storage']),
    decide: layout('decide', ['storage']),
    uniform: layout('uniform', ['uniform']),
  };
}
