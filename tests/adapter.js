// tests/adapter.js: the WebGPU adapter of the tests in Node.js. In Chromium tests/browser-host/adapter.js takes its place.
import { create, globals } from 'webgpu';
import { chooseSwiftShader, makeGpu } from './dawn.js';

/** Where the suite runs. */
export const HOST = 'Node.js';

/** @type {GPU | undefined} */
let gpu;

/**
 * The adapter; SwiftShader if GRADNORM_GPU does not say `any` and it is installed.
 * @returns {Promise<GPUAdapter>}
 * @throws {Error} if there is none
 */
export async function requestAdapter() {
  if (process.env.GRADNORM_GPU !== 'any') chooseSwiftShader();
  gpu ??= makeGpu(/** @type {import('./dawn.js').Dawn} */ ({ create, globals }));
  const adapter = await gpu.requestAdapter();
  if (adapter === null) {
    throw new Error(
      'no WebGPU adapter: expected a GPU with a Vulkan driver, or Chromium and libvulkan1 (npm test installs them)',
    );
  }
  return adapter;
}
