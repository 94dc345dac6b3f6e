// tools/check-module.js: whether a WebAssembly module is one that web/core/embind.js can load. That file does in a few lines
// what Emscripten's own JavaScript does in thousands, so it relies on how a compiler lays Embind out. Another compiler
// may do it differently, and shall fail when the module is built, not at a user's first call.
import {
  HEALTH_WORDS,
  INTERFACE_VERSION,
  PARTIAL_WORDS,
  ROW_NUMBERS,
  SEGMENT_WORDS,
} from '../web/core/layout.js';
import { makeMemory, TABLES_BYTES, tablesFrom } from '../web/core/memory.js';
import { StepError } from './steps.js';

/** The versions of Emscripten that made modules which passed every test. */
export const TRIED_COMPILERS = ['3.1.6', '3.1.69'];

/** Both halves of a registration, and the types of arguments, which are numbers on both sides. */
const NEEDED_IMPORTS = ['constant', 'function', 'void', 'integer', 'float'];
const OTHER_IMPORTS = ['bool', 'bigint', 'std_string', 'std_wstring', 'emval', 'memory_view'];

const NEEDED_EXPORTS = { __indirect_function_table: 'table', _initialize: 'function' };

/**
 * What bindings.cpp registers: constants, and functions by the WebAssembly types of their result and arguments.
 * @type {Record<keyof import('../web/core/embind.js').Bindings, string>}
 */
export const REGISTERED = {
  interfaceVersion: 'constant',
  blockElements: 'constant',
  segmentBytes: 'constant',
  partialBytes: 'constant',
  healthBytes: 'constant',
  rowBytes: 'constant',
  heapBase: 'constant',
  clear: 'viii',
  reduce: 'vdiiii',
  merge: 'viiiii',
  finish: 'ddi',
  report: 'vdiiii',
  rewrite: 'viiid',
};

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} compiler  the version of Emscripten
 * @throws {StepError} that says what differs
 */
export function checkModule(bytes, compiler) {
  for (const difference of differences(bytes)) {
    const tried = TRIED_COMPILERS.join(' and ');
    throw new StepError(`the module ${difference}; made by Emscripten ${compiler}; tried are ${tried}`);
  }
}

/**
 * The first is what matters: those after it rely on what was looked at before.
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Generator<string>}
 */
function* differences(bytes) {
  if (!WebAssembly.validate(bytes)) return yield 'is not valid WebAssembly';
  const module = new WebAssembly.Module(bytes);
  yield* differencesOfImports(WebAssembly.Module.imports(module));
  yield* differencesOfExports(WebAssembly.Module.exports(module));
  const { registered, failure } = register(module);
  if (failure !== null) return yield `does not start: ${failure}`;
  yield* differencesOfNames(registered);
  for (const entry of registered) yield* differencesOfType(entry);
  for (const entry of registered) yield* differencesOfValue(entry);
}

/** @param {WebAssembly.ModuleImportDescriptor[]} imports */
function* differencesOfImports(imports) {
  const names = [...NEEDED_IMPORTS, ...OTHER_IMPORTS].map((name) => `_embind_register_${name}`);
  for (const { module, name, kind } of imports) {
    if (module === 'env' && name === 'memory' && kind === 'memory') continue;
    if (module !== 'env' || kind !== 'function' || !names.includes(name))
      yield `imports ${kind === 'function' ? '' : `the ${kind} `}${module}.${name}, which web/core/embind.js does not know`;
  }
  for (const name of [...names.slice(0, NEEDED_IMPORTS.length), 'memory']) {
    if (!imports.some((entry) => entry.name === name))
      yield `does not import env.${name}, which web/core/embind.js relies on`;
  }
}

/** @param {WebAssembly.ModuleExportDescriptor[]} exports */
function* differencesOfExports(exports) {
  for (const [name, kind] of Object.entries(NEEDED_EXPORTS)) {
    if (!exports.some((entry) => entry.name === name && entry.kind === kind))
      yield `does not export the ${kind} ${name}, which web/core/embind.js relies on`;
  }
}

/**
 * A call of _embind_register_constant or _embind_register_function.
 * @typedef {object} Registered
 * @property {string} name
 * @property {string} type       as in REGISTERED, by the types of C++
 * @property {number} value      of a constant
 * @property {string | null} signature  of a function's invoker, as the module states it; null for a constant
 * @property {number} parameters of the invoker, as the engine knows it
 */

/**
 * @param {WebAssembly.Module} module
 * @returns {{ registered: Registered[], failure: string | null }}
 */
