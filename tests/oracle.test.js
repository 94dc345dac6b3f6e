// tests/oracle.test.js: the oracle itself on trial, against identities of whole numbers, IEEE square roots
// and decimals from another program. Nothing of the library is loaded here.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  BEYOND,
  exactNorm,
  exactPowerSum,
  exp2Fixed,
  fromNumber,
  log2Fixed,
  normByLogarithms,
  relativeError,
  tables,
  toNumber,
  valuesOfBits,
} from './oracle.js';

/** @typedef {import('./oracle.js').BigFloat} BigFloat */

/** The oracle's bounds, as powers of two: by exact sums, by logarithms, by logarithms for p >= 2^-11. */
const ROOT_BOUND = 191;
const LOGARITHM_BOUND = 180;
const USUAL_LOGARITHM_BOUND = 205;

/** log2Fixed and exp2Fixed are integers in units of 2^-256, wrong by 2^7 units at most. */
const ONE = 2n ** 256n;
const FIXED_BOUND = 2n ** 7n;

const TINY = Number.MIN_VALUE;
const HUGE = Number.MAX_VALUE;

/**
 * Asserts |value^power - numerator / denominator| <= 2^-bits * numerator / denominator, in whole numbers.
 * For power > 1 the caller allows for the growth of a relative error by that factor.
 * @param {BigFloat} value
 * @param {number} power
 * @param {bigint} numerator
 * @param {bigint} denominator
 * @param {number} bits
 */
function assertPower(value, power, numerator, denominator, bits) {
  const exponent = BigInt(value.exponent * power);
  let left = value.mantissa ** BigInt(power) * denominator;
  let right = numerator;
  if (exponent < 0n) right <<= -exponent;
  else left <<= exponent;
  const difference = left > right ? left - right : right - left;
  const message = `${value.mantissa} * 2^${value.exponent} to the power ${power} is not within 2^-${bits}`;
  assert.ok(difference << BigInt(bits) <= right, message);
}

/**
 * @param {BigFloat} value
 * @param {bigint} whole
 * @param {number} bits
 */
function assertNear(value, whole, bits) {
  assertPower(value, 1, whole, 1n, bits);
}

/**
 * @param {BigFloat} value
 * @param {BigFloat} other
 * @param {number} bits
 */
function assertSame(value, other, bits) {
  const shifted = { mantissa: value.mantissa, exponent: value.exponent - other.exponent };
  assertNear(shifted, other.mantissa, bits);
}

/**
 * @param {bigint} actual
 * @param {bigint} expected
 * @param {bigint} bound
 */
function assertClose(actual, expected, bound) {
  const difference = actual > expected ? actual - expected : expected - actual;
  assert.ok(difference <= bound, `${actual} and ${expected} differ by ${difference}`);
}

/**
 * A decimal such as '1.25' as the fraction 125 / 100.
 * @param {string} text
 * @returns {[bigint, bigint]}
 */
function decimal(text) {
  const [whole, fraction] = text.split('.');
  return [BigInt(whole + fraction), 10n ** BigInt(fraction.length)];
}

/**
 * Numbers in [0, 1), always the same (mulberry32).
 * @param {number} seed
 */
