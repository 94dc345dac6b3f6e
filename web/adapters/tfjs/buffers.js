// web/adapters/tfjs/buffers.js: tensors on the back end webgpu, copied on the GPU to buffers of ours that a plan of gradnorm/webgpu measures
// and clips. The user's tensors may share their buffers with his data, and TensorFlow.js hands out others at every step; ours stay,
// so that the plan is made once. Nothing is waited for: norms come later, as promises.
import { contextOf } from '../../webgpu/context.js';
import { GpuGradNorm } from '../../webgpu/gpu-grad-norm.js';
import { byName } from './arrays.js';
import { backendOf, isWebgpu, scalar } from './engine.js';

/**
 * @typedef {import('./engine.js').Engine} Engine
 * @typedef {import('./engine.js').WebgpuBackend} WebgpuBackend
 * @typedef {import('./engine.js').TfTensor} TfTensor
 * @typedef {import('./tensors.js').NamedTensor} NamedTensor
 * @typedef {import('./options.js').Settings} Settings
 * @typedef {import('../../webgpu/plan.js').GpuPlan} GpuPlan
 * @typedef {import('../../webgpu/types.js').GpuBuffer} GpuBuffer
 * @typedef {import('../../webgpu/types.js').GpuCommandEncoder} GpuCommandEncoder
 */

/**
 * Where tensors of some names and sizes are copied to.
 * @typedef {{ plan: GpuPlan, buffers: GpuBuffer[], places: { buffer: GpuBuffer, offset: number, length: number }[] }} Copies
 */

/** Lists of gradients whose copies are kept: those of a model or two, with a copy for each tensor that is clipped by itself. */
const MOST_KEPT = 64;

/** By device and by what the tensors are, the last used at the end. @type {WeakMap<object, { gpu: GpuGradNorm, kept: Map<string, Copies> }>} */
const devices = /* @__PURE__ */ new WeakMap();

/**
 * The back end webgpu if one of the tensors lies there; then it gets the others too.
 * @param {Engine} engine
 * @param {readonly NamedTensor[]} tensors
 * @returns {WebgpuBackend | undefined}
 */
export function webgpuOf(engine, tensors) {
  return tensors.map(({ tensor }) => backendOf(engine, tensor)).find(isWebgpu);
}

/**
 * A plan of copies of tensors as they are now.
 * @param {Engine} engine
 * @param {WebgpuBackend} backend
 * @param {readonly NamedTensor[]} tensors
 * @returns {GpuPlan}
 */
export function planOf(engine, backend, tensors) {
  const { plan, places } = copiesFor(backend, tensors);
  const sources = buffersOf(engine, backend, tensors);
  submit(backend, (encoder) => copyIn(encoder, sources, places));
  return plan;
}

/**
 * As clipTogether in web/adapters/tfjs/clip.js, but nobody can wait for a norm: under 'skip' and 'throw' the gradients become zeros.
 * @param {Engine} engine
 * @param {WebgpuBackend} backend
 * @param {readonly NamedTensor[]} group
 * @param {Settings} settings
 * @returns {{ tensors: TfTensor[], norm: number | Promise<number> }}
 */
export function clipOnGpu(engine, backend, group, settings) {
  const { monitor, isNormTold, nonfinite } = settings;
  const { plan, places } = copiesFor(backend, group);
  const made = group.map(({ name, tensor: { shape } }) => {
    const info = backend.makeTensorInfo(shape, 'float32');
    return { name, tensor: engine.makeTensorFromTensorInfo(info, backend) };
  });
  const buffers = buffersOf(engine, backend, [...group, ...made]);
  const norm = submit(backend, (encoder) => {
    copyIn(encoder, buffers, places);
    const later = encodeClip(encoder, plan, settings);
    places.forEach(({ buffer, offset, length }, i) => {
      if (length > 0) encoder.copyBufferToBuffer(buffer, offset, buffers[group.length + i], 0, 4 * length);
    });
    return later;
  });
  const tensors = made.map(({ tensor }) => tensor);
  if (!isNormTold && monitor === null && nonfinite !== 'throw') return { tensors, norm: 0 };
  const told = norm().then((known) => {
    monitor?.update(known);
    return known;
  });
  return { tensors, norm: told };
}

/**
 * @param {GpuCommandEncoder} encoder
 * @param {GpuPlan} plan
 * @param {Settings} settings
 * @returns {() => Promise<number>}  the norm before
 */
