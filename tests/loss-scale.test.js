// tests/loss-scale.test.js: clipping gradients of a loss that was multiplied: what is measured and written is divided by that, clipped
// or not, whatever the gradients are made of and wherever they lie.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  allocGradients,
  clipGradNorm,
  clipGradsWithNorm,
  clipGradValue,
  GradientError,
  GradMonitor,
  gradNorm,
} from 'gradnorm';
import { createRandom } from './accuracy.js';
import { bytesOf, FLOAT_TYPES, gradientOf, typeOf, valuesOf } from './halves.js';
import { exactNorm, toNumber } from './oracle.js';
import { STAGING_BYTES } from './staging.js';

/** @typedef {import('./halves.js').FloatGradient} FloatGradient */

/** Below and above where a loop takes the place of the core, and more than the staging area holds. */
const LENGTHS = [0, 1, 5, 255, 257, 4097, STAGING_BYTES / 4 + 3];

const f32 = (/** @type {number[]} */ ...elements) => Float32Array.of(...elements);
/** Hides from the type checker what is wrong on purpose. */
const untyped = (/** @type {unknown} */ value) => /** @type {any} */ (value);

/**
 * Gradients multiplied by a scale, of elements that every type holds exactly with it and without.
 * @param {number} scale  a power of two
 */
function makeScaled(scale) {
  const random = createRandom(5);
  const element = () => (Math.round(random() * 255) - 128) * 2 ** -4 * scale;
  return FLOAT_TYPES.flatMap((type) =>
    LENGTHS.map((length) => gradientOf(type, Float64Array.from({ length }, element))),
  );
}

/**
 * The same elements in the core's own memory.
 * @param {readonly FloatGradient[]} gradients
 */
function asResident(gradients) {
  const resident = /** @type {FloatGradient[]} */ (untyped(allocGradients(untyped(gradients))));
  gradients.forEach((gradient, k) => {
    const [to, from] = [resident[k], gradient].map((one) => ('data' in one ? one.data : one));
    to.set(from);
  });
  return resident;
}

const HOMES = {
  'arrays that are copied': (/** @type {FloatGradient[]} */ list) => list,
  'resident arrays': asResident,
};

/**
 * @param {readonly FloatGradient[]} gradients
 * @param {number} divisor
 */
const divided = (gradients, divisor) =>
  gradients.map((gradient) =>
    gradientOf(
      typeOf(gradient),
      valuesOf(gradient).map((value) => value / divisor),
    ),
  );

/**
 * @param {readonly FloatGradient[]} actual
 * @param {readonly FloatGradient[]} expected
 * @param {string} [where]
 */
function assertSameBits(actual, expected, where = '') {
  actual.forEach((gradient, k) =>
    assert.ok(bytesOf(gradient).equals(bytesOf(expected[k])), `${where} gradient ${k}`),
  );
}

