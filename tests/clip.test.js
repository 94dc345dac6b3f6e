// tests/clip.test.js: clipping: what is returned, what is written, bit for bit against a reference of its own, what
// is not, and the norm afterwards against the exact oracle.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import {
  clipCoefficient,
  clipGradNorm,
  clipGradsWithNorm,
  clipGradValue,
  GradientError,
  GradMonitor,
  gradNorm,
} from 'gradnorm';
import { createRandom, hex, NORM_TYPES, promisedBound } from './accuracy.js';
import { assertDirectionKept, epsBeside, HARD_FLOAT32_CLIPS } from './cases.js';
import {
  arrayOf,
  assign,
  bytesOf,
  copyOf,
  FLOAT_TYPES,
  gradientOf,
  HALVES,
  INTEGER_TYPES,
  typeOf,
  valuesOf,
} from './halves.js';
import { exactNorm, toNumber } from './oracle.js';
import { STAGING_BYTES } from './staging.js';

/**
 * @typedef {import('./halves.js').FloatGradient} FloatGradient
 * @typedef {import('./halves.js').ElementType<FloatGradient>} FloatType
 * @typedef {import('gradnorm').NonfinitePolicy} NonfinitePolicy
 */

/** @type {NonfinitePolicy[]} */
const POLICIES = ['propagate', 'throw', 'skip', 'zero'];

const WRITABLE =
  "a Float32Array, Float64Array or Float16Array, or { data: Uint16Array, dtype: 'float16' or 'bfloat16' }";

/** Around the sizes of vectors, the loop for short tensors, blocks and 32 KiB, which the first cache holds. */
const LENGTHS = [
  ...[0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 255, 256, 257, 258, 259],
  ...[4095, 4096, 4097, 8191, 8192, 8193, 16383, 16384, 16385],
];

const f32 = (/** @type {number[]} */ ...elements) => Float32Array.of(...elements);
const f64 = (/** @type {number[]} */ ...elements) => Float64Array.of(...elements);
const [FLOAT32, FLOAT64] = FLOAT_TYPES;

/** Hides from the type checker what is wrong on purpose. */
const untyped = (/** @type {unknown} */ value) => /** @type {any} */ (value);

/**
 * The next double towards zero.
 * @param {number} x  > 0
 */
function before(x) {
  const value = Float64Array.of(x);
  --new BigUint64Array(value.buffer)[0];
  return value[0];
}

/**
 * A finite number with a sign, a fraction and any of the exponents that fits.
 * @param {() => number} random
 * @param {number} least  exponent
 * @param {number} most  exponent
 */
function randomNumber(random, least, most) {
  const sign = random() < 0.5 ? -1 : 1;
  return sign * (1 + random()) * 2 ** Math.floor(least + random() * (most - least));
}

/**
 * Elements of all magnitudes that a type has, with zeros, infinities and NaN among them.
 * @param {FloatType} type
 * @param {number} length
 * @param {number} seed
 */
function anyValues({ dtype }, length, seed) {
  const random = createRandom(seed);
  const [least, most] = { float16: [-24, 15], bfloat16: [-133, 127], float32: [-149, 127] }[dtype] ?? [
    -1074, 1023,
  ];
  const special = [0, -0, NaN, Infinity, -Infinity];
  return Float64Array.from({ length }, () =>
    random() < 0.02 ? special[Math.floor(random() * 5)] : randomNumber(random, least, most),
  );
}

/**
 * Gradients of several types and lengths whose elements are zeros or of magnitude 1/16 to 16, so that float16 has
 * them, and a thousandth of them, as normal numbers.
 * @param {number} seed
 * @param {readonly FloatType[]} [types]
 * @returns {FloatGradient[]}
 */
function makeList(seed, types = FLOAT_TYPES) {
  const random = createRandom(seed);
  const element = () => (random() < 0.03 ? 0 : randomNumber(random, -4, 4));
  const lengths = [0, 1, ...Array.from({ length: 9 }, () => Math.floor(random() ** 3 * 900))];
  return lengths.map((length, k) =>
    gradientOf(types[k % types.length], Float64Array.from({ length }, element)),
  );
}

/** @param {readonly FloatGradient[]} list */
const copyAll = (list) => list.map(copyOf);

/**
 * Makes a call that must leave every bit of these gradients as it is.
 * @template T
 * @param {readonly import('./halves.js').AnyGradient[]} gradients
 * @param {() => T} call
 * @param {string} [where]
 * @returns {T}
 */
function withoutWriting(gradients, call, where = '') {
  const bytes = gradients.map(bytesOf);
  const result = call();
  gradients.forEach((gradient, i) => {
    assert.ok(bytesOf(gradient).equals(bytes[i]), `${where}: gradient ${i} was written`);
  });
  return result;
}

/**
 * @param {readonly FloatGradient[]} actual
 * @param {readonly FloatGradient[]} expected
 * @param {string} where
 */
function assertSameBits(actual, expected, where) {
  expected.forEach((gradient, i) => assertValues(actual[i], valuesOf(gradient), `${where}, gradient ${i}`));
}

/**
 * The same values, zeros by their signs; a NaN is a NaN.
 * @param {FloatGradient} gradient
 * @param {ArrayLike<number>} expected
 * @param {string} where
 */
function assertValues(gradient, expected, where) {
  const actual = valuesOf(gradient);
  assert.equal(actual.length, expected.length, where);
  for (let i = 0; i < actual.length; ++i) {
    if (!Object.is(actual[i], expected[i])) {
      assert.fail(`${where}, element ${i}: ${hex(actual[i])}, expected ${hex(expected[i])}`);
    }
  }
}

/**
 * Reference: the largest float32 that is not above a factor, by a step of its bits. Where that is no normal number,
 * and for the other types, the factor itself.
 * @param {FloatType} type
 * @param {number} factor
 */
function factorFor({ dtype }, factor) {
  if (dtype !== 'float32') return factor;
  const value = Float32Array.of(factor);
  if (value[0] > factor) --new Uint32Array(value.buffer)[0];
  return value[0] >= 2 ** -126 ? value[0] : factor;
}

/**
 * Reference: what clipping makes of elements.
 * @param {FloatType} type
 * @param {Float64Array} values
 * @param {number} factor
 */
function scaled(type, values, factor) {
  const own = factorFor(type, factor);
  return values.map((value) => type.round(value * own));
}

/**
 * Reference: elements clamped to the nearest value of the limit.
 * @param {FloatType} type
 * @param {Float64Array} values
 * @param {number} clipValue
 */
function clamped(type, values, clipValue) {
  const limit = type.round(clipValue);
  return values.map((value) => (Math.abs(value) > limit ? (value < 0 ? -limit : limit) : value));
}

/** With halves among the gradients, be they none, the factor leaves no room for rounding. */
const NO_ROOM = { data: new Uint16Array(0), dtype: /** @type {const} */ ('float16') };

/**
 * Multiplies the gradients by this factor and nothing else.
 * @param {import('gradnorm').Gradients} gradients
 * @param {number} factor  in [0, 1), or NaN
 */
function multiply(gradients, factor) {
  const all = [...(Array.isArray(gradients) ? gradients : [gradients]), NO_ROOM];
  if (Number.isNaN(factor)) clipGradsWithNorm(all, 1, NaN);
  else clipGradsWithNorm(all, factor, 1, { eps: 0 });
}

/**
 * What clipping multiplies by where there are no halves: the formula, with room for rounding below the limit.
 * @param {number} norm
 * @param {number} maxNorm
 * @param {number} eps
 * @param {number} room
 */
function roomyFactor(norm, maxNorm, eps, room) {
  return Math.min(maxNorm / (norm + eps), (maxNorm / norm) * (1 - room) - 2 ** -1074);
}

/**
 * A copy of a gradient, at an offset in a buffer that holds nothing else but NaN.
 * @param {FloatGradient} source
 * @param {number} offset  in elements
 */
function poisoned(source, offset) {
  const { view, bytes } = typeOf(source);
  const { length } = arrayOf(source);
  const buffer = new ArrayBuffer((offset + length + 8) * bytes);
  new Uint8Array(buffer).fill(0xff);
  const gradient = view(buffer, offset * bytes, length);
  arrayOf(gradient).set(arrayOf(source));
  return gradient;
}

/**
 * @param {FloatGradient} gradient  in such a buffer
 * @param {string} where
 */
function assertPoisonKept(gradient, where) {
  const { buffer, byteOffset, byteLength } = arrayOf(gradient);
  const isPoison = (/** @type {number} */ byte) => byte === 0xff;
  assert.ok(new Uint8Array(buffer, 0, byteOffset).every(isPoison), `${where}: what lies before was written`);
  assert.ok(new Uint8Array(buffer, byteOffset + byteLength).every(isPoison), `${where}: what lies behind`);
}

/**
 * The relative error that gradNorm may have.
 * @param {readonly FloatGradient[]} list
 * @param {number} p
 */
function normBound(list, p) {
  const allDouble = list.every((gradient) => gradient instanceof Float64Array);
  return promisedBound([allDouble ? f64() : f32()], p);
}

/**
 * The largest relative error of storing one of the elements as a normal number.
 * @param {readonly FloatGradient[]} list
 */
function roundoffOf(list) {
  return Math.max(...list.map((gradient) => typeOf(gradient).roundoff));
}

/**
 * @param {readonly FloatGradient[]} list
 * @param {number} p
 */
function exactNormOf(list, p) {
  return toNumber(exactNorm(list.map(valuesOf), p));
}

/**
 * @param {() => unknown} call
 * @returns {Error}
 */
function errorOf(call) {
  try {
    call();
  } catch (error) {
    return /** @type {Error} */ (error);
  }
  return assert.fail('nothing was thrown');
}

