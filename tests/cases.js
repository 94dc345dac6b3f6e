// tests/cases.js: gradients that are hard to measure or to clip, for the suites of every back end.
import assert from 'node:assert/strict';
import { hex } from './accuracy.js';

const FLT_MAX = 3.4028234663852886e38;

/**
 * How the elements of an array are made, one after the other.
 * @type {Record<string, (random: () => number, index: number) => number>}
 */
export const FLOAT32_MAGNITUDES = {
  'ordinary gradients': (random) => (random() - 0.5) * 1e-2,
  'squares subnormal in float32': (random) => (random() - 0.5) * 1e-20,
  'squares below all float32': (random) => (random() - 0.5) * 1e-30,
  'squares beyond float32': (random) => (random() - 0.5) * 1e25,
  subnormals: (random) => (random() - 0.5) * 2 ** -126,
  'the smallest subnormals': (random) => Math.ceil(random() * 3) * 2 ** -149,
  '2^-149 alone': (_, index) => (index === 1 ? 2 ** -149 : 0),
  'up to FLT_MAX': (random) => (random() - 0.5) * 2 * FLT_MAX,
  'FLT_MAX and -FLT_MAX': (random) => (random() < 0.5 ? -1 : 1) * FLT_MAX,
  '1e-40 mixed with 1e30': (random) => (random() < 0.9 ? 1e-40 : 1e30) * random(),
  'all magnitudes': (random) => (random() - 0.5) * 2 ** (random() * 270 - 145),
  'one large among many small': (_, index) => (index === 3 ? 1 : 1 / 90.6),
  'one large among many tiny': (_, index) => (index === 3 ? 1 : 1.99 * 2 ** -33),
  'mostly zeros': (random) => (random() < 0.95 ? 0 : random() - 0.5),
  'one size': () => 0.1,
};

const f32 = (/** @type {number[]} */ ...elements) => Float32Array.of(...elements);

/**
 * Gradients, what they are clipped to, and p.
 * @type {[name: string, list: Float32Array[], maxNorm: number, p: number][]}
 */
export const HARD_FLOAT32_CLIPS = [
  ['[1e20, 1, 1]', [f32(1e20, 1, 1)], 1, 2],
  ['[1e20], [1, 1]', [f32(1e20), f32(1, 1)], 1, 2],
  ['[1e30 x 1000]', [new Float32Array(1000).fill(1e30)], 1, 2],
  ['1000 times [1e30]', Array.from({ length: 1000 }, () => f32(1e30)), 1, 2],
  ['[FLT_MAX x 5000]', [new Float32Array(5000).fill(-FLT_MAX)], 1, 2],
  ['[FLT_MAX x 5000], p = 1', [new Float32Array(5000).fill(-FLT_MAX)], 1, 1],
  ['[FLT_MAX x 5000], p = 1000', [new Float32Array(5000).fill(-FLT_MAX)], 1, 1000],
  ['f32 subnormals', [f32(2 ** -127, -(2 ** -128), 3 * 2 ** -128)], 2 ** -128, 2],
  ['f32 subnormals, p = 0.1', [new Float32Array(7132).fill(2 ** -127)], 1, 0.1],
  ['f32, maxNorm tiny', [f32(1e-3, -2e-3)], 1e-30, 2],
  ['f32 [2, 1, 2] to 1', [f32(2, 1, 2)], 1, 2],
];

/**
 * Beside norms near 1e-6 and below, an eps of 1e-6 would not be small.
 * @param {number} maxNorm
 */
export function epsBeside(maxNorm) {
  return maxNorm < 1 ? 0 : 1e-6;
}

/**
 * Holds clipped gradients against what they were, each divided by its norm: elements and cosine within 1e-6.
 * @param {readonly (Float32Array | Float64Array)[]} clipped
 * @param {readonly (Float32Array | Float64Array)[]} old
 * @param {number} after   the norm of the clipped
 * @param {number} before  the norm of the old
 */
export function assertDirectionKept(clipped, old, after, before) {
  let [product, square, oldSquare] = [0, 0, 0];
  clipped.forEach((values, k) => {
    // What its type cannot hold any more may become 0.
    const least = (values instanceof Float64Array ? 2 ** -1074 : 2 ** -149) / after;
    for (let i = 0; i < values.length; ++i) {
      const [x, y] = [values[i] / after, old[k][i] / before];
      assert.ok(
        Math.abs(x - y) <= Math.max(1e-6 * Math.abs(y), least),
        `element ${i} of ${k}: ${hex(x)}, ${hex(y)}`,
      );
      product += x * y;
      square += x * x;
      oldSquare += y * y;
    }
  });
  const cosine = product / Math.sqrt(square) / Math.sqrt(oldSquare);
  assert.ok(Math.abs(cosine - 1) <= 1e-6, `cosine ${cosine}`);
}
