// tests/bench/tfjs-page.js: what tests/bench/tfjs.js measures in a browser: posts a row for each case on webgl and webgpu.
import * as library from 'gradnorm/tfjs';
// @ts-expect-error
import * as bundled from 'tf';
import { median } from '../../web/demo/measure/statistics.js';
import { CASES, clipByHand, timeInTurn } from './tfjs-cases.js';

const tf = /** @type {import('../tfjs.js').Tf} */ (bundled);

const { clipGradNorm } = /** @type {typeof import('../../web/adapters/tfjs.js')} */ (library);

const post = (/** @type {unknown} */ what) =>
  fetch('/results', { method: 'POST', body: JSON.stringify(what) });

try {
  for (const backend of ['webgl', 'webgpu']) {
    await tf.setBackend(backend);
    for (const { name, sizes } of CASES.filter(({ promises }) => backend in promises)) {
      const gradients = sizes.map((size) => tf.randomNormal([size]));
      const ways = [() => clipByHand(tf, gradients), () => clipGradNorm(gradients, 1).grads];
      // Both until the last gradient can be read: devices work while nobody waits.
      const timed = ways.map((way) => async () => {
        const clipped = /** @type {import('@tensorflow/tfjs-core').Tensor[]} */ (way());
        await clipped[clipped.length - 1].data();
        tf.dispose(clipped);
      });
      await timeInTurn(timed, 3);
      const [byHand, ours] = (await timeInTurn(timed, 21)).map(median);
      await post({ backend, name, byHand, ours });
      tf.dispose(gradients);
    }
  }
  await post('done');
} catch (error) {
  await post({ failed: String(error) });
}
