// tests/report.test.js: gradReport: norms bit for bit as gradNorm has them, everything else against the exact
// oracle or a plain count, and what a report looks like in a console and as JSON.
import assert from 'node:assert/strict';
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { clipGradNorm, GradientError, GradMonitor, gradNorm, GradReport, gradReport } from 'gradnorm';
import {
  assertAccurate,
  assertClose,
  BLOCK,
  createRandom,
  hex,
  NORM_TYPES,
  promisedBound,
} from './accuracy.js';
import {
  assign,
  bytesOf,
  ELEMENT_TYPES,
  FLOAT_TYPES,
  gradientOf,
  INTEGER_TYPES,
  valuesOf,
} from './halves.js';
import { exactNorm, exactPowerSum, toNumber } from './oracle.js';
import { STAGING_BYTES } from './staging.js';

/**
 * @typedef {import('./halves.js').AnyGradient} AnyGradient
 * @typedef {import('./halves.js').ElementType<AnyGradient>} AnyType
 */

const f32 = (/** @type {number[]} */ ...elements) => Float32Array.of(...elements);
const f64 = (/** @type {number[]} */ ...elements) => Float64Array.of(...elements);
const f16 = (/** @type {number[]} */ ...elements) => gradientOf(FLOAT_TYPES[2], elements);

/** Hides from the type checker what is wrong on purpose. */
const untyped = (/** @type {unknown} */ value) => /** @type {any} */ (value);

/**
 * @param {number} actual
 * @param {number} expected
 * @param {string} where
 */
function assertSame(actual, expected, where) {
  assert.ok(Object.is(actual, expected), `${where}: ${hex(actual)}, expected ${hex(expected)}`);
}

/**
 * Elements that every type has: whole numbers in the range of int8 or uint8, or any of a float's magnitudes.
 * @param {AnyType} type
 * @param {number} length
 * @param {() => number} random
 */
function makeGradient(type, length, random) {
  const isFloat = FLOAT_TYPES.some(({ label }) => label === type.label);
  const scale = 2 ** Math.floor(random() * 20 - 10);
  const sign = () => (type.label.startsWith('Uint') || random() < 0.5 ? 1 : -1);
  const magnitude = () => (isFloat ? (random() + 0.01) * scale : Math.floor(random() * 128));
  return gradientOf(
    type,
    Float64Array.from({ length }, () => (random() < 0.1 ? 0 : sign() * magnitude())),
  );
}

/**
 * Gradients of all types and of many lengths, 0, 1 and more than a block among them.
 * @param {number} seed
 * @param {number} [longest]
 * @returns {AnyGradient[]}
 */
function makeList(seed, longest = 300) {
  const random = createRandom(seed);
  const lengths = [0, 1, ...Array.from({ length: 24 }, () => Math.floor(random() ** 4 * longest))];
  return lengths.map((length) =>
    makeGradient(ELEMENT_TYPES[Math.floor(random() * ELEMENT_TYPES.length)], length, random),
  );
}

/**
 * The relative error that gradNorm may have.
 * @param {readonly AnyGradient[]} list
 * @param {number} p
 */
function normBound(list, p) {
  const wide = [Float64Array, Int32Array, Uint32Array];
  const allWide = list.every((gradient) => wide.some((Type) => gradient instanceof Type));
  return promisedBound([allWide ? f64() : f32()], p);
}

/**
 * The mean magnitude, exact but for the division, which is cut below 2^-90.
 * @param {readonly ArrayLike<number>[]} arrays
 */
function exactMean(arrays) {
  const { mantissa, exponent } = exactPowerSum(arrays, 1);
  const elements = arrays.reduce((total, { length }) => total + length, 0);
  return { mantissa: (mantissa << 128n) / BigInt(Math.max(1, elements)), exponent: exponent - 128 };
}

/**
 * Holds what a report or a row says about elements, norms and shares apart, against a plain count and the oracle.
 * @param {{ elements: number, max: number, meanAbs: number, zeros: number, nan: number, inf: number }} row
 * @param {readonly Float64Array[]} arrays
 * @param {string} where
 */
function assertHealth(row, arrays, where) {
  const count = (/** @type {(x: number) => boolean} */ accepts) =>
    arrays.reduce((total, array) => total + array.filter(accepts).length, 0);
  const finite = arrays.map((array) => array.filter(Number.isFinite));
  const largest = finite.reduce((max, array) => array.reduce((a, x) => Math.max(a, Math.abs(x)), max), 0);
  const { elements, zeros, nan, inf } = row;
  const counts = { elements: count(() => true), zeros: count((x) => x === 0), nan: count(Number.isNaN) };
  const expected = { ...counts, inf: count((x) => Math.abs(x) === Infinity) };
  assert.deepEqual({ elements, zeros, nan, inf }, expected, where);
  assertSame(row.max, largest, `${where}, max`);
  assertClose(row.meanAbs, exactMean(finite), 2 ** -22, `${where}, meanAbs`);
}

/** @param {GradReport} report */
function sumOfShares(report) {
  return report.tensors.reduce((total, { share }) => total + share, 0);
}

describe('shares', () => {
  test('a tensor of zeros has the share 0, also where the sum of powers is beyond the doubles', () => {
    for (const [tiny, p] of /** @type {[Float32Array | Float64Array, number][]} */ ([
      [f32(1e-20), 32],
      [f32(1e-20), 64],
      [f64(1e-200), 64],
      [f64(1e200), 64],
    ])) {
      const { tensors } = gradReport({ tiny, zeros: f32(0, 0) }, { normType: p });
      assert.deepEqual(
        tensors.map(({ share }) => share),
        [1, 0],
        `p = ${p}`,
      );
    }
  });
});

