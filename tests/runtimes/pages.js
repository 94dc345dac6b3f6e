// tests/runtimes/pages.js: built pages in browsers, served as a strict site would serve them, and what their titles say.
import { createServer } from 'node:http';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { findBrowser, findFirefox } from '../../tools/setup.js';

/** The least that WebAssembly needs. */
export const STRICT = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src data:";

const TYPES = /** @type {Record<string, string>} */ ({
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
});

/** Milliseconds that no page takes that will ever say something. */
const PATIENCE = 300_000;

/** @typedef {'chromium' | 'firefox'} BrowserName */

/** @type {Map<BrowserName, Promise<import('puppeteer-core').Browser>>} */
const browsers = new Map();

/** @param {BrowserName} name */
export const pathOf = (name) => (name === 'firefox' ? findFirefox() : findBrowser());

/** @param {BrowserName} name */
function launch(name) {
  const executablePath = pathOf(name);
  if (executablePath === null) throw new Error(`expected ${name} on the PATH`);
  return puppeteer.launch({
    browser: name === 'firefox' ? 'firefox' : 'chrome',
    executablePath,
    headless: true,
    args: name === 'firefox' ? [] : ['--no-sandbox', '--no-first-run'],
  });
}

/** Ends those that were started. */
export async function closeBrowsers() {
  for (const browser of browsers.values()) await (await browser).close();
  browsers.clear();
}

/**
 * What the title of a page becomes.
 * @param {string} url
 * @param {BrowserName} [name]
 * @returns {Promise<string>}
 */
export async function titleOf(url, name = 'chromium') {
  let browser = browsers.get(name);
  if (browser === undefined) browsers.set(name, (browser = launch(name)));
  const page = await (await browser).newPage();
  /** @type {string[]} */
  const told = [];
  page.on('console', (message) => told.push(message.text()));
  page.on('pageerror', (error) => told.push(String(error)));
  try {
    await page.goto(url, { timeout: PATIENCE });
    const end = Date.now() + PATIENCE;
    for (;;) {
      const title = await page.title();
      if (title !== 'waiting' && title !== '') return title;
      if (Date.now() > end || told.some((line) => /^(\w*Error|Refused)/.test(line)))
        throw new Error(`the page said nothing but:\n${told.join('\n')}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  } finally {
    await page.close();
  }
}

/**
 * Serves a folder under a policy while it is used.
 * @template T
 * @param {string} folder
 * @param {string} policy
 * @param {(address: string) => Promise<T>} use
 * @returns {Promise<T>}
 */
export async function serving(folder, policy, use) {
  const server = createServer((request, response) => {
    const path = join(folder, new URL(request.url ?? '/', 'http://localhost').pathname);
    const file = existsSync(path) && statSync(path).isDirectory() ? join(path, 'index.html') : path;
    if (!existsSync(file)) return void response.writeHead(404).end();
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { 'content-type': type, 'content-security-policy': policy });
    response.end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  try {
    return await use(`http://127.0.0.1:${port}/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
