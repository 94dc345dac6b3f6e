// tests/bench/page.js: how fast the demo page starts and trains, in each browser that there is. Needs the development
// packages of the root.

import { buildDemo } from '../../tools/demo.js';
import { findBrowser, findFirefox } from '../../tools/setup.js';
import { launch, openPage, serveDemoFolder, stepsOf, waitForSteps } from '../demo-browser.js';

/**
 * @typedef {object} PageFigures
 * @property {number} stepsPerSecond
 * @property {number} content       milliseconds until there is something to see, the best of all loads: a browser that
 *     has run before is what a visitor has
 * @property {number} interactive   milliseconds until everything listens, likewise
 * @property {number | undefined} longestTask   milliseconds on the main thread while it trains; undefined: the browser
 *     does not tell
 */

/** @typedef {{ browser: string } & (PageFigures | { reason: string })} PageResult */

/** The first steps run code that is not compiled yet. */
const WARM_UP_STEPS = 20;

/**
 * @param {boolean} quick
 * @param {(text: string) => void} onProgress
 * @returns {Promise<{ results: PageResult[], missing: string[] }>} missing: browsers that are not there
 */
export async function measurePage(quick, onProgress) {
  const browsers = /** @type {const} */ ([
    { name: 'Chromium', kind: 'chrome', path: findBrowser() },
    { name: 'Firefox', kind: 'firefox', path: findFirefox() },
  ]);
  const there = browsers.filter(({ path }) => path !== null);
  const missing = browsers.filter(({ path }) => path === null).map(({ name }) => name);
  /** @type {PageResult[]} */
  const results = [];
  if (there.length > 0) await buildDemo();
  for (const { name, kind, path } of there) {
    onProgress(name);
    try {
      const figures = await measureIn(kind, /** @type {string} */ (path), quick ? [1, 40] : [3, 300]);
      results.push({ browser: name, ...figures });
    } catch (error) {
      results.push({
        browser: name,
        reason: `failed: ${/** @type {Error} */ (error).message.split('\n')[0]}`,
      });
    }
  }
  return { results, missing };
}

/**
 * @param {'chrome' | 'firefox'} kind
 * @param {string} path
 * @param {number[]} amounts   of loads, and of steps in the last of them
 * @returns {Promise<PageFigures>}
 */
async function measureIn(kind, path, [loads, steps]) {
  const server = await serveDemoFolder();
  const browser = await launch(kind, path);
  try {
    /** @type {{ content: number, interactive: number }[]} */
    const starts = [];
    for (let load = 1; load < loads; load++) starts.push((await measureLoad(browser, server.url, 1)).start);
    const { start, stepsPerSecond, longestTask } = await measureLoad(browser, server.url, steps);
    starts.push(start);
    const best = (/** @type {'content' | 'interactive'} */ name) =>
      Math.min(...starts.map((each) => each[name]));
    return { stepsPerSecond, content: best('content'), interactive: best('interactive'), longestTask };
  } finally {
    await browser.close();
    server.close();
  }
}

/**
 * @param {import('puppeteer-core').Browser} browser
 * @param {string} url
 * @param {number} steps
 */
async function measureLoad(browser, url, steps) {
  const { page } = await openPage(browser, url);
  await page.evaluateOnNewDocument(observeLongTasks);
  await page.goto(url);
  await waitForSteps(page, WARM_UP_STEPS);
  const [from, begin] = [await stepsOf(page), performance.now()];
  await waitForSteps(page, from + steps);
  const stepsPerSecond = (1000 * ((await stepsOf(page)) - from)) / (performance.now() - begin);
  const { start, tasks } = await page.evaluate(() => {
    const [paint] = performance.getEntriesByName('first-contentful-paint');
    const [interactive] = performance.getEntriesByName('interactive');
    const start = { content: paint.startTime, interactive: interactive.startTime };
    return { start, tasks: /** @type {any} */ (globalThis).longTasks };
  });
  await page.close();
  /** @type {{ start: number, duration: number }[] | undefined} */
  const training = tasks?.filter((/** @type {{ start: number }} */ task) => task.start >= start.interactive);
  const longestTask = training && Math.max(0, ...training.map(({ duration }) => duration));
  return { start, stepsPerSecond, longestTask };
}

/** Runs in the page before its scripts: notes tasks above 50 ms, where the browser tells. */
function observeLongTasks() {
  if (!PerformanceObserver.supportedEntryTypes.includes('longtask')) return;
  const longTasks = /** @type {{ start: number, duration: number }[]} */ ([]);
  Object.assign(globalThis, { longTasks });
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) longTasks.push({ start: startTime, duration });
  }).observe({ type: 'longtask', buffered: true });
}
