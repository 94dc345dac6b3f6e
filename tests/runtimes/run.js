// tests/runtimes/run.js: npm run test:runtimes: packs the package and tries it wherever people run it. Installs the tools, runs each
// runtime after the other, and prints a table. Exits with 1 if one fails.
import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as bundlers from './bundlers.js';
import * as frameworks from './frameworks.js';
import * as packages from './packages.js';
import { closeBrowsers } from './pages.js';
import { packPackage } from './project.js';
import * as servers from './servers.js';

/**
 * Where the package is tried.
 * @typedef {object} Runtime
 * @property {string} name
 * @property {string} what  is tried there
 * @property {string | (() => string)} version  or the package that has it
 * @property {(tarball: string) => Promise<void>} run  rejects with what was wrong
 */

/** @type {readonly Runtime[]} */
export const RUNTIMES = [
  ...[servers.node, servers.bun, servers.deno, servers.workerd],
  ...[bundlers.vite, bundlers.webpack, bundlers.rollup, bundlers.esbuild, bundlers.parcel],
  ...[frameworks.next, bundlers.browsers, frameworks.jest, frameworks.vitest],
  ...[packages.tsc, packages.publint, packages.attw],
];

const HERE = fileURLToPath(new URL('.', import.meta.url));

/** Installs the tools, if those that are there are older than the lock. */
function installTools() {
  const installed = statSync(`${HERE}node_modules/.package-lock.json`, { throwIfNoEntry: false });
  if (installed !== undefined && installed.mtimeMs >= statSync(`${HERE}package-lock.json`).mtimeMs) return;
  console.error(
    '» installing the runtimes and bundlers into tests/runtimes/node_modules (once, about 1.1 GB)',
  );
  // The shell finds npm.cmd on Windows.
  const { status } = spawnSync('npm ci --no-audit --no-fund --no-progress --loglevel=error', {
    cwd: HERE,
    shell: true,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (status !== 0) throw new Error('npm ci failed in tests/runtimes');
}

/** @param {Runtime} runtime */
function versionOf({ version }) {
  if (typeof version === 'function') return version();
  return JSON.parse(readFileSync(`${HERE}node_modules/${version}/package.json`, 'utf8')).version;
}

/**
 * Tries some, and tells of each.
 * @param {readonly Runtime[]} runtimes
 * @param {(runtime: Runtime, outcome: { seconds: number, error: Error | null }) => void} tell
 * @param {(runtime: Runtime, index: number) => void} [onBegin]
 */
export async function tryRuntimes(runtimes, tell, onBegin = () => {}) {
  installTools();
  const tarball = packPackage();
  try {
    for (const [index, runtime] of runtimes.entries()) {
      onBegin(runtime, index);
      const begin = Date.now();
      const error = await runtime.run(tarball).then(
        () => null,
        (reason) => (reason instanceof Error ? reason : new Error(String(reason))),
      );
      tell(runtime, { seconds: (Date.now() - begin) / 1000, error });
    }
  } finally {
    await closeBrowsers();
  }
}

/** @param {string[]} names */
async function main(names) {
  const unknown = names.find((name) => !RUNTIMES.some((runtime) => runtime.name === name));
  if (unknown !== undefined) {
    console.error(`there is no ${unknown}; expected any of ${RUNTIMES.map(({ name }) => name).join(', ')}`);
    return 1;
  }
  const chosen = RUNTIMES.filter(({ name }) => names.length === 0 || names.includes(name));
  const isTerminal = process.stderr.isTTY === true;
  const width = Math.max(...chosen.map(({ name }) => name.length));
  /** @type {[Runtime, Error][]} */
  const failed = [];
  await tryRuntimes(
    chosen,
    (runtime, { seconds, error }) => {
      if (isTerminal) process.stderr.write('\r\x1b[K');
      if (error !== null) failed.push([runtime, error]);
      const mark = error === null ? 'ok  ' : 'FAIL';
      const time = `${seconds.toFixed(0).padStart(4)} s`;
      console.log(
        `${mark}  ${runtime.name.padEnd(width)}  ${versionOf(runtime).padEnd(17)} ${time}  ${runtime.what}`,
      );
    },
    ({ name }, index) => {
      if (isTerminal) process.stderr.write(`\r\x1b[K${index + 1} of ${chosen.length}: ${name} ...`);
    },
  );
  for (const [{ name }, { message }] of failed) console.error(`\n${name}: ${message}`);
  console.log(
    failed.length === 0 ? `\nall ${chosen.length} work` : `\n${failed.length} of ${chosen.length} FAILED`,
  );
  return failed.length === 0 ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
