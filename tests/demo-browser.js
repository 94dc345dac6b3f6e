// tests/demo-browser.js: what tests/demo.test.js needs to visit the demo page: a server that sends the page's policy and
// notes what is asked for, browsers, and visits that note what goes wrong.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import puppeteer from 'puppeteer-core';
import { DEMO_FOLDER, DEMO_POLICY } from '../tools/demo.js';

/** Below a path, as on a page of a project that shares its host with others. */
const BASE = '/some/project/';

/** @type {Record<string, string>} */
const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

/** Milliseconds: far more than anything takes on a machine that is busy. */
export const PATIENCE = 30_000;

/** Serves dist/demo compressed, under the policy; anything else is not found. */
export async function serveDemoFolder() {
  /** @type {Map<string, number>} bytes sent for each file, compressed */
  const sent = new Map();
  /** @type {string[]} */
  const missing = [];
  const server = createServer((request, response) => {
    const path = new URL(/** @type {string} */ (request.url), 'http://localhost').pathname;
    const name = path.slice(BASE.length) || 'index.html';
    try {
      if (!path.startsWith(BASE)) throw new Error('outside');
      const body = brotliCompressSync(readFileSync(join(DEMO_FOLDER, name)));
      sent.set(name, body.length);
      response.writeHead(200, {
        'content-type': TYPES[extname(name)] ?? 'text/plain',
        'content-encoding': 'br',
        'content-security-policy': DEMO_POLICY,
      });
      response.end(body);
    } catch {
      missing.push(path);
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}${BASE}`, sent, missing, close };
}

/**
 * @param {'chrome' | 'firefox'} browser
 * @param {string} executablePath
 */
export function launch(browser, executablePath) {
  const args =
    browser === 'firefox'
      ? []
      : ['--no-sandbox', '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
  return puppeteer.launch({ browser, executablePath, headless: true, args });
}

/**
 * @typedef {object} Visit
 * @property {import('puppeteer-core').Page} page
 * @property {string[]} troubles errors of the console, exceptions, and requests that went elsewhere
 */

/**
 * A page of its own that is not loaded yet.
 *
 * @param {import('puppeteer-core').Browser} browser
 * @param {string} url of the demo page
 * @param {{ width?: number, height?: number, scheme?: 'light' | 'dark', reducedMotion?: boolean }} [options]
 * @returns {Promise<Visit>}
 */
export async function openPage(browser, url, options = {}) {
  const { width = 1280, height = 800, scheme = 'light', reducedMotion = false } = options;
  const page = await browser.newPage();
  page.setDefaultTimeout(PATIENCE);
  /** @type {string[]} */
  const troubles = [];
  page.on('console', (message) => {
    if (['error', 'warn'].includes(message.type())) troubles.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => troubles.push(`exception: ${error}`));
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) troubles.push(`request: ${request.url()}`);
  });
  await page.setViewport({ width, height });
  if ((await browser.version()).startsWith('Chrome')) {
    await page.emulateMediaFeatures([
      { name: 'prefers-color-scheme', value: scheme },
      { name: 'prefers-reduced-motion', value: reducedMotion ? 'reduce' : 'no-preference' },
    ]);
  }
  return { page, troubles };
}

/**
 * @param {import('puppeteer-core').Page} page
 * @param {string} selector
 */
export function textOf(page, selector) {
  return page.$eval(selector, (element) => (element.textContent ?? '').replace(/\s+/g, ' ').trim());
}

/**
 * Looks again and again until there is what is looked for.
 *
 * @template T
 * @param {() => Promise<T>} look
 * @param {(seen: T) => boolean} isThere
 * @param {number} patience milliseconds
 * @param {(seen: T) => string} complaint
 * @returns {Promise<T>}
 */
async function waitUntil(look, isThere, patience, complaint) {
  const end = performance.now() + patience;
  for (;;) {
    const seen = await look();
    if (isThere(seen)) return seen;
    if (performance.now() > end) throw new Error(complaint(seen));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * Waits until the text of an element matches, and fails with the text that it has instead.
 *
 * @param {import('puppeteer-core').Page} page
 * @param {string} selector
 * @param {RegExp} pattern
 * @returns {Promise<string>} the text
 */
export function waitForText(page, selector, pattern) {
  return waitUntil(
    () => textOf(page, selector),
    (text) => pattern.test(text),
    PATIENCE,
    (text) => `${selector} says ${JSON.stringify(text)}; expected ${pattern}`,
  );
}

/** @param {import('puppeteer-core').Page} page */
export async function stepsOf(page) {
  return Number((await textOf(page, '#run-step')).match(/step ([\d,]+)/)?.[1].replace(',', ''));
}

/**
 * @param {import('puppeteer-core').Page} page
 * @param {number} count
 */
export async function waitForSteps(page, count) {
  await waitUntil(
    () => stepsOf(page),
    (steps) => steps >= count,
    2 * PATIENCE,
    (steps) => `${steps} steps; expected ${count}`,
  );
}

/**
 * Sets a control as a visitor does, with the events that come of it.
 *
 * @param {import('puppeteer-core').Page} page
 * @param {string} selector
 * @param {string} value
 */
export function setControl(page, selector, value) {
  return page.$eval(
    selector,
    (element, value) => {
      /** @type {HTMLInputElement} */ (element).value = value;
      element.dispatchEvent(new Event('input', { bubbles: true }));
    },
    value,
  );
}

/**
 * What axe finds wrong, as `rule: selector` lines.
 *
 * @param {import('puppeteer-core').Page} page
 * @param {string} axeSource
 * @returns {Promise<string[]>}
 */
export async function violationsOf(page, axeSource) {
  await page.evaluate(axeSource);
  return page.evaluate(async () => {
    const { violations } = await /** @type {any} */ (globalThis).axe.run();
    return violations.flatMap((/** @type {any} */ { id, nodes }) =>
      nodes.map((/** @type {any} */ { target, failureSummary }) => `${id}: ${target} ${failureSummary}`),
    );
  });
}
