// web/demo/shards.js: gradients spread over threads. Each worker adds its share of the tensors to a NormAccumulator
// and posts the state, some hundred bytes; the main thread merges the states as they come. The norm has the bits
// that one thread computes. `node web/demo/shards.js --help` says what can be changed.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

import { allocGradients, gradNorm, NormAccumulator } from 'gradnorm';

/** @typedef {import('gradnorm').NormAccumulatorState} NormAccumulatorState */

const HELP = `Usage: node web/demo/shards.js [options]

Measures the norm of made-up gradients with several worker threads, then with one thread.

  --workers N    threads, 1 to 64 (4)
  --tensors N    gradients, dealt out to the workers in turn (148)
  --elements N   in each of them, at most (50000)
  --norm-type P  any number > 0, or Infinity (2)
  --help         this text`;

/** What a worker does. */
function runWorker() {
  const { shard, elements, normType } = workerData;
  const gradients = makeGradients(shard, elements);
  parentPort?.postMessage(new NormAccumulator(normType).add(gradients).toJSON());
}

/**
 * @param {{ shard: number[], elements: number, normType: number }} workerData  the numbers of its gradients, and of what kind they are
 * @returns {Promise<NormAccumulatorState>}
 */
function startWorker(workerData) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

async function main() {
  const { workers, tensors, elements, normType } = readOptions();
  const total = new NormAccumulator(normType);
  const all = Array.from({ length: tensors }, (_, k) => k);
  const shards = Array.from({ length: workers }, (_, k) => all.filter((i) => i % workers === k));

  await Promise.all(
    shards.map(async (shard, k) => {
      const state = await startWorker({ shard, elements, normType });
      total.merge(NormAccumulator.fromJSON(state));
      console.log(`worker ${k + 1}: ${shard.length} tensors, state of ${JSON.stringify(state).length} bytes`);
    }),
  );
  const norm = gradNorm(makeGradients(all, elements), normType);
  console.log(`${total.count} elements, p = ${normType}`);
  console.log(`merged:     ${total.norm}`);
  console.log(`one thread: ${norm}`);
  console.log(Object.is(total.norm, norm) ? 'the same bits' : 'DIFFERENT');
  if (!Object.is(total.norm, norm)) process.exitCode = 1;
}

/**
 * Gradients in memory of the thread's own core, where it copies nothing; every one has a length and a size of its own.
 * @param {number[]} numbers
 * @param {number} elements  at most, in each
 */
function makeGradients(numbers, elements) {
  const gradients = allocGradients(numbers.map((k) => 1 + ((k * 7919) % elements)));
  gradients.forEach((gradient, i) => fill(gradient, numbers[i]));
  return gradients;
}

/**
 * @param {Float32Array} gradient
 * @param {number} k
 */
function fill(gradient, k) {
  for (let i = 0; i < gradient.length; ++i) gradient[i] = Math.sin(i + k) * 10 ** -(k % 5);
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      workers: { type: 'string', default: '4' },
      tensors: { type: 'string', default: '148' },
      elements: { type: 'string', default: '50000' },
      'norm-type': { type: 'string', default: '2' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    process.exit();
  }
  return {
    workers: wholeNumber('workers', values.workers, 64),
    tensors: wholeNumber('tensors', values.tensors, 1e6),
    elements: wholeNumber('elements', values.elements, 1e7),
    normType: Number(values['norm-type']),
  };
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} greatest
 */
function wholeNumber(name, text, greatest) {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= greatest) return number;
  throw new RangeError(`--${name} is ${text}; expected a whole number from 1 to ${greatest}`);
}

if (isMainThread) {
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
} else {
  runWorker();
}
