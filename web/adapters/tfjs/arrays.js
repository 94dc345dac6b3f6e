// web/adapters/tfjs/arrays.js: tensors whose elements JavaScript can read where they lie, on the back ends cpu and wasm, or
// after a copy, on any other. The core measures them there. Nothing of the user's is ever written: his tensors may share
// their memory with his data.
import { backendOf, isWasm } from './engine.js';

/**
 * @typedef {import('./engine.js').Engine} Engine
 * @typedef {import('./engine.js').TfTensor} TfTensor
 * @typedef {import('./tensors.js').NamedTensor} NamedTensor
 */

/**
 * As a Map, but names may be alike.
 * @template T
 * @param {readonly NamedTensor[]} tensors
 * @param {(tensor: NamedTensor, index: number) => T} valueOf
 */
export function byName(tensors, valueOf) {
  const pairs = tensors.map(
    (named, i) => /** @type {[string | number, T]} */ ([named.name, valueOf(named, i)]),
  );
  return { size: pairs.length, entries: () => pairs.values() };
}

/**
 * What the verbs of gradnorm take: parameters, of which integers count too.
 * @param {Engine} engine
 * @param {readonly NamedTensor[]} tensors
 */
export function parametersOf(engine, tensors) {
  return byName(tensors, ({ tensor }) => ({ grad: elementsOf(engine, tensor) }));
}

/**
 * The same of floats alone, whose places in errors are then as the user would write them.
 * @param {Engine} engine
 * @param {readonly NamedTensor[]} tensors
 */
export function floatsOf(engine, tensors) {
  const floats = tensors.filter(({ tensor }) => tensor.dtype === 'float32');
  return byName(floats, ({ tensor }) => elementsOf(engine, tensor));
}

/**
 * New tensors of float32 whose elements were rewritten.
 * @param {Engine} engine
 * @param {readonly TfTensor[]} tensors
 * @param {(copies: Float32Array[]) => void} rewrite
 * @returns {TfTensor[]}
 */
export function rewriteCopies(engine, tensors, rewrite) {
  const { backend } = engine;
  if (!isWasm(backend)) {
    const copies = tensors.map((tensor) => new Float32Array(elementsOf(engine, tensor)));
    rewrite(copies);
    return tensors.map(({ shape }, i) => engine.makeTensor(copies[i], shape, 'float32'));
  }
  // The heap may grow with each tensor, which detaches all views of it: first all tensors, then the views.
  const made = tensors.map(({ shape }) =>
    engine.makeTensorFromTensorInfo(backend.makeOutput(shape, 'float32'), backend),
  );
  const copies = made.map((tensor) => /** @type {Float32Array} */ (elementsOf(engine, tensor)));
  for (let i = 0; i < copies.length; ++i) copies[i].set(elementsOf(engine, tensors[i]));
  rewrite(copies);
  return made;
}

/**
 * The elements where they lie, or a copy of them; only for reading.
 * @param {Engine} engine
 * @param {TfTensor} tensor
 * @returns {Float32Array | Int32Array | Uint8Array}
 */
function elementsOf(engine, { dataId, dtype, size }) {
  const backend = backendOf(engine, { dataId, dtype, shape: [] });
  if (!isWasm(backend)) return /** @type {Float32Array} */ (engine.readSync(dataId));
  const Elements = dtype === 'float32' ? Float32Array : dtype === 'int32' ? Int32Array : Uint8Array;
  const heap = /** @type {ArrayBuffer} */ (backend.wasm.HEAPU8.buffer);
  return new Elements(heap, backend.dataIdMap.get(dataId).memoryOffset, size);
}
