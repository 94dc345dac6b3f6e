// tests/bench/peers.js: everybody who takes part, one entry each. The benchmark reads who they are and starts
// their processes; in its process each prepares itself and runs.
//
// Each gets the same values in the form it likes best, made before the clock starts: Float32Arrays for the
// JavaScript loops, snrm2 and gradnorm (which copies them into WebAssembly memory while the clock runs);
// tensors of its own for tfjs and jax-js, already inside their memory; one long buffer for the native loop.
// The clock covers the computation and the reading of the result as a JavaScript number.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { eightAccumulatorNorm, plainNorm, powNorm } from './loops.js';
import { nativeProgram } from './native.js';

/** @typedef {import('./cases.js').BenchCase} BenchCase */
/** @typedef {import('./serve.js').Run} Run */

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {string} timed     what the clock covers, for the legend
 * @property {boolean} slow     takes part in huge cases only when asked to
 * @property {(benchCase: BenchCase) => string} refuses   why it cannot take part, or ''
 */

/** @typedef {Entry & { command: (compileTime: number) => string[] }} Contender   what starts its process */
/** @typedef {Entry & { prepare: import('./serve.js').Prepare }} Scripted   one in JavaScript */

/** The name of the row that all ratios refer to. */
export const OURS = 'gradnorm';

/** Below this many elements tfjs is fastest on one joined tensor, and jax-js gains nothing from rows. */
const SMALL_TENSOR = 2 ** 16;

const SCRIPT = fileURLToPath(new URL('contender_process.js', import.meta.url));

const require = createRequire(import.meta.url);

/**
 * The name goes in as a plain string, or the type checker would insist on peers that need not be installed.
 * @param {string} name of a CommonJS package
 * @returns {any}
 */
const requirePeer = (name) => require(name);

/**
 * @param {string} libraryUrl the build of gradnorm to measure
 * @returns {Contender[]} in the order of the table's rows
 */
export function makeContenders(libraryUrl) {
  const scripted = makeScripted(libraryUrl).map((entry) => ({
    ...entry,
    command: (/** @type {number} */ compileTime) => [
      process.execPath,
      SCRIPT,
      libraryUrl,
      entry.name,
      String(compileTime),
    ],
  }));
  return [...scripted, nativeLoop];
}

/**
 * @param {string} libraryUrl
 * @returns {Scripted[]}
 */
export function makeScripted(libraryUrl) {
  return [
    gradnorm(libraryUrl),
    plainLoop,
    eightAccumulatorLoop,
    powLoop,
    tfjs('cpu', '@tensorflow/tfjs-backend-cpu'),
    tfjsDot,
    tfjs('wasm', '@tensorflow/tfjs-backend-wasm'),
    snrm2,
    jax,
    jaxByRows,
  ];
}

/**
 * @param {number} sum of |x|^p
 * @param {number} normType
 * @returns {number} its p-th root
 */
function root(sum, normType) {
  if (normType === 1 || normType === Infinity) return sum;
  return normType === 2 ? Math.sqrt(sum) : Math.pow(sum, 1 / normType);
}

/**
 * Merges one partial result a tensor: the largest for p = Infinity, else the sum, in float64.
 * @template Tensor
 * @param {Tensor[]} tensors
 * @param {number} normType
 * @param {(tensor: Tensor) => number} reduce
 * @returns {number}
 */
function combine(tensors, normType, reduce) {
  let total = 0;
  if (normType === Infinity) for (const tensor of tensors) total = Math.max(total, reduce(tensor));
  else for (const tensor of tensors) total += reduce(tensor);
  return root(total, normType);
}

/** @param {number} normType */
const isPlain = (normType) => normType === 1 || normType === 2 || normType === Infinity;

/** @param {BenchCase} benchCase */
const onlyTwo = ({ normType }) => (normType === 2 ? '' : 'p = 2 only');

/**
 * @param {string} libraryUrl
 * @returns {Scripted}
 */
