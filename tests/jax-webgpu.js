// tests/jax-webgpu.js: gradnorm/jax on jax-js's back end webgpu, for browsers: tests/jax-browser.test.js runs it.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import * as jax from '@jax-js/jax';
import { gradNorm } from 'gradnorm';
import { clipByGlobalNorm, globalNorm } from 'gradnorm/jax';
import { GpuGradNorm } from 'gradnorm/webgpu';
import { assertClose, createRandom } from './accuracy.js';
import { chain, scale, trainPerceptron } from './jax-optax.js';
import { exactNorm } from './oracle.js';

const { numpy: np, tree } = jax;

/** @typedef {import('gradnorm/jax').JaxArray} JaxArray */

/** @type {GpuGradNorm} */
let gpu;
/** @type {string[]} */
const errors = [];

before(async () => {
  assert.ok((await jax.init('webgpu')).includes('webgpu'));
  jax.defaultDevice('webgpu');
  const device = jax.getWebGPUDevice();
  device.addEventListener('uncapturederror', ({ error }) => errors.push(error.message));
  gpu = await GpuGradNorm.create({ device });
});

const array = (/** @type {ArrayLike<number>} */ values) => np.array(/** @type {any} */ (values));

/** @param {number} length */
function randomArray(length, scale = 1) {
  const random = createRandom(length);
  return Float32Array.from({ length }, () => scale * (random() - 0.5));
}

/** @param {unknown} updates */
async function dataOf(updates) {
  const leaves = /** @type {JaxArray[]} */ (tree.leaves(/** @type {any} */ (updates)));
  return Promise.all(leaves.map(async (leaf) => [...(await leaf.data())]));
}

/** @param {() => unknown} call */
async function errorOf(call) {
  try {
    await call();
  } catch (error) {
    return /** @type {Error} */ (error);
  }
  return assert.fail('nothing was thrown');
}

/**
 * What a step that was done already tells the next update, when the GPU has answered.
 * @param {import('gradnorm/jax').GradientTransformation} clip
 * @param {JaxArray} x  which stays
 * @returns {Promise<any>}
 */
async function laterErrorOf(clip, x) {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    const passed = x.ref;
    try {
      const [updates] = clip.update([passed], []);
      tree.dispose(updates);
    } catch (error) {
      passed.dispose();
      return error;
    }
  }
}

/** How often something is called while other things are done. */
async function countReadBacks(/** @type {() => Promise<unknown>} */ body) {
  const { mapAsync } = GPUBuffer.prototype;
  /** @type {number[]} */
  const sizes = [];
  GPUBuffer.prototype.mapAsync = function (/** @type {[number]} */ ...values) {
    sizes.push(this.size);
    return mapAsync.apply(this, values);
  };
  try {
    await body();
  } finally {
    GPUBuffer.prototype.mapAsync = mapAsync;
  }
  return sizes;
}

describe('globalNorm', () => {
  test('is the exact norm for p = 1, 2, 3 and Infinity, with gpu and without', async () => {
    const values = [randomArray(5000), randomArray(31, 1e-3), randomArray(70_000)];
    const gradients = {
      a: array(values[0]),
      b: [array(values[1]), null],
      c: array(values[2]).reshape([7, 10_000]),
    };
    for (const p of [1, 2, 3, Infinity]) {
      for (const options of [{}, { gpu }]) {
        const norm = await globalNorm(tree.ref(gradients), p, options);
        assertClose(norm, exactNorm(values, p), 2 ** -23, `p = ${p}`);
      }
    }
    assert.equal(gradients.a.refCount, 1);
    assert.equal(await globalNorm(gradients, 0.25, { gpu }), gradNorm(values, 0.25));
    assert.equal(gradients.a.refCount, 0);
  });

  test('is right where float32 overflows, and where there is nothing', async () => {
    const large = Float32Array.of(3e20, 4e20);
    assertClose(await globalNorm([array(large)], 2, { gpu }), exactNorm([large], 2), 2 ** -23, 'large');
    assert.equal(await globalNorm([array([1, NaN])], 2, { gpu }), NaN);
    assert.equal(await globalNorm([array([1, -Infinity])], 2, { gpu }), Infinity);
    assert.equal(await globalNorm([np.zeros([0]), np.zeros([3])], 2, { gpu }), 0);
    assert.equal(await globalNorm([np.ones([4])], 2, { gpu }), 2);
  });

  test('reads back no more than some bytes with gpu', async () => {
    const x = array(randomArray(70_000));
    await globalNorm(x.ref, 2, { gpu });
    const sizes = await countReadBacks(async () => globalNorm(x, 2, { gpu }));
    assert.ok(sizes.length === 1 && sizes[0] <= 256, sizes.join());
  });

  test('takes the float16 of shader-f16, and arrays on several devices', async () => {
    const mixed = { a: array([3]), b: np.array([4, 0], { device: 'wasm' }) };
    assert.equal(await globalNorm(mixed, 2, { gpu }), 5);
    if (!jax.getWebGPUDevice().features.has('shader-f16')) return;
    const halves = array([3, 4]).astype(np.float16);
    assert.equal(await globalNorm(halves, 2, { gpu }), 5);
  });
});

