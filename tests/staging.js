// tests/staging.js: how much goes to the core at once, as bindings/bindings.cpp has it, for tests of what happens
// around its ends. Read from there: a copy of the figures would let those tests miss the ends without a sign.
import { readFileSync } from 'node:fs';

const SOURCE = readFileSync(new URL('../bindings/bindings.cpp', import.meta.url), 'utf8');

/** Bytes of the staging area, which longer tensors go through in pieces. */
export const STAGING_BYTES = 1024 * figure(/kStagingBytes = (\d+) \* 1024;/);

/** Tensors and pieces that the staging area takes at once. */
export const MAX_SEGMENTS = figure(/kMaxSegments = (\d+);/);

/** @param {RegExp} pattern */
function figure(pattern) {
  const match = pattern.exec(SOURCE);
  if (match === null) throw new Error(`bindings/bindings.cpp has nothing like ${pattern}`);
  return Number(match[1]);
}
