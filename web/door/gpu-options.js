// web/door/gpu-options.js: the checks of what the GPU path takes beside gradients, before anything is encoded.
import { check, checkOptions as checkRecord } from '../words/checks.js';
import { tagOf } from '../words/errors.js';

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
