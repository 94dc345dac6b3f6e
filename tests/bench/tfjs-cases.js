// tests/bench/tfjs-cases.js: what tests/bench/tfjs.js measures, in Node.js and in a browser: lists of gradients, the clip that people write
// by hand with the operations of TensorFlow.js, and times of both taken in turn.

/**
 * What of TensorFlow.js is used.
 * @typedef {Pick<typeof import('@tensorflow/tfjs-core'), 'add' | 'div' | 'minimum' | 'mul' | 'square' | 'sqrt' | 'stack' | 'sum' | 'tidy'>} Tf
 * @typedef {import('@tensorflow/tfjs-core').Tensor} Tensor
 */

/** What is clipped, by the back end how many times as fast as by hand it has to be; where there is none, nothing is promised. */
export const CASES = [
  { name: 'MLP of 118k in 6', sizes: [100_352, 128, 16_384, 128, 1280, 10], promises: {} },
  { name: '1.86M in 3', sizes: [1_000_000, 1000, 860_000], promises: { wasm: 2, cpu: 10 } },
  {
    name: '200 x 512',
    sizes: Array.from({ length: 200 }, () => 512),
    promises: { wasm: 2, cpu: 2, webgl: 1.3, webgpu: 1.3 },
  },
  {
    name: '6 x 20000',
    sizes: Array.from({ length: 6 }, () => 20_000),
    promises: { webgl: 1 / 1.3, webgpu: 1 / 1.3 },
  },
];

/**
 * As it stands in public code, but not by addN, which is wrong for more than seven tensors on webgpu.
 * @param {Tf} tf
 * @param {Tensor[]} gradients
 */
export function clipByHand(tf, gradients) {
  return tf.tidy(() => {
    const norm = tf.sqrt(tf.sum(tf.stack(gradients.map((gradient) => tf.sum(tf.square(gradient))))));
    const factor = tf.minimum(1, tf.div(1, tf.add(norm, 1e-6)));
    return gradients.map((gradient) => tf.mul(gradient, factor));
  });
}

/**
 * @param {readonly (() => Promise<void>)[]} ways
 * @param {number} rounds
 * @returns {Promise<number[][]>}  the milliseconds of each, round by round, taken in turn
 */
export async function timeInTurn(ways, rounds) {
  /** @type {number[][]} */
  const times = ways.map(() => []);
  for (let round = 0; round < rounds; ++round) {
    for (let i = 0; i < ways.length; ++i) {
      const way = (i + round) % ways.length;
      const start = performance.now();
      await ways[way]();
      times[way].push(performance.now() - start);
    }
  }
  return times;
}
