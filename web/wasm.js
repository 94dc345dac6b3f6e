// web/wasm.js: the loader. Gives the pipeline its core, the WebAssembly module behind bindings/: by itself
// and synchronously at the first call, or earlier and as you like it by init and initSync.
import { bind } from './embind.js';
import { describe, tagOf } from './errors.js';
import { readDefault, readDefaultSync } from './source-inline.js';
import { WORDS } from './state.js';
import { readResponse, readUrl } from './url.js';

/**
 * @typedef {import('./embind.js').Bindings} Bindings
 */

/**
 * What init accepts: a compiled module, its bytes, a Response that carries them, or where to fetch them.
 * @typedef {WebAssembly.Module | BufferSource | Response | URL | string} InitSource
 */

/**
 * Views of the memory that the core shares with web/staging.js and those who call it.
 * @typedef {object} Views
 * @property {Uint8Array} bytes            the staging area
 * @property {Float32Array} float32        the staging area
 * @property {Float64Array} float64        the staging area
 * @property {Uint32Array} segments        the segment table: byte offset, length, dtype
 * @property {BigUint64Array} state        of a partial
 * @property {Float64Array} summary        of a tensor or of all, in the order of src/tensor.hpp
 */

/** @typedef {Bindings & Views} Core  The core: what bindings.cpp binds, and views. */

// Those of bindings.cpp.
const INTERFACE_VERSION = 2;
export const WORDS_PER_SEGMENT = 3;
const NUMBERS_OF_SUMMARY = 10;

/** @type {Core | null} */
let core = null;

/**
 * The core; at the first call it is made from the entry point's own bytes.
 * @returns {Core}
 */
export function getCore() {
  return (core ??= instantiate(compileSync(readDefaultSync())));
}

/**
 * Loads the WebAssembly module early and asynchronously, or from a source of your own: a module compiled
 * elsewhere (Cloudflare Workers), bytes, a Response, or a URL to fetch. Never needed with the default entry;
 * `gradnorm/slim` needs it before the first call, except in Node.js. Once a module is loaded, further calls
 * do nothing. A load that fails is forgotten: call again.
 *
 * @example
 * await init();                               // warm up
 * await init(fetch('/assets/gradnorm.wasm')); // your own copy of gradnorm/gradnorm.wasm
 *
 * @param {InitSource | Promise<InitSource>} [source]  left out: the entry point's own bytes
 * @returns {Promise<void>}
 * @throws {TypeError} if the source is of none of these types
 * @throws {Error} if it cannot be fetched, compiled or is not this version's module
 */
export async function init(source) {
  const given = await source;
  if (given !== undefined) checkSource('init', given, isInitSource, INIT_EXPECTED);
  if (core !== null) return;
  const module = await compile(given === undefined ? await readDefault() : await resolve(given));
  core ??= instantiate(module);
}

/**
 * As init, but synchronously, from a compiled module or bytes.
 *
 * @param {WebAssembly.Module | BufferSource} [source]  left out: the entry point's own bytes
 * @returns {void}
 * @throws {TypeError} if the source is neither
 * @throws {Error} if it cannot be compiled or is not this version's module
 */
export function initSync(source) {
  if (source !== undefined) checkSource('initSync', source, isModuleOrBytes, INIT_SYNC_EXPECTED);
  if (core !== null) return;
  core = instantiate(compileSync(source ?? readDefaultSync()));
}

const INIT_SYNC_EXPECTED = 'a WebAssembly.Module or its bytes';
const INIT_EXPECTED = `${INIT_SYNC_EXPECTED}, a Response, a URL or a string`;

/**
 * @param {string} caller
 * @param {unknown} source
 * @param {(source: unknown) => boolean} accepts
 * @param {string} expected
 */
function checkSource(caller, source, accepts, expected) {
  if (!accepts(source)) {
    throw new TypeError(`the source given to ${caller} is ${describe(source)}; expected ${expected}`);
  }
}

