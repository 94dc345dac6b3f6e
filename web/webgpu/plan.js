// web/webgpu/plan.js: GpuPlan, the verbs of the API for a fixed list of tensors in buffers. Encodes what web/webgpu/work.js
// prepared, and gives what comes back to the core.
import { NormAccumulator } from '../accumulator.js';
import { reportOfRows, reportOfTensors } from '../report.js';
import { DTYPE_NAMES, isHalf } from '../core/dtypes.js';
import { emptyState, jsonOf } from '../core/partial.js';
import { finish, reduceInto } from '../core/reduce.js';
import { readClipOptions } from '../door/clip-options.js';
import { checkEncoder, checkOptions, readGpuClipOptions } from '../door/gpu-options.js';
import { checkNormType, checkNotNegative } from '../words/checks.js';
import { GradientError } from '../words/errors.js';
import { Context } from './context.js';
import { jobsOf, rangesToWrite } from './jobs.js';
import { COPY_DST, COPY_SRC, MAP_READ, RESULT, REWRITE_WORKGROUPS, STORAGE, UNIFORM } from './layouts.js';
import { Ledger } from './ledger.js';
import { checkedKindOf, kindOf, parametersOf } from './powers.js';
import { onCpu } from './read-back.js';
import { offenderOf, partialOfResult, rowsOf } from './results.js';
import { Ring, RING_SLOTS } from './ring.js';
import { normOf } from './step.js';
import { Jobs, Measuring, rewriteKernel } from './work.js';

/** @import { GpuBuffer, GpuCommandEncoder, GpuComputePassEncoder } from './types.js' */
/** @import { GpuTensor } from '../door/buffers.js' */
/** @import { GpuClipOptions, GpuReportOptions, GpuValueOptions, GpuMonitor } from '../door/gpu-options.js' */
/** @import { Slot } from './ring.js' */
/** @import { RewriteKind } from './shaders/rewrite.js' */
/** @import { ReduceKind } from './shaders/sums.js' */

/**
 * A step of clipping that was submitted, or encoded into your encoder.
 * @typedef {object} GpuClipStep
 * @property {GpuBuffer} result  the plan's result buffer, usable as STORAGE, UNIFORM or COPY_SRC; 64 bytes, of which yours are
 *   the first 16: flags (u32; 1: the norm is NaN, 2: it is infinite, 4: the gradients were rewritten, or clipCoefficient says that
 *   they are to be), the norm before (f32), the coefficient that they were multiplied by (f32, 1 if they were not), and the number
 *   of the step (u32, from 1). Later steps of the plan overwrite it, in the order of the queue.
 * @property {() => Promise<number>} norm  the norm before. Call it after submitting your encoder, and before seven more
 *   steps of this plan. Rejects if WebGPU refused this step, or your encoder was not submitted: ask again when it was.
 *   If nobody asks, the console tells what was wrong, once, and the next call of a method of the plan throws it.
 */

/**
 * A list of tensors in buffers, with everything that measuring and clipping them needs: made once by GpuGradNorm.plan, used every
 * step.
 */
export class GpuPlan {
  #context;
  #forget;
  #tensors;
  /** Those that have something. */
  #ranges;
  #elements;
  /** As #elements, but 0 where there are halves. */
  #floats;
  #ledger;
  #result;
  #resultGroup;
  #ring;
  /** Of what is read at once, which is no step. */
  #reads;
  #measuring;
  /** @type {Promise<unknown> | null} */
  #prepared = null;
  /** @type {import('./jobs.js').Range[] | null} */
  #spans = null;
  /** @type {Jobs | null} */
  #rewriting = null;
  #number = 0;

