// web/examples/workers.js: one norm of gradients that are spread over threads; docs/ shows it, and tests/examples.test.js runs
// it. Every worker runs this file too.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { allocGradients, clipGradsWithNorm, NormAccumulator } from 'gradnorm';

if (!isMainThread) {
  const gradients = allocGradients(/** @type {number[]} */ (workerData.lengths)); // each thread has its own
  for (const gradient of gradients) gradient.fill(workerData.value);
  parentPort?.postMessage(new NormAccumulator().add(gradients).toJSON()); // a few numbers, not the gradients
  parentPort?.once('message', (norm) => {
    clipGradsWithNorm(gradients, 1, norm);
    parentPort?.postMessage(new NormAccumulator().add(gradients).toJSON());
  });
}

/** @param {{ lengths: number[], value: number }[]} shards */
export async function normsOf(shards) {
  const workers = shards.map((workerData) => new Worker(new URL(import.meta.url), { workerData }));
  const total = async () => {
    const states = workers.map((worker) => new Promise((resolve) => worker.once('message', resolve)));
    const parts = (await Promise.all(states)).map(NormAccumulator.fromJSON);
    return parts.reduce((sum, part) => sum.merge(part)).norm; // the same bits as in one thread
  };
  const before = await total();
  workers.forEach((worker) => worker.postMessage(before));
  return { before, after: await total() };
}
