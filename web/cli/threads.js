// web/cli/threads.js: many pieces over threads. They only hasten the work: what they have not measured, whatever the reason, is left
// to whoever asked.
import { availableParallelism } from 'node:os';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { shareOut, takePart, wordsOf } from './work.js';

/**
 * @typedef {import('./tensor.js').StoredTensor} StoredTensor
 */

// Each takes ten megabytes, and the memory that files come from is soon the limit.
const MOST_THREADS = 3;

export const THREADS = Math.min(MOST_THREADS, availableParallelism());

/**
 * @param {readonly StoredTensor[]} pieces
 * @param {number} normType
 * @param {number} threads  this one included
 * @param {(bytes: number) => void} onRead
 * @returns {Promise<Map<StoredTensor, BigUint64Array>>}  what is known of pieces
 */
export async function measureByThreads(pieces, normType, threads, onRead) {
  const ranges = pieces.filter(({ range }) => range !== null);
  const work = shareOut(ranges.map(pieceOf), normType);
  const workers = Array.from({ length: threads - 1 }, () => startWorker(work));
  let seen = 0n;
  await takePart(work, () => {
    const done = Atomics.load(work.done, 0);
    onRead(Number(done - seen));
    seen = done;
  });
  await Promise.all(workers);
  const measured = ranges.flatMap((piece, i) =>
    work.isMeasured[i] ? [/** @type {const} */ ([piece, wordsOf(work, i)])] : [],
  );
  return new Map(measured);
}

/** @param {import('./work.js').Work} work */
async function startWorker(work) {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: work });
  // Its end takes longer than its work may, and nobody waits for it.
  worker.unref();
  await Promise.race([once(worker, 'message'), once(worker, 'exit')]).catch(() => {});
}

/** @param {StoredTensor} piece */
function pieceOf({ range, type, elements, isBigEndian }) {
  const { file, position } = /** @type {import('./tensor.js').Range} */ (range);
  return { descriptor: file.descriptor, position, type: type.name, elements, isBigEndian };
}
