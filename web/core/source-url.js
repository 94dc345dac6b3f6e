// web/core/source-url.js: the WebAssembly module of `gradnorm/slim`, a file beside the bundle. Below web/core/module.js, in
// the place of web/core/source-inline.js.
import { readFileUrl, readUrl } from './url.js';

/**
 * @returns {BufferSource}
 * @throws {Error} where a file cannot be read synchronously, that is outside Node.js
 */
export function readDefaultSync() {
  const bytes = readFileUrl(wasmUrl());
  if (bytes === null)
    throw new Error('gradnorm/slim is not loaded; expected `await init()` before this call');
  return bytes;
}

/** @returns {Promise<BufferSource>} */
export function readDefault() {
  return readUrl(wasmUrl());
}

/**
 * Bundlers know this form of `new URL` and bring the file along.
 * @throws {Error} where a module has no URL that others are relative to: in a blob:, or bundled as iife or cjs
 */
function wasmUrl() {
  try {
    return new URL('./gradnorm.wasm', import.meta.url);
  } catch (cause) {
    throw new Error(
      'gradnorm/slim cannot find its gradnorm.wasm here; expected `await init(source)` first, with its full URL, its bytes or its WebAssembly.Module',
      { cause },
    );
  }
}