function register(module) {
  /** @type {[name: string, words: any[]][]} */
  const calls = [];
  const memory = makeMemory(0);
  const env = Object.fromEntries(
    WebAssembly.Module.imports(module).map(({ name, kind }) => [
      name,
      kind === 'memory' ? memory : (/** @type {any[]} */ ...words) => void calls.push([name, words]),
    ]),
  );
  /** @type {any} */
  let exports;
  try {
    exports = new WebAssembly.Instance(module, { env }).exports;
    exports._initialize();
  } catch (error) {
    return { registered: [], failure: String(error) };
  }
  return { registered: readRegistrations(memory, exports, calls), failure: null };
}

/**
 * @param {WebAssembly.Memory} memory
 * @param {{ __indirect_function_table: WebAssembly.Table }} exports
 * @param {[name: string, words: any[]][]} calls
 * @returns {Registered[]}
 */
function readRegistrations(memory, { __indirect_function_table: table }, calls) {
  const wordsOf = (/** @type {string} */ name) =>
    calls.filter((call) => call[0] === `_embind_register_${name}`).map((call) => call[1]);
  // Integers of 4 bytes travel as i32, floats of 8 bytes as f64; of nothing else is there a need.
  const letters = new Map([
    ...wordsOf('void').map(([type]) => /** @type {const} */ ([type, 'v'])),
    ...wordsOf('integer').map(([type, , bytes]) => /** @type {const} */ ([type, bytes === 4 ? 'i' : '?'])),
    ...wordsOf('float').map(([type, , bytes]) => /** @type {const} */ ([type, bytes === 8 ? 'd' : '?'])),
  ]);
  const letterOf = (/** @type {number} */ type) => letters.get(type) ?? '?';
  const constants = wordsOf('constant').map(([name, type, value]) => ({
    name: textAt(memory, name),
    type:
      letterOf(type) === 'i' && typeof value === 'number' ? 'constant' : `constant of type ${letterOf(type)}`,
    value,
    signature: null,
    parameters: 0,
  }));
  const functions = wordsOf('function').map(([name, count, types, signature, invoker]) => ({
    name: textAt(memory, name),
    value: NaN,
    type: [...new Uint32Array(memory.buffer.slice(types, types + 4 * count))].map(letterOf).join(''),
    // Later versions have a letter of its own for pointers, which are i32 as well.
    signature: textAt(memory, signature).replaceAll('p', 'i'),
    parameters: invoker < table.length ? (table.get(invoker)?.length ?? NaN) : NaN,
  }));
  return [...constants, ...functions];
}

/**
 * @param {WebAssembly.Memory} memory
 * @param {number} address  of characters that a zero ends
 */
function textAt(memory, address) {
  const bytes = Buffer.from(memory.buffer).subarray(address);
  return bytes.toString('latin1', 0, bytes.indexOf(0));
}

/** @param {Registered[]} registered */
function* differencesOfNames(registered) {
  const names = registered.map(({ name }) => name);
  for (const [at, name] of names.entries()) {
    if (!Object.hasOwn(REGISTERED, name)) yield `registers ${name}, which web/core/embind.js does not know`;
    if (names.indexOf(name) < at) yield `registers ${name} twice`;
  }
  for (const name of Object.keys(REGISTERED)) {
    if (!names.includes(name)) yield `does not register ${name}, which web/core/embind.js relies on`;
  }
}

/**
 * An invoker takes the function that it is to call, then that function's arguments.
 * @param {Registered} entry
 */
function* differencesOfType({ name, type, signature, parameters }) {
  const expected = REGISTERED[/** @type {keyof typeof REGISTERED} */ (name)];
  if (type !== expected) yield `registers ${name} as '${type}'; web/core/embind.js expects '${expected}'`;
  if (signature === null) return;
  const invoker = `${expected[0]}i${expected.slice(1)}`;
  if (signature !== invoker)
    yield `calls ${name} by an invoker '${signature}'; web/core/embind.js expects '${invoker}'`;
  if (parameters !== expected.length)
    yield `calls ${name} by an invoker of ${parameters} parameters; web/core/embind.js expects ${expected.length}`;
}

/** What web/core/layout.js and web/core/memory.js say of the memory. */
export const VALUES = new Map([
  ['interfaceVersion', INTERFACE_VERSION],
  ['segmentBytes', 4 * SEGMENT_WORDS],
  ['partialBytes', 8 * PARTIAL_WORDS],
  ['healthBytes', 8 * HEALTH_WORDS],
  ['rowBytes', 8 * ROW_NUMBERS],
]);

/** @param {Registered} entry */
function* differencesOfValue({ name, value }) {
  const expected = VALUES.get(name);
  if (expected !== undefined && value !== expected)
    yield `says that ${name} is ${value}; web/core/layout.js says ${expected}`;
  if (name === 'heapBase' && tablesFrom(value).freeAt > TABLES_BYTES)
    yield `has its heapBase at ${value}, where the tables of web/core/memory.js end at ${tablesFrom(value).freeAt}; expected ${TABLES_BYTES} at most`;
}
