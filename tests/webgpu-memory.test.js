// tests/webgpu-memory.test.js: 10,000 steps of clipping on the GPU leave memory as it was: no objects of the GPU, no growth
// of the heap; and each takes the same few dispatches and one submit.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { GpuGradNorm } from 'gradnorm/webgpu';
import { createRandom, makeArray } from './accuracy.js';
import { bufferOf, closeGpu, countCalls, openGpu } from './webgpu-device.js';

const STEPS = 10_000;
const WARM_UP = 500;
/** The heap is weighed this often, so that a failure shows how it grew. */
const WEIGHINGS = 10;

/**
 * Less than a closure and the place that keeps it, the smallest thing that a step could leave alive; twice what the
 * engine's own code and tables take while they settle.
 */
const BYTES_PER_STEP = 64;

/** A norm is asked for every so many steps: fewer than the plan keeps results for, and more. */
const ASK_EVERY = 10;

setFlagsFromString('--expose-gc');
/** @type {() => void} */
const collectGarbage = runInNewContext('gc');

/** @type {GPUDevice} */
let device;
/** @type {string[]} */
let errors;
/** @type {GpuGradNorm} */
let gpu;

before(async () => ({ device, errors, gpu } = await openGpu()));
after(() => closeGpu({ device, errors, gpu }));

/** Bytes of the heap in use, once what nobody holds any more is gone. */
async function heapInUse() {
  await device.queue.onSubmittedWorkDone();
  for (let i = 0; i < 4; ++i) {
    collectGarbage();
    // Finalizers run between turns of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

test(`${STEPS} steps of clipping: no object of the GPU is made, the heap keeps its size, each step is one submit`, async (t) => {
  const random = createRandom(1);
  const array = makeArray(Float32Array, 7, () => random() - 0.5);
  const plan = gpu.plan([{ buffer: bufferOf(device, array), length: array.length }]);
  const first = await plan.gradNorm();
  /** Each step has to scale: a little less than the step before has left. */
  let maxNorm = first;
  let last = NaN;
  /** @param {number} steps */
  const run = async (steps) => {
    for (let i = 1; i <= steps; ++i) {
      maxNorm *= 0.9999;
      const step = plan.clipGradNorm(maxNorm, { eps: 0 });
      if (i % ASK_EVERY === 0) last = await step.norm();
    }
  };

  await run(WARM_UP);
  const counts = countCalls(device);
  await run(1);
  const perStep = { ...counts };
  assert.equal(perStep.submit, 1);
  assert.ok(perStep.dispatchWorkgroups <= 4, `${perStep.dispatchWorkgroups} dispatches`);
  await run(WARM_UP - 1);

  Object.keys(counts).forEach((name) => (counts[name] = 0));
  const weights = [await heapInUse()];
  for (let i = 0; i < WEIGHINGS; ++i) {
    await run(STEPS / WEIGHINGS);
    weights.push(await heapInUse());
  }
  const expected = Object.fromEntries(Object.entries(perStep).map(([name, count]) => [name, count * STEPS]));
  assert.deepEqual({ ...counts }, expected);
  const growth = (weights[WEIGHINGS] - weights[0]) / STEPS;

  t.diagnostic(`each step: ${JSON.stringify(perStep)}`);
  t.diagnostic(`heap: ${weights[0]} bytes before, ${weights[WEIGHINGS]} after ${STEPS} steps`);
  assert.ok(growth <= BYTES_PER_STEP, `the heap grew by ${growth} bytes a step: ${weights.join(', ')}`);
  // They did clip.
  assert.ok(last < first * 0.9999 ** STEPS && Math.abs(last / maxNorm - 1) < 1e-3, `${last}, ${maxNorm}`);
  assert.deepEqual(errors, []);
  plan.destroy();
});
