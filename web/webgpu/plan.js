// web/webgpu/plan.js: GpuPlan, the verbs of the API for a fixed list of tensors in buffers. Encodes what web/webgpu/work.js
// prepared, and gives what comes back to the core.
import { checkChoice, checkNormType, checkNotNegative } from '../words/checks.js';
import { FLOAT32 } from '../core/dtypes.js';
import { GradientError, gradReport, NormAccumulator } from '../api.js';
import { checkEncoder, checkKind, checkOptions } from './arguments.js';
import { COPY_DST, COPY_SRC, FLAG_INFINITY, FLAG_NAN, MAP_READ, STORAGE, UNIFORM } from './constants.js';
import { waitForLoss, watched } from './failures.js';
import { Faults } from './faults.js';
import { rangesToWrite } from './jobs.js';
import { RESULT } from './layouts.js';
import { kindOf, parametersOf, POLICIES } from './powers.js';
import { copyOf, namedEntries, ReadBack } from './read-back.js';
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
 * @typedef {import('./faults.js').Verdict} Verdict
 * @typedef {import('./ring.js').Slot} Slot
 * @typedef {import('./totals.js').Total} Total
 */

/**
 * @typedef {object} GpuClipOptions
 * @property {number} [normType]  p: 1 or more up to 64, 0.5 up to 1, or Infinity; 2 if left out
 * @property {number} [eps]       added to the norm when it divides: 1e-6 if left out
 * @property {'propagate' | 'throw' | 'skip' | 'zero'} [nonfinite]  as for clipGradNorm; under 'throw' the gradients
 *   stay as they are and norm() rejects; if nobody asks, it is told as any fault of a step, unless the encoder is yours
 * @property {GpuCommandEncoder} [encoder]  yours, outside of a pass: the step is added to it, and you submit it before
 *   seven more steps of this plan. What WebGPU refuses then, it tells your finish() and submit()
 */

/**
 * @typedef {object} GpuValueOptions
 * @property {GpuCommandEncoder} [encoder]  as for clipGradNorm
 */

/**
 * @typedef {object} GpuReportOptions
 * @property {number} [normType]  p: any number > 0, Infinity included; 2 if left out
 */

