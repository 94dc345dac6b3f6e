// tests/tfjs-laws.js: the laws of `gradnorm/tfjs`, the same on every back end: for tests/tfjs.test.js in Node.js and
// tests/tfjs-browser.test.js in Chromium. All reading waits, so that it can be done on webgpu too.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import * as gradnorm from 'gradnorm/tfjs';
import { GradMonitor } from 'gradnorm';
import { boundOnGpu } from './accuracy.js';
import { exactNorm, relativeError } from './oracle.js';

/** @typedef {import('./tfjs.js').Tf} Tf */
/** @typedef {import('@tensorflow/tfjs-core').Tensor} Tensor */

const { clipGradNorm, gradNorm, gradReport, withClip } = gradnorm;

/**
 * The promised error of a norm.
 * @param {string} backend
 * @param {number} p
 */
function boundOf(backend, p) {
  if (backend === 'webgl' && (p === 1 || p === 2)) return 2 ** -18;
  return backend === 'webgpu' ? boundOnGpu(p) : 2 ** -23;
}

/**
 * @param {number} length
 * @param {number} [seed]
 */
function floats(length, seed = 1) {
  return Float32Array.from({ length }, (_, i) => Math.sin(i * 12.9898 + seed) * 2 ** ((i % 7) - 3));
}

/** @param {Tensor} tensor */
async function valuesOf(tensor) {
  return Float32Array.from(await tensor.data());
}

/**
 * @param {ArrayLike<number>} actual
 * @param {ArrayLike<number>} expected
 * @param {number} error  of each, relative to the largest
 */
function assertNear(actual, expected, error = 1e-6) {
  assert.equal(actual.length, expected.length);
  const largest = Math.max(...Array.from(expected, Math.abs), Number.MIN_VALUE);
  for (let i = 0; i < actual.length; ++i) {
    assert.ok(
      Math.abs(actual[i] - expected[i]) <= error * largest,
      `[${i}]: ${actual[i]}, expected ${expected[i]}`,
    );
  }
}

/**
 * Waits until something has come that nobody can wait for.
 * @param {() => boolean} isThere
 */
async function arrival(isThere) {
  for (let i = 0; i < 30_000 && !isThere(); ++i) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.ok(isThere(), 'it came');
}

/**
 * @param {Tf} tf
 * @param {string} backend
 * @param {{ steps: number }} options  how many steps the search for leaks takes
 */
