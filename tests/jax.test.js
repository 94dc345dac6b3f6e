// tests/jax.test.js: gradnorm/jax on jax-js's back end wasm, in Node.js. tests/jax-browser.test.js has webgpu.
import assert from 'node:assert/strict';
import { build } from 'esbuild';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { brotliCompressSync } from 'node:zlib';
import { MODULES } from '../tools/build.js';
import { ROOT } from './support.js';
import { bytesHeld, modulesCompiled } from './jax-memory.js';
import * as jax from '@jax-js/jax';
import { gradNorm, GradientError } from 'gradnorm';
import { clipByGlobalNorm, globalNorm } from 'gradnorm/jax';
import { assertClose, createRandom } from './accuracy.js';
import { exactNorm } from './oracle.js';
import { chain, scale, trainPerceptron, treeNorm } from './jax-optax.js';

const { numpy: np, tree, jit, grad } = jax;

/** @typedef {import('gradnorm/jax').JaxArray} JaxArray */

before(async () => {
  assert.ok((await jax.init('wasm')).includes('wasm'));
  jax.defaultDevice('wasm');
});

/**
 * @param {number} length
 * @param {number} [scale]
 */
function randomArray(length, scale = 1) {
  const random = createRandom(length);
  return Float32Array.from({ length }, () => scale * (random() - 0.5));
}

const array = (/** @type {ArrayLike<number>} */ values, /** @type {any} */ options = {}) =>
  np.array(/** @type {any} */ (values), options);

/** In Node.js 20, without Float16Array, jax-js makes these of no array. */
const float64 = (/** @type {number[]} */ values, scale = 1) => array(values).astype(np.float64).mul(scale);

/** @param {unknown} updates */
const dataOf = (updates) => tree.leaves(/** @type {any} */ (updates)).map((leaf) => [...leaf.ref.dataSync()]);

/** The references of what update and globalNorm may not consume, before and after. */
function assertKept(
  /** @type {JaxArray[]} */ arrays,
  /** @type {() => unknown} */ fails,
  /** @type {any} */ error,
) {
  const before = arrays.map(({ refCount }) => refCount);
  assert.throws(fails, error);
  assert.deepEqual(
    arrays.map(({ refCount }) => refCount),
    before,
  );
}