test('the reference knows the halves: corner values, and bfloat16 as the upper half of a float32', () => {
  const { float16, bfloat16 } = HALVES;
  const bits = [0x0001, 0x03ff, 0x0400, 0x3c00, 0x3c01, 0x7bff, 0x7c00, 0x8000, 0xc000];
  const values = [2 ** -24, 1023 * 2 ** -24, 2 ** -14, 1, 1 + 2 ** -10, 65504, Infinity, -0, -2];
  bits.forEach((pattern, i) => assert.ok(Object.is(float16.values[pattern], values[i]), hex(values[i])));
  const words = new Uint32Array(1);
  const floats = new Float32Array(words.buffer);
  for (let pattern = 0; pattern < 0x10000; ++pattern) {
    words[0] = pattern * 0x10000;
    assert.ok(Object.is(bfloat16.values[pattern], floats[0]), `bfloat16 ${pattern.toString(16)}`);
    for (const { values, bitsOf } of [float16, bfloat16]) {
      if (!Number.isNaN(values[pattern])) assert.equal(bitsOf(values[pattern]), pattern);
    }
  }
  // Ties to even, on either side of a tie, and where numbers end.
  assert.deepEqual([2049, 2051, 2049.0001, 2050.9999].map(FLOAT_TYPES[2].round), [2048, 2052, 2050, 2050]);
  assert.deepEqual([65519.9, 65520, 2 ** -25, 1.5 * 2 ** -24].map(FLOAT_TYPES[2].round), [
    65504,
    Infinity,
    0,
    2 ** -23,
  ]);
  assert.deepEqual([257, 259, -257.001].map(FLOAT_TYPES[3].round), [256, 260, -258]);
});

describe('the number returned', () => {
  test('is gradNorm of the gradients as they were, bit for bit, clipped or not, for every p', () => {
    for (const p of NORM_TYPES) {
      for (let seed = 1; seed <= 4; ++seed) {
        const list = makeList(seed);
        const norm = gradNorm(list, p);
        for (const share of [0, 0.25, 1, 2, Infinity]) {
          const maxNorm = share === Infinity ? Infinity : norm * share;
          const returned = clipGradNorm(copyAll(list), maxNorm, { normType: p });
          assert.ok(Object.is(returned, norm), `p = ${p}: ${hex(returned)}, gradNorm is ${hex(norm)}`);
        }
      }
    }
  });

  test('p is 2 and eps 1e-6 if left out', () => {
    const gradient = f64(3, 4);
    assert.equal(clipGradNorm(gradient, 1), 5);
    assert.deepEqual([...gradient], [3 * (1 / (5 + 1e-6)), 4 * (1 / (5 + 1e-6))]);
    const other = f64(3, 4);
    assert.equal(clipGradNorm(other, 1, { normType: undefined, eps: undefined, nonfinite: undefined }), 5);
    assert.deepEqual(other, gradient);
  });

  test('is 0 where there are no gradients at all', () => {
    for (const gradients of [[], {}, new Map(), null, [undefined], [null, f32()], { grad: null }]) {
      assert.ok(Object.is(clipGradNorm(gradients, 0), 0));
      clipGradsWithNorm(gradients, 0, 1);
      clipGradValue(gradients, 0);
    }
  });
});

describe('nothing is written', () => {
  test('where norm <= maxNorm, equality included; one double more and everything is scaled', () => {
    for (const p of NORM_TYPES) {
      const list = makeList(11);
      const norm = gradNorm(list, p);
      for (const maxNorm of [norm, norm * (1 + 2 ** -52), 2 * norm, Infinity]) {
        for (const eps of [0, 1e-6, 1]) {
          const clip = () => clipGradNorm(list, maxNorm, { normType: p, eps });
          withoutWriting(list, clip, `p = ${p}, maxNorm ${hex(maxNorm)}, eps ${eps}`);
        }
      }
      const expected = list.map((gradient) =>
        gradientOf(typeOf(gradient), scaled(typeOf(gradient), valuesOf(gradient), before(norm) / norm)),
      );
      clipGradNorm(list, before(norm), { normType: p, eps: 0 });
      assertSameBits(list, expected, `p = ${p}`);
      const norms = [gradNorm(list, p), before(norm)];
      assert.ok(norms[0] < norm, `p = ${p}: ${norms.map(hex)}`);
    }
  });

  test('where the norm is 0, even with maxNorm 0: signs of zeros stay', () => {
    const list = FLOAT_TYPES.map((type) => gradientOf(type, [0, -0, 0, -0]));
    withoutWriting(list, () => assert.equal(clipGradNorm(list, 0), 0));
  });

  test('with maxNorm = Infinity, under skip and under throw: NaN payloads stay bit for bit', () => {
    for (const pad of [0, 300, 20000]) {
      const float = new Float32Array(pad + 3);
      new Uint32Array(float.buffer).set([0x7f800001, 0xffc12345, 0x7f800000], pad);
      const double = new Float64Array(pad + 2);
      new BigUint64Array(double.buffer).set([0x7ff0000000000001n, 0xfff8123456789abcn], pad);
      const half = { data: new Uint16Array(pad + 3), dtype: /** @type {const} */ ('float16') };
      half.data.set([0x7c01, 0xfe55, 0xfc00], pad);
      const brain = { data: new Uint16Array(pad + 2), dtype: /** @type {const} */ ('bfloat16') };
      brain.data.set([0x7f81, 0xffd5], pad);
      const list = [float, double, half, brain];
      withoutWriting(list, () => assert.equal(clipGradNorm(list, Infinity), NaN), 'maxNorm Infinity');
      withoutWriting(list, () => clipGradNorm(list, 1, { nonfinite: 'skip' }), 'skip');
      const clip = () => clipGradNorm(list, 1, { nonfinite: 'throw' });
      withoutWriting(list, () => assert.throws(clip, GradientError), 'throw');
      withoutWriting(list, () => clipGradNorm(list, Infinity, { nonfinite: 'skip' }), 'skip, Infinity');
      withoutWriting(list, () => clipGradsWithNorm(list, Infinity, NaN), 'clipGradsWithNorm');
      withoutWriting(list, () => clipGradsWithNorm(list, Infinity, Infinity), 'clipGradsWithNorm');
      withoutWriting(list, () => clipGradsWithNorm(list, 3, 3), 'totalNorm = maxNorm');
      withoutWriting(list, () => clipGradValue(list, Infinity), 'clipGradValue');
    }
  });
});

describe('what is written', () => {
  for (const type of FLOAT_TYPES) {
    test(`${type.label}: the reference's bits at every length around a boundary and every offset 0..7; neighbours stay`, () => {
      const factors = [1 / 3, 0.7, 1 - 2 ** -53, 1e-3, 0.5];
      const limits = [0.1, 1, 1000];
      const piece = STAGING_BYTES / type.bytes;
      [...LENGTHS, piece - 1, piece, piece + 1, 2 * piece + 5].forEach((length, i) => {
        const source = gradientOf(type, anyValues(type, length, length));
        const [factor, limit] = [factors[i % factors.length], limits[i % limits.length]];
        const expected = {
          scaled: scaled(type, valuesOf(source), factor),
          clamped: clamped(type, valuesOf(source), limit),
        };
        for (let offset = 0; offset < (length < piece - 1 ? 8 : 2); ++offset) {
          const where = `n = ${length}, offset ${offset}`;
          const gradient = poisoned(source, offset);
          multiply(gradient, factor);
          assertValues(gradient, expected.scaled, `${where}, times ${hex(factor)}`);
          assertPoisonKept(gradient, where);
          const other = poisoned(source, offset);
          clipGradValue(other, limit);
          assertValues(other, expected.clamped, `${where}, clamped to ${limit}`);
          assertPoisonKept(other, where);
        }
      });
    });
  }

  test('float16 and bfloat16: all 65536 patterns times any factor are rounded to nearest even', () => {
    const random = createRandom(21);
    const factors = [
      0.5,
      0.25,
      1 / 3,
      0.1,
      0.75,
      1 - 2 ** -53,
      1 - 2 ** -9,
      1 - 2 ** -12,
      2 ** -14,
      2 ** -24,
    ];
    factors.push(2 ** -25, 1.5 * 2 ** -24, 2 ** -126, 1e-42, 2 ** -133, 1e-300, 5e-324, 0, NaN);
    factors.push(...Array.from({ length: 10 }, () => random() ** 3));
    const patterns = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);
    for (const type of FLOAT_TYPES.filter(({ bytes }) => bytes === 2)) {
      for (const factor of factors) {
        const gradient = type.view(patterns.slice().buffer, 0, patterns.length);
        const expected = scaled(type, valuesOf(gradient), factor);
        multiply(gradient, factor);
        assertValues(gradient, expected, `${type.label} times ${hex(factor)}`);
      }
    }
  });

  test('float32: times the factor rounded down to a float32, or the factor itself below the normal ones', () => {
    const random = createRandom(22);
    const tiny = [
      2 ** -126,
      2 ** -126 * (1 + 2 ** -26),
      2 ** -126 * (1 - 2 ** -26),
      2 ** -126 * (1 - 2 ** -24),
    ];
    const factors = [...tiny, 2 ** -127, 1e-42, 2 ** -149, 2 ** -150, 1e-300, 5e-324, 0];
    factors.push(1 - 2 ** -53, 1 - 2 ** -24, 1 - 2 ** -25, 0.5 + 2 ** -53, 0.5 - 2 ** -54, 1 / 3, 0.1, NaN);
    factors.push(...Array.from({ length: 30 }, () => Math.abs(randomNumber(random, -130, 0))));
    const hard = [3.4028234663852886e38, 2 ** -126, 2 ** -149, 2 ** 127, -3 * 2 ** -149, 1, -1];
    for (const length of [7, 256, 257, 3000]) {
      const values = Float64Array.from(f32(...anyValues(FLOAT32, length, length)));
      values.set(hard);
      for (const factor of factors) {
        const gradient = Float32Array.from(values);
        multiply(gradient, factor);
        assertValues(gradient, scaled(FLOAT32, values, factor), `n = ${length}, times ${hex(factor)}`);
      }
    }
  });

  test('float64: times the factor, rounded once, subnormal factors and products included', () => {
    const factors = [1 / 3, 1 - 2 ** -53, 1e-300, 2 ** -1022, 3e-320, 5e-324, 0, NaN];
    for (const length of [5, 256, 257, 5000]) {
      const values = anyValues(FLOAT64, length, length);
      for (const factor of factors) {
        const gradient = Float64Array.from(values);
        multiply(gradient, factor);
        assertValues(gradient, scaled(FLOAT64, values, factor), `n = ${length}, times ${hex(factor)}`);
      }
    }
  });

  test('clipGradNorm multiplies by maxNorm / (norm + eps), for every p and eps', () => {
    for (const p of NORM_TYPES) {
      for (const eps of [undefined, 0, 1e-6, 1]) {
        const list = makeList(23);
        const norm = gradNorm(list, p);
        const factor = norm / 3 / (norm + (eps ?? 1e-6));
        const expected = list.map((gradient) => scaled(typeOf(gradient), valuesOf(gradient), factor));
        clipGradNorm(list, norm / 3, { normType: p, eps });
        list.forEach((gradient, i) =>
          assertValues(gradient, expected[i], `p = ${p}, eps ${eps}, gradient ${i}`),
        );
      }
    }
  });

  test('in every form in which gradients come: a generator is read once, null is skipped', () => {
    const make = () => makeList(24).slice(1, 6);
    const expected = make();
    const norm = clipGradNorm(expected, 1);
    const from = (/** @type {(list: FloatGradient[]) => any} */ wrap) => {
      const list = make();
      assert.equal(clipGradNorm(wrap(list), 1), norm, String(wrap));
      assertSameBits(list, expected, String(wrap));
    };
    from((list) => [null, ...list, undefined]);
    from((list) => list.values());
    from((list) => new Set(list));
    from((list) => new Map(list.map((gradient, i) => [`layer ${i}`, gradient])));
    from((list) => ({ encoder: { layers: list.slice(0, 2) }, decoder: new Set(list.slice(2)) }));
    from((list) => list.map((grad) => ({ grad, name: 'parameter' })));
    let started = 0;
    from(function* (list) {
      ++started;
      yield* list;
    });
    assert.equal(started, 1);
  });

  test('shared memory, subclasses that override everything, and arrays of other realms', () => {
    class Hostile extends Float32Array {
      /** @override */
      get length() {
        return 1;
      }
      /** @override @returns {any} */
      subarray() {
        throw new Error('subarray of a subclass');
      }
      /** @override @returns {any} */
      set() {
        throw new Error('set of a subclass');
      }
      /** @override @returns {any} */
      fill() {
        throw new Error('fill of a subclass');
      }
    }
    for (const type of FLOAT_TYPES) {
      for (const length of [4, 257, 40000]) {
        const gradient = type.view(new SharedArrayBuffer(length * type.bytes), 0, length);
        arrayOf(gradient).fill(typeOf(gradient).bytes === 2 && 'data' in gradient ? 0x4000 : 2);
        const values = valuesOf(gradient);
        multiply(gradient, 0.3);
        assertValues(gradient, scaled(type, values, 0.3), `${type.label}, shared, n = ${length}`);
      }
    }
    for (const length of [4, 257, 40000]) {
      const hostile = Reflect.construct(Float32Array, [new Float32Array(length).fill(2).buffer], Hostile);
      const foreign = runInNewContext(`new Float32Array(${length}).fill(2)`);
      const bytes = new Uint8Array(hostile.buffer);
      for (const gradient of [hostile, foreign]) clipGradNorm(gradient, Math.sqrt(length), { eps: 0 });
      const isOne = (/** @type {number} */ x) => x <= 1 && x > 1 - 2 ** -21;
      assert.ok(new Float32Array(bytes.buffer).every(isOne) && foreign.every(isOne));
      for (const gradient of [hostile, foreign]) {
        gradient[0] = NaN;
        clipGradNorm(gradient, 1, { nonfinite: 'zero' });
      }
      assert.ok(bytes.every((byte) => byte === 0) && foreign.every((/** @type {number} */ x) => x === 0));
    }
  });
});

