// web/adapters/jax/clip.js: clipByGlobalNorm, a step of an optimizer in the shape of optax.
import { clipCoefficient, clipGradNorm } from '../../clip.js';
import { FLOAT_ROOM } from '../../core/room.js';
import { readClipOptions } from '../../door/clip-options.js';
import { checkNotNegative, checkOptions } from '../../words/checks.js';
import { inBuffer, isInPlans, isOnGpu, normNow, read } from './norm.js';
import { checkGpu, checkJit, checkOnNorm } from './options.js';
import { scaled, zerosLike } from './scale.js';
import { dispose, gradientsOf, mapTree, readTree } from './tree.js';

/** @typedef {import('./tree.js').JaxArray} JaxArray */
/** @typedef {import('./tree.js').JaxTree} JaxTree */

/**
 * @typedef {object} ClipByGlobalNormOptions
 * @property {number} [normType]  p: any number > 0, Infinity included, on webgpu from 0.5 to 64 or Infinity; 2 if left out
 * @property {number} [eps]       added to the norm when it divides: 1e-6 if left out, as in PyTorch; 0 as in optax
 * @property {import('../../door/clip-options.js').NonfinitePolicy} [nonfinite]  as for clipGradNorm, 'propagate' if left out; under 'skip'
 *   the updates come out as they went in
 * @property {number} [lossScale]  what the loss was multiplied by: updates are measured, and come out, divided by it; 1 if left out
 * @property {(norm: number) => void} [onNorm]  is told the norm before: within update, but on webgpu later, when it is known
 * @property {import('./tree.js').Jit} [jit]  of your jax-js: on wasm large arrays are then summed where they lie
 * @property {import('../../webgpu/gpu-grad-norm.js').GpuGradNorm} [gpu]  on the device of your jax-js, for arrays on webgpu:
 *   `await GpuGradNorm.create({ device: getWebGPUDevice() })`
 */

/**
 * A step of an optimizer, as optax and jax-js have them: `chain` takes it.
 * @typedef {object} GradientTransformation
 * @property {(params: any) => any} init  gives a state; consumes
 * @property {<Updates>(updates: Updates, state: any, params?: any) => [Updates, any]} update  consumes
 */

/**
 * What update has read and not consumed.
 * @typedef {object} Read
 * @property {unknown} updates
 * @property {JaxArray[]} arrays
 */

/** @typedef {Required<Pick<ClipByGlobalNormOptions, 'normType' | 'eps' | 'nonfinite' | 'lossScale'>> & ClipByGlobalNormOptions & { maxNorm: number }} Settings */

/**
 * Clips updates whose global p-norm is above a limit, in the shape of optax's GradientTransformation:
 *
 *     updates * maxNorm / (norm + eps)   if norm > maxNorm; otherwise the updates themselves
 *
 * The norm is that of globalNorm, so it does not overflow; the factor leaves the room for rounding that clipGradNorm leaves.
 * As in optax, `init` and `update` consume what they are given; an error consumes nothing. The updates are never written: what
 * is clipped comes out in new arrays.
 *
 * On webgpu nothing is read back: with gpu a copy of the updates is clipped on the GPU, as GpuPlan.clipGradNorm does it. What
 * fails there, a GradientError included, the next update throws.
 *
 * @example
 * import { init, numpy as np } from '@jax-js/jax';
 *
 * await init('wasm');
 * const clip = clipByGlobalNorm(1, { onNorm: (norm) => console.log(norm) }); // 50
 * const [updates] = clip.update({ weight: np.array([30, 40]) }, clip.init({}));
 * // Or as a part of an optimizer: chain(clipByGlobalNorm(1), adam(1e-3)).
 *
 * @param {number} maxNorm  a number >= 0 or Infinity
 * @param {ClipByGlobalNormOptions} [options]
 * @returns {GradientTransformation}  update throws a TypeError on anything but arrays of floating-point numbers, naming its
 *   place, and under 'throw' a GradientError if the norm is NaN or Infinity
 * @throws {TypeError | RangeError} if an argument is wrong
 */
