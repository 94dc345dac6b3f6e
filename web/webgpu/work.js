// web/webgpu/work.js: the buffers and bind groups of a plan, made once, and what to encode into a pass with them.
import {
  COPY_DST,
  COPY_SRC,
  JOB_WORDS,
  MERGE_PARTIALS,
  RESULT_WORDS,
  REWRITE_WORKGROUPS,
  STORAGE,
  TOTAL_AT,
  TOTAL_WORDS,
  UNIFORM,
} from './constants.js';
import { Gather } from './gather.js';
import { schedule } from './jobs.js';

/**
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./types.js').GpuBindGroup} GpuBindGroup
 * @typedef {import('./types.js').GpuBindGroupLayout} GpuBindGroupLayout
 * @typedef {import('./types.js').GpuCommandEncoder} GpuCommandEncoder
 * @typedef {import('./types.js').GpuComputePassEncoder} GpuComputePassEncoder
 * @typedef {import('./context.js').Context} Context
 * @typedef {import('./jobs.js').Range} Range
 * @typedef {import('./jobs.js').Schedule} Schedule
 * @typedef {import('./jobs.js').Dispatch} Dispatch
 * @typedef {import('./reduce-shader.js').ReduceKind} ReduceKind
 */

/**
 * Jobs for a shader that takes several tensors a dispatch.
 */
class Jobs {
  /** @type {GpuBindGroup[]} */
  #groups;
  #uniforms;