describe('the norm afterwards', () => {
  test('is maxNorm * norm / (norm + eps), up to the rounding of the elements and the error of gradNorm: every p', () => {
    for (const types of [[FLOAT32], [FLOAT64], FLOAT_TYPES, ...FLOAT_TYPES.slice(2).map((type) => [type])]) {
      for (const p of NORM_TYPES) {
        for (const share of [0.99, 0.3, 2 ** -6]) {
          for (const eps of [0, 1e-6]) {
            const list = makeList(100 * share + p, types);
            const bound = 2 * normBound(list, p) + roundoffOf(list) + 2 ** -50;
            const norm = gradNorm(list, p);
            const maxNorm = norm * share;
            clipGradNorm(list, maxNorm, { normType: p, eps });
            const after = exactNormOf(list, p);
            const where = `${types.map(({ label }) => label)}, p = ${p}, eps ${eps}: ${hex(after)} of ${hex(maxNorm)}`;
            assert.ok(after <= maxNorm * (1 + bound), where);
            // The factor of float32 is rounded down, and leaves room for all roundings.
            assert.ok(after >= maxNorm * (norm / (norm + eps)) * (1 - bound - 2 ** -21), where);
          }
        }
      }
    }
  });

  /** @type {[string, (Float32Array | Float64Array)[], number, number][]} */
  const HARD = [
    ...HARD_FLOAT32_CLIPS,
    ['f64 [1e200, 1e200]', [f64(1e200, 1e200)], 1, 2],
    ['f64 [1e200, 1e200], p = 0.5', [f64(1e200, 1e200)], 1, 0.5],
    ['f64 [1e300, -1e300] and f32 [1e38]', [f64(1e300, -1e300), f32(1e38)], 1, 2],
    ['f64 [DBL_MAX / 2, 1e10]', [f64(Number.MAX_VALUE / 2, 1e10)], 1, 2],
    ['f64 subnormals', [f64(2 ** -1024, -(2 ** -1023), 3 * 2 ** -1024)], 2 ** -1025, 2],
    ['f64 tiny normals', [f64(1e-200, -1e-210)], 1e-250, 2],
  ];
  for (const [name, source, maxNorm, p] of HARD) {
    test(`${name} clipped to ${maxNorm}: the norm is that within 1e-6, and the direction is kept within 1e-6`, () => {
      const list = source.map(copyOf);
      const norm = clipGradNorm(list, maxNorm, { normType: p, eps: epsBeside(maxNorm) });
      const after = gradNorm(list, p);
      assert.ok(norm > maxNorm && Math.abs(after / maxNorm - 1) <= 1e-6, `${hex(norm)}, then ${hex(after)}`);
      assertDirectionKept(list, source, after, norm);
    });
  }

  test('a factor below the normal float32: [3e38, 1e38] to 1e-3 and to 1e-30 within 2^-21', () => {
    for (const pad of [0, 300]) {
      for (const maxNorm of [1e-3, 1e-30]) {
        const gradient = new Float32Array(pad + 2);
        gradient.set([3e38, 1e38]);
        const norm = clipGradNorm(gradient, maxNorm);
        assert.ok(maxNorm / norm < 2 ** -126, hex(norm));
        const [x, y] = gradient;
        const after = gradNorm(gradient);
        assert.ok(after <= maxNorm && after >= maxNorm * (1 - 2 ** -21), hex(after));
        assert.ok(Math.abs(x / y / 3 - 1) <= 2 ** -22, `${hex(x)} and ${hex(y)}`);
      }
    }
  });

  test('float32: with eps = 0 never above maxNorm by more than 2^-23 + 2^-24, where every element rounds up', () => {
    // The factor is rounded down, so that only the elements' own rounding is left, and the error of gradNorm.
    for (let i = 1; i <= 2000; ++i) {
      const gradient = new Float32Array(3).fill(1 + i * 2 ** -23);
      const maxNorm = 1 - i / 5000;
      clipGradNorm(gradient, maxNorm, { eps: 0, normType: Infinity });
      assert.ok(gradient[0] <= maxNorm * (1 + 2 ** -24), `${hex(gradient[0])} of ${hex(maxNorm)}`);
      const other = new Float32Array(3).fill(1 + i * 2 ** -23);
      clipGradNorm(other, maxNorm, { eps: 0 });
      const after = exactNormOf([other], 2);
      assert.ok(after <= maxNorm * (1 + 2 ** -23 + 2 ** -24), `${hex(after)} of ${hex(maxNorm)}`);
    }
  });
});

