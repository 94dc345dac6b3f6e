// tests/bench/gpu/device.js: the device that the GPU benchmark measures, by Dawn's binding from wherever it is.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { chooseSwiftShader, makeGpu } from '../../dawn.js';

/** Where the binding lies after it was carried to a machine without npm. */
const CARRIED = '.gpu/dawn.node';

/** Times as the driver has them, not rounded against spying web pages. */
const FLAGS = ['disable-dawn-features=timestamp_quantization'];

/** Limits that decide how much fits into a buffer and a dispatch; both libraries ask for the adapter's own. */
const LIMITS = /** @type {const} */ ([
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxComputeWorkgroupSizeX',
  'maxComputeInvocationsPerWorkgroup',
]);

/**
 * @param {string | undefined} path  of the binding
 * @returns {Promise<{ device: GPUDevice, info: GPUAdapterInfo, isSoftware: boolean }>}
 * @throws {Error} if there is no binding or no adapter
 */
export async function requestDevice(path) {
  const dawn = await loadDawn(path);
  const adapter = await requestAdapter(dawn);
  const wanted = ['timestamp-query', 'subgroups'];
  const device = await adapter.requestDevice({
    label: 'bench',
    requiredFeatures: /** @type {GPUFeatureName[]} */ (wanted.filter((name) => adapter.features.has(name))),
    requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
  });
  device.addEventListener('uncapturederror', ({ error }) => console.error(`WebGPU: ${error.message}`));
  return { device, info: adapter.info, isSoftware: isSoftware(adapter.info) };
}

/**
 * @param {string | undefined} path
 * @returns {Promise<import('../../dawn.js').Dawn>}
 */
async function loadDawn(path) {
  const file = path ?? (existsSync(CARRIED) ? CARRIED : undefined);
  if (file === undefined) return /** @type {any} */ (await import('webgpu'));
  return createRequire(import.meta.url)(resolve(file));
}

/**
 * A GPU if there is one, otherwise SwiftShader.
 * @param {import('../../dawn.js').Dawn} dawn
 */
async function requestAdapter(dawn) {
  for (const prepare of [() => true, chooseSwiftShader]) {
    if (!prepare()) continue;
    const gpu = makeGpu(dawn, FLAGS);
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (adapter === null) continue;
    // Where browsers have it, and tfjs looks for it.
    Object.defineProperty(globalThis, 'navigator', { value: { gpu }, configurable: true });
    return adapter;
  }
  throw new Error(
    'no WebGPU adapter: expected a GPU with a Vulkan driver, or Chromium, which brings SwiftShader',
  );
}

/** @param {GPUAdapterInfo} info */
function isSoftware({ architecture, device, description, isFallbackAdapter }) {
  return (
    isFallbackAdapter ||
    /swiftshader|llvmpipe|lavapipe|basic render/i.test([architecture, device, description].join())
  );
}
