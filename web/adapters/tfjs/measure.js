// web/adapters/tfjs/measure.js: the norm of tensors wherever they lie: by the core where JavaScript can read them, and on webgl, from
// which reading is slow, by sums on the device of which one number comes back.
import { gradNorm } from '../../norm.js';
import { parametersOf } from './arrays.js';
import { backendOf, isWebgl } from './engine.js';

/**
 * @typedef {import('./engine.js').Engine} Engine
 * @typedef {import('./engine.js').TfTensor} TfTensor
 * @typedef {import('./tensors.js').NamedTensor} NamedTensor
 */

/** Larger tensors (in elements) are summed by themselves, smaller ones joined before. */
const LARGE = 1 << 16;

/** Where a sum of floats is near enough: no term that counts was lost below, and nothing was infinite. */
const LEAST_SUM = 2 ** -60;
const MOST_SUM = 2 ** 120;

/**
 * To be called in a tidy.
 * @param {Engine} engine
 * @param {readonly NamedTensor[]} tensors
 * @param {number} normType
 * @returns {number}
 */
export function measure(engine, tensors, normType) {
  const measuresThere = normType === 1 || normType === 2;
  const there = measuresThere ? tensors.filter(({ tensor }) => isSummable(engine, tensor)) : [];
  const sum = sumOnDevice(engine, there, normType);
  if (sum === null) return gradNorm(parametersOf(engine, tensors), normType);
  const here = tensors.filter((tensor) => !there.includes(tensor));
  const norm = normType === 2 ? Math.sqrt(sum) : sum;
  if (here.length === 0) return norm;
  return gradNorm(Float64Array.of(norm, gradNorm(parametersOf(engine, here), normType)), normType);
}

/**
 * Whether the active back end is webgl, with textures of 32 bits, and has the tensor.
 * @param {Engine} engine
 * @param {TfTensor} tensor
 */
function isSummable(engine, tensor) {
  const { backend } = engine;
  const isThere = isWebgl(backend) && backendOf(engine, tensor) === backend && tensor.size > 0;
  return isThere && tensor.dtype === 'float32' && backend.floatPrecision() === 32;
}

/**
 * @param {Engine} engine
 * @param {readonly NamedTensor[]} tensors
 * @param {number} normType  1 or 2
 * @returns {number | null}  of the powers; null if floats do not do
 */
function sumOnDevice(engine, tensors, normType) {
  if (tensors.length === 0) return null;
  const flat = tensors.map(({ tensor }) => reshape(engine, tensor, [tensor.size]));
  const small = flat.filter(({ size }) => size < LARGE);
  const vectors = [
    ...flat.filter(({ size }) => size >= LARGE),
    ...(small.length > 0 ? [join(engine, small)] : []),
  ];
  const kernel = normType === 2 ? 'Square' : 'Abs';
  const sums = vectors.map((x) => {
    const sum = engine.runKernel(
      'Sum',
      { x: engine.runKernel(kernel, { x }) },
      { axis: [0], keepDims: false },
    );
    return reshape(engine, sum, [1]);
  });
  const numbers = Array.from(engine.readSync(join(engine, sums).dataId));
  const total = numbers.reduce((sum, number) => sum + number, 0);
  return total > LEAST_SUM && total < MOST_SUM ? total : null;
}

/**
 * @param {Engine} engine
 * @param {TfTensor} x
 * @param {number[]} shape
 */
function reshape(engine, x, shape) {
  return engine.runKernel('Reshape', { x }, { shape });
}

/**
 * @param {Engine} engine
 * @param {readonly TfTensor[]} vectors
 */
function join(engine, vectors) {
  return vectors.length === 1 ? vectors[0] : engine.runKernel('Concat', vectors, { axis: 0 });
}
