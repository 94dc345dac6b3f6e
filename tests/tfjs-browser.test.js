// tests/tfjs-browser.test.js: the laws of `gradnorm/tfjs` in Chromium, on the back ends webgl and webgpu, by WebGL and WebGPU in software.
import { build } from 'esbuild';
import { join } from 'node:path';
import { test } from 'node:test';
import { skip, visit } from './chromium.js';
import { ROOT } from './support.js';
import { bundledTf, SOFTWARE_FLAGS } from './tfjs.js';

/** @typedef {import('./browser-host/node-test.js').Outcome} Outcome */

const HOST = join(ROOT, 'tests', 'browser-host');

/** What a browser has not, and what takes its place. */
const REPLACEMENTS = new Map([
  ['node:test', join(HOST, 'node-test.js')],
  ['node:assert/strict', join(HOST, 'node-assert.js')],
  ['gradnorm', join(ROOT, 'dist', 'index.js')],
  ['gradnorm/tfjs', join(ROOT, 'dist', 'tfjs.js')],
]);

/**
 * @param {string} backend
 * @returns {Promise<string>}  a script that runs the laws on it and posts each outcome, then 'done'
 */
async function bundleLaws(backend) {
  const contents = `
    import { runFile } from 'node:test';
    import * as tf from 'tf';
    import { describeLaws } from './tfjs-laws.js';
    const post = (what) => fetch('/results', { method: 'POST', body: JSON.stringify(what) });
    await runFile(async () => describeLaws(tf, ${JSON.stringify(backend)}, { steps: 100 }), post);
    await post('done');`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(ROOT, 'tests'), sourcefile: 'laws.js' },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'silent',
    plugins: [
      bundledTf,
      {
        name: 'browser host',
        setup({ onResolve }) {
          onResolve({ filter: /^(node:.*|gradnorm(\/tfjs)?)$/ }, ({ path }) => ({
            path: REPLACEMENTS.get(path),
          }));
        },
      },
    ],
  });
  return outputFiles[0].text;
}

for (const backend of ['webgl', 'webgpu']) {
  test(`the laws of gradnorm/tfjs on ${backend} in Chromium`, { skip }, async (t) => {
    const script = await bundleLaws(backend);
    let reported = Promise.resolve();
    let count = 0;
    await visit({
      serve(path) {
        if (path === '/laws.js') return { type: 'text/javascript', body: script };
        if (path !== '/') return null;
        const body = '<!doctype html><title>gradnorm</title><script type="module" src="/laws.js"></script>';
        return { type: 'text/html', body };
      },
      flags: SOFTWARE_FLAGS,
      take(posted) {
        if (posted === 'done') return true;
        count += 1;
        reported = reported.then(() => report(t, posted));
        return false;
      },
    });
    await reported;
    if (count === 0) throw new Error('the page ran no test');
  });
}

/**
 * @param {import('node:test').TestContext} t
 * @param {Outcome} outcome
 */
function report(t, { name, duration, error }) {
  return t.test(`Chromium: ${name}`, (inner) => {
    inner.diagnostic(`${Math.round(duration)} ms in the browser`);
    if (error === null) return;
    throw Object.assign(new Error(error.message), { name: error.name, stack: error.stack });
  });
}