/**
 * A step of clipping that was submitted, or encoded into your encoder.
 * @typedef {object} GpuClipStep
 * @property {GpuBuffer} result  the plan's result buffer, usable as STORAGE, UNIFORM or COPY_SRC; 64 bytes, of which yours are
 *   the first 16: flags (u32; 1: NaN, 2: infinity, 4: the gradients were rewritten), the norm before (f32), the
 *   coefficient that they were multiplied by (f32, 1 if they were not), and the number of the step (u32, from 1). Later
 *   steps of the plan overwrite it, in the order of the queue.
 * @property {() => Promise<number>} norm  the norm before. Call it after submitting your encoder, and before seven more
 *   steps of this plan. Rejects if WebGPU refused the step, or your encoder was not submitted: ask again when it was.
 *   If nobody asks, the console tells what was wrong, once, and the next call of a method of the plan throws it.
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
  /** What was wrong with making it. @type {Verdict} */
  #creation = Promise.resolve(null);
  /** The same, once it is known. @type {Error | null} */
  #defect = null;
  #faults = new Faults();
  #prepared;

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
      size: 4 * RESULT.words,
      usage: STORAGE | UNIFORM | COPY_SRC,
    });
    const { ring, measuring } = this.#create(() => ({
      ring: new Ring(context, steps),
      measuring: new Measuring(context, this.#ranges, this.#result),
    }));
    this.#ring = ring;
    this.#measuring = measuring;
    this.#prepared = measuring.prepare('square');
  }

  /** Resolves when the kernels for p = 2 are compiled, which they are in the background; a step before waits for its own. */
  get ready() {
    return this.#prepared.then(() => this.#checkUsable());
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
    this.#enter();
    const kind = kindOf(normType);
    if (kind === null) return this.#accumulateOnCpu(normType);
    const slot = this.#ring.take();
    this.#submit('gradnorm gradNorm', slot, (pass) => {
      if (kind === 'real') this.#writeParameters(slot, parametersOf({ normType }));
      this.#measuring.encode(pass, kind, slot.parameterGroup);
    });
    const words = await this.#readSlot(slot, this.#faults.claimAll());
    const total = readTotal(words);
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
   * @throws {Error} if the plan was destroyed or the device lost, or an earlier step failed that nobody asked for; the
   *   next call works
   */
  clipGradNorm(maxNorm, options = {}) {
    checkOptions('clipGradNorm', options, ['normType', 'eps', 'nonfinite', 'encoder']);
    const { normType = 2, eps = DEFAULT_EPS, nonfinite = 'propagate', encoder } = options;
    checkNotNegative('maxNorm', maxNorm, 'or Infinity');
    checkNotNegative('eps', eps, 'and finite');
    checkChoice('nonfinite', nonfinite, ['propagate', 'throw', 'skip', 'zero']);
    const kind = checkKind(normType);
    checkEncoder(encoder);
    this.#enter();
    const rewriting = this.#writable();
    const slot = this.#ring.take();
    const number = (this.#steps = (this.#steps + 1) >>> 0);
    const verdict = this.#submit(
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
    return this.#step(slot, verdict, { number, normType, nonfinite, isOwn: encoder === undefined });
  }

  /**
   * Clamps every element to [-clipValue, clipValue] in place, the limit rounded to the nearest value of the
   * element's type. NaN stays NaN. Nothing is read back; that something is wrong with a buffer, the console tells, and the
   * next call of a method of the plan throws it.
   * @param {number} clipValue  a number >= 0 or Infinity
   * @param {GpuValueOptions} [options]
   * @returns {void}
   * @throws {TypeError | RangeError | Error} as clipGradNorm
   */
  clipGradValue(clipValue, options = {}) {
    checkOptions('clipGradValue', options, ['encoder']);
    checkNotNegative('clipValue', clipValue, 'or Infinity');
    checkEncoder(options.encoder);
    this.#enter();
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
   * @param {GpuReportOptions} [options]
   * @returns {Promise<import('../api.js').GradReport>}
   * @throws {TypeError | RangeError | Error} as gradNorm
   */
  async report(options = {}) {
    checkOptions('report', options, ['normType']);
    const { normType = 2 } = options;
    checkNormType(normType);
    this.#enter();
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
   * @param {Verdict} verdict
   * @param {{ number: number, normType: number, nonfinite: string, isOwn: boolean }} step  isOwn: in an encoder of ours
   * @returns {GpuClipStep}
   */
  #step(slot, verdict, { number, normType, nonfinite, isOwn }) {
    const { takenAt } = slot;
    const isGone = () => slot.takenAt !== takenAt;
    let isEarly = false;
    const read = async () => {
      isEarly = false;
      if (isGone()) {
        throw new Error(
          'gradnorm: the result of this step was overwritten; expected norm() to be called before seven more',
        );
      }
      if (!isOwn) this.#ring.fetch(slot);
      const words = await this.#readSlot(slot, verdict);
      if (words[RESULT.at.step] !== number) {
        isEarly = true;
        throw new Error(
          'gradnorm: this step did not run; expected its encoder to be submitted before norm(), ' +
            'and before seven more steps, and to have had no pass open when the step was added',
        );
      }
      const total = readTotal(words);
      if (nonfinite === 'throw' && (words[RESULT.at.flags] & (FLAG_NAN | FLAG_INFINITY)) !== 0)
        throw this.#nonfiniteError(total);
      return NormAccumulator.fromJSON(stateOf(total, this.#elements, normType)).norm;
    };
    /** @type {Promise<number> | null} */
    let reading = null;
    const verdicts = [verdict];
    if (nonfinite === 'throw' && isOwn) {
      // Whoever wants an error need not ask for the norm to get it.
      reading = read();
      const isFinite = reading.then(
        () => null,
        (error) => (error instanceof GradientError ? error : null),
      );
      this.#faults.add(isFinite);
      verdicts.push(isFinite);
    }
    const norm = async () => {
      for (const each of verdicts) this.#faults.claim(each);
      const before = this.#faults.claimAll();
      if (reading === null || (isEarly && !isGone())) reading = read();
      const [norm, fault] = await Promise.allSettled([reading, before]);
      if (fault.status === 'fulfilled' && fault.value !== null) throw fault.value;
      if (norm.status === 'rejected') throw norm.reason;
      return norm.value;
    };
    return { result: this.#result, norm };
  }

  /** @param {Total} total */
  #nonfiniteError({ offender }) {
    const { job, position, value } = /** @type {import('./totals.js').Offender} */ (offender);
    const { range, firstElement } = this.#measuring.schedule.jobs[job];
    const { place, name } = /** @type {GpuTensor} */ (range);
    const index = firstElement + position;
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
   * @returns {Verdict}  what was wrong with it
   */
  #submit(label, slot, encode, encoder) {
    const { device } = this.#context;
    return this.#watch(() => {
      const target = encoder ?? device.createCommandEncoder({ label });
      if (slot !== null) this.#measuring.encodeCopies(target);
      const pass = target.beginComputePass({ label });
      encode(pass);
      pass.end();
      if (slot !== null) {
        const copy = encoder === undefined ? slot.readback : this.#ring.keptOf(slot);
        target.copyBufferToBuffer(this.#result, 0, copy, 0, 4 * RESULT.words);
      }
      if (encoder === undefined) device.queue.submit([target.finish()]);
    });
  }

  /**
   * @param {() => void} ask
   * @returns {Verdict}
   */
  #watch(ask) {
    const { verdict } = watched(this.#context, this.#ranges, ask);
    this.#faults.add(verdict);
    return verdict;
  }

  /**
   * Makes what the plan cannot do without.
   * @template T
   * @param {() => T} make
   * @returns {T}
   */
  #create(make) {
    const { result, verdict } = watched(this.#context, this.#ranges, make);
    this.#faults.add(verdict);
    this.#creation = Promise.all([this.#creation, verdict]).then(([before, now]) => before ?? now);
    this.#creation.then((error) => (this.#defect = error));
    return result;
  }

  /**
   * @param {Slot} slot
   * @param {Verdict} verdict
   * @returns {Promise<Uint32Array>}
   */
  async #readSlot(slot, verdict) {
    slot.isBusy = true;
    try {
      return await this.#read(slot.readback, verdict);
    } finally {
      slot.isBusy = false;
    }
  }

  /**
   * @param {GpuBuffer} readback  that a submission copies to
   * @param {Verdict} verdict     what was wrong with it
   * @returns {Promise<Uint32Array>}
   */
  #read(readback, verdict) {
    return this.#told(async () => {
      const mapping = readback.mapAsync(1);
      try {
        await this.#checkSteps(verdict, mapping);
        return new Uint32Array(readback.getMappedRange().slice(0));
      } finally {
        unmap(readback);
      }
    });
  }

  /**
   * What is under way when the plan or the device goes says so, and not how WebGPU noticed.
   * @template T
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async #told(work) {
    try {
      this.#checkUsable();
      return await work();
    } catch (error) {
      await waitForLoss(this.#context);
      this.#checkUsable();
      throw error;
    }
  }

  /**
   * @param {Verdict} verdict
   * @param {Promise<unknown>} [done]
   * @throws what was wrong with making the plan or with a step
   */
  async #checkSteps(verdict, done) {
    const [defect, fault] = await Promise.all([this.#creation, verdict, done]);
    this.#checkUsable();
    const error = defect ?? fault;
    if (error !== null) throw error;
  }

  /** @param {number} normType */
  async #accumulateOnCpu(normType) {
    const accumulator = new NormAccumulator(normType);
    await this.#readBack((elements) => accumulator.add(elements));
    return accumulator;
  }

  /** @param {number} normType */
  async #reportOnCpu(normType) {
    /** @type {import('./read-back.js').Elements[]} */
    const copies = [];
    await this.#readBack((elements) => copies.push(copyOf(elements)));
    return gradReport(namedEntries(this.#tensors, copies), { normType });
  }

  /**
   * @param {number} normType
   * @param {import('./shaders/sums.js').ReduceKind} kind
   */
  async #reportOnGpu(normType, kind) {
    const { device } = this.#context;
    const { partials, schedule } = this.#measuring;
    const bytes = 4 * partials.words;
    const label = 'gradnorm report';
    const copy = device.createBuffer({
      label,
      size: 4 * RESULT.words + 2 * bytes,
      usage: MAP_READ | COPY_DST,
    });
    try {
      const slot = this.#ring.take();
      this.#watch(() => {
        const encoder = device.createCommandEncoder({ label });
        this.#measuring.encodeCopies(encoder);
        const norms = encoder.beginComputePass({ label });
        if (kind === 'real') this.#writeParameters(slot, parametersOf({ normType }));
        this.#measuring.encode(norms, kind, slot.parameterGroup);
        norms.end();
        encoder.copyBufferToBuffer(this.#result, 0, copy, 0, 4 * RESULT.words);
        encoder.copyBufferToBuffer(partials.buffer, 4 * partials.at, copy, 4 * RESULT.words, bytes);
        const health = encoder.beginComputePass({ label });
        this.#measuring.encodeHealth(health);
        health.end();
        encoder.copyBufferToBuffer(partials.buffer, 4 * partials.at, copy, 4 * RESULT.words + bytes, bytes);
        device.queue.submit([encoder.finish()]);
      });
      const words = await this.#read(copy, this.#faults.claimAll());
      const [begin, middle] = [RESULT.words, RESULT.words + partials.words];
      return reportOf(normType, this.#tensors, schedule, {
        total: readTotal(words),
        norms: words.subarray(begin, middle),
        health: words.subarray(middle),
      });
    } finally {
      copy.destroy();
    }
  }

  /** @param {(elements: import('./read-back.js').Elements) => void} take  gets those of each tensor, gone when it returns */
  async #readBack(take) {
    const copies = new ReadBack(this.#context, this.#tensors);
    try {
      this.#watch(() => copies.submit());
      const verdict = this.#faults.claimAll();
      await this.#told(async () => {
        await this.#checkSteps(verdict);
        await copies.read((elements) => {
          this.#checkUsable();
          take(elements);
        });
      });
    } finally {
      copies.destroy();
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
      this.#rewriting = this.#create(() => new Rewriting(this.#context, ranges, this.#result));
    }
    return this.#rewriting;
  }

  /**
   * The door of every method.
   * @throws {Error} if the plan cannot be used, or an earlier step failed that nobody asked for
   */
  #enter() {
    this.#checkUsable();
    this.#faults.throwKnown();
    if (this.#defect !== null) throw this.#defect;
  }

  /** @throws {Error} if the plan was destroyed or the device lost */
  #checkUsable() {
    this.#context.checkAlive();
    if (this.#isDestroyed) throw new Error('gradnorm: this plan was destroyed');
  }
}

/** @param {GpuBuffer} buffer  that was mapped, unless that failed */
function unmap(buffer) {
  try {
    buffer.unmap();
  } catch {
    // On a lost device some implementations throw here, which would hide the reason.
  }
}