/** @param {unknown} source */
function isModuleOrBytes(source) {
  const tag = tagOf(source);
  return tag === 'WebAssembly.Module' || tag === 'ArrayBuffer' || ArrayBuffer.isView(source);
}

/** @param {unknown} source */
function isInitSource(source) {
  return isModuleOrBytes(source) || isResponse(source) || isUrl(source) || typeof source === 'string';
}

/**
 * @param {unknown} source
 * @returns {source is Response}
 */
function isResponse(source) {
  return tagOf(source) === 'Response';
}

/**
 * @param {unknown} source
 * @returns {source is URL}
 */
function isUrl(source) {
  return tagOf(source) === 'URL';
}

/**
 * @param {InitSource} source
 * @returns {Promise<WebAssembly.Module | BufferSource>}
 */
async function resolve(source) {
  if (typeof source === 'string' || isUrl(source)) return readUrl(source);
  return isResponse(source) ? readResponse(source, source.url || 'the Response') : source;
}

/**
 * @param {WebAssembly.Module | BufferSource} source
 * @returns {Promise<WebAssembly.Module>}
 */
async function compile(source) {
  if (!isBytes(source)) return source;
  const bytes = plainBytes(source);
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    throw cannotCompile(bytes, error);
  }
}

/**
 * @param {WebAssembly.Module | BufferSource} source
 * @returns {WebAssembly.Module}
 */
function compileSync(source) {
  if (!isBytes(source)) return source;
  const bytes = plainBytes(source);
  try {
    return new WebAssembly.Module(bytes);
  } catch (error) {
    throw cannotCompile(bytes, error);
  }
}

/**
 * @param {WebAssembly.Module | BufferSource} source
 * @returns {source is BufferSource}
 */
function isBytes(source) {
  return tagOf(source) !== 'WebAssembly.Module';
}

/**
 * Some engines compile no DataView, and none a view of shared memory.
 * @param {BufferSource} source
 * @returns {Uint8Array<ArrayBuffer>}
 */
function plainBytes(source) {
  if (!ArrayBuffer.isView(source)) return new Uint8Array(source);
  return new Uint8Array(source.buffer, source.byteOffset, source.byteLength).slice();
}

/**
 * @param {Uint8Array} bytes
 * @param {unknown} cause
 */
function cannotCompile(bytes, cause) {
  const isWasm = [0x00, 0x61, 0x73, 0x6d].every((byte, i) => bytes[i] === byte);
  if (!isWasm)
    return new Error('gradnorm: these bytes are not WebAssembly (a page from a wrong URL?)', { cause });
  const reason = /** @type {Error} */ (cause).message;
  return new Error(`gradnorm: the WebAssembly module does not compile (it needs SIMD): ${reason}`, { cause });
}

/**
 * @param {WebAssembly.Module} module
 * @returns {Core}
 */
function instantiate(module) {
  try {
    const { bindings, buffer } = bind(module);
    if (bindings.interfaceVersion !== INTERFACE_VERSION) throw new TypeError('it has other exports');
    return coreOf(bindings, buffer);
  } catch (cause) {
    throw new Error('gradnorm: this is not the WebAssembly module of this version', { cause });
  }
}

/**
 * @param {Bindings} bindings
 * @param {ArrayBuffer} buffer
 * @returns {Core}
 */
function coreOf(bindings, buffer) {
  const { stagingAddress, stagingBytes, segmentTableAddress, maxSegments } = bindings;
  return {
    ...bindings,
    bytes: new Uint8Array(buffer, stagingAddress, stagingBytes),
    float32: new Float32Array(buffer, stagingAddress, stagingBytes / Float32Array.BYTES_PER_ELEMENT),
    float64: new Float64Array(buffer, stagingAddress, stagingBytes / Float64Array.BYTES_PER_ELEMENT),
    segments: new Uint32Array(buffer, segmentTableAddress, WORDS_PER_SEGMENT * maxSegments),
    state: new BigUint64Array(buffer, bindings.stateAddress, WORDS),
    summary: new Float64Array(buffer, bindings.summaryAddress, NUMBERS_OF_SUMMARY),
  };
}
