// tests/bench/jax.js: `node tests/bench/jax.js [--check]`: gradnorm/jax against jax-js's own operations on its back end wasm, as
// optax strings them together, in turns in one process. With --check it fails where a promise is not kept.

import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import * as jax from '@jax-js/jax';
import { median } from '../../web/demo/measure/statistics.js';

const { numpy: np, tree, jit } = jax;
const ROUNDS = 60;

/** Widths of perceptrons on digits. */
const NETWORKS = [
  { name: '118k in 6', widths: [784, 128, 128, 10], promised: 2.5 },
  { name: '1.9M in 6', widths: [784, 1024, 1024, 10], promised: 1.2 },
];

// By way of the root's package.json, as a user's import goes.
const ours = createRequire(new URL('../../package.json', import.meta.url)).resolve('gradnorm/jax');
const { globalNorm, clipByGlobalNorm } = await import(pathToFileURL(ours).href);

await jax.init('wasm');
jax.defaultDevice('wasm');

let isKept = true;
for (const { name, widths, promised } of NETWORKS) {
  const gradients = gradientsOf(widths);
  const theirs = theirNorm(tree.ref(gradients)).item();
  const norm = await measure({
    'jax-js, operation by operation': () => void theirNorm(tree.ref(gradients)).item(),
    'jax-js, all in one jit': jitted(gradients),
    'gradnorm/jax': () => globalNorm(tree.ref(gradients)),
    'gradnorm/jax, with jit': () => globalNorm(tree.ref(gradients), 2, { jit }),
  });
  print(`norm, ${name}`, norm, { 'gradnorm/jax': promised, 'gradnorm/jax, with jit': promised });
  const clips = {
    'jax-js, operation by operation': (/** @type {any} */ updates) => theirClip(updates, theirs / 2),
    'gradnorm/jax': updatesOf(clipByGlobalNorm(theirs / 2)),
    'gradnorm/jax, with jit': updatesOf(clipByGlobalNorm(theirs / 2, { jit })),
  };
  const clip = await measure(
    Object.fromEntries(
      Object.entries(clips).map(([name, clip]) => [name, () => finish(clip(tree.ref(gradients)))]),
    ),
  );
  print(`clip, ${name}`, clip, {});
  tree.dispose(gradients);
}
if (!isKept && process.argv.includes('--check')) process.exitCode = 1;

/** @param {number[]} widths */
function gradientsOf(widths) {
  const random = (/** @type {number} */ length) =>
    np.array(Float32Array.from({ length }, () => Math.random() - 0.5));
  return widths
    .slice(1)
    .map((width, i) => ({ w: random(widths[i] * width).reshape([widths[i], width]), b: random(width) }));
}

/**
 * As treeNorm of optax.
 * @param {any} gradients
 */
function theirNorm(gradients) {
  const leaves = /** @type {jax.Array[]} */ (tree.leaves(gradients));
  return np.sqrt(leaves.map((x) => np.sum(np.square(x))).reduce((a, b) => a.add(b), np.array(0)));
}

/**
 * As clipByGlobalNorm of optax.
 * @param {any} updates
 * @param {number} maxNorm
 */
function theirClip(updates, maxNorm) {
  const norm = theirNorm(tree.ref(updates));
  const isSmall = np.less(norm.ref, maxNorm);
  const clipped = tree.map(
    (/** @type {jax.Array} */ x) => np.where(isSmall.ref, x.ref, x.div(norm.ref).mul(maxNorm)),
    updates,
  );
  tree.dispose([norm, isSmall]);
  return clipped;
}

/** @param {any} gradients */
function jitted(gradients) {
  const norm = jit(theirNorm);
  return () => void norm(tree.ref(gradients)).item();
}

/** @param {any} transformation */
function updatesOf(transformation) {
  return (/** @type {any} */ updates) => transformation.update(updates, [])[0];
}

/**
 * Lets everything be computed, since jax-js computes what is asked for.
 * @param {any} updates
 */
function finish(updates) {
  for (const leaf of /** @type {jax.Array[]} */ (tree.leaves(updates)))
    leaf.reshape(-1).slice([0, 1]).dataSync();
}

/**
 * @param {Record<string, () => unknown>} contenders
 * @returns {Promise<Record<string, number>>}  the median of each, in milliseconds
 */
async function measure(contenders) {
  const times = Object.fromEntries(
    Object.keys(contenders).map((name) => [name, /** @type {number[]} */ ([])]),
  );
  for (let round = -5; round < ROUNDS; ++round) {
    for (const [name, run] of Object.entries(contenders)) {
      const start = performance.now();
      run();
      if (round >= 0) times[name].push(performance.now() - start);
    }
    await null;
  }
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]));
}

/**
 * @param {string} title
 * @param {Record<string, number>} medians
 * @param {Record<string, number>} promises  how many times as fast as the first, at least
 */
function print(title, medians, promises) {
  const [base] = Object.values(medians);
  console.log(title);
  for (const [name, time] of Object.entries(medians)) {
    const times = base / time;
    const promise = promises[name];
    const verdict =
      promise === undefined ? '' : `, promised ${promise}: ${times >= promise ? 'kept' : 'MISSED'}`;
    if (times < promise) isKept = false;
    console.log(
      `  ${name.padEnd(32)} ${time.toFixed(3).padStart(8)} ms, ${times.toFixed(2)} times as fast${verdict}`,
    );
  }
}
