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
  try {
    const { dev, ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs}`;
  } catch (error) {
    return String(error); // Whoever measures it will tell.
  }
}

/**
 * @param {() => string} observe  the state of the files
 * @param {string} seen           when they were measured
 * @param {() => Promise<unknown>} [pause]
 */
export async function untilChanged(observe, seen, pause = () => sleep(INTERVAL_MILLISECONDS)) {
  for (let last = seen; ;) {
    await pause();
    const state = observe();
    if (state !== seen && state === last) return;
    last = state;
  }
}
