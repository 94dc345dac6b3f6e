// tests/laws.js: what must hold between norms, whoever computes them. Seeded random gradients, all powers of a back end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLOCK, createRandom, hex, makeArray, shuffled } from './accuracy.js';

/** @typedef {import('gradnorm').GradientArray | import('gradnorm').HalfGradient} Gradient */

/**
 * @typedef {object} BackEnd
 * @property {(gradients: (Gradient | null | undefined)[], p: number) => number | Promise<number>} norm
 * @property {readonly number[]} normTypes
 * @property {(gradients: readonly Gradient[], p: number) => number} bound  promised for the relative error
 * @property {(p: number) => boolean} isProduct  whether it takes this power by exact scaling, and rounds nothing but products
 *   and roots that scaling leaves alone
 * @property {(p: number) => boolean} sameBitsWhenCut  promised for cuts at multiples of the block; otherwise twice the bound
 * @property {boolean} isNarrow  whether float32, float16 and bfloat16 are all it takes
 * @property {number} trials     how often random choices are made anew
 */

/**
 * A list of gradients of many lengths and magnitudes, float32 and now and then another type.
 * @param {number} seed
 * @param {boolean} isNarrow
 * @returns {Gradient[]}
 */
function makeGradients(seed, isNarrow) {
  const random = createRandom(seed);
  return Array.from({ length: 30 }, (_, k) => {
    const scale = 2 ** Math.round(random() * 120 - 60);
    const length = Math.floor(random() ** 3 * 3 * BLOCK);
    if (k % 10 === 3) return makeHalves(random() < 0.5 ? 'float16' : 'bfloat16', length, random);
    if (k % 10 === 8 && !isNarrow)
      return new (random() < 0.5 ? Int16Array : Uint32Array)(length).map(() => random() * 2 ** 32);
    return makeArray(
      k % 5 === 4 && !isNarrow ? Float64Array : Float32Array,
      length,
      () => (random() - 0.5) * scale,
    );
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

/**
 * @param {BackEnd} backEnd
 */
export function testLaws({ norm, normTypes, bound, isProduct, sameBitsWhenCut, isNarrow, trials }) {
  const types = isNarrow ? [Float32Array] : [Float32Array, Float64Array];

  test('order: any permutation of the tensors gives the same bits', async () => {
    for (const p of normTypes) {
      const gradients = makeGradients(1, isNarrow);
      const first = await norm(gradients, p);
      const random = createRandom(2);
      for (let trial = 0; trial < trials; ++trial) {
        const other = await norm(shuffled(gradients, random), p);
        assert.ok(Object.is(other, first), `p = ${p}: ${hex(other)} and ${hex(first)}`);
      }
    }
  });

  test('cuts at multiples of the block, in any order, give the same bits where that is promised', async () => {
    const random = createRandom(3);
    const length = 20 * BLOCK + 123;
    const element = () => (random() - 0.5) * 2 ** (random() * 60 - 30);
    /** @type {Record<string, Gradient>} */
    const gradients = {
      float32: makeArray(Float32Array, length, element),
      float16: makeHalves('float16', length, random),
      bfloat16: makeHalves('bfloat16', length, random),
    };
    if (!isNarrow) {
      Object.assign(gradients, {
        float64: makeArray(Float64Array, length, element),
        int8: new Int8Array(length).map(() => random() * 256),
        uint16: new Uint16Array(length).map(() => random() * 65536),
        int32: new Int32Array(length).map(() => random() * 2 ** 32),
      });
    }
    for (const [name, gradient] of Object.entries(gradients)) {
      for (const p of normTypes) {
        const whole = await norm([gradient], p);
        for (let trial = 0; trial < trials; ++trial) {
          const cuts = [0, ...Array.from({ length: 20 }, (_, k) => (k + 1) * BLOCK), length];
          const ends = cuts.filter((end, k) => k === 0 || end === length || random() < 0.4);
          const pieces = ends.slice(1).map((end, k) => cut(gradient, ends[k], end));
          const other = await norm(shuffled(pieces, random), p);
          assert.ok(
            sameBitsWhenCut(p)
              ? Object.is(other, whole)
              : Math.abs(other - whole) <= 2 * bound(pieces, p) * whole,
            `${name}, p = ${p}: ${hex(other)} and ${hex(whole)}`,
          );
        }
      }
    }
  });

  test('any other cut and permutation stays within the bound', async () => {
    const random = createRandom(4);
    for (const Type of types) {
      const array = makeArray(Type, 3 * BLOCK, () => random() - 0.5);
      for (const p of normTypes) {
        const whole = await norm([array], p);
        const at = Math.floor(random() * array.length);
        const other = await norm([array.subarray(at), array.subarray(0, at)], p);
        const difference = Math.abs(other - whole) / whole;
        assert.ok(difference <= 2 * bound([array], p), `p = ${p}, cut at ${at}: ${difference}`);
      }
    }
  });

  test('homogeneity: scaling by a power of two scales the norm, bit for bit where powers are products', async () => {
    const random = createRandom(5);
    for (const Type of types) {
      const array = makeArray(Type, 5000, () => (random() - 0.5) * 2 ** (random() * 10));
      for (const p of normTypes) {
        const whole = await norm([array], p);
        // 40 is far from subnormals, and for p <= 10 from the switches between kernels.
        for (const exponent of [-40, -7, -1, 1, 13, 40]) {
          const factor = 2 ** exponent;
          const scaled = (await norm([array.map((x) => x * factor)], p)) / factor;
          const isExact = p === Infinity || (isProduct(p) && Number.isInteger(p * exponent));
          const difference = Math.abs(scaled - whole) / whole;
          assert.ok(
            difference <= (isExact ? 0 : 2 * bound([array], p)),
            `${Type.name}, p = ${p}, 2^${exponent}: ${hex(scaled)}, ${hex(whole)}`,
          );
        }
      }
    }
  });

  test('the norm does not increase with p, and is never below the largest magnitude', async () => {
    for (let seed = 10; seed < 10 + trials; ++seed) {
      const gradients = makeGradients(seed, isNarrow);
      const powers = normTypes.filter((p) => p >= 0.3).sort((a, b) => b - a);
      const largest = await norm(gradients, Infinity);
      let smaller = largest;
      for (const p of powers) {
        const larger = await norm(gradients, p);
        const slack = 1 + 2 * bound(gradients, p);
        assert.ok(larger * slack >= smaller && larger * slack >= largest, `seed ${seed}, p = ${p}`);
        smaller = larger;
      }
    }
  });

  test('zeros and nulls between the tensors change nothing', async () => {
    const gradients = makeGradients(21, isNarrow);
    /** @type {Gradient[]} */
    const zeros = [
      new Float32Array(7),
      new Float32Array(0),
      { data: Uint16Array.of(0x8000), dtype: 'float16' },
      ...(isNarrow ? [] : [new Float64Array(0), new Int8Array(3)]),
    ];
    const padded = gradients.flatMap((gradient) => [null, gradient, undefined, ...zeros]);
    for (const p of normTypes) {
      assert.ok(Object.is(await norm(padded, p), await norm(gradients, p)), `p = ${p}`);
    }
  });

  test('a tensor listed twice counts twice', async () => {
    const long = makeGradients(22, isNarrow).filter(
      (gradient) => ('dtype' in gradient ? gradient.data : gradient).length > 100,
    );
    assert.ok(long.length > 10);
    for (const gradient of long) {
      for (const p of [1, 2, 4]) {
        const twice = await norm([gradient, gradient], p);
        const expected = (await norm([gradient], p)) * 2 ** (1 / p);
        assert.ok(
          Math.abs(twice - expected) <= 2 ** -50 * expected,
          `p = ${p}: ${hex(twice)}, ${hex(expected)}`,
        );
      }
    }
  });
}
