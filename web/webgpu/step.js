// web/webgpu/step.js: what a step of clipping leaves behind, and how its norm is asked for: early, late, often or never.
import { GradientError } from '../words/errors.js';
import { RESULT } from './layouts.js';

/**
 * @typedef {object} Step
 * @property {import('./ledger.js').Ledger} ledger  of its plan
 * @property {import('./ring.js').Slot} slot
 * @property {import('./failures.js').Verdict} verdict  what WebGPU says of it
 * @property {number} number
 * @property {boolean} isOwn   in an encoder of ours, and submitted
 * @property {boolean} throws  whether a norm that is not finite is an error
 * @property {(words: Uint32Array) => number} finish  the norm, from the words of the result
 */

/**
 * @param {Step} step
 * @returns {() => Promise<number>}  asks for the norm
 */
export function normOf({ ledger, slot, verdict, number, isOwn, throws, finish }) {
  const { takenAt } = slot;
  const verdicts = [verdict];
  /** What was found out so far, unless that was before the step ran. @type {Promise<number> | null} */
  let reading = null;
  let isEarly = false;
  const isGone = () => slot.takenAt !== takenAt;
  const read = async () => {
    if (isGone()) {
      throw new Error(
        'gradnorm: the result of this step was overwritten; expected norm() to be called before seven more',
      );
    }
    ledger.checkUsable();
    if (!isOwn) slot.fetch();
    const words = await slot.read(ledger, verdict);
    if (words[RESULT.at.head + 3] === number) return finish(words);
    isEarly = true;
    throw new Error(
      'gradnorm: this step did not run; expected its encoder to be submitted before norm(), ' +
        'and before seven more steps, and to have had no pass open when the step was added',
    );
  };
  if (throws && isOwn) {
    // Whoever wants an error need not ask for the norm to get it.
    reading = read();
    const isFinite = reading.then(
      () => null,
      (error) => (error instanceof GradientError ? error : null),
    );
    ledger.add(isFinite);
    verdicts.push(isFinite);
  }
  return async () => {
    verdicts.forEach((each) => ledger.claim(each));
    if (reading === null || (isEarly && !isGone())) {
      isEarly = false;
      reading = read();
    }
    return reading;
  };
}