for (const [name, place] of Object.entries(HOMES))
  describe(`lossScale with ${name}`, () => {
    test('where nothing is clipped, every element is divided exactly by a power of two, and the norm is of these', () => {
      for (const lossScale of [1024, 2 ** -3])
        for (const maxNorm of [1e9, Infinity]) {
          const list = makeScaled(lossScale);
          const expected = divided(list, lossScale);
          const gradients = place(list);
          const norm = clipGradNorm(gradients, maxNorm, { lossScale });
          assert.ok(Math.abs(norm / toNumber(exactNorm(expected.map(valuesOf), 2)) - 1) <= 2 ** -23);
          assertSameBits(gradients, expected, `scale ${lossScale}`);
        }
    });

    test('clipped, the bits are those of gradients that were divided before', () => {
      for (const lossScale of [65536, 2 ** -3])
        for (const per of /** @type {const} */ (['all', 'tensor'])) {
          const list = makeScaled(lossScale).filter((gradient) => 'data' in gradient === false);
          const before = divided(list, lossScale);
          const gradients = place(list);
          const norm = clipGradNorm(gradients, 3, { lossScale, per });
          assert.equal(norm, clipGradNorm(before, 3, { per }));
          assertSameBits(gradients, before, `scale ${lossScale}, per ${per}`);
          if (per === 'all') assert.ok(gradNorm(gradients) <= 3);
        }
    });

    test('values are clamped after the division', () => {
      for (const clipValue of [2, 0, Infinity]) {
        const list = makeScaled(256);
        const expected = divided(list, 256);
        clipGradValue(expected, clipValue);
        const gradients = place(list);
        clipGradValue(gradients, clipValue, { lossScale: 256 });
        assertSameBits(gradients, expected, `value ${clipValue}`);
      }
    });

    test('an element that is not finite: as without lossScale, and nothing is written under skip and throw', () => {
      for (const sick of [NaN, Infinity])
        for (const per of /** @type {const} */ (['all', 'tensor'])) {
          const make = () => place([f32(8, 16), f32(24, sick), new Float32Array(300).fill(8)]);
          for (const nonfinite of /** @type {const} */ (['skip', 'throw'])) {
            const gradients = make();
            const clip = () => clipGradNorm(gradients, 1e9, { lossScale: 8, nonfinite, per });
            if (nonfinite === 'throw')
              assert.throws(clip, (/** @type {any} */ error) => {
                assert.ok(error instanceof GradientError);
                assert.match(error.message, new RegExp(`gradients\\[1\\] has the value ${sick} at index 1;`));
                return true;
              });
            else assert.equal(clip(), sick);
            // With a limit for each tensor the healthy ones are still divided where nothing is thrown.
            const isHealthyDivided = nonfinite === 'skip' && per === 'tensor';
            assert.deepEqual(Array.from(untyped(gradients[0])), isHealthyDivided ? [1, 2] : [8, 16]);
            assert.deepEqual(Array.from(untyped(gradients[1])), [24, sick]);
          }
          const zeroed = make();
          clipGradNorm(zeroed, 1e9, { lossScale: 8, nonfinite: 'zero' });
          assert.ok(zeroed.every((gradient) => valuesOf(gradient).every((value) => value === 0)));
          const multiplied = make();
          clipGradNorm(multiplied, 1, { lossScale: 8 });
          assert.deepEqual(Array.from(untyped(multiplied[0])), Number.isNaN(sick) ? [NaN, NaN] : [0, 0]);
        }
    });
  });

