// tests/jax-threads.js: gradnorm/jax where jax-js's back end wasm computes in threads, for pages that are cross-origin isolated:
// tests/jax-browser.test.js runs it.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import * as jax from '@jax-js/jax';
import { gradNorm } from 'gradnorm';
import { clipByGlobalNorm, globalNorm } from 'gradnorm/jax';

const { numpy: np, jit } = jax;

before(async () => {
  assert.ok(globalThis.crossOriginIsolated);
  await jax.init('wasm');
  jax.defaultDevice('wasm');
});

for (const options of [{}, { jit }]) {
  test(`what threads are still computing cannot be read at once, which consumes nothing; then it can${options.jit ? ', with jit' : ''}`, async () => {
    const side = 1024;
    const values = Float32Array.from({ length: side * side }, (_, i) => (i % 7) - 3);
    const matrix = np.array(values).reshape([side, side]);
    const product = np.matmul(matrix.ref, matrix);
    const pending = product.ref.data();
    let [isRefused, isDone] = [false, false];
    void pending.then(() => (isDone = true));
    // Its kernel is compiled first, and runs in threads from then on.
    while (!isDone && !isRefused) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (isDone) break;
      const before = product.refCount;
      try {
        globalNorm(product.ref, 2, options);
      } catch (error) {
        isRefused = true;
        assert.ok(/async work/.test(/** @type {Error} */ (error).message), `${error}`);
        product.dispose();
        assert.throws(() => clipByGlobalNorm(1, options).update([product], []), /async work/);
      }
      assert.equal(product.refCount, before);
    }
    assert.ok(isRefused);
    await pending;
    await product.blockUntilReady();
    assert.equal(product.refCount, 1);
    const norm = gradNorm(/** @type {Float32Array} */ (await product.ref.data()));
    const measured = await globalNorm(product.ref, 2, options);
    assert.ok(Math.abs(measured / norm - 1) < 1e-6, `${measured}`);
    const [updates] = clipByGlobalNorm(1, options).update([product], []);
    const clipped = gradNorm(/** @type {Float32Array} */ (await updates[0].data()));
    assert.ok(clipped <= 1 && clipped > 1 - 1e-5, `${clipped}`);
  });
}
