// tests/dtypes.test.js: the element types beside float32 and float64. Both halves by all of their 65536 patterns,
// integers from end to end, each against the oracle, which decodes by itself, and against the same values in a
// Float32Array or Float64Array, which tests/norm.test.js holds against the oracle.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gradNorm } from 'gradnorm';
import { assertAccurate, BLOCK, createRandom, hex, NORM_TYPES } from './accuracy.js';
import { valuesOfBits } from './oracle.js';
import { MAX_SEGMENTS, STAGING_BYTES } from './staging.js';

/**
 * @typedef {Int8Array | Uint8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array | Uint32Array} Storage
 * @typedef {Storage | { data: Uint16Array, dtype: 'float16' | 'bfloat16' }} Gradient
 */

/**
 * An element type.
 * @typedef {object} ElementType
 * @property {string} name
 * @property {Int8ArrayConstructor} Storage  or the constructor of another array of integers
 * @property {typeof Float32Array | typeof Float64Array} Widened  the narrowest floats that hold every value
 * @property {number} poison  what is stored around a gradient: nothing else is as large, or it is NaN
 * @property {(array: Storage) => Gradient} wrap
 * @property {(array: Storage) => Float64Array} valuesOf
 * @property {(random: () => number) => number} element  something to store: a finite value
 */

/** The bits of 1 and of Infinity. */
const HALVES = [
  { name: /** @type {const} */ ('float16'), one: 0x3c00, infinity: 0x7c00, fractionBits: 10 },
  { name: /** @type {const} */ ('bfloat16'), one: 0x3f80, infinity: 0x7f80, fractionBits: 7 },
];

const INTEGERS = [
  { Type: Int8Array, least: -128, greatest: 127 },
  { Type: Uint8Array, least: 0, greatest: 255 },
  { Type: Uint8ClampedArray, least: 0, greatest: 255 },
  { Type: Int16Array, least: -(2 ** 15), greatest: 2 ** 15 - 1 },
  { Type: Uint16Array, least: 0, greatest: 2 ** 16 - 1 },
  { Type: Int32Array, least: -(2 ** 31), greatest: 2 ** 31 - 1 },
  { Type: Uint32Array, least: 0, greatest: 2 ** 32 - 1 },
];

/** @type {ElementType[]} */
const ELEMENT_TYPES = [
  ...HALVES.map(({ name, one, fractionBits }) => ({
    name,
    Storage: /** @type {any} */ (Uint16Array),
    Widened: Float32Array,
    poison: 0x7fff,
    wrap: (/** @type {any} */ data) => ({ data, dtype: name }),
    valuesOf: (/** @type {Storage} */ bits) => valuesOfBits(bits, name),
    // Of either sign, and within 2^-8 .. 2^8 of one.
    element: (/** @type {() => number} */ random) =>
      (random() < 0.5 ? 0x8000 : 0) + one + Math.floor((2 * random() - 1) * 2 ** (fractionBits + 3)),
  })),
  ...INTEGERS.map(({ Type, least, greatest }) => ({
    name: Type.name,
    Storage: /** @type {any} */ (Type),
    Widened: Type.BYTES_PER_ELEMENT < 4 ? Float32Array : Float64Array,
    poison: least === 0 ? greatest : least,
    wrap: (/** @type {Storage} */ array) => array,
    valuesOf: (/** @type {Storage} */ array) => Float64Array.from(array),
    element: (/** @type {() => number} */ random) =>
      least + 1 + Math.floor(random() * (greatest - least - 1)),
  })),
];

/**
 * `length` elements at `offset` in a buffer that holds nothing else but poison.
 * @param {ElementType} type
 * @param {number} length
 * @param {number} offset
 * @param {(index: number) => number} element
 * @returns {Storage}
 */
function poisoned({ Storage, poison }, length, offset, element) {
  const array = new Storage(length + offset + 40).fill(poison).subarray(offset, offset + length);
  for (let i = 0; i < length; ++i) array[i] = element(i);
  return array;
}

/**
 * The same values in the narrowest floats that hold them.
 * @param {ElementType} type
 * @param {Storage} array
 */
function widened({ Widened, valuesOf }, array) {
  return Widened.from(valuesOf(array));
}

/**
 * @param {number} actual
 * @param {number} expected
 * @param {() => string} where
 */
