// web/adapters/tfjs/optimizer.js: withClip, an optimizer whose applyGradients clips. Every way of training ends there: minimize,
// applyGradients itself with a map or a list, and the fit of layers' models.
import { check } from '../../words/checks.js';
import { clip } from './clip.js';
import { theEngine } from './engine.js';
import { readOwnOptions } from './options.js';
import { collectTensors, replaceTensors } from './tensors.js';

/**
 * An optimizer of any copy of TensorFlow.js.
 * @typedef {{ applyGradients(gradients: any): void, minimize: Function, computeGradients: Function }} TfOptimizer
 */

/** On applyGradients as it is here, in every copy of this library: undoes withClip. */
const REMOVE = /* @__PURE__ */ Symbol.for('gradnorm.withClip.remove');

/** @type {import('../../words/checks.js').Rule} */
const OPTIMIZER = {
  accepts: (value) => typeof value?.applyGradients === 'function' && typeof value.minimize === 'function',
  expected: 'an optimizer of TensorFlow.js',
};

/**
 * Clips the gradients of every step of an optimizer before it applies them: with minimize, with applyGradients, and in
 * model.fit. All else of the optimizer stays its own, so that it can be saved and its learning rate changed.
 *
 * @example
 * import * as tf from '@tensorflow/tfjs';
 *
 * const weight = tf.variable(tf.tensor1d([3, 4]));
 * const optimizer = withClip(tf.train.sgd(1), { maxNorm: 1, onNorm: (norm) => console.log(norm) }); // 10
 * optimizer.minimize(() => tf.sum(tf.square(weight)));
 *
 * @template {TfOptimizer} T
 * @param {T} optimizer
 * @param {import('./options.js').WithClipOptions} options
 * @returns {T}  the same optimizer
 * @throws {TypeError | RangeError} if an argument is wrong, or the optimizer clips already
 */
export function withClip(optimizer, options) {
  check('optimizer', optimizer, OPTIMIZER);
  const settings = readOwnOptions(options);
  const { applyGradients } = optimizer;
  const isFree = {
    accepts: () => !(REMOVE in applyGradients),
    expected: 'withClip.remove(optimizer) before',
  };
  check('optimizer', optimizer, isFree, 'one that clips already');
  /** What went wrong with a norm that came later. @type {{ error: unknown } | null} */
  let fault = null;
  const tell = (/** @type {number} */ norm) => settings.onNorm?.(norm);

  const value = (/** @type {unknown} */ gradients) => {
    const last = fault;
    fault = null;
    if (last !== null) throw last.error;
    const engine = theEngine();
    const given = collectTensors(engine, gradients);
    const { tensors, norm } = engine.tidy(() => clip(engine, given, settings));
    try {
      if (typeof norm === 'number') tell(norm);
      else norm.then(tell).catch((error) => (fault ??= { error }));
      const clipped = new Map(given.map(({ tensor }, i) => [tensor, tensors[i]]));
      const isSkipped = tensors.length > 0 && tensors.every((tensor) => tensor === null);
      if (!isSkipped) applyGradients.call(optimizer, replaceTensors(gradients, clipped));
    } finally {
      const users = new Set(given.map(({ tensor }) => tensor));
      for (const tensor of tensors) if (tensor !== null && !users.has(tensor)) tensor.dispose();
    }
  };
  const undo = () => {
    delete (/** @type {Partial<TfOptimizer>} */ (optimizer).applyGradients);
    if (optimizer.applyGradients !== applyGradients) optimizer.applyGradients = applyGradients;
  };
  Object.defineProperty(optimizer, 'applyGradients', {
    value: Object.assign(value, { [REMOVE]: undo }),
    configurable: true,
    writable: true,
  });
  return optimizer;
}

/**
 * Gives an optimizer back as it was before withClip.
 * @template {TfOptimizer} T
 * @param {T} optimizer
 * @returns {T}  the same
 * @throws {TypeError} if it is not one that withClip clips
 */
withClip.remove = function remove(optimizer) {
  check('optimizer', optimizer, OPTIMIZER);
  const { [REMOVE]: undo } = /** @type {{ [REMOVE]?: () => void }} */ (optimizer.applyGradients);
  check(
    'optimizer',
    undo,
    { accepts: Boolean, expected: 'one that was given to withClip' },
    'one that does not clip',
  );
  undo?.();
  return optimizer;
};
