// web/adapters/jax/options.js: checks of what the verbs of this adapter have in common.
import { describe } from '../../words/errors.js';

/** @param {unknown} jit */
export function checkJit(jit) {
  checkFunction('jit', jit, 'the function jit of jax-js');
}

/** @param {unknown} onNorm */
export function checkOnNorm(onNorm) {
  checkFunction('onNorm', onNorm, 'a function of the norm');
}

/** @param {unknown} gpu */
export function checkGpu(gpu) {
  if (gpu === undefined || typeof (/** @type {any} */ (gpu)?.plan) === 'function') return;
  throw new TypeError(
    `gpu is ${describe(gpu)}; expected await GpuGradNorm.create({ device: getWebGPUDevice() })`,
  );
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {string} expected
 */
function checkFunction(name, value, expected) {
  if (value === undefined || typeof value === 'function') return;
  throw new TypeError(`${name} is ${describe(value)}; expected ${expected}`);
}
