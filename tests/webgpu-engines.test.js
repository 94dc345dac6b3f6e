// tests/webgpu-engines.test.js: the WebGPU suites on another implementation, wgpu, in Firefox and in Deno, on a device in software,
// Mesa's lavapipe: all of them under GRADNORM_THOROUGH=1, otherwise one.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import puppeteer from 'puppeteer-core';
import { findFirefox, findLavapipe } from '../tools/setup.js';
import { makeTemporaryFolder } from './support.js';
import { bundleSuites, Reporter, SUITES } from './webgpu-bundle.js';
import { IS_THOROUGH } from './webgpu-device.js';

const lavapipe = findLavapipe();
const env = { ...process.env, VK_ICD_FILENAMES: lavapipe ?? undefined };
const skip = lavapipe === null ? 'no lavapipe found (Debian: mesa-vulkan-drivers)' : false;

/** Milliseconds of silence that only a hang takes. */
const PATIENCE = 600_000;

const suites = IS_THOROUGH ? SUITES : ['webgpu-steps.test.js'];

/**
 * Waits until an engine has told everything.
 * @param {Reporter} reporter
 * @param {(take: (posted: any) => void, fail: (error: Error) => void) => void} begin
 */
async function listen(reporter, begin) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  try {
    await /** @type {Promise<void>} */ (
      new Promise((resolve, reject) => {
        const wait = () => {
          clearTimeout(timer);
          timer = setTimeout(() => reject(new Error(`it was silent for ${PATIENCE / 1000} s`)), PATIENCE);
        };
        wait();
        begin((posted) => {
          wait();
          if (reporter.take(posted)) resolve();
        }, reject);
      })
    );
  } finally {
    clearTimeout(timer);
  }
  await reporter.finish();
}

test('the WebGPU suites in Deno', { skip }, async (t) => {
  const script = join(makeTemporaryFolder(), 'suites.mjs');
  writeFileSync(script, await bundleSuites(suites, '(what) => log(JSON.stringify(what))'));
  const deno = createRequire(import.meta.url).resolve('deno/bin.cjs');
  const child = spawn(process.execPath, [deno, 'run', '--unstable-webgpu', '--allow-env', script], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (text) => (complaint += text));
  try {
    await listen(new Reporter(t, 'Deno'), (take, fail) => {
      createInterface({ input: child.stdout }).on('line', (line) => take(JSON.parse(line)));
      child.on('exit', (code) => fail(new Error(`Deno ended with ${code}: ${complaint.slice(-1000)}`)));
    });
  } finally {
    child.kill('SIGKILL');
  }
});

test('the WebGPU suites in Firefox', { skip }, async (t) => {
  const executablePath = findFirefox();
  assert.ok(executablePath !== null, 'expected Firefox on the PATH');
  const script = await bundleSuites(
    suites,
    "(what) => fetch('/results', { method: 'POST', body: JSON.stringify(what) })",
    // Firefox looks ten times a second whether the GPU has finished: all trials would take it a quarter of an hour.
    '',
  );
  /** @type {(posted: any) => void} */
  let take = () => {};
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    if (request.url === '/results') take(JSON.parse(body));
    const isScript = request.url === '/suites.js';
    response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
    response.end(isScript ? script : '<!doctype html><script type="module" src="/suites.js"></script>');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath,
    headless: true,
    env,
    extraPrefsFirefox: {
      'dom.webgpu.enabled': true,
      'gfx.webgpu.ignore-blocklist': true,
      'dom.webgpu.workers.enabled': true,
    },
  });
  try {
    await listen(new Reporter(t, 'Firefox'), (given, fail) => {
      take = given;
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
      browser
        .newPage()
        .then((page) => page.goto(`http://127.0.0.1:${port}/`))
        .catch(fail);
    });
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
});
