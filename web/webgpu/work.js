// web/webgpu/work.js: the buffers and bind groups of a plan, made once, and what to encode into a pass with them.
import {
  COPY_SRC,
  JOB_WORDS,
  MERGE_PARTIALS,
  REWRITE_WORKGROUPS,
  STORAGE,
  TOTAL_STRIDE,
  UNIFORM,
} from './constants.js';
import { Gather } from './gather.js';
import { byKind, jobsOf, schedule } from './jobs.js';
import {
  decideKernel,
  healthKernel,
  jobGroup,
  MERGE_GROUP,
  mergeKernel,
  reduceKernel,
  RESULT_GROUP,
  rewriteKernel,
  UNIFORM_GROUP,
} from './kernels.js';
import { RESULT } from './layouts.js';

/**
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./types.js').GpuBindGroup} GpuBindGroup
 * @typedef {import('./types.js').GpuCommandEncoder} GpuCommandEncoder
 * @typedef {import('./types.js').GpuComputePassEncoder} GpuComputePassEncoder
 * @typedef {import('./context.js').Context} Context
 * @typedef {import('./context.js').Kernel} Kernel
 * @typedef {import('./jobs.js').Range} Range
 * @typedef {import('./jobs.js').Job} Job
 * @typedef {import('./jobs.js').DispatchKind} DispatchKind
 * @typedef {import('./shaders/sums.js').ReduceKind} ReduceKind
 */

/** The table of jobs, room for their partials behind it, and the bind groups of their dispatches. */
class Jobs {
  #context;
  #dispatches;
  /** @type {GpuBindGroup[]} */
  #groups;
  #uniforms;

  /**
   * @param {Context} context
   * @param {'reduce' | 'rewrite'} verb
   * @param {readonly Job[]} jobs
   */
  constructor(context, verb, jobs) {
    const { device, limits, placeholder } = context;
    const { alignment } = limits;
    const label = `gradnorm ${verb}`;
    this.#context = context;
    this.#dispatches = schedule(jobs, limits, verb === 'rewrite');
    this.table = device.createBuffer({
      label,
      size: 4 * JOB_WORDS * Math.max(1, 2 * jobs.length),
      usage: STORAGE | COPY_SRC,
      mappedAtCreation: true,
    });
    const words = this.#dispatches.flatMap((dispatch) => dispatch.words());
    new Uint32Array(this.table.getMappedRange()).set(words);
    this.table.unmap();
    let firstEntry = 0;
    const rows = this.#dispatches.map(({ entries: { length } }) => {
      firstEntry += length;
      return [firstEntry - length, length, jobs.length];
    });
    this.#uniforms = makeUniforms(context, `${label} dispatches`, rows);
    this.#groups = this.#dispatches.map(({ kind: { slots }, bindings }, i) => {
      const tensors = Array.from({ length: slots }, (_, slot) => {
        const { buffer, begin, end } = bindings[slot] ?? {
          buffer: placeholder,
          begin: slot * alignment,
          end: (slot + 1) * alignment,
        };
        return { buffer, offset: begin, size: end - begin };
      });
      const uniform = { buffer: this.#uniforms, offset: i * alignment, size: 16 };
      const resources = [uniform, { buffer: this.table }, ...tensors];
      return context.bindGroup(`${label} ${i}`, jobGroup(verb, slots), resources);
    });
  }

  /**
   * @param {GpuComputePassEncoder} pass
   * @param {(kind: DispatchKind) => Kernel} kernelOf
   * @param {number} [workgroups]  of a dispatch at most; a workgroup does one job if left out
   */
  encode(pass, kernelOf, workgroups = Infinity) {
    this.#dispatches.forEach(({ kind, entries }, i) => {
      if (kind !== this.#dispatches[i - 1]?.kind) pass.setPipeline(this.#context.pipeline(kernelOf(kind)));
      pass.setBindGroup(0, this.#groups[i]);
      pass.dispatchWorkgroups(Math.min(entries.length, workgroups));
    });
  }

  destroy() {
    this.#uniforms.destroy();
    this.table.destroy();
  }
}

/**
 * A uniform buffer of some words for each bind group, at offsets that can be bound.
 * @type {(context: Context, label: string, rows: number[][]) => GpuBuffer}
 */
function makeUniforms({ device, limits: { alignment } }, label, rows) {
  const size = Math.max(1, rows.length) * alignment;
  const buffer = device.createBuffer({ label, size, usage: UNIFORM, mappedAtCreation: true });
  const words = new Uint32Array(buffer.getMappedRange());
  rows.forEach((row, i) => words.set(row, (i * alignment) / 4));
  buffer.unmap();
  return buffer;
}

/** From the tensors to a total in the result buffer. */
export class Measuring {
  #context;
  #gather;
  #jobs;
  /** @type {GpuBuffer[]} */
  #buffers = [];
  /** Of each level: what it merges, and in how many workgroups. @type {{ group: GpuBindGroup, workgroups: number }[]} */
  #merges = [];
  #resultGroup;

