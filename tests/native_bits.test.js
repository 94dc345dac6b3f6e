// tests/native_bits.test.js: the WebAssembly SIMD build against the native build over scalar lanes. Both get
// the same elements, bit for bit, and must come to the same, bit for bit: the norm, the rows of a report, and
// what clipping leaves of every element.
//
// The native side is tests/native/bits.cpp, built by `npm test` before this runs; GRADNORM_BITS names another
// program to use in its place.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { clipGradsWithNorm, clipGradValue, gradNorm, gradReport } from 'gradnorm';
import { STAGING_BYTES } from './staging.js';

const PROGRAM =
  process.env.GRADNORM_BITS ??
  fileURLToPath(new URL('../build/native/tests/native/gradnorm_bits', import.meta.url));

const NORM_TYPES = [0.1, 0.3, 0.5, 1, 1.5, 2, 2.5, 2.7, 3, 4, 7, 8, 10, 50, 66.6, 1000, Infinity];
const KINDS = ['normal', 'subnormal', 'huge', 'mixed', 'nan', 'infinity'];
const LENGTHS = [...Array(71).keys(), 255, 256, 257, 3333, 4095, 4096, 4097];

// Factors that are floats and others, down to those whose products are subnormal or vanish.
const FACTORS = [
  ...[0.5, 1 / 3, 0.1, Math.fround(0.1), 1 - 2 ** -30, 1e-3, 2 ** -20, 2 ** -126, 1.1e-38, 2 ** -149],
  ...[1e-300, 5e-324, 0, NaN],
];
const LIMITS = [1e300, 65_520, 65_504, 1, 0.1, 2 ** -24, 1e-7, 1e-40, 1e-310, 0];
// On both sides of 256, up to where float32 and float64 are rewritten by a loop.
const REWRITTEN_LENGTHS = [0, 1, 2, 3, 4, 5, 7, 9, 100, 255, 256, 257, 258, 1001];

/**
 * Where exponent and fraction of an element lie in its upper word; integers have none.
 * @typedef {object} Layout
 * @property {new (buffer: ArrayBufferLike) => import('gradnorm').GradientArray} Type
 * @property {Uint8ArrayConstructor | Uint16ArrayConstructor | Uint32ArrayConstructor} Words
 * @property {number} wordsPerElement
 * @property {number} exponentBits
 * @property {number} fractionBits
 * @property {'float16' | 'bfloat16'} [half]
 */

/** The dtypes of bits.cpp. @type {Record<string, Layout>} */
const LAYOUTS = {
  f32: { Type: Float32Array, Words: Uint32Array, wordsPerElement: 1, exponentBits: 8, fractionBits: 23 },
  f64: { Type: Float64Array, Words: Uint32Array, wordsPerElement: 2, exponentBits: 11, fractionBits: 20 },
  f16: { ...halves('float16'), exponentBits: 5, fractionBits: 10 },
  bf16: { ...halves('bfloat16'), exponentBits: 8, fractionBits: 7 },
  i8: integers(Int8Array, Uint8Array),
  u8: integers(Uint8Array, Uint8Array),
  i16: integers(Int16Array, Uint16Array),
  u16: integers(Uint16Array, Uint16Array),
  i32: integers(Int32Array, Uint32Array),
  u32: integers(Uint32Array, Uint32Array),
};
const DTYPES = Object.keys(LAYOUTS);
const FLOATING_POINT = DTYPES.filter((dtype) => LAYOUTS[dtype].exponentBits > 0);

/** @param {'float16' | 'bfloat16'} half */
function halves(half) {
  return { Type: Uint16Array, Words: Uint16Array, wordsPerElement: 1, half };
}

/**
 * @param {Layout['Type']} Type
 * @param {Layout['Words']} Words
 */
function integers(Type, Words) {
  return { Type, Words, wordsPerElement: 1, exponentBits: 0, fractionBits: 0 };
}

/**
 * The elements are put together from random bits, without arithmetic, as bits.cpp does.
 * @typedef {{ dtype: string, seed: number, length: number, kind: string }} TensorSpec
 * @typedef {Uint8Array | Uint16Array | Uint32Array} Words
 */

