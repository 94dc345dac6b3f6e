// tests/tfjs.test.js: `gradnorm/tfjs` in Node.js, on the back ends cpu and wasm: its laws, what it has in common with every optimizer,
// training with digits, and its size. The digits are those of MNIST, which the package `mnist` brings: Y. LeCun, C. Cortes and C.
// Burges, under CC BY-SA 3.0.
import assert from 'node:assert/strict';
import { build } from 'esbuild';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { brotliCompressSync } from 'node:zlib';
import { clipGradNorm as clipArrays, gradNorm as normOfArrays } from 'gradnorm';
import { clipGradNorm, gradNorm, gradReport, withClip } from 'gradnorm/tfjs';
import { exactNorm, relativeError } from './oracle.js';
import { MODULES } from '../tools/build.js';
import { ROOT } from './support.js';
import { describeLaws } from './tfjs-laws.js';
import { loadTf } from './tfjs.js';

const tf = await loadTf();

for (const backend of ['cpu', 'wasm']) describeLaws(tf, backend, { steps: 1000 });

describe('withClip and the optimizer', () => {
  test('its class, configuration, learning rate and serialisation stay its own', async () => {
    await tf.setBackend('cpu');
    const [plain, clipped] = [tf.train.adam(0.1), tf.train.adam(0.1)];
    assert.equal(withClip(clipped, { maxNorm: 1 }), clipped);
    assert.equal(clipped.getClassName(), plain.getClassName());
    assert.deepEqual(clipped.getConfig(), plain.getConfig());
    assert.deepEqual(Object.keys(clipped), Object.keys(plain));
    assert.ok(clipped instanceof tf.Optimizer);
    const sgd = withClip(tf.train.sgd(0.1), { maxNorm: 1 });
    sgd.setLearningRate(1);
    const weight = tf.variable(tf.tensor1d([0]), true, 'rate');
    sgd.applyGradients([{ name: 'rate', tensor: tf.tensor1d([2]) }]);
    assert.ok(Math.abs(weight.dataSync()[0] + 1) < 1e-5);
    weight.dispose();
  });

  test('twice is refused, remove gives it back, and then it can be clipped anew', () => {
    const optimizer = tf.train.sgd(1);
    const own = optimizer.applyGradients;
    withClip(optimizer, { maxNorm: 1 });
    assert.throws(() => withClip(optimizer, { maxNorm: 2 }), {
      name: 'TypeError',
      message: 'optimizer is one that clips already; expected withClip.remove(optimizer) before',
    });
    assert.equal(withClip.remove(optimizer), optimizer);
    assert.equal(optimizer.applyGradients, own);
    assert.ok(!Object.hasOwn(optimizer, 'applyGradients'));
    assert.throws(() => withClip.remove(optimizer), {
      name: 'TypeError',
      message: 'optimizer is one that does not clip; expected one that was given to withClip',
    });
    withClip(optimizer, { maxNorm: 1 });
    withClip.remove(optimizer);
    optimizer.applyGradients = own;
    withClip(optimizer, { maxNorm: 1 });
    withClip.remove(optimizer);
    assert.equal(optimizer.applyGradients, own);
  });

  for (const [options, name, message] of /** @type {[any, string, string][]} */ ([
    [{}, 'TypeError', 'the limit of withClip is missing; expected one of maxNorm, monitor, maxValue'],
    [
      { maxNorm: 1, maxValue: 1 },
      'TypeError',
      'the limit of withClip is maxNorm and maxValue; expected one of maxNorm, monitor, maxValue',
    ],
    [{ maxNorm: -1 }, 'RangeError', 'maxNorm is -1; expected a number >= 0 or Infinity, or a GradMonitor'],
    [
      { maxNorm: '1' },
      'TypeError',
      'maxNorm is "1" (a string); expected a number >= 0 or Infinity, or a GradMonitor',
    ],
    [{ maxValue: NaN }, 'RangeError', 'maxValue is NaN; expected a number >= 0 or Infinity'],
    [{ monitor: 3 }, 'TypeError', 'monitor is 3 (a number); expected a GradMonitor'],
    [{ maxNorm: 1, lossScale: 0 }, 'RangeError', 'lossScale is 0; expected a finite number > 0'],
    [{ maxNorm: 1, normType: 0 }, 'RangeError', 'normType is 0; expected a number > 0 or Infinity'],
    [{ maxNorm: 1, onNorm: 7 }, 'TypeError', 'onNorm is 7 (a number); expected a function'],
    [{ maxNorm: 1, per: 'layer' }, 'TypeError', `per is "layer" (a string); expected one of 'all', 'tensor'`],
  ]))
    test(`withClip says at once: ${message}`, () => {
      const optimizer = tf.train.sgd(1);
      assert.throws(() => withClip(optimizer, options), { name, message });
      assert.ok(!Object.hasOwn(optimizer, 'applyGradients'));
    });

  test('an unknown option, and what is no optimizer, are refused', () => {
    const options = /** @type {any} */ ({ maxNorm: 1, clipvalue: 1 });
    assert.throws(() => withClip(tf.train.sgd(1), options), {
      name: 'TypeError',
      message: /have an unknown name, "clipvalue"/,
    });
    assert.throws(() => withClip(/** @type {any} */ ({}), { maxNorm: 1 }), {
      message: 'optimizer is an object; expected an optimizer of TensorFlow.js',
    });
  });
});