function randomNumbers(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let bits = Math.imul(seed ^ (seed >>> 15), seed | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Doubles of both signs with all 53 bits at work, spread over 2^-spread .. 2^spread.
 * @param {number} length
 * @param {number} spread
 * @param {number} seed
 */
function mixedMagnitudes(length, spread, seed) {
  const random = randomNumbers(seed);
  const element = () => (random() + random() * 2 ** -32 - 0.5) * 2 ** Math.round(spread * (2 * random() - 1));
  return Float64Array.from({ length }, element);
}

/**
 * @param {BigFloat} value
 * @param {number} shift
 * @returns {BigFloat}
 */
function scaled(value, shift) {
  return { mantissa: value.mantissa, exponent: value.exponent + shift };
}

test('p=2: Pythagorean triples are exact at every magnitude', () => {
  for (const [a, b, c] of [
    [3, 4, 5],
    [5, 12, 13],
    [20, 21, 29],
    [119, 120, 169],
    [4565486027761, 1061652293520, 4687298610289],
  ]) {
    for (const shift of [0, 900, -900, -1074]) {
      const scale = 2 ** (shift / 2);
      const triple = [-a * scale * scale, b * scale * scale];
      assert.deepEqual(exactNorm([triple], 2), scaled(fromNumber(c), shift));
    }
  }
});

test('p=3, 4, 5, 7: sums of powers that are powers are exact', () => {
  assert.deepEqual(exactNorm([[3, 4, -5]], 3), fromNumber(6));
  assert.deepEqual(exactNorm([[30, -120, 272, 315]], 4), fromNumber(353));
  assert.deepEqual(exactNorm([[27, 84, 110, 133]], 5), fromNumber(144));
  assert.deepEqual(exactNorm([[127, 258, 266, 413, 430, 439, 525]], 7), fromNumber(568));
  assert.deepEqual(exactNorm([[3 * TINY, 4 * TINY, 5 * TINY]], 3), fromNumber(6 * TINY));
});

test('p=1: nothing is lost between 2^1023 and 2^-1074', () => {
  const sum = { mantissa: 2n ** 2097n + 1n, exponent: -1074 };
  assert.deepEqual(exactNorm([[-(2 ** 1023)], new Float32Array(3), [TINY]], 1), sum);
  assert.deepEqual(exactPowerSum([[2 ** 1023, TINY]], 3), { mantissa: 2n ** 6291n + 1n, exponent: -3222 });
});

test('p=2: rounds to the IEEE square root wherever the sum of squares is exact', () => {
  const random = randomNumbers(1);
  for (let i = 0; i < 2000; i++) {
    const a = Math.floor(random() * 2 ** 26);
    const b = Math.floor(random() * 2 ** 26);
    assert.equal(toNumber(exactNorm([[a, b]], 2)), Math.sqrt(a * a + b * b));
  }
});

test('p=2: a norm 2^-1254 above the middle of two doubles is rounded up, the middle itself to even', () => {
  // (2^53 + 1)^2 = (2^53)^2 + (2^27)^2 + 1^2
  const middle = [2 ** 53, 2 ** 27, 1];
  assert.deepEqual(exactNorm([middle], 2), { mantissa: 2n ** 53n + 1n, exponent: 0 });
  assert.equal(toNumber(exactNorm([middle], 2)), 2 ** 53);
  assert.equal(toNumber(exactNorm([middle, [2 ** -600]], 2)), 2 ** 53 + 2);
});

// Decimals to 70 digits from GNU bc 1.07 (`bc -l`, scale=80, a^b as e(b*l(a))); p was entered with all digits
// of the double, as in 2.70000000000000017763568394002504646778106689453125.
const DECIMALS = /** @type {[string, number[], number, string][]} */ ([
  ['sqrt 2', [1, 1], 2, '1.4142135623730950488016887242096980785696718753769480731766797379907324'],
  ['2^(1/3)', [1, 1], 3, '1.2599210498948731647672106072782283505702514647015079800819751121552996'],
  ['3^(1/7)', [1, 1, 1], 7, '1.1699308127586868864629757255137346676994041964209342090302189655893339'],
  ['2^(1/0.1)', [1, 1], 0.1, '1023.9999999999996059914448324291597672671626693235000315599551822594651260'],
  ['3^(1/2.7)', [1, 1, 1], 2.7, '1.5021440290372075047176625627659412648880819336344893066183761659712614'],
  ['p=2.7', [1, 2, 3, 0.5], 2.7, '3.3927883322435484306137198234662736250741773407242155345859966363891618'],
  ['p=0.1', [1, 2, 3], 0.1, '108403.2530751407461678150314202826935388770945711254318760739684333788413983'],
  [
    'p=1000.5',
    [1, 1 - 2 ** -10],
    1000.5,
    '1.0003192464589293849329508547692584844428164667761075639050502439855577',
  ],
  [
    'p=2^53',
    [1, 1 - 2 ** -53],
    2 ** 53,
    '1.0000000000000000347790338215661992212998081027926878665472997366601058',
  ],
]);

for (const [name, elements, p, digits] of DECIMALS) {
  test(`${name}: agrees with bc to 2^-200`, () => {
    const [numerator, denominator] = decimal(digits);
    assertPower(exactNorm([elements], p), 1, numerator, denominator, ROOT_BOUND);
    assertPower(normByLogarithms([elements], p), 1, numerator, denominator, 200);
  });
}

test('p=0.001: agrees with bc to 2^-200 beside the end of double range', () => {
  // bc as above: (1 + 2^p)^(1/p), a number of 302 digits before the point.
  const leading = 1515433013542448217244079712524632433173313910926733412895870383793807n;
  assertNear(exactNorm([[1, 2]], 0.001), leading * 10n ** 232n, 200);
});

test('p=k/2^s: norm^k = (sum a^k)^(2^s) for elements a^(2^s), within 2^-205 times k', () => {
  const whole = /** @type {[number, number, number[]][]} */ ([
    [1, 1, [1, 2, 3, 94906265]],
    [3, 1, [5, 7, 1000003]],
    [5, 1, [2, 3, 5, 7, 11]],
    [129, 1, [3, 4, 5]],
    [1001, 1, [100, 101]],
    [1, 2, [1, 10, 100, 9000]],
    [3, 2, [2, 3, 9741]],
    [11, 2, [1, 2, 3, 4]],
    [1, 3, [1, 2, 97]],
    [1, 5, [1, 2, 3]],
    [7, 5, [3, 2, 3, 3]],
  ]);
  for (const [k, s, roots] of whole) {
    const elements = roots.map((a) => Number(BigInt(a) ** (2n ** BigInt(s))));
    const sum = roots.reduce((total, a) => total + BigInt(a) ** BigInt(k), 0n);
    const bits = USUAL_LOGARITHM_BOUND - Math.ceil(Math.log2(k));
    assertPower(exactNorm([elements], k / 2 ** s), k, sum ** (2n ** BigInt(s)), 1n, bits);
  }
});

test('n equal elements: x * n^(1/p) for p = 2^-11 .. 1, within 2^-205', () => {
  for (let s = 0; s <= 11; s++) {
    for (const n of [1, 2, 3, 7]) {
      const norm = exactNorm([new Float64Array(n).fill(-0.75)], 2 ** -s);
      assertNear(scaled(norm, 2), 3n * BigInt(n) ** (2n ** BigInt(s)), USUAL_LOGARITHM_BOUND);
    }
  }
});

test('integer p: exact sums and logarithms agree within 2^-190', () => {
  for (const spread of [0, 3, 40, 1000]) {
    const elements = mixedMagnitudes(40, spread, 7 + spread);
    for (const p of [1, 2, 3, 4, 7, 17, 63, 64]) {
      assertSame(exactNorm([elements], p), normByLogarithms([elements], p), 190);
    }
  }
});

test('p=65, 100, 200: norm^p is the exact sum of powers, within 2^-205 times p', () => {
  const elements = mixedMagnitudes(20, 1, 3);
  for (const p of [65, 100, 200]) {
    const sum = exactPowerSum([elements], p);
    const norm = exactNorm([elements], p);
    const lifted = scaled(norm, -Math.floor(sum.exponent / p));
    assertPower(lifted, p, sum.mantissa << BigInt(sum.exponent - p * Math.floor(sum.exponent / p)), 1n, 197);
  }
});

test('the double after p=2, where the method changes, moves the norm by less than 2^-51', () => {
  const elements = [1, 2, 3, 4];
  const after = exactNorm([elements], 2 + 2 ** -51);
  const error = relativeError(toNumber(exactNorm([elements], 2)), after);
  assert.ok(error > 0 && error < 2 ** -51, `${error}`);
});

test('p=1000, 2^53, 1e300: the greatest element rules', () => {
  assertNear(exactNorm([[3, -3, 1, 2]], 1e300), 3n, LOGARITHM_BOUND);
  assertNear(exactNorm([[1, 2, 3]], 2 ** 53), 3n, LOGARITHM_BOUND);
  // 3 (1 + (2/3)^1000 / 1000), (2/3)^1000 = 2^-584.96
  assertNear(exactNorm([[3, 2]], 1000), 3n, LOGARITHM_BOUND);
  // (1 + 2^-100)^(1/100)
  assertPower(exactNorm([[1, 0.5]], 100), 100, 2n ** 100n + 1n, 2n ** 100n, 198);
});

test('p=1e-300 .. 2^-20: two elements leave double range, from 2^(2^32) on as BEYOND', () => {
  assert.deepEqual(exactNorm([[1, 1]], 2 ** -20), { mantissa: 1n, exponent: 2 ** 20 });
  assert.deepEqual(exactNorm([[1, 1]], 2 ** -31), { mantissa: 1n, exponent: 2 ** 31 });
  for (const p of [2 ** -32, 2 ** -33, 1e-20, 1e-300, TINY]) {
    assert.equal(exactNorm([[1, -1]], p), BEYOND);
    assert.equal(exactNorm([[1, 0, 1, TINY, 1]], p), BEYOND);
  }
  assert.equal(exactNorm([[HUGE, TINY]], 2 ** -33), BEYOND);
  assert.equal(toNumber(BEYOND), Infinity);
});

test('one nonzero element: exactly its absolute value for every p', () => {
  for (const x of [1, -0.1, TINY, 3 * TINY, 2 ** -1022, HUGE, -1.7e308, Math.fround(1e-40)]) {
    for (const p of [
      TINY,
      1e-300,
      1e-3,
      0.1,
      0.5,
      1,
      1.5,
      2,
      2.7,
      3,
      64,
      65,
      1000,
      2 ** 53,
      1e300,
      Infinity,
    ]) {
      const norm = exactNorm([[0, x], [-0]], p);
      assert.deepEqual(norm, fromNumber(Math.abs(x)));
      assert.equal(toNumber(norm), Math.abs(x));
    }
  }
});

test('zeros and nothing at all: zero for every p', () => {
  for (const p of [TINY, 0.1, 1, 2, 2.7, 64, 1000, 1e300, HUGE, Infinity]) {
    for (const arrays of [[], [[]], [[0, -0]], [new Float32Array(5), new Float64Array(0)]]) {
      assert.deepEqual(exactNorm(arrays, p), { mantissa: 0n, exponent: 0 });
    }
  }
  assert.ok(Object.is(toNumber(exactNorm([[-0]], 2)), 0));
});

test('scaling by 2^k, into the subnormals too, scales the norm exactly', () => {
  const elements = [3, -1, 4, 1, 5, -9, 2, 6];
  for (const p of [0.1, 0.5, 1, 1.5, 2, 2.7, 3, 64, 1000]) {
    const norm = exactNorm([elements], p);
    for (const shift of [1, 100, 1020, -1, -1000, -1072, -1074]) {
      const half = Math.trunc(shift / 2);
      const moved = elements.map((x) => x * 2 ** half * 2 ** (shift - half));
      assert.deepEqual(exactNorm([moved], p), scaled(norm, shift));
    }
  }
});

test('order, signs, cuts and the kind of array do not matter', () => {
  const single = Float32Array.from(mixedMagnitudes(50, 60, 11));
  const list = [...single];
  for (const p of [0.3, 1, 2, 2.7, 5, Infinity]) {
    const norm = exactNorm([single], p);
    assert.deepEqual(exactNorm([list.slice(0, 7), Float64Array.from(list.slice(7))], p), norm);
    assert.deepEqual(exactNorm(new Set([list.map((x) => -x).reverse()]), p), norm);
  }
});

const ALL_BITS = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);

test('bits of float16: known values, subnormals, infinities and NaN', () => {
  const known = /** @type {[number, number][]} */ ([
    [0x0000, 0],
    [0x8000, -0],
    [0x0001, 2 ** -24],
    [0x03ff, 1023 * 2 ** -24],
    [0x0400, 2 ** -14],
    [0x3555, 0.333251953125],
    [0x3bff, 1 - 2 ** -11],
    [0x3c00, 1],
    [0x3c01, 1 + 2 ** -10],
    [0xc000, -2],
    [0x7bff, 65504],
    [0xfbff, -65504],
    [0x7c00, Infinity],
    [0xfc00, -Infinity],
    [0x7c01, NaN],
    [0x7e00, NaN],
    [0xffff, NaN],
  ]);
  for (const [bits, value] of known) {
    assert.ok(Object.is(valuesOfBits([bits], 'float16')[0], value), `0x${bits.toString(16)}`);
  }
});

test('bits of float16: from 0 up, each is the one before and a unit in the last place', () => {
  const values = valuesOfBits(ALL_BITS, 'float16');
  for (let bits = 0, value = 0, unit = 2 ** -24; bits < 0x7c00; bits++, value += unit) {
    if (bits >= 0x0800 && (bits & 0x3ff) === 0) unit *= 2;
    assert.equal(values[bits], value, `0x${bits.toString(16)}`);
    assert.ok(Object.is(values[0x8000 + bits], -value), `0x${(0x8000 + bits).toString(16)}`);
  }
  assert.equal(values.filter(Number.isNaN).length, 2 * 0x3ff);
});

test('bits of bfloat16: all are the upper half of a binary32', () => {
  const floats = new Float32Array(Uint32Array.from(ALL_BITS, (bits) => bits << 16).buffer);
  valuesOfBits(ALL_BITS, 'bfloat16').forEach((value, bits) => {
    assert.ok(Object.is(value, floats[bits]), `0x${bits.toString(16)}: ${value} and ${floats[bits]}`);
  });
});

test('bits of an unknown dtype throw', () => {
  const dtype = /** @type {any} */ ('float8');
  assert.throws(() => valuesOfBits([1], dtype), { name: 'RangeError', message: /got dtype float8$/ });
});

test('bits have the norm of their values, for every p and among other arrays', () => {
  const bits = [0x3c00, 0xc248, 0x0001, 0x7bff, 0x8000];
  for (const dtype of /** @type {const} */ (['float16', 'bfloat16'])) {
    const values = valuesOfBits(bits, dtype);
    for (const p of [0.1, 1, 2, 2.7, 3, 64, 65, Infinity]) {
      const norm = exactNorm([values, [5]], p);
      assert.deepEqual(exactNorm([{ data: Uint16Array.from(bits), dtype }, [5]], p), norm);
      assert.deepEqual(
        exactNorm([{ data: bits.slice(2), dtype }, { data: bits.slice(0, 2), dtype }, [5]], p),
        norm,
      );
    }
    assert.deepEqual(exactPowerSum([{ data: bits, dtype }], 3), exactPowerSum([values], 3));
    assert.deepEqual(normByLogarithms([{ data: bits, dtype }], 3), normByLogarithms([values], 3));
  }
  assert.deepEqual(exactNorm([{ data: [0x4200, 0xc400], dtype: 'float16' }], 2), fromNumber(5));
  assert.deepEqual(exactNorm([{ data: [0x4040, 0xc080], dtype: 'bfloat16' }], 2), fromNumber(5));
});

test('bits that are not finite throw', () => {
  for (const p of [0.5, 1, 2, 100, Infinity]) {
    assert.throws(() => exactNorm([{ data: [0, 0x7c00], dtype: 'float16' }], p), /got Infinity at index 1$/);
    assert.throws(() => exactNorm([{ data: [0xffc0], dtype: 'bfloat16' }], p), /got NaN at index 0$/);
  }
});

test('integers of every type are what they are', () => {
  assert.deepEqual(
    exactNorm([Int8Array.of(-128, 127), Uint8Array.of(255), Uint8ClampedArray.of(300)], 1),
    fromNumber(765),
  );
  assert.deepEqual(
    exactNorm([Int16Array.of(-(2 ** 15)), Uint16Array.of(2 ** 16 - 1)], 1),
    fromNumber(3 * 2 ** 15 - 1),
  );
  const wide = [Int32Array.of(-(2 ** 31), 2 ** 31 - 1), Uint32Array.of(2 ** 32 - 1)];
  assert.deepEqual(exactNorm(wide, 1), fromNumber(2 ** 33 - 2));
  const squares = 2n ** 62n + (2n ** 31n - 1n) ** 2n + (2n ** 32n - 1n) ** 2n;
  assert.deepEqual(exactPowerSum(wide, 2), { mantissa: squares / 2n, exponent: 1 });
});

test('p=Infinity: the maximum', () => {
  assert.deepEqual(exactNorm([[1, -7], [6.5]], Infinity), fromNumber(7));
  assert.deepEqual(exactNorm([[-TINY, 0]], Infinity), fromNumber(TINY));
  assert.deepEqual(exactNorm([[HUGE, -1]], Infinity), fromNumber(HUGE));
});

test('norms fall as p grows, down to the maximum', () => {
  const elements = mixedMagnitudes(30, 2, 5);
  let last = Infinity;
  for (const p of [
    0.05,
    0.3,
    0.999,
    1,
    1.001,
    1.7,
    2,
    2.3,
    3,
    10.5,
    64,
    64.5,
    65,
    700,
    1e6,
    1e17,
    Infinity,
  ]) {
    const norm = toNumber(exactNorm([elements], p));
    assert.ok(norm <= last, `p=${p}: ${norm} > ${last}`);
    last = norm;
  }
});

test('what is not finite, and what is no p, throws', () => {
  for (const p of [0, -0, -1, -Infinity, NaN]) assert.throws(() => exactNorm([[1]], p), RangeError);
  for (const x of [NaN, Infinity, -Infinity]) {
    for (const p of [0.5, 1, 2, 100, Infinity]) assert.throws(() => exactNorm([[1, x]], p), /index 1/);
    assert.throws(() => fromNumber(x), RangeError);
  }
});

test('ln 2 agrees with the Machin-like 18 atanh 1/26 - 2 atanh 1/4801 + 8 atanh 1/8749', () => {
  const unit = 2n ** 300n;
  /** @param {bigint} n */
  const atanh = (n) => {
    let sum = 0n;
    for (let k = 1n; k < 70n; k += 2n) sum += unit / (k * n ** k);
    return sum;
  };
  const ln2 = (18n * atanh(26n) - 2n * atanh(4801n) + 8n * atanh(8749n)) >> 44n;
  assertClose(tables().ln2, ln2, 2n);
  assertClose((tables().twoOverLn2 * ln2) >> 256n, 2n * ONE, 8n);
});

test('log2 3 agrees with bc to 70 digits', () => {
  const [numerator, denominator] = decimal(
    '1.5849625007211561814537389439478165087598144076924810604557526545410982',
  );
  assertClose(log2Fixed(3n * ONE), (numerator * ONE) / denominator, ONE / 10n ** 69n);
});

test('log2 is a homomorphism, and exact at powers of two', () => {
  const random = randomNumbers(21);
  for (let i = 0; i < 1000; i++) {
    const a = 1n + BigInt(Math.floor(random() * 2 ** 32)) * BigInt(Math.floor(random() * 2 ** 20));
    const b = 1n + BigInt(Math.floor(random() * 2 ** 32));
    assertClose(log2Fixed(a * ONE) + log2Fixed(b * ONE), log2Fixed(a * b * ONE), 3n * FIXED_BOUND);
  }
  for (const k of [0n, 1n, 52n, 300n]) assert.equal(log2Fixed(2n ** k * ONE), k * ONE);
});

test('exp2 undoes log2, at table steps and between them', () => {
  const random = randomNumbers(22);
  assert.equal(exp2Fixed(0n), ONE);
  for (let i = 0; i < 1000; i++) {
    const step = (BigInt(i % 256) * ONE) / 256n;
    const offset = (BigInt(Math.floor(random() * 2 ** 32)) * ONE) / 2n ** 40n;
    const fraction = i < 256 ? step : i < 512 ? step + offset / 2n ** 40n : step + offset;
    assertClose(log2Fixed(exp2Fixed(fraction)), fraction, 3n * FIXED_BOUND);
  }
});

test('exp2: the n-th power of 2^(1/n) is 2', () => {
  for (const n of [2n, 3n, 5n, 7n, 10n, 100n]) {
    const value = exp2Fixed(ONE / n);
    assertClose(value ** n / ONE ** (n - 1n), 2n * ONE, 2n * n * FIXED_BOUND + 2n);
  }
});

test('toNumber: ties go to even, at 53 bits, at the subnormals and at the end of the range', () => {
  const cases = /** @type {[bigint, number, number][]} */ ([
    [2n ** 53n + 1n, 0, 2 ** 53],
    [2n ** 53n + 3n, 0, 2 ** 53 + 4],
    [2n ** 200n + 2n ** 147n + 1n, -147, 2 ** 53 + 2],
    [2n ** 200n + 2n ** 147n - 1n, -147, 2 ** 53],
    [2n ** 54n - 1n, -1, 2 ** 53],
    [1n, -1074, TINY],
    [1n, -1075, 0],
    [2n ** 90n + 1n, -1165, TINY],
    [2n ** 90n - 1n, -1165, 0],
    [3n, -1075, 2 * TINY],
    [5n, -1075, 2 * TINY],
    [2n ** 53n - 1n, -1075, 2 ** -1022],
    [2n ** 52n - 1n, -1074, 2 ** -1022 - TINY],
    [2n ** 53n - 1n, 971, HUGE],
    [2n ** 54n - 1n, 970, Infinity],
    [2n ** 154n - 2n ** 100n - 1n, 870, HUGE],
    [1n, 1024, Infinity],
    [1n, 2 ** 40, Infinity],
    [1n, -(2 ** 40), 0],
  ]);
  for (const [mantissa, exponent, expected] of cases) {
    assert.equal(toNumber({ mantissa, exponent }), expected, `${mantissa} * 2^${exponent}`);
  }
});

test('toNumber: rounds whole numbers as the engine does, and gives back every double', () => {
  const random = randomNumbers(31);
  for (let i = 0; i < 3000; i++) {
    const high = BigInt(Math.floor(random() * 2 ** 32)) << BigInt(Math.floor(random() * 60));
    const mantissa = high * 2n ** 22n + BigInt(Math.floor(random() * 4));
    assert.equal(toNumber({ mantissa, exponent: 0 }), Number(mantissa));
  }
  const words = new Uint32Array(2);
  const value = new Float64Array(words.buffer);
  for (let i = 0; i < 3000; i++) {
    words[0] = random() * 2 ** 32;
    words[1] = random() * (i % 3 === 0 ? 2 ** 20 : 0x7ff00000);
    assert.equal(toNumber(fromNumber(value[0])), value[0]);
  }
});

test('relativeError: tells errors far below a unit in the last place, to a few digits', () => {
  const justAboveOne = { mantissa: 2n ** 60n + 1n, exponent: -60 };
  assert.equal(relativeError(1, justAboveOne), 2 ** -60);
  assert.equal(relativeError(1 + 2 ** -52, fromNumber(1)), 2 ** -52);
  assert.equal(relativeError(1 - 2 ** -53, fromNumber(1)), 2 ** -53);
  assert.equal(relativeError(2, fromNumber(3)), 1 / 3);
  assert.equal(relativeError(10, fromNumber(3)), 7 / 3);
  assert.equal(relativeError(TINY, { mantissa: 3n, exponent: -1075 }), 1 / 3);
  assert.equal(relativeError(HUGE, { mantissa: 1n, exponent: 1024 }), 2 ** -53);
  assert.equal(relativeError(1e300, fromNumber(1e-300)), Infinity);
  // sqrt 2 is 1.414213562373095048801688724..., the double 1.41421356237309514547462185873882845...
  assert.ok(Math.abs(relativeError(Math.SQRT2, exactNorm([[1, 1]], 2)) / 6.835808657661923e-17 - 1) < 1e-12);
});

test('relativeError: 0 if and only if equal, or both beyond double range', () => {
  assert.equal(relativeError(5, exactNorm([[3, 4]], 2)), 0);
  assert.equal(relativeError(0, fromNumber(0)), 0);
  assert.equal(relativeError(-0, fromNumber(0)), 0);
  assert.equal(relativeError(Infinity, BEYOND), 0);
  assert.equal(relativeError(Infinity, exactNorm([[HUGE, HUGE]], 1)), 0);
  assert.equal(relativeError(1e300, exactNorm([[1e300, TINY]], 1)), TINY);
});

test('relativeError: 1 for zero or far too little, Infinity for what is no answer', () => {
  assert.equal(relativeError(0, fromNumber(TINY)), 1);
  assert.equal(relativeError(HUGE, BEYOND), 1);
  assert.equal(relativeError(TINY, fromNumber(0)), Infinity);
  assert.equal(relativeError(Infinity, fromNumber(HUGE)), Infinity);
  assert.equal(relativeError(Infinity, fromNumber(0)), Infinity);
  for (const actual of [NaN, -1, -Infinity]) assert.equal(relativeError(actual, fromNumber(1)), Infinity);
});