describe('clipping twice', () => {
  const P = [0.5, 1, 2, 3, Infinity];

  test('float32 and float64: never above maxNorm as gradNorm measures it, and the second time writes nothing', () => {
    const random = createRandom(90);
    let clipped = 0;
    for (let trial = 0; trial < 4000; ++trial) {
      const p = [1, 2, 3, 1.5, 0.5, 2.7, Infinity, 60][trial % 8];
      const isFloat = random() < 0.7;
      const least = isFloat ? -149 : -1074;
      const exponents = [
        [-20, 0],
        [least, least + 6],
        [least + 15, least + 45],
        [60, 120],
      ];
      const [from, to] = exponents[Math.floor(random() * 4)];
      const make = (/** @type {boolean} */ float) => {
        const length = 1 + Math.floor(random() ** 4 * 5000);
        const at = from + random() * (to - from);
        const values = Float64Array.from({ length }, () => (random() - 0.5) * 2 ** (at + random() * 3));
        return float ? Float32Array.from(values) : values;
      };
      const list = random() < 0.2 ? [make(isFloat), make(false), make(isFloat)] : [make(isFloat)];
      const norm = gradNorm(list, p);
      const share =
        random() < 0.3 ? random() : random() < 0.5 ? 2 ** (-random() * 120) : 1 - random() * 2 ** -20;
      const maxNorm = norm * share;
      if (!(maxNorm < norm)) continue;
      ++clipped;
      const eps = random() < 0.5 ? 0 : 1e-6;
      const where = `trial ${trial}, p = ${p}, ${hex(norm)} to ${hex(maxNorm)}`;
      const limit = random() < 0.1 ? new GradMonitor({ method: 'fixed', maxNorm }) : maxNorm;
      if (random() < 0.1 && p === 2) clipGradsWithNorm(list, maxNorm, norm, { eps });
      else clipGradNorm(list, limit, { normType: p, eps });
      const after = gradNorm(list, p);
      assert.ok(after <= maxNorm, `${where}: ${hex(after)}`);
      withoutWriting(list, () => clipGradNorm(list, maxNorm, { normType: p, eps }), where);
    }
    assert.ok(clipped > 3000, `${clipped} clipped`);
    const smallest = f32(2 ** -149);
    clipGradNorm(smallest, 0.9 * 2 ** -149);
    assert.deepEqual([...smallest], [0]);
  });

  test('writes nothing the second time wherever the first left norm <= maxNorm', () => {
    let writtenNothing = 0;
    for (const p of P) {
      for (let seed = 31; seed < 51; ++seed) {
        const list = makeList(seed);
        const maxNorm = gradNorm(list, p) / 3;
        clipGradNorm(list, maxNorm, { normType: p });
        if (gradNorm(list, p) > maxNorm) continue;
        withoutWriting(list, () => clipGradNorm(list, maxNorm, { normType: p }), `p = ${p}`);
        ++writtenNothing;
      }
    }
    assert.ok(writtenNothing > 30, `${writtenNothing} of 100`);
  });

  test('float32 with eps >= 2^-21 (norm + eps), float64 with eps >= 2^-35: the second time never writes', () => {
    // The measured norms err by 2^-23 each and the elements by 2^-24: 2.5 * 2^-23 < 2^-21, which eps makes up for.
    for (const [type, least] of /** @type {const} */ ([
      [FLOAT32, 2 ** -21],
      [FLOAT64, 2 ** -35],
    ])) {
      for (const p of NORM_TYPES) {
        for (let seed = 51; seed < 71; ++seed) {
          const list = makeList(seed, [type]);
          const norm = gradNorm(list, p);
          const options = { normType: p, eps: least * norm * 1.001 };
          const maxNorm = norm * (0.001 + (seed - 51) / 21);
          clipGradNorm(list, maxNorm, options);
          const where = `${type.label}, p = ${p}, maxNorm ${hex(maxNorm)}`;
          withoutWriting(list, () => clipGradNorm(list, maxNorm, options), where);
        }
      }
    }
  });

  test('halving is exact where halves leave no room; and the second time writes nothing', () => {
    for (const p of [1, 2, 3, Infinity]) {
      for (const type of FLOAT_TYPES) {
        const list = makeList(71, [type]);
        const maxNorm = gradNorm(list, p) / 2;
        clipGradNorm(list, maxNorm, { normType: p, eps: 0 });
        const after = gradNorm(list, p);
        const room = type.bytes === 2 ? 0 : type === FLOAT32 ? 2 ** -21 : 2 ** -45;
        assert.ok(after <= maxNorm && after >= maxNorm * (1 - room), `${type.label}, p = ${p}`);
        withoutWriting(list, () => clipGradNorm(list, maxNorm, { normType: p, eps: 0 }), type.label);
      }
    }
  });

  test('otherwise changes no element by more than the roundings, the errors of the norms and eps / norm', () => {
    for (const type of FLOAT_TYPES) {
      for (const p of P) {
        for (const eps of [0, 1e-6, 1]) {
          const list = makeList(72, [type]);
          const maxNorm = gradNorm(list, p) / 3;
          clipGradNorm(list, maxNorm, { normType: p, eps });
          const once = list.map(valuesOf);
          const norm = clipGradNorm(list, maxNorm, { normType: p, eps });
          const bound = 2.01 * type.roundoff + 2 * normBound(list, p) + 2 ** -23 + eps / norm;
          list.forEach((gradient, k) =>
            valuesOf(gradient).forEach((x, i) => {
              const y = once[k][i];
              assert.ok(
                Math.abs(x - y) <= bound * Math.abs(y),
                `${type.label}, p = ${p}: ${hex(x)}, ${hex(y)}`,
              );
            }),
          );
        }
      }
    }
  });
});

describe('a norm that is not finite', () => {
  const LENGTHS_AND_POSITIONS = [1, 3, 256, 257, 4097, 20000, 70000].flatMap((length) =>
    [...new Set([0, length >> 1, length - 1])].map((at) => ({ length, at })),
  );

  /**
   * Calls back with lists of which the second gradient has one element that is not finite.
   * @param {(list: FloatGradient[], index: number, value: number, where: string) => void} call
   */
  function forEveryOffender(call) {
    for (const type of FLOAT_TYPES) {
      for (const { length, at } of LENGTHS_AND_POSITIONS) {
        for (const value of [NaN, Infinity, -Infinity]) {
          const values = new Float64Array(length).fill(-2);
          values[at] = value;
          const list = [f32(1, -2), gradientOf(type, values), f64(3), copyOf(gradientOf(type, [1, 0]))];
          call(list, at, value, `${type.label}, ${value} at ${at} of ${length}`);
        }
      }
    }
  }

  /**
   * What PyTorch leaves: NaN everywhere, or zeros with NaN where an element was infinite.
   * @param {readonly FloatGradient[]} list
   * @param {number} factor  NaN or 0
   */
  const multiplied = (list, factor) => list.map((gradient) => valuesOf(gradient).map((x) => x * factor));

  test('propagate, also if left out: NaN makes all NaN, an infinity zeros and itself NaN', () => {
    forEveryOffender((list, _index, value, where) => {
      const other = copyAll(list);
      const expected = multiplied(list, Number.isNaN(value) ? NaN : 0);
      const norm = clipGradNorm(list, 1);
      assert.equal(norm, Math.abs(value), where);
      clipGradNorm(other, 1, { nonfinite: 'propagate' });
      list.forEach((gradient, k) => {
        assertValues(gradient, expected[k], where);
        assertValues(other[k], expected[k], where);
      });
    });
  });

  test('throw: a GradientError with tensor, index and value; nothing is written, and the next call works', () => {
    forEveryOffender((list, index, value, where) => {
      const error = withoutWriting(
        list,
        () => errorOf(() => clipGradNorm(list, 1, { nonfinite: 'throw' })),
        where,
      );
      assert.ok(error instanceof GradientError && error instanceof Error, where);
      const message = `gradients[1] has the value ${value} at index ${index}; expected finite gradients; nothing was clipped`;
      assert.equal(error.message, message);
      assert.equal(error.name, 'GradientError');
      assert.deepEqual({ ...error }, { name: 'GradientError', tensor: '1', index, value }, where);
      const next = f64(3, 4);
      assert.equal(clipGradNorm(next, 2.5, { nonfinite: 'throw', eps: 0 }), 5);
      assert.ok(Math.abs(next[0] - 1.5) < 2 ** -45 && Math.abs(next[1] - 2) < 2 ** -44);
    });
  });

  test('throw: the names are those of a report, the places as the user would write them; the first offender counts', () => {
    const bad = f32(1, NaN);
    const worse = f64(-Infinity, NaN);
    /** @type {[import('gradnorm').Gradients, string, string, number, number][]} */
    const cases = [
      [bad, 'gradients', 'gradients', 1, NaN],
      [{ grad: bad }, 'gradients', 'gradients.grad', 1, NaN],
      [[f32(1), worse, bad], '1', 'gradients[1]', 0, -Infinity],
      [[f32(1), bad, worse], '1', 'gradients[1]', 1, NaN],
      [{ fc1: { weight: worse, bias: bad } }, 'fc1.weight', 'gradients.fc1.weight', 0, -Infinity],
      [{ layers: [{ weight: { grad: bad } }] }, 'layers.0.weight', 'gradients.layers[0].weight.grad', 1, NaN],
      [new Map([['fc1/weight', bad]]), 'fc1/weight', 'gradients["fc1/weight"]', 1, NaN],
      [{ w: { data: Uint16Array.of(0, 0xfc00), dtype: 'float16' } }, 'w', 'gradients.w', 1, -Infinity],
      [{ w: { data: Uint16Array.of(0xff80), dtype: 'bfloat16' } }, 'w', 'gradients.w', 0, -Infinity],
    ];
    for (const [gradients, tensor, place, index, value] of cases) {
      const words = `has the value ${value} at index ${index}; expected finite gradients; nothing was clipped`;
      assert.throws(() => clipGradNorm(gradients, 1, { nonfinite: 'throw' }), {
        name: 'GradientError',
        message: `${place} ${words}`,
        tensor,
        index,
        value,
      });
    }
  });

  test('skip: nothing is written', () => {
    forEveryOffender((list, _index, value, where) => {
      const clip = () => assert.equal(clipGradNorm(list, 1, { nonfinite: 'skip' }), Math.abs(value));
      withoutWriting(list, clip, where);
    });
  });

  test('zero: every element of every gradient becomes +0, whatever maxNorm is', () => {
    forEveryOffender((list, _index, value, where) => {
      const maxNorm = value === Infinity ? Infinity : 1;
      assert.equal(clipGradNorm(list, maxNorm, { nonfinite: 'zero' }), Math.abs(value), where);
      for (const gradient of list)
        assert.ok(
          bytesOf(gradient).every((byte) => byte === 0),
          where,
        );
    });
  });

  test('policies do nothing to finite norms', () => {
    for (const nonfinite of POLICIES) {
      const list = makeList(81);
      const expected = copyAll(list);
      assert.equal(clipGradNorm(list, 1, { nonfinite }), clipGradNorm(expected, 1), nonfinite);
      assertSameBits(list, expected, nonfinite);
      withoutWriting(list, () => clipGradNorm(list, 2, { nonfinite }), nonfinite);
    }
  });

  test('finite gradients whose norm is beyond the doubles: zeros, an error without an offender, skipped, zeros', () => {
    for (const [make, p] of /** @type {[() => FloatGradient, number][]} */ ([
      [() => new Float64Array(20).fill(-1e308), 1],
      [() => new Float64Array(5000).fill(-1e308), 2],
      [() => new Float32Array(300).fill(-1), 0.001],
    ])) {
      const kept = make();
      assert.equal(gradNorm(kept, p), Infinity);
      const error = withoutWriting([kept], () =>
        errorOf(() => clipGradNorm({ w: kept }, 1, { normType: p, nonfinite: 'throw' })),
      );
      assert.ok(error instanceof GradientError);
      const message = 'the norm of the gradients is Infinity, beyond the largest double; nothing was clipped';
      assert.equal(error.message, message);
      assert.deepEqual({ ...error }, { name: 'GradientError', tensor: null, index: null, value: null });
      const skip = () => clipGradNorm(kept, 1, { normType: p, nonfinite: 'skip' });
      assert.equal(withoutWriting([kept], skip), Infinity);
      const propagated = make();
      assert.equal(clipGradNorm(propagated, 1, { normType: p }), Infinity);
      assert.ok(valuesOf(propagated).every((x) => x === 0));
      const zeroed = make();
      clipGradNorm(zeroed, 1, { normType: p, nonfinite: 'zero' });
      assert.ok(bytesOf(zeroed).every((byte) => byte === 0));
    }
    const largest = f64(0, Number.MAX_VALUE);
    clipGradNorm(largest, 1, { nonfinite: 'throw' });
    // The factor is a subnormal double, which has fewer bits.
    assert.ok(Math.abs(largest[1] - 1) <= 2 ** -45, `the largest double becomes ${hex(largest[1])}`);
  });
});

