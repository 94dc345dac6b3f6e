// web/core/source-inline.js: the default entry's WebAssembly module, whose bytes lie in the bundle itself. Below
// web/core/module.js; `gradnorm/slim` is built with web/core/source-url.js in its place.
import { hex } from '../../build/wasm-hex.js';
import { nodeModule } from './url.js';

/**
 * In hexadecimal rather than base64 because it compresses far better, 8.2 kB against 10.9 kB with Brotli:
 * a byte always looks the same. Node.js reads it natively, which spares the first call more than a millisecond.
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function readDefaultSync() {
  return nodeModule('node:buffer')?.Buffer.from(hex, 'hex') ?? decode();
}

/** Eight digits at a time, because this runs once and is never compiled. */
function decode() {
  const words = new DataView(new ArrayBuffer(hex.length)); // more than enough for a last word that is filled up
  for (let i = 0; i < hex.length; i += 8) {
    words.setUint32(i / 2, parseInt(hex.slice(i, i + 8).padEnd(8, '0'), 16));
  }
  return new Uint8Array(words.buffer, 0, hex.length / 2);
}

/** @returns {Promise<Uint8Array<ArrayBuffer>>} */
export async function readDefault() {
  return readDefaultSync();
}
