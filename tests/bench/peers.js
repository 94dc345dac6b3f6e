// tests/bench/peers.js: everybody who takes part, one entry each. The benchmark reads who they are and starts
// their processes; in its process each prepares itself and runs.
//
// Each gets the same values in the form it likes best, made before the clock starts: typed arrays for the
// JavaScript loops, snrm2 and gradnorm (which copies them into WebAssembly memory while the clock runs);
// tensors of its own for tfjs and jax-js, already inside their memory; one long buffer for the native loop.
// The clock covers the computation and the reading of the norm as a JavaScript number.
//
// Who cannot write its tensors clips by making new ones, and always multiplies, if need be by 1: so does
// clip_grad_norm_ of PyTorch, and their own float32 norms are not good enough to tell whether it is needed.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import {
  decodingNorm,
  decodingTable,
  eightAccumulatorNorm,
  plainClip,
  plainNorm,
  plainReport,
  powNorm,
  tableNorm,
  unrolledClip,
} from '../../web/demo/measure/loops.js';
import { RESIDENT } from './cases.js';
import { nativeProgram } from './native.js';

/** @typedef {import('./cases.js').BenchCase} BenchCase */
/** @typedef {import('../../web/demo/measure/data.js').Dtype} Dtype */
/** @typedef {import('../../web/demo/measure/data.js').Tensor} Tensor */
/** @typedef {import('./task.js').Job} Job */
/** @typedef {import('./task.js').Task} Task */

/**
 * @typedef {object} Entry
 * @property {string} name
 * @property {string} timed     what the clock covers, for the legend
 * @property {Task[]} tasks     what it is made for: of other cases it is no part at all
 * @property {Dtype[]} dtypes   likewise
 * @property {boolean} slow     takes part in huge cases only when asked to
 * @property {(benchCase: BenchCase) => string} refuses   why it cannot take part, or ''
 */

/**
 * @typedef {object} Start
 * @property {string} process   the same for those that share one
 * @property {(compileTime: number, names: string[]) => string[]} command   what starts it for those of these names
 */

/** @typedef {Entry & Start} Contender */

/**
 * One in JavaScript, perhaps in the process of another.
 * @typedef {Entry & { prepare: import('./task.js').Prepare, guestOf?: string }} Scripted
 */

/** The name of the row that all ratios refer to. */
export const OURS = 'gradnorm';

/** The same of another version, where one is named. */
export const BEFORE = 'gradnorm, before';

/** @type {Dtype[]} */
const FLOATS = ['float32'];
/** @type {Dtype[]} */
const HALVES = ['float16', 'bfloat16'];

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
 * @param {string} [beforeUrl] another version of it
 * @returns {Contender[]} in the order of the table's rows
 */
export function makeContenders(libraryUrl, beforeUrl) {
  const commandOf =
    (/** @type {string} */ url) => (/** @type {number} */ compileTime, /** @type {string[]} */ names) => [
      process.execPath,
      SCRIPT,
      url,
      String(compileTime),
      ...names,
    ];
  const scripted = makeScripted(libraryUrl).map((entry) => ({
    ...entry,
    process: entry.guestOf ?? entry.name,
    command: commandOf(libraryUrl),
  }));
  if (beforeUrl === undefined) return [...scripted, nativeLoop];
  const before = {
    ...gradnorm(beforeUrl),
    name: BEFORE,
    timed: 'the same call of another version',
    process: BEFORE,
    command: (/** @type {number} */ compileTime) => commandOf(beforeUrl)(compileTime, [OURS]),
  };
  return [...scripted, before, nativeLoop];
}

/**
 * @param {string} libraryUrl
 * @returns {Scripted[]}
 */
export function makeScripted(libraryUrl) {
  return [
    gradnorm(libraryUrl),
    resident(libraryUrl),
    gradNormAlone(libraryUrl),
    gradnormOn('zeros', 0, libraryUrl),
    gradnormOn('NaN', NaN, libraryUrl),
    plainLoop,
    eightAccumulatorLoop,
    powLoop,
    tfjs('cpu', '@tensorflow/tfjs-backend-cpu'),
    tfjsDot,
    tfjs('wasm', '@tensorflow/tfjs-backend-wasm'),
    snrm2,
    jax,
    jaxByRows,
    decodingLoop,
    tableLoop,
  ];
}

/**
 * Whether it belongs to a case at all; if so, it may still refuse.
 * @param {Entry} entry
 * @param {BenchCase} benchCase
 */
