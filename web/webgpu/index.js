// web/webgpu/index.js: the entry point `gradnorm/webgpu`. Hands its names on.

/**
 * @typedef {import('../door/gpu-options.js').GpuOptions} GpuOptions
 * @typedef {import('../door/gpu-options.js').GpuClipOptions} GpuClipOptions
 * @typedef {import('./plan.js').GpuClipStep} GpuClipStep
 * @typedef {import('../door/gpu-options.js').GpuReportOptions} GpuReportOptions
 * @typedef {import('../door/gpu-options.js').GpuValueOptions} GpuValueOptions
 * @typedef {import('../monitor/ahead.js').GpuMonitor} GpuMonitor
 * @typedef {import('../door/buffers.js').GpuGradient} GpuGradient
 * @typedef {import('../door/buffers.js').GpuParameter} GpuParameter
 * @typedef {import('../door/buffers.js').GpuGradients} GpuGradients
 * @typedef {import('../door/buffers.js').MixedGradients} MixedGradients
 */

export { GpuGradNorm } from './gpu-grad-norm.js';
export { GpuPlan } from './plan.js';