describe('maxNorm = 0', () => {
  test('makes every element a zero with its sign, whatever it was', () => {
    for (const type of FLOAT_TYPES) {
      for (const length of [5, 257, 40000]) {
        const values = anyValues(type, length, length).map((x) => (Number.isFinite(x) ? x : 1));
        for (const maxNorm of [0, -0]) {
          const gradient = gradientOf(type, values);
          const signs = valuesOf(gradient).map((x) => x * maxNorm);
          clipGradNorm(gradient, maxNorm);
          assertValues(gradient, signs, type.label);
          assert.equal(gradNorm(gradient), 0);
        }
      }
    }
  });

  test('leaves no NaN of an infinite norm but where an element was infinite', () => {
    const list = [f32(1, -Infinity, -3), f64(4)];
    clipGradNorm(list, 0);
    assertValues(list[0], [0, NaN, -0], 'float32');
    assertValues(list[1], [0], 'float64');
  });
});

/** @type {[string, (gradients: any) => void][]} */
const VERBS = [
  ['clipGradNorm', (gradients) => clipGradNorm(gradients, 1e-3)],
  ['clipGradNorm, nothing to clip', (gradients) => clipGradNorm(gradients, 1e30)],
  ['clipGradNorm, maxNorm Infinity', (gradients) => clipGradNorm(gradients, Infinity)],
  ['clipGradsWithNorm', (gradients) => clipGradsWithNorm(gradients, 1, 2)],
  ['clipGradsWithNorm, nothing to clip', (gradients) => clipGradsWithNorm(gradients, 2, 1)],
  ['clipGradValue', (gradients) => clipGradValue(gradients, 1e-3)],
  ['clipGradValue, Infinity', (gradients) => clipGradValue(gradients, Infinity)],
];

describe('what cannot be written is refused before anything is, even if there is nothing to clip', () => {
  for (const [name, verb] of VERBS) {
    test(`${name}: integer arrays, by their place and type`, () => {
      for (const type of INTEGER_TYPES) {
        const words = `${/^I/.test(type.label) ? 'an' : 'a'} ${type.label}; to be clipped, expected ${WRITABLE}`;
        const good = f32(3, 4);
        for (const values of [[1, 2], []]) {
          const bad = gradientOf(type, values);
          /** @type {[unknown, string][]} */
          const cases = [
            [bad, 'gradients'],
            [[good, bad], 'gradients[1]'],
            [{ fc1: { steps: bad } }, 'gradients.fc1.steps'],
            [[good, { grad: bad }], 'gradients[1].grad'],
            [new Map([['a-b', bad]]), 'gradients["a-b"]'],
          ];
          for (const [gradients, place] of cases) {
            const message = `${place} is ${words}`;
            withoutWriting([good, bad], () =>
              assert.throws(() => verb(gradients), { name: 'TypeError', message }),
            );
          }
        }
      }
    });

    test(`${name}: what gradNorm refuses, in the same words`, () => {
      const detached = f32(1);
      structuredClone(detached.buffer, { transfer: [detached.buffer] });
      /** @type {unknown[]} */
      const bad = [7, 'x', [1, 2], new DataView(new ArrayBuffer(8)), BigInt64Array.of(1n), detached, () => 1];
      bad.push({ data: f32(1), dtype: 'float16' }, Promise.resolve());
      for (const item of bad) {
        const good = f32(3, 4);
        const gradients = { good, item };
        const { message } = errorOf(() => gradNorm(untyped(gradients)));
        assert.match(message, /^gradients\.item(\.data|)( is|\[0\] is)/);
        withoutWriting([good], () => assert.throws(() => verb(gradients), { name: 'TypeError', message }));
      }
    });
  }
});

describe('gradients that share memory', () => {
  /** @param {string} first  @param {string} second  @param {string} [as] */
  const overlap = (first, second, as = '') =>
    `${second} overlaps ${first} in memory${as}; to be clipped, expected gradients that share all of their memory or none`;

  test('the same array twice counts twice and is scaled once, in every type and length', () => {
    for (const type of FLOAT_TYPES) {
      for (const length of [2, 257, 20000]) {
        const values = valuesOf(gradientOf(type, new Float64Array(length).fill(2)));
        const gradient = gradientOf(type, values);
        const norm = clipGradNorm([gradient, f32(0), gradient, { grad: gradient }], 1);
        assert.equal(
          norm,
          gradNorm([copyOf(gradient), copyOf(gradient), copyOf(gradient)].map((g) => (assign(g, values), g))),
        );
        const factor = type.bytes === 2 ? 1 / (norm + 1e-6) : roomyFactor(norm, 1, 1e-6, 3 * 2 ** -23);
        assertValues(gradient, scaled(type, values, factor), `${type.label}, n = ${length}`);
      }
    }
    const tied = f64(3, 4);
    assert.equal(clipGradNorm({ embedding: tied, output: tied }, 1, { eps: 0, normType: 1 }), 14);
    const factor = roomyFactor(14, 1, 0, 2 ** -46);
    assert.deepEqual([...tied], [3 * factor, 4 * factor]);
  });

  test('two views of the same bytes are scaled once', () => {
    for (const type of FLOAT_TYPES) {
      for (const Memory of [ArrayBuffer, SharedArrayBuffer]) {
        const buffer = new Memory(80);
        const views = [0, 1, 2].map(() => type.view(buffer, 16, 4));
        assign(views[0], [1, -2, 4, 8]);
        for (const verb of [multiply, clipGradsOnce]) {
          const values = valuesOf(views[0]);
          verb([...views, f32(1)], 0.3);
          assertValues(views[1], scaled(type, values, 0.3), type.label);
        }
      }
    }
    /** @param {FloatGradient[]} gradients  @param {number} factor */
    function clipGradsOnce(gradients, factor) {
      const norm = gradNorm(gradients);
      clipGradNorm([...gradients, NO_ROOM], factor * norm, { eps: 0 });
    }
  });

  test(
    'a Float16Array and its bits as float16 are the same elements',
    { skip: 'Float16Array' in globalThis ? false : 'this engine has no Float16Array' },
    () => {
      const type = /** @type {FloatType} */ (FLOAT_TYPES.find(({ label }) => label === 'Float16Array'));
      const gradient = gradientOf(type, [2, 4]);
      const bits = { data: new Uint16Array(arrayOf(gradient).buffer), dtype: 'float16' };
      multiply(untyped([gradient, bits]), 0.5);
      assertValues(gradient, [1, 2], 'Float16Array');
    },
  );

  test('a part in common is refused, by both places in the order of reading; nothing is written', () => {
    const all = f32(1, 2, 3, 4, 5, 6, 7, 8);
    const part = (/** @type {number} */ start, /** @type {number} */ end) => all.subarray(start, end);
    /** @type {[unknown, string][]} */
    const cases = [
      [[part(0, 4), part(3, 6)], overlap('gradients[0]', 'gradients[1]')],
      [[part(3, 6), part(0, 4)], overlap('gradients[0]', 'gradients[1]')],
      [[part(0, 8), part(2, 4)], overlap('gradients[0]', 'gradients[1]')],
      [[part(2, 4), part(0, 8)], overlap('gradients[0]', 'gradients[1]')],
      [[part(0, 4), part(0, 5)], overlap('gradients[0]', 'gradients[1]')],
      [[part(0, 5), part(0, 4)], overlap('gradients[0]', 'gradients[1]')],
      [[part(4, 8), part(5, 8)], overlap('gradients[0]', 'gradients[1]')],
      [[part(6, 8), f32(1), part(0, 2), part(5, 7)], overlap('gradients[0]', 'gradients[3]')],
      [[part(0, 2), part(0, 2), part(2, 4), part(3, 5)], overlap('gradients[2]', 'gradients[3]')],
      [[part(0, 2), part(0, 2), part(1, 3)], overlap('gradients[0]', 'gradients[2]')],
      [[all, all, part(7, 8)], overlap('gradients[0]', 'gradients[2]')],
      [{ all, w: { grad: part(1, 2) } }, overlap('gradients.all', 'gradients.w.grad')],
      [
        new Map([
          ['fc/w', part(1, 2)],
          ['rest', all],
        ]),
        overlap('gradients["fc/w"]', 'gradients.rest'),
      ],
    ];
    for (const [gradients, message] of cases) {
      for (const [name, verb] of VERBS) {
        const refused = () => assert.throws(() => verb(gradients), { name: 'TypeError', message });
        withoutWriting([all], refused, `${name}: ${message}`);
      }
      assert.ok(gradNorm(untyped(gradients)) > 0, 'measuring is allowed');
    }
  });

  test('the same bytes as another type are refused, and so is a part of them', () => {
    const { buffer } = f64(1, 2, 3, 4);
    const as = (/** @type {number} */ type, /** @type {number} */ start, /** @type {number} */ length) =>
      FLOAT_TYPES[type].view(buffer, start, length);
    const [wide, float, half, brain] = [as(1, 0, 4), as(0, 0, 8), as(2, 0, 16), as(3, 0, 16)];
    /** @type {[unknown[], string][]} */
    const cases = [
      [[float, wide], ', float64 on float32'],
      [[wide, float], ', float32 on float64'],
      [[half, brain], ', bfloat16 on float16'],
      [[brain, half], ', float16 on bfloat16'],
      [[as(2, 8, 4), wide], ', float64 on float16'],
      [[wide, as(3, 30, 1)], ', bfloat16 on float64'],
    ];
    for (const [gradients, words] of cases) {
      const message = overlap('gradients[0]', 'gradients[1]', words);
      for (const [, verb] of VERBS) {
        withoutWriting([wide], () => assert.throws(() => verb(gradients), { name: 'TypeError', message }));
      }
    }
  });

  test('neighbours without a gap, empty views anywhere and equal offsets in other buffers are no overlap', () => {
    const all = f32(1, 2, 3, 4, 5, 6, 7, 8);
    const empty = [0, 1, 4, 8].map((start) => all.subarray(start, start));
    const wide = new Float64Array(all.buffer, 16, 0);
    multiply([all.subarray(4, 8), ...empty, all.subarray(0, 3), wide, all.subarray(3, 4)], 0.5);
    assertValues(all, [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4], 'neighbours');
    multiply([all, ...empty, wide], 0.5);
    assertValues(all, [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2], 'empty views');
    const list = [f32(8, 8), f32(8, 8), new Float32Array(f64(0).buffer).fill(8)];
    multiply(list, 0.5);
    for (const gradient of list) assertValues(gradient, [4, 4], 'other buffers');
  });

  test('1000 gradients in one arena, in any order and some of them twice, are each scaled once', () => {
    const arena = new Float32Array(100_000);
    const random = createRandom(91);
    /** @type {Float32Array[]} */
    const views = [];
    for (let start = 0; views.length < 1000;) {
      const end = start + Math.floor(random() * 100);
      views.push(arena.subarray(start, end));
      start = end + Math.floor(random() * 3);
    }
    const twice = views.filter((_, i) => i % 7 === 0).map((view) => view.subarray());
    const list = [...views, ...twice].map((view) => ({ view, key: random() }));
    list.sort((a, b) => a.key - b.key);
    arena.fill(8);
    multiply(
      list.map(({ view }) => view),
      0.5,
    );
    for (const view of views) assert.ok(view.every((x) => x === 4));
    const written = views.reduce((total, { length }) => total + length, 0);
    assert.equal(arena.filter((x) => x === 4).length, written, 'and nothing between them');
  });

  test('a buffer that comes back after 1000 others is recognised: the same array once, a part refused', () => {
    const all = f32(2, 4, 6);
    const others = Array.from({ length: 1000 }, () => f32(8));
    multiply([all, ...others, all], 0.5);
    assertValues(all, [1, 2, 3], 'the same array');
    for (const other of others) assertValues(other, [4], 'others');
    const message = overlap('gradients[0]', 'gradients[1001]');
    const clip = () => multiply([all, ...others, all.subarray(1)], 0.5);
    withoutWriting([all, ...others], () => assert.throws(clip, { name: 'TypeError', message }));
  });

  test('any views of one buffer: refused if and only if two share a part, and then two that do', () => {
    const random = createRandom(92);
    const outcomes = { refused: 0, accepted: 0 };
    for (let trial = 0; trial < 3000; ++trial) {
      const buffer = new ArrayBuffer(64);
      const whole = new Uint8Array(buffer);
      const list = Array.from({ length: 2 + Math.floor(random() * 4) }, () => {
        const type = FLOAT_TYPES[random() < 0.7 ? 0 : Math.floor(random() * 4)];
        const start = Math.floor(random() * (64 / type.bytes));
        const length = Math.floor(random() * Math.min(4, 64 / type.bytes - start + 1));
        return type.view(buffer, start * type.bytes, length);
      });
      const clash = (/** @type {FloatGradient} */ a, /** @type {FloatGradient} */ b) => {
        const [x, y] = [arrayOf(a), arrayOf(b)];
        const disjoint =
          x.byteOffset + x.byteLength <= y.byteOffset || y.byteOffset + y.byteLength <= x.byteOffset;
        const same = x.byteOffset === y.byteOffset && x.length === y.length && typeOf(a) === typeOf(b);
        return x.length > 0 && y.length > 0 && !disjoint && !same;
      };
      whole.fill(0x40);
      if (!list.some((a, i) => list.slice(0, i).some((b) => clash(a, b)))) {
        const values = list.map(valuesOf);
        multiply(list, 0.5);
        list.forEach((gradient, i) =>
          assertValues(gradient, scaled(typeOf(gradient), values[i], 0.5), `trial ${trial}`),
        );
        outcomes.accepted++;
        continue;
      }
      const { message } = errorOf(() => multiply(list, 0.5));
      const [second, first] = /** @type {RegExpMatchArray} */ (message.match(/\d+(?=\])/g)).map(Number);
      assert.ok(first < second && clash(list[first], list[second]), `trial ${trial}: ${message}`);
      assert.ok(
        whole.every((byte) => byte === 0x40),
        `trial ${trial}: written`,
      );
      outcomes.refused++;
    }
    assert.ok(outcomes.refused > 500 && outcomes.accepted > 500, JSON.stringify(outcomes));
  });
});

