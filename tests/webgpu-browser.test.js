// tests/webgpu-browser.test.js: the WebGPU suites in Chromium: the same files that Node.js runs, bundled with small
// stand-ins for node:test and node:assert, each test reported here under its name.
import { build } from 'esbuild';
import { join } from 'node:path';
import { test } from 'node:test';
import { skip, visit } from './chromium.js';
import { ROOT } from './support.js';

const SUITES = ['webgpu.test.js', 'webgpu-faults.test.js', 'webgpu-steps.test.js', 'webgpu-laws.test.js'];

/** Suites on the GPU that no browser can run. */
const ONLY_NODE = {
  'webgpu-memory.test.js': 'it measures the heap after collections that only Node.js lets a program ask for',
};

/** @typedef {import('./browser-host/node-test.js').Outcome} Outcome */

const HOST = join(ROOT, 'tests', 'browser-host');

/** What a browser has not, and what takes its place. */
const REPLACEMENTS = new Map([
  ['node:test', join(HOST, 'node-test.js')],
  ['node:assert/strict', join(HOST, 'node-assert.js')],
  ['./adapter.js', join(HOST, 'adapter.js')],
  ['gradnorm', join(ROOT, 'dist', 'index.js')],
  ['gradnorm/webgpu', join(ROOT, 'dist', 'webgpu', 'index.js')],
]);

/** @returns {Promise<string>}  a script that runs the suites and posts each outcome, then 'done' */
async function bundleSuites() {
  const contents = `
    import { runFile } from 'node:test';
    const post = (what) => fetch('/results', { method: 'POST', body: JSON.stringify(what) });
    const { log } = console;
    console.log = (...words) => void post({ log: words.join(' ') }) ?? log(...words);
    ${SUITES.map((name) => `await runFile(() => import('./${name}'), post);`).join('\n')}
    await post('done');`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(ROOT, 'tests'), sourcefile: 'suites.js' },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    // What a suite asks of the process that a browser has not.
    define: {
      'globalThis.process': JSON.stringify({ env: { GRADNORM_THOROUGH: process.env.GRADNORM_THOROUGH } }),
    },
    write: false,
    logLevel: 'silent',
    plugins: [
      {
        name: 'browser host',
        setup({ onResolve }) {
          onResolve({ filter: /^(node:.*|gradnorm(\/webgpu)?|\.\/adapter\.js)$/ }, ({ path }) => ({
            path: REPLACEMENTS.get(path),
          }));
        },
      },
    ],
  });
  return outputFiles[0].text;
}

test('the WebGPU suites in Chromium', { skip }, async (t) => {
  for (const [name, reason] of Object.entries(ONLY_NODE)) t.diagnostic(`only in Node.js: ${name}: ${reason}`);
  const script = await bundleSuites();
  let reported = Promise.resolve();
  let count = 0;
  await visit({
    serve(path) {
      if (path === '/suites.js') return { type: 'text/javascript', body: script };
      if (path !== '/') return null;
      const body = '<!doctype html><title>gradnorm</title><script type="module" src="/suites.js"></script>';
      return { type: 'text/html', body };
    },
    flags: ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
    take(posted) {
      if (posted === 'done') return true;
      if ('log' in posted) console.log(posted.log);
      else {
        count += 1;
        reported = reported.then(() => report(t, posted));
      }
      return false;
    },
  });
  await reported;
  if (count === 0) throw new Error('the page ran no test');
});

/**
 * @param {import('node:test').TestContext} t
 * @param {Outcome} outcome
 */
function report(t, { name, duration, error }) {
  return t.test(`Chromium: ${name}`, (inner) => {
    inner.diagnostic(`${Math.round(duration)} ms in the browser`);
    if (error === null) return;
    // The stack of the bundle, after the message that it repeats, leads to where it failed.
    throw Object.assign(new Error(error.message), { name: error.name, stack: error.stack });
  });
}
