// web/adapters/tfjs/clip.js: clipped tensors of tensors. Measures each group where it lies, and makes new tensors where something
// changes. On webgpu, where nobody can wait for a number, web/adapters/tfjs/buffers.js does it.
import { clipCoefficient, clipGradNorm, clipGradsWithNorm, clipGradValue } from '../../clip.js';
import { FLOAT_ROOM } from '../../core/room.js';
import { gradNorm } from '../../norm.js';
import { checkNotNegative } from '../../words/checks.js';
import { floatsOf, rewriteCopies } from './arrays.js';
import { clipOnGpu, webgpuOf } from './buffers.js';
import { backendOf, isWasm, isWebgl, scalar } from './engine.js';
import { measure } from './measure.js';

/**
 * @typedef {import('./engine.js').Engine} Engine
 * @typedef {import('./engine.js').TfTensor} TfTensor
 * @typedef {import('./tensors.js').NamedTensor} NamedTensor
 * @typedef {import('./options.js').Settings} Settings
 */

/**
 * What became of some tensors.
 * @typedef {object} Clipped
 * @property {(TfTensor | null)[]} tensors  in their order: new ones, those that were given where nothing changed, or null where
 *   the step of the optimizer is to be left out
 * @property {number | Promise<number>} norm  before
 */

/** From so many elements on, the back end wasm multiplies faster than the core rewrites a copy. */
const LARGE = 1 << 15;

/**
 * To be called in a tidy.
 * @param {Engine} engine
 * @param {readonly NamedTensor[]} tensors
 * @param {Settings} settings
 * @returns {Clipped}
 * @throws {GradientError} under 'throw'
 */
export function clip(engine, tensors, settings) {
  const { per, normType } = settings;
  const groups = per === 'tensor' ? tensors.map((tensor) => [tensor]) : [tensors];
  const backend = webgpuOf(engine, tensors);
  const results = groups.map((group) =>
    backend === undefined
      ? clipTogether(engine, group, settings)
      : clipOnGpu(engine, backend, group, settings),
  );
  return {
    tensors: results.flatMap((result) => result.tensors),
    norm: normOfNorms(
      results.map(({ norm }) => norm),
      normType,
    ),
  };
}

/**
 * The norm of all is the norm of the norms.
 * @param {readonly (number | Promise<number>)[]} norms
 * @param {number} normType
 * @returns {number | Promise<number>}
 */
function normOfNorms(norms, normType) {
  if (norms.length === 1) return norms[0];
  const combine = (/** @type {readonly number[]} */ known) => gradNorm(Float64Array.from(known), normType);
  return norms.every((norm) => typeof norm === 'number') ? combine(norms) : Promise.all(norms).then(combine);
}

/**
 * @param {Engine} engine
 * @param {readonly NamedTensor[]} group
 * @param {Settings} settings
 * @returns {Clipped}
 */
function clipTogether(engine, group, settings) {
  const { maxNorm, monitor, maxValue, normType, nonfinite, lossScale, isNormTold } = settings;
  const given = group.map(({ tensor }) => tensor);
  const rewrite = (/** @type {(copies: Float32Array[]) => void} */ how) => rewriteCopies(engine, given, how);
  const isNeeded = isNormTold || monitor !== null || maxNorm !== Infinity || nonfinite !== 'propagate';
  const norm = isNeeded ? measure(engine, group, normType) / lossScale : 0;
  const threshold = monitor === null ? maxNorm : thresholdOf(monitor, norm);
  const limit = norm <= threshold || monitor?.dryRun ? Infinity : threshold;
  const isSick = !Number.isFinite(norm);
  if (isSick && nonfinite === 'throw') {
    // The core names the first element that is not finite.
    clipGradNorm(floatsOf(engine, group), Infinity, { normType, nonfinite, lossScale });
  }
  if (isSick && nonfinite !== 'propagate' && !monitor?.dryRun) {
    const tensors = nonfinite === 'skip' ? given.map(() => null) : rewrite(clearAll);
    return { tensors, norm };
  }
  if (maxValue !== Infinity)
    return { tensors: rewrite((copies) => clipGradValue(copies, maxValue, { lossScale })), norm };
  const isChanged = limit !== Infinity || lossScale !== 1;
  return { tensors: isChanged ? scale(engine, given, norm, limit, settings) : given, norm };
}

/** @param {Float32Array[]} copies */
function clearAll(copies) {
  for (const copy of copies) copy.fill(0);
}

/**
 * What a monitor, whoever made it, says of a norm.
 * @param {import('../../clip.js').Monitor} monitor
 * @param {number} norm
 */
function thresholdOf(monitor, norm) {
  const { threshold } = monitor.update(norm);
  checkNotNegative('the threshold of monitor.update(norm)', threshold, 'or Infinity');
  return threshold;
}

/**
 * Large tensors are multiplied by the back end, with the bits of the core, as long as all numbers are normal.
 * @param {Engine} engine
 * @param {readonly TfTensor[]} tensors
 * @param {number} norm
 * @param {number} limit
 * @param {Settings} settings
 * @returns {TfTensor[]}
 */
function scale(engine, tensors, norm, limit, { eps, lossScale }) {
  const clipping = Math.min(clipCoefficient(norm, limit, eps), (limit / norm) * (1 - FLOAT_ROOM) || 1);
  const factor = clipping / lossScale;
  const isNormal = Math.min(factor, limit) >= 2 ** -100 && factor <= 2 ** 100;
  const isMultiplied = (/** @type {TfTensor} */ tensor) => isNormal && multipliesFast(engine, tensor);
  const rest = tensors.filter((tensor) => !isMultiplied(tensor));
  const rewritten = rewriteCopies(engine, rest, (copies) =>
    clipGradsWithNorm(copies, limit, norm, { eps, lossScale }),
  );
  const [kernel, number] = clipping === 1 ? ['RealDiv', lossScale] : ['Multiply', roundedDown(factor)];
  const b = scalar(engine, number);
  return tensors.map((a) =>
    isMultiplied(a) ? engine.runKernel(kernel, { a, b }) : /** @type {TfTensor} */ (rewritten.shift()),
  );
}

/**
 * @param {Engine} engine
 * @param {TfTensor} tensor
 */
function multipliesFast(engine, tensor) {
  const { backend } = engine;
  if (backendOf(engine, tensor) !== backend) return false;
  return isWebgl(backend) || (isWasm(backend) && tensor.dtype === 'float32' && tensor.size >= LARGE);
}

/**
 * The largest float32 that is not above a factor, as the core rounds it, so that the norm stays below its limit.
 * @param {number} factor
 */
function roundedDown(factor) {
  const nearest = Math.fround(factor);
  return nearest <= factor ? nearest : Math.fround(nearest * (1 - 2 ** -24));
}
