// web/webgpu/work.js: the buffers and bind groups of a plan, made once, and what to encode into a pass with them.
import { Gather } from './gather.js';
import { byKind, jobsOf, schedule } from './jobs.js';
import { COPY_SRC, JOB_BYTES, MERGE_PARTIALS, RESULT, STORAGE, UNIFORM } from './layouts.js';
import { decideShader } from './shaders/decide.js';
import { mergeShader } from './shaders/merge.js';
import { reduceShader } from './shaders/reduce.js';
import { rewriteShader } from './shaders/rewrite.js';

/** @import { GpuBuffer, GpuBindGroup, GpuComputePassEncoder } from './types.js' */
/** @import { Context, Kernel } from './context.js' */
/** @import { Range, Job, DispatchKind } from './jobs.js' */
/** @import { ReduceKind } from './shaders/sums.js' */
/** @import { RewriteKind } from './shaders/rewrite.js' */

/**
 * The bindings of a dispatch of jobs: itself, the table, the tensors.
 * @type {(isWritten: boolean, slots: number) => string}
 */
const jobGroup = (isWritten, slots) => (isWritten ? `ur${'w'.repeat(slots)}` : `uw${'r'.repeat(slots)}`);

/** @type {(kind: DispatchKind) => string} */
const nameOf = ({ slots, isWhole, hasHalves }) =>
  `${slots}${isWhole ? ' whole' : ''}${hasHalves ? ' halves' : ''}`;

/** @type {(power: ReduceKind | 'health') => (kind: DispatchKind) => Kernel} */
const reduceKernel = (power) => (kind) => ({
  name: `reduce ${power} ${nameOf(kind)}`,
  groups: [jobGroup(false, kind.slots), 'u'],
  code: () => reduceShader(power, kind),
});

/** @type {(verb: RewriteKind) => (kind: DispatchKind) => Kernel} */
export const rewriteKernel = (verb) => (kind) => ({
  name: `${verb} ${nameOf(kind)}`,
  groups: [jobGroup(true, kind.slots), 'u'],
  code: () => rewriteShader(verb, kind),
});

/** @type {Kernel} */
const MERGE_KERNEL = { name: 'merge', groups: ['urw'], code: mergeShader };

/** @type {(power: ReduceKind) => Kernel} */
const decideKernel = (power) => ({
  name: `decide ${power}`,
  groups: ['w', 'u'],
  code: () => decideShader(power),
});

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

/** The table of jobs, room for what is found of them behind it, and the bind groups of their dispatches. */
export class Jobs {
  #context;
  #dispatches;
  #groups;
  #uniforms;

