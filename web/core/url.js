// web/core/url.js: bytes from a URL, in browsers, workers and Node.js. Below web/core/module.js.

import { tagOf } from '../words/errors.js';

/**
 * Fetches a URL; a file: URL is read from disk, which fetch refuses to do in Node.js.
 * @param {URL | string} url
 * @returns {Promise<BufferSource>}
 * @throws {Error} if it cannot be fetched or the answer is not a success
 */
export async function readUrl(url) {
  const bytes = readFileUrl(url);
  if (bytes !== null) return bytes;
  let response;
  try {
    response = await fetch(url);
  } catch (cause) {
    throw cannot('fetch', url, cause);
  }
  return readResponse(response, String(url));
}

/**
 * @param {Response} response
 * @param {string} name  for the message
 * @returns {Promise<ArrayBuffer>}
 * @throws {Error} if it is not a success
 */
export async function readResponse(response, name) {
  if (!response.ok) throw new Error(`gradnorm: ${name} has status ${response.status}`);
  return response.arrayBuffer();
}

/**
 * A module of Node.js where there is a Node.js, asked for at run time, so that no bundler sees an import. A page may
 * have anything by the name of process: a form, a variable of its own, a polyfill.
 * @param {string} name
 * @returns {any}
 */
export function nodeModule(name) {
  const { process } = globalThis;
  if (tagOf(process) !== 'process' || typeof process.getBuiltinModule !== 'function') return undefined;
  return process.getBuiltinModule(name);
}

/**
 * The bytes behind a file: URL where there is a Node.js to read it, otherwise null.
 * @param {URL | string} url
 * @returns {Uint8Array<ArrayBuffer> | null}
 * @throws {Error} if the file cannot be read
 */
export function readFileUrl(url) {
  if (!String(url).startsWith('file:')) return null;
  const fs = nodeModule('node:fs');
  if (fs === undefined) return null;
  try {
    return fs.readFileSync(nodeModule('node:url').fileURLToPath(String(url)));
  } catch (cause) {
    throw cannot('read', url, cause);
  }
}

/**
 * @param {'fetch' | 'read'} what
 * @param {URL | string} url
 * @param {unknown} cause
 */
function cannot(what, url, cause) {
  const reason = /** @type {Error} */ (cause).message;
  return new Error(`gradnorm: cannot ${what} ${String(url)}: ${reason}`, { cause });
}