describe('norms', () => {
  const P = [...NORM_TYPES, 1e-5, 0.3, 2.7, 66.6, 12345.678, 2 ** 53, 1e300];

  test('of all and of each tensor are gradNorm, bit for bit, for every p and lists of all types', () => {
    for (const p of P) {
      for (const [seed, longest] of [
        [1, 300],
        [2, 5 * BLOCK],
        [3, 40 * BLOCK],
      ]) {
        const list = makeList(seed, NORM_TYPES.includes(p) ? longest : 2 * BLOCK);
        const report = gradReport(list, { normType: p });
        assertSame(report.norm, gradNorm(list, p), `p = ${p}`);
        assert.equal(report.normType, p);
        assert.equal(report.tensors.length, list.length);
        report.tensors.forEach(({ norm, dtype }, i) => {
          assertSame(norm, gradNorm(list[i], p), `p = ${p}, gradient ${i}, ${dtype}`);
        });
      }
    }
  });

  test('are gradNorm for hard magnitudes and for norms that are not finite', () => {
    const lists = [
      [f32(1e20, 1, 1), f32(2 ** -149)],
      [f64(1e200, 1e-200), f64(5e-324)],
      [new Float32Array(5000).fill(3.4028234663852886e38), new Float64Array(70).fill(1e-310)],
      [new Float64Array(5000).fill(1e308), f32(1)],
      [f32(1, NaN), f64(Infinity)],
      [f32(1), f64(1, -Infinity)],
    ];
    for (const p of P) {
      lists.forEach((list, k) => {
        const report = gradReport(list, { normType: p });
        assertSame(report.norm, gradNorm(list, p), `list ${k}, p = ${p}`);
        list.forEach((gradient, i) => {
          assertSame(report.tensors[i].norm, gradNorm(gradient, p), `list ${k}, gradient ${i}, p = ${p}`);
        });
      });
    }
  });

  test('p is 2 if left out', () => {
    const { norm, normType } = gradReport(f32(3, 4));
    assert.deepEqual([norm, normType], [5, 2]);
    assert.equal(gradReport(f32(3, 4), { normType: undefined }).norm, 5);
    assert.equal(gradReport(f32(3, 4), { normType: 1 }).norm, 7);
  });
});

describe('shares', () => {
  test('add up to 1 within 1e-12 and lie in [0, 1], for every p', () => {
    for (const p of [...NORM_TYPES, 1e-5, 0.3, 2.7, 66.6, 12345.678]) {
      for (let seed = 11; seed < 21; ++seed) {
        const report = gradReport(makeList(seed), { normType: p });
        assert.ok(Math.abs(sumOfShares(report) - 1) <= 1e-12, `p = ${p}: ${hex(sumOfShares(report))}`);
        for (const { share } of report.tensors)
          assert.ok(share >= 0 && share <= 1, `p = ${p}: ${hex(share)}`);
      }
    }
  });

  test('add up to 1 within 1e-12 for huge and tiny values, 5000 tensors, and sums beyond the doubles', () => {
    const random = createRandom(21);
    const many = Array.from({ length: 5000 }, () => f32(random(), random() - 0.5, random() * 1e3));
    const lists = [
      many,
      [f32(1e38, 1e38), f32(3e38), f64(1e38)],
      [f32(2 ** -149), f32(2 ** -148, 2 ** -149), f16(2 ** -24)],
      [f64(1e300, 1e300), f64(1.7e308), new Float64Array(1000).fill(1.7e308)],
      [f64(5e-324), f64(5e-324, 1e-323)],
      [f64(1e-300), f64(1e300), f32(1)],
    ];
    for (const p of NORM_TYPES) {
      lists.forEach((list, k) => {
        const sum = sumOfShares(gradReport(list, { normType: p }));
        assert.ok(Math.abs(sum - 1) <= 1e-12, `list ${k}, p = ${p}: ${hex(sum)}`);
      });
    }
  });

  test('are |tensor|^p / |all|^p, the powers of the exact norms, within the error of the sums', () => {
    for (const p of NORM_TYPES.filter((power) => power !== Infinity)) {
      for (let seed = 31; seed < 35; ++seed) {
        const list = makeList(seed);
        const exact = (/** @type {AnyGradient[]} */ part) => toNumber(exactNorm(part.map(valuesOf), p));
        const total = exact(list);
        // An error e of the norm is an error p e of the sum of powers; there are two sums.
        const bound = 2 * p * normBound(list, p) * 1.01 + 1e-12;
        gradReport(list, { normType: p }).tensors.forEach(({ share }, i) => {
          const expected = (exact([list[i]]) / total) ** p;
          const error = Math.abs(share - expected);
          assert.ok(
            error <= bound * expected,
            `p = ${p}, gradient ${i}: ${hex(share)}, not ${hex(expected)}`,
          );
        });
      }
    }
  });

  test('by heart: 9, 16 and 0 of 25; for p = Infinity those with the largest magnitude share alike', () => {
    const sharesOf = (/** @type {AnyGradient[]} */ list, /** @type {number} */ normType) =>
      gradReport(list, { normType }).tensors.map(({ share }) => share);
    assert.deepEqual(sharesOf([f32(3), f64(4, 0), f32(), f32(0)], 2), [9 / 25, 16 / 25, 0, 0]);
    assert.deepEqual(sharesOf([f32(3), Int8Array.of(-4, -3)], 1), [0.3, 0.7]);
    assert.deepEqual(sharesOf([f32(3, 3), f32(1, -3), f32(2), f64(-3), f32()], Infinity), [
      1 / 3,
      1 / 3,
      0,
      1 / 3,
      0,
    ]);
    assert.deepEqual(sharesOf([f32(2), f64(4)], Infinity), [0, 1]);
  });

  test('add up to 1 too where p is so large that only the maximum counts', () => {
    for (const p of [2 ** 52, 2 ** 53, 2 ** 60, 1e300, Number.MAX_VALUE]) {
      const shares = gradReport([f32(1), f64(3, 1), f32(2)], { normType: p }).tensors.map(
        ({ share }) => share,
      );
      assert.deepEqual(shares, [0, 1, 0], `p = ${p}`);
    }
  });

  test('are 0 where there is nothing but zeros, and NaN where an element is not finite', () => {
    for (const p of [0.1, 1, 2, 66.6, 1000, Infinity]) {
      const sharesOf = (/** @type {AnyGradient[]} */ list) =>
        gradReport(list, { normType: p }).tensors.map(({ share }) => share);
      assert.deepEqual(sharesOf([f32(0, -0), f64(0), f32(), Int8Array.of(0)]), [0, 0, 0, 0], `p = ${p}`);
      assert.deepEqual(sharesOf([f32(1), f64(NaN, 1)]), [NaN, NaN], `p = ${p}`);
      assert.deepEqual(sharesOf([f32(1), f64(-Infinity), f32()]), [NaN, NaN, NaN], `p = ${p}`);
      assert.deepEqual(sharesOf([f32(NaN), f64(Infinity)]), [NaN, NaN], `p = ${p}`);
    }
  });

  test('are known where the norm of finite elements is beyond the doubles', () => {
    const report = gradReport([new Float64Array(30).fill(1e308), new Float64Array(10).fill(-1e308)], {
      normType: 1,
    });
    assert.equal(report.norm, Infinity);
    report.tensors.forEach(({ share }, i) =>
      assert.ok(Math.abs(share - [0.75, 0.25][i]) <= 2 ** -50, hex(share)),
    );
  });
});