function assertSameBits(actual, expected, where) {
  assert.ok(Object.is(actual, expected), `${where()}: got ${hex(actual)}, expected ${hex(expected)}`);
}

for (const { name, infinity } of HALVES) {
  const values = valuesOfBits([...Array(2 ** 16).keys()], name);

  describe(`${name}: all 65536 patterns`, () => {
    test('each alone has exactly its magnitude as norm, for every p', () => {
      const data = new Uint16Array(1);
      for (const p of NORM_TYPES) {
        for (let bits = 0; bits < 2 ** 16; ++bits) {
          data[0] = bits;
          assertSameBits(
            gradNorm({ data, dtype: name }, p),
            Math.abs(values[bits]),
            () => `0x${bits.toString(16)}, p = ${p}`,
          );
        }
      }
    });

    test('each among zeros of both signs, in every lane, has exactly its magnitude for p = 1, 2 and Infinity', () => {
      for (let bits = 0; bits < 2 ** 16; ++bits) {
        const data = Uint16Array.of(0, 0x8000, 0, 0x8000, 0, 0x8000, 0, 0x8000, 0);
        data[bits % 9] = bits;
        for (const p of [1, 2, Infinity]) {
          assertSameBits(
            gradNorm({ data, dtype: name }, p),
            Math.abs(values[bits]),
            () => `0x${bits.toString(16)}, p = ${p}`,
          );
        }
      }
    });

    test('the finite ones together: every p within 2^-23, and the same bits as in a Float32Array', () => {
      const finite = Uint16Array.from(values.keys()).filter((bits) => (bits & 0x7fff) < infinity);
      assert.equal(finite.length, 2 * infinity);
      // 40009 is prime to the count: another order of all of them.
      const mixed = finite.map((_, i) => finite[(i * 40009) % finite.length]);
      assert.deepEqual(mixed.slice().sort(), finite);
      for (const p of NORM_TYPES) {
        for (const data of [finite, mixed]) {
          const floats = Float32Array.from(data, (bits) => values[bits]);
          const norm = gradNorm({ data, dtype: name }, p);
          assertSameBits(norm, gradNorm(floats, p), () => `p = ${p}`);
          if (data === mixed) assertAccurate(norm, [{ data, dtype: name }], p, 'all finite patterns');
        }
      }
    });

    test('magnitudes of one kind, subnormal or near the largest: every p within 2^-23', () => {
      const smallestNormal = name === 'float16' ? 0x0400 : 0x0080;
      /** @type {[kind: string, first: number, count: number][]} */
      const kinds = [
        ['subnormal', 1, smallestNormal - 1],
        ['around the smallest normal', smallestNormal - 20, 40],
        ['the largest', infinity - 100, 100],
        ['the smallest', 1, 3],
      ];
      for (const [kind, first, count] of kinds) {
        const random = createRandom(first);
        for (const length of [2, 3, 33, BLOCK + 5]) {
          const data = Uint16Array.from(
            { length },
            () => first + Math.floor(random() * count) + (random() < 0.5 ? 0x8000 : 0),
          );
          const gradient = { data, dtype: name };
          for (const p of NORM_TYPES)
            assertAccurate(gradNorm(gradient, p), [gradient], p, `${kind}, ${length}`);
        }
      }
    });

    test('every NaN makes NaN and every infinity Infinity, wherever it is and for every p', () => {
      const length = BLOCK + 9;
      const clean = new Uint16Array(length).fill(1);
      for (let bits = infinity; bits < 0x8000; bits += bits === infinity ? 1 : 13) {
        const data = clean.slice();
        data[(bits * 31) % length] = bits | ((bits & 1) << 15);
        for (const p of [0.5, 1, 2, 3, 7.3, Infinity]) {
          assert.equal(
            gradNorm({ data, dtype: name }, p),
            Math.abs(values[bits]),
            `0x${bits.toString(16)}, p = ${p}`,
          );
        }
      }
    });
  });
}

