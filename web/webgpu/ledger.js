// web/webgpu/ledger.js: what a plan asked of WebGPU, what was wrong with it, and what comes back. WebGPU tells of mistakes later, and a
// step returns before: what nobody asks for reaches the console when it becomes known, and then whoever calls the plan next.
import { waitForLoss, watched } from './failures.js';

/** @import { GpuBuffer } from './types.js' */
/** @import { Context } from './context.js' */
/** @import { Verdict } from './failures.js' */

/** Of one plan. */
export class Ledger {
  #context;
  #tensors;
  #isDestroyed = false;
  /** What was wrong with making the plan. @type {Verdict} */
  #creation = Promise.resolve(null);
  /** The same, once it is known. @type {Error | null} */
  #defect = null;
  /** Steps that nobody asked for and of which nothing is known yet. @type {Set<Verdict>} */
  #open = new Set();
  /** The first that went wrong and was not thrown yet. @type {{ verdict: Verdict, error: Error } | null} */
  #known = null;

  /**
   * @param {Context} context
   * @param {readonly import('../door/buffers.js').GpuTensor[]} tensors
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
    const known = this.#take();
    // The steps before are told by what is thrown, too: what was wrong with one mostly was with all.
    if (known !== null) this.#open.clear();
    const error = known ?? this.#defect;
    if (error !== null) throw error;
  }

  /** @throws {Error} if the plan was destroyed or the device lost */
  checkUsable() {
    this.#context.checkAlive();
    if (this.#isDestroyed) throw new Error('gradnorm: this plan was destroyed');
  }

  /** @returns {boolean}  whether it is now and was not before */
  destroy() {
    return !this.#isDestroyed && (this.#isDestroyed = true);
  }

  /**
   * Asks something of WebGPU; what is wrong with it, is told.
   * @template T
   * @param {() => T} ask
   */
  watch(ask) {
    const asked = watched(this.#context, this.#tensors, ask);
    this.add(asked.verdict);
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
   * Adds to the encoder of the user, whose finish() and submit() are told what is wrong, and nobody else. If it is finished, they
   * were called: the marker tells that.
   * @param {import('./types.js').GpuCommandEncoder} encoder
   * @param {() => void} encode
   */
  encode(encoder, encode) {
    const { verdict } = this.watch(() => encoder.insertDebugMarker('gradnorm'));
    watched(this.#context, this.#tensors, encode);
    return verdict;
  }

  /** @param {Verdict} verdict  of a step that may never be asked for */
  add(verdict) {
    this.#open.add(verdict);
    verdict.then((error) => {
      const isUnclaimed = this.#open.delete(verdict);
      if (!isUnclaimed || error === null || this.#known !== null) return;
      this.#known = { verdict, error };
      console.error(error);
    });
  }

  /** @param {Verdict} verdict  of a step that somebody asks for, and is told by it */
  claim(verdict) {
    this.#open.delete(verdict);
    if (this.#known?.verdict === verdict) this.#known = null;
  }

  /**
   * Somebody reads, and is told of everything before.
   * @returns {Verdict}  the first fault
   */
  async claimAll() {
    const known = this.#take();
    const open = [...this.#open];
    this.#open.clear();
    const found = await Promise.all(open);
    return known ?? found.find((error) => error !== null) ?? null;
  }

  /** @returns {Error | null} */
  #take() {
    const error = this.#known?.error ?? null;
    this.#known = null;
    return error;
  }

  /**
   * @param {GpuBuffer} readback  that a submission copies to
   * @param {Verdict} verdict     what was wrong with it
   * @returns {Promise<Uint32Array>}
   */
  read(readback, verdict) {
    return this.wait(verdict, async () => {
      await readback.mapAsync(1);
      const words = new Uint32Array(readback.getMappedRange().slice(0));
      readback.unmap();
      return words;
    });
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