test('a report knows nothing of the one before, nor of a call that found an offender', () => {
  const gradients = [f32(1, NaN, 0, 4), f64(-Infinity, 2)];
  const expected = JSON.stringify(gradReport(gradients));
  gradReport([f32(7, 0, 0), f64(NaN)]);
  assert.throws(() => clipGradNorm([f32(8, NaN)], 1, { nonfinite: 'throw' }), GradientError);
  assert.equal(JSON.stringify(gradReport(gradients)), expected);
  const { nan, inf, zeros, firstNonfinite } = gradReport(gradients);
  assert.deepEqual([nan, inf, zeros, firstNonfinite?.index], [1, 1, 1, 1]);
  const clean = gradReport(f32(3, 4));
  assert.deepEqual([clean.norm, clean.nan, clean.inf, clean.zeros, clean.firstNonfinite], [5, 0, 0, 0, null]);
});

test('an error in the middle of a tensor leaves nothing behind: the next report and norm are those of its own', () => {
  const long = new Float32Array((2 * STAGING_BYTES) / 4).fill(1);
  long[0] = NaN;
  const { set } = Uint8Array.prototype;
  for (const measure of [gradReport, gradNorm]) {
    let copies = 0;
    Uint8Array.prototype.set = function (/** @type {ArrayLike<number>} */ array, offset = 0) {
      if (++copies === 2) throw new RangeError('the second piece cannot be copied');
      set.call(this, array, offset);
    };
    try {
      assert.throws(() => measure(long), /the second piece/);
    } finally {
      Uint8Array.prototype.set = set;
    }
    const { norm, elements, nan, firstNonfinite } = gradReport(f32(3, 4));
    assert.deepEqual([norm, elements, nan, firstNonfinite], [5, 2, 0, null]);
    assert.equal(gradNorm(f32(3, 4)), 5);
  }
});

test('a long tensor is cut at blocks: its norm is gradNorm, bit for bit, whichever block outweighs the others', () => {
  const blocks = STAGING_BYTES / 4 / BLOCK + 3;
  for (let heavy = 0; heavy < blocks; ++heavy) {
    const random = createRandom(heavy + 1);
    const long = new Float32Array(blocks * BLOCK).fill(1e-9);
    for (let i = 0; i < BLOCK; ++i) long[heavy * BLOCK + i] = random();
    assertSame(gradReport(long, { normType: 3 }).norm, gradNorm(long, 3), `block ${heavy}`);
  }
});

describe('zeros and offenders, in float and double, in heaps of blocks', () => {
  /** Blocks that end in an ordinary element, in zeros or in offenders, of these and of a mixture. */
  const FILLINGS = [0, -0, NaN, Infinity, -Infinity, 1.5];
  for (const Type of [Float32Array, Float64Array]) {
    test(`${Type.name}: zeros, offenders, first of them, largest and norm, whatever the ends of a block are`, () => {
      for (const [k, most] of FILLINGS.entries()) {
        for (const other of FILLINGS) {
          const random = createRandom(k);
          const array = new Type(2 * BLOCK + 5).fill(most);
          for (const place of [0, BLOCK - 1, BLOCK, 2 * BLOCK + 4]) if (random() < 0.7) array[place] = other;
          for (let i = 1; i < BLOCK; ++i) if (random() < 0.1) array[i + BLOCK] = other;
          const health = { zeros: 0, nan: 0, inf: 0, max: 0, index: -1 };
          array.forEach((x, i) => {
            if (x === 0) health.zeros += 1;
            if (Number.isNaN(x)) health.nan += 1;
            if (Math.abs(x) === Infinity) health.inf += 1;
            if (Math.abs(x) < Infinity) health.max = Math.max(health.max, Math.abs(x));
            if (!Number.isFinite(x) && health.index < 0) health.index = i;
          });
          const { zeros, nan, inf, max, firstNonfinite, norm } = gradReport(array);
          const index = firstNonfinite?.index ?? -1;
          assert.deepEqual({ zeros, nan, inf, max, index }, health, `${most} and ${other}`);
          for (const p of [1, 2, 3, 4, 1.5, 2.7, Infinity]) {
            const actual = gradNorm(array, p);
            if (health.nan > 0) assertSame(actual, NaN, `p = ${p}`);
            else if (health.inf > 0) assertSame(actual, Infinity, `p = ${p}`);
            else assertAccurate(actual, [array], p, `p = ${p}`);
          }
          assertSame(norm, gradNorm(array), 'the norm of the report');
        }
      }
    });
  }
});

