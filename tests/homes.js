// tests/homes.js: the conformance suite of homes (web/home.js). What gradients are reduced, inspected and rewritten to does not
// depend on where they live; and their neighbours there stay as they were.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gradNorm, gradReport, NormAccumulator } from 'gradnorm';
import { createRandom } from './accuracy.js';

/** @typedef {Float32Array | { data: Uint16Array, dtype: 'float16' | 'bfloat16' }} Source */

/**
 * Gradients in a home, and a look at them from outside.
 * @template Gradients
 * @typedef {object} Placed
 * @property {Gradients} gradients
 * @property {() => Uint8Array[] | Promise<Uint8Array[]>} read  the bytes of each
 * @property {() => void | Promise<void>} assertNeighbours  fails if a byte beside them was written
 */

/**
 * @template Gradients
 * @typedef {import('../web/home.js').Home<Gradients> & {
 *   put: (sources: (Source | null)[]) => Placed<Gradients>,
 *   bound: (p: number) => number,
 *   isExact: boolean }} TestedHome  the bound is that of norms; exact homes make the partial of JavaScript's arrays, bit for bit
 */

const NORM_TYPES = [1, 2, 3, Infinity];

/** @param {Source} source */
const bytesOf = (source) => {
  const { buffer, byteOffset, byteLength } = 'data' in source ? source.data : source;
  return new Uint8Array(buffer, byteOffset, byteLength);
};

/** Whole fours and every rest, whole blocks and more, and nothing; halves, and a place without a gradient. */
function makeSources() {
  const random = createRandom(7);
  /** @type {(Source | null)[]} */
  const sources = [1, 2, 3, 4, 5, 0, 31, 4096, 4097, 9001].map((length) =>
    new Float32Array(length).map(() => (random() - 0.5) * 2 ** Math.round(random() * 20 - 10)),
  );
  sources.push(null);
  for (const dtype of /** @type {const} */ (['float16', 'bfloat16']))
    for (const length of [1, 7, 4099])
      sources.push({ data: new Uint16Array(length).map(() => 0x2000 + random() * 0x1800), dtype });
  return sources;
}

/** @param {(Source | null)[]} sources */
const present = (sources) => sources.filter((source) => source !== null);

/**
 * @template Gradients
 * @param {TestedHome<Gradients>} home
 */
