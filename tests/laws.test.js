// tests/laws.test.js: what must hold between norms. Seeded random gradients, all powers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gradNorm } from 'gradnorm';
import { BLOCK, createRandom, hex, makeArray, NORM_TYPES, promisedBound, shuffled } from './accuracy.js';

const ALL = [...NORM_TYPES, 0.3, 2.7, 66.6, 12345.678];

/** @typedef {import('gradnorm').GradientArray | import('gradnorm').HalfGradient} Gradient */

/**
 * A list of gradients of many lengths and magnitudes, float32 and now and then another type.
 * @param {number} seed
 * @returns {Gradient[]}
 */
function makeGradients(seed) {
  const random = createRandom(seed);
  return Array.from({ length: 30 }, (_, k) => {
    const scale = 2 ** Math.round(random() * 120 - 60);
    const length = Math.floor(random() ** 3 * 3 * BLOCK);
    if (k % 10 === 3) return makeHalves(random() < 0.5 ? 'float16' : 'bfloat16', length, random);
    if (k % 10 === 8)
      return new (random() < 0.5 ? Int16Array : Uint32Array)(length).map(() => random() * 2 ** 32);
    return makeArray(k % 5 === 4 ? Float64Array : Float32Array, length, () => (random() - 0.5) * scale);
  });
}

/**
 * Random finite bits: all magnitudes.
 * @param {'float16' | 'bfloat16'} dtype
 * @param {number} length
 * @param {() => number} random
 */
function makeHalves(dtype, length, random) {
  const infinity = dtype === 'float16' ? 0x7c00 : 0x7f80;
  return {
    data: new Uint16Array(length).map(() => (random() < 0.5 ? 0x8000 : 0) + random() * infinity),
    dtype,
  };
}

/**
 * @param {Gradient} gradient
 * @param {number} start
 * @param {number} end
 * @returns {Gradient}
 */
function cut(gradient, start, end) {
  if ('dtype' in gradient) return { data: gradient.data.subarray(start, end), dtype: gradient.dtype };
  return gradient.subarray(start, end);
}

test('order: any permutation of the tensors gives the same bits', () => {
  for (const p of ALL) {
    const gradients = makeGradients(1);
    const norm = gradNorm(gradients, p);
    const random = createRandom(2);
    for (let trial = 0; trial < 10; ++trial) {
      const other = gradNorm(shuffled(gradients, random), p);
      assert.ok(Object.is(other, norm), `p = ${p}: ${hex(other)} and ${hex(norm)}`);
    }
  }
});

test('cuts at multiples of the block, in any order, give the same bits', () => {
  const random = createRandom(3);
  const length = 20 * BLOCK + 123;
  const element = () => (random() - 0.5) * 2 ** (random() * 60 - 30);
  /** @type {Record<string, Gradient>} */
  const gradients = {
    float32: makeArray(Float32Array, length, element),
    float64: makeArray(Float64Array, length, element),
    float16: makeHalves('float16', length, random),
    bfloat16: makeHalves('bfloat16', length, random),
    int8: new Int8Array(length).map(() => random() * 256),
    uint16: new Uint16Array(length).map(() => random() * 65536),
    int32: new Int32Array(length).map(() => random() * 2 ** 32),
  };
  for (const [name, gradient] of Object.entries(gradients)) {
    for (const p of ALL) {
      const norm = gradNorm(gradient, p);
      for (let trial = 0; trial < 10; ++trial) {
        const cuts = [0, ...Array.from({ length: 20 }, (_, k) => (k + 1) * BLOCK), length];
        const ends = cuts.filter((end, k) => k === 0 || end === length || random() < 0.4);
        const pieces = ends.slice(1).map((end, k) => cut(gradient, ends[k], end));
        const other = gradNorm(shuffled(pieces, random), p);
        assert.ok(Object.is(other, norm), `${name}, p = ${p}: ${hex(other)} and ${hex(norm)}`);
      }
    }
  }
});

test('any other cut and permutation stays within the bound', () => {
  const random = createRandom(4);
  for (const Type of [Float32Array, Float64Array]) {
    const array = makeArray(Type, 3 * BLOCK, () => random() - 0.5);
    for (const p of ALL) {
      const norm = gradNorm(array, p);
      const at = Math.floor(random() * array.length);
      const other = gradNorm([array.subarray(at), array.subarray(0, at)], p);
      const difference = Math.abs(other - norm) / norm;
      assert.ok(difference <= 2 * promisedBound([array], p), `p = ${p}, cut at ${at}: ${difference}`);
    }
  }
});

test('homogeneity: scaling by a power of two scales the norm, bit for bit where powers are products', () => {
  const random = createRandom(5);
  for (const Type of [Float32Array, Float64Array]) {
    const array = makeArray(Type, 5000, () => (random() - 0.5) * 2 ** (random() * 10));
    for (const p of ALL) {
      const norm = gradNorm(array, p);
      // 40 is far from subnormals, and for p <= 10 from the switches between kernels.
      for (const exponent of [-40, -7, -1, 1, 13, 40]) {
        const scaled =
          gradNorm(
            array.map((x) => x * 2 ** exponent),
            p,
          ) /
          2 ** exponent;
        const exact = Number.isInteger(2 * p) && p <= 10 && Number.isInteger(p * exponent);
        const bound = exact || p === Infinity ? 0 : 2 * promisedBound([array], p);
        const difference = Math.abs(scaled - norm) / norm;
        assert.ok(difference <= bound, `${Type.name}, p = ${p}, 2^${exponent}: ${hex(scaled)}, ${hex(norm)}`);
      }
    }
  }
});

test('the norm does not increase with p, and is never below the largest magnitude', () => {
  for (let seed = 10; seed < 20; ++seed) {
    const gradients = makeGradients(seed);
    const powers = ALL.filter((p) => p >= 0.3).sort((a, b) => b - a);
    const largest = gradNorm(gradients, Infinity);
    let smaller = largest;
    for (const p of powers) {
      const norm = gradNorm(gradients, p);
      const slack = 1 + 2 * promisedBound(gradients, p);
      assert.ok(norm * slack >= smaller && norm * slack >= largest, `seed ${seed}, p = ${p}`);
      smaller = norm;
    }
  }
});

test('zeros and nulls between the tensors change nothing', () => {
  const gradients = makeGradients(21);
  const padded = gradients.flatMap((array) => [
    null,
    array,
    new Float32Array(7),
    undefined,
    new Float64Array(0),
    new Int8Array(3),
    { data: Uint16Array.of(0x8000), dtype: /** @type {const} */ ('float16') },
  ]);
  for (const p of ALL) assert.ok(Object.is(gradNorm(padded, p), gradNorm(gradients, p)), `p = ${p}`);
});

test('a tensor listed twice counts twice', () => {
  const long = makeGradients(22).filter(
    (gradient) => ('dtype' in gradient ? gradient.data : gradient).length > 100,
  );
  assert.ok(long.length > 10);
  for (const gradient of long) {
    for (const p of [1, 2, 4]) {
      const twice = gradNorm([gradient, gradient], p);
      const expected = gradNorm(gradient, p) * 2 ** (1 / p);
      assert.ok(
        Math.abs(twice - expected) <= 2 ** -50 * expected,
        `p = ${p}: ${hex(twice)}, ${hex(expected)}`,
      );
    }
  }
});
