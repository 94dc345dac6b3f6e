// web/core/module.js: the loader. Gives the pipeline its core, the WebAssembly module behind bindings/: by itself
// and synchronously at the first call, or earlier and as you like it by init and initSync.
import { embind } from './embind.js';
import { describe, tagOf } from '../words/errors.js';
import { WORDS } from './partial.js';
import { readResponse, readUrl } from './url.js';

/**
 * @typedef {import('./embind.js').Bindings} Bindings
 */

/**
 * What init accepts: a compiled module, its bytes, a Response that carries them, or where to fetch them.
 * @typedef {WebAssembly.Module | BufferSource | Response | URL | string} InitSource
 */

/**
 * Views of the memory that the core shares with web/core/staging.js and those who call it.
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

/**
 * Where an entry has its module.
 * @typedef {object} Source
 * @property {boolean} isAtHand  whether it is part of the JavaScript
 * @property {() => BufferSource} readSync
 * @property {() => Promise<BufferSource>} read
 */

/** @type {Source | null} */
let source = null;

/** @type {Core | null} */
let core = null;

/** One instance is made at a time, so that of many calls of init at once only the first makes one. */
let turn = Promise.resolve();

/**
 * For the entries: several may be in one page, and share what is loaded.
 * @param {Source} offered
 */
export function offerSource(offered) {
  if (source === null || offered.isAtHand) source = offered;
}

/** @returns {Source} */
function offeredSource() {
  if (source === null) throw new Error('gradnorm: no entry was imported; expected `initSync(module)` before');
  return source;
}

/**
 * The core; at the first call it is made from the entry point's own bytes.
 * @returns {Core}
 */
export function getCore() {
  return (core ??= loadSync(offeredSource().readSync()));
}

/**
 * Loads the WebAssembly module early and asynchronously, or from a source of your own: a module compiled
 * elsewhere (Cloudflare Workers), bytes, a Response, or a URL to fetch. The default entry needs it only where the
 * engine starts no module of this size synchronously (the main thread of Chrome before 115);
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
 * @throws {Error} if it cannot be fetched, compiled or is not this version's module; says why, and what helps
 */
export async function init(source) {
  const given = await source;
  if (given !== undefined) checkSource('init', given, isInitSource, INIT_EXPECTED);
  if (core !== null) return;
  await load(await (given === undefined ? offeredSource().read() : resolve(given)));
}

/**
 * As init, but synchronously, from a compiled module or bytes.
 *
 * @param {WebAssembly.Module | BufferSource} [given]  left out: the entry point's own bytes
 * @returns {void}
 * @throws {TypeError} if the source is neither
 * @throws {Error} if it cannot be compiled or is not this version's module
 */
export function initSync(given) {
  if (given !== undefined) checkSource('initSync', given, isModuleOrBytes, INIT_SYNC_EXPECTED);
  if (core !== null) return;
  core = loadSync(given ?? offeredSource().readSync());
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
  // A polyfill's does not say what it is.
  return typeof (/** @type {Partial<Response> | null | undefined} */ (source)?.ok) === 'boolean';
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

/** @param {WebAssembly.Module | BufferSource} source */
async function load(source) {
  try {
    const module = isBytes(source) ? await WebAssembly.compile(plainBytes(source)) : source;
    const loading = turn.then(() => instantiate(module));
    turn = loading.catch(() => {});
    await loading;
  } catch (cause) {
    throw refusal(source, cause);
  }
}

/** @param {WebAssembly.Module} module */
async function instantiate(module) {
  if (core !== null) return;
  const { imports, bind } = embind();
  const loaded = coreOf(bind(await WebAssembly.instantiate(module, imports)));
  core ??= loaded;
}

/**
 * @param {WebAssembly.Module | BufferSource} source
 * @returns {Core}
 */
function loadSync(source) {
  try {
    const module = isBytes(source) ? new WebAssembly.Module(plainBytes(source)) : source;
    const { imports, bind } = embind();
    return coreOf(bind(new WebAssembly.Instance(module, imports)));
  } catch (cause) {
    throw refusal(source, cause);
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

/** What engines and their hosts throw, by name and message; what it means, and what helps. The first that fits counts. */
const REFUSALS = /** @type {const} */ ([
  [/^(Link|Runtime|Type)Error/, 'this is not the WebAssembly module of this version'],
  [/memory/i, 'no memory for WebAssembly here; expected 1 MB'],
  [/^RangeError/, 'no synchronous WebAssembly here (Chrome before 115); expected `await init()` first'],
  [/embedder/, 'no WebAssembly from bytes here; expected initSync of the module gradnorm/gradnorm.wasm'],
  [/CSP|Content Security|unsafe-eval/, "the Content Security Policy lacks script-src 'wasm-unsafe-eval'"],
]);

/**
 * @param {WebAssembly.Module | BufferSource} source
 * @param {unknown} cause
 */
function refusal(source, cause) {
  return new Error(`gradnorm: ${reasonFor(source, String(cause))}`, { cause });
}

/**
 * Engines differ in their words: only what cannot be tried is read from them.
 * @param {WebAssembly.Module | BufferSource} source
 * @param {string} words
 * @returns {string}
 */
function reasonFor(source, words) {
  if (typeof globalThis.WebAssembly?.validate !== 'function')
    return 'no WebAssembly here; expected an engine without --jitless or Lockdown Mode';
  if (isBytes(source) && String(plainBytes(source).subarray(0, 4)) !== '0,97,115,109')
    return 'these bytes are not WebAssembly (a page from a wrong URL?)';
  const known = REFUSALS.find(([pattern]) => pattern.test(words));
  if (known !== undefined) return known[1];
  // A module whose only function type returns a v128.
  const simd = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b);
  return words.startsWith('CompileError') && !WebAssembly.validate(simd)
    ? 'no WebAssembly SIMD here; expected a newer engine or processor'
    : `the WebAssembly module does not compile: ${words}`;
}

/**
 * @param {import('./embind.js').Bound} bound
 * @returns {Core}
 */
function coreOf({ bindings, buffer }) {
  if (bindings.interfaceVersion !== INTERFACE_VERSION) throw new TypeError('it has other exports');
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
