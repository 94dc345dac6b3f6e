// web/webgpu/arguments.js: checks of every argument of the GPU path that is not a gradient, before anything is encoded.
import { checkNormType, checkNotNegative, checkOptions as checkRecord } from '../words/checks.js';
import { describe, tagOf } from '../words/errors.js';
import { THREADS } from './layouts.js';
import { kindOf, LARGEST_REAL_POWER, SMALLEST_REAL_POWER } from './powers.js';

/** What the shaders need: what every device has, one of compatibility mode included. */
const LEAST_LIMITS = {
  maxComputeInvocationsPerWorkgroup: THREADS,
  maxComputeWorkgroupSizeX: THREADS,
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

/** @param {unknown} device */
export function checkDevice(device) {
  const given = /** @type {import('./types.js').GpuDevice | null} */ (device);
  if (typeof given?.createComputePipeline !== 'function') {
    throw new TypeError(`device is ${describe(device)}; expected a GPUDevice`);
  }
  const { limits } = given;
  const names = /** @type {(keyof typeof LEAST_LIMITS)[]} */ (Object.keys(LEAST_LIMITS));
  const short = names.filter((name) => limits[name] < LEAST_LIMITS[name]);
  if (short.length === 0) return;
  const words = (/** @type {any} */ from) => short.map((name) => `${name} ${from[name]}`).join(', ');
  throw new TypeError(
    `device has ${words(limits)}; expected at least ${words(LEAST_LIMITS)}, as every device has`,
  );
}

/** @param {unknown} normType */
export function checkKind(normType) {
  checkNormType(normType);
  const kind = kindOf(/** @type {number} */ (normType));
  if (kind === null) {
    throw new RangeError(
      `normType is ${normType}; to clip on the GPU, expected a number from ${SMALLEST_REAL_POWER} ` +
        `to ${LARGEST_REAL_POWER}, or Infinity`,
    );
  }
  return kind;
}

/** @param {unknown} encoder */
export function checkEncoder(encoder) {
  if (encoder === undefined) return;
  const given = /** @type {Partial<import('./types.js').GpuCommandEncoder> | null} */ (encoder);
  if (typeof given?.beginComputePass !== 'function') {
    throw new TypeError(`encoder is ${describe(encoder)}; expected a GPUCommandEncoder`);
  }
}

/** @typedef {Pick<import('../monitor.js').GradMonitor, 'update' | 'dryRun' | 'last' | 'toJSON'>} Monitor */

/**
 * @param {unknown} maxNorm  a number, or a GradMonitor that does not know the norm yet
 * @returns {number}
 */
export function limitOf(maxNorm) {
  const monitor = /** @type {Monitor | null} */ (maxNorm);
  if (typeof monitor?.update !== 'function') {
    checkNotNegative('maxNorm', maxNorm, 'or Infinity, or a GradMonitor');
    return /** @type {number} */ (maxNorm);
  }
  const { options, steps, averaged = steps, mean, deviation } = monitor.toJSON();
  if (monitor.dryRun) return Infinity;
  if (options.method === 'fixed') return Number(options.maxNorm);
  if (averaged < Math.max(1, Number(options.warmUp))) return Infinity;
  if (options.method === 'percentile') return monitor.last?.threshold ?? Infinity;
  // From here on a norm is a spike.
  const zThreshold = Number(options.zThreshold);
  return zThreshold === Infinity ? Infinity : mean + zThreshold * deviation;
}
