// tests/browser-host/adapter.js: the WebGPU adapter of the tests in a browser, in the place of tests/adapter.js.

/** Where the suite runs. */
export const HOST = 'the browser';

/**
 * @returns {Promise<GPUAdapter>}
 * @throws {Error} if there is none
 */
export async function requestAdapter() {
  if (navigator.gpu === undefined) throw new Error('this browser has no WebGPU (navigator.gpu)');
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) throw new Error('this browser has no WebGPU adapter');
  return adapter;
}
