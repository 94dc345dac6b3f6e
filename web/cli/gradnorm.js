#!/usr/bin/env node
// web/cli/gradnorm.js: the command: options, files, a report, an exit code.
import { readFileSync } from 'node:fs';
import { withTensorsOf } from './formats.js';
import { measure } from './measure.js';
import { HELP, parseOptions } from './options.js';
import { print } from './print.js';
import { Progress } from './progress.js';
import { stateOf, untilChanged } from './watch.js';
import { InputError } from './words.js';

/** @typedef {import('./options.js').Options} Options */

const WRONG = 1;
const TOO_LARGE = 2;

// Whoever reads the output may have seen enough, as head has.
process.stdout.on('error', (error) => {
  if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EPIPE') throw error;
  process.exit();
});

try {
  process.exitCode = await run(parseOptions(process.argv.slice(2)));
} catch (error) {
  process.exitCode = tell(error);
}

/**
 * @param {Options} options
 * @returns {Promise<number>}  the exit code
 */
async function run(options) {
  if (options.help || options.version) {
    console.log(options.help ? HELP : versionOfPackage());
    return 0;
  }
  return options.watch ? watch(options) : measureOnce(options);
}

/** @param {Options} options */
async function measureOnce(options) {
  const report = await withTensorsOf(options.paths, async (tensors) => {
    const total = tensors.reduce((sum, { elements, type }) => sum + elements * type.bytes, 0);
    const progress = new Progress(process.stderr, total);
    try {
      return await measure(tensors, options.normType, (bytes) => progress.add(bytes));
    } finally {
      progress.clear();
    }
  });
  console.log(print(report, options));
  return judge(report.norm, options.failAbove);
}

/**
 * @param {number} norm
 * @param {number | undefined} limit
 * @returns {number}  the exit code
 */
function judge(norm, limit) {
  if (limit === undefined || (norm <= limit && norm < Infinity)) return 0;
  const expected = limit === Infinity ? 'a finite one' : `at most ${limit}`;
  console.error(`gradnorm: the norm is ${norm}; expected ${expected}`);
  return TOO_LARGE;
}

/**
 * Until the norm is too large, or somebody ends it. A file that is not there yet, or half written, is told and waited for.
 * @param {Options} options
 * @returns {Promise<number>}
 */
async function watch(options) {
  for (;;) {
    const seen = stateOf(options.paths);
    const code = await measureOnce(options).catch(tell);
    if (code === TOO_LARGE) return code;
    await untilChanged(() => stateOf(options.paths), seen);
  }
}

/**
 * @param {unknown} error
 * @returns {number}  the exit code
 */
function tell(error) {
  if (!(error instanceof InputError)) throw error;
  console.error(`gradnorm: ${error.message}`);
  return WRONG;
}

/** @returns {string} */
function versionOfPackage() {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}