/** Mulberry32, by Tommy Ettinger (public domain): 32-bit integers only. */
class Random {
  /** @param {number} seed */
  constructor(seed) {
    this.state = seed;
  }
  bits() {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }
  /** @param {number} n */
  below(n) {
    return this.bits() % n;
  }
}

/**
 * The exponent field of an element, whose largest finite value is 2 * bias.
 * @param {Random} random
 * @param {string} kind
 * @param {number} bias
 */
function exponentField(random, kind, bias) {
  if (kind === 'subnormal') return 0;
  if (kind === 'huge') return 2 * bias - random.below(4);
  if (kind === 'mixed') return random.below(2 * bias + 1);
  return bias - 8 + random.below(17);
}

/** @param {Layout} layout */
function fieldsOf({ Words, exponentBits, fractionBits }) {
  return {
    bias: 2 ** (exponentBits - 1) - 1,
    infinity: (2 ** exponentBits - 1) * 2 ** fractionBits,
    quiet: 2 ** (fractionBits - 1),
    sign: 2 ** (8 * Words.BYTES_PER_ELEMENT - 1),
  };
}

/**
 * @param {TensorSpec} spec
 * @returns {Words}  its elements, the low word first: WebAssembly, and every machine it runs on, is little-endian
 */
function randomWords({ dtype, seed, length, kind }) {
  const layout = LAYOUTS[dtype];
  const random = new Random(seed);
  const words = new layout.Words(length * layout.wordsPerElement);
  if (layout.exponentBits === 0) return words.map(() => random.bits());
  for (let i = 0; i < length; ++i) putRandomElement(random, kind, layout, words, i);
  if (length > 0) putOffenders(random, kind, layout, words);
  return words;
}

/**
 * @param {Random} random
 * @param {string} kind
 * @param {Layout} layout
 * @param {Words} words
 * @param {number} i
 */
function putRandomElement(random, kind, layout, words, i) {
  const { bias, infinity } = fieldsOf(layout);
  const exponent = exponentField(random, kind, bias);
  const upper = (random.bits() & ~infinity) | (exponent << layout.fractionBits);
  if (layout.wordsPerElement === 2) words[2 * i] = random.bits();
  words[layout.wordsPerElement * (i + 1) - 1] = upper;
}

/**
 * With NaN there is an infinity, too, except where they meet.
 * @param {Random} random
 * @param {string} kind
 * @param {Layout} layout
 * @param {Words} words
 */
function putOffenders(random, kind, layout, words) {
  const { wordsPerElement } = layout;
  const { infinity, quiet, sign } = fieldsOf(layout);
  /** @param {number} upper */
  const putSomewhere = (upper) => {
    const i = random.below(words.length / wordsPerElement);
    words.fill(0, wordsPerElement * i, wordsPerElement * (i + 1));
    words[wordsPerElement * (i + 1) - 1] = upper;
  };
  if (kind === 'infinity' || kind === 'nan') putSomewhere(sign + infinity);
  if (kind === 'nan') putSomewhere(infinity + quiet);
}

/**
 * @param {string} dtype
 * @param {Words} words
 * @returns {import('gradnorm').Gradient}
 */
function gradientOf(dtype, words) {
  const { half, Type } = LAYOUTS[dtype];
  if (half !== undefined) return { data: new Uint16Array(words.buffer), dtype: half };
  return new Type(words.buffer);
}

/** @param {number} x */
function bitsOf(x) {
  const view = new DataView(new ArrayBuffer(8));
  // NaN has many bit patterns, and JavaScript does not tell them apart.
  if (Number.isNaN(x)) view.setBigUint64(0, 0x7ff8000000000000n);
  else view.setFloat64(0, x);
  return view.getBigUint64(0).toString(16).padStart(16, '0');
}

/**
 * The bytes of elements in hexadecimal digits, every NaN as the same one.
 * @param {string} dtype
 * @param {Words} words
 */
