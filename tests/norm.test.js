// tests/norm.test.js: gradNorm against the exact oracle, over lengths, offsets, magnitudes and powers, and the
// special values of the contract.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gradNorm } from 'gradnorm';
import {
  assertAccurate,
  assertClose,
  BLOCK,
  createRandom,
  hex,
  makeArray,
  NORM_TYPES,
  promisedBound,
} from './accuracy.js';
import { FLOAT32_MAGNITUDES } from './cases.js';
import { exactNorm } from './oracle.js';
import { STAGING_BYTES } from './staging.js';

const TYPES = [Float32Array, Float64Array];

/**
 * `length` elements at `offset` in a buffer that holds nothing else but NaN.
 * @param {typeof Float32Array | typeof Float64Array} Type
 * @param {number} length
 * @param {number} offset
 * @param {() => number} element
 */
function poisoned(Type, length, offset, element) {
  const all = new Type(length + offset + 40).fill(NaN);
  const array = all.subarray(offset, offset + length);
  for (let i = 0; i < length; ++i) array[i] = element();
  return array;
}

for (const Type of TYPES) {
  const bound = Type === Float32Array ? '2^-23' : 'its bound';

  test(`${Type.name}: every p within ${bound} for n = 0..257 at every offset 0..7`, () => {
    for (const p of NORM_TYPES) {
      for (let length = 0; length <= 257; ++length) {
        const random = createRandom(length);
        const aligned = poisoned(Type, length, 0, () => random() - 0.5);
        const norm = gradNorm(aligned, p);
        assertClose(norm, exactNorm([aligned], p), promisedBound([aligned], p), `n = ${length}, p = ${p}`);
        for (let offset = 1; offset < 8; ++offset) {
          let i = 0;
          const shifted = poisoned(Type, length, offset, () => aligned[i++]);
          assert.equal(gradNorm(shifted, p), norm, `n = ${length}, offset ${offset}, p = ${p}`);
        }
      }
    }
  });

  test(`${Type.name}: every p within ${bound} around the ends of blocks and of the staging area`, () => {
    const staging = STAGING_BYTES / Type.BYTES_PER_ELEMENT;
    for (const end of [BLOCK, 2 * BLOCK, 3 * BLOCK, staging, staging + BLOCK, 2 * staging]) {
      for (const length of [end - 1, end, end + 1]) {
        const random = createRandom(length);
        // Few different magnitudes, which the oracle remembers, in random order.
        const array = poisoned(Type, length, length % 8, () => Math.ceil(random() * 500) / 512 - 0.5);
        for (const p of NORM_TYPES) assertAccurate(gradNorm([array], p), [array], p, `n = ${length}`);
      }
    }
  });
}

/** @type {typeof FLOAT32_MAGNITUDES} */
const FLOAT64_MAGNITUDES = {
  'ordinary gradients': (random) => (random() - 0.5) * 1e-2,
  1e200: (random) => (random() - 0.5) * 1e200,
  '1e-300': (random) => (random() - 0.5) * 1e-300,
  subnormals: (random) => (random() - 0.5) * 1e-310,
  'up to DBL_MAX': (random) => (random() - 0.5) * Number.MAX_VALUE,
  '1e200 mixed with 1e-300': (random) => (random() < 0.5 ? 1e200 : 1e-300) * random(),
  'all magnitudes': (random) => (random() - 0.5) * 2 ** (random() * 2000 - 1050),
};

const MORE_NORM_TYPES = [
  1e-3,
  0.3,
  1.1,
  2.7,
  3.5,
  63.5,
  64,
  64.5,
  65,
  66.6,
  12345.678,
  2 ** 31,
  2 ** 53 - 1,
  1e20,
];

test('hard magnitudes: every p within its bound, and neither 0 nor Infinity unless the norm is', () => {
  for (const [Type, table] of /** @type {const} */ ([
    [Float32Array, FLOAT32_MAGNITUDES],
    [Float64Array, FLOAT64_MAGNITUDES],
  ])) {
    for (const [name, element] of Object.entries(table)) {
      for (const length of [1, 2, 3, 33, BLOCK + 5]) {
        const random = createRandom(length + 1);
        const array = makeArray(Type, length, (i) => element(random, i));
        const norms = length > BLOCK ? NORM_TYPES : [...NORM_TYPES, ...MORE_NORM_TYPES];
        for (const p of norms)
          assertAccurate(gradNorm(array, p), [array], p, `${Type.name}, ${name}, ${length}`);
      }
    }
  }
});

test('tiny and huge p: a lone nonzero element is itself, two have no finite norm, from 2^53 on the maximum counts', () => {
  for (const p of [Number.MIN_VALUE, 1e-300, 1e-10, 2 ** -13, 2 ** -12, 3e-4]) {
    for (const array of [
      Float32Array.of(0, 0.3, 0, -0),
      Float64Array.of(1e300, 0),
      Float32Array.of(2, -3),
      Float64Array.of(5e-324, 5e-324),
      Float32Array.of(2 ** -149, 2 ** -149),
      new Float32Array(5000).fill(1),
    ]) {
      assertAccurate(gradNorm(array, p), [array], p, `[${array.slice(0, 4)}]`);
    }
  }
  for (const p of [2 ** 52, 2 ** 53 - 1, 2 ** 53, 2 ** 60, 1e300, Number.MAX_VALUE]) {
    const array = Float64Array.from({ length: 5000 }, (_, i) => (i % 3 === 0 ? 5e-324 : 1.7e308));
    assertAccurate(gradNorm(array, p), [array], p, 'ties');
    const small = Float64Array.of(5e-324, 1e-323, 1e-323);
    assertAccurate(gradNorm(small, p), [small], p, 'subnormal ties');
  }
});

