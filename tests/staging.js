// tests/staging.js: how much goes to the core at once, as web/core/memory.js has it, for tests of what happens
// around its ends. Read from there: a copy of the figures would let those tests miss the ends without a sign.
import { readFileSync } from 'node:fs';

const SOURCE = readFileSync(new URL('../web/core/memory.js', import.meta.url), 'utf8');

/** Bytes of the staging area, which longer tensors go through in pieces. */
export const STAGING_BYTES = 1024 * figure(/STAGING_BYTES = (\d+) \* 1024;/);

/** Tensors and pieces that the staging area takes at once. */
export const MAX_SEGMENTS = figure(/MAX_SEGMENTS = (\d+);/);

/** @param {RegExp} pattern */
function figure(pattern) {
  const match = pattern.exec(SOURCE);
  if (match === null) throw new Error(`web/core/memory.js has nothing like ${pattern}`);
  return Number(match[1]);
}
