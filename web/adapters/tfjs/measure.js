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
  const there = tensors.map(({ tensor }) => tensor).filter(({ size }) => size > 0);
  const isSummed = there.length > 0 && there.every((tensor) => isSummable(engine, tensor));
  const sum = isSummed && (normType === 1 || normType === 2) ? sumOnDevice(engine, there, normType) : 0;
  if (sum > LEAST_SUM && sum < MOST_SUM) return sum ** (1 / normType);
  return gradNorm(parametersOf(engine, tensors), normType);
}

/**
 * Whether the active back end is webgl, with textures of 32 bits, and has the tensor.
 * @param {Engine} engine
 * @param {TfTensor} tensor
 */
function isSummable(engine, tensor) {
  const { backend } = engine;
  const isThere = isWebgl(backend) && backendOf(engine, tensor) === backend;
  return isThere && tensor.dtype === 'float32' && backend.floatPrecision() === 32;
}

/**
 * @param {Engine} engine
 * @param {readonly TfTensor[]} tensors
 * @param {number} normType  1 or 2
 * @returns {number}  the sum of the powers, as floats give it
 */
function sumOnDevice(engine, tensors, normType) {
  const flat = tensors.map((tensor) => reshape(engine, tensor, [tensor.size]));
  const small = flat.filter(({ size }) => size < LARGE);
  const vectors = flat.filter(({ size }) => size >= LARGE);
  if (small.length > 0) vectors.push(join(engine, small));
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
  return numbers.reduce((total, number) => total + number);
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