  /**
   * @param {Context} context
   * @param {boolean} isWritten
   * @param {readonly Job[]} jobs
   */
  constructor(context, isWritten, jobs) {
    const { device, limits, placeholder } = context;
    const { alignment } = limits;
    const label = `gradnorm ${isWritten ? 'rewrite' : 'reduce'}`;
    this.#context = context;
    const dispatches = schedule(jobs, limits, isWritten);
    this.#dispatches = dispatches;
    const words = dispatches.flatMap(({ entries }) => entries.flat());
    this.table = device.createBuffer({
      label,
      size: JOB_BYTES * Math.max(1, (isWritten ? 1 : 4) * jobs.length),
      usage: STORAGE | COPY_SRC,
      mappedAtCreation: true,
    });
    new Uint32Array(this.table.getMappedRange()).set(words);
    this.table.unmap();
    let end = 0;
    const rows = dispatches.map(({ entries: { length } }) => [(end += length) - length, length, jobs.length]);
    const uniforms = makeUniforms(context, `${label} dispatches`, rows);
    this.#uniforms = uniforms;
    this.#groups = dispatches.map(({ kind: { slots }, bindings }, i) => {
      const unused = Array.from({ length: slots - bindings.length }, (_, slot) => ({
        buffer: placeholder,
        offset: slot * alignment,
        size: alignment,
      }));
      const uniform = { buffer: uniforms, offset: i * alignment, size: 16 };
      const resources = [uniform, { buffer: this.table }, ...bindings, ...unused];
      return context.bindGroup(`${label} ${i}`, jobGroup(isWritten, slots), resources);
    });
  }

  /**
   * @param {GpuComputePassEncoder} pass
   * @param {GpuBindGroup} group  of parameters, or of the result that says how to rewrite
   * @param {(kind: DispatchKind) => Kernel} kernelOf
   * @param {number} [workgroups]  of a dispatch at most; a workgroup does one job if left out
   */
  encode(pass, group, kernelOf, workgroups = Infinity) {
    pass.setBindGroup(1, group);
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

/** From the tensors to a total in the result buffer, and to a decision there. */
export class Measuring {
  #context;
  #jobs;
  #uniforms;
  #totals;
  /** Of each level: what it merges, and in how many workgroups. @type {{ group: GpuBindGroup, workgroups: number }[]} */
  #merges;
  #resultGroup;

  /**
   * @param {Context} context
   * @param {readonly Range[]} ranges  none empty
   * @param {GpuBuffer} result
   */
  constructor(context, ranges, result) {
    this.#context = context;
    /** Encoded before a pass that measures. */
    this.gather = new Gather(context, ranges);
    this.jobs = jobsOf(this.gather.ranges);
    this.#jobs = new Jobs(context, false, this.jobs);
    const count = this.jobs.length;
    const workgroups = Math.max(1, Math.ceil(count / MERGE_PARTIALS));
    const isOneLevel = workgroups === 1;
    // Vectors of four words from the beginning of the result to its total.
    const firstOfResult = RESULT.at.upper / 4;
    this.#uniforms = makeUniforms(context, 'gradnorm merges', [
      [count, count, MERGE_PARTIALS, isOneLevel ? firstOfResult : 0],
      [2 * workgroups, 0, 2 * workgroups, firstOfResult],
    ]);
    const size = 2 * JOB_BYTES * workgroups;
    this.#totals = context.device.createBuffer({ label: 'gradnorm totals', size, usage: STORAGE });
    const { table } = this.#jobs;
    const levels = isOneLevel ? [[table, result]] : [[table, this.#totals], [this.#totals, result]]; // prettier-ignore
    this.#merges = levels.map(([source, target], i) => {
      const uniform = { buffer: this.#uniforms, offset: i * context.limits.alignment, size: 16 };
      const resources = [uniform, { buffer: source }, { buffer: target }];
      const group = context.bindGroup(`gradnorm merge ${i + 1}`, 'urw', resources);
      return { group, workgroups: i === 0 ? workgroups : 1 };
    });
    this.#resultGroup = context.bindGroup('gradnorm result', 'w', [{ buffer: result }]);
  }

  /** Where the partials of jobs are, and what is found of their health, in bytes. */
  get findings() {
    const offset = JOB_BYTES * this.jobs.length;
    return { buffer: this.#jobs.table, offset, size: 3 * offset };
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
      ...kindsOf(this.jobs).map(reduceKernel(power)),
      MERGE_KERNEL,
      decideKernel(power),
      ...kindsOf(jobsOf(ranges)).map(rewriteKernel('scale')),
    ];
    return Promise.all(kernels.map((kernel) => this.#context.prepare(kernel)));
  }

  /** @type {(pass: GpuComputePassEncoder, power: ReduceKind, parameterGroup: GpuBindGroup) => void} */
  encode(pass, power, parameterGroup) {
    this.#jobs.encode(pass, parameterGroup, reduceKernel(power));
    pass.setPipeline(this.#context.pipeline(MERGE_KERNEL));
    for (const { group, workgroups } of this.#merges) {
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(workgroups);
    }
  }

  /** @type {(pass: GpuComputePassEncoder, parameterGroup: GpuBindGroup) => void} */
  encodeHealth(pass, parameterGroup) {
    this.#jobs.encode(pass, parameterGroup, reduceKernel('health'));
  }

  /**
   * From the total in the result buffer to the norm and the coefficient there.
   * @type {(pass: GpuComputePassEncoder, power: ReduceKind, parameterGroup: GpuBindGroup) => void}
   */
  encodeDecision(pass, power, parameterGroup) {
    pass.setPipeline(this.#context.pipeline(decideKernel(power)));
    pass.setBindGroup(0, this.#resultGroup);
    pass.setBindGroup(1, parameterGroup);
    pass.dispatchWorkgroups(1);
  }

  destroy() {
    this.gather.destroy();
    this.#jobs.destroy();
    this.#uniforms.destroy();
    this.#totals.destroy();
  }
}
