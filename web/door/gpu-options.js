// web/door/gpu-options.js: the checks of what the GPU path takes beside gradients, before anything is encoded.
import { limitAhead } from '../monitor/ahead.js';
import { check, checkOptions as checkRecord } from '../words/checks.js';
import { tagOf } from '../words/errors.js';
import { checkMaxNorm, readClipOptions } from './clip-options.js';

/**
 * @typedef {import('../webgpu/types.js').GpuDevice} GpuDevice
 * @typedef {import('../webgpu/types.js').GpuCommandEncoder} GpuCommandEncoder
 * @typedef {import('../monitor/ahead.js').GpuMonitor} GpuMonitor
 */

/**
 * Where to compute.
 * @typedef {object} GpuOptions
 * @property {GpuDevice} [device]  yours, with your buffers; left out, one is requested
 * @property {'low-power' | 'high-performance'} [powerPreference]  for the device that is requested
 */

/**
 * How to clip on the GPU.
 * @typedef {object} GpuClipOptions
 * @property {number} [normType]  p: from 0.5 to 64, or Infinity; 2 if left out
 * @property {number} [eps]       added to the norm when it divides: 1e-6 if left out
 * @property {number} [lossScale]  what the loss was multiplied by: gradients are measured, and written, divided by it, clipped or
 *   not; a finite number > 0, 1 if left out. Elements are multiplied by its inverse as a float32, rounded down: exactly if it is a
 *   power of two, else within 2^-23
 * @property {import('./clip-options.js').NonfinitePolicy} [nonfinite]  as for clipGradNorm; under 'throw' the gradients
 *   stay as they are and norm() rejects; if nobody asks, it is told as any fault of a step, unless the encoder is yours
 * @property {GpuCommandEncoder} [encoder]  yours, outside of a pass: the step is added to it, and you submit it before
 *   seven more steps of this plan: later it would clip to the limit of another step, or not at all. What WebGPU refuses then, it
 *   tells your finish() and submit()
 */

/**
 * How to clamp on the GPU.
 * @typedef {object} GpuValueOptions
 * @property {number} [lossScale]  as for clipGradNorm
 * @property {GpuCommandEncoder} [encoder]  as for clipGradNorm
 */

/**
 * Which norm a report is about.
 * @typedef {object} GpuReportOptions
 * @property {number} [normType]  p: any number > 0, Infinity included; 2 if left out
 */

/** What the shaders need: what every device has, one of compatibility mode included. */
const LEAST_LIMITS = {
  maxComputeInvocationsPerWorkgroup: 128,
  maxComputeWorkgroupSizeX: 128,
  maxStorageBuffersPerShaderStage: 2,
};

/**
 * As for every options object. In some implementations the objects of WebGPU look like records without names, but all have a label,
 * adapters aside.
 * @param {string} caller
 * @param {unknown} options
 * @param {readonly string[]} known
 */
export function checkOptions(caller, options, known) {
  const record = /** @type {object} */ (options);
  const isRecord = tagOf(options) === 'Object' && !('label' in record) && !('requestDevice' in record);
  checkRecord(caller, options, known, isRecord);
}

/**
 * By what it can do, so that the devices of any implementation count.
 * @param {unknown} device
 */
export function checkDevice(device) {
  const can = (/** @type {any} */ value) => typeof value?.createComputePipeline === 'function';
  const { limits } = check('device', device, { accepts: can, expected: 'a GPUDevice' });
  const short = Object.entries(LEAST_LIMITS).filter(([name, least]) => limits[name] < least);
  if (short.length === 0) return;
  const words = (/** @type {any} */ from) => short.map(([name]) => `${name} ${from[name]}`).join(', ');
  throw new TypeError(
    `device has ${words(limits)}; expected at least ${words(LEAST_LIMITS)}, as every device has`,
  );
}

/** @param {unknown} encoder  or undefined */
export function checkEncoder(encoder) {
  const can = (/** @type {any} */ value) => typeof value?.beginComputePass === 'function';
  if (encoder !== undefined) check('encoder', encoder, { accepts: can, expected: 'a GPUCommandEncoder' });
}

/**
 * @param {string} verb
 * @param {number | GpuMonitor} maxNorm
 * @param {GpuClipOptions} options
 */
export function readGpuClipOptions(verb, maxNorm, options) {
  checkOptions(verb, options, ['normType', 'eps', 'nonfinite', 'lossScale', 'encoder']);
  const monitor = isMonitor(maxNorm) ? maxNorm : null;
  if (monitor === null) checkMaxNorm(maxNorm, false);
  const limit = monitor === null ? Number(maxNorm) : limitAhead(monitor);
  const decision = { ...readClipOptions(options), maxNorm: limit };
  checkEncoder(options.encoder);
  return decision;
}

/**
 * @param {unknown} value
 * @returns {value is GpuMonitor}
 */
function isMonitor(value) {
  const { update, toJSON } = /** @type {Partial<GpuMonitor>} */ (value ?? {});
  return typeof update === 'function' && typeof toJSON === 'function';
}
