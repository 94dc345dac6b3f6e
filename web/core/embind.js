// web/core/embind.js: the JavaScript half of Embind, as far as bindings/bindings.cpp needs it: functions of numbers, and
// constants. Emscripten's own, which converts every type of C++, would be a sixth of the package, and takes several
// times as long to call. Below web/core/module.js, which gives it a module.

/**
 * What bindings.cpp binds. Addresses are bytes in the memory, 0 for nothing.
 * @typedef {object} Bindings
 * @property {number} interfaceVersion
 * @property {number} blockElements
 * @property {number} segmentBytes
 * @property {number} partialBytes
 * @property {number} healthBytes
 * @property {number} rowBytes
 * @property {number} heapBase  from here on the memory is free
 * @property {(partials: number, healths: number, count: number) => void} clear
 * @property {(normType: number, segments: number, count: number, partials: number, healths: number) => void} reduce
 * @property {(partials: number, healths: number, count: number, partial: number, health: number) => void} merge
 * @property {(normType: number, partial: number) => number} finish
 * @property {(normType: number, partials: number, healths: number, count: number, rows: number) => void} report
 * @property {(segments: number, count: number, factors: number, limit: number) => void} rewrite
 */

/**
 * What a module is to be instantiated with, and what its instance then binds.
 * @param {WebAssembly.Memory} memory  that never grows
 * @returns {{ imports: WebAssembly.Imports, bind: (instance: WebAssembly.Instance) => Bindings }}
 */
export function embind(memory) {
  /** @type {Record<string, unknown>} */
  const bindings = {};
  /** @type {any} */
  let exported;
  /** @type {Record<string | symbol, unknown>} */
  const env = {
    memory,
    _embind_register_constant(
      /** @type {number} */ name,
      /** @type {number} */ _,
      /** @type {number} */ value,
    ) {
      bindings[textAt(memory.buffer, name)] = value;
    },
    _embind_register_function(/** @type {number[]} */ ...[name, , , , invoker, target]) {
      const call = exported.__indirect_function_table.get(invoker);
      bindings[textAt(memory.buffer, name)] = (/** @type {number[]} */ ...values) => call(target, ...values);
    },
  };
  // The types of arguments are registered as well; all that are used are numbers on both sides.
  const others = {
    get: (/** @type {typeof env} */ known, /** @type {string} */ name) => known[name] ?? (() => {}),
  };
  return {
    imports: { env: /** @type {any} */ (new Proxy(env, others)) },
    bind({ exports }) {
      exported = exports;
      exported._initialize();
      return /** @type {any} */ (bindings);
    },
  };
}

/**
 * @param {ArrayBufferLike} buffer
 * @param {number} address  of characters that a zero ends
 * @returns {string}
 */
function textAt(buffer, address) {
  const bytes = new Uint8Array(buffer, address);
  return String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
}
