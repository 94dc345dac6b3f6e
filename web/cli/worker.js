// web/cli/worker.js: a thread beside the main one.
import { parentPort, workerData } from 'node:worker_threads';
import { takePart } from './work.js';

await takePart(workerData);
parentPort?.postMessage('done');
