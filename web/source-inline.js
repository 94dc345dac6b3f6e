// web/source-inline.js: the default entry's WebAssembly module, whose bytes lie in the bundle itself. Below
// web/wasm.js; `gradnorm/slim` is built with web/source-url.js in its place.
import { hex } from '../build/wasm-hex.js';

/**
 * In hexadecimal rather than base64 because it compresses far better, 6.9 kB against 9.5 kB with Brotli:
 * a byte always looks the same. Eight digits at a time, because this runs once and is never compiled.
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function readDefaultSync() {
  const bytes = new Uint8Array(hex.length / 2);
  const words = new DataView(bytes.buffer);
  const whole = bytes.length & ~3;
  for (let i = 0; i < whole; i += 4) words.setUint32(i, parseInt(hex.slice(2 * i, 2 * i + 8), 16));
  for (let i = whole; i < bytes.length; ++i) bytes[i] = parseInt(hex.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** @returns {Promise<Uint8Array<ArrayBuffer>>} */
export async function readDefault() {
  return readDefaultSync();
}