  /**
   * @internal
   * @param {Context} context
   * @param {GpuTensor[]} tensors
   * @param {() => void} forget  called when the plan is destroyed
   * @param {number} [steps]     that can be under way at once without making anything
   */
  constructor(context, tensors, forget, steps = RING_SLOTS) {
    if (!(context instanceof Context))
      throw new TypeError('GpuPlan has no public constructor; expected gpu.plan(tensors)');
    this.#context = context;
    this.#forget = forget;
    this.#tensors = tensors;
    this.#ranges = tensors.filter(({ length }) => length > 0);
    this.#elements = tensors.reduce((sum, { length }) => sum + length, 0);
    this.#floats = this.#ranges.some(({ dtype }) => isHalf(dtype)) ? 0 : this.#elements;
    this.#ledger = new Ledger(context, this.#ranges);
    const usage = STORAGE | UNIFORM | COPY_SRC;
    const result = context.device.createBuffer({ label: 'gradnorm result', size: 4 * RESULT.words, usage });
    this.#result = result;
    const { ring, reads, measuring, group } = this.#ledger.create(() => ({
      ring: new Ring(context, steps),
      reads: new Ring(context, 1, 0),
      measuring: new Measuring(context, this.#ranges, result),
      group: context.bindGroup('gradnorm result', 'u', [{ buffer: result }]),
    }));
    this.#ring = ring;
    this.#reads = reads;
    this.#measuring = measuring;
    this.#resultGroup = group;
  }

  /**
   * Resolves when the kernels for p = 2 are compiled, which is begun in the background when the plan is made; a step before
   * that compiles its own while it waits.
   * @returns {Promise<void>}
   */
  get ready() {
    this.#prepared ??= this.#measuring.prepare('square', this.#ranges);
    return this.#prepared.then(() => this.#ledger.checkUsable());
  }

  /** How many elements the tensors have. */
  get count() {
    return this.#elements;
  }

  /**
   * The global p-norm of all tensors, as gradNorm computes it. Relative error at most 2^-23 for p = 1, 2, 3, 4 and
   * Infinity, 4e-6 for other p in [0.5, 64]. For any other p a copy of the tensors is made and read back, and the CPU
   * computes it within 2^-23; their buffers need usage COPY_SRC then. For p = 1, 2 and Infinity every device gives the
   * same bits. What the buffers hold when this is called is what is measured.
   * @param {number} [normType]  p: any number > 0, Infinity included; 2 if left out
   * @returns {Promise<number>}
   * @throws {TypeError | RangeError} if normType is no number or not > 0
   * @throws {TypeError} if a buffer cannot be used
   * @throws {Error} if the plan was destroyed or the device lost
   */
  async gradNorm(normType = 2) {
    return finish(await this.partial(normType), normType);
  }

  /**
   * The tensors' part of a norm, to merge with others.
   * @param {number} [normType]  as for gradNorm
   * @returns {Promise<NormAccumulator>}
   * @throws {TypeError | RangeError | Error} as gradNorm
   */
  async accumulate(normType = 2) {
    return NormAccumulator.fromJSON(jsonOf(await this.partial(normType), normType));
  }

  /**
   * The same as words of the core.
   * @internal
   * @param {number} normType
   * @returns {Promise<BigUint64Array>}
   */
  async partial(normType) {
    checkNormType(normType);
    this.#ledger.enter();
    const kind = kindOf(normType);
    if (kind === null) {
      const partial = emptyState();
      await onCpu(this.#context, this.#ledger, this.#tensors, (tensors) =>
        reduceInto(tensors, normType, partial),
      );
      return partial;
    }
    const slot = this.#reads.take();
    this.#submit('gradnorm gradNorm', slot, (pass) => {
      if (kind === 'real') slot.write(parametersOf({ normType }));
      this.#measuring.encode(pass, kind, slot.group);
    });
    return partialOfResult(await slot.read(this.#ledger, this.#ledger.claimAll()), this.#elements);
  }

  /**
   * Scales the tensors in place so that their p-norm is at most maxNorm, with no readback in between: the GPU decides.
   *
   *     g = g * maxNorm / (norm + eps)   if norm > maxNorm; otherwise nothing is written
   *
   * Of float32 tensors the norm is at most maxNorm afterwards, as gradNorm measures it: the coefficient is at most
   * maxNorm / norm * (1 - 2^-21) for p = 1, 2, 3, 4 and Infinity, (1 - 2^-16) for other p, and where maxNorm is so small that
   * the roundings of subnormal elements count, products are rounded toward zero. With halves among them nothing is taken off.
   * Norms are compared with maxNorm within 2^-31; for other p one that is less than 2^-17 below counts as above.
   *
   * The coefficient is a float32 rounded down, of a norm within 2^-24 (p = 1, 2, 3, 4, Infinity; other p: 2^-18); each
   * product is exact and otherwise rounded once to nearest even, subnormals included. The same bits on every device for
   * p = 1, 2 and Infinity.
   * @param {number | GpuMonitor} maxNorm  a number >= 0 or Infinity; or a GradMonitor, for what it says before it knows this norm:
   *   a step behind, as reading the norm first would wait for the GPU. Tell it: monitor.update(await step.norm())
   * @param {GpuClipOptions} [options]
   * @returns {GpuClipStep}
   * @throws {TypeError} if an argument is of the wrong type, or two tensors share only a part of their bytes
   * @throws {RangeError} if maxNorm, eps or normType is out of range
   * @throws {Error} if the plan was destroyed or the device lost, or an earlier step failed that nobody asked for; the
   *   next call works
   */
  clipGradNorm(maxNorm, options = {}) {
    return this.#clip('clipGradNorm', maxNorm, options);
  }

  /**
   * Decides as clipGradNorm does, and leaves the gradients alone: the result has the norm and the coefficient to multiply them
   * by, for an optimizer kernel of yours that reads every gradient anyway. That saves a pass over the gradients. Where the norm
   * is not finite, flags say so; then the coefficient is NaN or 0 under 'propagate', 1 under 'skip' and 'throw', 0 under 'zero',
   * and 0 * NaN is NaN: let the kernel look at the flags.
   * @param {number | GpuMonitor} maxNorm  as for clipGradNorm
   * @param {GpuClipOptions} [options]
   * @returns {GpuClipStep}
   * @throws {TypeError | RangeError | Error} as clipGradNorm, but tensors may overlap
   */
  clipCoefficient(maxNorm, options = {}) {
    return this.#clip('clipCoefficient', maxNorm, options);
  }

  /**
   * Clamps every element to [-clipValue, clipValue] in place, the limit rounded to the nearest value of the
   * element's type. NaN stays NaN. With lossScale every element is divided by it before, in passes of their own. Nothing is read
   * back; that something is wrong with a buffer, the console tells, and the next call of a method of the plan throws it.
   * @param {number} clipValue  a number >= 0 or Infinity
   * @param {GpuValueOptions} [options]
   * @returns {void}
   * @throws {TypeError | RangeError | Error} as clipGradNorm
   */
  clipGradValue(clipValue, options = {}) {
    checkOptions('clipGradValue', options, ['lossScale', 'encoder']);
    checkNotNegative('clipValue', clipValue, 'or Infinity');
    const { lossScale } = readClipOptions(options);
    checkEncoder(options.encoder);
    this.#ledger.enter();
    this.#spans ??= rangesToWrite(this.#ranges);
    if (clipValue === Infinity && lossScale === 1) return;
    const slot = this.#ring.take();
    const encode = (/** @type {GpuComputePassEncoder} */ pass) => {
      slot.write(parametersOf({ normType: 2, clipValue, lossScale }));
      if (lossScale !== 1) this.#encodeClip(pass, 'square', slot, true);
      this.#encodeRewriting(pass, 'clamp', slot.group);
    };
    this.#submit('gradnorm clipGradValue', lossScale === 1 ? null : slot, encode, options.encoder);
  }

  /**
   * The health of all tensors and of each, as gradReport: two passes over the tensors, of which 48 bytes for every
   * 16 kB come back. The total norm is gradNorm's, bit for bit, and the bounds are its; means are within 2^-22. For p below
   * 0.5 or above 64, Infinity aside, the tensors are read back and their buffers need usage COPY_SRC.
   * @param {GpuReportOptions} [options]
   * @returns {Promise<import('../api.js').GradReport>}
   * @throws {TypeError | RangeError | Error} as gradNorm
   */
  async report(options = {}) {
    checkOptions('report', options, ['normType']);
    const { normType = 2 } = options;
    checkNormType(normType);
    this.#ledger.enter();
    const kind = kindOf(normType);
    const nameOf = (/** @type {number} */ i) => this.#tensors[i].name;
    if (kind === null)
      return onCpu(this.#context, this.#ledger, this.#tensors, (copies) =>
        reportOfTensors(copies, normType, nameOf),
      );
    const { total, rows } = await this.#inspect(normType, kind);
    return reportOfRows(
      normType,
      total,
      rows.map((row, i) => ({ name: nameOf(i), dtype: DTYPE_NAMES[this.#tensors[i].dtype], ...row })),
    );
  }

  /**
   * Gives the GPU's memory back. What is under way rejects.
   * @returns {void}
   */
  destroy() {
    if (!this.#ledger.destroy()) return;
    this.#forget();
    this.#ring.destroy();
    this.#reads.destroy();
    this.#measuring.destroy();
    this.#rewriting?.destroy();
    this.#result.destroy();
  }

  /** @type {(verb: 'clipGradNorm' | 'clipCoefficient', maxNorm: number | GpuMonitor, options: GpuClipOptions) => GpuClipStep} */
  #clip(verb, maxNorm, options) {
    const decision = readGpuClipOptions(verb, maxNorm, options);
    const { normType, nonfinite, lossScale } = decision;
    const kind = checkedKindOf(normType);
    const { encoder } = options;
    this.#ledger.enter();
    const mayChange = decision.maxNorm !== Infinity || nonfinite === 'zero' || lossScale !== 1;
    const isWriting = verb === 'clipGradNorm' && mayChange;
    if (verb === 'clipGradNorm') this.#spans ??= rangesToWrite(this.#ranges);
    const slot = this.#ring.take();
    const number = (this.#number = (this.#number + 1) >>> 0);
    const encode = (/** @type {GpuComputePassEncoder} */ pass) => {
      slot.write(parametersOf({ ...decision, floats: this.#floats, number }));
      this.#encodeClip(pass, kind, slot, isWriting);
    };
    const throws = nonfinite === 'throw';
    const norm = normOf({
      ledger: this.#ledger,
      slot,
      verdict: this.#submit(`gradnorm ${verb}`, slot, encode, encoder),
      number,
      isOwn: encoder === undefined,
      throws,
      finish: (words) => {
        if (throws) this.#checkFinite(words);
        return finish(partialOfResult(words, this.#elements), normType) / lossScale;
      },
    });
    return { result: this.#result, norm };
  }

  /** @type {(pass: GpuComputePassEncoder, kind: ReduceKind, slot: Slot, isWriting: boolean) => void} */
  #encodeClip(pass, kind, { group }, isWriting) {
    this.#measuring.encode(pass, kind, group);
    this.#measuring.encodeDecision(pass, kind, group);
    if (isWriting) this.#encodeRewriting(pass, 'scale', this.#resultGroup);
  }

  /** @type {(pass: GpuComputePassEncoder, verb: RewriteKind, group: import('./types.js').GpuBindGroup) => void} */
  #encodeRewriting(pass, verb, group) {
    // Made as part of the first step that needs it.
    this.#rewriting ??= new Jobs(this.#context, true, jobsOf(this.#spans ?? []));
    this.#rewriting.encode(pass, group, rewriteKernel(verb), REWRITE_WORKGROUPS);
  }

  /** @param {Uint32Array} words  of the result */
  #checkFinite(words) {
    const offender = offenderOf(words);
    if (offender === null) return;
    const { job, position, value } = offender;
    const { range, firstElement } = this.#measuring.jobs[job];
    const { place, name } = /** @type {GpuTensor} */ (range);
    const index = firstElement + position;
    throw new GradientError(
      `${place} has the value ${value} at index ${index}; expected finite gradients; nothing was clipped`,
      { tensor: name, index, value },
    );
  }

  /**
   * One pass, into the user's encoder or into one of our own that is submitted.
   * @param {string} label
   * @param {Slot | null} slot  of a step that measures, whose result goes there
   * @param {(pass: GpuComputePassEncoder) => void} encode
   * @param {GpuCommandEncoder} [encoder]
   * @param {(encoder: GpuCommandEncoder) => void} [copy]  what is read beside the result
   * @returns {import('./failures.js').Verdict}  what was wrong with it
   */
  #submit(label, slot, encode, encoder, copy) {
    const { device } = this.#context;
    const add = (/** @type {GpuCommandEncoder} */ target, /** @type {GpuBuffer | undefined} */ readback) => {
      if (readback !== undefined) this.#measuring.gather.encode(target);
      const pass = target.beginComputePass({ label });
      encode(pass);
      pass.end();
      if (readback !== undefined) target.copyBufferToBuffer(this.#result, 0, readback, 0, 4 * RESULT.words);
      copy?.(target);
    };
    if (encoder !== undefined) return this.#ledger.encode(encoder, () => add(encoder, slot?.kept));
    return this.#ledger.watch(() => {
      const own = device.createCommandEncoder({ label });
      add(own, slot?.readback);
      device.queue.submit([own.finish()]);
    }).verdict;
  }

  /** @type {(normType: number, kind: ReduceKind) => Promise<ReturnType<typeof rowsOf>>} */
  async #inspect(normType, kind) {
    const { jobs, findings } = this.#measuring;
    const { buffer, offset, size } = findings;
    const label = 'gradnorm report';
    const copy = this.#context.device.createBuffer({ label, size, usage: MAP_READ | COPY_DST });
    const slot = this.#reads.take();
    const encode = (/** @type {GpuComputePassEncoder} */ pass) => {
      slot.write(parametersOf({ normType }));
      this.#measuring.encode(pass, kind, slot.group);
      this.#measuring.encodeHealth(pass, slot.group);
    };
    try {
      this.#submit(label, slot, encode, undefined, (encoder) =>
        encoder.copyBufferToBuffer(buffer, offset, copy, 0, size),
      );
      const verdict = this.#ledger.claimAll();
      const read = [slot.read(this.#ledger, verdict), this.#ledger.read(copy, verdict)];
      const [result, words] = await Promise.all(read);
      return rowsOf(normType, this.#tensors, jobs, partialOfResult(result, this.#elements), words);
    } finally {
      copy.destroy();
    }
  }
}