for (const type of ELEMENT_TYPES) {
  const { name, Widened, wrap, valuesOf, element } = type;
  const asWidened = `the same bits as in a ${Widened.name}`;

  describe(name, () => {
    test(`n = 0..257 at every offset 0..7: ${asWidened}, for every p`, () => {
      for (let length = 0; length <= 257; ++length) {
        const random = createRandom(length);
        const aligned = poisoned(type, length, 0, () => element(random));
        const shifted = [0, 1, 2, 3, 4, 5, 6, 7].map((offset) =>
          wrap(poisoned(type, length, offset, (i) => aligned[i])),
        );
        const floats = widened(type, aligned);
        for (const p of NORM_TYPES) {
          const norm = gradNorm(floats, p);
          shifted.forEach((gradient, offset) =>
            assertSameBits(gradNorm(gradient, p), norm, () => `n = ${length}, offset ${offset}, p = ${p}`),
          );
        }
      }
    });

    test('lengths around a vector and around the smallest tree: every p within its bound', () => {
      for (const length of [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129]) {
        const random = createRandom(1000 + length);
        const gradient = wrap(poisoned(type, length, length % 8, () => element(random)));
        for (const p of NORM_TYPES) assertAccurate(gradNorm(gradient, p), [gradient], p, `n = ${length}`);
      }
    });

    test(`around the ends of blocks, at every offset 0..7: ${asWidened}, and within the bound`, () => {
      for (const end of [BLOCK, 2 * BLOCK, 3 * BLOCK]) {
        for (const length of [end - 1, end, end + 1]) {
          const random = createRandom(length);
          // Few different magnitudes, which the oracle remembers, in random order.
          const few = Array.from({ length: 200 }, () => element(random));
          const aligned = poisoned(type, length, 0, () => few[Math.floor(random() * 200)]);
          const floats = widened(type, aligned);
          for (const p of NORM_TYPES) {
            const norm = gradNorm(floats, p);
            for (let offset = 0; offset < 8; ++offset) {
              const gradient = wrap(poisoned(type, length, offset, (i) => aligned[i]));
              assertSameBits(gradNorm(gradient, p), norm, () => `n = ${length}, offset ${offset}, p = ${p}`);
            }
            assertAccurate(norm, [wrap(aligned)], p, `n = ${length}`);
          }
        }
      }
    });

    test(`around the ends of the staging area: ${asWidened}, for every p`, () => {
      const staging = STAGING_BYTES / type.Storage.BYTES_PER_ELEMENT;
      for (const end of [staging, staging + BLOCK, 2 * staging]) {
        for (const length of [end - 1, end, end + 1]) {
          const random = createRandom(length);
          const array = poisoned(type, length, length % 8, () => element(random));
          const floats = widened(type, array);
          for (const p of NORM_TYPES) {
            assertSameBits(gradNorm(wrap(array), p), gradNorm(floats, p), () => `n = ${length}, p = ${p}`);
          }
        }
      }
    });

    test('all zeros have norm +0 for every p', () => {
      for (const length of [0, 1, 2, 17, 5000]) {
        const gradient = wrap(new type.Storage(length));
        for (const p of NORM_TYPES) assertSameBits(gradNorm(gradient, p), 0, () => `n = ${length}, p = ${p}`);
      }
      assert.deepEqual(valuesOf(new type.Storage(3)), new Float64Array(3));
    });
  });
}

for (const { Type, least, greatest } of INTEGERS) {
  describe(`${Type.name}: from end to end`, () => {
    const from = (/** @type {number[]} */ ...elements) => new Type(elements);
    const count = greatest - least + 1;

    test(`${count <= 2 ** 16 ? 'all' : 'a spread of'} values, each alone: exactly the magnitude, for every p`, () => {
      const array = new Type(1);
      const step = count <= 2 ** 16 ? 1 : (count - 1) / 4095;
      for (let i = 0; i * step < count; ++i) {
        array[0] = least + Math.round(i * step);
        const size = Math.abs(array[0]);
        for (const p of NORM_TYPES) assertSameBits(gradNorm(array, p), size, () => `${array[0]}, p = ${p}`);
      }
      assert.equal(array[0], greatest);
    });

    test('sums of the ends are exact, and roots of four squares unless a float32 rounds the squares', () => {
      for (const end of [least, greatest]) {
        const size = Math.abs(end);
        assert.equal(gradNorm(from(end, end, end, 0, 0), 1), 3 * size);
        if (Type.BYTES_PER_ELEMENT !== 2 || end === -(2 ** 15)) {
          assert.equal(gradNorm(from(end, end, end, end, 0), 2), 2 * size);
          assert.equal(gradNorm([from(end, end), from(end), from(end)], 2), 2 * size);
        }
        assert.equal(gradNorm(new Type(BLOCK + 4).fill(end), 1), (BLOCK + 4) * size);
      }
      assert.equal(gradNorm(from(least, greatest), 1), greatest - least);
      assert.equal(gradNorm(from(least, greatest), Infinity), Math.max(-least, greatest));
    });

    test('the ends and values beside them: every p within its bound', () => {
      const random = createRandom(5);
      const ends = [least, least + 1, greatest, greatest - 1, Math.floor((least + greatest) / 2), 0, 1];
      for (const length of [2, 3, 33, BLOCK + 5]) {
        const array = new Type(length).map(() => ends[Math.floor(random() * ends.length)]);
        for (const p of NORM_TYPES) assertAccurate(gradNorm(array, p), [array], p, `n = ${length}`);
      }
    });
  });
}