describe('bad arguments', () => {
  /** The expectations of a number, and values that do not meet them with what is said about them. */
  const NUMBER = { 'a number >= 0 or Infinity': [-1, NaN, -Infinity, -5e-324] };
  const LIMIT = { 'a number >= 0 or Infinity, or a GradMonitor': [-1, NaN, -Infinity, -5e-324] };
  const TOTAL = { 'a number >= 0, Infinity or NaN': [-1, -Infinity] };
  const FINITE = { 'a number >= 0 and finite': [-1, NaN, Infinity, -Infinity] };
  const POWER = { 'a number > 0 or Infinity': [0, -0, -2, NaN, -Infinity] };
  /** @type {[unknown, string][]} */
  const NO_NUMBERS = [
    ['1', '"1" (a string)'],
    [null, 'null'],
    [1n, '1n (a bigint)'],
    [true, 'true (a boolean)'],
    [{}, 'an object'],
    [[1], 'an Array'],
    [f32(1), 'a Float32Array'],
  ];
  const call = (/** @type {any[]} */ ...args) => clipGradNorm(args[0], args[1], args[2]);
  const split = (/** @type {any[]} */ ...args) => clipGradsWithNorm(args[0], args[1], args[2], args[3]);

  /** @type {[string, Record<string, number[]>, (gradients: any, value: any) => unknown, boolean][]} */
  const CASES = [
    ['maxNorm', LIMIT, (gradients, value) => call(gradients, value), true],
    ['eps', FINITE, (gradients, eps) => call(gradients, 1, { eps }), false],
    ['normType', POWER, (gradients, normType) => call(gradients, 1, { normType }), false],
    ['maxNorm', NUMBER, (gradients, value) => split(gradients, value, 5), true],
    ['totalNorm', TOTAL, (gradients, value) => split(gradients, 1, value), true],
    ['eps', FINITE, (gradients, eps) => split(gradients, 1, 5, { eps }), false],
    ['clipValue', NUMBER, (gradients, value) => clipGradValue(gradients, value), true],
    ['norm', TOTAL, (_, value) => clipCoefficient(value, 1), true],
    ['maxNorm', NUMBER, (_, value) => clipCoefficient(1, value), true],
    ['eps', FINITE, (_, value) => clipCoefficient(1, 1, value), false],
  ];
  const CALLERS = ['clipGradNorm', 'clipGradNorm', 'clipGradNorm', 'clipGradsWithNorm', 'clipGradsWithNorm'];
  CALLERS.push('clipGradsWithNorm', 'clipGradValue', 'clipCoefficient', 'clipCoefficient', 'clipCoefficient');

  CASES.forEach(([name, expectation, verb, required], i) => {
    test(`${CALLERS[i]}: ${name} out of range is a RangeError, of another type a TypeError; no gradient is touched`, () => {
      const [[expected, numbers]] = Object.entries(expectation);
      const gradient = f32(3, 4);
      const untouchable = {
        get grad() {
          return assert.fail('the gradients were read');
        },
      };
      const refuse = (
        /** @type {unknown} */ value,
        /** @type {string} */ error,
        /** @type {string} */ got,
      ) => {
        const message = `${name} is ${got}; expected ${expected}`;
        withoutWriting([gradient], () =>
          assert.throws(() => verb(gradient, value), { name: error, message }),
        );
        assert.throws(() => verb(untouchable, value), { name: error, message });
      };
      for (const number of numbers) refuse(number, 'RangeError', String(number));
      for (const [value, got] of NO_NUMBERS) refuse(value, 'TypeError', got);
      if (required) refuse(undefined, 'TypeError', 'undefined');
    });
  });

  test('nonfinite must be one of the four', () => {
    const gradient = f32(3, 4);
    for (const [value, got] of /** @type {[unknown, string][]} */ ([
      ['error', '"error" (a string)'],
      ['', '"" (a string)'],
      ['toString', '"toString" (a string)'],
      [null, 'null'],
      [true, 'true (a boolean)'],
      [0, '0 (a number)'],
    ])) {
      const message = `nonfinite is ${got}; expected one of 'propagate', 'throw', 'skip', 'zero'`;
      const clip = () => clipGradNorm(gradient, 1, { nonfinite: untyped(value) });
      withoutWriting([gradient], () => assert.throws(clip, { name: 'TypeError', message }));
    }
  });

  test('options must be an object with known names', () => {
    const gradient = f32(3, 4);
    /** @type {[string, string, (options: any) => unknown][]} */
    const cases = [
      [
        'clipGradNorm',
        'normType, eps, nonfinite, lossScale, per',
        (options) => clipGradNorm(gradient, 1, options),
      ],
      ['clipGradsWithNorm', 'eps, lossScale', (options) => clipGradsWithNorm(gradient, 1, 5, options)],
    ];
    for (const [caller, names, verb] of cases) {
      const expected = `expected an object with any of ${names}`;
      const refuse = (/** @type {unknown} */ options, /** @type {string} */ words) => {
        const message = `the options of ${caller} ${words}; ${expected}`;
        const refused = () => assert.throws(() => verb(options), { name: 'TypeError', message });
        withoutWriting([gradient], refused, words);
      };
      refuse(2, 'are 2 (a number)');
      refuse(null, 'are null');
      refuse('skip', 'are "skip" (a string)');
      refuse({ norm_type: 2 }, 'have an unknown name, "norm_type"');
      refuse({ eps: 0, error_if_nonfinite: undefined }, 'have an unknown name, "error_if_nonfinite"');
      if (caller === 'clipGradsWithNorm') refuse({ normType: 2 }, 'have an unknown name, "normType"');
    }
  });
});

