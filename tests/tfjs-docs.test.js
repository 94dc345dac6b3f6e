// tests/tfjs-docs.test.js: the programs in docs/tensorflow.md print what they say.
import assert from 'node:assert/strict';
import { build } from 'esbuild';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { programsOf } from './docs.js';
import { ROOT, runNode } from './support.js';
import { CORE } from './tfjs.js';

// In the repository, where the package finds itself by its name.
const FOLDER = join(ROOT, 'build', 'docs-tfjs');
mkdirSync(FOLDER, { recursive: true });
after(() => rmSync(FOLDER, { recursive: true }));

const programs = programsOf('tensorflow.md').filter(({ code }) => code.startsWith('import'));

test('docs/tensorflow.md has programs, each of which prints something', () => {
  assert.ok(programs.length >= 2);
  for (const { code, prints } of programs) {
    assert.equal(prints.length, code.split('console.log(').length - 1, code);
    assert.ok(prints.length > 0);
  }
});

for (const [i, { code, prints }] of programs.entries()) {
  test(`program ${i + 1} of docs/tensorflow.md prints what it says`, async () => {
    assert.deepEqual(await run(code, `program-${i}.mjs`), prints);
  });
}

/**
 * @param {string} code
 * @param {string} name
 * @returns {Promise<string[]>}  what it prints
 */
async function run(code, name) {
  const outfile = join(FOLDER, name);
  await build({
    stdin: { contents: code, resolveDir: ROOT },
    bundle: true,
    platform: 'node',
    mainFields: ['module', 'main'],
    format: 'esm',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    outfile,
    external: ['gradnorm/tfjs'],
    logLevel: 'silent',
    plugins: [
      {
        name: 'TensorFlow.js',
        setup({ onLoad, onResolve }) {
          onResolve({ filter: /^@tensorflow\/tfjs$/ }, ({ path }) => ({ path, namespace: 'tf' }));
          onLoad({ filter: /.*/, namespace: 'tf' }, () => ({ contents: CORE, resolveDir: ROOT }));
        },
      },
    ],
  });
  const { status, stdout, stderr } = await runNode([outfile]);
  assert.equal(status, 0, stderr);
  return stdout.trimEnd().split('\n');
}
