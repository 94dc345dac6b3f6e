// tests/browser.test.js: the built entries in Chromium, under a Content Security Policy without 'unsafe-eval':
// in a page, in module workers that share the work, and with the WebAssembly in a file of its own. And what Node.js
// 20 has not: Float16Array.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { before, test } from 'node:test';
import { skip, visit } from './chromium.js';
import { ROOT } from './support.js';

const POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' };

/** Programs that make the same gradients wherever they run: six tensors of several types and blocks. */
const MAKE_GRADIENTS = `
  const makeGradients = () => [10000, 1, 4097, 70000, 0, 9000].map((length, k) => {
    const numbers = Array.from({ length }, (_, i) => ((i * 7919 + k) % 1009) - 504);
    if (k === 2) return { data: Uint16Array.from(numbers, (x) => 0x3c00 + x), dtype: 'float16' };
    if (k === 3) return Int16Array.from(numbers);
    return k === 5 ? Float64Array.from(numbers, (x) => x / 777) : Float32Array.from(numbers, (x) => x / 777);
  });`;

const SHARD_NORM_TYPES = [0.5, 1, 2, 2.7, Infinity];

/** @type {Record<string, string>} */
const PAGES = {
  '/': '<!doctype html><meta charset="utf-8"><title>gradnorm</title><script type="module" src="/page.js"></script>',
  '/page.js': `
    import { clipGradNorm, clipGradValue, gradNorm, gradReport, NormAccumulator } from '/dist/gradnorm.js';
    import * as slim from '/dist/slim.js';
    ${MAKE_GRADIENTS}
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

    // The partial of a worker of its own for each half of the list, merged as they come.
    const shard = (k) => new Promise((resolve, reject) => {
      const worker = new Worker('/shard.js', { type: 'module' });
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = () => reject(new Error('a shard failed'));
      worker.postMessage(k);
    });
    const totals = ${JSON.stringify(SHARD_NORM_TYPES.map(String))}.map((p) => new NormAccumulator(Number(p)));
    await Promise.all([0, 1].map(async (k) => {
      const states = await shard(k);
      totals.forEach((total, i) => total.merge(NormAccumulator.fromJSON(states[i])));
    }));
    results.merged = totals.map(({ norm }) => norm.toString(16));
    results.oneThread = totals.map(({ normType }) => gradNorm(makeGradients(), normType).toString(16));
    results.counts = totals.map(({ count }) => count);

    if ('Float16Array' in globalThis) {
      const values = new Float16Array(Uint16Array.from({ length: 65536 }, (_, bits) => bits).buffer);
      const single = new Float16Array(1);
      const wrong = (p) => [...values].filter((value) => {
        single[0] = value;
        return !Object.is(gradNorm(single, p), Math.abs(value));
      }).length;
      const finite = values.filter(Number.isFinite);
      const bits = (array) => ({ data: new Uint16Array(array.buffer), dtype: 'float16' });
      const factor = 0.3;
      const scaled = finite.slice();
      clipGradNorm(scaled, gradNorm(finite) * factor, { eps: 0 });
      const clamped = finite.slice();
      clipGradValue(clamped, 0.1);
      const limit = Math.f16round(0.1);
      const buffer = new Float16Array(2).buffer;
      const lost = new Float16Array(buffer);
      structuredClone(buffer, { transfer: [buffer] });
      results.float16Array = {
        elements: finite.length,
        wrong: [0.5, 1, 2, 3, Infinity].map(wrong),
        norms: [0.5, 1, 2, 2.7, 3, Infinity].map((p) => [gradNorm(finite, p), gradNorm(bits(finite), p)]),
        nan: String(gradNorm({ w: { grad: values } })),
        long: gradNorm([new Float16Array(300001).fill(1), { grad: Float16Array.of(2) }], 1),
        scaledWrong: scaled.filter((x, i) => !Object.is(x, Math.f16round(finite[i] * factor))).length,
        clampedWrong: clamped.filter((x, i) =>
          !Object.is(x, Math.abs(finite[i]) > limit ? Math.sign(finite[i]) * limit : finite[i])).length,
        report: gradReport({ w: Float16Array.of(0, -3, NaN, 1) }).toJSON(),
        count: new NormAccumulator(1).add(Float16Array.of(1, 2)).count,
        aliased: attempt(() => clipGradNorm([lost.constructor.of(1), values.subarray(0, 2), values.subarray(1)], 1)),
        detached: attempt(() => gradNorm({ w: lost })),
        inRecord: attempt(() => gradNorm({ w: { data: Float16Array.of(1), dtype: 'float16' } })),
        badData: attempt(() => gradNorm({ w: { data: Float16Array.of(1), dtype: 'bfloat16' } })),
      };
    }
    await fetch('/results', { method: 'POST', body: JSON.stringify(results) });`,
  '/shard.js': `
    import { NormAccumulator } from '/dist/gradnorm.js';
    ${MAKE_GRADIENTS}
    onmessage = ({ data: k }) => {
      const half = makeGradients().filter((_, i) => i % 2 === k);
      postMessage(${JSON.stringify(SHARD_NORM_TYPES.map(String))}.map((p) => {
        const accumulator = new NormAccumulator(Number(p));
        for (const gradient of half) accumulator.add(gradient);
        return accumulator.toJSON();
      }));
    };`,
  '/worker.js': `
    import { gradNorm } from '/dist/gradnorm.js';
    postMessage(gradNorm(Float32Array.of(5, 12)));`,
};

