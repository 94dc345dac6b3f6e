// tests/bench/tfjs.js: what clipping costs with `gradnorm/tfjs` and by hand, with the operations of TensorFlow.js: on its back ends
// wasm and cpu in Node.js, on webgl and webgpu by software in Chromium, and what it adds to a step of model.fit. A program:
// node tests/bench/tfjs.js [--check], after a build; with --check it fails where a promise is not kept.
import { build } from 'esbuild';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { median } from '../../web/demo/measure/statistics.js';
import { skip, visit } from '../chromium.js';
import { bundledTf, loadTf, SOFTWARE_FLAGS } from '../tfjs.js';
import { CASES, clipByHand, timeInTurn } from './tfjs-cases.js';

/** @typedef {{ backend: string, name: string, byHand: number, ours: number }} Row   milliseconds */

/** By its file: this folder is a package of its own, which has no gradnorm. */
const LIBRARY = fileURLToPath(new URL('../../dist/tfjs.js', import.meta.url));
/** @type {typeof import('../../web/adapters/tfjs.js')} */
const { clipGradNorm, withClip } = await import(pathToFileURL(LIBRARY).href);

/** The share of a step that withClip may add to it. */
const MOST_ADDED = 0.03;

const tf = await loadTf();

/**
 * @param {Row} row
 * @returns {string}
 */
function lineOf({ backend, name, byHand, ours }) {
  const found = CASES.find((each) => each.name === name);
  const promise = /** @type {Record<string, number>} */ (found?.promises ?? {})[backend];
  const ratio = byHand / ours;
  const isKept = promise === undefined || ratio >= promise;
  if (!isKept) process.exitCode = 1;
  const cells = [backend.padEnd(6), name.padEnd(16), `by hand ${byHand.toFixed(2).padStart(7)} ms`];
  cells.push(`ours ${ours.toFixed(2).padStart(7)} ms`, `${ratio.toFixed(2).padStart(5)} times as fast`);
  if (promise !== undefined) cells.push(`promised ${promise.toFixed(2)}: ${isKept ? 'kept' : 'MISSED'}`);
  return cells.join('  ');
}

for (const backend of /** @type {const} */ (['wasm', 'cpu'])) {
  await tf.setBackend(backend);
  for (const { name, sizes } of CASES) {
    const gradients = sizes.map((size) => tf.randomNormal([size]));
    const ways = [() => clipByHand(tf, gradients), () => clipGradNorm(gradients, 1).grads];
    const times = await timeInTurn(
      ways.map((way) => async () => tf.dispose(way())),
      backend === 'cpu' ? 9 : 101,
    );
    tf.dispose(gradients);
    const [byHand, ours] = times.map(median);
    console.log(lineOf({ backend, name, byHand, ours }));
  }
}

/** Trains on noise: what a step takes does not depend on what is learnt. */
async function measureFit() {
  await tf.setBackend('wasm');
  const [batch, batches] = [64, 5];
  const x = tf.randomNormal([batch * batches, 784]);
  const y = tf.oneHot(tf.randomUniform([batch * batches], 0, 10, 'int32'), 10);
  const model = () => {
    const { dense } = tf.layers;
    return tf.sequential({
      layers: [
        dense({ inputShape: [784], units: 128, activation: 'relu' }),
        dense({ units: 128, activation: 'relu' }),
        dense({ units: 10, activation: 'softmax' }),
      ],
    });
  };
  const byHand = () => {
    const optimizer = tf.train.adam(1e-4);
    const apply = optimizer.applyGradients.bind(optimizer);
    optimizer.applyGradients = (/** @type {any} */ given) => {
      const clipped = clipByHand(
        tf,
        given.map((/** @type {any} */ { tensor }) => tensor),
      );
      apply(
        given.map((/** @type {any} */ { name }, /** @type {number} */ i) => ({ name, tensor: clipped[i] })),
      );
      tf.dispose(clipped);
    };
    return optimizer;
  };
  const optimizers = [tf.train.adam(1e-4), byHand(), withClip(tf.train.adam(1e-4), { maxNorm: 1 })];
  const ways = optimizers.map((optimizer) => {
    const own = model();
    own.compile({ optimizer, loss: 'categoricalCrossentropy' });
    return async () =>
      void (await own.fit(x, y, { batchSize: batch, epochs: 1, verbose: 0, shuffle: false }));
  });
  await timeInTurn(ways, 5);
  const times = await timeInTurn(ways, 99);
  // Of each round, as the machine is not the same in the next.
  const added = times.slice(1).map((own) => median(own.map((time, round) => time / times[0][round] - 1)));
  const percent = (/** @type {number} */ share) => `${(100 * share).toFixed(1)} %`;
  const isKept = added[1] <= MOST_ADDED;
  if (!isKept) process.exitCode = 1;
  const step = (median(times[0]) / batches).toFixed(2);
  const promise = `promised ${percent(MOST_ADDED)} at most: ${isKept ? 'kept' : 'MISSED'}`;
  console.log(
    `wasm    model.fit         a step ${step} ms; by hand +${percent(added[0])}, ours +${percent(added[1])}; ${promise}`,
  );
}
await measureFit();

/** @returns {Promise<string>}  the page's program */
async function bundlePage() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('tfjs-page.js', import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'silent',
    plugins: [
      bundledTf,
      {
        name: 'the library',
        setup: ({ onResolve }) => onResolve({ filter: /^gradnorm\/tfjs$/ }, () => ({ path: LIBRARY })),
      },
    ],
  });
  return outputFiles[0].text;
}

if (skip) console.log(`webgl and webgpu are not measured: ${skip}`);
else {
  const script = await bundlePage();
  await visit({
    serve(path) {
      if (path === '/page.js') return { type: 'text/javascript', body: script };
      if (path !== '/') return null;
      return { type: 'text/html', body: '<!doctype html><script type="module" src="/page.js"></script>' };
    },
    flags: SOFTWARE_FLAGS,
    take(posted) {
      if (posted === 'done') return true;
      if ('failed' in posted) throw new Error(posted.failed);
      console.log(lineOf(posted));
      return false;
    },
  });
}
if (!process.argv.includes('--check')) process.exitCode = 0;
