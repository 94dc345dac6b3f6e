// web/embind.js: the JavaScript half of Embind, as far as bindings/bindings.cpp needs it: functions of numbers, and
// constants. Emscripten's own, which converts every type of C++, would be a sixth of the package, and takes several
// times as long to call. Below web/wasm.js, which gives it a module.

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

/**
 * Instantiates a module and collects what it registers.
 * @param {WebAssembly.Module} module
 * @returns {{ bindings: Bindings, buffer: ArrayBuffer }}  the buffer is never replaced: the memory does not grow
 */
export function bind(module) {
  /** @type {Record<string, unknown>} */
  const bindings = {};
  // The types of arguments are registered as well; all that are used are numbers on both sides.
  const env = Object.fromEntries(WebAssembly.Module.imports(module).map(({ name }) => [name, () => {}]));
  env._embind_register_constant = (/** @type {number[]} */ ...[name, , value]) => {
    bindings[textAt(memory.buffer, name)] = value;
  };
  env._embind_register_function = (/** @type {number[]} */ ...[name, , , , invoker, target]) => {
    const call = table.get(invoker);
    bindings[textAt(memory.buffer, name)] = (/** @type {number[]} */ ...values) => call(target, ...values);
  };
  const { exports } = new WebAssembly.Instance(module, { env });
  const memory = /** @type {WebAssembly.Memory} */ (exports.memory);
  const table = /** @type {WebAssembly.Table} */ (exports.__indirect_function_table);
  /** @type {() => void} */ (exports._initialize)();
  return { bindings: /** @type {any} */ (bindings), buffer: /** @type {ArrayBuffer} */ (memory.buffer) };
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
