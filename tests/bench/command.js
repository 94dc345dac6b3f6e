// tests/bench/command.js: how long the command `gradnorm` takes on a large file that is in the cache of the system, from its start to
// its end, against `cat file > /dev/null` in the same rounds, which only reads it.

import { execFile } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { median, spread } from '../../web/demo/measure/statistics.js';

const FILE = fileURLToPath(new URL('../../build/bench/command.safetensors', import.meta.url));

const run = promisify(execFile);

/** @typedef {import('./first_call.js').Timing} Timing */
/** @typedef {{ bytes: number, ours: Timing, cat: Timing, reason?: undefined } | { reason: string }} CommandResult */

/**
 * @param {string} libraryUrl
 * @param {{ quick: boolean, rounds: number }} options
 * @param {(text: string) => void} onProgress
 * @returns {Promise<CommandResult>}
 */
export async function measureCommand(libraryUrl, { quick, rounds }, onProgress) {
  const command = fileURLToPath(new URL('cli/gradnorm.js', libraryUrl));
  const bytes = quick ? 2 ** 24 : 2 ** 30;
  /** @type {number[]} */
  const ours = [];
  /** @type {number[]} */
  const cat = [];
  try {
    onProgress('writing a file');
    writeGradients(bytes);
    // The first round warms the cache, and is not counted.
    for (let round = 0; round <= rounds; round++) {
      onProgress(`round ${round}/${rounds}`);
      cat.push(await time('sh', ['-c', 'cat "$0" > /dev/null', FILE]));
      ours.push(await time(process.execPath, [command, FILE]));
    }
  } catch (error) {
    return { reason: `failed: ${String(/** @type {Error} */ (error).message).split('\n')[0]}` };
  } finally {
    rmSync(FILE, { force: true });
  }
  return { bytes, ours: summarize(ours.slice(1)), cat: summarize(cat.slice(1)) };
}

/** @param {number} bytes  of float32 elements, in one tensor */
function writeGradients(bytes) {
  const header = JSON.stringify({ w: { dtype: 'F32', shape: [bytes / 4], data_offsets: [0, bytes] } });
  const opening = Buffer.alloc(8);
  opening.writeBigUInt64LE(BigInt(header.length));
  const elements = Float32Array.from({ length: 2 ** 20 }, (_, i) => Math.sin(i) / 1000);
  mkdirSync(dirname(FILE), { recursive: true });
  const file = openSync(FILE, 'w');
  try {
    writeSync(file, Buffer.concat([opening, Buffer.from(header)]));
    for (let written = 0; written < bytes; written += elements.byteLength) writeSync(file, elements);
  } finally {
    closeSync(file);
  }
}

/**
 * @param {string} program
 * @param {string[]} args
 * @returns {Promise<number>} milliseconds
 */
async function time(program, args) {
  const start = performance.now();
  await run(program, args);
  return performance.now() - start;
}

/**
 * @param {number[]} samples
 * @returns {Timing}
 */
function summarize(samples) {
  return { milliseconds: median(samples), spread: spread(samples), samples };
}
