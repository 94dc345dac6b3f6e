// tools/suites.js: runs suites of the JavaScript tests beside each other, and judges what they skipped. The program that
// tools/run.js starts: node tools/suites.js FILE...
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { run } from 'node:test';
import { spec, tap } from 'node:test/reporters';

/** Those that take longest, in this order: begun first, they are not what the others wait for at the end. */
const LONGEST = [
  'webgpu',
  'demo',
  'webgpu-browser',
  'webgpu-engines',
  'dtypes',
  'norm',
  'train',
  'clip',
  'accumulator',
  'package',
].map((name) => `tests/${name}.test.js`);

/** What an engine may lack on any machine; all else has to be there in CI. */
const EXPECTED_SKIPS = [
  /^this engine has no (Float16Array|resizable buffers)\b/,
  /^this Chromium has no Float16Array\b/,
  /^whoever runs this may read everything$/,
];

/**
 * @param {string[]} files
 * @returns {string[]}  the longest first
 */
export function inOrder(files) {
  const place = (/** @type {string} */ file) => {
    const at = LONGEST.findIndex((name) => file.endsWith(name));
    return at < 0 ? LONGEST.length : at;
  };
  return [...files].sort((a, b) => place(a) - place(b));
}

/**
 * @param {string | boolean | undefined} skip  what a test gives as its reason, true or '' for none
 * @param {boolean} isCI
 * @returns {boolean}  whether a test may be skipped: with a reason, in CI with one of those that are expected
 */
export function maySkip(skip, isCI) {
  if (typeof skip !== 'string' || skip === '') return false;
  return !isCI || EXPECTED_SKIPS.some((reason) => reason.test(skip));
}

/**
 * @param {string[]} files
 * @param {boolean} isCI
 */
function runSuites(files, isCI) {
  /** @type {string[]} */
  const failures = [];
  const stream = run({
    files: inOrder(files).map((file) => resolve(file)),
    concurrency: availableParallelism(),
  });
  stream.on('test:fail', ({ name, file, details }) => {
    // A file and a group of tests fail because of what is in them, which is named by itself.
    const cause = /** @type {any} */ (details.error)?.failureType;
    if (cause !== 'subtestsFailed') failures.push(`failed: ${name}${file === undefined ? '' : ` (${file})`}`);
  });
  stream.on('test:pass', ({ name, skip }) => {
    if (skip !== undefined && !maySkip(skip, isCI))
      failures.push(`skipped: ${name} (${typeof skip === 'string' && skip !== '' ? skip : 'no reason'})`);
  });
  stream.on('end', () => {
    if (failures.length === 0) return;
    process.exitCode = 1;
    process.stderr.write(`${failures.length} of the tests failed, or were skipped and may not be:\n`);
    for (const failure of failures) process.stderr.write(`  ${failure}\n`);
  });
  stream.compose(process.stdout.isTTY ? new spec() : tap).pipe(process.stdout);
}

if (import.meta.filename === process.argv[1]) runSuites(process.argv.slice(2), Boolean(process.env.CI));
