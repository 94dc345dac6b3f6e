// tests/bench/install.js: installs the peers into tests/bench/node_modules. They are no dependencies of the
// package, so a plain `npm ci` in the root does not pay for them.

import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));

/**
 * Runs `npm ci` if the installed peers are missing or older than the lock. A failure is told and survived:
 * the benchmark shows the peers as not installed.
 * @param {(text: string) => void} tell
 */
export function installPeers(tell) {
  if (isUpToDate()) return;
  tell('installing the peers into tests/bench/node_modules (once, about 80 MB) ...');
  // The shell finds npm.cmd on Windows.
  const { status, stderr, error } = spawnSync('npm ci --no-progress', {
    cwd: FOLDER,
    shell: true,
    encoding: 'utf8',
  });
  if (status !== 0)
    tell(`npm ci failed, going on without the missing peers: ${stderr?.trim() || error?.message}`);
}

function isUpToDate() {
  // npm writes the hidden lock at the end of every installation.
  const installed = statSync(`${FOLDER}node_modules/.package-lock.json`, { throwIfNoEntry: false });
  const lock = statSync(`${FOLDER}package-lock.json`);
  return installed !== undefined && installed.mtimeMs >= lock.mtimeMs;
}
