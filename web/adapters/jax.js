// web/adapters/jax.js: the entry `gradnorm/jax`: gradients in arrays of jax-js. Hands on what the folder of the same name does,
// with the core's module as the default entry has it.
import { withInlineModule } from '../core/source-inline.js';
import * as clip from './jax/clip.js';
import * as norm from './jax/norm.js';

/**
 * @typedef {import('./jax/tree.js').JaxArray} JaxArray
 * @typedef {import('./jax/tree.js').JaxTree} JaxTree
 * @typedef {import('./jax/tree.js').Jit} Jit
 * @typedef {import('./jax/norm.js').GlobalNormOptions} GlobalNormOptions
 * @typedef {import('./jax/clip.js').ClipByGlobalNormOptions} ClipByGlobalNormOptions
 * @typedef {import('./jax/clip.js').GradientTransformation} GradientTransformation
 */

export const clipByGlobalNorm = /* @__PURE__ */ withInlineModule(clip.clipByGlobalNorm);
export const globalNorm = /* @__PURE__ */ withInlineModule(norm.globalNorm);
