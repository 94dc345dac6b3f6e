// web/core/module.js: the loader. Gives the pipeline its core, the WebAssembly module behind bindings/: by itself
// and synchronously at the first call, or earlier and as you like it by init and initSync.
import { embind } from './embind.js';
import { check } from '../words/checks.js';
import { tagOf } from '../words/errors.js';
import { INTERFACE_VERSION } from './layout.js';
import { layOut, makeMemory, STAGING_BYTES } from './memory.js';
import { readResponse, readUrl } from './url.js';

/**
 * What init accepts: a compiled module, its bytes, a Response that carries them, or where to fetch them.
 * @typedef {WebAssembly.Module | BufferSource | Response | URL | string} InitSource
 */

/** @typedef {import('./memory.js').Core} Core */

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

/** What the core is an instance of. @type {WebAssembly.Module | null} */
let coreModule = null;

/** One instance is made at a time, so that of many calls of init at once only the first makes one. */
let turn = /* @__PURE__ */ Promise.resolve();

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
  return core ?? loadSync(offeredSource().readSync());
}

/**
 * Loads the WebAssembly module early and asynchronously, or from a source of your own: a module compiled
 * elsewhere (Cloudflare Workers), bytes, a Response, or a URL to fetch. The default entry needs it only where the
 * engine starts no module of this size synchronously (the main thread of Chrome before 115);
 * `gradnorm/slim` needs it before the first call, except in Node.js. Once a module is loaded, further calls
 * do nothing. A load that fails is forgotten: call again.
 *
 * @example
 * await init(); // or of your own copy of gradnorm/gradnorm.wasm, such as init(fetch('/assets/gradnorm.wasm'))
 * gradNorm(new Float32Array([3, 4])); // 5
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
 * @param {WebAssembly.Module | BufferSource} [source]  left out: the entry point's own bytes
 * @returns {void}
 * @throws {TypeError} if the source is neither
 * @throws {Error} if it cannot be compiled or is not this version's module
 */
export function initSync(source) {
  if (source !== undefined) checkSource('initSync', source, isModuleOrBytes, INIT_SYNC_EXPECTED);
  if (core !== null) return;
  loadSync(source ?? offeredSource().readSync());
}

const INIT_SYNC_EXPECTED = 'a WebAssembly.Module or its bytes';
const INIT_EXPECTED = 'a WebAssembly.Module or its bytes, a Response, a URL or a string';

/**
 * @param {string} caller
 * @param {unknown} source
 * @param {(source: unknown) => boolean} accepts
 * @param {string} expected
 */
function checkSource(caller, source, accepts, expected) {
  check(`the source given to ${caller}`, source, { accepts, expected });
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
  const { imports, toCore } = prepare(makeMemory(STAGING_BYTES), true);
  const loaded = toCore(await WebAssembly.instantiate(module, imports));
  if (core === null) keep(module, loaded);
}

/**
 * @param {WebAssembly.Module | BufferSource} source
 * @returns {Core}
 */
function loadSync(source) {
  try {
    const module = isBytes(source) ? new WebAssembly.Module(plainBytes(source)) : source;
    return keep(module, makeCore(module, makeMemory(STAGING_BYTES), true));
  } catch (cause) {
    throw refusal(source, cause);
  }
}

/**
 * @param {WebAssembly.Module} module
 * @param {Core} loaded
 */
function keep(module, loaded) {
  coreModule = module;
  return (core = loaded);
}

/**
 * Another instance of the core, in a memory of its own, for gradients that stay there.
 * @param {WebAssembly.Memory} memory  that never grows
 * @returns {Core}
 * @throws {Error} if the engine makes no instance synchronously
 */
export function makeResidentCore(memory) {
  getCore();
  const module = /** @type {WebAssembly.Module} */ (coreModule);
  try {
    return makeCore(module, memory, false);
  } catch (cause) {
    // That init() helped the first one does not help here.
    const isMainThread = /^RangeError/.test(String(cause));
    if (!isMainThread) throw refusal(module, cause);
    const where =
      'on the main thread of a page Chrome before 115 starts no core for them; expected a worker, or arrays of your own';
    throw new Error(`gradnorm: allocGradients: ${where}`, { cause });
  }
}

/**
 * @param {WebAssembly.Module} module
 * @param {WebAssembly.Memory} memory
 * @param {boolean} hasStaging
 */
function makeCore(module, memory, hasStaging) {
  const { imports, toCore } = prepare(memory, hasStaging);
  return toCore(new WebAssembly.Instance(module, imports));
}

/**
 * @param {WebAssembly.Memory} memory
 * @param {boolean} hasStaging
 */
function prepare(memory, hasStaging) {
  const { imports, bind } = embind(memory);
  const toCore = (/** @type {WebAssembly.Instance} */ instance) => {
    const bindings = bind(instance);
    if (bindings.interfaceVersion !== INTERFACE_VERSION) throw new TypeError('it has other exports');
    return layOut(bindings, memory.buffer, hasStaging);
  };
  return { imports, toCore };
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
