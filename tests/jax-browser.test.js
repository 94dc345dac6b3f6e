// tests/jax-browser.test.js: gradnorm/jax in Chromium: on jax-js's back end webgpu, tests/jax-webgpu.js, and where its back end
// wasm has threads, tests/jax-threads.js.
import { build } from 'esbuild';
import { join } from 'node:path';
import { test } from 'node:test';
import { skip, visit } from './chromium.js';
import { ROOT } from './support.js';

const HOST = join(ROOT, 'tests', 'browser-host');

/** What makes a page cross-origin isolated, so that there is shared memory. */
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

/**
 * @param {string} suite
 * @returns {Promise<string>}  a script that runs the suite and posts each outcome, then 'done'
 */
async function bundleSuite(suite) {
  const contents = `
    import { runFile } from 'node:test';
    const post = (what) => fetch('/results', { method: 'POST', body: JSON.stringify(what) });
    await runFile(() => import('./${suite}'), post);
    await post('done');`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(ROOT, 'tests'), sourcefile: 'suite.js' },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'silent',
    alias: {
      'node:test': join(HOST, 'node-test.js'),
      'node:assert/strict': join(HOST, 'node-assert.js'),
    },
  });
  return outputFiles[0].text;
}

test('gradnorm/jax on webgpu in Chromium', { skip }, (t) => runInChromium(t, 'jax-webgpu.js', {}));

test('gradnorm/jax on wasm with threads in Chromium', { skip }, (t) =>
  runInChromium(t, 'jax-threads.js', ISOLATED),
);

/**
 * @param {import('node:test').TestContext} t
 * @param {string} suite
 * @param {Record<string, string>} headers
 */
async function runInChromium(t, suite, headers) {
  const script = await bundleSuite(suite);
  let reported = Promise.resolve();
  let count = 0;
  await visit({
    serve(path) {
      if (path === '/suite.js') return { type: 'text/javascript', body: script };
      if (path !== '/') return null;
      const body = '<!doctype html><title>gradnorm</title><script type="module" src="/suite.js"></script>';
      return { type: 'text/html', body };
    },
    headers,
    flags: ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
    take(posted) {
      if (posted === 'done') return true;
      count += 1;
      const { name, error } = /** @type {import('./browser-host/node-test.js').Outcome} */ (posted);
      reported = reported.then(() =>
        t.test(`Chromium: ${name}`, () => {
          if (error !== null) throw Object.assign(new Error(error.message), { stack: error.stack });
        }),
      );
      return false;
    },
  });
  await reported;
  if (count === 0) throw new Error('the page ran no test');
}
