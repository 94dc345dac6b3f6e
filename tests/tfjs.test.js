// tests/tfjs.test.js: `gradnorm/tfjs` in Node.js, on the back ends cpu and wasm.
import assert from 'node:assert/strict';
import { build } from 'esbuild';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { brotliCompressSync } from 'node:zlib';
import { gradNorm as normOfArrays } from 'gradnorm';
import { clipGradNorm, gradNorm, gradReport, withClip } from 'gradnorm/tfjs';
import { ROOT } from './support.js';
import { describeLaws } from './tfjs-laws.js';
import { loadTf } from './tfjs.js';

const mnist = createRequire(import.meta.url)('mnist');
const tf = await loadTf();

for (const backend of ['cpu', 'wasm']) describeLaws(tf, backend, { steps: 1000 });

test('on webgpu norms and reports come later, and clipping refuses: nothing is read at once, no weight changes', async () => {
  await tf.setBackend('cpu');
  const before = tf.variable(tf.tensor1d([1, 2]), true, 'on-webgpu');
  tf.registerBackend('like-webgpu', () => {
    const cpu = /** @type {any} */ (tf.findBackendFactory('cpu')());
    const { readSync } = cpu;
    return Object.assign(cpu, {
      device: {},
      tensorMap: new Map(),
      readSync: () => assert.fail('read at once'),
      read: async (/** @type {object} */ dataId) => readSync.call(cpu, dataId),
    });
  });
  await tf.setBackend('like-webgpu');
  const gradients = { [before.name]: tf.tensor1d([3, -4]), truth: tf.tensor1d([0, 12], 'int32') };
  assert.ok(gradNorm(gradients) instanceof Promise);
  assert.equal(await gradNorm(gradients), 13);
  assert.equal(await gradNorm(gradients, Infinity), 12);
  const report = await gradReport(gradients);
  assert.deepEqual([report.norm, report.tensors[1].name, report.zeros], [13, 'truth', 1]);
  const refusal = {
    name: 'TypeError',
    message:
      'the back end of gradients is webgpu; expected cpu, wasm or webgl: on webgpu gradNorm and gradReport work, clipping does not',
  };
  const limits = [{ maxNorm: 1 }, { maxValue: 1 }, { maxNorm: 1, per: /** @type {const} */ ('tensor') }];
  for (const limit of [...limits, { maxNorm: 1, lossScale: 8 }]) {
    const optimizer = withClip(tf.train.sgd(1), limit);
    assert.throws(() => optimizer.applyGradients({ [before.name]: gradients[before.name] }), refusal);
  }
  assert.throws(() => clipGradNorm(gradients, 1), refusal);
  await tf.setBackend('cpu');
  assert.throws(() => clipGradNorm(gradients, 1), refusal);
  assert.deepEqual([...(await before.data())], [1, 2]);
  tf.removeBackend('like-webgpu');
});

for (const backend of ['cpu', 'wasm']) {
  test(`on ${backend} a network learns digits: its loss falls, and every norm is that of its gradients`, async () => {
    await tf.setBackend(backend);
    /** @type {{ input: number[], output: number[] }[]} */
    const training = mnist.set(200, 0).training;
    const images = tf.tensor2d(training.map(({ input }) => input));
    const digits = tf.tensor2d(training.map(({ output }) => output));
    const make = (/** @type {number[]} */ shape) =>
      tf.variable(tf.randomNormal(/** @type {[number, number]} */ (shape), 0, 0.1, 'float32', 7));
    const weights = [make([784, 32]), make([1, 32]), make([32, 10]), make([1, 10])];
    const [w1, b1, w2, b2] = weights;
    const loss = () => {
      const hidden = tf.relu(tf.add(tf.matMul(images, w1), b1));
      const logits = tf.add(tf.matMul(hidden, w2), b2);
      return /** @type {import('@tensorflow/tfjs-core').Scalar} */ (
        tf.losses.softmaxCrossEntropy(digits, logits)
      );
    };
    /** @type {number[]} */
    const norms = [];
    const optimizer = withClip(tf.train.sgd(0.5), { maxNorm: 1, onNorm: (norm) => norms.push(norm) });
    const losses = [];
    for (let step = 0; step < 20; ++step) {
      const { value, grads } = tf.variableGrads(loss, weights);
      const read = await Promise.all(weights.map(async ({ name }) => (await grads[name].data()).slice()));
      losses.push((await value.data())[0]);
      optimizer.minimize(loss, false, weights);
      assert.equal(norms.at(-1), normOfArrays(/** @type {Float32Array[]} */ (read)));
      tf.dispose([value, grads]);
    }
    assert.ok(
      norms.some((norm) => norm > 1),
      `${norms}`,
    );
    assert.ok(/** @type {number} */ (losses.at(-1)) < losses[0] / 2, `${losses}`);
    tf.dispose([images, digits, weights]);
  });
}

test('the entry without the core is at most 3,600 bytes, minified and with Brotli', async (t) => {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, 'dist', 'adapters', 'tfjs.js')],
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    plugins: [
      {
        name: 'core',
        setup({ onResolve }) {
          // What is outside of the folder is there with the plain entry.
          onResolve({ filter: /^\.\.\/(\.\.\/)?[a-z]/ }, ({ path }) => ({ path, external: true }));
        },
      },
    ],
  });
  const code = outputFiles[0].contents;
  const bytes = brotliCompressSync(code).length;
  t.diagnostic(`gradnorm/tfjs: ${code.length} bytes minified, ${bytes} bytes with Brotli`);
  assert.ok(bytes > 500 && bytes <= 3600, `${bytes} bytes`);
});
