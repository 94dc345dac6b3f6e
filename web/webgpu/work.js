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
import { schedule } from './jobs.js';
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
 * @typedef {import('./types.js').GpuComputePipeline} GpuComputePipeline
 * @typedef {import('./types.js').GpuCommandEncoder} GpuCommandEncoder
 * @typedef {import('./types.js').GpuComputePassEncoder} GpuComputePassEncoder
 * @typedef {import('./context.js').Context} Context
 * @typedef {import('./jobs.js').Range} Range
 * @typedef {import('./jobs.js').Schedule} Schedule
 * @typedef {import('./jobs.js').DispatchKind} DispatchKind
 * @typedef {import('./shaders/sums.js').ReduceKind} ReduceKind
 */

/** The table of jobs and the bind groups of a schedule. */
class Jobs {
  #dispatches;
  /** @type {GpuBindGroup[]} */
  #groups;
  #uniforms;

  /**
   * @param {Context} context
   * @param {'reduce' | 'rewrite'} verb
   * @param {Schedule} schedule
   * @param {number} partials  for which there is room behind the table
   */
  constructor(context, verb, { jobs, dispatches }, partials) {
    const { device, placeholder } = context;
    const { alignment } = context.limits;
    const label = `gradnorm ${verb}`;
    this.#dispatches = dispatches;
    /** Every job in the order of the dispatches, then the partials in that of the jobs. */
    this.table = device.createBuffer({
      label,
      size: 4 * JOB_WORDS * Math.max(1, jobs.length + partials),
      usage: STORAGE | COPY_SRC,
      mappedAtCreation: true,
    });
    new Uint32Array(this.table.getMappedRange()).set(dispatches.flatMap((dispatch) => dispatch.words()));
    this.table.unmap();
    let firstEntry = 0;
    const rows = dispatches.map(({ entries }) => {
      const row = [firstEntry, entries.length, jobs.length];
      firstEntry += entries.length;
      return row;
    });
    this.#uniforms = makeUniforms(context, `${label} dispatches`, rows);
    this.#groups = dispatches.map(({ kind: { slots }, bindings }, i) => {
      const tensors = Array.from({ length: slots }, (_, slot) => {
        if (slot >= bindings.length)
          return { buffer: placeholder, offset: slot * alignment, size: alignment };
        const { buffer, begin, end } = bindings[slot];
        return { buffer, offset: begin, size: end - begin };
      });
      return context.bindGroup(`${label} ${i}`, jobGroup(verb, slots), [
        { buffer: this.#uniforms, offset: i * alignment, size: 16 },
        { buffer: this.table },
        ...tensors,
      ]);
    });
  }

  /** @returns {DispatchKind[]}  of whole jobs, of others, or both */
  get kinds() {
    return [...new Set(this.#dispatches.map(({ kind }) => kind))];
  }

  /**
   * @param {GpuComputePassEncoder} pass
   * @param {(kind: DispatchKind) => GpuComputePipeline} pipelineOf
   * @param {number} [workgroups]  of a dispatch at most; a workgroup does one job if left out
   */
  encode(pass, pipelineOf, workgroups = Infinity) {
    /** @type {DispatchKind | null} */
    let last = null;
    this.#dispatches.forEach(({ kind, entries }, i) => {
      if (kind !== last) pass.setPipeline(pipelineOf(kind));
      last = kind;
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
 * @param {Context} context
 * @param {string} label
 * @param {number[][]} rows
 * @returns {GpuBuffer}
 */
function makeUniforms({ device, limits }, label, rows) {
  const stride = limits.alignment;
  const buffer = device.createBuffer({
    label,
    size: Math.max(1, rows.length) * stride,
    usage: UNIFORM,
    mappedAtCreation: true,
  });
  const words = new Uint32Array(buffer.getMappedRange());
  rows.forEach((row, i) => words.set(row, (i * stride) / 4));
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
  /** @type {GpuBindGroup[]} */
  #mergeGroups = [];
  #groupCount;
  #resultGroup;

  /**
   * @param {Context} context
   * @param {readonly Range[]} ranges  none empty
   * @param {GpuBuffer} result
   */
  constructor(context, ranges, result) {
    this.#context = context;
    this.#gather = new Gather(context, ranges);
    this.schedule = schedule(this.#gather.ranges, context.limits, false);
    const { length } = this.schedule.jobs;
    this.#jobs = new Jobs(context, 'reduce', this.schedule, length);
    this.#groupCount = Math.max(1, Math.ceil(length / MERGE_PARTIALS));
    this.#makeMerges(length, result);
    this.#resultGroup = context.bindGroup('gradnorm result', RESULT_GROUP, [{ buffer: result }]);
  }

  /** Where the partials are: words of a buffer. */
  get partials() {
    const { length } = this.schedule.jobs;
    return { buffer: this.#jobs.table, at: JOB_WORDS * length, words: JOB_WORDS * length };
  }

  /**
   * @param {number} jobCount
   * @param {GpuBuffer} result
   */
  #makeMerges(jobCount, result) {
    const context = this.#context;
    const isOneLevel = this.#groupCount === 1;
    const atTotal = RESULT.at.largest;
    const uniforms = makeUniforms(context, 'gradnorm merges', [
      [jobCount, jobCount, isOneLevel ? atTotal : 0],
      [this.#groupCount, 0, atTotal],
    ]);
    this.#buffers.push(uniforms);
    const bind = (
      /** @type {number} */ level,
      /** @type {GpuBuffer} */ source,
      /** @type {GpuBuffer} */ target,
    ) => {
      const uniform = { buffer: uniforms, offset: (level - 1) * context.limits.alignment, size: 16 };
      const resources = [uniform, { buffer: source }, { buffer: target }];
      this.#mergeGroups.push(context.bindGroup(`gradnorm merge ${level}`, MERGE_GROUP, resources));
    };
    if (isOneLevel) {
      bind(1, this.#jobs.table, result);
      return;
    }
    const size = 4 * TOTAL_STRIDE * this.#groupCount;
    const totals = context.device.createBuffer({ label: 'gradnorm totals', size, usage: STORAGE });
    this.#buffers.push(totals);
    bind(1, this.#jobs.table, totals);
    bind(2, totals, result);
  }

  /**
   * Compiles in the background what a norm needs, and the decision about it.
   * @param {ReduceKind} power
   * @returns {Promise<unknown>}
   */
  prepare(power) {
    const reduce = this.#jobs.kinds.map((kind) => reduceKernel(power, kind, this.#context.hasSubgroups));
    const merge = this.#mergeGroups.map((_, i) => mergeKernel(i === 0 ? 1 : 2));
    const kernels = [...reduce, ...merge, decideKernel(power)];
    return Promise.all(kernels.map((kernel) => this.#context.prepare(kernel)));
  }

  /**
   * What comes before the pass.
   * @param {GpuCommandEncoder} encoder
   */
  encodeCopies(encoder) {
    this.#gather.encode(encoder);
  }

  /**
   * @param {GpuComputePassEncoder} pass
   * @param {ReduceKind} power
   * @param {GpuBindGroup} parameterGroup
   */
  encode(pass, power, parameterGroup) {
    const context = this.#context;
    if (power === 'real') pass.setBindGroup(1, parameterGroup);
    this.#jobs.encode(pass, (kind) => context.pipeline(reduceKernel(power, kind, context.hasSubgroups)));
    this.#mergeGroups.forEach((group, i) => {
      pass.setPipeline(context.pipeline(mergeKernel(i === 0 ? 1 : 2)));
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(i === 0 ? this.#groupCount : 1);
    });
  }

  /**
   * What web/webgpu/shaders/health.js finds, in the place of the partials.
   * @param {GpuComputePassEncoder} pass
   */
  encodeHealth(pass) {
    const context = this.#context;
    this.#jobs.encode(pass, (kind) => context.pipeline(healthKernel(kind, context.hasSubgroups)));
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
  #context;
  #jobs;
  #resultGroup;

  /**
   * @param {Context} context
   * @param {readonly Range[]} ranges  none empty; no two share a byte
   * @param {GpuBuffer} result
   */
  constructor(context, ranges, result) {
    this.#context = context;
    this.#jobs = new Jobs(context, 'rewrite', schedule(ranges, context.limits, true), 0);
    this.#resultGroup = context.bindGroup('gradnorm result', UNIFORM_GROUP, [{ buffer: result }]);
  }

  /** @param {GpuComputePassEncoder} pass */
  encodeScale(pass) {
    this.#encode(pass, 'scale', this.#resultGroup);
  }

  /**
   * @param {GpuComputePassEncoder} pass
   * @param {GpuBindGroup} parameterGroup
   */
  encodeClamp(pass, parameterGroup) {
    this.#encode(pass, 'clamp', parameterGroup);
  }

  /**
   * @param {GpuComputePassEncoder} pass
   * @param {'scale' | 'clamp'} verb
   * @param {GpuBindGroup} group
   */
  #encode(pass, verb, group) {
    pass.setBindGroup(1, group);
    const pipelineOf = (/** @type {DispatchKind} */ kind) =>
      this.#context.pipeline(rewriteKernel(verb, kind));
    this.#jobs.encode(pass, pipelineOf, REWRITE_WORKGROUPS);
  }

  destroy() {
    this.#jobs.destroy();
  }
}