describe('the health of all and of each', () => {
  test('elements, max, meanAbs within 2^-22, zeros, nan, inf: every type, lengths 0..130 and around blocks', () => {
    const lengths = [
      ...Array.from({ length: 131 }, (_, n) => n),
      BLOCK - 1,
      BLOCK,
      BLOCK + 1,
      3 * BLOCK + 17,
    ];
    for (const type of ELEMENT_TYPES) {
      const random = createRandom(41);
      const list = lengths.map((length) => makeGradient(type, length, random));
      const report = gradReport(list);
      list.forEach((gradient, i) => {
        assertHealth(report.tensors[i], [valuesOf(gradient)], `${type.label}, n = ${lengths[i]}`);
      });
      assertHealth(report, list.map(valuesOf), type.label);
    }
  });

  test('random lists of all types, with NaN and infinities among them, whatever p is', () => {
    for (let seed = 51; seed < 81; ++seed) {
      const random = createRandom(seed);
      const list = makeList(seed, 2 * BLOCK);
      for (const gradient of list.filter(
        (item) => item instanceof Float32Array || item instanceof Float64Array,
      )) {
        const values = valuesOf(gradient).map((x) =>
          random() < 0.001 ? [NaN, Infinity, -Infinity][seed % 3] : x,
        );
        assign(gradient, values);
      }
      const p = NORM_TYPES[seed % NORM_TYPES.length];
      const report = gradReport(list, { normType: p });
      list.forEach((gradient, i) =>
        assertHealth(report.tensors[i], [valuesOf(gradient)], `seed ${seed}, ${i}`),
      );
      assertHealth(report, list.map(valuesOf), `seed ${seed}`);
    }
  });

  test('magnitudes whose sum overflows or underflows, alone and mixed, with and without offenders', () => {
    const cases = [
      new Float32Array(100).fill(-3.4028234663852886e38),
      new Float32Array(5000).fill(2 ** -149),
      f32(3.4028234663852886e38, 2 ** -149, 0, -1),
      new Float64Array(5000).fill(Number.MAX_VALUE),
      new Float64Array(5000).fill(-5e-324),
      f64(Number.MAX_VALUE, 5e-324, 1, 0, -0),
      new Float64Array(70).fill(-1e-300),
      f64(1e-310, 3e-310, 0, -1e-290),
      f64(2 ** -901, NaN, 2 ** -950),
      f64(2 ** 901, -Infinity, 2 ** 1000),
      f64(5e-324, 0, 0),
      f64(2 ** 900, 2 ** 901, -(2 ** -900), 2 ** -901),
      f64(1e308, 1e308, NaN, Infinity, 1e-308),
      f64(NaN, NaN, -Infinity),
      f32(NaN),
      f32(0, NaN, 3.4028234663852886e38),
      f32(-Infinity, 2 ** -149),
      f64(-0),
    ];
    const report = gradReport(cases);
    cases.forEach((array, i) => assertHealth(report.tensors[i], [valuesOf(array)], `case ${i}`));
    assertHealth(report, cases.map(valuesOf), 'all');
  });

  test('every value of int8, uint8, int16, uint16, float16 and bfloat16', () => {
    const patterns = Uint16Array.from({ length: 0x10000 }, (_, bits) => bits);
    for (const type of ELEMENT_TYPES.filter(({ bytes }) => bytes <= 2)) {
      const gradient = type.view(patterns.buffer, 0, patterns.byteLength / type.bytes);
      assertHealth(gradReport(gradient), [valuesOf(gradient)], type.label);
    }
    const extremes = [Int32Array.of(-(2 ** 31), 2 ** 31 - 1, 0), Uint32Array.of(2 ** 32 - 1, 0, 2 ** 31)];
    for (const gradient of extremes)
      assertHealth(gradReport(gradient), [valuesOf(gradient)], String(gradient));
  });

  test('dtypes by name; of Float16Array and Uint8ClampedArray the names of what they hold', () => {
    const list = ELEMENT_TYPES.map((type) => gradientOf(type, [1]));
    assert.deepEqual(
      gradReport(list).tensors.map(({ dtype }) => dtype),
      ELEMENT_TYPES.map(({ dtype }) => dtype),
    );
    assert.deepEqual(
      INTEGER_TYPES.map(({ dtype }) => dtype),
      ['int8', 'uint8', 'uint8', 'int16', 'uint16', 'int32', 'uint32'],
    );
  });

  test('nothing at all', () => {
    for (const gradients of [[], {}, new Map(), null, [null, undefined], { grad: null }]) {
      for (const normType of [0.5, 2, Infinity]) {
        const { norm, elements, max, meanAbs, zeros, nan, inf, ...report } = gradReport(gradients, {
          normType,
        });
        assert.deepEqual([norm, elements, max, meanAbs, zeros, nan, inf], [0, 0, 0, 0, 0, 0, 0]);
        assert.deepEqual(report, { normType, tensors: [], nonfinite: [], firstNonfinite: null });
      }
      assert.equal(gradReport(gradients).firstNonfinite, null);
    }
  });

  test('nothing is written: NaN payloads, offsets and neighbours stay bit for bit', () => {
    for (const type of ELEMENT_TYPES) {
      const random = createRandom(91);
      const memory = new Uint8Array(80_000).map(() => random() * 256);
      const whole = Uint8Array.from(memory);
      for (const p of [2, 2.5, Infinity]) {
        gradReport(type.view(memory.buffer, 3 * type.bytes, 9000), { normType: p });
        assert.ok(bytesOf(memory).equals(bytesOf(whole)), `${type.label}, p = ${p}`);
      }
    }
  });

  test('shared memory and views at every offset', () => {
    for (const type of FLOAT_TYPES) {
      const shared = new SharedArrayBuffer(100 * type.bytes);
      assign(type.view(shared, 0, 100), new Float64Array(100).fill(NaN));
      for (let offset = 0; offset < 8; ++offset) {
        const gradient = type.view(shared, offset * type.bytes, 50);
        assign(
          gradient,
          Array.from({ length: 50 }, (_, i) => i - 25),
        );
        assertHealth(gradReport(gradient), [valuesOf(gradient)], `${type.label}, offset ${offset}`);
        assign(gradient, new Float64Array(50).fill(NaN));
      }
    }
  });
});

