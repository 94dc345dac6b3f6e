// tests/demo-browser.js: what tests/demo.test.js and the benchmark need to visit the demo page: a server that sends the
// page's policy and notes what is asked for, browsers, and visits that note what goes wrong.
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

/** Milliseconds: only what hangs takes so long, however busy the machine is. */
const PATIENCE = 120_000;

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
 * What a page that is observed notes.
 * @typedef {object} Observations
 * @property {{ type: string, id?: number }[]} sent by the page to its workers
 * @property {any[]} received from them
 * @property {Moment[]} moments one for each change of what it says of the run
 * @property {Worker[]} workers
 * @property {() => { state: string, step: number }} look at what it says now
 */

/** @typedef {{ state: string, step: number, charts: string }} Moment   charts: their pixels while nothing trains */

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
  if (scheme !== 'light' || reducedMotion) await emulate(page, scheme, reducedMotion);
  await page.evaluateOnNewDocument(observe);
  return { page, troubles };
}

/**
 * What Firefox cannot be told.
 *
 * @param {import('puppeteer-core').Page} page
 * @param {'light' | 'dark'} scheme
 * @param {boolean} reducedMotion
 */
export async function emulate(page, scheme, reducedMotion) {
  await page.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value: scheme },
    { name: 'prefers-reduced-motion', value: reducedMotion ? 'reduce' : 'no-preference' },
  ]);
}

/**
 * Runs in the page before its scripts: notes what goes to and from its workers, and what it says whenever that changes.
 * A global `isBenchmarkStill` keeps benchmarks from running: what they answer is for the test to say.
 */
function observe() {
  /** @type {Observations} */
  const observations = { sent: [], received: [], moments: [], workers: [], look };
  Object.assign(globalThis, { observations });
  globalThis.Worker = class extends Worker {
    /**
     * @param {string | URL} url
     * @param {WorkerOptions} [options]
     */
    constructor(url, options) {
      super(url, options);
      observations.workers.push(this);
      this.addEventListener('message', ({ data }) => observations.received.push(data));
      this.postMessage = (/** @type {any} */ message) => {
        observations.sent.push(message);
        if (message.type !== 'run' || !('isBenchmarkStill' in globalThis)) super.postMessage(message);
      };
    }
  };
  function look() {
    const [state, step] = ['run-state', 'run-step'].map(
      (id) => document.getElementById(id)?.textContent ?? '',
    );
    return { state, step: Number(/[\d,]+/.exec(step)?.[0].replace(',', '')) };
  }
  const note = () => {
    const canvases = look().state === 'training' ? [] : [...document.querySelectorAll('canvas')];
    observations.moments.push({ ...look(), charts: canvases.map((each) => each.toDataURL()).join() });
  };
  document.addEventListener('DOMContentLoaded', () => {
    const options = { childList: true, characterData: true, subtree: true };
    for (const id of ['run-state', 'run-step']) {
      new MutationObserver(note).observe(/** @type {Node} */ (document.getElementById(id)), options);
    }
  });
}

/**
 * What a page says when its worker has answered every command.
 * @typedef {object} Answered
 * @property {string} state
 * @property {number} step
 * @property {number} done steps that the worker had done when it answered
 * @property {Moment[]} moments what the page said since the last clicks
 */

/**
 * Clicks buttons one after another in one task of the page, so that nothing can come between, and waits until the
 * worker has answered.
 *
 * @param {import('puppeteer-core').Page} page
 * @param {string[]} ids
 * @returns {Promise<Answered & { from: number }>} from: the step that was shown when they were clicked
 */
export async function click(page, ...ids) {
  const from = await page.evaluate((ids) => {
    const { moments, look } = /** @type {any} */ (globalThis).observations;
    moments.length = 0;
    const { step } = look();
    for (const id of ids) document.getElementById(id)?.click();
    return step;
  }, ids);
  return { from, ...(await answered(page)) };
}

/**
 * @param {import('puppeteer-core').Page} page
 * @returns {Promise<Answered>}
 */
export async function answered(page) {
  await waitFor(
    'the worker to answer the last command',
    () =>
      page.evaluate(() => {
        const { sent, received } = /** @type {any} */ (globalThis).observations;
        const command = sent.findLast((/** @type {any} */ { id }) => id !== undefined);
        const answer = received.findLast((/** @type {any} */ { type }) => type === 'state');
        return { command, answer };
      }),
    ({ command, answer }) => command?.id === answer?.command,
  );
  return page.evaluate(() => {
    const { received, moments, look } = /** @type {any} */ (globalThis).observations;
    const { state, step } = look();
    const { count } = received.findLast((/** @type {any} */ { type }) => type === 'state');
    return { state, step, done: count, moments };
  });
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
 * @param {string} what is waited for, with what is looked for
 * @param {() => Promise<T>} look
 * @param {(seen: T) => boolean} isThere
 * @param {number} [patience] milliseconds
 * @returns {Promise<T>}
 * @throws {Error} that says what was waited for and what was seen last
 */
export async function waitFor(what, look, isThere, patience = PATIENCE) {
  const end = performance.now() + patience;
  for (;;) {
    const seen = await look();
    if (isThere(seen)) return seen;
    if (performance.now() > end) {
      throw new Error(`waited ${patience / 1000} s for ${what}; last seen: ${JSON.stringify(seen)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/**
 * Waits until the text of an element matches.
 *
 * @param {import('puppeteer-core').Page} page
 * @param {string} selector
 * @param {RegExp} pattern
 * @returns {Promise<string>} the text
 */
export function waitForText(page, selector, pattern) {
  return waitFor(
    `${selector} to say ${pattern}`,
    () => textOf(page, selector),
    (text) => pattern.test(text),
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
  await waitFor(
    `the page to show step ${count} or a later one`,
    () => stepsOf(page),
    (steps) => steps >= count,
  );
}

/**
 * Clicks an element wherever it is: under a mouse it may move away, as a page that is filled shifts.
 *
 * @param {import('puppeteer-core').Page} page
 * @param {string} selector
 */
export function press(page, selector) {
  return page.$eval(selector, (element) => /** @type {HTMLElement} */ (element).click());
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
