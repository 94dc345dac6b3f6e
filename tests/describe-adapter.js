// tests/describe-adapter.js: a WebGPU adapter in words; anywhere.

/**
 * @param {GPUAdapterInfo} info
 * @returns {string}  what it says of itself
 */
export function describeAdapter({ vendor, architecture, device, description }) {
  return [vendor, architecture, device, description].filter((word) => word !== '').join(', ');
}
