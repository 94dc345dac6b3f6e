// web/adapters/tfjs.js: the entry `gradnorm/tfjs`: gradients in tensors of TensorFlow.js, measured and clipped where they lie.
// Hands on what the folder of the same name does, with the core's module as the default entry has it.
import { withInlineModule } from '../core/source-inline.js';
import * as verbs from './tfjs/verbs.js';
import * as optimizer from './tfjs/optimizer.js';

/**
 * @typedef {import('./tfjs/tensors.js').TfGradients} TfGradients
 * @typedef {import('./tfjs/engine.js').TfTensor} TfTensor
 * @typedef {import('./tfjs/optimizer.js').TfOptimizer} TfOptimizer
 * @typedef {import('./tfjs/options.js').ClipLimit} ClipLimit
 * @typedef {import('./tfjs/options.js').Listener} Listener
 * @typedef {import('./tfjs/options.js').TfClipOptions} TfClipOptions
 * @typedef {import('./tfjs/options.js').TfOnlyOptions} TfOnlyOptions
 * @typedef {import('./tfjs/options.js').WithClipOptions} WithClipOptions
 */

export const clipGradNorm = /* @__PURE__ */ withInlineModule(verbs.clipGradNorm);
export const gradNorm = /* @__PURE__ */ withInlineModule(verbs.gradNorm);
export const gradReport = /* @__PURE__ */ withInlineModule(verbs.gradReport);
export const withClip = /* @__PURE__ */ withInlineModule(optimizer.withClip);
