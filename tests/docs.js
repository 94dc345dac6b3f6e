// tests/docs.js: the programs of a page of docs/, and what they say that they print.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './support.js';

/**
 * @typedef {object} Program
 * @property {string} code
 * @property {string[]} prints  the comments behind its calls of console.log, in the order of reading
 */

/**
 * @param {string} page  such as 'jax.md'
 * @returns {Program[]}
 */
export function programsOf(page) {
  const text = readFileSync(join(ROOT, 'docs', page), 'utf8');
  return [...text.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code]) => ({
    code,
    prints: [...code.matchAll(/console\.log\(.*; \/\/ (.*)$/gm)].map(([, comment]) => comment),
  }));
}