describe('globalNorm', () => {
  test('is the norm of a tree as of one vector, null left out', () => {
    const gradients = { a: array([3, 0]), deep: [array([4]), null, { b: array([0]) }] };
    assert.equal(globalNorm(tree.ref(gradients)), 5);
    assert.equal(globalNorm(tree.ref(gradients), Infinity), 4);
    assert.equal(globalNorm(gradients, 1), 7);
    assert.equal(globalNorm({}), 0);
    assert.equal(globalNorm(null), 0);
    assert.equal(globalNorm(np.array(-2)), 2);
  });

  test('is within 1e-6 of the exact norm and of treeNorm for p = 1, 2 and Infinity, with jit and without, at every size', () => {
    for (const length of [1, 31, 4096, 118_016, 262_147, 300_000]) {
      const values = randomArray(length);
      const gradients = { weight: array(values), bias: array(randomArray(10)) };
      const all = [values, randomArray(10)];
      for (const p of [1, 2, Infinity]) {
        for (const options of [{}, { jit }]) {
          const norm = globalNorm(tree.ref(gradients), p, options);
          assertClose(/** @type {number} */ (norm), exactNorm(all, p), 2 ** -20, `${length} p = ${p}`);
          const theirs = treeNorm(tree.ref(gradients), p).item();
          // Their sums of float32 lose more the longer they are.
          const bound = 1e-6 + length * 2 ** -24;
          assert.ok(Math.abs(/** @type {number} */ (norm) / theirs - 1) < bound, `${norm} and ${theirs}`);
        }
      }
      tree.dispose(gradients);
    }
  });

  test('takes every p, as gradNorm does of what is read, bit for bit', () => {
    const values = randomArray(1000);
    for (const p of [0.5, 1, 2, 2.7, 3, 50, Infinity]) {
      assert.equal(globalNorm(array(values), p), gradNorm(values, p));
    }
    assert.equal(globalNorm(float64([3, 4], 1e200)), gradNorm(Float64Array.of(3e200, 4e200)));
    const integers = Int32Array.of(3, -4);
    assert.equal(globalNorm(array(integers)), 5);
  });

  test('is right where squares overflow, underflow or vanish in float32, or elements are not finite', () => {
    const length = 300_000;
    for (const scale of [1e30, 1e-30, 1e-44]) {
      const values = randomArray(length, scale);
      for (const options of [{}, { jit }]) {
        for (const p of [1, 2]) {
          assertClose(
            /** @type {number} */ (globalNorm(array(values), p, options)),
            exactNorm([values], p),
            2 ** -20,
            `${scale}`,
          );
        }
      }
    }
    const zeros = new Float32Array(length);
    assert.equal(globalNorm(array(zeros), 2, { jit }), 0);
    zeros[77] = -3;
    assert.equal(globalNorm(array(zeros), 2, { jit }), 3);
    zeros[length - 1] = -Infinity;
    assert.equal(globalNorm(array(zeros), 2, { jit }), Infinity);
    assert.equal(globalNorm(array(zeros), 1, { jit }), Infinity);
    zeros[5] = NaN;
    assert.equal(globalNorm(array(zeros), 2, { jit }), NaN);
    assert.equal(globalNorm(array(zeros), 1, { jit }), NaN);
    assert.ok(Math.abs(/** @type {number} */ (globalNorm([array([3e20, 4e20])])) / 5e20 - 1) < 1e-7);
  });

  test('reads a sixteenth of a large array for p = 2, with jit for p = 1 too, and all of it otherwise', () => {
    const length = 2 ** 18;
    const elementsRead = (/** @type {number} */ p, /** @type {any} */ options) => {
      const { dataSync } = jax.Array.prototype;
      let elements = 0;
      jax.Array.prototype.dataSync = function () {
        // Tracing reads its constants, once.
        if (this.size > 1) elements += this.size;
        return dataSync.apply(this);
      };
      try {
        globalNorm({ a: array(randomArray(length)), b: array([1, 2]) }, p, options);
      } finally {
        jax.Array.prototype.dataSync = dataSync;
      }
      return elements;
    };
    const [few, all] = [length / 16 + 2, length + 2];
    assert.deepEqual(
      [1, 2, 3, Infinity].map((p) => elementsRead(p, { jit })),
      [few, few, all, all],
    );
    assert.deepEqual(
      [1, 2].map((p) => elementsRead(p, {})),
      [all, few],
    );
  });

  test('reads views as they are seen: transposed, sliced, broadcast, constants, without elements', () => {
    const values = randomArray(12);
    const matrix = array(values).reshape([3, 4]);
    assertClose(
      /** @type {number} */ (globalNorm(matrix.ref.transpose())),
      exactNorm([values], 2),
      2 ** -23,
      'transposed',
    );
    assert.equal(globalNorm(matrix.slice([1, 2])), gradNorm(values.subarray(4, 8)));
    assert.equal(globalNorm(np.ones([2, 8])), 4);
    assert.equal(globalNorm([np.zeros([0, 3]), np.zeros([3])]), 0);
    assert.equal(globalNorm(np.broadcastTo(array([1, 2, 2]), [4, 3])), 6);
  });

  test('consumes one reference of each, as often as it is there, and nothing on an error', () => {
    const a = array([1, 2]);
    const b = array([3]);
    globalNorm({ a: a.ref, again: a.ref, b: b.ref });
    assert.deepEqual([a.refCount, b.refCount], [1, 1]);
    assertKept([a], () => globalNorm({ a, again: a }), {
      name: 'TypeError',
      message:
        'gradients.again is an array of jax-js whose refCount is 1; expected 2 or more: pass its .ref where you use it again',
    });
    assertKept([a, b], () => globalNorm(/** @type {any} */ ({ a, b, c: new Float32Array(1) })), {
      message:
        /^gradients\.c is a Float32Array; expected an array of jax-js outside of jit and grad, or a list or plain record of them$/,
    });
    assertKept([a], () => globalNorm([a], 0), RangeError);
    assertKept([a], () => globalNorm([a], 2, /** @type {any} */ ({ jitt: jit })), /unknown name, "jitt"/);
    assertKept(
      [a],
      () => globalNorm([a], 2, /** @type {any} */ ({ jit: true })),
      /^TypeError: jit is true \(a boolean\); expected the function jit of jax-js$/,
    );
    assertKept(
      [a],
      () => globalNorm([a], 2, /** @type {any} */ ({ gpu: {} })),
      /^TypeError: gpu is an object; expected await GpuGradNorm\.create/,
    );
    globalNorm([a, b]);
    assert.deepEqual([a.refCount, b.refCount], [0, 0]);
    assert.throws(
      () => globalNorm([a]),
      /^TypeError: gradients\[0\] is an array of jax-js whose refCount is 0;/,
    );
  });

  test('refuses what is no tree of arrays, naming the place', () => {
    const refuses = (/** @type {unknown} */ tree, /** @type {RegExp} */ message) =>
      assert.throws(() => globalNorm(/** @type {any} */ (tree)), message);
    refuses(undefined, /^TypeError: gradients is undefined; expected an array of jax-js/);
    refuses([3], /^TypeError: gradients\[0\] is 3 \(a number\);/);
    refuses({ 'a/b': new Map() }, /^TypeError: gradients\["a\/b"\] is a Map;/);
    refuses({ m: array([1, 0]).astype(np.bool) }, /^TypeError: gradients\.m is an array of bool;/);
    const loop = /** @type {unknown[]} */ ([]);
    loop.push(loop);
    refuses(loop, /more than 100 levels deep/);
    const inside = (/** @type {JaxArray} */ x) => (globalNorm({ x: x.ref }), x.sum());
    assert.throws(
      () => jit(inside)(array([1, 2])),
      /^TypeError: gradients\.x is a \w+Tracer; expected an array of jax-js outside of jit and grad/,
    );
    assert.throws(() => grad(inside)(array([1, 2])), /^TypeError: gradients\.x is a \w+Tracer;/);
  });

  test('takes names that mean something elsewhere, such as grad, for names', () => {
    assert.equal(globalNorm({ grad: array([3]), data: array([4]), length: array([0]) }), 5);
    assert.equal(globalNorm({ data: array([3]), dtype: array([4]) }), 5);
  });
});

