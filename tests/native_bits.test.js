// tests/native_bits.test.js: the WebAssembly SIMD build against the native build over scalar lanes. Both get
// the same elements, bit for bit, and must return the same norm, bit for bit.
//
// The native side is tests/native/bits.cpp, built by `npm test` before this runs; GRADNORM_BITS names another
// program to use in its place.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { gradNorm } from 'gradnorm';

const PROGRAM =
  process.env.GRADNORM_BITS ??
  fileURLToPath(new URL('../build/native/tests/native/gradnorm_bits', import.meta.url));

const NORM_TYPES = [0.1, 0.3, 0.5, 1, 1.5, 2, 2.5, 2.7, 3, 4, 7, 8, 10, 50, 66.6, 1000, Infinity];
const KINDS = ['normal', 'subnormal', 'huge', 'mixed', 'nan', 'infinity'];
const LENGTHS = [...Array(71).keys(), 255, 256, 257, 3333, 4095, 4096, 4097, 70_000];

/**
 * The elements are put together from random bits, without arithmetic, as bits.cpp does.
 * @typedef {{ dtype: 'f32' | 'f64', seed: number, length: number, kind: string }} TensorSpec
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

/** @param {TensorSpec} spec */
function randomTensor({ dtype, seed, length, kind }) {
  const random = new Random(seed);
  const tensor = dtype === 'f32' ? randomFloats(random, length, kind) : randomDoubles(random, length, kind);
  if (length === 0) return tensor;
  // With NaN there is an infinity, too, except where they meet.
  if (kind === 'infinity' || kind === 'nan') tensor[random.below(length)] = -Infinity;
  if (kind === 'nan') tensor[random.below(length)] = NaN;
  return tensor;
}

/**
 * @param {Random} random
 * @param {number} length
 * @param {string} kind
 */
function randomFloats(random, length, kind) {
  const words = new Uint32Array(length);
  for (let i = 0; i < length; ++i) {
    const exponent = exponentField(random, kind, 127);
    words[i] = (random.bits() & 0x807fffff) | (exponent << 23);
  }
  return new Float32Array(words.buffer);
}

/**
 * @param {Random} random
 * @param {number} length
 * @param {string} kind
 */
function randomDoubles(random, length, kind) {
  // The low word first: WebAssembly, and every machine it runs on, is little-endian.
  const words = new Uint32Array(2 * length);
  for (let i = 0; i < length; ++i) {
    const exponent = exponentField(random, kind, 1023);
    words[2 * i + 1] = (random.bits() & 0x800fffff) | (exponent << 20);
    words[2 * i] = random.bits();
  }
  return new Float64Array(words.buffer);
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
  const answers = stdout.trimEnd().split('\n');
  assert.equal(answers.length, lines.length);
  return answers;
}

/**
 * @param {number} normType
 * @param {TensorSpec[][]} lists
 */
function assertSameBits(normType, lists) {
  const lines = lists.map((specs) => describe(normType, specs));
  const native = runNative(lines);
  for (const [i, specs] of lists.entries()) {
    const norm = bitsOf(gradNorm(specs.map(tensorOf), normType));
    assert.equal(norm, native[i], `WebAssembly, then native: p = ${normType}, ${lines[i]}`);
  }
}

/**
 * @param {number} normType
 * @param {TensorSpec[]} specs
 */
function describe(normType, specs) {
  const tensors = specs.map(({ dtype, seed, length, kind }) => `${dtype} ${seed} ${length} ${kind}`);
  return [bitsOf(normType), ...tensors].join(' ');
}

/** @type {Map<TensorSpec, Float32Array | Float64Array>} */
const tensors = new Map();

/** @param {TensorSpec} spec */
function tensorOf(spec) {
  const tensor = tensors.get(spec) ?? randomTensor(spec);
  tensors.set(spec, tensor);
  return tensor;
}

/** @returns {TensorSpec[]}  one for each dtype, kind and length */
function everyTensor() {
  const specs = [];
  for (const dtype of /** @type {const} */ (['f32', 'f64'])) {
    for (const kind of KINDS) {
      for (const length of LENGTHS) specs.push({ dtype, seed: specs.length, length, kind });
    }
  }
  return specs;
}

/**
 * Lists of both dtypes and all lengths; NaN and infinities would hide the rest.
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
const specs = everyTensor();
const lists = mixedLists(specs);

for (const normType of NORM_TYPES) {
  test(`p = ${normType}: WebAssembly SIMD and native scalar lanes give the same bits`, { skip }, () => {
    assertSameBits(
      normType,
      specs.map((spec) => [spec]),
    );
  });
  test(`p = ${normType}: the same bits for lists of tensors of both dtypes`, { skip }, () => {
    assertSameBits(normType, lists);
  });
}