describe('the door', () => {
  for (const [what, make, message] of /** @type {[string, () => any, string][]} */ ([
    [
      'an array',
      () => ({ w: new Float32Array(1) }),
      'gradients.w is a Float32Array; expected a tensor of TensorFlow.js, or null',
    ],
    [
      'undefined',
      () => undefined,
      'gradients is undefined; expected tensors of TensorFlow.js by name or in a list',
    ],
    ['a Map', () => new Map(), 'gradients is a Map; expected tensors of TensorFlow.js by name or in a list'],
    [
      'a name without a tensor',
      () => [{ name: 'a', tensor: 3 }],
      'gradients[0].tensor is 3 (a number); expected a tensor of TensorFlow.js, or null',
    ],
    [
      'text',
      () => [tf.tensor1d(['a'])],
      'gradients[0] is a tensor of string; expected one of float32, int32, bool that was not disposed',
    ],
    [
      'complex numbers',
      () => ({ c: tf.complex([1], [1]) }),
      'gradients.c is a tensor of complex64; expected one of float32, int32, bool that was not disposed',
    ],
    [
      'a disposed tensor',
      () => {
        const tensor = tf.tensor1d([1]);
        tensor.dispose();
        return { 'a/b': tensor };
      },
      'gradients["a/b"] is a tensor that was disposed; expected one of float32, int32, bool that was not disposed',
    ],
  ]))
    test(`${what} is refused by its place, and the next call works`, async () => {
      await tf.setBackend('cpu');
      for (const verb of [gradNorm, gradReport, (/** @type {any} */ g) => clipGradNorm(g, 1)]) {
        assert.throws(() => verb(make()), { name: 'TypeError', message });
      }
      assert.equal(gradNorm([tf.tensor1d([3, 4])]), 5);
    });
});

for (const backend of ['cpu', 'wasm']) {
  test(`on ${backend} norms and clipped gradients have the bits of gradnorm on arrays`, async () => {
    await tf.setBackend(backend);
    const list = [1, 300, 5000, 40_000].map((n, k) =>
      Float32Array.from({ length: n }, (_, i) => Math.sin(i + k)),
    );
    const tensors = list.map((values) => tf.tensor1d(values));
    for (const p of [1, 2, 2.5, Infinity]) {
      assert.equal(gradNorm(tensors, p), normOfArrays(list, p));
      const copies = list.map((values) => values.slice());
      clipArrays(copies, 1.25, { normType: p });
      const { grads } = clipGradNorm(tensors, 1.25, { normType: p });
      for (const [i, copy] of copies.entries())
        assert.deepEqual(Float32Array.from(grads[i].dataSync()), copy);
      tf.dispose(grads);
    }
    tf.dispose(tensors);
  });
}

