// web/demo/page/measure-worker.js: the benchmark, in a worker of its own. Contenders take turns, so that all meet the
// same weather; a figure is the median of its rounds.
import { makeTensors } from '../measure/data.js';
import { referenceNorm, relativeDifference } from '../measure/reference.js';
import { median, orderOf, spread } from '../measure/statistics.js';
import { cpuContenders, Gpu } from './contenders.js';

/** @typedef {import('./contenders.js').Contender} Contender */

/** @typedef {{ type: 'look' } | { type: 'run', sizes: number[] } | { type: 'stop' }} Request */

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {number} time milliseconds a call
 * @property {number} spread
 * @property {number} throughput GB/s
 * @property {number} error relative
 */

/**
 * @typedef {{ type: 'adapter', adapter: import('./contenders.js').Adapter | null, reason: string }
 *   | { type: 'progress', share: number, text: string }
 *   | { type: 'size', size: number, rows: Row[] }
 *   | { type: 'done', wasStopped: boolean } | { type: 'failed', message: string }} Reply
 */

const ROUNDS = 7;

/** Milliseconds of a round: some browsers tell the time by whole ones. */
const ROUND_TIME = 25;

const WARM_UP_CALLS = 2;
const MOST_CALLS = 20_000;

let isStopped = false;

/** @type {Promise<Gpu | Error> | undefined} */
let gpuOrReason;

/** @param {Reply} reply */
const reply = (reply) => postMessage(reply);

/** Messages are only heard between tasks. */
const nextTask = () => new Promise((resolve) => setTimeout(resolve));

/** @returns {Promise<Gpu | Error>} */
function openGpu() {
  return (gpuOrReason ??= Gpu.open().catch((error) => /** @type {Error} */ (error)));
}

async function look() {
  const gpu = await openGpu();
  if (gpu instanceof Error) reply({ type: 'adapter', adapter: null, reason: gpu.message });
  else reply({ type: 'adapter', adapter: gpu.adapter, reason: '' });
}

/** @param {number[]} sizes */
async function runAll(sizes) {
  isStopped = false;
  const gpu = await openGpu();
  for (const [index, size] of sizes.entries()) {
    const onProgress = (/** @type {number} */ share) =>
      reply({
        type: 'progress',
        share: (index + share) / sizes.length,
        text: `measuring ${size.toLocaleString('en')} elements`,
      });
    onProgress(0);
    const rows = await measureSize(size, gpu instanceof Error ? null : gpu, onProgress);
    if (isStopped) break;
    reply({ type: 'size', size, rows });
  }
  reply({ type: 'done', wasStopped: isStopped });
}

/**
 * @param {number} size elements
 * @param {Gpu | null} gpu
 * @param {(share: number) => void} onProgress
 * @returns {Promise<Row[]>}
 */
async function measureSize(size, gpu, onProgress) {
  const [tensor] = /** @type {Float32Array<ArrayBuffer>[]} */ (makeTensors([size]));
  const reference = referenceNorm([tensor], 2);
  const onGpu = gpu?.contenders(tensor);
  try {
    const entries = [];
    for (const contender of [...cpuContenders(tensor), ...(onGpu?.contenders ?? [])]) {
      await nextTask();
      if (isStopped) return [];
      const { calls, norm } = await warmUp(contender);
      entries.push({ contender, calls, error: relativeDifference(norm, reference), times: [0].slice(1) });
    }
    for (let round = 0; round < ROUNDS && !isStopped; round++) {
      for (const entry of orderOf(entries, round)) {
        await nextTask();
        entry.times.push(await timeOf(entry.contender, entry.calls));
      }
      onProgress((round + 1) / ROUNDS);
    }
    return entries.map(({ contender, error, times }) => {
      const time = median(times);
      return {
        name: contender.name,
        time,
        spread: spread(times),
        throughput: (4 * size) / time / 1e6,
        error,
      };
    });
  } finally {
    onGpu?.close();
  }
}

/**
 * Compiled code, a mapped buffer, and how many calls fill a round.
 *
 * @param {Contender} contender
 */
async function warmUp(contender) {
  let norm = NaN;
  for (let call = 0; call < WARM_UP_CALLS; call++) norm = await contender.run();
  let calls = 1;
  for (;;) {
    await nextTask();
    let total = calls * (await timeOf(contender, calls));
    // A pause of the machine fills a round as well; after it a few calls would take no time that a coarse clock sees.
    if (total >= ROUND_TIME) total = Math.min(total, calls * (await timeOf(contender, calls)));
    if (total >= ROUND_TIME || calls >= MOST_CALLS || isStopped) return { calls, norm };
    // By no more than ten at once: the first rounds run code that is not compiled yet.
    const factor = Math.min(10, Math.max(2, (1.2 * ROUND_TIME) / Math.max(total, 0.1)));
    calls = Math.min(MOST_CALLS, Math.ceil(calls * factor));
  }
}

/**
 * @param {Contender} contender
 * @param {number} calls
 * @returns {Promise<number>} milliseconds a call
 */
async function timeOf({ run }, calls) {
  const start = performance.now();
  for (let call = 0; call < calls; call++) {
    const norm = run();
    // Waiting for a number that is there already would be counted against the loops.
    if (typeof norm !== 'number') await norm;
  }
  return (performance.now() - start) / calls;
}

addEventListener('message', ({ data }) => {
  const request = /** @type {Request} */ (data);
  const fail = (/** @type {Error} */ error) => reply({ type: 'failed', message: error.message });
  if (request.type === 'look') look().catch(fail);
  if (request.type === 'run') runAll(request.sizes).catch(fail);
  if (request.type === 'stop') isStopped = true;
});
