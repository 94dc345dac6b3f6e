// tests/bench/tfjs.js: what clipping costs with `gradnorm/tfjs` and by hand, with the operations of TensorFlow.js, in Node.js on its back
// ends wasm and cpu. A program: node tests/bench/tfjs.js [--check], after a build; with --check it fails where a promise is not kept.
import { clipGradNorm } from 'gradnorm/tfjs';
import { loadTf } from '../tfjs.js';

/** @typedef {import('@tensorflow/tfjs-core').Tensor} Tensor */

/** What is clipped, and how many times as fast as by hand it has to be on each back end; 0: nothing is promised. */
const CASES = [
  { name: 'MLP of 118k in 6', sizes: [100_352, 128, 16_384, 128, 1280, 10], wasm: 0, cpu: 0 },
  { name: '1.86M in 3', sizes: [1_000_000, 1000, 860_000], wasm: 2, cpu: 10 },
  { name: '200 x 512', sizes: Array.from({ length: 200 }, () => 512), wasm: 2, cpu: 2 },
];

const tf = await loadTf();

/** @param {Tensor[]} gradients */
function clipByHand(gradients) {
  return tf.tidy(() => {
    const norm = tf.sqrt(tf.addN(gradients.map((gradient) => tf.sum(tf.square(gradient)))));
    const factor = tf.minimum(1, tf.div(1, tf.add(norm, 1e-6)));
    return gradients.map((gradient) => tf.mul(gradient, factor));
  });
}

/**
 * @param {Tensor[]} gradients
 * @param {number} rounds
 * @returns {number[]}  the median milliseconds by hand and with ours, taken in turn
 */
function measure(gradients, rounds) {
  const ways = [clipByHand, (/** @type {Tensor[]} */ list) => clipGradNorm(list, 1).grads];
  /** @type {number[][]} */
  const times = ways.map(() => []);
  for (let round = 0; round < rounds; ++round) {
    for (const [i, clip] of ways.entries()) {
      const start = performance.now();
      const clipped = clip(gradients);
      times[i].push(performance.now() - start);
      tf.dispose(clipped);
    }
  }
  return times.map((list) => list.sort((a, b) => a - b)[list.length >> 1]);
}

for (const backend of /** @type {const} */ (['wasm', 'cpu'])) {
  await tf.setBackend(backend);
  for (const { name, sizes, ...promises } of CASES) {
    const gradients = sizes.map((size) => tf.randomNormal([size]));
    const [byHand, ours] = measure(gradients, backend === 'cpu' ? 7 : 100);
    tf.dispose(gradients);
    const ratio = byHand / ours;
    const isKept = ratio >= promises[backend];
    const times = `by hand ${byHand.toFixed(2)} ms, ours ${ours.toFixed(2)} ms: ${ratio.toFixed(1)} times as fast`;
    console.log(`${backend}, ${name}: ${times}${isKept ? '' : `; promised ${promises[backend]}`}`);
    if (!isKept && process.argv.includes('--check')) process.exitCode = 1;
  }
}
