// tests/jax-docs.test.js: the programs in docs/jax.md print what they say. Those on webgpu run in Chromium.
import assert from 'node:assert/strict';
import { build } from 'esbuild';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { skip, visit } from './chromium.js';
import { programsOf } from './docs.js';
import { ROOT, runNode } from './support.js';

// In the repository, where the package finds itself by its name.
const FOLDER = join(ROOT, 'build', 'docs');
mkdirSync(FOLDER, { recursive: true });
after(() => rmSync(FOLDER, { recursive: true }));

const programs = programsOf('jax.md');

test('docs/jax.md has programs, each of which prints something', () => {
  assert.ok(programs.length >= 3);
  for (const { code, prints } of programs) {
    assert.equal(prints.length, code.split('console.log(').length - 1, code);
    assert.ok(prints.length > 0);
  }
});

for (const [i, { code, prints }] of programs.entries()) {
  const isOnGpu = code.includes("init('webgpu')");
  test(`program ${i + 1} of docs/jax.md prints what it says`, { skip: isOnGpu ? skip : false }, async () => {
    const lines = await (isOnGpu ? runInChromium(code, prints.length) : runInNode(code, `jax-${i}.mjs`));
    assert.deepEqual(lines.sort(), [...prints].sort());
  });
}

/**
 * @param {string} code
 * @param {string} name
 */
async function runInNode(code, name) {
  const file = join(FOLDER, name);
  writeFileSync(file, code);
  const { status, stdout, stderr } = await runNode([file]);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  return stdout.trimEnd().split('\n');
}

/**
 * @param {string} code
 * @param {number} count  of the lines that are expected
 */
async function runInChromium(code, count) {
  const { outputFiles } = await build({
    stdin: {
      contents: `
        const post = (what) => fetch('/results', { method: 'POST', body: JSON.stringify(what) });
        console.log = (line) => post({ line: String(line) });
        import('program').catch((error) => post({ error: error.stack }));`,
      resolveDir: ROOT,
    },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'silent',
    plugins: [
      {
        name: 'program',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^program$/ }, () => ({ path: 'program', namespace: 'docs' }));
          onLoad({ filter: /^program$/, namespace: 'docs' }, () => ({ contents: code, resolveDir: ROOT }));
        },
      },
    ],
    supported: { 'top-level-await': true },
  });
  /** @type {string[]} */
  const lines = [];
  await visit({
    serve(path) {
      if (path === '/program.js') return { type: 'text/javascript', body: outputFiles[0].text };
      if (path !== '/') return null;
      const body = '<!doctype html><title>gradnorm</title><script type="module" src="/program.js"></script>';
      return { type: 'text/html', body };
    },
    flags: ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
    take({ line, error }) {
      if (error !== undefined) lines.push(error);
      else lines.push(line);
      return error !== undefined || lines.length === count;
    },
  });
  return lines;
}