test('the largest double among zeros is itself, not Infinity', () => {
  for (const p of [0.001, 0.1, 0.5, 0.999, 1, 1.5, 2, 2.7, 3, 64, 66.6, 1000, 12345.678, 2 ** 53 - 1]) {
    const array = Float64Array.of(0, Number.MAX_VALUE, 0);
    assertAccurate(gradNorm(array, p), [array], p, 'DBL_MAX');
  }
});

test('blocks on either side of a switch of kernels: every p within its bound', () => {
  // 2^-63, where float32 squares become subnormal; 2^-44, where their sum becomes unsafe; 2^-480 and below,
  // where squares of doubles do; 2^63 and 2^511, where squares overflow.
  for (const exponent of [-64, -63, -62, -50, -45, -44, -43, -42, 62, 63, 64, 126]) {
    for (const factor of [1 - 2 ** -20, 1, 1 + 2 ** -20]) {
      const array = Float32Array.from({ length: 100 }, (_, i) => factor * 2 ** exponent * (1 + i / 128));
      for (const p of NORM_TYPES) assertAccurate(gradNorm(array, p), [array], p, `float32 2^${exponent}`);
    }
  }
  for (const exponent of [
    -1030, -540, -513, -512, -490, -480, -479, -321, -320, 255, 340, 510, 511, 512, 1000,
  ]) {
    const array = Float64Array.from({ length: 100 }, (_, i) => 2 ** exponent * (1 + i / 128));
    for (const p of NORM_TYPES) assertAccurate(gradNorm(array, p), [array], p, `float64 2^${exponent}`);
  }
});

test('lists of float32 and float64 within the bound of float32', () => {
  const random = createRandom(7);
  const arrays = Array.from({ length: 40 }, (_, k) =>
    makeArray(k % 2 === 0 ? Float32Array : Float64Array, k, () => (random() - 0.5) * 2 ** (k - 20)),
  );
  for (const p of NORM_TYPES) assertAccurate(gradNorm(arrays, p), arrays, p, 'mixed list');
});

test('a single element in all is returned exactly for every p', () => {
  const powers = [...NORM_TYPES, ...MORE_NORM_TYPES, Number.MIN_VALUE, 2 ** -12, 2 ** 53, 1e300];
  for (const p of powers) {
    for (const x of [0.1, -3, 2 ** -149, -3.4028234663852886e38]) {
      const single = Math.abs(Math.fround(x));
      assert.equal(gradNorm([null, Float32Array.of(x), new Float64Array(0)], p), single, `p = ${p}`);
    }
    for (const x of [1e200, -5e-324, Number.MAX_VALUE, Math.PI]) {
      assert.equal(gradNorm(Float64Array.of(x), p), Math.abs(x), `p = ${p}`);
    }
  }
});

test('nothing at all and nothing but zeros have norm +0 for every p', () => {
  for (const p of [...NORM_TYPES, 1e-300, 1e300]) {
    for (const gradients of [[], {}, new Map(), null, [null, undefined], new Float32Array(0)]) {
      assert.ok(Object.is(gradNorm(gradients, p), 0), `p = ${p}`);
    }
    for (const length of [1, 2, 17, 5000]) {
      assert.ok(Object.is(gradNorm(new Float32Array(length).fill(-0), p), 0), `p = ${p}, ${length} zeros`);
      assert.ok(Object.is(gradNorm(new Float64Array(length), p), 0), `p = ${p}, ${length} zeros`);
    }
  }
});

test('NaN beats Infinity, Infinity beats every number, wherever they are and for every p', () => {
  for (const p of [...NORM_TYPES, 2.7, 66.6, 1e-300, 1e300]) {
    for (const Type of TYPES) {
      for (const length of [1, 2, 15, 33, BLOCK + 1]) {
        for (const at of new Set([0, length >> 1, length - 1])) {
          const array = new Type(length).fill(1);
          array[at] = -Infinity;
          assert.equal(gradNorm(array, p), Infinity, `${Type.name}, p = ${p}, n = ${length}, at ${at}`);
          const list = [Type.of(1, NaN, 2), array];
          assert.ok(Number.isNaN(gradNorm(list, p)), `${Type.name}, p = ${p}, n = ${length}, at ${at}`);
          assert.ok(Number.isNaN(gradNorm(list.reverse(), p)), `p = ${p}, reversed`);
        }
      }
    }
  }
});

test('NaNs of every sign and payload are seen', () => {
  for (const bits of [0x7f800001, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffffffff]) {
    const array = new Float32Array(40);
    new Uint32Array(array.buffer)[39] = bits;
    for (const p of NORM_TYPES) assert.ok(Number.isNaN(gradNorm(array, p)), `${bits.toString(16)}, p = ${p}`);
  }
});

test('what people know by heart: 3-4-5, and no overflow where float32 squares overflow', () => {
  assert.equal(gradNorm([Float32Array.of(3), null, Float32Array.of(4)]), 5);
  assert.equal(gradNorm({ weight: Float32Array.of(1, -2), bias: null }, Infinity), 2);
  assert.equal(gradNorm(Float32Array.of(1e20, 1, 1)), Math.fround(1e20), hex(Math.fround(1e20)));
  assert.equal(gradNorm(Float32Array.of(-1, 2, -3), 1), 6);
  assert.equal(gradNorm(Float64Array.of(3 * 2 ** 700, 4 * 2 ** 700)), 5 * 2 ** 700);
});
