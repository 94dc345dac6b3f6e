// web/webgpu/plan.js: GpuPlan, the verbs of the API for a fixed list of tensors in buffers. Encodes what web/webgpu/work.js
// prepared, and gives what comes back to the core.
import { checkChoice, checkNormType, checkNotNegative, checkOptions } from '../arguments.js';
import { FLOAT32 } from '../dtypes.js';
import { describe } from '../errors.js';
import { GradientError, gradReport, NormAccumulator } from '../index.js';
import {
  COPY_DST,
  COPY_SRC,
  FLAG_INFINITY,
  FLAG_NAN,
  MAP_READ,
  RESULT_WORDS,
  STORAGE,
  TOTAL_AT,
  UNIFORM,
} from './constants.js';
import { waitForLoss, watched } from './failures.js';
import { rangesToWrite } from './jobs.js';
import { kindOf, LARGEST_REAL_POWER, parametersOf, POLICIES, SMALLEST_REAL_POWER } from './powers.js';
import { addReadBack, readBack } from './read-back.js';
import { Ring, RING_SLOTS } from './ring.js';
import { reportOf } from './summaries.js';
import { readTotal, stateOf } from './totals.js';
import { Measuring, Rewriting } from './work.js';

/**
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./types.js').GpuCommandEncoder} GpuCommandEncoder
 * @typedef {import('./types.js').GpuComputePassEncoder} GpuComputePassEncoder
 * @typedef {import('./context.js').Context} Context
 * @typedef {import('./tensors.js').GpuTensor} GpuTensor
 * @typedef {import('./ring.js').Slot} Slot
 * @typedef {import('./totals.js').Total} Total
 */

/**
 * @typedef {object} GpuClipOptions
 * @property {number} [normType]  p: 1 or more up to 64, 0.5 up to 1, or Infinity; 2 if left out
 * @property {number} [eps]       added to the norm when it divides: 1e-6 if left out
 * @property {'propagate' | 'throw' | 'skip' | 'zero'} [nonfinite]  as for clipGradNorm; under 'throw' the gradients
 *   stay as they are and norm() rejects
 * @property {GpuCommandEncoder} [encoder]  yours, outside of a pass: the step is added to it, and you submit it before
 *   seven more steps of this plan
 */

/**
 * A step of clipping that was submitted, or encoded into your encoder.
 * @typedef {object} GpuClipStep
 * @property {GpuBuffer} result  the plan's result buffer, usable as STORAGE, UNIFORM or COPY_SRC; 64 bytes, of which yours are
 *   the first 16: flags (u32; 1: NaN, 2: infinity, 4: the gradients were rewritten), the norm before (f32), the
 *   coefficient that they were multiplied by (f32, 1 if they were not), and the number of the step (u32, from 1). Later
 *   steps of the plan overwrite it, in the order of the queue.
 * @property {() => Promise<number>} norm  the norm before. Call it after submitting your encoder, and before seven more
 *   steps of this plan. Rejects if WebGPU refused the step, or your encoder was not submitted. If nobody asks, the
 *   next norm or report of the plan tells what was wrong.
 */

const DEFAULT_EPS = 1e-6;

/**
 * A list of tensors in buffers, with everything that measuring and clipping them needs: made once, used every step.
 */
export class GpuPlan {
  #context;
  #forget;
  #tensors;
  #ranges;
  #elements;
  /** As #elements, but 0 where there are halves. */
  #floats;
  #result;
  #ring;
  #measuring;
  /** @type {Rewriting | null} */
  #rewriting = null;
  #isDestroyed = false;
  #steps = 0;
  /** What was wrong with making it. @type {Promise<Error | null>} */
  #creation;
  /** What was wrong with steps that nobody has been told of. @type {Set<Promise<Error | null>>} */
  #untold = new Set();

