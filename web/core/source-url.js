// web/core/source-url.js: the WebAssembly module as a file beside the JavaScript, for web/core/module.js to read where nobody
// gives another.
import { offerSource } from './module.js';
import { readFileUrl, readUrl } from './url.js';

/**
 * Tells the loader where the module is.
 * @template T
 * @param {() => URL} urlOf  of the file; may throw
 * @param {T} verb
 * @returns {T}  the same
 */
export function withModuleFile(urlOf, verb) {
  offerSource({ isAtHand: false, readSync: () => readSync(urlOf()), read: async () => readUrl(urlOf()) });
  return verb;
}

/**
 * @param {URL} url
 * @returns {BufferSource}
 * @throws {Error} where a file cannot be read synchronously, that is outside Node.js
 */
function readSync(url) {
  const bytes = readFileUrl(url);
  if (bytes === null)
    throw new Error('gradnorm/slim is not loaded; expected `await init()` before this call');
  return bytes;
}
