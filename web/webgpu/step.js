// web/webgpu/step.js: what a step of clipping leaves behind, and how its norm is asked for: early, late, often or never.
import { GradientError } from '../api.js';
import { RESULT } from './layouts.js';

/**
 * @typedef {object} Step
 * @property {import('./steps.js').Steps} steps  of its plan
 * @property {import('./ring.js').Ring} ring
 * @property {import('./ring.js').Slot} slot
 * @property {import('./faults.js').Verdict} verdict  what WebGPU says of it
 * @property {number} number
 * @property {boolean} isOwn   in an encoder of ours, and submitted
 * @property {boolean} throws  whether a norm that is not finite is an error
 * @property {(words: Uint32Array) => number} finish  the norm, from the words of the result
 */

/** The norm of a step, for whoever asks. */
export class StepNorm {
  #step;
  #takenAt;
  /** What was found out so far, unless that was before the step ran. @type {Promise<number> | null} */
  #reading = null;
  #isEarly = false;
  #verdicts;

  /** @param {Step} step */
  constructor(step) {
    this.#step = step;
    this.#takenAt = step.slot.takenAt;
    this.#verdicts = [step.verdict];
    if (!step.throws || !step.isOwn) return;
    // Whoever wants an error need not ask for the norm to get it.
    this.#reading = this.#read();
    const isFinite = this.#reading.then(
      () => null,
      (error) => (error instanceof GradientError ? error : null),
    );
    step.steps.faults.add(isFinite);
    this.#verdicts.push(isFinite);
  }

  /** @returns {Promise<number>} */
  async ask() {
    const { faults } = this.#step.steps;
    for (const each of this.#verdicts) faults.claim(each);
    const before = faults.claimAll();
    if (this.#reading === null || (this.#isEarly && !this.#isGone())) this.#reading = this.#read();
    const [norm, fault] = await Promise.allSettled([this.#reading, before]);
    if (fault.status === 'fulfilled' && fault.value !== null) throw fault.value;
    if (norm.status === 'rejected') throw norm.reason;
    return norm.value;
  }

  #isGone() {
    return this.#step.slot.takenAt !== this.#takenAt;
  }

  async #read() {
    const { steps, ring, slot, verdict, number, isOwn, finish } = this.#step;
    this.#isEarly = false;
    if (this.#isGone()) {
      throw new Error(
        'gradnorm: the result of this step was overwritten; expected norm() to be called before seven more',
      );
    }
    if (!isOwn) ring.fetch(slot);
    const words = await steps.readSlot(slot, verdict);
    if (words[RESULT.at.step] !== number) {
      this.#isEarly = true;
      throw new Error(
        'gradnorm: this step did not run; expected its encoder to be submitted before norm(), ' +
          'and before seven more steps, and to have had no pass open when the step was added',
      );
    }
    return finish(words);
  }
}
