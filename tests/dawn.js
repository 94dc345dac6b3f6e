// tests/dawn.js: WebGPU in Node.js, by Dawn: what the tests and the GPU benchmark share. Takes the binding from its caller
// and imports no package, so that the benchmark runs where there is none.
import { existsSync } from 'node:fs';

/** @typedef {{ create(flags: string[]): GPU, globals: object }} Dawn   as the package `webgpu` exports it */

/** The SwiftShader that comes with Chromium: a Vulkan device in software. */
const SWIFTSHADER = ['/usr/lib/chromium', '/usr/lib/chromium-browser', '/opt/google/chrome'].map(
  (folder) => `${folder}/vk_swiftshader_icd.json`,
);

/**
 * Lets Dawn find SwiftShader, unless the environment says which Vulkan driver to take.
 * @returns {boolean}  whether it is installed
 */
export function chooseSwiftShader() {
  const icd = SWIFTSHADER.find((path) => existsSync(path));
  if (icd !== undefined) process.env.VK_ICD_FILENAMES ??= icd;
  return icd !== undefined;
}

/**
 * What navigator.gpu is in browsers, and WebGPU's constants and classes as globals.
 * @param {Dawn} dawn
 * @param {string[]} [flags]
 * @returns {GPU}
 */
export function makeGpu({ create, globals }, flags = []) {
  Object.assign(globalThis, globals);
  const gpu = create(flags);
  // What create() returns must stay reachable: its collection takes Dawn down.
  const kept = /** @type {{ gradnormGpus?: GPU[] }} */ (globalThis);
  (kept.gradnormGpus ??= []).push(gpu);
  return gpu;
}