function bytesOf(dtype, words) {
  const layout = LAYOUTS[dtype];
  const { infinity, quiet, sign } = fieldsOf(layout);
  const { wordsPerElement } = layout;
  for (let i = wordsPerElement - 1; i < words.length; i += wordsPerElement) {
    const magnitude = words[i] % sign;
    const low = wordsPerElement === 2 ? words[i - 1] : 0;
    if (magnitude < infinity || (magnitude === infinity && low === 0)) continue;
    words[i] = infinity + quiet;
    if (wordsPerElement === 2) words[i - 1] = 0;
  }
  return Buffer.from(words.buffer).toString('hex');
}

/**
 * @param {string[]} lines
 * @returns {string[]}  the native program's answers
 */
function runNative(lines) {
  const { status, error, stdout, stderr } = spawnSync(PROGRAM, {
    input: lines.map((line) => `${line}\n`).join(''),
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (error !== undefined) throw error;
  assert.equal(status, 0, stderr);
  const answers = stdout.split('\n');
  assert.equal(answers.length, lines.length + 1);
  return answers;
}

/** @param {TensorSpec} spec */
function describe({ dtype, seed, length, kind }) {
  return `${dtype} ${seed} ${length} ${kind}`;
}

/**
 * Holds what a function of the library says about lists of tensors against the native answers.
 * @param {string} verb
 * @param {number} normType
 * @param {TensorSpec[][]} lists
 * @param {(gradients: import('gradnorm').Gradients) => string} answer
 */
function assertSameAnswers(verb, normType, lists, answer) {
  const lines = lists.map((specs) => [verb, bitsOf(normType), ...specs.map(describe)].join(' '));
  const native = runNative(lines);
  for (const [i, specs] of lists.entries()) {
    const ours = answer(specs.map(tensorOf));
    assert.equal(ours, native[i], `WebAssembly, then native: p = ${normType}, ${lines[i]}`);
  }
}

/** @type {Map<TensorSpec, import('gradnorm').Gradient>} */
const tensors = new Map();

/** @param {TensorSpec} spec */
function tensorOf(spec) {
  const tensor = tensors.get(spec) ?? gradientOf(spec.dtype, randomWords(spec));
  tensors.set(spec, tensor);
  return tensor;
}

/**
 * @param {import('gradnorm').Gradients} gradients
 * @param {number} normType
 */
function reportBits(gradients, normType) {
  const report = gradReport(gradients, { normType });
  const first = new Map(report.nonfinite.map(({ tensor, index }) => [tensor, index]));
  const rows = [...report.tensors, { ...report, name: 'all' }];
  return rows
    .flatMap(({ name, norm, elements, max, meanAbs, zeros, nan, inf }) => {
      return [norm, elements, max, meanAbs, zeros, nan, inf, first.get(name) ?? -1];
    })
    .map(bitsOf)
    .join(' ');
}

/**
 * Holds what clipping leaves of tensors against what the native core does.
 * @param {TensorSpec[]} specs
 * @param {(dtype: string) => number} factorOf  what elements of a type are multiplied by
 * @param {number} limit
 * @param {(gradient: import('gradnorm').Gradients) => void} clip
 */
function assertSameBytes(specs, factorOf, limit, clip) {
  const lines = specs.map((spec) => {
    return `rewrite ${bitsOf(factorOf(spec.dtype))} ${bitsOf(limit)} ${describe(spec)}`;
  });
  const native = runNative(lines);
  for (const [i, spec] of specs.entries()) {
    const words = randomWords(spec);
    clip(gradientOf(spec.dtype, words));
    assertSameElements(bytesOf(spec.dtype, words), native[i], spec, lines[i]);
  }
}

/**
 * @param {string} ours
 * @param {string} native
 * @param {TensorSpec} spec
 * @param {string} line
 */
function assertSameElements(ours, native, { dtype, length }, line) {
  if (ours === native) return;
  const digits = ours.length / length;
  let i = 0;
  while (ours.slice(i, i + digits) === native.slice(i, i + digits)) i += digits;
  const [a, b] = [ours, native].map((text) => text.slice(i, i + digits));
  assert.fail(
    `WebAssembly wrote ${a}, native ${b}, the bytes of element ${i / digits} (${dtype}) of: ${line}`,
  );
}

/** The largest float32 that is not above a factor, if that is a normal number; otherwise the factor itself. */
function floatFactor(/** @type {number} */ factor) {
  const float = Float32Array.of(factor);
  // Of positive floats the one before has the bits before.
  if (float[0] > factor) --new Uint32Array(float.buffer)[0];
  return float[0] >= 2 ** -126 ? float[0] : factor;
}

/**
 * One tensor for each kind and length, and one that is not copied at once; integers have no kinds.
 * @param {string[]} dtypes
 * @param {number[]} lengths
 * @returns {TensorSpec[]}
 */
function everyTensor(dtypes, lengths) {
  const specs = [];
  for (const dtype of dtypes) {
    const { Words, wordsPerElement, exponentBits } = LAYOUTS[dtype];
    for (const kind of exponentBits > 0 ? KINDS : ['normal']) {
      for (const length of lengths) specs.push({ dtype, seed: specs.length, length, kind });
    }
    const length = STAGING_BYTES / (Words.BYTES_PER_ELEMENT * wordsPerElement) + 5;
    specs.push({ dtype, seed: specs.length, length, kind: exponentBits > 0 ? 'mixed' : 'normal' });
  }
  return specs;
}

/**
 * Lists of all dtypes and lengths; NaN and infinities would hide the rest.
 * @param {TensorSpec[]} specs
 */
function mixedLists(specs) {
  const random = new Random(2025);
  const finite = specs.filter(({ kind, length }) => !['nan', 'infinity'].includes(kind) && length < 10_000);
  return Array.from({ length: 50 }, () =>
    Array.from({ length: random.below(100) }, () => finite[random.below(finite.length)]),
  );
}

/** Why the comparison cannot run here; in CI nothing may be missing. */
function reasonToSkip() {
  if (existsSync(PROGRAM)) return false;
  const reason = `${PROGRAM} is missing; npm test builds it where CMake, a C++20 compiler and GoogleTest are`;
  if (process.env.CI) throw new Error(reason);
  console.log(`SKIPPED: ${reason}`);
  return reason;
}

const skip = reasonToSkip();
const specs = everyTensor(DTYPES, LENGTHS);
const singles = specs.map((spec) => [spec]);
const lists = mixedLists(specs);
const writable = everyTensor(FLOATING_POINT, REWRITTEN_LENGTHS);

for (const normType of NORM_TYPES) {
  test(`p = ${normType}: WebAssembly SIMD and native scalar lanes give the same bits`, { skip }, () => {
    assertSameAnswers('norm', normType, singles, (list) => bitsOf(gradNorm(list, normType)));
  });
  test(`p = ${normType}: the same bits for lists of tensors of all dtypes`, { skip }, () => {
    assertSameAnswers('norm', normType, lists, (list) => bitsOf(gradNorm(list, normType)));
  });
}

for (const normType of [1, 2.7, Infinity]) {
  test(`p = ${normType}: reports have the same bits in every row`, { skip }, () => {
    assertSameAnswers('report', normType, [...singles, ...lists], (list) => reportBits(list, normType));
  });
}

for (const factor of FACTORS) {
  test(`scaling by ${factor} writes the same bytes, float32 by the float32 at or below it`, { skip }, () => {
    const factorOf = (/** @type {string} */ dtype) => (dtype === 'f32' ? floatFactor(factor) : factor);
    const [maxNorm, norm] = Number.isNaN(factor) ? [1, NaN] : [factor, 1];
    assertSameBytes(writable, factorOf, Infinity, (gradient) => {
      // Beside halves, be they none, the factor is taken as it is.
      const half = { data: new Uint16Array(0), dtype: /** @type {const} */ ('float16') };
      clipGradsWithNorm([gradient, half], maxNorm, norm, { eps: 0 });
    });
  });
}

for (const limit of LIMITS) {
  test(`clamping to ${limit} writes the same bytes`, { skip }, () => {
    assertSameBytes(
      writable,
      () => 1,
      limit,
      (gradient) => clipGradValue(gradient, limit),
    );
  });
}
