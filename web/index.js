// web/index.js: the entry point. Hands the names of the API on; `gradnorm/slim` has the same.

/**
 * @typedef {import('./collect.js').Gradients} Gradients
 * @typedef {import('./collect.js').Gradient} Gradient
 * @typedef {import('./collect.js').Parameter} Parameter
 * @typedef {import('./dtypes.js').GradientArray} GradientArray
 * @typedef {import('./wasm.js').InitSource} InitSource
 */

export { gradNorm } from './norm.js';
export { init, initSync } from './wasm.js';
