// tests/tfjs-docs.test.js: the programs in docs/tensorflow.md print what they say.
import assert from 'node:assert/strict';
import { build } from 'esbuild';
import { join } from 'node:path';
import { test } from 'node:test';
import { programsOf } from './docs.js';
import { makeTemporaryFolder, ROOT, runNode } from './support.js';
import { CORE } from './tfjs.js';

const programs = programsOf('tensorflow.md');

test('docs/tensorflow.md has programs, each of which prints something', () => {
  assert.ok(programs.length >= 2);
  for (const { code, prints } of programs) {
    assert.equal(prints.length, code.split('console.log(').length - 1, code);
  }
});

for (const [i, { code, prints }] of programs.entries()) {
  test(`program ${i + 1} of docs/tensorflow.md prints what it says`, async () => {
    const outfile = join(makeTemporaryFolder(), 'program.mjs');
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
      logLevel: 'silent',
      plugins: [
        {
          name: 'tensorflow',
          setup({ onResolve, onLoad }) {
            onResolve({ filter: /^@tensorflow\/tfjs$/ }, ({ path }) => ({ path, namespace: 'tensorflow' }));
            onLoad({ filter: /./, namespace: 'tensorflow' }, () => ({ contents: CORE, resolveDir: ROOT }));
          },
        },
      ],
    });
    const { status, stdout, stderr } = await runNode([outfile]);
    assert.equal(status, 0, stderr);
    assert.deepEqual(stdout.trimEnd().split('\n'), prints);
  });
}