describe('lossScale', () => {
  test('of any number: elements that are not clipped are the quotients, rounded once more at most', () => {
    const random = createRandom(9);
    for (const lossScale of [3, 1000, 0.1, 1e-30, 1e30]) {
      for (const length of [5, 300]) {
        const gradient = new Float32Array(length).map(() => (random() - 0.5) * lossScale);
        const before = gradient.slice();
        clipGradNorm(gradient, Infinity, { lossScale });
        gradient.forEach((element, i) =>
          assert.equal(element, Math.fround(before[i] * (1 / lossScale)), `${before[i]} / ${lossScale}`),
        );
      }
      const one = f32(3 * lossScale, 4 * lossScale);
      assert.ok(Math.abs(clipGradNorm(one, 6, { lossScale, per: 'tensor' }) - 5) <= 1e-6);
      assert.deepEqual([...one], [3, 4]);
    }
  });

  test('a norm that is exactly the limit is not clipped', () => {
    for (const per of /** @type {const} */ (['all', 'tensor'])) {
      const gradient = f32(3 * 1024, 4 * 1024);
      assert.equal(clipGradNorm(gradient, 5, { lossScale: 1024, per }), 5);
      assert.deepEqual([...gradient], [3, 4]);
    }
  });

  test('so small that its inverse is no float32, it still divides', () => {
    const lossScale = 2 ** -140;
    for (const length of [2, 300]) {
      const gradient = new Float32Array(length).fill(3 * 2 ** -140);
      clipGradNorm(gradient, Infinity, { lossScale });
      assert.ok(gradient.every((element) => element === 3));
      gradient.fill(2 ** -140);
      clipGradNorm(gradient, 1, { lossScale });
      assert.ok(gradNorm(gradient) <= 1 && gradNorm(gradient) > 0.999);
    }
  });

  test('so small that the quotients are beyond the doubles, the norm is Infinity, and the policy says what becomes of it', () => {
    const gradient = Float64Array.of(2 ** 1000);
    const options = /** @type {const} */ ({ lossScale: 2 ** -1000, nonfinite: 'throw' });
    const message = 'the norm of the gradients is Infinity, beyond the largest double; nothing was clipped';
    assert.throws(() => clipGradNorm(gradient, 1, options), { name: 'GradientError', message });
    assert.equal(gradient[0], 2 ** 1000);
  });

  test('eps is added to the norm of the quotients', () => {
    const gradient = f32(3 * 64, 4 * 64);
    assert.equal(clipGradNorm(gradient, 2, { eps: 3, lossScale: 64 }), 5);
    assert.deepEqual(
      [...gradient],
      [3, 4].map((x) => Math.fround(x / 4)),
    );
  });

  test('float16 bits whose quotients float16 has not: the norm is theirs, and what is written is rounded', () => {
    const scaled = new Uint16Array([0x3c00, 0x4000]); // 1 and 2, of a loss times 2^26
    const gradient = { data: scaled, dtype: /** @type {const} */ ('float16') };
    const norm = clipGradNorm(gradient, 1, { lossScale: 2 ** 26 });
    assert.equal(norm, Math.sqrt(5) * 2 ** -26);
    assert.deepEqual([...scaled], [0, 0], '2^-26 is rounded to 0, and 2^-25, a tie, to even');
  });

  test('a tensor that is listed twice counts twice and is divided once', () => {
    const gradient = f32(8);
    assert.ok(Math.abs(clipGradNorm([gradient, gradient], 10, { lossScale: 8 }) - Math.SQRT2) < 1e-15);
    assert.deepEqual([...gradient], [1]);
  });

  test('a monitor is told the norm of the quotients; in a dry run they are written unclipped', () => {
    for (const dryRun of [false, true]) {
      const monitor = new GradMonitor({ method: 'fixed', maxNorm: 1, dryRun });
      const gradient = f32(3 * 16, 4 * 16);
      assert.equal(clipGradNorm(gradient, monitor, { lossScale: 16 }), 5);
      assert.equal(monitor.steps, 1);
      if (dryRun) assert.deepEqual([...gradient], [3, 4]);
      else assert.ok(gradNorm(gradient) <= 1);
      const sick = f32(NaN, 16);
      clipGradNorm(sick, monitor, { lossScale: 16, nonfinite: 'zero' });
      assert.deepEqual([...sick], dryRun ? [NaN, 16] : [0, 0]);
    }
  });

  test('clipGradsWithNorm takes the norm of the quotients', () => {
    const [one, other] = [f32(3 * 8, 4 * 8), f32(3, 4)];
    clipGradsWithNorm(one, 1, 5, { lossScale: 8 });
    clipGradsWithNorm(other, 1, 5);
    assert.deepEqual(one, other);
    clipGradsWithNorm(one, 1, 1, { lossScale: 2 });
    assert.deepEqual(
      [...one],
      [...other].map((x) => x / 2),
    );
  });

  test('another than a finite number > 0 with a finite inverse is refused before anything is written', () => {
    const gradient = f32(3, 4);
    /** @type {((options: any) => unknown)[]} */
    const verbs = [
      (options) => clipGradNorm(gradient, 1, options),
      (options) => clipGradNorm(gradient, 1, { per: 'tensor', ...options }),
      (options) => clipGradValue(gradient, 1, options),
      (options) => clipGradsWithNorm(gradient, 1, 5, options),
    ];
    for (const verb of verbs) {
      for (const lossScale of [0, -1, NaN, Infinity, 5e-324])
        assert.throws(() => verb({ lossScale }), {
          name: 'RangeError',
          message: `lossScale is ${lossScale}; expected a finite number > 0`,
        });
      for (const [lossScale, got] of [
        ['2', '"2" (a string)'],
        [null, 'null'],
        [2n, '2n (a bigint)'],
      ])
        assert.throws(() => verb({ lossScale }), {
          name: 'TypeError',
          message: `lossScale is ${got}; expected a finite number > 0`,
        });
      assert.throws(() => verb({ lossscale: 2 }), /have an unknown name, "lossscale"; expected .*lossScale/);
    }
    assert.deepEqual([...gradient], [3, 4]);
  });
});