  /**
   * @param {Context} context
   * @param {readonly Range[]} ranges  none empty
   * @param {GpuBuffer} result
   */
  constructor(context, ranges, result) {
    this.#context = context;
    this.#gather = new Gather(context, ranges);
    this.jobs = jobsOf(this.#gather.ranges);
    this.#jobs = new Jobs(context, 'reduce', this.jobs);
    this.#makeMerges(this.jobs.length, result);
    this.#resultGroup = context.bindGroup('gradnorm result', RESULT_GROUP, [{ buffer: result }]);
  }

  /** Where the partials are, in bytes. */
  get partials() {
    const size = 4 * JOB_WORDS * this.jobs.length;
    return { buffer: this.#jobs.table, offset: size, size };
  }

  /** @type {(jobCount: number, result: GpuBuffer) => void} */
  #makeMerges(jobCount, result) {
    const context = this.#context;
    const workgroups = Math.max(1, Math.ceil(jobCount / MERGE_PARTIALS));
    const isOneLevel = workgroups === 1;
    const uniforms = makeUniforms(context, 'gradnorm merges', [
      [jobCount, jobCount, isOneLevel ? RESULT.at.largest : 0],
      [workgroups, 0, RESULT.at.largest],
    ]);
    const size = 4 * TOTAL_STRIDE * workgroups;
    const totals = context.device.createBuffer({ label: 'gradnorm totals', size, usage: STORAGE });
    this.#buffers = [uniforms, totals];
    const { table } = this.#jobs;
    const levels = isOneLevel ? [[table, result]] : [[table, totals], [totals, result]]; // prettier-ignore
    this.#merges = levels.map(([source, target], i) => {
      const uniform = { buffer: uniforms, offset: i * context.limits.alignment, size: 16 };
      const resources = [uniform, { buffer: source }, { buffer: target }];
      const group = context.bindGroup(`gradnorm merge ${i + 1}`, MERGE_GROUP, resources);
      return { group, workgroups: i === 0 ? workgroups : 1 };
    });
  }

  /**
   * Compiles in the background what a step needs that measures these ranges and scales them.
   * @param {ReduceKind} power
   * @param {readonly Range[]} ranges
   * @returns {Promise<unknown>}
   */
  prepare(power, ranges) {
    const { limits } = this.#context;
    const kindsOf = (/** @type {readonly Job[]} */ jobs) => [...byKind(jobs, limits).keys()];
    const kernels = [
      ...kindsOf(this.jobs).map((kind) => reduceKernel(power, kind)),
      ...this.#merges.map((_, i) => mergeKernel(i === 0 ? 1 : 2)),
      decideKernel(power),
      ...kindsOf(jobsOf(ranges)).map((kind) => rewriteKernel('scale', kind)),
    ];
    return Promise.all(kernels.map((kernel) => this.#context.prepare(kernel)));
  }

  /**
   * What comes before the pass.
   * @param {GpuCommandEncoder} encoder
   */
  encodeCopies(encoder) {
    this.#gather.encode(encoder);
  }

  /** @type {(pass: GpuComputePassEncoder, power: ReduceKind, parameterGroup: GpuBindGroup) => void} */
  encode(pass, power, parameterGroup) {
    if (power === 'real') pass.setBindGroup(1, parameterGroup);
    this.#jobs.encode(pass, (kind) => reduceKernel(power, kind));
    this.#merges.forEach(({ group, workgroups }, i) => {
      pass.setPipeline(this.#context.pipeline(mergeKernel(i === 0 ? 1 : 2)));
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(workgroups);
    });
  }

  /**
   * What web/webgpu/shaders/health.js finds, in the place of the partials.
   * @param {GpuComputePassEncoder} pass
   */
  encodeHealth(pass) {
    this.#jobs.encode(pass, healthKernel);
  }

  /**
   * From the total in the result buffer to the norm and the coefficient there.
   * @param {GpuComputePassEncoder} pass
   * @param {ReduceKind} power
   * @param {GpuBindGroup} parameterGroup
   */
  encodeDecision(pass, power, parameterGroup) {
    pass.setPipeline(this.#context.pipeline(decideKernel(power)));
    pass.setBindGroup(0, this.#resultGroup);
    pass.setBindGroup(1, parameterGroup);
    pass.dispatchWorkgroups(1);
  }

  destroy() {
    this.#gather.destroy();
    this.#jobs.destroy();
    for (const buffer of this.#buffers) buffer.destroy();
  }
}

/** Rewrites the tensors in place. */
export class Rewriting {
  #jobs;
  #resultGroup;

  /**
   * @param {Context} context
   * @param {readonly Range[]} ranges  none empty; no two share a byte
   * @param {GpuBuffer} result
   */
  constructor(context, ranges, result) {
    this.#jobs = new Jobs(context, 'rewrite', jobsOf(ranges));
    this.#resultGroup = context.bindGroup('gradnorm result', UNIFORM_GROUP, [{ buffer: result }]);
  }

  /**
   * As the result says.
   * @param {GpuComputePassEncoder} pass
   */
  encodeScale(pass) {
    pass.setBindGroup(1, this.#resultGroup);
    this.#jobs.encode(pass, (kind) => rewriteKernel('scale', kind), REWRITE_WORKGROUPS);
  }

  /** @type {(pass: GpuComputePassEncoder, parameterGroup: GpuBindGroup) => void} */
  encodeClamp(pass, parameterGroup) {
    pass.setBindGroup(1, parameterGroup);
    this.#jobs.encode(pass, (kind) => rewriteKernel('clamp', kind), REWRITE_WORKGROUPS);
  }

  destroy() {
    this.#jobs.destroy();
  }
}
