// tests/bench/first_call.js: how long a user's first gradNorm takes in a fresh process, from just before the
// import to the number, against the import of an empty module in the same rounds.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { median, spread } from '../../web/demo/measure/statistics.js';

const SCRIPT = fileURLToPath(new URL('fresh_process.js', import.meta.url));
const EMPTY_MODULE = new URL('empty_module.js', import.meta.url).href;

const run = promisify(execFile);

/** @typedef {{ milliseconds: number, spread: number, samples: number[] }} Timing   median and its spread */
/** @typedef {{ ours: Timing, empty: Timing, reason?: undefined } | { reason: string }} FirstCall */

/**
 * @param {string} libraryUrl
 * @param {number} rounds
 * @param {(text: string) => void} onProgress
 * @returns {Promise<FirstCall>}
 */
export async function measureFirstCall(libraryUrl, rounds, onProgress) {
  /** @type {number[]} */
  const ours = [];
  /** @type {number[]} */
  const empty = [];
  try {
    for (let round = 0; round < rounds; round++) {
      onProgress(`round ${round + 1}/${rounds}`);
      empty.push(await timeFreshProcess(EMPTY_MODULE));
      ours.push(await timeFreshProcess(libraryUrl));
    }
  } catch (error) {
    return { reason: `failed: ${describe(error)}` };
  }
  return { ours: summarize(ours), empty: summarize(empty) };
}

/**
 * @param {string} moduleUrl
 * @returns {Promise<number>} milliseconds, without the start of node itself
 */
async function timeFreshProcess(moduleUrl) {
  const { stdout } = await run(process.execPath, [SCRIPT, moduleUrl]);
  return JSON.parse(stdout).milliseconds;
}

/**
 * @param {any} error of a child process, which wrote its own on standard error, or another
 * @returns {string} one line
 */
function describe(error) {
  const lines = String(error.stderr || error.message).split('\n');
  return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines[0];
}

/**
 * @param {number[]} samples
 * @returns {Timing}
 */
function summarize(samples) {
  return { milliseconds: median(samples), spread: spread(samples), samples };
}
