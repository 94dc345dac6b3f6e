// tests/bench/task.js: what a contender is asked to do with its gradients, over and over, and what shows that it
// was done.

import { referenceNorm } from '../../web/demo/measure/reference.js';

/** @typedef {import('../../web/demo/measure/data.js').Tensor} Tensor */

/** What is asked of a contender. @typedef {{ task: Task, dtype: import('../../web/demo/measure/data.js').Dtype, normType: number }} Work */

/** Takes the tensors in whatever form suits it best. @typedef {(tensors: Tensor[], work: Work) => Promise<Job>} Prepare */

/**
 * What is done in a case:
 *
 * - 'norm'        the norm is measured.
 * - 'clip'        the norm is measured and the gradients are scaled in place, in every run.
 * - 'keep'        the same call, but the norm is below the limit: there is nothing to scale.
 * - 'report'      the norm and the health of each tensor are measured.
 * - 'accumulate'  the norm is measured tensor by tensor, as if they came one by one.
 * @typedef {'norm' | 'clip' | 'keep' | 'report' | 'accumulate'} Task
 */

/**
 * A contender with its data, ready to run as often as asked.
 * @typedef {object} Job
 * @property {(maxNorm: number) => number} run   returns the norm; 'clip' and 'keep' clip to maxNorm
 * @property {() => Tensor[]} [read]   the gradients as they are now, if they are not in the tensors given
 */

/**
 * A job that knows its limits.
 * @typedef {object} Routine
 * @property {() => unknown} run
 * @property {() => number} value   the norm according to the runs: what a perfect contender would have right
 */

/**
 * Every run clips to this share of what the run before has left, so that each has to scale and none needs its
 * gradients restored. The power is small enough for a hundred thousand runs (on the small tensor that serves the
 * just-in-time compiler) to leave elements and squares far above the subnormals; a real case takes a thousand.
 */
const SHARE_LEFT = 1 - 2 ** -12;

/** 'keep' clips to this multiple of the norm. */
const MULTIPLE_KEPT = 2;

/**
 * @param {Job} job
 * @param {Tensor[]} tensors the gradients at first
 * @param {Work} work
 * @returns {Routine}
 */
export function makeRoutine(job, tensors, { task, normType }) {
  if (task === 'clip' || task === 'keep') return makeClipRoutine(job, tensors, task, normType);
  let value = NaN;
  return { run: () => (value = job.run(Infinity)), value: () => value };
}

/**
 * Its value is the true norm of what is left, over the share of the norm that should be.
 * @param {Job} job
 * @param {Tensor[]} tensors float32
 * @param {'clip' | 'keep'} task
 * @param {number} normType
 * @returns {Routine}
 */
function makeClipRoutine(job, tensors, task, normType) {
  const norm = referenceNorm(tensors, normType);
  let share = 1;
  return {
    run: task === 'keep' ? () => job.run(MULTIPLE_KEPT * norm) : () => job.run(norm * (share *= SHARE_LEFT)),
    value: () => referenceNorm(job.read?.() ?? tensors, normType) / share,
  };
}
