// web/cli/watch.js: waits until files have changed, and are as they will stay for a while.
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const INTERVAL_MILLISECONDS = 200;

/**
 * What tells one state of the files from another. By asking, since what tells of changes follows no file that is replaced
 * by another of its name, as programs do that save with care, nor files of other machines.
 * @param {readonly string[]} paths
 */
export function stateOf(paths) {
  return paths.map(stateOfFile).join('\n');
}

/** @param {string} path */
function stateOfFile(path) {
  const status = statSync(path, { bigint: true, throwIfNoEntry: false });
  return status === undefined ? 'none' : `${status.dev} ${status.ino} ${status.size} ${status.mtimeNs}`;
}

/**
 * @param {readonly string[]} paths
 * @param {string} seen  their state when they were measured
 */
export async function untilChanged(paths, seen) {
  for (let last = seen; ;) {
    await sleep(INTERVAL_MILLISECONDS);
    const state = stateOf(paths);
    if (state !== seen && state === last) return;
    last = state;
  }
}
