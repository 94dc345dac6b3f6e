// web/adapters/tfjs/verbs.js: gradNorm, clipGradNorm and gradReport for tensors of TensorFlow.js.
import { gradReport as reportOf } from '../../report.js';
import { checkNormType, checkOptions } from '../../words/checks.js';
import { parametersOf } from './arrays.js';
import { planOf, webgpuOf } from './buffers.js';
import { clip } from './clip.js';
import { theEngine } from './engine.js';
import { measure } from './measure.js';
import { readOptions } from './options.js';
import { collectTensors, replaceTensors } from './tensors.js';

/**
 * @typedef {import('./tensors.js').TfGradients} TfGradients
 * @typedef {import('./options.js').TfClipOptions} TfClipOptions
 */

/**
 * The global p-norm of gradients, as gradNorm of the package computes it; on webgl for p = 1 and 2 the device does, within
 * 2^-18.
 * @template {TfGradients} T
 * @param {T} gradients   TfGradients: by name, in a list with or without names; null is skipped
 * @param {number} [normType]  p: any number > 0, Infinity included; 2 if left out
 * @returns {number | Promise<number>}  a number at once, but a promise on webgpu; `await` serves both
 * @throws {TypeError | RangeError} on what is no tensor, naming its place, or if normType is wrong
 */
export function gradNorm(gradients, normType = 2) {
  checkNormType(normType);
  const engine = theEngine();
  const tensors = collectTensors(engine, gradients);
  const backend = webgpuOf(engine, tensors);
  if (backend === undefined) return engine.tidy(() => measure(engine, tensors, normType));
  const measured = engine.tidy(() => ({
    norm: planOf(engine, backend, tensors).gradNorm(normType),
  }));
  return measured.norm;
}

/**
 * Clipped gradients in new tensors, which the caller disposes; those that were passed stay as they are.
 * @template {TfGradients} T
 * @param {T} gradients
 * @param {number | import('../../clip.js').Monitor} maxNorm  a number >= 0 or Infinity, or a GradMonitor
 * @param {TfClipOptions} [options]
 * @returns {{ grads: T, norm: number | Promise<number> }}  in the structure that was passed, and the norm before: a number, or
 *   on webgpu a promise
 * @throws {TypeError | RangeError} on what is no tensor, naming its place, or if an option is wrong
 * @throws {GradientError} under 'throw', if the norm is NaN or Infinity
 */
export function clipGradNorm(gradients, maxNorm, options = {}) {
  const settings = readOptions('clipGradNorm', maxNorm, options);
  const engine = theEngine();
  const given = collectTensors(engine, gradients);
  const { made, norm } = engine.tidy(() => {
    const clipped = clip(engine, given, settings);
    const made = new Map(
      given.map(({ tensor }, i) => [tensor, ownTensor(engine, tensor, clipped.tensors[i])]),
    );
    return { made, norm: clipped.norm, kept: [...made.values()] };
  });
  return { grads: replaceTensors(gradients, made), norm };
}

/**
 * The health of all gradients and of each, as gradReport of the package gives it.
 * @param {TfGradients} gradients
 * @param {import('../../report.js').ReportOptions} [options]
 * @returns {import('../../report.js').GradReport | Promise<import('../../report.js').GradReport>}  at once, but a promise on webgpu
 * @throws {TypeError | RangeError} as gradNorm
 */
export function gradReport(gradients, options = {}) {
  checkOptions('gradReport', options, ['normType']);
  checkNormType(options.normType ?? 2);
  const engine = theEngine();
  const tensors = collectTensors(engine, gradients);
  const backend = webgpuOf(engine, tensors);
  if (backend === undefined) return reportOf(parametersOf(engine, tensors), options);
  return engine.tidy(() => ({ report: planOf(engine, backend, tensors).report(options) })).report;
}

/**
 * What the caller may dispose: a new tensor on the same elements where nothing changed.
 * @param {import('./engine.js').Engine} engine
 * @param {import('./engine.js').TfTensor} given
 * @param {import('./engine.js').TfTensor | null} clipped
 */
function ownTensor(engine, given, clipped) {
  const isSame = clipped === null || clipped === given;
  return isSame ? engine.runKernel('Identity', { x: given }) : clipped;
}
