// web/slim.js: the entry `gradnorm/slim`. As web/index.js, with a WebAssembly module that is a file of its own.
import * as api from './api.js';
import { withModuleFile } from './core/source-url.js';

export { clipCoefficient, GradientError, GradMonitor, GradReport } from './api.js';

export const allocGradients = /* @__PURE__ */ withModuleFile(wasmUrl, api.allocGradients);
export const clipGradNorm = /* @__PURE__ */ withModuleFile(wasmUrl, api.clipGradNorm);
export const clipGradsWithNorm = /* @__PURE__ */ withModuleFile(wasmUrl, api.clipGradsWithNorm);
export const clipGradValue = /* @__PURE__ */ withModuleFile(wasmUrl, api.clipGradValue);
export const gradNorm = /* @__PURE__ */ withModuleFile(wasmUrl, api.gradNorm);
export const gradReport = /* @__PURE__ */ withModuleFile(wasmUrl, api.gradReport);
export const init = /* @__PURE__ */ withModuleFile(wasmUrl, api.init);
export const initSync = /* @__PURE__ */ withModuleFile(wasmUrl, api.initSync);
export const NormAccumulator = /* @__PURE__ */ withModuleFile(wasmUrl, api.NormAccumulator);

/**
 * Bundlers know this form of `new URL` and bring the file along.
 * @throws {Error} where a module has no URL that others are relative to: in a blob:, or bundled as iife or cjs
 */
function wasmUrl() {
  try {
    return new URL('./gradnorm.wasm', import.meta.url);
  } catch (cause) {
    throw new Error(
      'gradnorm/slim cannot find its gradnorm.wasm here; expected `await init(source)` first, with its full URL, its bytes or its WebAssembly.Module',
      { cause },
    );
  }
}