function gradnorm(libraryUrl) {
  return {
    name: OURS,
    timed: 'gradNorm(list of Float32Array, p), the copy into WebAssembly memory included',
    slow: false,
    refuses: () => '',
    async prepare(tensors, normType) {
      const { gradNorm } = await import(libraryUrl);
      return () => gradNorm(tensors, normType);
    },
  };
}

/** @type {Scripted} */
const plainLoop = {
  name: 'plain JS loop',
  timed: 'one float64 sum of g*g or Math.abs(g), or the largest Math.abs(g)',
  slow: false,
  refuses: ({ normType }) => (isPlain(normType) ? '' : 'for this p the obvious loop is the Math.pow loop'),
  prepare: async (tensors, normType) => () => plainNorm(tensors, normType),
};

/** @type {Scripted} */
const eightAccumulatorLoop = {
  name: '8-accumulator JS loop',
  timed: 'eight independent float64 sums of g*g, unrolled by hand',
  slow: false,
  refuses: onlyTwo,
  prepare: async (tensors) => () => eightAccumulatorNorm(tensors),
};

/** @type {Scripted} */
const powLoop = {
  name: 'Math.pow JS loop',
  timed: 'one float64 sum of Math.pow(Math.abs(g), p)',
  slow: true,
  refuses: ({ normType }) => (isPlain(normType) ? 'needless for this p; see the plain loop' : ''),
  prepare: async (tensors, normType) => () => powNorm(tensors, normType),
};

/** @type {Scripted} */
const snrm2 = {
  name: 'snrm2',
  timed: '@stdlib/blas-base-snrm2 on each Float32Array',
  slow: true,
  refuses: onlyTwo,
  async prepare(tensors) {
    const norm = requirePeer('@stdlib/blas-base-snrm2');
    return () => combine(tensors, 2, (tensor) => norm(tensor.length, tensor, 1) ** 2);
  },
};

/**
 * @param {string} backend
 * @param {string} backendPackage
 */
async function loadTfjs(backend, backendPackage) {
  // CommonJS for all three: the backends have to register with the very copy of the core used here.
  const tf = requirePeer('@tensorflow/tfjs-core');
  requirePeer(backendPackage);
  tf.enableProdMode(); // no checks, no advice to install tfjs-node
  await tf.setBackend(backend);
  await tf.ready();
  return tf;
}

/**
 * @param {any} tf
 * @param {number} normType
 * @returns {(tensor: any) => any} the sum of |x|^p, or the maximum, as a scalar tensor
 */
function tfjsReduction(tf, normType) {
  if (normType === Infinity) return (tensor) => tf.max(tf.abs(tensor));
  if (normType === 1) return (tensor) => tf.sum(tf.abs(tensor));
  if (normType === 2) return (tensor) => tf.sum(tf.square(tensor));
  return (tensor) => tf.sum(tf.pow(tf.abs(tensor), normType));
}

/**
 * @param {'cpu' | 'wasm'} backend
 * @param {string} backendPackage
 * @returns {Scripted}
 */
function tfjs(backend, backendPackage) {
  return {
    name: `tfjs-${backend}`,
    timed: 'tf.sum(tf.square(t)), or tf.abs, tf.max, tf.pow for other p, and dataSync()',
    slow: true,
    refuses: () => '',
    async prepare(tensors, normType) {
      const tf = await loadTfjs(backend, backendPackage);
      const reduction = tfjsReduction(tf, normType);
      return prepareTfjs(tf, tensors, normType, reduction);
    },
  };
}

/** @type {Scripted} */
const tfjsDot = {
  name: 'tfjs-cpu, by tf.dot',
  timed: 'tf.dot(t, t) and dataSync(): the fastest way on this backend',
  slow: true,
  refuses: onlyTwo,
  async prepare(tensors, normType) {
    const tf = await loadTfjs('cpu', '@tensorflow/tfjs-backend-cpu');
    return prepareTfjs(tf, tensors, normType, (tensor) => tf.dot(tensor, tensor));
  },
};