export function takesPart({ tasks, dtypes }, { task, dtype }) {
  return tasks.includes(task) && dtypes.includes(dtype);
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

const CLIP_OPTIONS = { eps: 0 };

/**
 * The verb of each task.
 * @type {Record<Task, (library: any, gradients: any[], normType: number) => Job['run']>}
 */
const VERBS = { norm: measure, clip, keep: clip, report, accumulate };

/** @type {(typeof VERBS)['norm']} */
function measure({ gradNorm }, gradients, normType) {
  return () => gradNorm(gradients, normType);
}

/** @type {(typeof VERBS)['clip']} */
function clip({ clipGradNorm }, gradients) {
  return (maxNorm) => clipGradNorm(gradients, maxNorm, CLIP_OPTIONS);
}

/** @type {(typeof VERBS)['report']} */
function report({ gradReport }, gradients) {
  return () => gradReport(gradients).norm;
}

/** @type {(typeof VERBS)['accumulate']} */
function accumulate({ NormAccumulator }, gradients) {
  return () => {
    const accumulator = new NormAccumulator();
    for (const gradient of gradients) accumulator.add(gradient);
    return accumulator.norm;
  };
}

/**
 * @param {string} libraryUrl
 * @returns {Scripted}
 */
function gradnorm(libraryUrl) {
  return {
    name: OURS,
    timed:
      'gradNorm(list of arrays, p), or the verb of the case; the copies to and from WebAssembly included',
    tasks: ['norm', 'clip', 'keep', 'report', 'accumulate'],
    dtypes: [...FLOATS, ...HALVES],
    slow: false,
    refuses: () => '',
    async prepare(tensors, { task, dtype, normType }) {
      const library = await import(libraryUrl);
      const gradients = dtype === 'float32' ? tensors : tensors.map((data) => ({ data, dtype }));
      return { run: VERBS[task](library, gradients, normType) };
    },
  };
}

/**
 * @param {string} libraryUrl
 * @returns {Scripted}
 */
function resident(libraryUrl) {
  return {
    name: RESIDENT,
    timed: 'the same verbs on arrays of allocGradients, passed whole: nothing is copied',
    tasks: ['norm', 'clip', 'keep', 'report'],
    dtypes: FLOATS,
    slow: false,
    refuses: () => '',
    async prepare(tensors, { task, normType }) {
      const library = await import(libraryUrl);
      const gradients = library.allocGradients(tensors);
      gradients.forEach((/** @type {Float32Array} */ gradient, /** @type {number} */ i) =>
        gradient.set(tensors[i]),
      );
      return { run: VERBS[task](library, gradients, normType), read: () => gradients };
    },
  };
}

/**
 * @param {string} libraryUrl
 * @returns {Scripted}
 */
function gradNormAlone(libraryUrl) {
  return {
    name: 'gradNorm alone',
    timed: 'where another verb is measured: gradNorm on the same arrays in the same process',
    tasks: ['keep', 'report', 'accumulate'],
    dtypes: FLOATS,
    slow: false,
    refuses: () => '',
    guestOf: OURS,
    async prepare(tensors, { normType }) {
      return { run: measure(await import(libraryUrl), tensors, normType) };
    },
  };
}

/**
 * On tensors of the same lengths filled with one value, which frozen layers and broken ones have: what it takes
 * beside the gradients of the case. Its norm is that value, so there is no error to tell.
 * @param {'zeros' | 'NaN'} name
 * @param {number} value
 * @param {string} libraryUrl
 * @returns {Scripted}
 */
function gradnormOn(name, value, libraryUrl) {
  return {
    name: `gradnorm on ${name}`,
    timed: `the same call on as many ${name}; in a process of its own, as more large tensors in ours would slow it`,
    tasks: ['norm', 'report'],
    dtypes: [...FLOATS, ...HALVES],
    slow: false,
    refuses: ({ lengths }) => (lengths.length > 1 ? 'one tensor tells' : ''),
    async prepare(tensors, { task, dtype, normType }) {
      // The bits of a half that is NaN are those of the largest positive number of 15 bits.
      const element = dtype === 'float32' || value === 0 ? value : 0x7fff;
      const filled = tensors.map((tensor) => tensor.slice().fill(element));
      const gradients = dtype === 'float32' ? filled : filled.map((data) => ({ data, dtype }));
      const run = VERBS[task](await import(libraryUrl), gradients, normType);
      return {
        run(maxNorm) {
          const norm = run(maxNorm);
          if (!Object.is(norm, value)) throw new Error(`the norm of ${name} is ${norm}`);
          return NaN;
        },
      };
    },
  };
}

/** @type {Scripted} */
const plainLoop = {
  name: 'plain JS loop',
  timed: 'one float64 sum of g*g or Math.abs(g), or the largest; to clip, a second loop: g[i] *= c',
  tasks: ['norm', 'clip', 'keep', 'report'],
  dtypes: FLOATS,
  slow: false,
  refuses: ({ normType }) => (isPlain(normType) ? '' : 'for this p the obvious loop is the Math.pow loop'),
  async prepare(tensors, { task, normType }) {
    if (task === 'report') return { run: () => plainReport(tensors).norm };
    if (task === 'norm') return { run: () => plainNorm(tensors, normType) };
    return { run: (maxNorm) => plainClip(tensors, maxNorm) };
  },
};

/** @type {Scripted} */
const eightAccumulatorLoop = {
  name: '8-accumulator JS loop',
  timed:
    'eight independent float64 sums of g*g, unrolled by hand; to clip, g[i] *= c eight times a step in float32',
  tasks: ['norm', 'clip', 'keep'],
  dtypes: FLOATS,
  slow: false,
  refuses: onlyTwo,
  async prepare(tensors, { task }) {
    if (task === 'norm') return { run: () => eightAccumulatorNorm(tensors) };
    return { run: (maxNorm) => unrolledClip(tensors, maxNorm) };
  },
};

/** @type {Scripted} */
const powLoop = {
  name: 'Math.pow JS loop',
  timed: 'one float64 sum of Math.pow(Math.abs(g), p)',
  tasks: ['norm'],
  dtypes: FLOATS,
  slow: true,
  refuses: ({ normType }) => (isPlain(normType) ? 'needless for this p; see the plain loop' : ''),
  prepare: async (tensors, { normType }) => ({ run: () => powNorm(tensors, normType) }),
};

/** @type {Scripted} */
const snrm2 = {
  name: 'snrm2',
  timed: '@stdlib/blas-base-snrm2 on each Float32Array',
  tasks: ['norm'],
  dtypes: FLOATS,
  slow: true,
  refuses: onlyTwo,
  async prepare(tensors) {
    const norm = requirePeer('@stdlib/blas-base-snrm2');
    return { run: () => combine(tensors, 2, (tensor) => norm(tensor.length, tensor, 1) ** 2) };
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
    timed:
      'tf.sum(tf.square(t)), or tf.abs, tf.max, tf.pow for other p, and dataSync(); to clip, tf.mul(t, c)',
    tasks: ['norm', 'clip'],
    dtypes: FLOATS,
    slow: true,
    refuses: () => '',
    async prepare(tensors, work) {
      const tf = await loadTfjs(backend, backendPackage);
      return prepareTfjs(tf, tensors, work, tfjsReduction(tf, work.normType));
    },
  };
}

/** @type {Scripted} */
const tfjsDot = {
  name: 'tfjs-cpu, by tf.dot',
  timed: 'tf.dot(t, t) and dataSync(): the fastest way on this backend; to clip, tf.mul(t, c)',
  tasks: ['norm', 'clip'],
  dtypes: FLOATS,
  slow: true,
  refuses: onlyTwo,
  async prepare(tensors, work) {
    const tf = await loadTfjs('cpu', '@tensorflow/tfjs-backend-cpu');
    return prepareTfjs(tf, tensors, work, (tensor) => tf.dot(tensor, tensor));
  },
};

/**
 * @param {any} tf
 * @param {Tensor[]} arrays
 * @param {import('./task.js').Work} work
 * @param {(tensor: any) => any} reduction
 * @returns {Job}
 */
function prepareTfjs(tf, arrays, { task, normType }, reduction) {
  const tensors = arrays.map((array) => tf.tensor1d(array));
  const norm = tfjsNorm(tf, arrays, normType, reduction);
  if (task === 'norm') return { run: () => norm(tensors) };
  const scale = (/** @type {any[]} */ olds, /** @type {number} */ factor) => {
    const scaled = tf.tidy(() => {
      const scalar = tf.scalar(factor);
      return olds.map((old) => tf.mul(old, scalar));
    });
    tf.dispose(olds);
    return scaled;
  };
  return clipByReplacing(tensors, norm, scale, (tensor) => tensor.dataSync());
}

/**
 * @param {any} tf
 * @param {Tensor[]} arrays of the tensors' lengths
 * @param {number} normType
 * @param {(tensor: any) => any} reduction
 * @returns {(tensors: any[]) => number}
 */
function tfjsNorm(tf, arrays, normType, reduction) {
  if (arrays.length > 1 && arrays.every((array) => array.length < SMALL_TENSOR)) {
    return (tensors) =>
      root(
        tf.tidy(() => reduction(tf.concat(tensors)).dataSync()[0]),
        normType,
      );
  }
  const reduce = (/** @type {any} */ tensor) => tf.tidy(() => reduction(tensor).dataSync()[0]);
  return (tensors) => combine(tensors, normType, reduce);
}

/**
 * Clips what cannot be written.
 * @template Item
 * @param {Item[]} items
 * @param {(items: Item[]) => number} norm
 * @param {(items: Item[], factor: number) => Item[]} scale makes new ones and gives the old ones up
 * @param {(item: Item) => Tensor} readItem
 * @returns {Job}
 */
function clipByReplacing(items, norm, scale, readItem) {
  return {
    run(maxNorm) {
      const before = norm(items);
      items = scale(items, Math.min(1, maxNorm / before));
      return before;
    },
    read: () => items.map(readItem),
  };
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
  timed:
    'jit(x => np.sum(x * x)), or np.abs, np.max, np.pow for other p, and item(); to clip, jit((x, c) => x * c)',
  tasks: ['norm', 'clip'],
  dtypes: FLOATS,
  slow: true,
  refuses: () => '',
  async prepare(tensors, work) {
    const library = await loadJax();
    const reduce = jaxReduction(library, work.normType, false);
    return prepareJax(library, tensors, work, (tensor) => ({ array: library.numpy.array(tensor), reduce }));
  },
};

/** @type {Scripted} */
const jaxByRows = {
  name: 'jax-js, by rows',
  timed: 'the same on matrices, rows first: the fastest and most accurate way for p = 1 and 2',
  tasks: ['norm', 'clip'],
  dtypes: FLOATS,
  slow: false,
  refuses: ({ lengths }) =>
    lengths.some((length) => length >= SMALL_TENSOR) ? '' : 'no tensor is large enough to gain from rows',
  async prepare(tensors, work) {
    const library = await loadJax();
    const reduceRows = jaxReduction(library, work.normType, true);
    const reduceAll = jaxReduction(library, work.normType, false);
    return prepareJax(library, tensors, work, (tensor) => {
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

/** @typedef {{ array: any, reduce: (array: any) => any }} JaxItem */

/**
 * A use consumes an array; `.ref` keeps it for the next one. What jit returns is computed when it is needed: the
 * product of a run by the norm of the next one, in both of which the clock runs.
 * @param {any} library
 * @param {Tensor[]} tensors
 * @param {import('./task.js').Work} work
 * @param {(tensor: Tensor) => JaxItem} convert
 * @returns {Job}
 */
function prepareJax({ jit, numpy }, tensors, { task, normType }, convert) {
  const norm = (/** @type {JaxItem[]} */ items) =>
    combine(items, normType, ({ array, reduce }) => reduce(array.ref).item());
  const items = tensors.map(convert);
  if (task === 'norm') return { run: () => norm(items) };
  const multiply = jit((/** @type {any} */ array, /** @type {any} */ factor) => array.mul(factor));
  const scale = (/** @type {JaxItem[]} */ olds, /** @type {number} */ number) => {
    const factor = numpy.array(number);
    const scaled = olds.map(({ array, reduce }) => ({ array: multiply(array, factor.ref), reduce }));
    factor.dispose();
    return scaled;
  };
  return clipByReplacing(items, norm, scale, ({ array }) => array.ref.dataSync());
}

/** @type {Scripted} */
const decodingLoop = {
  name: 'JS decoding loop',
  timed: 'one float64 sum of g*g, g decoded by its definition (bfloat16: as the upper half of a float32)',
  tasks: ['norm'],
  dtypes: HALVES,
  slow: true,
  refuses: onlyTwo,
  prepare: async (tensors, { dtype }) => ({ run: () => decodingNorm(tensors, dtype) }),
};

/** @type {Scripted} */
const tableLoop = {
  name: 'JS lookup-table loop',
  timed: 'the same, g looked up in a Float32Array of all 65536 values, which is made before',
  tasks: ['norm'],
  dtypes: HALVES,
  slow: false,
  refuses: onlyTwo,
  async prepare(tensors, { dtype }) {
    const values = decodingTable(dtype);
    return { run: () => tableNorm(tensors, values) };
  },
};

/** @type {Contender} */
const nativeLoop = {
  name: 'native C++ loop',
  timed: '-O3 -march=native -ffast-math, float32 accumulators: the limit, one thread',
  tasks: ['norm', 'clip', 'keep'],
  dtypes: [...FLOATS, ...HALVES],
  slow: false,
  refuses: () => '',
  process: 'native C++ loop',
  command: () => [nativeProgram()], // compiled ahead of time
};