describe('clipByGlobalNorm', () => {
  test('clips without reading gradients back; onNorm is told later', async () => {
    const values = [randomArray(70_000), randomArray(300)];
    const norm = gradNorm(values);
    /** @type {(norm: number) => void} */
    let tell = () => {};
    const told = new Promise((resolve) => (tell = resolve));
    const clip = clipByGlobalNorm(0.5, { gpu, eps: 0, onNorm: (norm) => tell(norm) });
    const w = array(values[0]);
    const b = array(values[1]);
    /** @type {any} */
    let clipped;
    const sizes = await countReadBacks(async () => {
      [clipped] = clip.update({ w: w.ref, b, none: null }, clip.init({}));
      assertClose(/** @type {number} */ (await told), exactNorm(values, 2), 2 ** -23, 'norm');
    });
    assert.ok(
      sizes.every((size) => size <= 256),
      sizes.join(),
    );
    assert.deepEqual([w.refCount, b.refCount, clipped.none], [1, 0, null]);
    const [first, second] = await dataOf([clipped.w, clipped.b]);
    assert.ok(gradNorm([Float32Array.from(first), Float32Array.from(second)]) <= 0.5);
    first.forEach((value, i) => assert.ok(Math.abs(value - (values[0][i] / norm) * 0.5) < 1e-6));
    // What was passed has not been written.
    assert.deepEqual(await w.data(), values[0]);
  });

  test('measures and gives updates divided by lossScale, clipped or not', async () => {
    const clip = async (/** @type {number} */ maxNorm) => {
      /** @type {(norm: number) => void} */
      let tell = () => {};
      const told = new Promise((resolve) => (tell = resolve));
      const options = { gpu, eps: 0, lossScale: 1024, onNorm: (/** @type {number} */ norm) => tell(norm) };
      const [updates] = clipByGlobalNorm(maxNorm, options).update([array([3072, 4096])], []);
      assert.equal(await told, 5);
      return (await dataOf(updates))[0];
    };
    assert.deepEqual(await clip(10), [3, 4]);
    const [three, four] = await clip(1);
    assert.ok(Math.abs(three - 0.6) < 1e-6 && Math.abs(four - 0.8) < 1e-6);
  });

  test('gives the same bits where the norm is not above the limit', async () => {
    const values = randomArray(1000);
    const [{ w }] = clipByGlobalNorm(1e6, { gpu }).update({ w: array(values) }, []);
    assert.deepEqual(await w.data(), values);
  });

  test('other arrays that share a buffer stay as they are', async () => {
    const x = array([30, 40, 0, 0]);
    const view = x.ref.reshape([2, 2]);
    const [clipped] = clipByGlobalNorm(1, { gpu, eps: 0 }).update([view, x.ref], []);
    assert.deepEqual([...(await x.data())], [30, 40, 0, 0]);
    const [one, other] = await dataOf(clipped);
    const expected = 30 / Math.hypot(50, 50);
    assert.ok(Math.abs(one[0] - expected) < 1e-6 && Math.abs(other[0] - expected) < 1e-6);
  });

  test('is right where float32 overflows, and for constants, slices and empty arrays', async () => {
    const clip = clipByGlobalNorm(1, { gpu, eps: 0 });
    const [large] = await dataOf(clip.update([array([3e20, 4e20])], [])[0]);
    assert.ok(Math.abs(large[0] - 0.6) < 1e-6 && Math.abs(large[1] - 0.8) < 1e-6);
    const [constant, slice, empty] = await dataOf(
      clip.update([np.ones([2, 2]), array([9, 9, 2, 9]).slice([2, 3]), np.zeros([0])], [])[0],
    );
    assert.ok(constant.every((value) => Math.abs(value - 1 / Math.sqrt(8)) < 1e-6));
    assert.ok(Math.abs(slice[0] - 2 / Math.sqrt(8)) < 1e-6);
    assert.deepEqual(empty, []);
  });

  test('does what nonfinite says; what is thrown is thrown by the next update, once', async () => {
    const run = async (/** @type {any} */ nonfinite) => {
      /** @type {(norm: number) => void} */
      let tell = () => {};
      const told = new Promise((resolve) => (tell = resolve));
      const clip = clipByGlobalNorm(1, { gpu, nonfinite, onNorm: (norm) => tell(norm) });
      const [updates] = clip.update([array([2, NaN])], []);
      const data = await dataOf(updates);
      if (nonfinite !== 'throw') assert.equal(await told, NaN);
      return { clip, data };
    };
    assert.deepEqual((await run('propagate')).data, [[NaN, NaN]]);
    assert.deepEqual((await run('skip')).data, [[2, NaN]]);
    assert.deepEqual((await run('zero')).data, [[0, 0]]);
    const { clip, data } = await run('throw');
    assert.deepEqual(data, [[2, NaN]]);
    const x = array([0.5]);
    const error = await laterErrorOf(clip, x);
    assert.deepEqual([error.name, error.index], ['GradientError', 1]);
    assert.equal(x.refCount, 1);
    assert.deepEqual(await dataOf(clip.update([x], [])[0]), [[0.5]]);
  });

  test('says what it needs, and consumes nothing on an error', async () => {
    const w = array([1, 2]);
    const without = await errorOf(() => clipByGlobalNorm(1).update({ w }, []));
    assert.equal(
      without.message,
      'gradients has arrays on webgpu of float32; expected float32 or float16, all on webgpu, with the option gpu: ' +
        'await GpuGradNorm.create({ device: getWebGPUDevice() })',
    );
    const other = np.array([4, 0], { device: 'wasm' });
    const mixed = await errorOf(() => clipByGlobalNorm(1, { gpu }).update({ w, other }, []));
    assert.ok(
      mixed.message.startsWith('gradients has arrays on webgpu of float32, wasm of float32; expected'),
    );
    const power = await errorOf(() => clipByGlobalNorm(1, { gpu, normType: 0.25 }).update({ w }, []));
    assert.equal(power.name, 'RangeError');
    assert.deepEqual([w.refCount, other.refCount], [1, 1]);
  });

  test('a GpuGradNorm of another device is told by the next update', async () => {
    const other = await GpuGradNorm.create();
    const x = array([30, 40]);
    const error = await laterErrorOf(clipByGlobalNorm(1, { gpu: other }), x);
    assert.ok(error instanceof Error && /device/i.test(error.message), `${error}`);
    assert.equal(x.refCount, 1);
    other.destroy();
    assert.ok(
      errors.splice(0).every((message) => /device/i.test(message)),
      errors.join(),
    );
  });

  test('the GPU makes no buffers more after many steps', async () => {
    const { createBuffer } = GPUDevice.prototype;
    const { destroy } = GPUBuffer.prototype;
    let made = 0;
    GPUDevice.prototype.createBuffer = function (/** @type {[GPUBufferDescriptor]} */ ...values) {
      made += 1;
      return createBuffer.apply(this, values);
    };
    GPUBuffer.prototype.destroy = function () {
      made -= 1;
      return destroy.apply(this);
    };
    try {
      const steps = async (/** @type {number} */ count) => {
        for (let i = 0; i < count; ++i) {
          /** @type {() => void} */
          let tell = () => {};
          const told = new Promise((resolve) => (tell = () => resolve(undefined)));
          const clip = clipByGlobalNorm(1, { gpu, onNorm: () => tell() });
          const [updates] = clip.update([array(randomArray(2000, 1 + i)), array([i, 1])], []);
          await told;
          await dataOf(updates);
          await globalNorm([array(randomArray(2000))], 2, { gpu });
        }
      };
      await steps(3);
      const before = made;
      await steps(20);
      assert.equal(made, before);
    } finally {
      GPUDevice.prototype.createBuffer = createBuffer;
      GPUBuffer.prototype.destroy = destroy;
    }
  });
});

test('a perceptron learns on webgpu with clipping in its chain', async () => {
  const clip = clipByGlobalNorm(0.5, { gpu });
  const { losses } = await trainPerceptron(jax, chain(clip, scale(-0.5)), 40);
  assert.ok(losses[39] < losses[0] / 2, `${losses[0]} to ${losses[39]}`);
  assert.deepEqual(errors, []);
});