describe('elements that are not finite', () => {
  for (const type of FLOAT_TYPES) {
    test(`${type.label}: the first is found with its index and sign, around every boundary of blocks and pieces`, () => {
      const piece = STAGING_BYTES / type.bytes;
      const length = 2 * piece + 100;
      const ends = [
        1,
        2,
        4,
        8,
        16,
        32,
        BLOCK,
        2 * BLOCK,
        piece - BLOCK,
        piece,
        piece + BLOCK,
        2 * piece,
        length - 1,
      ];
      const gradient = gradientOf(type, new Float64Array(length).fill(-0.5));
      const restore = type.view(new ArrayBuffer(type.bytes), 0, 1);
      assign(restore, [-0.5]);
      for (const at of new Set(ends.flatMap((end) => [end - 1, end, end + 1]))) {
        if (at >= length) continue;
        for (const value of [NaN, Infinity, -Infinity]) {
          const element = type.view(bufferOf(gradient), at * type.bytes, 1);
          assign(element, [value]);
          // A later one does not matter, but health.
          const last = type.view(bufferOf(gradient), (length - 1) * type.bytes, 1);
          if (at < length - 1) assign(last, [NaN]);
          const report = gradReport({ good: f32(1), bad: gradient });
          const expected = { tensor: 'bad', index: at, value };
          assert.deepEqual(report.firstNonfinite, expected);
          assert.deepEqual(report.nonfinite, [expected]);
          assert.equal(report.nan + report.inf, at < length - 1 ? 2 : 1);
          assign(element, valuesOf(restore));
          assign(last, valuesOf(restore));
        }
      }
      assert.deepEqual(gradReport(gradient).nonfinite, []);
    });
  }

  /** @param {AnyGradient} gradient */
  function bufferOf(gradient) {
    return 'data' in gradient ? gradient.data.buffer : gradient.buffer;
  }

  test('one of each tensor that has one, in the order of reading; the first of them is firstNonfinite', () => {
    const report = gradReport({
      a: [f32(1), f32(0, Infinity, NaN)],
      b: { grad: f64(2, 3, -Infinity) },
      c: { grad: Int8Array.of(1) },
      d: f16(NaN),
      e: { data: Uint16Array.of(0x3f80, 0xff80), dtype: 'bfloat16' },
    });
    const expected = [
      { tensor: 'a.1', index: 1, value: Infinity },
      { tensor: 'b', index: 2, value: -Infinity },
      { tensor: 'd', index: 0, value: NaN },
      { tensor: 'e', index: 1, value: -Infinity },
    ];
    assert.deepEqual(report.nonfinite, expected);
    assert.deepEqual(report.firstNonfinite, expected[0]);
    assert.deepEqual([report.norm, report.nan, report.inf], [NaN, 2, 3]);
    assert.equal(gradReport([f32(1), f64(2)]).firstNonfinite, null);
  });

  test('a norm beyond the doubles of finite elements has no first offender', () => {
    const report = gradReport(new Float64Array(20).fill(1e308), { normType: 1 });
    assert.deepEqual([report.norm, report.inf, report.firstNonfinite], [Infinity, 0, null]);
    assert.deepEqual([report.max, report.tensors[0].norm], [1e308, Infinity]);
  });
});