  /**
   * @param {Context} context
   * @param {Schedule} jobSchedule
   * @param {'reduce' | 'rewrite'} verb
   * @param {GpuBuffer} table
   */
  constructor(context, jobSchedule, verb, table) {
    const { device, limits, placeholder } = context;
    const { alignment } = limits;
    const { dispatches } = jobSchedule;
    this.schedule = jobSchedule;
    this.kernels = context.kernelsFor(
      dispatches.reduce((most, { bindings }) => Math.max(most, bindings.length), 0),
    );
    const { slots } = this.kernels;
    const layout = this.kernels.layouts[verb];
    const label = `gradnorm ${verb}`;
    this.#uniforms = makeUniforms(
      context,
      `${label} dispatches`,
      dispatches.map(({ firstJob, jobCount }) => [firstJob, jobCount]),
    );
    this.#groups = dispatches.map(({ bindings }, i) => {
      const tensors = Array.from({ length: slots }, (_, slot) => {
        if (slot >= bindings.length)
          return { buffer: placeholder, offset: slot * alignment, size: alignment };
        const { buffer, begin, end } = bindings[slot];
        return { buffer, offset: begin, size: end - begin };
      });
      const resources = [
        { buffer: this.#uniforms, offset: i * alignment, size: 16 },
        { buffer: table },
        ...tensors,
      ];
      return device.createBindGroup({
        label: `${label} ${i}`,
        layout,
        entries: resources.map((resource, binding) => ({ binding, resource })),
      });
    });
  }

  /**
   * @param {GpuComputePassEncoder} pass
   * @param {number} [workgroups]  of a dispatch at most; a workgroup does one job if left out
   */
  encode(pass, workgroups = Infinity) {
    this.schedule.dispatches.forEach(({ jobCount }, i) => {
      pass.setBindGroup(0, this.#groups[i]);
      pass.dispatchWorkgroups(Math.min(jobCount, workgroups));
    });
  }

  destroy() {
    this.#uniforms.destroy();
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
    const jobSchedule = schedule(this.#gather.ranges, context.limits, false);
    /** Jobs and partials. */
    this.work = makeWork(context, jobSchedule);
    this.#jobs = new Jobs(context, jobSchedule, 'reduce', this.work);
    this.#groupCount = Math.max(1, Math.ceil(jobSchedule.jobCount / MERGE_PARTIALS));
    this.#buffers.push(this.work);
    this.#makeMerges(jobSchedule.jobCount, result);
    this.#resultGroup = context.device.createBindGroup({
      label: 'gradnorm result',
      layout: context.layouts.decide,
      entries: [{ binding: 0, resource: { buffer: result } }],
    });
  }

  /** @returns {Schedule} */
  get schedule() {
    return this.#jobs.schedule;
  }

  /**
   * @param {number} jobCount
   * @param {GpuBuffer} result
   */
  #makeMerges(jobCount, result) {
    const { device, layouts, limits } = this.#context;
    const stride = limits.alignment;
    const isOneLevel = this.#groupCount === 1;
    const uniforms = makeUniforms(this.#context, 'gradnorm merges', [
      [jobCount, isOneLevel ? TOTAL_AT : 0],
      [this.#groupCount, TOTAL_AT],
    ]);
    this.#buffers.push(uniforms);
    const bind = (
      /** @type {number} */ level,
      /** @type {GpuBuffer} */ source,
      /** @type {GpuBuffer} */ target,
    ) => {
      const resources = [
        { buffer: uniforms, offset: (level - 1) * stride, size: 16 },
        { buffer: source },
        { buffer: target },
      ];
      const entries = resources.map((resource, binding) => ({ binding, resource }));
      this.#mergeGroups.push(
        device.createBindGroup({ label: `gradnorm merge ${level}`, layout: layouts.merge, entries }),
      );
    };
    if (isOneLevel) {
      bind(1, this.work, result);
      return;
    }
    const totals = device.createBuffer({
      label: 'gradnorm totals',
      size: 4 * TOTAL_WORDS * this.#groupCount,
      usage: STORAGE,
    });
    this.#buffers.push(totals);
    bind(1, this.work, totals);
    bind(2, totals, result);
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
   * @param {ReduceKind} kind
   * @param {GpuBindGroup} parameterGroup
   */
  encode(pass, kind, parameterGroup) {
    pass.setPipeline(this.#jobs.kernels.reduce(kind));
    if (kind === 'real') pass.setBindGroup(1, parameterGroup);
    this.#jobs.encode(pass);
    pass.setPipeline(this.#context.merge(1));
    pass.setBindGroup(0, this.#mergeGroups[0]);
    pass.dispatchWorkgroups(this.#groupCount);
    if (this.#mergeGroups.length === 1) return;
    pass.setPipeline(this.#context.merge(2));
    pass.setBindGroup(0, this.#mergeGroups[1]);
    pass.dispatchWorkgroups(1);
  }

  /**
   * What web/webgpu/health-shader.js finds, in the place of the partials.
   * @param {GpuComputePassEncoder} pass
   */
  encodeHealth(pass) {
    pass.setPipeline(this.#jobs.kernels.health());
    this.#jobs.encode(pass);
  }

  /**
   * From the total in the result buffer to the norm and the coefficient there.
   * @param {GpuComputePassEncoder} pass
   * @param {ReduceKind} kind
   * @param {GpuBindGroup} parameterGroup
   */
  encodeDecision(pass, kind, parameterGroup) {
    pass.setPipeline(this.#context.decide(kind));
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

/**
 * @param {Context} context
 * @param {Schedule} schedule
 * @returns {GpuBuffer}  with each job in its place, and room for its partial beside it
 */
function makeWork({ device }, { jobCount, jobs }) {
  const work = device.createBuffer({
    label: 'gradnorm jobs and partials',
    size: 4 * 2 * JOB_WORDS * Math.max(1, jobCount),
    usage: STORAGE | COPY_SRC | COPY_DST,
    mappedAtCreation: true,
  });
  const words = new Uint32Array(work.getMappedRange());
  for (let job = 0; job < jobCount; ++job) {
    words.set(jobs.subarray(JOB_WORDS * job, JOB_WORDS * (job + 1)), 2 * JOB_WORDS * job);
  }
  work.unmap();
  return work;
}

/** Rewrites the tensors in place. */
export class Rewriting {
  #jobs;
  #table;
  #resultGroup;

  /**
   * @param {Context} context
   * @param {readonly Range[]} ranges  none empty; no two share a byte
   * @param {GpuBuffer} result
   */
  constructor(context, ranges, result) {
    const { device, layouts } = context;
    const jobSchedule = schedule(ranges, context.limits, true);
    this.#table = device.createBuffer({
      label: 'gradnorm jobs',
      size: Math.max(16, jobSchedule.jobs.byteLength),
      usage: STORAGE,
      mappedAtCreation: true,
    });
    new Uint32Array(this.#table.getMappedRange()).set(jobSchedule.jobs);
    this.#table.unmap();
    this.#jobs = new Jobs(context, jobSchedule, 'rewrite', this.#table);
    this.#resultGroup = device.createBindGroup({
      label: 'gradnorm result',
      layout: layouts.uniform,
      entries: [{ binding: 0, resource: { buffer: result, size: 4 * RESULT_WORDS } }],
    });
  }

  /** @param {GpuComputePassEncoder} pass */
  encodeScale(pass) {
    pass.setPipeline(this.#jobs.kernels.rewrite('scale'));
    pass.setBindGroup(1, this.#resultGroup);
    this.#jobs.encode(pass, REWRITE_WORKGROUPS);
  }

  /**
   * @param {GpuComputePassEncoder} pass
   * @param {GpuBindGroup} parameterGroup
   */
  encodeClamp(pass, parameterGroup) {
    pass.setPipeline(this.#jobs.kernels.rewrite('clamp'));
    pass.setBindGroup(1, parameterGroup);
    this.#jobs.encode(pass, REWRITE_WORKGROUPS);
  }

  destroy() {
    this.#jobs.destroy();
    this.#table.destroy();
  }
}