describe('clipGradValue', () => {
  test('float16 and bfloat16: all 65536 patterns, whatever the limit', () => {
    const limits = [
      0,
      2 ** -150,
      2 ** -133,
      2 ** -25,
      1.0001 * 2 ** -25,
      2 ** -24,
      0.1,
      1 / 3,
      1,
      2049,
      65504,
    ];
    limits.push(65519, 65520, 1e5, 3.3895313892515355e38, 3.4e38, 1e39, Number.MAX_VALUE);
    const patterns = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);
    for (const type of FLOAT_TYPES.filter(({ bytes }) => bytes === 2)) {
      for (const limit of limits) {
        const gradient = type.view(patterns.slice().buffer, 0, patterns.length);
        const expected = clamped(type, valuesOf(gradient), limit);
        assert.equal(clipGradValue(gradient, limit), undefined);
        assertValues(gradient, expected, `${type.label}, limit ${hex(limit)}`);
      }
    }
  });

  test('float32 and float64: the limit is rounded as the elements are, NaN stays, signs stay, infinities are clamped', () => {
    const limits = [0, 5e-324, 2 ** -150, 1.01 * 2 ** -150, 2 ** -149, 1e-40, 0.1, 1 / 3, 1, 1 + 2 ** -24];
    limits.push(
      1 + 2 ** -30,
      1e30,
      3.4028234663852886e38,
      3.4028235677973366e38,
      1e39,
      1e308,
      Number.MAX_VALUE,
    );
    for (const type of [FLOAT32, FLOAT64]) {
      for (const length of [40, 256, 257, 9000]) {
        const values = valuesOf(gradientOf(type, anyValues(type, length, length + 1)));
        values.set([0, -0, NaN, Infinity, -Infinity, 1, -1, ...[0.1, -0.1].map(type.round)]);
        for (const limit of limits) {
          const gradient = gradientOf(type, values);
          clipGradValue(gradient, limit);
          assertValues(gradient, clamped(type, values, limit), `${type.label}, n = ${length}, ${hex(limit)}`);
        }
      }
    }
  });

  test('by heart: [-5, 0.5, NaN, Infinity] to 1, and twice is once', () => {
    const list = FLOAT_TYPES.map((type) => gradientOf(type, [-5, 0.5, NaN, Infinity, -Infinity, -0]));
    for (let i = 0; i < 2; ++i) {
      clipGradValue({ list }, 1);
      for (const gradient of list) assertValues(gradient, [-1, 0.5, NaN, 1, -1, -0], typeOf(gradient).label);
    }
    clipGradValue(list, -0);
    for (const gradient of list)
      assert.ok([...valuesOf(gradient)].every((x, i) => (i === 2 ? x !== x : x === 0)));
  });
});

describe('clipGradsWithNorm', () => {
  test('after gradNorm writes what clipGradNorm does, bit for bit, for every p and eps, NaN and Infinity too', () => {
    for (const p of NORM_TYPES) {
      for (const eps of [undefined, 0, 1]) {
        for (const bad of [[], [f32(1, NaN)], [f64(Infinity)]]) {
          const [whole, split] = [0, 0].map(() => [...makeList(101), ...copyAll(bad)]);
          const maxNorm = bad.length === 0 ? gradNorm(whole, p) / 7 : 1;
          const norm = clipGradNorm(whole, maxNorm, { normType: p, eps });
          assert.ok(Object.is(gradNorm(split, p), norm));
          assert.equal(clipGradsWithNorm(split, maxNorm, norm, { eps }), undefined);
          assertSameBits(split, whole, `p = ${p}, eps ${eps}`);
        }
      }
    }
  });

  test('of float32 and float64 alone too: p >= 1, and 2p whole for float64; then the norm is at most maxNorm', () => {
    for (const [type, powers] of /** @type {const} */ ([
      [FLOAT32, [1, 1.5, 1.7, 2, 3, 10, Infinity]],
      [FLOAT64, [1, 1.5, 2, 3, 10, Infinity]],
    ])) {
      for (const p of powers) {
        for (const eps of [undefined, 0]) {
          for (const scale of [1, 2 ** -140, 2 ** -1070]) {
            const [whole, split] = [0, 0].map(() => makeList(103, [type]));
            for (const list of [whole, split])
              for (const gradient of list) arrayOf(gradient).forEach((x, i, array) => (array[i] = x * scale));
            const norm = gradNorm(split, p);
            const maxNorm = norm / 3;
            clipGradNorm(whole, maxNorm, { normType: p, eps });
            clipGradsWithNorm(split, maxNorm, norm, { eps });
            const where = `${type.label}, p = ${p}, eps ${eps}, times ${hex(scale)}`;
            assertSameBits(split, whole, where);
            assert.ok(gradNorm(split, p) <= maxNorm, where);
          }
        }
      }
    }
  });

  test('takes any norm from elsewhere: the factor is clipCoefficient', () => {
    for (const [maxNorm, totalNorm, eps] of [
      [1, 10, 1e-6],
      [0.3, 0.7, 0],
      [2, 1e300, 0],
      [5, 5.0001, 1],
      [0, 3, 0],
    ]) {
      const list = makeList(102);
      const factor = clipCoefficient(totalNorm, maxNorm, eps);
      const expected = list.map((gradient) => scaled(typeOf(gradient), valuesOf(gradient), factor));
      clipGradsWithNorm(list, maxNorm, totalNorm, { eps });
      list.forEach((gradient, i) => assertValues(gradient, expected[i], `${maxNorm} / ${totalNorm}`));
    }
  });
});

describe('clipCoefficient', () => {
  test('is 1 where nothing is clipped, maxNorm / (norm + eps) otherwise, NaN for NaN and 0 for Infinity', () => {
    /** @type {[number[], number][]} */
    const cases = [
      [[10, 1], 1 / (10 + 1e-6)],
      [[10, 1, 0], 0.1],
      [[10, 1, 10], 0.05],
      [[1, 1], 1],
      [[1 + 2 ** -52, 1, 0], 1 - 2 ** -52],
      [[0.5, 1, 100], 1],
      [[0, 0], 1],
      [[5, 0], 0],
      [[5e-324, 0, 0], 0],
      [[NaN, 1], NaN],
      [[NaN, 0], NaN],
      [[Infinity, 1], 0],
      [[Infinity, 0], 0],
      [[1e300, Infinity], 1],
      [[Infinity, Infinity], 1],
      [[NaN, Infinity], 1],
      [[Number.MAX_VALUE, 1, 0], 1 / Number.MAX_VALUE],
    ];
    for (const [args, expected] of cases) {
      const [norm, maxNorm, eps] = args;
      const actual = clipCoefficient(norm, maxNorm, eps);
      assert.ok(Object.is(actual, expected), `${args}: ${hex(actual)}, expected ${hex(expected)}`);
    }
  });

  test('is below 1 if and only if norm > maxNorm; with eps = 0 what optax and TensorFlow multiply by, within 2^-51', () => {
    const random = createRandom(103);
    for (let trial = 0; trial < 20000; ++trial) {
      const maxNorm = Math.abs(randomNumber(random, -300, 300));
      const norm =
        trial % 2 === 0 ? maxNorm * (1 + (random() - 0.5) * 2 ** (-50 * random())) : random() * 1e10;
      const coefficient = clipCoefficient(norm, maxNorm, 0);
      const where = `${hex(norm)}, ${hex(maxNorm)}: ${hex(coefficient)}`;
      assert.equal(coefficient < 1, norm > maxNorm, where);
      assert.ok(coefficient >= 0 && coefficient <= 1, where);
      // clip_by_global_norm of optax: norm < maxNorm ? g : (g / norm) * maxNorm; of TensorFlow:
      // g * maxNorm * min(1 / norm, 1 / maxNorm).
      const optax = norm < maxNorm ? 1 : (1 / norm) * maxNorm;
      const tensorFlow = maxNorm * Math.min(1 / norm, 1 / maxNorm);
      for (const other of [optax, tensorFlow]) {
        assert.ok(Math.abs(coefficient - other) <= 2 ** -51 * other, `${where}, theirs is ${hex(other)}`);
      }
      // clip_grad_norm_ of PyTorch, where it clips.
      if (norm > maxNorm)
        assert.equal(clipCoefficient(norm, maxNorm), Math.min(1, maxNorm / (norm + 1e-6)), where);
    }
  });
});