export function clipByGlobalNorm(maxNorm, options = {}) {
  const settings = readSettings(maxNorm, options);
  const clipOnGpu = gpuClipper(settings);
  return {
    init(params) {
      dispose(readTree(params, { root: 'params' }));
      return [];
    },
    update(updates, state, params = null) {
      const uses = new Map();
      const arrays = readTree(updates, { isWritten: true, uses });
      const unused = readTree(params, { root: 'params', uses });
      const clip = arrays.some(isOnGpu) ? clipOnGpu : clipNow;
      const clipped = clip({ updates, arrays }, settings);
      dispose(unused);
      if (clipped === arrays) return [updates, state];
      dispose(arrays);
      let index = 0;
      return [mapTree(updates, () => clipped[index++]), state];
    },
  };
}

/**
 * @param {unknown} maxNorm
 * @param {ClipByGlobalNormOptions} options
 * @returns {Settings}
 */
function readSettings(maxNorm, options) {
  checkNotNegative('maxNorm', maxNorm, 'or Infinity');
  checkOptions('clipByGlobalNorm', options, [
    'normType',
    'eps',
    'nonfinite',
    'lossScale',
    'onNorm',
    'jit',
    'gpu',
  ]);
  const { onNorm, jit, gpu } = options;
  checkOnNorm(onNorm);
  checkJit(jit);
  checkGpu(gpu);
  return {
    maxNorm: /** @type {number} */ (maxNorm),
    onNorm,
    jit,
    gpu,
    ...readClipOptions(options),
  };
}

/**
 * @param {Read} read
 * @param {Settings} settings
 * @returns {JaxArray[]}  new ones, or the same
 */
function clipNow({ updates, arrays }, { maxNorm, normType, eps, nonfinite, lossScale, onNorm, jit }) {
  const norm = normNow(updates, arrays, normType, jit) / lossScale;
  onNorm?.(norm);
  const isFinite = Number.isFinite(norm);
  if (!isFinite && nonfinite === 'throw') throwNonfinite(updates, normType);
  if (!isFinite && nonfinite === 'zero') return zerosLike(arrays);
  if (!isFinite && nonfinite === 'skip') return arrays;
  const coefficient = clipCoefficient(norm, maxNorm, eps);
  const isClipped = isFinite && coefficient < 1;
  const factor = isClipped ? Math.min(coefficient, (maxNorm / norm) * (1 - FLOAT_ROOM)) : coefficient;
  return factor === lossScale ? arrays : scaled(arrays, factor / lossScale);
}

/**
 * @param {unknown} updates
 * @param {number} normType
 */
function throwNonfinite(updates, normType) {
  clipGradNorm(gradientsOf(updates, read), Infinity, { normType, nonfinite: 'throw' });
}

/**
 * @param {Settings} settings
 * @returns {(read: Read) => JaxArray[]}
 */
function gpuClipper({ maxNorm, normType, eps, nonfinite, lossScale, onNorm, gpu }) {
  /** What failed after its update was done, for the next to throw. @type {{ error: unknown } | null} */
  let failure = null;
  /** @param {import('../../webgpu/plan.js').GpuPlan} plan */
  const finish = async (plan, /** @type {() => Promise<number>} */ norm) => {
    try {
      const before = await norm();
      onNorm?.(before);
    } catch (error) {
      failure ??= { error };
    } finally {
      plan.destroy();
    }
  };
  return ({ updates, arrays }) => {
    if (gpu === undefined || !arrays.every((array) => isOnGpu(array) && isInPlans(array))) {
      throw new TypeError(
        `gradients has arrays on ${[...new Set(arrays.map(({ device, dtype }) => `${device} of ${dtype}`))].join(', ')}; ` +
          'expected float32 or float16, all on webgpu, with the option gpu: await GpuGradNorm.create({ device: getWebGPUDevice() })',
      );
    }
    if (failure !== null) {
      const { error } = failure;
      failure = null;
      throw error;
    }
    // Copies, since the plan writes in place, and a buffer of jax-js may be that of other arrays too.
    const copies = arrays.map((array) => (array.size === 0 ? array.ref : array.ref.mul(1)));
    try {
      let index = 0;
      const buffers = gradientsOf(updates, () => {
        const copy = copies[index++];
        return inBuffer(copy, copy.ref.gpuBufferSync());
      });
      const plan = gpu.plan(buffers);
      const { norm } = plan.clipGradNorm(maxNorm, { normType, eps, nonfinite, lossScale });
      void finish(plan, norm);
      return copies;
    } catch (error) {
      dispose(copies);
      throw error;
    }
  };
}