export function describeLaws(tf, backend, { steps }) {
  const isLater = backend === 'webgpu';
  let names = 0;

  /** @param {ArrayLike<number>} values */
  const variable = (values) =>
    tf.tidy(() => tf.variable(tf.tensor1d(Float32Array.from(values)), true, `${backend}-${names++}`));

  /**
   * A loss whose gradients are these, whatever the variables are.
   * @param {(Tensor | null)[]} gradients
   * @param {Tensor[]} variables
   */
  const lossWith = (gradients, variables) => () => {
    const used = variables.filter((_, i) => gradients[i] !== null);
    const products = used.map((v) =>
      tf.sum(tf.mul(v, /** @type {Tensor} */ (gradients[variables.indexOf(v)]))),
    );
    return /** @type {import('@tensorflow/tfjs-core').Scalar} */ (
      products.reduce((sum, x) => tf.add(sum, x))
    );
  };

  describe(`gradnorm/tfjs on ${backend}`, () => {
    before(async () => {
      assert.ok(await tf.setBackend(backend));
      await tf.ready();
      assert.equal(tf.getBackend(), backend);
    });

    test("norms are the oracle's, for every p that a user asks for", async () => {
      const lists = [
        [floats(5)],
        [floats(300), floats(1), floats(70_000, 3)],
        [floats(10_000, 2), new Float32Array(9)],
      ];
      for (const list of lists) {
        const tensors = list.map((values) => tf.tensor1d(values));
        for (const p of [1, 2, 3, Infinity, 0.5, 2.5]) {
          const norm = await gradNorm(tensors, p);
          const error = relativeError(norm, exactNorm(list, p));
          assert.ok(error <= boundOf(backend, p), `${list.map(({ length }) => length)}, p = ${p}: ${error}`);
        }
        tf.dispose(tensors);
      }
    });

    test('gradients come by name, in a list with or without names, or alone; null and undefined are skipped', async () => {
      const [a, b] = [tf.tensor1d([3]), tf.tensor2d([[4], [0]])];
      assert.equal(await gradNorm({ a, b, c: null, d: undefined }), 5);
      assert.equal(await gradNorm([a, null, b, undefined]), 5);
      assert.equal(
        await gradNorm([
          { name: 'a', tensor: a },
          { name: 'b', tensor: b },
          { name: 'c', tensor: null },
        ]),
        5,
      );
      assert.equal(await gradNorm(b), 4);
      assert.equal(await gradNorm([]), 0);
      assert.equal(await gradNorm({}), 0);
      assert.equal(await gradNorm(null), 0);
      assert.equal(await gradNorm([a, a, a, a]), 6);
      tf.dispose([a, b]);
    });

    test('empty, scalar and integer tensors count as what they hold', async () => {
      const tensors = {
        empty: tf.tensor1d([]),
        scalar: tf.scalar(-3),
        whole: tf.tensor1d([4, 0], 'int32'),
        truth: tf.tensor1d([true, false], 'bool'),
      };
      const { truth, ...numbers } = tensors;
      assert.equal(await gradNorm(numbers), 5);
      assert.equal(await gradNorm([truth]), 1);
      assert.equal(await gradNorm([tensors.empty]), 0);
      const { grads, norm } = clipGradNorm(numbers, 1);
      assert.equal(await norm, 5);
      assert.deepEqual(Object.keys(grads), ['empty', 'scalar', 'whole']);
      assert.deepEqual(grads.empty.shape, [0]);
      assert.deepEqual(grads.scalar.shape, []);
      assertNear(await valuesOf(grads.scalar), [-0.6]);
      assertNear(await valuesOf(grads.whole), [0.8, 0]);
      tf.dispose([tensors, grads]);
    });

    test('clipped gradients are new tensors in the same structure; those that were passed stay, bit for bit', async () => {
      const data = floats(1000);
      const weight = tf.tensor1d(data);
      const [shared, reshaped] = [weight.clone(), tf.reshape(weight, [10, 100])];
      const maps = [
        { weight, shared, none: null, reshaped },
        [weight, null, shared, reshaped],
        [
          { name: 'w', tensor: weight },
          { name: 's', tensor: shared },
          { name: 'n', tensor: null },
          { name: 'r', tensor: reshaped },
        ],
      ];
      const exact = Math.hypot(...data) * Math.sqrt(3);
      for (const map of maps) {
        const { grads, norm } = clipGradNorm(map, 2);
        assertNear([await norm], [exact]);
        assert.deepEqual(Object.keys(grads), Object.keys(map));
        assert.ok(Math.abs((await gradNorm(grads)) - 2) < 2e-5);
        const items = Object.values(grads).map((item) =>
          item !== null && 'tensor' in item ? item.tensor : item,
        );
        assert.equal(items.filter((item) => item === null).length, 1);
        for (const item of items) {
          if (item === null) continue;
          assert.ok(![weight, shared, reshaped].includes(item));
          assertNear(
            await valuesOf(item),
            data.map((x) => (x * 2) / exact),
            2e-5,
          );
        }
        tf.dispose(items.filter((item) => item !== null));
      }
      assert.deepEqual(await valuesOf(weight), data);
      assert.deepEqual(await valuesOf(reshaped), data);
      tf.dispose([weight, shared, reshaped]);
    });

    test('what is not clipped has its bits, in tensors of which the caller disposes without harm', async () => {
      const [a, b] = [tf.tensor1d([3]), tf.tensor1d([4])];
      for (const limit of [5, 6, Infinity]) {
        const { grads, norm } = clipGradNorm({ a, b }, limit);
        assert.equal(await norm, 5);
        assert.notEqual(grads.a, a);
        assert.deepEqual([...(await valuesOf(grads.a)), ...(await valuesOf(grads.b))], [3, 4]);
        tf.dispose(grads);
      }
      assert.deepEqual([...(await valuesOf(a))], [3]);
      tf.dispose([a, b]);
    });

    test('gradients whose squares overflow or underflow float32 are clipped right', async () => {
      for (const [values, limit, expected] of [
        [[3e20, 4e20], 1, [0.6, 0.8]],
        [[-3e37, 4e37], 2, [-1.2, 1.6]],
        [[3e-30, 4e-30], 1e-30, [0.6e-30, 0.8e-30]],
        [[0, 0], 1, [0, 0]],
        [[3, 4], 0, [0, 0]],
      ]) {
        const gradient = tf.tensor1d(/** @type {number[]} */ (values));
        const { grads, norm } = clipGradNorm([gradient], /** @type {number} */ (limit), { eps: 0 });
        assertNear([await norm], [Math.hypot(.../** @type {number[]} */ (values))]);
        assertNear(await valuesOf(grads[0]), /** @type {number[]} */ (expected));
        tf.dispose([gradient, ...grads]);
      }
    });

    test('small, large and many tensors are clipped as the formula says, whatever does it', async () => {
      const list = [
        floats(7),
        floats(40_000, 2),
        floats(100_000, 3),
        ...Array.from({ length: 20 }, (_, i) => floats(300, i)),
      ];
      const tensors = list.map((values) => tf.tensor1d(values));
      for (const p of [1, 2, 3, Infinity]) {
        const { grads, norm } = clipGradNorm(tensors, 0.5, { normType: p, eps: 0 });
        const measured = await norm;
        assert.ok(relativeError(measured, exactNorm(list, p)) <= boundOf(backend, p), `p = ${p}`);
        for (let i = 0; i < list.length; ++i) {
          assertNear(
            await valuesOf(grads[i]),
            list[i].map((x) => (x * 0.5) / measured),
            2e-5,
          );
        }
        tf.dispose(grads);
      }
      tf.dispose(tensors);
    });

    test("per: 'tensor' clips each by its own norm, and tells the norm of all", async () => {
      const [a, b] = [tf.tensor1d([3, 4]), tf.tensor1d([0.5])];
      const { grads, norm } = clipGradNorm({ a, b }, 1, { per: 'tensor' });
      assertNear([await norm], [Math.hypot(5, 0.5)]);
      assertNear(await valuesOf(grads.a), [0.6, 0.8]);
      assert.deepEqual([...(await valuesOf(grads.b))], [0.5]);
      tf.dispose([a, b, grads]);
    });

    test('lists of many shapes, again and again, and many norms that nobody awaited yet', async () => {
      for (let again = 0; again < 2; ++again) {
        for (let size = 1; size <= 70; ++size) {
          const gradients = { w: tf.fill([size], 3), b: tf.fill([2 * size], -again) };
          const expected = Math.sqrt(9 * size + 2 * size * again);
          assertNear([await gradNorm(gradients)], [expected]);
          tf.dispose(gradients);
        }
      }
      for (const per of /** @type {const} */ (['all', 'tensor'])) {
        const steps = Array.from({ length: 20 }, (_, i) => {
          const gradients = [tf.fill([100], i), tf.fill([100], -i)];
          const { grads, norm } = clipGradNorm(gradients, 1, { per });
          tf.dispose(gradients);
          return { grads, norm };
        });
        for (const [i, { grads, norm }] of steps.entries()) {
          assertNear([await norm], [i * Math.sqrt(200)]);
          const [one, other] = grads;
          const most = per === 'all' ? Math.SQRT1_2 / 10 : 0.1;
          assertNear(await valuesOf(one), Array(100).fill(Math.min(i, most)), 1e-5);
          assertNear(await valuesOf(other), Array(100).fill(-Math.min(i, most)), 1e-5);
          tf.dispose(grads);
        }
      }
    });

    test('gradients of a loss that was multiplied are measured and given divided, clipped or not', async () => {
      const gradient = tf.tensor1d([3 * 1024, 4 * 1024]);
      for (const [limit, expected] of [
        [10, [3, 4]],
        [1, [0.6, 0.8]],
      ]) {
        const { grads, norm } = clipGradNorm([gradient], /** @type {number} */ (limit), { lossScale: 1024 });
        assertNear([await norm], [5]);
        assertNear(await valuesOf(grads[0]), /** @type {number[]} */ (expected));
        tf.dispose(grads);
      }
      tf.dispose(gradient);
    });

    test('a report has the norms, the health and the names', async () => {
      const gradients = {
        a: tf.tensor1d([3, 0, NaN]),
        b: tf.tensor1d([4, -Infinity]),
        c: tf.tensor2d([[1, 2]]),
      };
      const report = await gradReport(gradients);
      assert.deepEqual(
        report.tensors.map(({ name, elements, nan, inf, max }) => [name, elements, nan, inf, max]),
        [
          ['a', 3, 1, 0, 3],
          ['b', 2, 0, 1, 4],
          ['c', 2, 0, 0, 2],
        ],
      );
      assert.deepEqual(report.firstNonfinite, { tensor: 'a', index: 2, value: NaN });
      assertNear([report.tensors[2].norm], [Math.sqrt(5)]);
      assert.equal((await gradReport([gradients.c], { normType: 1 })).norm, 3);
      tf.dispose(gradients);
    });

    for (const way of ['minimize', 'minimize with a list of variables', 'a map', 'a list']) {
      test(`withClip clips every step: ${way}`, async () => {
        const variables = [variable([1, 2]), variable([3]), variable([7])];
        const [a, b] = [tf.tensor1d([30, 0]), tf.tensor1d([40])];
        /** @type {number[]} */
        const told = [];
        const optimizer = withClip(tf.train.sgd(1), { maxNorm: 1, onNorm: (norm) => told.push(norm) });
        const loss = lossWith([a, b], variables.slice(0, 2));
        for (let step = 0; step < 3; ++step) {
          if (way === 'minimize') optimizer.minimize(loss);
          else if (way.startsWith('minimize')) optimizer.minimize(loss, false, variables.slice(0, 2));
          else {
            const { grads, value } = optimizer.computeGradients(loss);
            const list = Object.entries(grads).map(([name, tensor]) => ({ name, tensor }));
            optimizer.applyGradients(way === 'a map' ? grads : list);
            const [g] = Object.values(grads);
            assert.deepEqual([...(await valuesOf(g))], [30, 0]);
            tf.dispose([grads, value]);
          }
        }
        assertNear(await valuesOf(variables[0]), [1 - 1.8, 2], 1e-5);
        assertNear(await valuesOf(variables[1]), [3 - 2.4], 1e-5);
        assert.deepEqual([...(await valuesOf(variables[2]))], [7]);
        await arrival(() => told.length === 3);
        assertNear(told, [50, 50, 50]);
        tf.dispose([a, b, ...variables]);
        optimizer.dispose();
      });
    }

    test('all optimizers step as they do with gradients that were clipped before', async () => {
      const { train } = tf;
      const makers = {
        sgd: () => train.sgd(0.1),
        momentum: () => train.momentum(0.1, 0.9),
        adagrad: () => train.adagrad(0.1),
        adadelta: () => train.adadelta(0.1),
        adam: () => train.adam(0.1),
        adamax: () => train.adamax(0.1),
        rmsprop: () => train.rmsprop(0.1),
      };
      const gradient = tf.tensor1d([3, -4]);
      const clipped = tf.tensor1d([0.6, -0.8]);
      for (const [name, make] of Object.entries(makers)) {
        const [ours, theirs] = [variable([1, 2]), variable([1, 2])];
        const [a, b] = [withClip(make(), { maxNorm: 1 }), make()];
        for (let step = 0; step < 3; ++step) {
          a.minimize(lossWith([gradient], [ours]), false, [ours]);
          b.minimize(lossWith([clipped], [theirs]), false, [theirs]);
        }
        const expected = await valuesOf(theirs);
        assert.ok(Math.abs(expected[0] - 1) > 1e-7, name);
        assertNear(await valuesOf(ours), expected, 1e-5);
        for (const optimizer of [a, b]) optimizer.dispose();
        tf.dispose([ours, theirs]);
      }
      tf.dispose([gradient, clipped]);
    });

    test('the first step is right too, before anything could be awaited', async () => {
      const weight = variable([0, 0]);
      const gradient = tf.tensor1d([3e20, 4e20]);
      const optimizer = withClip(tf.train.sgd(1), { maxNorm: 1 });
      optimizer.minimize(lossWith([gradient], [weight]), false, [weight]);
      assertNear(await valuesOf(weight), [-0.6, -0.8]);
      tf.dispose([weight, gradient]);
    });

    test('maxValue clamps every element, and NaN stays NaN', async () => {
      const weight = variable([0, 0, 0, 0]);
      const gradient = tf.tensor1d([3, -4, 0.5, NaN]);
      const optimizer = withClip(tf.train.sgd(1), { maxValue: 1 });
      const name = weight.name;
      for (let step = 0; step < 2; ++step) optimizer.applyGradients([{ name, tensor: gradient }]);
      assert.deepEqual([...(await valuesOf(weight))], [-2, 2, -1, NaN]);
      tf.dispose([weight, gradient]);
    });

    for (const nonfinite of /** @type {const} */ (['skip', 'zero', 'propagate'])) {
      for (const bad of [NaN, Infinity]) {
        test(`${bad} under '${nonfinite}'`, async () => {
          const [a, b] = [variable([1, 2]), variable([3])];
          const [healthy, small, sick] = [tf.tensor1d([0.3, 0.4]), tf.tensor1d([0.1]), tf.tensor1d([bad])];
          /** @type {number[]} */
          const told = [];
          const optimizer = withClip(tf.train.sgd(1), {
            maxNorm: 1,
            nonfinite,
            onNorm: (norm) => told.push(norm),
          });
          const step = (/** @type {Tensor} */ other) =>
            optimizer.applyGradients([
              { name: a.name, tensor: healthy },
              { name: b.name, tensor: other },
            ]);
          step(sick);
          await arrival(() => told.length === 1);
          step(sick);
          await arrival(() => told.length === 2);
          assert.deepEqual(told, [bad, bad]);
          const values = [...(await valuesOf(a)), ...(await valuesOf(b))];
          if (nonfinite !== 'propagate') {
            assert.deepEqual(values, [1, 2, 3]);
            step(small);
            assertNear(await valuesOf(a), [0.7, 1.6]);
          } else assert.ok(Number.isNaN(values[2]), `${values}`);
          tf.dispose([a, b, healthy, small, sick]);
        });
      }
    }

    test("under 'throw' the error names the tensor and the element, and no weight becomes NaN", async () => {
      const weight = variable([1, 2]);
      const sick = tf.tensor1d([1, NaN]);
      const optimizer = withClip(tf.train.sgd(1), { maxNorm: 1, nonfinite: 'throw' });
      const step = () => optimizer.applyGradients({ [weight.name]: sick });
      /** @type {any} */
      let caught = null;
      const attempt = () => {
        try {
          step();
        } catch (error) {
          caught = error;
        }
      };
      attempt();
      if (isLater) {
        await new Promise((resolve) => setTimeout(resolve, 0));
        for (let i = 0; i < 1000 && caught === null; ++i) {
          await tf.nextFrame();
          attempt();
        }
      }
      assert.equal(caught?.name, 'GradientError');
      assert.equal(caught.tensor, weight.name);
      assert.equal(caught.index, 1);
      const root = isLater ? 'tensors' : 'gradients';
      assert.ok(
        caught.message.startsWith(`${root}["${weight.name}"] has the value NaN at index 1;`),
        caught.message,
      );
      assert.ok(Number.isNaN(caught.value));
      assert.deepEqual([...(await valuesOf(weight))], [1, 2]);
      tf.dispose([weight, sick]);
    });

    test('a monitor is told every norm and says what to clip to', async () => {
      const weight = variable([0]);
      const monitor = new GradMonitor({ method: 'percentile', percentile: 0, warmUp: 2 });
      /** @type {number[]} */
      const told = [];
      const optimizer = withClip(tf.train.sgd(1), { monitor, onNorm: (norm) => told.push(norm) });
      let moved = 0;
      for (const [i, size] of [3, 4, 100, 200].entries()) {
        const gradient = tf.tensor1d([size]);
        optimizer.applyGradients([{ name: weight.name, tensor: gradient }]);
        await arrival(() => told.length === i + 1);
        // On webgpu a step is clipped to what the monitor said of the step before.
        const isClipped = i >= (isLater ? 3 : 2);
        moved -= isClipped ? 3 : size;
        assertNear(await valuesOf(weight), [moved]);
        gradient.dispose();
      }
      assertNear(told, [3, 4, 100, 200]);
      assert.equal(monitor.steps, 4);
      weight.dispose();
    });

    test(`no tensor leaks over ${steps} steps`, async () => {
      const variables = [variable(floats(2000)), variable([1])];
      const gradients = [tf.tensor1d(floats(2000, 5)), tf.tensor1d([100])];
      const sick = tf.tensor1d([NaN]);
      const told = { count: 0 };
      const onNorm = () => ++told.count;
      const optimizers = [
        withClip(tf.train.sgd(1e-3), { maxNorm: 1, onNorm }),
        withClip(tf.train.sgd(1e-3), { maxNorm: 1e6, lossScale: 8, onNorm }),
        withClip(tf.train.sgd(1e-3), { maxNorm: 1, per: 'tensor', nonfinite: 'skip', onNorm }),
        withClip(tf.train.sgd(1e-3), { maxValue: 1, nonfinite: 'zero', onNorm }),
        withClip(tf.train.sgd(1e-3), { maxNorm: 1e6, onNorm }),
      ];
      const once = async () => {
        for (const optimizer of optimizers)
          optimizer.minimize(lossWith(gradients, variables), false, variables);
        optimizers[2].applyGradients([{ name: variables[1].name, tensor: sick }]);
        optimizers[3].applyGradients([{ name: variables[1].name, tensor: sick }]);
        const norm = await gradNorm(gradients);
        assert.ok(norm > 100);
        const { grads } = clipGradNorm({ a: gradients[0], b: gradients[0], c: gradients[1] }, 1);
        tf.dispose(grads);
      };
      await once();
      await arrival(() => told.count === 7);
      const before = tf.memory();
      const rounds = Math.ceil(steps / 9);
      for (let i = 0; i < rounds; ++i) await once();
      await arrival(() => told.count === 7 * (rounds + 1));
      const after = tf.memory();
      assert.deepEqual(
        [after.numTensors, after.numDataBuffers, after.numBytes],
        [before.numTensors, before.numDataBuffers, before.numBytes],
      );
      tf.dispose([variables, gradients, sick]);
    });

    test('a GRU trained by model.fit with withClip learns what the hand-written clip of tf operations learns', async () => {
      const { layers, sequential, train } = tf;
      const x = tf.tensor3d(floats(24 * 5 * 2), [24, 5, 2]);
      const y = tf.tidy(() =>
        tf.tensor2d(
          Float32Array.from({ length: 24 }, (_, i) => 10 * Math.sin(i)),
          [24, 1],
        ),
      );
      const make = () =>
        sequential({
          layers: [
            layers.gru({ units: 4, inputShape: [5, 2], recurrentInitializer: 'glorotNormal' }),
            layers.dense({ units: 1 }),
          ],
        });
      const [ours, theirs] = [make(), make()];
      theirs.setWeights(ours.getWeights());
      const optimizer = withClip(train.sgd(0.5), { maxNorm: 0.5, eps: 0 });
      ours.compile({ optimizer, loss: 'meanSquaredError' });
      const byHand = train.sgd(0.5);
      const variables = theirs.trainableWeights.map((weight) => /** @type {any} */ (weight).read());
      /** @type {number[]} */
      const losses = [];
      for (let step = 0; step < 8; ++step) {
        const { history } = await ours.fit(x, y, { epochs: 1, batchSize: 24, shuffle: false, verbose: 0 });
        losses.push(Number(history.loss[0]));
        tf.tidy(() => {
          const loss = () => tf.mean(tf.squaredDifference(/** @type {Tensor} */ (theirs.apply(x)), y));
          const { grads } = byHand.computeGradients(/** @type {any} */ (loss), variables);
          const squares = Object.values(grads).map((g) => tf.sum(tf.square(g)));
          const norm = tf.sqrt(tf.sum(tf.stack(squares)));
          const factor = tf.minimum(1, tf.div(0.5, norm));
          const clipped = Object.entries(grads).map(([name, g]) => [name, tf.mul(g, factor)]);
          byHand.applyGradients(Object.fromEntries(clipped));
        });
      }
      assert.ok(losses[7] < losses[0], `${losses}`);
      for (const [i, weight] of ours.getWeights().entries()) {
        assertNear(await valuesOf(weight), await valuesOf(theirs.getWeights()[i]), 1e-3);
      }
      ours.dispose();
      theirs.dispose();
      tf.dispose([x, y]);
    });

    test('what goes wrong leaves neither tensors nor weights behind', async () => {
      const weight = variable([1]);
      const gradient = tf.tensor1d([5]);
      const optimizer = withClip(tf.train.sgd(1), { maxNorm: 1 });
      const before = tf.memory().numTensors;
      assert.throws(() => optimizer.applyGradients(/** @type {any} */ ({ [weight.name]: gradient, x: 7 })), {
        message: 'gradients.x is 7 (a number); expected a tensor of TensorFlow.js, or null',
      });
      assert.throws(() => optimizer.applyGradients({ unknown: gradient }));
      assert.equal(tf.memory().numTensors, before);
      assert.deepEqual([...(await valuesOf(weight))], [1]);
      tf.dispose([weight, gradient]);
    });
  });
}
