// web/adapters/tfjs/optimizer.js: withClip, an optimizer whose applyGradients clips. Every way of training ends there: minimize,
// applyGradients itself with a map or a list, and the fit of layers' models.
import { describe } from '../../words/errors.js';
import { clip } from './clip.js';
import { theEngine } from './engine.js';
import { readOwnOptions } from './options.js';
import { collectTensors, replaceTensors } from './tensors.js';

/**
 * An optimizer of any copy of TensorFlow.js.
 * @typedef {{ applyGradients(gradients: any): void, minimize: Function, computeGradients: Function }} TfOptimizer
 */

/** On applyGradients as it is here, in every copy of this library: undoes withClip. */
const REMOVE = Symbol.for('gradnorm.withClip.remove');

/**
 * Clips the gradients of every step of an optimizer before it applies them: with minimize, with applyGradients, and in
 * model.fit. All else of the optimizer stays its own, so that it can be saved and its learning rate changed.
 *
 * @example
 * const optimizer = withClip(tf.train.adam(1e-3), { maxNorm: 1, onNorm: (norm) => console.log(norm) });
 * optimizer.minimize(loss);
 *
 * @template {TfOptimizer} T
 * @param {T} optimizer
 * @param {import('./options.js').WithClipOptions} options
 * @returns {T}  the same optimizer
 * @throws {TypeError | RangeError} if an argument is wrong, or the optimizer clips already
 */
export function withClip(optimizer, options) {
  checkOptimizer(optimizer);
  const settings = readOwnOptions(options);
  const own = Object.getOwnPropertyDescriptor(optimizer, 'applyGradients');
  const { applyGradients } = optimizer;
  if (REMOVE in applyGradients) {
    throw new TypeError('optimizer is one that clips already; expected withClip.remove(optimizer) before');
  }
  const step = new Steps(optimizer, applyGradients, settings);
  const value = Object.assign((/** @type {unknown} */ gradients) => step.apply(gradients), {
    [REMOVE]: () => {
      delete (/** @type {Partial<TfOptimizer>} */ (optimizer).applyGradients);
      if (own !== undefined) Object.defineProperty(optimizer, 'applyGradients', own);
    },
  });
  Object.defineProperty(optimizer, 'applyGradients', { value, configurable: true, writable: true });
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
  checkOptimizer(optimizer);
  const { [REMOVE]: undo } = /** @type {{ [REMOVE]?: () => void }} */ (optimizer.applyGradients);
  if (undo === undefined) {
    throw new TypeError('optimizer is one that does not clip; expected one that was given to withClip');
  }
  undo();
  return optimizer;
};

/** The steps of one optimizer. */
class Steps {
  #optimizer;
  #apply;
  #settings;

  /**
   * @param {TfOptimizer} optimizer
   * @param {TfOptimizer['applyGradients']} apply  its own
   * @param {ReturnType<typeof readOwnOptions>} settings
   */
  constructor(optimizer, apply, settings) {
    this.#optimizer = optimizer;
    this.#apply = apply;
    this.#settings = settings;
  }

  /** @param {unknown} gradients */
  apply(gradients) {
    const engine = theEngine();
    const given = collectTensors(engine, gradients);
    const { tensors, norm } = engine.tidy(() => clip(engine, given, this.#settings));
    try {
      this.#settings.onNorm?.(norm);
      if (tensors.length > 0 && tensors.every((tensor) => tensor === null)) return;
      const clipped = new Map(given.map(({ tensor }, i) => [tensor, tensors[i]]));
      this.#apply.call(this.#optimizer, replaceTensors(gradients, clipped));
    } finally {
      const users = new Set(given.map(({ tensor }) => tensor));
      for (const tensor of tensors) if (tensor !== null && !users.has(tensor)) tensor.dispose();
    }
  }
}

/** @param {unknown} optimizer */
function checkOptimizer(optimizer) {
  const given = /** @type {Partial<TfOptimizer> | null | undefined} */ (optimizer);
  if (typeof given?.applyGradients !== 'function' || typeof given.minimize !== 'function') {
    throw new TypeError(`optimizer is ${describe(optimizer)}; expected an optimizer of TensorFlow.js`);
  }
}