function encodeClip(encoder, plan, { maxNorm, monitor, maxValue, normType, eps, nonfinite, lossScale }) {
  const options = { normType, eps, lossScale, encoder };
  // An error is told by a step of its own, which writes nothing: the next leaves no NaN to the optimizer.
  const told = nonfinite === 'throw' ? plan.clipCoefficient(Infinity, { ...options, nonfinite }) : null;
  const policy = nonfinite === 'propagate' ? nonfinite : 'zero';
  const limit = /** @type {any} */ (monitor) ?? maxNorm;
  const step = plan.clipGradNorm(limit, { ...options, nonfinite: policy });
  if (maxValue !== Infinity) plan.clipGradValue(maxValue, { encoder });
  return (told ?? step).norm;
}

/**
 * @template T
 * @param {WebgpuBackend} backend
 * @param {(encoder: GpuCommandEncoder) => T} encode
 * @returns {T}
 */
function submit({ device }, encode) {
  const encoder = device.createCommandEncoder({ label: 'gradnorm/tfjs' });
  const result = encode(encoder);
  device.queue.submit([encoder.finish()]);
  return result;
}

/** @type {(encoder: GpuCommandEncoder, sources: readonly GpuBuffer[], places: Copies['places']) => void} */
function copyIn(encoder, sources, places) {
  places.forEach(({ buffer, offset, length }, i) => {
    if (length > 0) encoder.copyBufferToBuffer(sources[i], 0, buffer, offset, 4 * length);
  });
}

/**
 * @param {WebgpuBackend} backend
 * @param {readonly NamedTensor[]} tensors
 * @returns {Copies}  kept, or new
 */
function copiesFor({ device }, tensors) {
  const { gpu, kept } = devices.get(device) ?? {
    gpu: new GpuGradNorm(contextOf(device), false),
    kept: new Map(),
  };
  devices.set(device, { gpu, kept });
  const key = JSON.stringify(tensors.map(({ name, tensor: { size } }) => [name, size]));
  const copies = kept.get(key) ?? makeCopies(gpu, tensors);
  kept.delete(key);
  kept.set(key, copies);
  const [oldest] = kept.keys();
  if (kept.size > MOST_KEPT) {
    const { plan, buffers } = kept.get(oldest);
    kept.delete(oldest);
    plan.destroy();
    for (const buffer of buffers) buffer.destroy();
  }
  return copies;
}

/**
 * @param {GpuGradNorm} gpu
 * @param {readonly NamedTensor[]} tensors
 * @returns {Copies}
 */
function makeCopies(gpu, tensors) {
  const { device } = gpu;
  const most = Math.min(device.limits.maxBufferSize, device.limits.maxStorageBufferBindingSize);
  /** @type {number[]} */
  const sizes = [];
  const starts = tensors.map(({ tensor: { size } }) => {
    // Where a vector of four begins, and there are whole ones.
    const bytes = 16 * Math.ceil(size / 4);
    if (sizes.length === 0 || sizes[sizes.length - 1] + bytes > most) sizes.push(0);
    sizes[sizes.length - 1] += bytes;
    return { index: sizes.length - 1, offset: sizes[sizes.length - 1] - bytes };
  });
  // STORAGE, COPY_SRC and COPY_DST.
  const buffers = sizes.map((size) =>
    device.createBuffer({ label: 'gradnorm copies', size: size || 16, usage: 0x8c }),
  );
  const places = starts.map(({ index, offset }, i) => ({
    buffer: buffers[index],
    offset,
    length: tensors[i].tensor.size,
  }));
  return { plan: gpu.plan(byName(tensors, (_, i) => places[i])), buffers, places };
}

/**
 * The buffers of tensors on the GPU, with all that TensorFlow.js has encoded submitted, so that what comes from here runs after it.
 * Asking the back end for a tensor that lies elsewhere moves it there.
 * @param {Engine} engine
 * @param {WebgpuBackend} backend
 * @param {readonly NamedTensor[]} tensors
 */
function buffersOf(engine, backend, tensors) {
  const { tensorMap } = backend;
  const buffers = tensors.map(({ tensor }) => {
    const { dataId } = floatOf(engine, tensor);
    tensorMap.get(dataId);
    backend.uploadToGPU(dataId);
    return tensorMap.get(dataId).resource;
  });
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
  return buffers;
}

/**
 * A cast of TensorFlow.js leaves the integers in the buffer: only a product has floats.
 * @param {Engine} engine
 * @param {TfTensor} tensor
 */
function floatOf(engine, tensor) {
  if (tensor.dtype === 'float32') return tensor;
  const a = engine.runKernel('Cast', { x: tensor }, { dtype: 'float32' });
  return engine.runKernel('Multiply', { a, b: scalar(engine, 1) });
}