  /**
   * @param {Context} context
   * @param {GpuTensor[]} tensors
   * @param {() => void} forget  called when the plan is destroyed
   * @param {number} [steps]     that can be under way at once without making anything
   */
  constructor(context, tensors, forget, steps = RING_SLOTS) {
    context.checkAlive();
    this.#forget = forget;
    this.#context = context;
    this.#tensors = tensors;
    this.#ranges = tensors.filter(({ length }) => length > 0);
    this.#elements = tensors.reduce((sum, { length }) => sum + length, 0);
    this.#floats = this.#ranges.every(({ dtype }) => dtype === FLOAT32) ? this.#elements : 0;
    const { device } = context;
    this.#result = device.createBuffer({
      label: 'gradnorm result',
      size: 4 * RESULT_WORDS,
      usage: STORAGE | UNIFORM | COPY_SRC,
    });
    const { result, failure } = watched(context, this.#ranges, () => ({
      ring: new Ring(context, steps),
      measuring: new Measuring(context, this.#ranges, this.#result),
    }));
    this.#ring = result.ring;
    this.#measuring = result.measuring;
    this.#creation = failure;
  }

  /** How many elements the tensors have. */
  get count() {
    return this.#elements;
  }

  /**
   * The global p-norm of all tensors, as gradNorm computes it. Relative error at most 2^-23 for p = 1, 2, 3, 4 and
   * Infinity, 4e-6 for other p in [0.5, 64]. For any other p the tensors are read back, through a buffer of 4 MiB, and the
   * CPU computes it within 2^-23; their buffers need usage COPY_SRC then. For p = 1, 2 and Infinity every device gives
   * the same bits.
   * @param {number} [normType]  p: any number > 0, Infinity included; 2 if left out
   * @returns {Promise<number>}
   * @throws {TypeError | RangeError} if normType is no number or not > 0
   * @throws {Error} if a buffer cannot be used, the plan was destroyed or the device lost
   */
  async gradNorm(normType = 2) {
    return (await this.accumulate(normType)).norm;
  }

  /**
   * The tensors' part of a norm, to merge with others.
   * @param {number} [normType]
   * @returns {Promise<NormAccumulator>}
   */
  async accumulate(normType = 2) {
    checkNormType(normType);
    this.#checkUsable();
    const kind = kindOf(normType);
    if (kind === null) return this.#accumulateOnCpu(normType);
    const slot = this.#ring.take();
    const failure = this.#submit('gradnorm gradNorm', slot, (pass) => {
      if (kind === 'real') this.#writeParameters(slot, parametersOf({ normType }));
      this.#measuring.encode(pass, kind, slot.parameterGroup);
    });
    const words = await this.#readSlot(slot, failure);
    const total = readTotal(words.subarray(TOTAL_AT));
    return NormAccumulator.fromJSON(stateOf(total, this.#elements, normType));
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
   * @param {number} maxNorm  a number >= 0 or Infinity
   * @param {GpuClipOptions} [options]
   * @returns {GpuClipStep}
   * @throws {TypeError} if an argument is of the wrong type, or two tensors share only a part of their bytes
   * @throws {RangeError} if maxNorm, eps or normType is out of range
   * @throws {Error} if the plan was destroyed or the device lost
   */
  clipGradNorm(maxNorm, options = {}) {
    checkOptions('clipGradNorm', options, ['normType', 'eps', 'nonfinite', 'encoder']);
    const { normType = 2, eps = DEFAULT_EPS, nonfinite = 'propagate', encoder } = options;
    checkNotNegative('maxNorm', maxNorm, 'or Infinity');
    checkNotNegative('eps', eps, 'and finite');
    checkChoice('nonfinite', nonfinite, ['propagate', 'throw', 'skip', 'zero']);
    const kind = checkKind(normType);
    checkEncoder(encoder);
    this.#checkUsable();
    const rewriting = this.#writable();
    const slot = this.#ring.take();
    const number = (this.#steps = (this.#steps + 1) >>> 0);
    const failure = this.#submit(
      'gradnorm clipGradNorm',
      slot,
      (pass) => {
        this.#writeParameters(
          slot,
          parametersOf({ normType, maxNorm, eps, nonfinite, floats: this.#floats, step: number }),
        );
        this.#measuring.encode(pass, kind, slot.parameterGroup);
        this.#measuring.encodeDecision(pass, kind, slot.parameterGroup);
        if (maxNorm !== Infinity || POLICIES[nonfinite] === POLICIES.zero) rewriting.encodeScale(pass);
      },
      encoder,
    );
    return this.#step(slot, failure, { number, normType, nonfinite });
  }

  /**
   * Clamps every element to [-clipValue, clipValue] in place, the limit rounded to the nearest value of the
   * element's type. NaN stays NaN. Nothing is read back; that something is wrong with a buffer is only seen by the next
   * norm.
   * @param {number} clipValue  a number >= 0 or Infinity
   * @param {{ encoder?: GpuCommandEncoder }} [options]  encoder: as for clipGradNorm
   * @returns {void}
   * @throws {TypeError | RangeError | Error} as clipGradNorm
   */
  clipGradValue(clipValue, options = {}) {
    checkOptions('clipGradValue', options, ['encoder']);
    checkNotNegative('clipValue', clipValue, 'or Infinity');
    checkEncoder(options.encoder);
    this.#checkUsable();
    const rewriting = this.#writable();
    if (clipValue === Infinity) return;
    const slot = this.#ring.take();
    const encode = (/** @type {GpuComputePassEncoder} */ pass) => {
      this.#writeParameters(slot, parametersOf({ normType: 2, clipValue }));
      rewriting.encodeClamp(pass, slot.parameterGroup);
    };
    this.#submit('gradnorm clipGradValue', null, encode, options.encoder);
  }

  /**
   * The health of all tensors and of each, as gradReport: two passes over the tensors, of which 64 bytes for every
   * 16 kB come back. The total norm is gradNorm's, bit for bit, and the bounds are its; means are within 2^-22. For p below
   * 0.5 or above 64, Infinity aside, the tensors are read back and their buffers need usage COPY_SRC.
   * @param {{ normType?: number }} [options]  p: any number > 0, Infinity included; 2 if left out
   * @returns {Promise<import('../index.js').GradReport>}
   * @throws {TypeError | RangeError | Error} as gradNorm
   */
  async report(options = {}) {
    checkOptions('report', options, ['normType']);
    const { normType = 2 } = options;
    checkNormType(normType);
    this.#checkUsable();
    const kind = kindOf(normType);
    return kind === null ? this.#reportOnCpu(normType) : this.#reportOnGpu(normType, kind);
  }

  /**
   * Gives the GPU's memory back. What is under way rejects.
   */
  destroy() {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#forget();
    this.#ring.destroy();
    this.#measuring.destroy();
    this.#rewriting?.destroy();
    this.#result.destroy();
  }

  /**
   * @param {Slot} slot
   * @param {Promise<Error | null>} failure
   * @param {{ number: number, normType: number, nonfinite: string }} step
   * @returns {GpuClipStep}
   */
  #step(slot, failure, { number, normType, nonfinite }) {
    const { takenAt } = slot;
    /** @type {Promise<number> | null} */
    let norm = null;
    const read = async () => {
      if (slot.takenAt !== takenAt) {
        throw new Error(
          'gradnorm: the result of this step was overwritten; expected norm() to be called before seven more',
        );
      }
      const words = await this.#readSlot(slot, failure);
      if (words[3] !== number) {
        throw new Error(
          'gradnorm: this step did not run; expected its encoder to be submitted before norm(), ' +
            'and before seven more steps',
        );
      }
      const total = readTotal(words.subarray(TOTAL_AT));
      if (nonfinite === 'throw' && (words[0] & (FLAG_NAN | FLAG_INFINITY)) !== 0)
        throw this.#nonfiniteError(total);
      return NormAccumulator.fromJSON(stateOf(total, this.#elements, normType)).norm;
    };
    return { result: this.#result, norm: () => (norm ??= read()) };
  }

  /** @param {Total} total */
  #nonfiniteError({ offender }) {
    const { job, position, value } = /** @type {import('./totals.js').Offender} */ (offender);
    const { jobs, firstElements } = this.#measuring.schedule;
    const { place, name } = this.#ranges[jobs[4 * job + 3]];
    const index = firstElements[job] + position;
    return new GradientError(
      `${place} has the value ${value} at index ${index}; expected finite gradients; nothing was clipped`,
      { tensor: name, index, value },
    );
  }

  /**
   * @param {Slot} slot
   * @param {ArrayBuffer} parameters
   */
  #writeParameters(slot, parameters) {
    this.#context.device.queue.writeBuffer(slot.parameters, 0, parameters);
  }

  /**
   * One pass, into the user's encoder or into one of our own that is submitted.
   * @param {string} label
   * @param {Slot | null} slot  of a step that measures, whose result goes there
   * @param {(pass: GpuComputePassEncoder) => void} encode
   * @param {GpuCommandEncoder} [encoder]
   * @returns {Promise<Error | null>}  what was wrong with it
   */
  #submit(label, slot, encode, encoder) {
    const { device } = this.#context;
    return this.#watch(() => {
      const target = encoder ?? device.createCommandEncoder({ label });
      if (slot !== null) this.#measuring.encodeCopies(target);
      const pass = target.beginComputePass({ label });
      encode(pass);
      pass.end();
      if (slot !== null) target.copyBufferToBuffer(this.#result, 0, slot.readback, 0, 4 * RESULT_WORDS);
      if (encoder === undefined) device.queue.submit([target.finish()]);
    });
  }

  /**
   * What was wrong with a step: whoever reads its result is told, and if nobody does, the next who reads.
   * @param {() => void} ask
   * @returns {Promise<Error | null>}
   */
  #watch(ask) {
    const { failure } = watched(this.#context, this.#ranges, ask);
    this.#untold.add(failure);
    failure.then((error) => {
      if (error === null) this.#untold.delete(failure);
    });
    return failure;
  }

  /**
   * @param {Slot} slot
   * @param {Promise<Error | null>} submission
   * @returns {Promise<Uint32Array>}
   */
  async #readSlot(slot, submission) {
    slot.isBusy = true;
    try {
      return await this.#read(slot.readback, submission);
    } finally {
      slot.isBusy = false;
    }
  }

  /**
   * @param {GpuBuffer} readback  that a submission copies to
   * @param {Promise<Error | null>} submission  what was wrong with it
   * @returns {Promise<Uint32Array>}
   */
  async #read(readback, submission) {
    try {
      this.#checkUsable();
      const mapping = readback.mapAsync(1);
      this.#untold.delete(submission);
      await this.#checkSteps([submission, ...this.#untold], mapping);
      return new Uint32Array(readback.getMappedRange().slice(0));
    } catch (error) {
      await waitForLoss(this.#context);
      this.#checkUsable();
      throw error;
    } finally {
      if (!this.#isDestroyed && readback.mapState !== 'unmapped') readback.unmap();
    }
  }

  /**
   * @param {Promise<Error | null>[]} steps  what was wrong with them
   * @param {Promise<unknown>} [done]
   * @throws what was, first
   */
  async #checkSteps(steps, done) {
    const [failures] = await Promise.all([Promise.all([this.#creation, ...steps]), done]);
    for (const step of steps) this.#untold.delete(step);
    this.#checkUsable();
    for (const failure of failures) if (failure !== null) throw failure;
  }

  /** @param {number} normType */
  async #accumulateOnCpu(normType) {
    const accumulator = new NormAccumulator(normType);
    await this.#onCpu((tensor) => addReadBack(this.#context, tensor, accumulator));
    return accumulator;
  }

  /** @param {number} normType */
  async #reportOnCpu(normType) {
    /** @type {Map<string, import('./read-back.js').Elements>} */
    const copies = new Map();
    await this.#onCpu(async (tensor) => copies.set(tensor.name, await readBack(this.#context, tensor)));
    return gradReport(copies, { normType });
  }

  /**
   * @param {number} normType
   * @param {import('./reduce-shader.js').ReduceKind} kind
   */
  async #reportOnGpu(normType, kind) {
    const { device } = this.#context;
    const { work, schedule } = this.#measuring;
    const label = 'gradnorm report';
    const copy = device.createBuffer({
      label,
      size: 4 * RESULT_WORDS + 2 * work.size,
      usage: MAP_READ | COPY_DST,
    });
    try {
      const slot = this.#ring.take();
      const failure = this.#watch(() => {
        const encoder = device.createCommandEncoder({ label });
        this.#measuring.encodeCopies(encoder);
        const norms = encoder.beginComputePass({ label });
        if (kind === 'real') this.#writeParameters(slot, parametersOf({ normType }));
        this.#measuring.encode(norms, kind, slot.parameterGroup);
        norms.end();
        encoder.copyBufferToBuffer(this.#result, 0, copy, 0, 4 * RESULT_WORDS);
        encoder.copyBufferToBuffer(work, 0, copy, 4 * RESULT_WORDS, work.size);
        const health = encoder.beginComputePass({ label });
        this.#measuring.encodeHealth(health);
        health.end();
        encoder.copyBufferToBuffer(work, 0, copy, 4 * RESULT_WORDS + work.size, work.size);
        device.queue.submit([encoder.finish()]);
      });
      const words = await this.#read(copy, failure);
      const [begin, middle] = [RESULT_WORDS, RESULT_WORDS + work.size / 4];
      return reportOf(normType, this.#tensors, schedule, {
        total: readTotal(words.subarray(TOTAL_AT, begin)),
        norms: words.subarray(begin, middle),
        health: words.subarray(middle),
      });
    } finally {
      copy.destroy();
    }
  }

  /** @param {(tensor: GpuTensor) => Promise<unknown>} read  one after the other */
  async #onCpu(read) {
    try {
      await this.#checkSteps([...this.#untold]);
      for (const tensor of this.#tensors) {
        await read(tensor);
        this.#checkUsable();
      }
    } catch (error) {
      await waitForLoss(this.#context);
      this.#checkUsable();
      throw error;
    }
  }

  /** What rewriting needs, made at the first step that does. */
  #writable() {
    if (this.#rewriting === null) {
      const ranges = rangesToWrite(this.#ranges, (first, second) => {
        const [one, other] = [this.#ranges[first], this.#ranges[second]];
        return new TypeError(
          `${other.place} overlaps ${one.place} in its buffer; ` +
            'to be clipped, expected tensors that share all of their bytes or none',
        );
      });
      const { result, failure } = watched(
        this.#context,
        this.#ranges,
        () => new Rewriting(this.#context, ranges, this.#result),
      );
      this.#rewriting = result;
      this.#creation = Promise.all([this.#creation, failure]).then(([before, now]) => before ?? now);
    }
    return this.#rewriting;
  }

  /** @throws {Error} if the plan was destroyed or the device lost */
  #checkUsable() {
    this.#context.checkAlive();
    if (this.#isDestroyed) throw new Error('gradnorm: this plan was destroyed');
  }
}

/** @param {unknown} normType */
function checkKind(normType) {
  checkNormType(normType);
  const kind = kindOf(/** @type {number} */ (normType));
  if (kind === null) {
    throw new RangeError(
      `normType is ${normType}; to clip on the GPU, expected a number from ${SMALLEST_REAL_POWER} ` +
        `to ${LARGEST_REAL_POWER}, or Infinity`,
    );
  }
  return kind;
}

/** @param {unknown} encoder */
function checkEncoder(encoder) {
  if (encoder === undefined) return;
  const given = /** @type {Partial<GpuCommandEncoder> | null} */ (encoder);
  if (typeof given?.beginComputePass !== 'function') {
    throw new TypeError(`encoder is ${describe(encoder)}; expected a GPUCommandEncoder`);
  }
}
