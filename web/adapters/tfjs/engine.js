// web/adapters/tfjs/engine.js: TensorFlow.js as this adapter sees it: the engine, which all copies of it on a page share, and
// where tensors lie. Describes what it uses of it, so that nothing of any copy is imported.

/**
 * A tensor of any copy of TensorFlow.js: what is used of it.
 * @typedef {object} TfTensor
 * @property {object} dataId   of its elements, which several tensors may share
 * @property {number[]} shape  how many along each dimension
 * @property {string} dtype    'float32', 'int32' or 'bool' where it is a gradient
 * @property {number} size     in elements
 * @property {boolean} isDisposed  whether it was given back
 * @property {() => void} dispose  gives it back
 */

/** @typedef {Pick<TfTensor, 'dataId' | 'shape' | 'dtype'>} TensorInfo */

/**
 * @typedef {object} Engine
 * @property {Backend} backend  the active one, where operations run and new tensors lie
 * @property {{ tensorInfo: WeakMap<object, { backend: Backend }> }} state
 * @property {(kernel: string, inputs: object, attributes?: object) => TfTensor} runKernel  each input that lies elsewhere is
 *   moved to the active back end
 * @property {(values: Float32Array, shape: number[], dtype: 'float32') => TfTensor} makeTensor
 * @property {(info: TensorInfo, backend: Backend) => TfTensor} makeTensorFromTensorInfo
 * @property {(dataId: object) => ArrayLike<number>} readSync  may be the tensor's own memory
 * @property {(dataId: object) => Promise<ArrayLike<number>>} read
 * @property {<T>(run: () => T) => T} tidy
 * @property {(tensor: TfTensor) => TfTensor} keep
 */

/** @typedef {{ floatPrecision(): number }} Backend */

/**
 * @typedef {object} WasmParts
 * @property {{ HEAPU8: Uint8Array }} wasm  replaced when its memory grows
 * @property {{ get(dataId: object): { memoryOffset: number } }} dataIdMap
 * @property {(shape: number[], dtype: 'float32') => TensorInfo} makeOutput
 * @typedef {Backend & WasmParts} WasmBackend
 */

/**
 * @typedef {object} WebgpuParts
 * @property {import('../../webgpu/types.js').GpuDevice} device
 * @property {{ get(dataId: object): { resource: import('../../webgpu/types.js').GpuBuffer } }} tensorMap
 * @property {(shape: number[], dtype: 'float32') => TensorInfo} makeTensorInfo
 * @property {(dataId: object) => void} uploadToGPU
 * @property {() => void} ensureCommandEncoderReady
 * @property {() => void} endComputePassEncoder
 * @property {() => void} submitQueue
 * @typedef {Backend & WebgpuParts} WebgpuBackend
 */

/**
 * @returns {Engine}
 * @throws {Error} if TensorFlow.js was not imported
 */
export function theEngine() {
  const { _tfengine: engine } = /** @type {{ _tfengine?: Engine }} */ (globalThis);
  if (engine === undefined) {
    throw new Error(
      'gradnorm/tfjs: there is no TensorFlow.js here; expected @tensorflow/tfjs-core 4 to be imported',
    );
  }
  return engine;
}

/**
 * Where a tensor lies, whatever the active back end is.
 * @param {Engine} engine
 * @param {TensorInfo} tensor
 * @returns {Backend | undefined}  undefined for a tensor that was disposed or is of another page
 */
export function backendOf(engine, { dataId }) {
  return engine.state.tensorInfo.get(dataId)?.backend;
}

/**
 * @param {Engine} engine
 * @param {number} value
 */
export function scalar(engine, value) {
  return engine.makeTensor(Float32Array.of(value), [], 'float32');
}

// Back ends are told by what they have: they may be registered under any name.

/**
 * @param {Backend | undefined} backend
 * @returns {backend is WasmBackend}
 */
export function isWasm(backend) {
  return backend !== undefined && 'wasm' in backend && 'dataIdMap' in backend;
}

/** @param {Backend | undefined} backend */
export function isWebgl(backend) {
  return backend !== undefined && 'gpgpu' in backend && 'texData' in backend;
}

/**
 * @param {Backend | undefined} backend
 * @returns {backend is WebgpuBackend}
 */
export function isWebgpu(backend) {
  return backend !== undefined && 'device' in backend && 'tensorMap' in backend;
}
