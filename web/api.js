// web/api.js: the names of the API. The entries, web/index.js and web/slim.js, hand them on; what the types of both are made of.

/**
 * @template T
 * @typedef {import('./alloc.js').Allocated<T>} Allocated
 */

/**
 * @typedef {import('./door/collect.js').Gradients} Gradients
 * @typedef {import('./door/collect.js').Gradient} Gradient
 * @typedef {import('./door/collect.js').Parameter} Parameter
 * @typedef {import('./core/dtypes.js').GradientArray} GradientArray
 * @typedef {import('./core/dtypes.js').HalfGradient} HalfGradient
 * @typedef {import('./core/dtypes.js').NamedGradient} NamedGradient
 * @typedef {import('./core/dtypes.js').Float16GradientArray} Float16GradientArray
 * @typedef {import('./clip.js').Monitor} Monitor
 * @typedef {import('./door/clip-options.js').ClipOptions} ClipOptions
 * @typedef {import('./door/clip-options.js').ClipPer} ClipPer
 * @typedef {import('./door/clip-options.js').NonfinitePolicy} NonfinitePolicy
 * @typedef {import('./report.js').ReportOptions} ReportOptions
 * @typedef {import('./report.js').TensorReport} TensorReport
 * @typedef {import('./report.js').Nonfinite} Nonfinite
 * @typedef {import('./core/partial.js').NormAccumulatorState} NormAccumulatorState
 * @typedef {import('./monitor/options.js').MonitorMethod} MonitorMethod
 * @typedef {import('./monitor/options.js').MonitorOptions} MonitorOptions
 * @typedef {import('./monitor.js').MonitorStep} MonitorStep
 * @typedef {import('./monitor.js').MonitorState} MonitorState
 * @typedef {import('./core/module.js').InitSource} InitSource
 */

export { NormAccumulator } from './accumulator.js';
export { allocGradients } from './alloc.js';
export { clipCoefficient, clipGradNorm, clipGradsWithNorm, clipGradValue } from './clip.js';
export { GradientError } from './words/errors.js';
export { GradMonitor } from './monitor.js';
export { gradNorm } from './norm.js';
export { GradReport, gradReport } from './report.js';
export { init, initSync } from './core/module.js';