describe('names', () => {
  const namesOf = (/** @type {import('gradnorm').Gradients} */ gradients) =>
    gradReport(gradients).tensors.map(({ name }) => name);

  test('of records and Maps, indices of lists, of nested ones the whole way; a grad is the parameter', () => {
    const g = () => f32(1);
    assert.deepEqual(namesOf(g()), ['gradients']);
    assert.deepEqual(namesOf({ grad: g() }), ['gradients']);
    assert.deepEqual(namesOf({ data: Uint16Array.of(1), dtype: 'float16' }), ['gradients']);
    assert.deepEqual(namesOf([g(), null, g(), undefined, [g()]]), ['0', '2', '4.0']);
    assert.deepEqual(namesOf({ weight: g(), bias: null, scale: g() }), ['weight', 'scale']);
    assert.deepEqual(namesOf({ layers: [{ weight: g(), bias: { grad: g() } }, { weight: g() }] }), [
      'layers.0.weight',
      'layers.0.bias',
      'layers.1.weight',
    ]);
    assert.deepEqual(
      namesOf(
        new Map([
          ['fc1/weight', g()],
          ['fc1.bias', g()],
        ]),
      ),
      ['fc1/weight', 'fc1.bias'],
    );
    const keys = /** @type {[unknown, Float32Array][]} */ ([
      [7, g()],
      [Symbol('s'), g()],
      [{}, g()],
    ]);
    assert.deepEqual(namesOf(new Map(keys)), ['7', 'Symbol(s)', '2']);
    assert.deepEqual(namesOf([{ grad: { data: Uint16Array.of(1), dtype: 'bfloat16' } }]), ['0']);
    class Layer {}
    const byLayer = new Map([
      [new Layer(), g()],
      [new Layer(), g()],
      [Object.assign(new Layer(), { name: 'fc1' }), g()],
      [Layer, g()],
    ]);
    assert.deepEqual(namesOf(byLayer), ['0', '1', 'fc1', 'Layer']);
    const named = [{ name: 'w', grad: g() }, { grad: g() }, { name: '', grad: g() }, { name: 3, grad: g() }];
    assert.deepEqual(namesOf(named), ['w', '1', '2', '3']);
    assert.deepEqual(namesOf({ layers: new Set(named.slice(0, 1)), b: named[0] }), ['layers.w', 'b']);
    assert.deepEqual(namesOf(new Set([g(), g()]).values()), ['0', '1']);
  });

  test('null is skipped, empty tensors have a row, a tensor that is listed twice has two', () => {
    const twice = f32(3);
    const { tensors, elements, norm } = gradReport({ a: twice, b: null, c: f64(), d: twice });
    const empty = { elements: 0, norm: 0, share: 0, max: 0, meanAbs: 0, zeros: 0, nan: 0, inf: 0 };
    const row = { elements: 1, norm: 3, share: 0.5, max: 3, meanAbs: 3, zeros: 0, nan: 0, inf: 0 };
    assert.deepEqual(tensors, [
      { name: 'a', dtype: 'float32', ...row },
      { name: 'c', dtype: 'float64', ...empty },
      { name: 'd', dtype: 'float32', ...row },
    ]);
    assert.deepEqual([elements, norm], [2, gradNorm(f32(3, 3))]);
  });
});

describe('as JSON', () => {
  test('NaN, Infinity and -Infinity are strings; everything else is as it was, and comes back', () => {
    const report = gradReport({ w: f32(1, NaN), b: [f64(-Infinity)], c: f64(0.1) }, { normType: Infinity });
    const row = (/** @type {object} */ rest) => ({ elements: 1, zeros: 0, nan: 0, inf: 0, ...rest });
    assert.deepEqual(JSON.parse(JSON.stringify(report)), {
      norm: 'NaN',
      normType: 'Infinity',
      elements: 4,
      max: 1,
      meanAbs: 0.55,
      zeros: 0,
      nan: 1,
      inf: 1,
      firstNonfinite: { tensor: 'w', index: 1, value: 'NaN' },
      tensors: [
        row({
          name: 'w',
          dtype: 'float32',
          elements: 2,
          norm: 'NaN',
          share: 'NaN',
          max: 1,
          meanAbs: 1,
          nan: 1,
        }),
        row({ name: 'b.0', dtype: 'float64', norm: 'Infinity', share: 'NaN', max: 0, meanAbs: 0, inf: 1 }),
        row({ name: 'c', dtype: 'float64', norm: 0.1, share: 'NaN', max: 0.1, meanAbs: 0.1 }),
      ],
      nonfinite: [
        { tensor: 'w', index: 1, value: 'NaN' },
        { tensor: 'b.0', index: 0, value: '-Infinity' },
      ],
    });
  });

  test('of finite gradients every number comes back bit for bit, and the report stays as it is', () => {
    const report = gradReport(makeList(61), { normType: 3 });
    const parsed = JSON.parse(JSON.stringify({ report })).report;
    assert.deepEqual(parsed, { ...report });
    assert.equal(parsed.firstNonfinite, null);
    assert.deepEqual(parsed, report.toJSON());
    assert.ok(report instanceof GradReport);
  });

  test('a name of a tensor is never mistaken: "NaN" and "constructor" stay what they are', () => {
    const { tensors } = JSON.parse(
      JSON.stringify(gradReport({ NaN: f32(1), constructor: f32(2), toJSON: f32(3) })),
    );
    const names = tensors.map((/** @type {{ name: string }} */ { name }) => name);
    assert.deepEqual(names, ['NaN', 'constructor', 'toJSON']);
  });
});

