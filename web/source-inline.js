// web/source-inline.js: the default entry's WebAssembly module, whose bytes lie in the bundle itself. Below
// web/wasm.js; `gradnorm/slim` is built with web/source-url.js in its place.
import { hex } from '../build/wasm-hex.js';

/**
 * In hexadecimal rather than base64 because it compresses far better, 6.9 kB against 9.5 kB with Brotli:
 * a byte always looks the same.
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function readDefaultSync() {
  const bytes = new Uint8Array(hex.length / 2);
  for (let i = 0; i < bytes.length; ++i) bytes[i] = digit(2 * i) * 16 + digit(2 * i + 1);
  return bytes;
}

/** @param {number} index */
function digit(index) {
  const code = hex.charCodeAt(index);
  return code < 58 ? code - 48 : code - 87; // '0' to '9', 'a' to 'f'
}

/** @returns {Promise<Uint8Array<ArrayBuffer>>} */
export async function readDefault() {
  return readDefaultSync();
}
