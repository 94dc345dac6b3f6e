// tests/examples.test.js: the programs in web/examples/ do what docs/ says, and docs/ shows them as they are.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { train } from '../web/examples/loop.js';
import { clippedStep } from '../web/examples/tfjs.js';
import { normsOf } from '../web/examples/workers.js';
import { clipGradNorm, gradNorm } from 'gradnorm';
import { readPage, withoutTypes } from './docs.js';
import { ROOT } from './support.js';

const require = createRequire(import.meta.url);
setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`);

test('docs/tensorflow.md shows the step by hand as it is', () => {
  const code = readFileSync(join(ROOT, 'web', 'examples', 'tfjs.js'), 'utf8');
  const step = code.slice(code.indexOf('function clippedStep'));
  assert.ok(step.length > 100 && code.split('\n').length <= 30);
  assert.ok(readPage('docs/tensorflow.md').includes(`\`\`\`js\n${step}\`\`\``));
});

test('docs/webgpu.md shows the step of gradient descent on the GPU as it is', () => {
  const code = readFileSync(join(ROOT, 'web', 'examples', 'gpu.js'), 'utf8');
  const step = code.slice(code.indexOf('const SGD')).replace(/^\/\*\* @type.*\n/m, '');
  assert.ok(step.length > 100 && code.split('\n').length <= 30);
  assert.ok(readPage('docs/webgpu.md').includes(`\`\`\`js\n${step}\`\`\``));
});

for (const [name, page] of [
  ['loop', 'loops.md'],
  ['workers', 'workers.md'],
])
  test(`docs/${page} shows the program ${name}.js as it is, but for the words of its types`, () => {
    const code = readFileSync(join(ROOT, 'web', 'examples', `${name}.js`), 'utf8');
    assert.ok(code.split('\n').length <= 31);
    const shown = withoutTypes(code.slice(code.indexOf('import')));
    assert.ok(shown.length > 500);
    assert.ok(readPage(`docs/${page}`).includes(`\`\`\`js\n${shown}\`\`\``), shown);
  });

/**
 * @param {number} actual
 * @param {number} expected
 * @param {number} bound  relative
 */
function assertNear(actual, expected, bound) {
  assert.ok(Math.abs(actual - expected) <= bound * expected, `${actual}, not ${expected}`);
}

test('a loop of your own: the step that explodes is clipped by the norms before it, the sick one left out', () => {
  const weights = { w: Float32Array.of(3, -4), b: Float32Array.of(0) };
  let step = 0;
  // Of w^2 / 2 + b^2 / 2: gradients are the weights. One step explodes, one is sick.
  const norms = train(
    weights,
    (gradients) => {
      ++step;
      const factor = step === 30 ? 1000 : 1;
      for (const name of /** @type {const} */ (['w', 'b']))
        gradients[name].set(weights[name].map((x) => (step === 35 ? NaN : factor * x)));
      return 0;
    },
    60,
  );
  assert.equal(norms.length, 60);
  // Nothing is clipped while the norms fall: each step leaves nine tenths of w. The sick one leaves all of it.
  for (const [i, norm] of norms.slice(0, 29).entries()) assertNear(norm, 5 * 0.9 ** i, 2 ** -18);
  assert.ok(Number.isNaN(norms[34]));
  assertNear(norms[35], 0.9 * norms[33], 2 ** -18);
  assert.ok(norms[29] > 100 && norms[30] < 5, 'the step that exploded was clipped');
  assert.ok(Math.hypot(...weights.w) < 0.05, `${weights.w}`);
  assert.equal(weights.b[0], 0);
});

test('threads: the norm of all is that of one thread, and each clips its own by it', async () => {
  const shards = [
    { lengths: [5000, 3], value: 3 },
    { lengths: [16], value: -4 },
    { lengths: [], value: 1 },
  ];
  const all = shards.flatMap(({ lengths, value }) =>
    lengths.map((length) => new Float32Array(length).fill(value)),
  );
  const { before, after } = await normsOf(shards);
  assertNear(before, Math.sqrt(5003 * 3 ** 2 + 16 * 4 ** 2), 2 ** -40);
  assert.equal(before, gradNorm(all));
  assertNear(after, 1, 2 ** -19);
  assert.equal(after, (clipGradNorm(all, 1), gradNorm(all)));
});

for (const backend of ['cpu', 'wasm']) {
  describe(`a clipped step of TensorFlow.js on its backend ${backend}`, () => {
    test('the variable moves by the clipped gradient; data that shares its memory stays', async () => {
      assert.ok(await tf.setBackend(backend));
      assert.equal(tf.getBackend(), backend);
      const data = tf.tensor1d([30, 40]);
      const weight = tf.variable(tf.tensor1d([1, 2]), true, `${backend}-weight`);
      const optimizer = tf.train.sgd(1);
      const before = tf.memory().numTensors;
      // A gradient that is the data itself.
      const identity = tf.customGrad((x) => ({
        value: tf.sum(tf.mul(/** @type {tf.Tensor} */ (x), data)),
        gradFunc: () => [data.clone()],
      }));
      const norm = clippedStep(tf, optimizer, () => /** @type {tf.Scalar} */ (identity(weight)), [weight]);
      assert.equal(norm, 50);
      assert.deepEqual([...data.dataSync()], [30, 40]);
      const [a, b] = weight.dataSync();
      assert.ok(Math.abs(a - 0.4) < 1e-6 && Math.abs(b - 1.2) < 1e-6, `${a}, ${b}`);
      assert.equal(tf.memory().numTensors, before);
      tf.dispose([data, weight]);
    });

    test('a variable without a gradient is left out, and stays', async () => {
      assert.ok(await tf.setBackend(backend));
      const used = tf.variable(tf.tensor1d([3]), true, `${backend}-used`);
      const unused = tf.variable(tf.tensor1d([7]), true, `${backend}-unused`);
      const square = tf.customGrad((x) => ({
        value: tf.sum(tf.square(/** @type {tf.Tensor} */ (x))),
        gradFunc: () => [tf.mul(/** @type {tf.Tensor} */ (x), 2)],
      }));
      const loss = () => /** @type {tf.Scalar} */ (square(used));
      assert.equal(clippedStep(tf, tf.train.sgd(1), loss, [used, unused]), 6);
      assert.deepEqual([...unused.dataSync()], [7]);
      assert.ok(Math.abs(used.dataSync()[0] - 2) < 1e-6);
      tf.dispose([used, unused]);
    });
  });
}
