// web/index.js: the entry `gradnorm`. Its WebAssembly module lies in the package's JavaScript, and comes along with the first
// verb that needs it: a bundler drops a pure call whose result nobody uses.
import * as api from './api.js';
import { withInlineModule } from './core/source-inline.js';

export { clipCoefficient, GradientError, GradMonitor, GradReport } from './api.js';

export const allocGradients = /* @__PURE__ */ withInlineModule(api.allocGradients);
export const clipGradNorm = /* @__PURE__ */ withInlineModule(api.clipGradNorm);
export const clipGradsWithNorm = /* @__PURE__ */ withInlineModule(api.clipGradsWithNorm);
export const clipGradValue = /* @__PURE__ */ withInlineModule(api.clipGradValue);
export const gradNorm = /* @__PURE__ */ withInlineModule(api.gradNorm);
export const gradReport = /* @__PURE__ */ withInlineModule(api.gradReport);
export const init = /* @__PURE__ */ withInlineModule(api.init);
export const initSync = /* @__PURE__ */ withInlineModule(api.initSync);
export const NormAccumulator = /* @__PURE__ */ withInlineModule(api.NormAccumulator);