describe('in a console', () => {
  /** @param {(console: Console) => void} use */
  function printed(use) {
    let text = '';
    const stdout = new Writable({
      write(chunk, _encoding, done) {
        text += chunk;
        done();
      },
    });
    use(new Console({ stdout, colorMode: false }));
    return text;
  }

  test('a report is a table with aligned columns: exact text, by String, inspect and console.log', () => {
    const report = gradReport({
      fc1: { weight: f32(3, -4, 0, -0), bias: { grad: f64(0) } },
      embedding: new Float32Array(1_234_567).fill(2 ** -20),
      scale: f16(6),
      steps: { grad: Int8Array.of() },
    });
    const expected = [
      '2-norm 7.810 of 1,234,573 elements in 5 tensors',
      'max 6.000, mean |g| 1.15e-5, zeros 3 (0.0 %), NaN 0, infinite 0',
      '',
      'tensor      dtype     elements      norm   share      max  mean |g|  zeros  NaN  inf',
      'fc1.weight  float32          4     5.000  41.0 %    4.000     1.750      2    0    0',
      'fc1.bias    float64          1         0   0.0 %        0         0      1    0    0',
      'embedding   float32  1,234,567  0.001060   0.0 %  9.54e-7   9.54e-7      0    0    0',
      'scale       float16          1     6.000  59.0 %    6.000     6.000      0    0    0',
      'steps       int8             0         0   0.0 %        0         0      0    0    0',
    ].join('\n');
    assert.equal(String(report), expected);
    assert.equal(`${report}`, expected);
    assert.equal(inspect(report), expected);
    assert.equal(
      printed((console) => console.log(report)),
      `${expected}\n`,
    );
  });

  test('what is not finite is said before the table, and p = Infinity is ∞', () => {
    const report = gradReport([f32(1, -Infinity, 0), f64(NaN, 1e-5)], { normType: Infinity });
    assert.equal(
      String(report),
      [
        '∞-norm NaN of 5 elements in 2 tensors',
        'max 1.000, mean |g| 0.3333, zeros 1 (20.0 %), NaN 1, infinite 1',
        'not finite: 0, first at index 1: -Infinity',
        'not finite: 1, first at index 0: NaN',
        '',
        'tensor  dtype    elements      norm  share      max  mean |g|  zeros  NaN  inf',
        '0       float32         3  Infinity    NaN    1.000    0.5000      1    0    1',
        '1       float64         2       NaN    NaN  1.00e-5   1.00e-5      0    1    0',
      ].join('\n'),
    );
  });

  test('without gradients there are two lines', () => {
    const expected = '2-norm 0 of 0 elements in 0 tensors\nmax 0, mean |g| 0, zeros 0, NaN 0, infinite 0';
    assert.equal(String(gradReport([])), expected);
  });

  test('numbers have four digits, or three and an exponent', () => {
    /** @type {[number, string][]} */
    const cases = [
      [0, '0'],
      [1, '1.000'],
      [0.001, '0.001000'],
      [0.00099, '9.90e-4'],
      [12.3456, '12.35'],
      [1234.4, '1234'],
      [9999.4, '9999'],
      [9999.9, '1.00e+4'],
      [12345, '1.23e+4'],
      [99999, '1.00e+5'],
      [100000, '1.00e+5'],
      [1e300, '1.00e+300'],
      [5e-324, '4.94e-324'],
    ];
    for (const [value, text] of cases) {
      const [line] = String(gradReport(f64(0, value), { normType: 1 })).split('\n');
      assert.equal(line, `1-norm ${text} of 2 elements in 1 tensor`);
    }
  });

  test('40 tensors are all shown, in lines of one length; of more, those with offenders and the largest, in order', () => {
    /** @param {number} count */
    const lines = (count) => {
      const list = Array.from({ length: count }, (_, i) => f32(1 + ((i * 37) % 101), i % 17 === 3 ? NaN : 1));
      return { list, lines: String(gradReport(list)).split('\n') };
    };
    const forty = lines(40);
    const offenders = 3;
    assert.equal(forty.lines.length, 2 + offenders + 2 + 40);
    const table = forty.lines.slice(2 + offenders + 1);
    assert.deepEqual(new Set(table.map(({ length }) => length)), new Set([table[0].length]));
    assert.deepEqual(
      table.slice(1).map((line) => line.split(' ')[0]),
      forty.list.map((_, i) => String(i)),
    );
    assert.equal(lines(41).lines.at(-1), 'and 1 more');
    const { list, lines: hundred } = lines(100);
    assert.equal(hundred.at(-1), 'and 60 more');
    const shown = hundred.slice(-41, -1).map((line) => Number(line.split(' ')[0]));
    const important = list
      .map((array, index) => ({ index, size: Number.isNaN(array[1]) ? Infinity : array[0] }))
      .sort((a, b) => (a.size === b.size ? 0 : b.size - a.size));
    const expected = important.slice(0, 40).map(({ index }) => index);
    assert.deepEqual(
      shown,
      expected.sort((a, b) => a - b),
    );
  });

  test('at most ten offenders are listed; report.nonfinite has all of them', () => {
    const report = gradReport(Array.from({ length: 30 }, () => f32(NaN)));
    assert.equal(String(report).match(/^not finite: /gm)?.length, 10);
    assert.match(String(report), /\nand 20 more not finite\n/);
    assert.equal(report.nonfinite.length, 30);
  });

  test('rows are flat, so that console.table(report.tensors) is a table', () => {
    const { tensors } = gradReport({ weight: f32(3, -4), steps: { grad: Int8Array.of(0) } });
    const columns = 'name dtype elements norm share max meanAbs zeros nan inf'.split(' ');
    for (const row of tensors) {
      assert.deepEqual(Object.keys(row), columns);
      assert.ok(Object.values(row).every((value) => typeof value === 'number' || typeof value === 'string'));
    }
    const [, header, , ...rows] = printed((console) => console.table(tensors)).split('\n');
    const cells = (/** @type {string} */ line) => line.split('│').map((cell) => cell.trim());
    assert.deepEqual(cells(header).slice(2, -1), columns);
    assert.deepEqual(cells(rows[0]).slice(2, -1), "'weight' 'float32' 2 5 1 4 3.5 0 0 0".split(' '));
    assert.deepEqual(cells(rows[1]).slice(2, -1), "'steps' 'int8' 1 0 0 0 0 1 0 0".split(' '));
  });
});

