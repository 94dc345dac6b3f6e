// web/adapters/tfjs/buffers.js: tensors on the back end webgpu, in whose buffers the plan of gradnorm/webgpu measures and clips. Nothing
// is waited for: norms come later, as promises. What is clipped is a copy that the GPU makes, as tensors may share their buffers.
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
 */

/** @type {WeakMap<object, GpuGradNorm>} */
const gpus = /* @__PURE__ */ new WeakMap();

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
 * @template T
 * @param {Engine} engine
 * @param {WebgpuBackend} backend
 * @param {readonly NamedTensor[]} tensors  as they are now; the caller may dispose them when this returns
 * @param {(plan: GpuPlan) => Promise<T>} use
 * @returns {Promise<T>}
 */
export function withPlan(engine, backend, tensors, use) {
  const plan = planOf(engine, backend, tensors);
  return use(plan).finally(() => plan.destroy());
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
  const copies = copiesOf(engine, backend, group);
  const tensors = copies.map(({ tensor }) => tensor);
  const plan = planOf(engine, backend, copies);
  let isRead = false;
  try {
    const norm = clipByPlan(plan, settings);
    isRead = isNormTold || monitor !== null || nonfinite === 'throw';
    if (!isRead) return { tensors, norm: 0 };
    const told = norm().then((known) => {
      monitor?.update(known);
      return known;
    });
    return { tensors, norm: told.finally(() => plan.destroy()) };
  } finally {
    if (!isRead) plan.destroy();
  }
}

/**
 * @param {GpuPlan} plan
 * @param {Settings} settings
 * @returns {() => Promise<number>}  the norm before
 */
function clipByPlan(plan, { maxNorm, monitor, maxValue, normType, eps, nonfinite, lossScale }) {
  const options = { normType, eps, lossScale };
  // An error is told by a step of its own, which writes nothing: the next leaves no NaN to the optimizer.
  const told = nonfinite === 'throw' ? plan.clipCoefficient(Infinity, { ...options, nonfinite }) : null;
  const policy = nonfinite === 'propagate' ? nonfinite : 'zero';
  const limit = /** @type {any} */ (monitor) ?? maxNorm;
  const step = plan.clipGradNorm(limit, { ...options, nonfinite: policy });
  if (maxValue !== Infinity) plan.clipGradValue(maxValue);
  return (told ?? step).norm;
}

/**
 * @param {Engine} engine
 * @param {WebgpuBackend} backend
 * @param {readonly NamedTensor[]} tensors
 */
function planOf(engine, backend, tensors) {
  const { device } = backend;
  const gpu = gpus.get(device) ?? new GpuGradNorm(contextOf(device), false);
  gpus.set(device, gpu);
  const buffers = buffersOf(engine, backend, tensors);
  return gpu.plan(byName(tensors, ({ tensor: { size } }, i) => ({ buffer: buffers[i], length: size })));
}

/**
 * @param {Engine} engine
 * @param {WebgpuBackend} backend
 * @param {readonly NamedTensor[]} tensors
 * @returns {NamedTensor[]}  new ones
 */
function copiesOf(engine, backend, tensors) {
  const copies = tensors.map(({ name, tensor: { shape } }) => {
    const info = backend.makeTensorInfo(shape, 'float32');
    return { name, tensor: engine.makeTensorFromTensorInfo(info, backend) };
  });
  const targets = buffersOf(engine, backend, copies);
  const sources = buffersOf(engine, backend, tensors);
  const { device } = backend;
  const encoder = device.createCommandEncoder({ label: 'gradnorm copies' });
  for (const [i, { tensor }] of copies.entries()) {
    encoder.copyBufferToBuffer(sources[i], 0, targets[i], 0, 4 * tensor.size);
  }
  device.queue.submit([encoder.finish()]);
  return copies;
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