/** @type {Record<string, unknown>} */
let results;
before(async () => {
  if (skip) return;
  await visit({
    serve(path) {
      if (!(path in PAGES) && !path.startsWith('/dist/')) return null;
      const type = TYPES[/** @type {keyof typeof TYPES} */ (extname(path) || '.html')];
      return { type, body: path.startsWith('/dist/') ? readFileSync(join(ROOT, path)) : PAGES[path] };
    },
    headers: { 'content-security-policy': POLICY },
    flags: ['--disable-gpu'],
    take(posted) {
      results = posted;
      return true;
    },
  });
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

test(
  'Chromium: the partials of two module workers merge to the bits of one thread, and of Node.js',
  { skip },
  async () => {
    const { gradNorm } = await import('gradnorm');
    /** @type {import('gradnorm').Gradients} */
    const gradients = new Function(`${MAKE_GRADIENTS} return makeGradients();`)();
    const here = SHARD_NORM_TYPES.map((p) => gradNorm(gradients, p).toString(16));
    assert.deepEqual(results.merged, here);
    assert.deepEqual(results.oneThread, here);
    assert.deepEqual(
      results.counts,
      here.map(() => 93_098),
    );
  },
);

test('Chromium: a Float16Array is a gradient, in all of its 65536 patterns', { skip }, (t) => {
  const results16 = /** @type {Record<string, any> | undefined} */ (results.float16Array);
  if (results16 === undefined) return t.skip('this Chromium has no Float16Array');
  const { elements, wrong, norms, nan, long, count } = results16;
  assert.deepEqual(
    { elements, wrong, nan, long, count },
    {
      elements: 63_488,
      wrong: [0, 0, 0, 0, 0],
      nan: 'NaN',
      long: 300_003,
      count: 2,
    },
  );
  assert.equal(norms.length, 6);
  for (const [ofArray, ofBits] of norms) {
    assert.equal(ofArray, ofBits);
    assert.ok(ofArray >= 65504, `${ofArray}`);
  }
});

test("Chromium: clipping writes a Float16Array with the engine's own rounding", { skip }, (t) => {
  const results16 = /** @type {Record<string, any> | undefined} */ (results.float16Array);
  if (results16 === undefined) return t.skip('this Chromium has no Float16Array');
  assert.deepEqual([results16.scaledWrong, results16.clampedWrong], [0, 0]);
});

test('Chromium: reports and errors know a Float16Array by its name', { skip }, (t) => {
  const results16 = /** @type {Record<string, any> | undefined} */ (results.float16Array);
  if (results16 === undefined) return t.skip('this Chromium has no Float16Array');
  const [{ name, dtype, zeros, nan, max }] = results16.report.tensors;
  assert.deepEqual(
    { name, dtype, zeros, nan, max },
    { name: 'w', dtype: 'float16', zeros: 1, nan: 1, max: 3 },
  );
  assert.deepEqual(results16.report.firstNonfinite, { tensor: 'w', index: 2, value: 'NaN' });
  assert.equal(
    results16.aliased,
    'TypeError: gradients[2] overlaps gradients[1] in memory; ' +
      'to be clipped, expected gradients that share all of their memory or none',
  );
  assert.equal(
    results16.detached,
    'TypeError: gradients.w is a Float16Array on a detached buffer; expected one that can be read',
  );
  assert.equal(results16.inRecord, 1);
  assert.equal(
    results16.badData,
    'TypeError: gradients.w.data is a Float16Array; expected a Uint16Array of the bits of bfloat16 elements',
  );
});