describe('bad arguments', () => {
  test('options must be an object with a normType at most; no gradient is touched', () => {
    const untouchable = {
      get grad() {
        return assert.fail('the gradients were read');
      },
    };
    const expected = 'expected an object with any of normType';
    const power = 'expected a number > 0 or Infinity';
    /** @type {[unknown, string, string][]} */
    const cases = [
      [2, 'TypeError', `the options of gradReport are 2 (a number); ${expected}`],
      [null, 'TypeError', `the options of gradReport are null; ${expected}`],
      [{ p: 2 }, 'TypeError', `the options of gradReport have an unknown name, "p"; ${expected}`],
      [{ normType: '2' }, 'TypeError', `normType is "2" (a string); ${power}`],
      [{ normType: null }, 'TypeError', `normType is null; ${power}`],
      [{ normType: 0 }, 'RangeError', `normType is 0; ${power}`],
      [{ normType: -2 }, 'RangeError', `normType is -2; ${power}`],
      [{ normType: NaN }, 'RangeError', `normType is NaN; ${power}`],
      [{ normType: -Infinity }, 'RangeError', `normType is -Infinity; ${power}`],
    ];
    for (const [options, name, message] of cases) {
      assert.throws(() => gradReport(untouchable, untyped(options)), { name, message });
      assert.equal(gradReport(f32(3, 4)).norm, 5);
    }
  });

  test('what gradNorm refuses, in the same words', () => {
    for (const item of [7, 'x', [1, 2], BigInt64Array.of(1n), { data: f32(1), dtype: 'float16' }]) {
      const gradients = untyped({ layer: [f32(1), item] });
      /** @type {unknown} */
      let refusal;
      try {
        gradNorm(gradients);
      } catch (error) {
        refusal = error;
      }
      assert.ok(refusal instanceof TypeError);
      assert.throws(() => gradReport(gradients), { name: 'TypeError', message: refusal.message });
    }
  });
});

test('a generator is read once, and a GradMonitor takes the report for its norm', () => {
  let started = 0;
  const report = gradReport(
    (function* () {
      ++started;
      yield f32(3);
      yield f64(4);
    })(),
  );
  assert.deepEqual([started, report.norm], [1, 5]);
  const monitor = new GradMonitor({ method: 'fixed', maxNorm: 2 });
  const { norm, threshold, spike } = monitor.update(report);
  assert.deepEqual([norm, threshold, spike], [5, 2, true]);
});

describe('through structuredClone, as workers are sent them', () => {
  test('a report keeps all that it says, the first element that is not finite too', () => {
    const report = gradReport({ a: f32(1), b: f64(2, NaN), c: f32(Infinity) });
    const clone = structuredClone(report);
    assert.deepEqual(clone, { ...report });
    assert.deepEqual(clone.firstNonfinite, { tensor: 'b', index: 1, value: NaN });
  });
});

describe('a GradientError elsewhere', () => {
  const offender = { tensor: 'b', index: 1, value: NaN };
  const errorOf = (/** @type {import('gradnorm').Gradients} */ gradients) => {
    try {
      clipGradNorm(gradients, 1, { nonfinite: 'throw' });
    } catch (error) {
      return /** @type {GradientError} */ (error);
    }
    throw new Error('nothing was thrown');
  };

  test('through structuredClone the message and, as its cause, the tensor, the index and the value are kept', () => {
    const error = errorOf({ a: f32(1), b: f64(2, NaN) });
    const clone = structuredClone(error);
    assert.ok(clone instanceof Error);
    assert.deepEqual([clone.message, clone.cause], [error.message, offender]);
    assert.deepEqual(error.cause, offender);
    assert.equal(structuredClone(errorOf(f64(Number.MAX_VALUE, Number.MAX_VALUE))).cause, null);
  });

  test('in JSON it has everything, the value as a word', () => {
    const error = errorOf({ a: f32(1), b: f64(2, NaN) });
    const json = { name: 'GradientError', message: error.message, ...offender, value: 'NaN' };
    assert.deepEqual(JSON.parse(JSON.stringify({ error })), { error: json });
    const infinite = JSON.parse(JSON.stringify(errorOf(f32(0, -Infinity))));
    assert.deepEqual([infinite.index, infinite.value], [1, '-Infinity']);
    const { tensor, index, value } = JSON.parse(
      JSON.stringify(errorOf(f64(Number.MAX_VALUE, Number.MAX_VALUE))),
    );
    assert.deepEqual([tensor, index, value], [null, null, null]);
  });
});

describe('shares for p beyond which the sum of powers has no digits left', () => {
  for (const p of [2 ** 39, 2 ** 40, 2 ** 43, 2 ** 47, 2 ** 52, 2 ** 53, 1e300, Infinity]) {
    test(`p = ${p}: in [0, 1], and adding up to 1`, () => {
      for (const gradients of [
        [f32(3), f32(3)],
        [f32(1, 2, 3), f64(3, 3), f32(1e-30), f64(-3)],
        [f64(1e300, -1), f32(7)],
        [f32(0.1), f64(0.1)],
      ]) {
        const shares = gradReport(gradients, { normType: p }).tensors.map(({ share }) => share);
        assert.ok(
          shares.every((share) => share >= 0 && share <= 1),
          String(shares),
        );
        const sum = shares.reduce((total, share) => total + share, 0);
        assert.ok(Math.abs(sum - 1) < 1e-4, String(shares));
      }
      const equal = gradReport([f32(3), f32(3)], { normType: p }).tensors.map(({ share }) => share);
      assert.deepEqual(equal, [0.5, 0.5]);
    });
  }
});

test('names are those of errors, whatever the names are: empty, nested, of parameters, of keys that are no words', () => {
  const sick = () => Float32Array.of(NaN);
  const symbol = Symbol('s');
  for (const gradients of [
    { '': sick() },
    { a: { '': sick() } },
    { '': { a: sick() } },
    [sick()],
    [[{ name: 'layer', grad: sick() }]],
    { fc: { grad: sick() } },
    new Map([[symbol, sick()]]),
    new Map([[{ name: 'own' }, sick()]]),
    sick(),
    { grad: sick() },
  ]) {
    const [{ name }] = gradReport(/** @type {any} */ (gradients)).tensors;
    assert.throws(() => clipGradNorm(/** @type {any} */ (gradients), 1, { nonfinite: 'throw' }), {
      tensor: name,
    });
  }
});