export function testHome({ put, reduce, inspect, scale, clamp, bound, isExact }) {
  test('a partial is that of the same elements anywhere', async () => {
    const sources = makeSources();
    const { gradients, assertNeighbours } = await put(sources);
    for (const p of NORM_TYPES) {
      const partial = await reduce(gradients, p);
      const expected = new NormAccumulator(p).add(sources);
      if (isExact) assert.deepEqual(partial.toJSON(), expected.toJSON(), `p = ${p}`);
      assert.equal(partial.count, expected.count);
      const error = Math.abs(partial.norm - expected.norm);
      assert.ok(
        error <= (bound(p) + 2 ** -23) * expected.norm,
        `p = ${p}: ${partial.norm}, not ${expected.norm}`,
      );
    }
    await assertNeighbours();
  });

  test('partials merge to that of all, in either order', async () => {
    const sources = makeSources();
    const [all, some, others] = [sources, sources.slice(0, 7), sources.slice(7)].map((list) => put(list));
    for (const p of NORM_TYPES) {
      const whole = await reduce(all.gradients, p);
      const [a, b] = [await reduce(some.gradients, p), await reduce(others.gradients, p)];
      const states = [
        new NormAccumulator(p).merge(a).merge(b).toJSON(),
        new NormAccumulator(p).merge(b).merge(a).toJSON(),
      ];
      if (isExact) for (const state of states) assert.deepEqual(state, whole.toJSON(), `p = ${p}`);
      const [{ norm }, { norm: other }] = states.map((state) => NormAccumulator.fromJSON(state));
      assert.equal(norm, other);
      const error = Math.abs(norm - whole.norm);
      assert.ok(error <= 2 * bound(p) * whole.norm, `p = ${p}: ${norm}, not ${whole.norm}`);
    }
  });

  test('the health of each is told, and who is the first that is not finite', async () => {
    const sources = /** @type {(Float32Array | null)[]} */ (makeSources().slice(0, 11));
    /** @type {Float32Array} */ (sources[8]).set([0, -0, NaN, -Infinity, 7], 3000);
    const { gradients, assertNeighbours } = await put(sources);
    const report = await inspect(gradients, 2);
    const expected = gradReport(sources);
    const counts = (/** @type {typeof report.tensors[0] | typeof report} */ row) => {
      const { elements, max, zeros, nan, inf } = row;
      return { elements, max, zeros, nan, inf };
    };
    assert.deepEqual(counts(report), counts(expected));
    assert.deepEqual(report.tensors.map(counts), expected.tensors.map(counts));
    const { index, value } = report.firstNonfinite ?? assert.fail('none is told');
    assert.deepEqual([index, value], [3002, NaN]);
    for (const [i, { meanAbs }] of report.tensors.entries())
      assert.ok(
        Math.abs(meanAbs - expected.tensors[i].meanAbs) <= 2 ** -21 * expected.tensors[i].meanAbs,
        `mean ${i}`,
      );
    await assertNeighbours();
  });

  test('measuring changes no bit, of NaN neither', async () => {
    const sources = makeSources();
    const [first] = present(sources);
    new Uint32Array(bytesOf(first).buffer, bytesOf(first).byteOffset, 1)[0] = 0x7f800001;
    const { gradients, read } = await put(sources);
    await reduce(gradients, 2);
    await inspect(gradients, 2);
    assert.deepEqual(await read(), present(sources).map(bytesOf));
  });

  test('scaling brings the norm to its limit and writes to no neighbour', async () => {
    const sources = makeSources().slice(0, 11);
    const before = gradNorm(sources);
    for (const share of [0.99, 0.5, 1e-3]) {
      const { gradients, read, assertNeighbours } = await put(sources);
      const norm = await scale(gradients, share * before, { eps: 0 });
      assert.ok(Math.abs(norm - before) <= (bound(2) + 2 ** -23) * before, `${norm}, not ${before}`);
      const after = (await read()).map((bytes) => new Float32Array(bytes.slice().buffer));
      const left = gradNorm(after);
      assert.ok(
        left <= share * before && left >= share * before * (1 - 2 ** -19),
        `${left} of ${share * before}`,
      );
      for (const [k, source] of /** @type {Float32Array[]} */ (present(sources)).entries())
        for (const [i, x] of source.entries()) {
          const error = Math.abs(after[k][i] - x * share);
          assert.ok(error <= 2 ** -19 * Math.abs(x * share), `${k}, ${i}: ${x} became ${after[k][i]}`);
        }
      await assertNeighbours();
    }
  });

  test('halves are scaled to the nearest of their kind, and their neighbours in the same word stay', async () => {
    const sources = makeSources().slice(11);
    const before = gradNorm(sources);
    const { gradients, read, assertNeighbours } = await put(sources);
    await scale(gradients, before / 2, { eps: 0 });
    const after = await read();
    const halved = after.map((bytes, k) => ({
      ...sources[k],
      data: new Uint16Array(bytes.slice().buffer),
    }));
    const left = gradNorm(/** @type {any} */ (halved));
    assert.ok(Math.abs(left - before / 2) <= before * 2 ** -8, `${left} of ${before / 2}`);
    await assertNeighbours();
  });

  test('nothing is written where the norm is not above its limit', async () => {
    const sources = makeSources();
    const { gradients, read } = await put(sources);
    for (const limit of [gradNorm(sources) * 1.001, Infinity]) await scale(gradients, limit);
    assert.deepEqual(await read(), present(sources).map(bytesOf));
  });

  test('clamping writes the limit where it is passed, and to no neighbour', async () => {
    const sources = /** @type {Float32Array[]} */ (makeSources().slice(0, 10));
    const { gradients, read, assertNeighbours } = await put(sources);
    await clamp(gradients, 0.25);
    const expected = sources.map((source) => source.map((x) => Math.min(Math.max(x, -0.25), 0.25)));
    assert.deepEqual(await read(), expected.map(bytesOf));
    await assertNeighbours();
  });

  test('a norm that is not finite is obeyed: skipped, and filled with zeros', async () => {
    const sources = [Float32Array.of(1, NaN, 3), Float32Array.of(4, 5, 6, 7, 8)];
    const { gradients, read, assertNeighbours } = await put(sources);
    assert.ok(Number.isNaN(await scale(gradients, 1, { nonfinite: 'skip' })));
    assert.deepEqual(await read(), sources.map(bytesOf));
    assert.ok(Number.isNaN(await scale(gradients, 1, { nonfinite: 'zero' })));
    assert.ok((await read()).every((bytes) => bytes.every((byte) => byte === 0)));
    await assertNeighbours();
  });

  test('nothing at all has the norm 0 and no rows', async () => {
    const { gradients } = await put([null, null]);
    assert.equal((await reduce(gradients, 2)).norm, 0);
    assert.deepEqual((await inspect(gradients, 2)).tensors, []);
    assert.equal(await scale(gradients, 1), 0);
  });
}
