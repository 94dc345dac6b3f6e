// tests/browser.test.js: the built entries in Chromium, under a Content Security Policy without 'unsafe-eval':
// in a page, in a module worker, and with the WebAssembly in a file of its own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { before, test } from 'node:test';
import { findBrowser } from '../tools/setup.js';
import { makeTemporaryFolder, ROOT } from './support.js';

const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };

/** @type {Record<string, string>} */
const PAGES = {
  '/': '<!doctype html><meta charset="utf-8"><title>gradnorm</title><script type="module" src="/page.js"></script>',
  '/page.js': `
    import { gradNorm } from '/dist/gradnorm.js';
    import * as slim from '/dist/slim.js';
    const attempt = (run) => { try { return run(); } catch (error) { return error.name + ': ' + error.message; } };
    const results = {
      dynamicCode: attempt(() => new Function('return 1')()).split(':')[0],
      norm: gradNorm([Float32Array.of(3), null, Float32Array.of(4)]),
      // A hexadecimal double, to compare bits with Node.js.
      real: gradNorm(Float32Array.from({ length: 10000 }, (_, i) => Math.fround(i / 777)), 2.7).toString(16),
      slimBeforeInit: attempt(() => slim.gradNorm(Float32Array.of(1))),
    };
    await slim.init();
    results.slim = slim.gradNorm({ weight: Float32Array.of(1, -2) }, Infinity);
    const worker = new Worker('/worker.js', { type: 'module' });
    results.worker = await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = () => reject(new Error('the worker failed'));
    });
    await fetch('/results', { method: 'POST', body: JSON.stringify(results) });`,
  '/worker.js': `
    import { gradNorm } from '/dist/gradnorm.js';
    postMessage(gradNorm(Float32Array.of(5, 12)));`,
};

/**
 * Opens the page in a fresh headless browser and waits for what it posts.
 * @param {string} browser
 * @returns {Promise<Record<string, unknown>>}
 */
async function visit(browser) {
  /** @type {(results: Record<string, unknown>) => void} */
  let deliver;
  const results = new Promise((resolve) => (deliver = resolve));
  const server = createServer(async (request, response) => {
    const path = /** @type {string} */ (request.url);
    if (path === '/results') {
      let body = '';
      for await (const chunk of request) body += chunk;
      response.end();
      deliver(JSON.parse(body));
      return;
    }
    if (!(path in PAGES) && !path.startsWith('/dist/')) {
      response.writeHead(404).end(); // browsers ask for an icon
      return;
    }
    const type = TYPES[/** @type {keyof typeof TYPES} */ (extname(path) || '.html')];
    response.writeHead(200, { 'content-type': type, 'content-security-policy': POLICY });
    response.end(path.startsWith('/dist/') ? readFileSync(join(ROOT, path)) : PAGES[path]);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const flags = [
    ...['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-quic'],
    ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    `--user-data-dir=${makeTemporaryFolder()}`,
  ];
  const chromium = spawn(browser, [...flags, `http://127.0.0.1:${port}/`], { detached: true });
  try {
    const timeout = new Promise((_, reject) => {
      setTimeout(() => reject(new Error('the page posted nothing within 60 seconds')), 60_000).unref();
    });
    return await Promise.race([results, timeout]);
  } finally {
    // Its folder can be removed only when all of it has ended: its parts are in a process group of their own.
    const closed = new Promise((resolve) => chromium.on('close', resolve));
    process.kill(-(/** @type {number} */ (chromium.pid)), 'SIGKILL');
    await closed;
    server.closeAllConnections();
    server.close();
  }
}

const browser = findBrowser();
// In CI a missing browser is a failure: there the set-up has to bring one.
const skip = browser === null && !process.env.CI ? 'no Chromium found on the PATH' : false;

/** @type {Record<string, unknown>} */
let results;
before(async () => {
  if (skip) return;
  assert.notEqual(browser, null, 'CI needs Chromium on the PATH');
  results = await visit(/** @type {string} */ (browser));
});

test('Chromium: the policy forbids dynamic code, and gradNorm works under it', { skip }, () => {
  assert.equal(results.dynamicCode, 'EvalError');
  assert.equal(results.norm, 5);
});

test('Chromium: the same bits as in Node.js', { skip }, async () => {
  const { gradNorm } = await import('gradnorm');
  const gradient = Float32Array.from({ length: 10000 }, (_, i) => Math.fround(i / 777));
  assert.equal(results.real, gradNorm(gradient, 2.7).toString(16));
});

test('Chromium: the slim entry says that it waits for init, and works after it', { skip }, () => {
  assert.equal(
    results.slimBeforeInit,
    'Error: gradnorm/slim is not loaded; expected `await init()` before this call',
  );
  assert.equal(results.slim, 2);
});

test('Chromium: a module worker', { skip }, () => {
  assert.equal(results.worker, 13);
});
