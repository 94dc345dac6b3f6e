// tests/chromium.js: pages in a fresh headless Chromium, which talk to the test by posting JSON to /results.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { findBrowser } from '../tools/setup.js';
import { makeTemporaryFolder } from './support.js';

/**
 * @typedef {object} Page
 * @property {string} type         of its content
 * @property {string | Uint8Array} body
 */

/**
 * @typedef {object} Visit
 * @property {(path: string) => Page | null} serve   '/' is opened; null: there is nothing of that name
 * @property {(posted: any) => boolean} take   gets what the page posts, and says whether that was all
 * @property {Record<string, string>} [headers]
 * @property {string[]} [flags]   of the browser
 */

/** A page that has nothing to say for so long has died, however busy the machine is. */
const PATIENCE_SECONDS = 300;

/** Characters of what was posted last that a complaint repeats. */
const EXCERPT = 200;

const browser = findBrowser();

/** Why there is nothing to visit with, or false. In CI the set-up has to bring a browser. */
export const skip = browser === null && !process.env.CI ? 'no Chromium found on the PATH' : false;

/**
 * Opens a page and waits until it has posted everything.
 * @param {Visit} visit
 * @returns {Promise<void>}
 * @throws {Error} if there is no browser, or it falls silent
 */
export async function visit({ serve, take, headers = {}, flags = [] }) {
  assert.ok(browser !== null, 'expected Chromium on the PATH');
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  /** @type {import('node:http').Server | undefined} */
  let server;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let chromium;
  try {
    await new Promise((resolve, reject) => {
      const wait = (last = 'nothing') => {
        clearTimeout(timer);
        const waited = `waited ${PATIENCE_SECONDS} s for the page to post its results; last posted: ${last}`;
        timer = setTimeout(() => reject(new Error(waited)), PATIENCE_SECONDS * 1000);
      };
      wait();
      server = createServer(async (request, response) => {
        if (request.url === '/results') {
          let body = '';
          for await (const chunk of request) body += chunk;
          response.end();
          wait(body.slice(0, EXCERPT));
          if (take(JSON.parse(body))) resolve(undefined);
          return;
        }
        const page = serve(/** @type {string} */ (request.url));
        if (page === null)
          response.writeHead(404).end(); // browsers ask for an icon
        else response.writeHead(200, { 'content-type': page.type, ...headers }).end(page.body);
      });
      server.listen(0, '127.0.0.1', () => {
        const { port } = /** @type {import('node:net').AddressInfo} */ (server?.address());
        chromium = start(browser, flags, `http://127.0.0.1:${port}/`);
        chromium.on('error', reject);
      });
    });
  } finally {
    clearTimeout(timer);
    if (chromium !== undefined) await stop(chromium);
    server?.closeAllConnections();
    server?.close();
  }
}

/**
 * @param {string} program
 * @param {string[]} flags
 * @param {string} address
 */
function start(program, flags, address) {
  const all = [
    ...['--headless=new', '--no-sandbox', '--no-first-run', '--disable-quic'],
    ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    `--user-data-dir=${makeTemporaryFolder()}`,
    ...flags,
  ];
  return spawn(program, [...all, address], { detached: true, stdio: 'ignore' });
}

/**
 * Its folder can be removed only when all of it has ended: its parts are in a process group of their own.
 * @param {import('node:child_process').ChildProcess} chromium
 */
async function stop(chromium) {
  const closed = new Promise((resolve) => chromium.on('close', resolve));
  process.kill(-(/** @type {number} */ (chromium.pid)), 'SIGKILL');
  await closed;
}