describe('lists of all element types', () => {
  /**
   * Tensors of all types, float32 and float64 too, and the same values in floats.
   * @param {number} count
   * @param {number} seed
   * @param {(random: () => number) => number} lengthOf
   */
  function makeMixed(count, seed, lengthOf) {
    const random = createRandom(seed);
    /** @type {{ gradients: (Gradient | Float32Array | Float64Array)[], floats: (Float32Array | Float64Array)[] }} */
    const mixed = { gradients: [], floats: [] };
    for (let k = 0; k < count; ++k) {
      const type = ELEMENT_TYPES[k % (ELEMENT_TYPES.length + 2)];
      const length = Math.floor(lengthOf(random));
      if (type !== undefined) {
        const array = poisoned(type, length, k % 5, () => type.element(random));
        mixed.gradients.push(type.wrap(array));
        mixed.floats.push(widened(type, array));
      } else {
        const Type = k % 2 === 0 ? Float32Array : Float64Array;
        const array = new Type(length).map(() => (random() - 0.5) * 1000);
        mixed.gradients.push(array);
        mixed.floats.push(array);
      }
    }
    return mixed;
  }

  test('of 0 to 40 elements: every p within 2^-23, the same bits as the values in floats, in any order', () => {
    const { gradients, floats } = makeMixed(66, 1, (random) => random() * 40);
    for (const p of NORM_TYPES) {
      const norm = gradNorm(gradients, p);
      assertAccurate(norm, gradients, p, 'mixed list');
      assertSameBits(norm, gradNorm(floats, p), () => `floats, p = ${p}`);
      assertSameBits(gradNorm([...gradients].reverse(), p), norm, () => `reversed, p = ${p}`);
    }
  });

  test('without a type narrower than 32 bits: every p within the bound of float64', () => {
    const { gradients } = makeMixed(66, 2, (random) => random() * 40);
    const wide = gradients.filter((gradient) =>
      [Float64Array, Int32Array, Uint32Array].some((Type) => gradient instanceof Type),
    );
    assert.equal(wide.length, 18);
    for (const p of NORM_TYPES) assertAccurate(gradNorm(wide, p), wide, p, 'wide list');
  });

  test(`more than ${MAX_SEGMENTS} tensors at once, each of them counted: the same bits as in floats`, () => {
    const { gradients, floats } = makeMixed(3 * MAX_SEGMENTS + 5, 3, (random) => random() * 4);
    for (const p of NORM_TYPES) assertSameBits(gradNorm(gradients, p), gradNorm(floats, p), () => `p = ${p}`);
  });

  test(`around multiples of ${MAX_SEGMENTS} tensors of a single 1: for p = 1 their number`, () => {
    const ones = [Float32Array.of(1), Float64Array.of(1), Uint32Array.of(1), Int8Array.of(-1)];
    const halves = HALVES.map(({ name, one }) => ({ data: Uint16Array.of(one), dtype: name }));
    for (const count of [MAX_SEGMENTS, 2 * MAX_SEGMENTS].flatMap((n) => [n - 1, n, n + 1])) {
      const gradients = Array.from({ length: count }, (_, k) => [...ones, ...halves][k % 6]);
      assert.equal(gradNorm(gradients, 1), count);
    }
  });

  test('several times the staging area, cut wherever it is full: the same bits as in floats', () => {
    const { gradients, floats } = makeMixed(44, 4, (random) => random() ** 3 * 200_000);
    for (const p of NORM_TYPES) {
      const norm = gradNorm(floats, p);
      assertSameBits(gradNorm(gradients, p), norm, () => `p = ${p}`);
      assertSameBits(gradNorm([...gradients].reverse(), p), norm, () => `reversed, p = ${p}`);
    }
  });
});
