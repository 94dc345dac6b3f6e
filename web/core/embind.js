// web/core/embind.js: the JavaScript half of Embind, as far as bindings/bindings.cpp needs it: functions of numbers, and
// constants. Emscripten's own, which converts every type of C++, would be a sixth of the package, and takes several
// times as long to call. Below web/core/module.js, which gives it a module.

/**
 * What bindings.cpp binds.
 * @typedef {object} Bindings
 * @property {number} interfaceVersion
 * @property {number} blockElements
 * @property {number} stagingAddress
 * @property {number} stagingBytes
 * @property {number} segmentTableAddress
 * @property {number} maxSegments
 * @property {number} stateAddress
 * @property {number} summaryAddress
 * @property {(normType: number) => void} begin
 * @property {(segmentCount: number) => void} accumulate
 * @property {() => void} merge
 * @property {() => void} save
 * @property {() => number} finish
 * @property {(dtype: number, count: number) => void} inspect
 * @property {() => void} summariseTensor
 * @property {() => void} summarise
 * @property {(dtype: number, count: number, factor: number, limit: number) => void} rewrite
 */

/** @typedef {{ bindings: Bindings, buffer: ArrayBuffer }} Bound  The buffer is never replaced: the memory does not grow. */

/**
 * What a module is to be instantiated with, and what its instance then binds.
 * @returns {{ imports: WebAssembly.Imports, bind: (instance: WebAssembly.Instance) => Bound }}
 */
export function embind() {
  /** @type {Record<string, unknown>} */
  const bindings = {};
  /** @type {any} */
  let exported;
  /** @type {Record<string | symbol, (...numbers: number[]) => void>} */
  const env = {
    _embind_register_constant(name, _type, value) {
      bindings[textAt(exported.memory.buffer, name)] = value;
    },
    _embind_register_function(name, _count, _types, _signature, invoker, target) {
      const call = exported.__indirect_function_table.get(invoker);
      bindings[textAt(exported.memory.buffer, name)] = (/** @type {number[]} */ ...values) =>
        call(target, ...values);
    },
  };
  // The types of arguments are registered as well; all that are used are numbers on both sides.
  const others = {
    get: (/** @type {typeof env} */ known, /** @type {string} */ name) => known[name] ?? (() => {}),
  };
  return {
    imports: { env: new Proxy(env, others) },
    bind({ exports }) {
      exported = exports;
      exported._initialize();
      return { bindings: /** @type {any} */ (bindings), buffer: exported.memory.buffer };
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
