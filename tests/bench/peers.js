// tests/bench/peers.js: everybody who takes part, one entry each.
//
// Each gets the same values in the form it likes best, made before the clock starts: Float32Arrays for the
// JavaScript loops, snrm2 and gradnorm (which copies them into WebAssembly memory while the clock runs);
// tensors of its own for tfjs and jax-js, already inside their memory; one long buffer for the native loop.
// tfjs and jax-js are given copies: taking the `buffer` of a small Float32Array moves it off V8's heap, and
// all JavaScript loops over it would be slower from then on.
// The clock covers the computation and the reading of the result as a JavaScript number.

import { createRequire } from 'node:module';
import { eightAccumulatorNorm, plainNorm, powNorm } from './loops.js';
import { NativeLoop } from './native.js';

/** @typedef {import('./cases.js').BenchCase} BenchCase */

/**
 * @typedef {object} Prepared   a contender with its data, ready to run
 * @property {(repeats: number) => Promise<Sample>} sample
 * @property {() => void} dispose
 */

/** @typedef {{ nanoseconds: number, value: number }} Sample   the time of one repeat, and the norm */

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {string} timed     what the clock covers, for the legend
 * @property {boolean} slow     takes part in huge cases only when asked to
 * @property {boolean} [precompiled]   no just-in-time compiler to warm up
 * @property {(benchCase: BenchCase) => string} refuses   why it cannot take part, or ''
 * @property {(tensors: Float32Array[], normType: number) => Promise<Prepared>} prepare
 * @property {() => void} [close]
 */

/** The name of the row that all ratios refer to. */
export const OURS = 'gradnorm';

/** Below this many elements tfjs is fastest on one joined tensor, and jax-js gains nothing from rows. */
const SMALL_TENSOR = 2 ** 16;

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
    nativeLoop(),
  ];
}

/**
 * @param {() => number} run
 * @param {object} [hooks]
 * @param {() => unknown} [hooks.before]   outside of the timed part, before each sample
 * @param {() => void} [hooks.dispose]
 * @returns {Prepared}
 */
function timed(run, { before = () => {}, dispose = () => {} } = {}) {
  const sample = async (/** @type {number} */ repeats) => {
    await before();
    let value = NaN;
    const start = process.hrtime.bigint();
    for (let repeat = 0; repeat < repeats; repeat++) value = run();
    return { nanoseconds: Number(process.hrtime.bigint() - start) / repeats, value };
  };
  return { sample, dispose };
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
 * @returns {Contender}
 */
function gradnorm(libraryUrl) {
  return {
    name: OURS,
    timed: 'gradNorm(list of Float32Array, p), the copy into WebAssembly memory included',
    slow: false,
    refuses: () => '',
    async prepare(tensors, normType) {
      const { gradNorm } = await import(libraryUrl);
      return timed(() => gradNorm(tensors, normType));
    },
  };
}

/** @type {Contender} */
const plainLoop = {
  name: 'plain JS loop',
  timed: 'one float64 sum of g*g or Math.abs(g), or the largest Math.abs(g)',
  slow: false,
  refuses: ({ normType }) => (isPlain(normType) ? '' : 'for this p the obvious loop is the Math.pow loop'),
  prepare: async (tensors, normType) => timed(() => plainNorm(tensors, normType)),
};

/** @type {Contender} */
const eightAccumulatorLoop = {
  name: '8-accumulator JS loop',
  timed: 'eight independent float64 sums of g*g, unrolled by hand',
  slow: false,
  refuses: onlyTwo,
  prepare: async (tensors) => timed(() => eightAccumulatorNorm(tensors)),
};

/** @type {Contender} */
const powLoop = {
  name: 'Math.pow JS loop',
  timed: 'one float64 sum of Math.pow(Math.abs(g), p)',
  slow: true,
  refuses: ({ normType }) => (isPlain(normType) ? 'needless for this p; see the plain loop' : ''),
  prepare: async (tensors, normType) => timed(() => powNorm(tensors, normType)),
};

/** @type {Contender} */
const snrm2 = {
  name: 'snrm2',
  timed: '@stdlib/blas-base-snrm2 on each Float32Array',
  slow: true,
  refuses: onlyTwo,
  async prepare(tensors) {
    const norm = requirePeer('@stdlib/blas-base-snrm2');
    return timed(() => combine(tensors, 2, (tensor) => norm(tensor.length, tensor, 1) ** 2));
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
 * @returns {Contender}
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
      return prepareTfjs(tf, backend, tensors, normType, reduction);
    },
  };
}

/** @type {Contender} */
const tfjsDot = {
  name: 'tfjs-cpu, by tf.dot',
  timed: 'tf.dot(t, t) and dataSync(): the fastest way on this backend',
  slow: true,
  refuses: onlyTwo,
  async prepare(tensors, normType) {
    const tf = await loadTfjs('cpu', '@tensorflow/tfjs-backend-cpu');
    return prepareTfjs(tf, 'cpu', tensors, normType, (tensor) => tf.dot(tensor, tensor));
  },
};

/**
 * @param {any} tf
 * @param {string} backend
 * @param {Float32Array[]} arrays
 * @param {number} normType
 * @param {(tensor: any) => any} reduction
 * @returns {Prepared}
 */
function prepareTfjs(tf, backend, arrays, normType, reduction) {
  const tensors = arrays.map((array) => tf.tensor1d(array.slice()));
  const join = arrays.length > 1 && arrays.every((array) => array.length < SMALL_TENSOR);
  const reduce = (/** @type {any} */ tensor) => tf.tidy(() => reduction(tensor).dataSync()[0]);
  const run = join
    ? () =>
        root(
          tf.tidy(() => reduction(tf.concat(tensors)).dataSync()[0]),
          normType,
        )
    : () => combine(tensors, normType, reduce);
  return timed(run, { before: () => tf.setBackend(backend), dispose: () => tf.dispose(tensors) });
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

/** @type {Contender} */
const jax = {
  name: 'jax-js',
  timed: 'jit(x => np.sum(x * x)), or np.abs, np.max, np.pow for other p, and item()',
  slow: true,
  refuses: () => '',
  async prepare(tensors, normType) {
    const library = await loadJax();
    const reduce = jaxReduction(library, normType, false);
    return prepareJax(tensors, normType, (tensor) => ({
      array: library.numpy.array(tensor.slice()),
      reduce,
    }));
  },
};

/** @type {Contender} */
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
      const array = library.numpy.array(tensor.slice());
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
 * @returns {Prepared}
 */
function prepareJax(tensors, normType, convert) {
  const items = tensors.map(convert);
  // A use consumes an array; `.ref` keeps it for the next run.
  const run = () => combine(items, normType, ({ array, reduce }) => reduce(array.ref).item());
  return timed(run, { dispose: () => items.forEach(({ array }) => array.dispose()) });
}

/** @returns {Contender} */
function nativeLoop() {
  /** @type {NativeLoop | undefined} */
  let native;
  return {
    name: 'native C++ loop',
    timed: '-O3 -march=native -ffast-math, float32 accumulators, own process: the limit, one thread',
    slow: false,
    precompiled: true,
    refuses: () => '',
    async prepare(tensors, normType) {
      const loop = (native ??= new NativeLoop());
      await loop.prepare(tensors);
      return { sample: (repeats) => loop.run(normType, repeats), dispose: () => {} };
    },
    close: () => native?.stop(),
  };
}
