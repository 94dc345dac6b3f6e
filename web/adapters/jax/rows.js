// web/adapters/jax/rows.js: sums on jax-js's own device, of a few elements each, so that a sixteenth of an array comes back
// instead of all of it. Where such a sum could be wrong, the caller reads the array.
import { gradNorm } from '../../norm.js';
import { take } from './tree.js';

/** @typedef {import('./tree.js').JaxArray} JaxArray */
/** @typedef {import('./tree.js').Jit} Jit */

const FLOAT32 = /** @type {import('./tree.js').DType} */ ('float32');

/** A sum of so many squares in float32 is within 2^-20, however the device adds them. */
const MAX_WIDTH = 16;
const MIN_WIDTH = 4;

/** Below this reading is faster than launching: with jit one kernel, without it a kernel for each operation. */
const MIN_ELEMENTS = 1 << 15;
const MIN_ELEMENTS_WITHOUT_JIT = 1 << 18;

/** What is summed, by p. @type {Record<number, (array: JaxArray) => JaxArray>} */
const SUMS = {
  1(array) {
    const rows = inRows(array);
    return rows.ref.mul(rows.greater(0).astype(FLOAT32).mul(2).sub(1)).sum(1);
  },
  2(array) {
    const rows = inRows(array);
    return rows.ref.mul(rows).sum(1);
  },
};

/** The same, compiled. @type {WeakMap<Jit, typeof SUMS>} */
const compiled = new WeakMap();

/**
 * The sum of the p-th powers of arrays, and which arrays are not in it.
 * @param {readonly JaxArray[]} arrays
 * @param {number} normType
 * @param {Jit | undefined} jit
 * @returns {{ sum: number, rest: JaxArray[] } | null}  null if the sum says nothing: it is NaN, or so small that squares below
 *   the normal numbers count
 */
export function sumByRows(arrays, normType, jit) {
  const sumRows = (jit === undefined ? SUMS : compiledBy(jit))[normType];
  const least = jit === undefined ? MIN_ELEMENTS_WITHOUT_JIT : MIN_ELEMENTS;
  // Without jit the magnitudes take more kernels than reading takes time.
  const isWorth = sumRows !== undefined && (jit !== undefined || normType === 2);
  const isSummed = (/** @type {JaxArray} */ { device, dtype, size }) =>
    isWorth && device === 'wasm' && dtype === 'float32' && size >= least && widthOf(size) >= MIN_WIDTH;
  const summed = arrays.filter(isSummed);
  if (summed.length === 0) return null;
  const elements = summed.reduce((total, { size }) => total + size, 0);
  const sum = gradNorm(
    summed.map((array) => /** @type {Float32Array} */ (take(sumRows(array.ref)))),
    1,
  );
  if (!(sum >= elements * 2 ** -100)) return null;
  return { sum, rest: arrays.filter((array) => !isSummed(array)) };
}

/** @param {Jit} jit */
function compiledBy(jit) {
  let sums = compiled.get(jit);
  if (sums === undefined) compiled.set(jit, (sums = { 1: jit(SUMS[1]), 2: jit(SUMS[2]) }));
  return sums;
}

/** @param {JaxArray} array */
function inRows(array) {
  const width = widthOf(array.size);
  return array.reshape([array.size / width, width]);
}

/**
 * @param {number} size
 * @returns {number}  its largest divisor that is not above the limit
 */
function widthOf(size) {
  let width = MAX_WIDTH;
  while (size % width !== 0) width -= 1;
  return width;
}