describe('clipByGlobalNorm', () => {
  test('gives the updates themselves where their norm is not above the limit', () => {
    const a = array([3, 4]);
    const updates = { a };
    const state = /** @type {any} */ ([]);
    const [same, sameState] = clipByGlobalNorm(5).update(updates, state);
    assert.equal(same.a, a);
    assert.equal(sameState, state);
    assert.equal(a.refCount, 1);
    assert.equal(clipByGlobalNorm(Infinity).update({ a }, [])[0].a, a);
  });

  test('scales all by maxNorm / (norm + eps) where it is above, in new arrays of the same structure', () => {
    const shared = array([3, 4]);
    const seen = /** @type {number[]} */ ([]);
    const clip = clipByGlobalNorm(1, { eps: 0, onNorm: (norm) => seen.push(norm) });
    const [updates] = clip.update({ a: shared.ref, deep: [null, np.zeros([0])] }, clip.init({}));
    assert.deepEqual(seen, [5]);
    const [a, empty] = tree.leaves(updates).filter((leaf) => leaf !== null);
    assertClose(a.ref.dataSync()[0], exactNorm([Float32Array.of(0.6)], 2), 2 ** -21, 'a');
    assert.ok(gradNorm(/** @type {Float32Array} */ (a.dataSync())) <= 1);
    assert.deepEqual(empty.shape, [0]);
    assert.equal(updates.deep[0], null);
    assert.deepEqual([...shared.dataSync()], [3, 4]);
  });

  test('agrees with optax within 1e-6, and is right where optax gives zeros', () => {
    const values = randomArray(1000);
    const [ours] = clipByGlobalNorm(0.5, { eps: 0 }).update([array(values)], []);
    const norm = gradNorm(values);
    ours[0]
      .dataSync()
      .forEach((/** @type {number} */ value, /** @type {number} */ i) =>
        assert.ok(Math.abs(value - (values[i] / norm) * 0.5) < 1e-6),
      );
    const [overflowing] = clipByGlobalNorm(1, { eps: 0 }).update([array([3e20, 4e20])], []);
    const [three, four] = overflowing[0].dataSync();
    assert.ok(Math.abs(three - 0.6) < 1e-6 && Math.abs(four - 0.8) < 1e-6);
    const [tiny] = clipByGlobalNorm(1e-8, { eps: 0 }).update([array([3e38, 4e-20])], []);
    assert.ok(Math.abs(tiny[0].dataSync()[0] / 1e-8 - 1) < 1e-6);
  });

  test('keeps the type of each: float64 beside float32', () => {
    const [updates] = clipByGlobalNorm(1).update({ a: array([3]), b: float64([4]) }, []);
    assert.deepEqual([updates.a.dtype, updates.b.dtype], ['float32', 'float64']);
    assert.ok(Math.abs(updates.b.dataSync()[0] - 0.8) < 1e-6);
    const [large] = clipByGlobalNorm(1, { eps: 0 }).update([float64([3, 4], 1e200)], []);
    assert.ok(Math.abs(large[0].dataSync()[1] - 0.8) < 1e-6);
  });

  test('does what nonfinite says: propagate, skip, zero, throw', () => {
    const make = () => ({ w: [array([1, NaN]), array([2, Infinity])] });
    const clip = (/** @type {any} */ nonfinite) =>
      dataOf(clipByGlobalNorm(1, { nonfinite }).update(make(), [])[0]);
    assert.deepEqual(clip('propagate'), [
      [NaN, NaN],
      [NaN, NaN],
    ]);
    assert.deepEqual(clip('skip'), [
      [1, NaN],
      [2, Infinity],
    ]);
    assert.deepEqual(clip('zero'), [
      [0, 0],
      [0, 0],
    ]);
    const [infinite] = clipByGlobalNorm(1).update([array([2, -Infinity])], []);
    assert.deepEqual([...infinite[0].dataSync()], [0, NaN]);
    const updates = make();
    const seen = /** @type {number[]} */ ([]);
    const strict = clipByGlobalNorm(1, { nonfinite: 'throw', onNorm: (norm) => seen.push(norm) });
    assertKept(
      updates.w,
      () => strict.update(updates, []),
      (/** @type {unknown} */ error) => {
        assert.ok(error instanceof GradientError);
        assert.deepEqual([error.tensor, error.index, error.value], ['w.0', 1, NaN]);
        return true;
      },
    );
    assert.deepEqual(seen, [NaN]);
    assert.deepEqual(dataOf(strict.update([array([0.5])], [])[0]), [[0.5]]);
  });

  test('takes maxNorm 0, any p and onNorm; what onNorm throws comes through and consumes nothing', () => {
    assert.deepEqual(dataOf(clipByGlobalNorm(0).update([array([3, 4])], [])[0]), [[0, 0]]);
    for (const normType of [0.5, 1, 3, Infinity]) {
      const [clipped] = clipByGlobalNorm(1, { normType, eps: 0 }).update([array([3, 4])], []);
      const norm = gradNorm(/** @type {Float32Array} */ (clipped[0].dataSync()), normType);
      assert.ok(norm <= 1 && norm > 1 - 1e-6, `${normType}: ${norm}`);
    }
    const a = array([3]);
    const onNorm = () => {
      throw new Error('mine');
    };
    assertKept([a], () => clipByGlobalNorm(1, { onNorm }).update([a], []), /^Error: mine$/);
  });

  test('measures and gives updates divided by lossScale, clipped or not, and nothing under skip', () => {
    const seen = /** @type {number[]} */ ([]);
    const clip = (/** @type {number} */ maxNorm, /** @type {any} */ options, values = [3072, 4096]) =>
      dataOf(
        clipByGlobalNorm(maxNorm, {
          lossScale: 1024,
          eps: 0,
          onNorm: (norm) => seen.push(norm),
          ...options,
        }).update([array(values)], [])[0],
      )[0];
    assert.deepEqual(clip(10, {}), [3, 4]);
    const [three, four] = clip(1, {});
    assert.ok(Math.abs(three - 0.6) < 1e-6 && Math.abs(four - 0.8) < 1e-6);
    assert.deepEqual(clip(1, { nonfinite: 'skip' }, [3072, Infinity]), [3072, Infinity]);
    assert.deepEqual(seen, [5, 5, Infinity]);
    assert.deepEqual(clip(1024, { lossScale: 2 ** -1 }, [3, 4]), [6, 8]);
    for (const lossScale of [0, -1, NaN, Infinity]) {
      assert.throws(
        () => clipByGlobalNorm(1, { lossScale }),
        /^RangeError: lossScale is .*; expected a finite number > 0$/,
      );
    }
    assert.throws(
      () => clipByGlobalNorm(1, /** @type {any} */ ({ lossScale: '2' })),
      /^TypeError: lossScale is "2" \(a string\)/,
    );
  });

  test('works on cpu too, and on several devices that can be read at once', () => {
    const [cpu, wasm] = [np.array([3, 0], { device: 'cpu' }), np.array([4, 0], { device: 'wasm' })];
    assert.equal(globalNorm([cpu.ref, wasm.ref]), 5);
    const [updates] = clipByGlobalNorm(1).update([cpu, wasm], []);
    assert.deepEqual(
      updates.map(({ device }) => device),
      ['cpu', 'wasm'],
    );
    const [[three], [four]] = dataOf(updates);
    assert.ok(Math.abs(three - 0.6) < 1e-6 && Math.abs(four - 0.8) < 1e-6);
  });

  test('refuses wrong arguments at once, and integers, naming the place', () => {
    assert.throws(() => clipByGlobalNorm(-1), RangeError);
    assert.throws(() => clipByGlobalNorm(1, { eps: NaN }), RangeError);
    assert.throws(() => clipByGlobalNorm(1, { normType: 0 }), RangeError);
    assert.throws(() => clipByGlobalNorm(1, /** @type {any} */ ({ nonfinite: 'maybe' })), /expected one of/);
    assert.throws(
      () => clipByGlobalNorm(1, /** @type {any} */ ({ onNorm: 3 })),
      /^TypeError: onNorm is 3 \(a number\); expected a function of the norm$/,
    );
    assert.throws(() => clipByGlobalNorm(1, /** @type {any} */ ({ axis: 0 })), /unknown name, "axis"/);
    const count = array(Int32Array.of(1, 2));
    assertKept([count], () => clipByGlobalNorm(1).update({ count }, []), {
      message: 'gradients.count is an array of int32; expected floating-point numbers',
    });
  });

  test('consumes updates and params, each reference once, and is used in a chain', () => {
    const params = { w: array([1, 2]) };
    const optimizer = chain(clipByGlobalNorm(1, { eps: 0 }), scale(-1));
    const state = optimizer.init(tree.ref(params));
    assert.equal(params.w.refCount, 1);
    const updates = { w: array([30, 40]) };
    const [step] = optimizer.update(updates, state, tree.ref(params));
    assert.deepEqual([params.w.refCount, updates.w.refCount], [1, 0]);
    assert.ok(Math.abs(step.w.dataSync()[1] + 0.8) < 1e-6);
    const { w } = params;
    assertKept(
      [w],
      () => clipByGlobalNorm(1).update({ w }, [], { w }),
      /^TypeError: params\.w is an array of jax-js whose refCount is 1; expected 2/,
    );
  });

  test('holds no memory and no kernels more after many steps, clipped or not', () => {
    const steps = (/** @type {number} */ count, /** @type {number} */ length) => {
      const clip = clipByGlobalNorm(1, { jit });
      for (let i = 0; i < count; ++i) {
        const [updates] = clip.update({ a: array(randomArray(length, 1 + i)), b: array([i, 1]) }, [], {});
        const [again] = clip.update(updates, []);
        tree.dispose(again);
        globalNorm(array(randomArray(length)), 2, i % 2 ? { jit } : {});
      }
    };
    steps(5, 300_000);
    const [bytes, modules] = [bytesHeld(), modulesCompiled()];
    assert.ok(bytes > 300_000 * 4 && modules > 0);
    steps(30, 300_000);
    assert.equal(bytesHeld(), bytes);
    steps(2, 40);
    steps(3000, 40);
    assert.equal(bytesHeld(), bytes);
    const compiled = modulesCompiled() - modules;
    assert.ok(compiled < 20, `${compiled} kernels compiled`);
  });
});

