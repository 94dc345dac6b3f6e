// tests/laws.test.js: what must hold between norms. Seeded random gradients, all powers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gradNorm } from 'gradnorm';
import { BLOCK, createRandom, hex, makeArray, NORM_TYPES, promisedBound } from './accuracy.js';

const ALL = [...NORM_TYPES, 0.3, 2.7, 66.6, 12345.678];

/**
 * A list of gradients of many lengths and magnitudes, float32 and now and then float64.
 * @param {number} seed
 * @returns {(Float32Array | Float64Array)[]}
 */
function makeGradients(seed) {
  const random = createRandom(seed);
  return Array.from({ length: 30 }, (_, k) => {
    const Type = k % 5 === 4 ? Float64Array : Float32Array;
    const scale = 2 ** Math.round(random() * 120 - 60);
    const length = Math.floor(random() ** 3 * 3 * BLOCK);
    return makeArray(Type, length, () => (random() - 0.5) * scale);
  });
}

/**
 * @template T
 * @param {readonly T[]} list
 * @param {() => number} random
 */
function shuffled(list, random) {
  const result = [...list];
  for (let i = result.length - 1; i > 0; --i) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j], result[i]];
  }
  return result;
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
  for (const Type of [Float32Array, Float64Array]) {
    const array = makeArray(Type, 20 * BLOCK + 123, () => (random() - 0.5) * 2 ** (random() * 60 - 30));
    for (const p of ALL) {
      const norm = gradNorm(array, p);
      for (let trial = 0; trial < 10; ++trial) {
        const cuts = [0, ...Array.from({ length: 20 }, (_, k) => (k + 1) * BLOCK), array.length];
        const ends = cuts.filter((end, k) => k === 0 || end === array.length || random() < 0.4);
        const pieces = ends.slice(1).map((end, k) => array.subarray(ends[k], end));
        const other = gradNorm(shuffled(pieces, random), p);
        assert.ok(Object.is(other, norm), `${Type.name}, p = ${p}: ${hex(other)} and ${hex(norm)}`);
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
  ]);
  for (const p of ALL) assert.ok(Object.is(gradNorm(padded, p), gradNorm(gradients, p)), `p = ${p}`);
});

test('a tensor listed twice counts twice', () => {
  const [array] = makeGradients(22).filter((gradient) => gradient.length > 100);
  for (const p of [1, 2, 4]) {
    const twice = gradNorm([array, array], p);
    const expected = gradNorm(array, p) * 2 ** (1 / p);
    assert.ok(Math.abs(twice - expected) <= 2 ** -50 * expected, `p = ${p}: ${hex(twice)}, ${hex(expected)}`);
  }
});