test('two copies of TensorFlow.js on a page do no harm: tensors of one, the optimizer of the other', async () => {
  const other = await loadTf();
  assert.notEqual(other.Tensor, tf.Tensor);
  await tf.setBackend('wasm');
  const weight = other.variable(other.tensor1d([0, 0]), true, 'two-copies');
  const optimizer = withClip(tf.train.sgd(1), { maxNorm: 1 });
  optimizer.applyGradients([{ name: 'two-copies', tensor: other.tensor1d([3, 4]) }]);
  assert.ok(Math.abs(weight.dataSync()[0] + 0.6) < 1e-6);
  weight.dispose();
});

test('gradients that lie on two back ends are measured and clipped together', async () => {
  await tf.setBackend('cpu');
  const there = tf.tensor1d([3]);
  await tf.setBackend('wasm');
  const here = tf.tensor1d([4]);
  assert.equal(gradNorm({ there, here }), 5);
  const { grads } = clipGradNorm({ there, here }, 1);
  assert.ok(
    Math.abs(grads.there.dataSync()[0] - 0.6) < 1e-6 && Math.abs(grads.here.dataSync()[0] - 0.8) < 1e-6,
  );
  tf.dispose([there, here, grads]);
});

test('digits are learnt on wasm, and the norm of every step is that of the gradients as they are read', async () => {
  await tf.setBackend('wasm');
  const digits = createRequire(import.meta.url);
  const { layers, sequential, train } = tf;
  const size = 784;
  const perDigit = 20;
  const pixels = new Float32Array(10 * perDigit * size);
  for (let digit = 0; digit < 10; ++digit) {
    const { data } = digits(`mnist/src/digits/${digit}.json`);
    for (let i = 0; i < perDigit; ++i)
      pixels.set(data.slice(i * size, (i + 1) * size), (i * 10 + digit) * size);
  }
  const x = tf.tensor2d(pixels, [10 * perDigit, size]);
  const y = tf.oneHot(
    tf.tensor1d(
      Array.from({ length: 10 * perDigit }, (_, i) => i % 10),
      'int32',
    ),
    10,
  );
  const model = sequential({
    layers: [
      layers.dense({ units: 32, activation: 'relu', inputShape: [size] }),
      layers.dense({ units: 10 }),
    ],
  });
  const loss = () =>
    /** @type {import('@tensorflow/tfjs-core').Scalar} */ (
      tf.losses.softmaxCrossEntropy(y, /** @type {import('@tensorflow/tfjs-core').Tensor} */ (model.apply(x)))
    );
  /** @type {number[]} */
  const norms = [];
  const optimizer = withClip(train.adam(0.01), { maxNorm: 0.5, onNorm: (norm) => norms.push(norm) });
  const losses = [];
  for (let step = 0; step < 15; ++step) {
    const { value, grads } = optimizer.computeGradients(loss);
    const read = Object.values(grads).map((grad) => Float32Array.from(grad.dataSync()));
    optimizer.applyGradients(/** @type {any} */ (grads));
    assert.ok(relativeError(norms[step], exactNorm(read, 2)) <= 2 ** -23);
    losses.push(value.dataSync()[0]);
    tf.dispose([value, grads]);
  }
  assert.ok(losses[14] < losses[0] / 2, `${losses}`);
  assert.ok(Math.max(...norms) > 0.5, 'a step was clipped');
  tf.dispose([x, y]);
  model.dispose();
});

test('the entry without the core is at most 4,150 bytes, minified and with Brotli', async (t) => {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, 'dist', 'tfjs.js')],
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    external: MODULES.map((name) => `./${name}`),
  });
  const code = outputFiles[0].contents;
  const bytes = brotliCompressSync(code).length;
  t.diagnostic(`gradnorm/tfjs: ${code.length} bytes minified, ${bytes} bytes with Brotli`);
  assert.ok(bytes > 500 && bytes <= 4150, `${bytes} bytes`);
});