describe('with a GradMonitor in the place of maxNorm', () => {
  /** @type {import('../web/monitor.js').MonitorOptions[]} */
  const OPTIONS = [
    { method: 'fixed', maxNorm: 2 },
    { method: 'percentile', percentile: 30, warmUp: 5 },
    { method: 'zscore', zThreshold: 1, warmUp: 5 },
  ];

  /** @param {number} step  now and then with a spike */
  function gradientsOf(step) {
    const scale = 1 + (step % 3) / 10 + (step % 7 === 6 ? 40 : 0);
    return makeList(200 + step).map((gradient) => {
      assign(
        gradient,
        valuesOf(gradient).map((x) => x * scale * 2 ** -6),
      );
      return gradient;
    });
  }

  for (const options of OPTIONS) {
    for (const p of [1, 2, Infinity]) {
      test(`${options.method}, p = ${p}: each step clips to the threshold that update() of the norm returns`, () => {
        const monitor = new GradMonitor(options);
        const twin = new GradMonitor(options);
        for (let step = 0; step < 40; ++step) {
          const list = gradientsOf(step);
          const expected = copyAll(list);
          const norm = gradNorm(list, p);
          const { threshold } = twin.update(norm);
          clipGradNorm(expected, threshold, { normType: p, eps: 0 });
          assert.ok(Object.is(clipGradNorm(list, monitor, { normType: p, eps: 0 }), norm));
          assertSameBits(list, expected, `step ${step}, threshold ${hex(threshold)}`);
          assert.deepEqual(monitor.toJSON(), twin.toJSON());
        }
        assert.ok(monitor.steps === 40 && monitor.spikes > 2, `${monitor.spikes} spikes`);
      });
    }

    test(`${options.method}, dry run: never writes, under any policy, and counts all the same`, () => {
      for (const nonfinite of POLICIES) {
        const monitor = new GradMonitor({ ...options, dryRun: true });
        for (let step = 0; step < 40; ++step) {
          const list = gradientsOf(step);
          withoutWriting(list, () => clipGradNorm(list, monitor), `step ${step}`);
        }
        assert.ok(monitor.steps === 40 && monitor.spikes > 2, `${monitor.spikes} spikes`);
        for (const value of [NaN, -Infinity]) {
          const bad = [f32(1, value), ...gradientsOf(1)];
          const clip = () => clipGradNorm(bad, monitor, { nonfinite });
          withoutWriting(
            bad,
            () => (nonfinite === 'throw' ? assert.throws(clip, GradientError) : clip()),
            nonfinite,
          );
        }
        assert.deepEqual([monitor.steps, monitor.nonfinite], [40, 2]);
      }
    });
  }

  test('warm-up writes nothing, however large the gradients are', () => {
    for (const method of /** @type {const} */ (['zscore', 'percentile'])) {
      const monitor = new GradMonitor({ method, warmUp: 5 });
      for (let step = 0; step < 5; ++step) {
        const gradient = f32(10 ** (7 * step), 1);
        withoutWriting([gradient], () => clipGradNorm(gradient, monitor), `${method}, step ${step}`);
      }
      const list = [f32(3e38, 1)];
      clipGradNorm(list, monitor);
      assert.ok(list[0][0] < 3e38, `${method} clips after the warm-up`);
    }
  });

  test('a norm that is not finite is counted once a call, and the policy meets the threshold in force', () => {
    for (const nonfinite of POLICIES) {
      for (const options of OPTIONS) {
        const monitor = new GradMonitor({ ...options, warmUp: 2 });
        for (let step = 0; step < 4; ++step) clipGradNorm(gradientsOf(step), monitor);
        const gradient = f32(1, NaN, -2);
        const clip = () => clipGradNorm(gradient, monitor, { nonfinite });
        if (nonfinite === 'throw') assert.throws(clip, GradientError);
        else assert.equal(clip(), NaN);
        assert.deepEqual([monitor.steps, monitor.nonfinite, monitor.consecutiveNonfinite], [4, 1, 1]);
        // A z-score has no threshold for NaN, so that there is nothing to multiply by.
        const kept = nonfinite === 'skip' || nonfinite === 'throw' || options.method === 'zscore';
        const expected = { true: [1, NaN, -2], false: [NaN, NaN, NaN] };
        const values = nonfinite === 'zero' ? [0, 0, 0] : expected[kept ? 'true' : 'false'];
        assertValues(gradient, values, `${options.method}, ${nonfinite}`);
      }
    }
  });

  test('the error of a monitor that has seen enough comes through, and nothing is written', () => {
    for (const nonfinite of POLICIES) {
      const monitor = new GradMonitor({ method: 'fixed', maxNorm: 1, maxNonfinite: 1 });
      const gradient = f32(1, -Infinity);
      const clip = () => clipGradNorm(gradient, monitor, { nonfinite });
      if (nonfinite === 'throw') assert.throws(clip, GradientError);
      else clip();
      gradient.set([1, -Infinity]);
      const message =
        'GradMonitor: the gradient norm is Infinity; not finite in a row: 2, expected at most 1 (option maxNonfinite)';
      withoutWriting([gradient], () => assert.throws(clip, { name: 'Error', message }), nonfinite);
    }
  });

  test('a call that is refused tells the monitor nothing', () => {
    const monitor = new GradMonitor({ method: 'fixed', maxNorm: 1 });
    const all = f32(3, 4);
    for (const call of [
      () => clipGradNorm(untyped([all, Int8Array.of(1)]), monitor),
      () => clipGradNorm([all, all.subarray(1)], monitor),
      () => clipGradNorm([all, untyped(7)], monitor),
      () => clipGradNorm(all, monitor, { eps: -1 }),
      () => clipGradNorm(all, monitor, { normType: 0 }),
      () => clipGradNorm(all, monitor, untyped({ nonfinite: 'no' })),
      () => clipGradNorm(all, monitor, untyped({ dryRun: true })),
    ]) {
      withoutWriting([all], () => assert.throws(call, /expected/));
      assert.deepEqual([monitor.steps, monitor.nonfinite], [0, 0], String(call));
    }
    clipGradNorm(all, monitor, { eps: 0 });
    const factor = roomyFactor(5, 1, 0, 3 * 2 ** -23);
    assertValues(
      all,
      [3, 4].map((x) => Math.fround(x * factorFor(FLOAT32, factor))),
      'the next call',
    );
    assert.deepEqual([monitor.steps, monitor.spikes], [1, 1]);
  });

  test('a monitor is told by its update(norm): that of another copy of the library works', () => {
    const gradient = f32(3, 4);
    /** @type {number[]} */
    const norms = [];
    const other = {
      dryRun: false,
      update: (/** @type {number} */ norm) => (norms.push(norm), { threshold: 1 }),
    };
    assert.equal(clipGradNorm(gradient, untyped(other)), 5);
    assert.deepEqual(norms, [5]);
    assert.ok(gradNorm(gradient) <= 1);
  });

  test('what says no threshold is no monitor; nothing is written', () => {
    const gradient = f32(3, 4);
    for (const [answer, got, name] of /** @type {const} */ ([
      [undefined, 'undefined', 'TypeError'],
      [{}, 'undefined', 'TypeError'],
      [{ threshold: '1' }, '"1" (a string)', 'TypeError'],
      [{ threshold: -1 }, '-1', 'RangeError'],
    ])) {
      const message = `the threshold of maxNorm.update(norm) is ${got}; expected a number >= 0 or Infinity`;
      const clip = () => clipGradNorm(gradient, untyped({ update: () => answer }));
      withoutWriting([gradient], () => assert.throws(clip, { name, message }));
    }
    const message = 'maxNorm is an object; expected a number >= 0 or Infinity, or a GradMonitor';
    const clip = () => clipGradNorm(gradient, untyped({ threshold: 1, dryRun: false }));
    withoutWriting([gradient], () => assert.throws(clip, { name: 'TypeError', message }));
  });
});

describe("clipGradNorm with per: 'tensor'", () => {
  const make = () => ({
    a: Float32Array.of(3, 4),
    b: Float64Array.of(0.3, 0.4),
    none: null,
    c: new Float32Array(5000).fill(0.1),
    d: { data: Uint16Array.of(0x4200, 0x4400), dtype: /** @type {const} */ ('float16') },
  });
  const NAMES = /** @type {const} */ (['a', 'b', 'c', 'd']);

  test('scales each tensor as if it were alone, and returns the norm of all', () => {
    for (const options of [{}, { eps: 0 }, { normType: 1 }, { normType: Infinity }, { normType: 2.5 }]) {
      const [together, alone] = [make(), make()];
      const norm = gradNorm(together, options.normType);
      assert.equal(clipGradNorm(together, 1, { ...options, per: 'tensor' }), norm);
      for (const name of NAMES) clipGradNorm(alone[name], 1, options);
      assert.deepEqual(together, alone);
    }
  });

  test('writes nothing where no norm is above the limit, and all zeros for the limit 0', () => {
    const gradients = make();
    clipGradNorm(gradients, 8, { per: 'tensor' });
    assert.deepEqual(gradients, make());
    clipGradNorm(gradients, 0, { per: 'tensor' });
    assert.equal(gradNorm(gradients), 0);
  });

  test('what is listed twice is scaled once, and counts twice in the norm', () => {
    const gradient = Float32Array.of(3, 4);
    assert.equal(
      clipGradNorm([gradient, gradient], 2.5, { per: 'tensor' }),
      gradNorm([Float32Array.of(3, 4, 3, 4)]),
    );
    assert.deepEqual(
      [...gradient].map((x) => Number(x.toFixed(5))),
      [1.5, 2],
    );
  });

  test('more tensors than the core has groups for', () => {
    const many = Array.from({ length: 1000 }, (_, i) => Float32Array.of(i, 0, 0));
    clipGradNorm(many, 10, { per: 'tensor', eps: 0 });
    assert.ok(many.every(([x], i) => Math.abs(x - Math.min(i, 10)) < 1e-4));
  });

  test("a norm that is not finite concerns its own tensor: 'propagate', 'skip' and 'zero'", () => {
    for (const [nonfinite, expected] of /** @type {const} */ ([
      ['propagate', [NaN, NaN]],
      ['skip', [NaN, 7]],
      ['zero', [0, 0]],
    ])) {
      const gradients = { sick: Float32Array.of(NaN, 7), well: Float32Array.of(3, 4) };
      assert.ok(Number.isNaN(clipGradNorm(gradients, 1, { per: 'tensor', nonfinite, eps: 0 })));
      assert.deepEqual([...gradients.sick], expected);
      assert.deepEqual(
        [...gradients.well].map((x) => Number(x.toFixed(5))),
        [0.6, 0.8],
      );
    }
  });

  test("'throw' names the tensor, and nothing is written", () => {
    const gradients = { well: Float32Array.of(3, 4), sick: Float32Array.of(1, Infinity) };
    assert.throws(() => clipGradNorm(gradients, 1, { per: 'tensor', nonfinite: 'throw' }), {
      name: 'GradientError',
      tensor: 'sick',
      index: 1,
      value: Infinity,
    });
    assert.deepEqual([...gradients.well], [3, 4]);
    const beyond = { well: Float32Array.of(3), huge: new Float64Array(4).fill(Number.MAX_VALUE) };
    assert.throws(() => clipGradNorm(beyond, 1, { per: 'tensor', nonfinite: 'throw' }), {
      message: 'the norm of gradients.huge is Infinity, beyond the largest double; nothing was clipped',
    });
  });

  test('a limit so small that elements round to subnormals is kept', () => {
    const gradients = [new Float32Array(300).fill(1), Float32Array.of(2)];
    clipGradNorm(gradients, 1e-43, { per: 'tensor' });
    for (const gradient of gradients) assert.ok(gradNorm(gradient) <= 1e-43);
  });

  test('a monitor, whose limit is of the norm of all, and any other word are refused', () => {
    const gradient = Float32Array.of(3, 4);
    assert.throws(() => clipGradNorm(gradient, new GradMonitor(), { per: 'tensor' }), {
      name: 'TypeError',
      message: "with per: 'tensor' maxNorm is a GradMonitor; expected a number >= 0 or Infinity",
    });
    for (const per of ['layer', 'Tensor', 1, null, true])
      assert.throws(() => clipGradNorm(gradient, 1, /** @type {any} */ ({ per })), {
        name: 'TypeError',
        message: /^per is .*; expected one of 'all', 'tensor'$/,
      });
    assert.deepEqual([...gradient], [3, 4]);
    assert.equal(clipGradNorm(gradient, 1, { per: 'all' }), 5);
  });
});
