// tests/cli-docs.test.js: docs/command.md shows what the command says.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { npy, safetensors, zip } from './cli-files.js';
import { makeTemporaryFolder, ROOT, runNode } from './support.js';

const COMMAND = join(ROOT, 'dist', 'cli', 'gradnorm.js');
const PAGE = join(ROOT, 'docs', 'command.md');

/** The files that the page speaks of. */
function writeFiles() {
  const folder = makeTemporaryFolder();
  const wave = (/** @type {number} */ length, /** @type {number} */ scale) =>
    Float32Array.from({ length }, (_, i) => scale * ((i % 7) - 3));
  const weight = wave(65_536, 2 ** -12);
  const bias = wave(256, 2 ** -8);
  const sick = wave(1000, 2 ** -10);
  sick[137] = NaN;
  const whole = npy('<f4', [256], bias);
  const files = {
    'grads.safetensors': safetensors({
      embedding: { dtype: 'F32', shape: [128, 64], data: new Float32Array(8192) },
      'fc1.weight': { dtype: 'F32', shape: [256, 256], data: weight },
      'fc1.bias': { dtype: 'F32', data: bias },
    }),
    'bias.npy': whole,
    'layers.npz': zip([
      { name: 'first.npy', data: npy('<f4', [1000], sick), deflated: true },
      { name: 'second.npy', data: npy('<f8', [3], Float64Array.of(1, -2, 2)), deflated: true },
    ]),
    'truncated.npy': whole.subarray(0, 500),
  };
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  return folder;
}

/**
 * The sessions of a page, with what its commands say now.
 * @param {string} page
 * @param {string} folder
 */
async function withOutput(page, folder) {
  const parts = page.split(/^(```console\n[^]*?^```$)/m);
  for (const [i, part] of parts.entries()) {
    if (!part.startsWith('```console')) continue;
    const lines = ['```console'];
    for (const [line, words] of part.matchAll(/^\$ gradnorm (.*)$/gm)) {
      const { stdout, stderr, status } = await runNode([COMMAND, ...words.split(' ')], { cwd: folder });
      assert.equal(status === 0, stderr === '', line);
      lines.push(line, ...`${stdout}${stderr}`.trimEnd().split('\n'));
    }
    parts[i] = [...lines, '```'].join('\n');
  }
  return parts.join('');
}

test('every session of docs/command.md says what the command says', async () => {
  const page = readFileSync(PAGE, 'utf8');
  assert.equal(page.match(/^\$ gradnorm /gm)?.length, 7);
  const expected = await withOutput(page, writeFiles());
  // `UPDATE_DOCS=1 node --test tests/cli-docs.test.js` writes it.
  if (process.env.UPDATE_DOCS) writeFileSync(PAGE, expected);
  else assert.equal(page, expected);
});

test('docs/command.md and --help list the same options', async () => {
  const { stdout } = await runNode([COMMAND, '--help']);
  const page = readFileSync(PAGE, 'utf8').match(/`--[a-z-]+/g) ?? [];
  const help = stdout.match(/^ {2}--[a-z-]+/gm) ?? [];
  const names = (/** @type {string[]} */ list) =>
    [...new Set(list.map((option) => option.replace(/^\W+/, '')))].sort();
  assert.ok(help.length === 9);
  assert.deepEqual(names(page), names(help));
});
