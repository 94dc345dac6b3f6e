// web/url.js: bytes from a URL, in browsers, workers and Node.js. Below web/wasm.js.

/**
 * Fetches a URL; a file: URL is read from disk, which fetch refuses to do in Node.js.
 * @param {URL | string} url
 * @returns {Promise<BufferSource>}
 * @throws {Error} if the answer is not a success, or as fetch does
 */
export async function readUrl(url) {
  const bytes = readFileUrl(url);
  if (bytes !== null) return bytes;
  const response = await fetch(url);
  if (!response.ok) throw new Error(`gradnorm: ${String(url)} has status ${response.status}`);
  return response.arrayBuffer();
}

/**
 * The bytes behind a file: URL where there is a Node.js to read it, otherwise null. The file system is asked
 * for at run time, so that no bundler sees an import of Node's.
 * @param {URL | string} url
 * @returns {Uint8Array<ArrayBuffer> | null}
 */
export function readFileUrl(url) {
  if (!String(url).startsWith('file:')) return null;
  const fs = globalThis.process?.getBuiltinModule?.('node:fs');
  return fs === undefined ? null : fs.readFileSync(new URL(url));
}
