// web/adapters/jax/norm.js: globalNorm, and how arrays of jax-js are measured.
import { gradNorm } from '../../norm.js';
import { checkNormType, checkOptions } from '../../words/checks.js';
import { checkGpu, checkJit } from './options.js';
import { sumByRows } from './rows.js';
import { dispose, gradientsOf, readTree, take } from './tree.js';

/** @typedef {import('./tree.js').JaxArray} JaxArray */
/** @typedef {import('./tree.js').JaxTree} JaxTree */
/** @typedef {import('./tree.js').Jit} Jit */
/** @typedef {import('../../webgpu/gpu-grad-norm.js').GpuGradNorm} GpuGradNorm */

/**
 * What of jax-js makes it fast; the library takes nothing else of it than the arrays.
 * @typedef {object} GlobalNormOptions
 * @property {Jit} [jit]  of your jax-js: on wasm large arrays are then summed where they lie, for p = 1 and 2
 * @property {GpuGradNorm} [gpu]  on the device of your jax-js, `await GpuGradNorm.create({ device: getWebGPUDevice() })`: on
 *   webgpu 64 bytes are then read back, not the arrays
 */

/**
 * The global p-norm of all arrays of a tree, as if they were one long vector: gradNorm for arrays of jax-js. As every
 * function of jax-js it consumes what it is given, `tree.ref(gradients)` keeps it; an error consumes nothing.
 *
 * Arrays that are read have gradNorm's bounds. On wasm, large ones are summed there, for p = 2, and with jit for p = 1: within
 * 2^-20, and read all the same where float32 is too small or too large for it. On webgpu with gpu the bounds are those of
 * GpuPlan.gradNorm.
 *
 * @example
 * import { init, numpy as np, tree } from '@jax-js/jax';
 *
 * await init('wasm');
 * const gradients = { weight: np.array([3, 0]), bias: np.array([4]) };
 * await globalNorm(tree.ref(gradients)); // 5
 * await globalNorm(gradients, Infinity); // 4
 *
 * @overload
 * @param {JaxTree} gradients
 * @param {number} [normType]  p: any number > 0, Infinity included; 2 if left out
 * @param {GlobalNormOptions} [options]
 * @returns {number | Promise<number>}  a number at once, but a promise if an array is on webgpu; `await` serves both
 * @throws {TypeError} on anything but arrays of jax-js, naming its place, or if an argument is of the wrong type
 * @throws {RangeError} if normType is not greater than 0
 */
/**
 * @param {JaxTree} gradients
 * @param {number} [normType]
 * @param {GlobalNormOptions} [options]
 */
export function globalNorm(gradients, normType = 2, options = {}) {
  checkNormType(normType);
  checkOptions('globalNorm', options, ['jit', 'gpu']);
  const { jit, gpu } = options;
  checkJit(jit);
  checkGpu(gpu);
  const arrays = readTree(gradients);
  if (arrays.some(isOnGpu)) return normLater(gradients, arrays, normType, gpu);
  const norm = normNow(gradients, arrays, normType, jit);
  dispose(arrays);
  return norm;
}

/** @param {JaxArray} array */
export function isOnGpu({ device }) {
  return device === 'webgpu';
}

/**
 * @param {unknown} gradients
 * @param {readonly JaxArray[]} arrays  of the tree, none of which is consumed
 * @param {number} normType
 * @param {Jit | undefined} jit
 * @returns {number}
 */
export function normNow(gradients, arrays, normType, jit) {
  const summed = sumByRows(arrays, normType, jit);
  if (summed !== null) {
    const rest = gradNorm(summed.rest.map(read), normType);
    const norm = (summed.sum + rest ** normType) ** (1 / normType);
    if (norm < Infinity) return norm;
  }
  return gradNorm(gradientsOf(gradients, read), normType);
}

/**
 * @param {unknown} gradients
 * @param {readonly JaxArray[]} arrays
 * @param {number} normType
 * @param {GpuGradNorm | undefined} gpu
 */
async function normLater(gradients, arrays, normType, gpu) {
  const isMeasuredThere = (/** @type {JaxArray} */ array) => isOnGpu(array) && isInPlans(array);
  const norm = await (gpu !== undefined && arrays.every(isMeasuredThere)
    ? normOnGpu(gradients, arrays, normType, gpu)
    : normOfCopies(gradients, arrays, normType));
  dispose(arrays);
  return norm;
}

/**
 * @param {unknown} gradients
 * @param {readonly JaxArray[]} arrays
 * @param {number} normType
 * @param {GpuGradNorm} gpu
 */
async function normOnGpu(gradients, arrays, normType, gpu) {
  // Their kernels are compiled meanwhile, and have run up to here for the plan that is made of them.
  const buffers = await Promise.all(arrays.map((array) => array.ref.gpuBuffer()));
  const plan = gpu.plan(gradientsOf(gradients, (array) => inBuffer(array, buffers[arrays.indexOf(array)])));
  try {
    return await plan.gradNorm(normType);
  } finally {
    plan.destroy();
  }
}

/**
 * @param {unknown} gradients
 * @param {readonly JaxArray[]} arrays
 * @param {number} normType
 */
async function normOfCopies(gradients, arrays, normType) {
  const copies = await Promise.all(arrays.map((array) => array.ref.data()));
  return gradNorm(
    gradientsOf(gradients, (array) => copies[arrays.indexOf(array)]),
    normType,
  );
}

/** @param {JaxArray} array */
export function isInPlans({ dtype }) {
  return dtype === 'float32' || dtype === 'float16';
}

/**
 * @param {JaxArray} array
 * @param {import('../../webgpu/types.js').GpuBuffer} buffer
 */
export function inBuffer({ dtype, size }, buffer) {
  return { buffer, length: size, dtype: /** @type {'float32' | 'float16'} */ (String(dtype)) };
}

/** @param {JaxArray} array */
export function read(array) {
  return take(array.ref);
}
