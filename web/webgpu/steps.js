// web/webgpu/steps.js: the ledger of a plan: what was submitted, what was wrong with it, and what comes back. Everything that asks
// WebGPU for something passes through here, so that whatever fails is told in words, to whoever can be told.
import { waitForLoss, watched } from './failures.js';
import { Faults } from './faults.js';

/**
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./context.js').Context} Context
 * @typedef {import('./faults.js').Verdict} Verdict
 */

/** Of one plan. */
export class Steps {
  #context;
  #tensors;
  #isDestroyed = false;
  /** What was wrong with making the plan. @type {Verdict} */
  #creation = Promise.resolve(null);
  /** The same, once it is known. @type {Error | null} */
  #defect = null;
  faults = new Faults();

  /**
   * @param {Context} context
   * @param {readonly import('./tensors.js').GpuTensor[]} tensors
   */
  constructor(context, tensors) {
    context.checkAlive();
    this.#context = context;
    this.#tensors = tensors;
  }

  /**
   * The door of every method.
   * @throws {Error} if the plan cannot be used, or an earlier step failed that nobody asked for
   */
  enter() {
    this.checkUsable();
    this.faults.throwKnown();
    if (this.#defect !== null) throw this.#defect;
  }

  /** @throws {Error} if the plan was destroyed or the device lost */
  checkUsable() {
    this.#context.checkAlive();
    if (this.#isDestroyed) throw new Error('gradnorm: this plan was destroyed');
  }

  /** @returns {boolean}  whether it is now and was not before */
  destroy() {
    if (this.#isDestroyed) return false;
    return (this.#isDestroyed = true);
  }

  /**
   * Asks something of WebGPU; what is wrong with it, is told.
   * @template T
   * @param {() => T} ask
   * @returns {{ result: T, verdict: Verdict }}
   */
  watch(ask) {
    const asked = watched(this.#context, this.#tensors, ask);
    this.faults.add(asked.verdict);
    return asked;
  }

  /**
   * Makes what the plan cannot do without.
   * @template T
   * @param {() => T} make
   * @returns {T}
   */
  create(make) {
    const { result, verdict } = this.watch(make);
    this.#creation = verdict;
    verdict.then((error) => (this.#defect = error));
    return result;
  }

  /**
   * Adds to the encoder of the user, whose finish() and submit() are told what is wrong, as some implementations do at once.
   * @param {() => void} encode
   * @returns {Verdict}  which nobody else is told
   */
  encode(encode) {
    return watched(this.#context, this.#tensors, encode).verdict;
  }

  /**
   * @param {GpuBuffer} readback  that a submission copies to
   * @param {Verdict} verdict     what was wrong with it
   * @returns {Promise<Uint32Array>}
   */
  read(readback, verdict) {
    return this.wait(verdict, async () => {
      try {
        await readback.mapAsync(1);
        return new Uint32Array(readback.getMappedRange().slice(0));
      } finally {
        unmap(readback);
      }
    });
  }

  /**
   * @param {import('./ring.js').Slot} slot
   * @param {Verdict} verdict
   * @returns {Promise<Uint32Array>}  the words of the result
   */
  async readSlot(slot, verdict) {
    slot.isBusy = true;
    try {
      return await this.read(slot.readback, verdict);
    } finally {
      slot.isBusy = false;
    }
  }

  /**
   * What is under way when the plan or the device goes says so, and not how WebGPU noticed.
   * @template T
   * @param {Verdict} verdict
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   * @throws what was wrong with making the plan or with a step
   */
  async wait(verdict, work) {
    try {
      this.checkUsable();
      const [result, defect, fault] = await Promise.all([work(), this.#creation, verdict]);
      this.checkUsable();
      const error = defect ?? fault;
      if (error !== null) throw error;
      return result;
    } catch (error) {
      await waitForLoss(this.#context);
      this.checkUsable();
      throw error;
    }
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
