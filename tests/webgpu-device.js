// tests/webgpu-device.js: WebGPU devices for the tests, buffers on them and counts of calls; the same in Node.js and in
// browsers.
import assert from 'node:assert/strict';
import { GpuGradNorm } from 'gradnorm/webgpu';
import { HOST, requestAdapter } from './adapter.js';
import { describeAdapter } from './describe-adapter.js';

/** Whether to go through all of what is sampled otherwise; never in browsers, which have no environment. */
export const IS_THOROUGH = globalThis.process?.env?.GRADNORM_THOROUGH === '1';

/**
 * Deno ends with a panic of its own where a buffer is destroyed between encoding and submitting.
 * @param {string} what  is not tried there
 */
export function isTooMuchForDeno(what) {
  const isDeno = 'Deno' in globalThis;
  if (isDeno) console.log(`not in Deno, which would panic: ${what}`);
  return isDeno;
}

/** STORAGE, COPY_SRC and COPY_DST. */
export const USAGE = 0x80 | 0x4 | 0x8;

/** Every half of a word that belongs to no tensor. */
export const POISON = 0x7fc17fc1;

/**
 * For a suite: says which adapter it runs on, and gives a device with a GpuGradNorm.
 * @returns {Promise<{ device: GPUDevice, errors: string[], gpu: GpuGradNorm }>}
 */
export async function openGpu() {
  console.log(`WebGPU adapter in ${HOST}: ${describeAdapter((await requestAdapter()).info)}`);
  const { device, errors } = await requestDevice();
  return { device, errors, gpu: await GpuGradNorm.create({ device }) };
}

/** @param {Awaited<ReturnType<typeof openGpu>>} opened */
export function closeGpu({ device, errors, gpu }) {
  assert.deepEqual(errors, [], 'validation errors that nobody saw');
  gpu.destroy();
  device.destroy();
}

/**
 * A device of which every validation error is kept in a list; of an adapter of its own, as each gives one device.
 * @param {{ limits?: Record<string, number>, subgroups?: boolean }} [options]
 * @returns {Promise<{ device: GPUDevice, errors: string[] }>}
 */
export async function requestDevice({ limits, subgroups = true } = {}) {
  const adapter = await requestAdapter();
  const device = await adapter.requestDevice({
    requiredFeatures: subgroups && adapter.features.has('subgroups') ? ['subgroups'] : [],
    requiredLimits: limits ?? {
      maxStorageBuffersPerShaderStage: adapter.limits.maxStorageBuffersPerShaderStage,
    },
  });
  /** @type {string[]} */
  const errors = [];
  device.addEventListener('uncapturederror', ({ error }) => errors.push(error.message));
  return { device, errors };
}

/**
 * A buffer with these bytes at an offset, poison before and behind them.
 * @param {GPUDevice} device
 * @param {Float32Array | Uint16Array} array
 * @param {number} [offset]   in bytes
 * @param {number} [padding]  bytes behind
 * @returns {GPUBuffer}
 */
export function bufferOf(device, array, offset = 0, padding = 8) {
  const size = Math.ceil((offset + array.byteLength + padding) / 4) * 4;
  const buffer = device.createBuffer({ label: 'test', size, usage: USAGE, mappedAtCreation: true });
  const bytes = buffer.getMappedRange();
  new Uint32Array(bytes).fill(POISON);
  new Uint8Array(bytes).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), offset);
  buffer.unmap();
  return buffer;
}

/**
 * @param {GPUDevice} device
 * @param {GPUBuffer} buffer
 * @returns {Promise<ArrayBuffer>}
 */
export async function bytesOf(device, buffer) {
  const copy = device.createBuffer({ size: buffer.size, usage: 0x1 | 0x8 });
  const encoder = device.createCommandEncoder();
  encoder.copyBufferToBuffer(buffer, 0, copy, 0, buffer.size);
  device.queue.submit([encoder.finish()]);
  await copy.mapAsync(1);
  const bytes = copy.getMappedRange().slice(0);
  copy.destroy();
  return bytes;
}

/**
 * Counts what a device is asked to make and to do.
 * @param {GPUDevice} device
 * @returns {Record<string, number>}  by the name of the method, from now on
 */
export function countCalls(device) {
  /** @type {Record<string, number>} */
  const counts = {};
  const watch = (
    /** @type {any} */ object,
    /** @type {string} */ name,
    /** @type {(result: any) => void} */ then = () => {},
  ) => {
    const method = object[name];
    object[name] = (/** @type {any[]} */ ...values) => {
      counts[name] = (counts[name] ?? 0) + 1;
      const result = method.apply(object, values);
      then(result);
      return result;
    };
  };
  for (const name of [
    'createBuffer',
    'createBindGroup',
    'createBindGroupLayout',
    'createPipelineLayout',
    'createShaderModule',
    'createComputePipeline',
  ]) {
    watch(device, name);
  }
  watch(device, 'createCommandEncoder', (encoder) =>
    watch(encoder, 'beginComputePass', (pass) => watch(pass, 'dispatchWorkgroups')),
  );
  const { queue } = device;
  watch(queue, 'submit');
  if (device.queue !== queue) Object.defineProperty(device, 'queue', { value: queue });
  return counts;
}