describe('training on wasm', () => {
  test('a perceptron learns with clipping in its chain; every norm is the exact one of the gradients read back', async () => {
    for (const options of [{}, { jit }]) {
      const norms = /** @type {number[]} */ ([]);
      const clip = clipByGlobalNorm(0.5, { ...options, onNorm: (norm) => norms.push(norm) });
      const { losses, gradients } = await trainPerceptron(jax, chain(clip, scale(-0.5)), 60);
      assert.ok(losses[59] < losses[0] / 2, `${losses[0]} to ${losses[59]}`);
      assert.equal(norms.length, 60);
      norms.forEach((norm, i) => assertClose(norm, exactNorm(gradients[i], 2), 2 ** -20, `step ${i}`));
    }
  });
});

test('the plain gradNorm names this entry for arrays of jax-js, and consumes nothing', () => {
  const w = array([1, 2]);
  for (const gradients of [{ w }, [w], w, new Map([['w', w]]), { w: { grad: w } }]) {
    assertKept(
      [w],
      () => gradNorm(/** @type {any} */ (gradients)),
      /^TypeError: gradients\S* is an Array\S* \(gradnorm\/jax takes it\); expected/,
    );
  }
});

test('the entry without the core is at most 3,000 bytes, minified and with Brotli', async (t) => {
  const { outputFiles } = await build({
    entryPoints: [join(ROOT, 'dist', 'jax.js')],
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
    external: MODULES.map((name) => `./${name}`),
  });
  const code = outputFiles[0].contents;
  const bytes = brotliCompressSync(code).length;
  t.diagnostic(`gradnorm/jax: ${code.length} bytes minified, ${bytes} bytes with Brotli`);
  assert.ok(bytes > 500 && bytes <= 3000, `${bytes} bytes`);
});