/**
 * @param {any} tf
 * @param {Float32Array[]} arrays
 * @param {number} normType
 * @param {(tensor: any) => any} reduction
 * @returns {Run}
 */
function prepareTfjs(tf, arrays, normType, reduction) {
  const tensors = arrays.map((array) => tf.tensor1d(array));
  if (arrays.length > 1 && arrays.every((array) => array.length < SMALL_TENSOR)) {
    const sum = () => reduction(tf.concat(tensors)).dataSync()[0];
    return () => root(tf.tidy(sum), normType);
  }
  const reduce = (/** @type {any} */ tensor) => tf.tidy(() => reduction(tensor).dataSync()[0]);
  return () => combine(tensors, normType, reduce);
}

async function loadJax() {
  const library = await import(/** @type {string} */ ('@jax-js/jax')); // the cast: as for requirePeer
  await library.init('wasm');
  library.defaultDevice('wasm');
  return library;
}

/**
 * A compiled function from an array, which it consumes, to the sum of |x|^p or the maximum.
 * @param {any} library
 * @param {number} normType
 * @param {boolean} byRows sum the rows of a matrix first, then the sums
 */
function jaxReduction({ jit, numpy }, normType, byRows) {
  const merge = normType === Infinity ? numpy.max : numpy.sum;
  const term = (/** @type {any} */ array) => {
    if (normType === 2) return array.ref.mul(array);
    const magnitude = numpy.abs(array);
    return isPlain(normType) ? magnitude : numpy.pow(magnitude, normType);
  };
  return jit((/** @type {any} */ array) => (byRows ? merge(merge(term(array), 1)) : merge(term(array))));
}

/** @type {Scripted} */
const jax = {
  name: 'jax-js',
  timed: 'jit(x => np.sum(x * x)), or np.abs, np.max, np.pow for other p, and item()',
  slow: true,
  refuses: () => '',
  async prepare(tensors, normType) {
    const library = await loadJax();
    const reduce = jaxReduction(library, normType, false);
    return prepareJax(tensors, normType, (tensor) => ({ array: library.numpy.array(tensor), reduce }));
  },
};

/** @type {Scripted} */
const jaxByRows = {
  name: 'jax-js, by rows',
  timed: 'the same on matrices, rows first: the fastest and most accurate way for p = 1 and 2',
  slow: false,
  refuses: ({ lengths }) =>
    lengths.some((length) => length >= SMALL_TENSOR) ? '' : 'no tensor is large enough to gain from rows',
  async prepare(tensors, normType) {
    const library = await loadJax();
    const reduceRows = jaxReduction(library, normType, true);
    const reduceAll = jaxReduction(library, normType, false);
    return prepareJax(tensors, normType, (tensor) => {
      const array = library.numpy.array(tensor);
      if (tensor.length < SMALL_TENSOR) return { array, reduce: reduceAll };
      const rows = rowCount(tensor.length);
      return { array: array.reshape([rows, tensor.length / rows]), reduce: reduceRows };
    });
  },
};

/**
 * jax-js is fast on rows of a multiple of 16 elements, and several times slower on odd ones.
 * @param {number} length
 * @returns {number} the largest power of two up to 4096 that gives such rows, or 1
 */
function rowCount(length) {
  const powerOfTwo = length & -length;
  return Math.min(4096, Math.max(1, powerOfTwo / 16));
}

/**
 * @param {Float32Array[]} tensors
 * @param {number} normType
 * @param {(tensor: Float32Array) => { array: any, reduce: (array: any) => any }} convert
 * @returns {Run}
 */
function prepareJax(tensors, normType, convert) {
  const items = tensors.map(convert);
  // A use consumes an array; `.ref` keeps it for the next run.
  return () => combine(items, normType, ({ array, reduce }) => reduce(array.ref).item());
}

/** @type {Contender} */
const nativeLoop = {
  name: 'native C++ loop',
  timed: '-O3 -march=native -ffast-math, float32 accumulators: the limit, one thread',
  slow: false,
  refuses: () => '',
  command: () => [nativeProgram()], // compiled ahead of time
};
