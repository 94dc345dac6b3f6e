// tests/homes.test.js: the homes of the CPU, JavaScript's arrays and those of allocGradients, under the conformance suite.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { allocGradients, clipGradNorm, clipGradValue, gradReport, NormAccumulator } from 'gradnorm';
import { promisedBound } from './accuracy.js';
import { testHome } from './homes.js';

/** @typedef {import('./homes.js').Source} Source */

const CANARY = 0xa7;

/** @param {Source} source */
const arrayOf = (source) => ('data' in source ? source.data : source);

/**
 * Each gradient as a view amid canaries: of elements of the same size, so that it begins at any multiple of that.
 * @param {(Source | null)[]} sources
 * @param {(length: number, like: Float32Array | Uint16Array) => Float32Array | Uint16Array} allocate  an array of this length and type
 */
function putAmidCanaries(sources, allocate) {
  /** @type {{ whole: Uint8Array, view: Float32Array | Uint16Array }[]} */
  const placed = [];
  const gradients = sources.map((source, k) => {
    if (source === null) return null;
    const array = arrayOf(source);
    const before = 1 + (k % 4);
    const around = allocate(before + array.length + 5, array);
    const whole = new Uint8Array(around.buffer, around.byteOffset, around.byteLength);
    whole.fill(CANARY);
    const view = around.subarray(before, before + array.length);
    view.set(array);
    placed.push({ whole, view });
    return 'data' in source ? { data: view, dtype: source.dtype } : view;
  });
  const bytesOf = (/** @type {ArrayBufferView} */ { buffer, byteOffset, byteLength }) =>
    new Uint8Array(buffer, byteOffset, byteLength);
  return {
    gradients: /** @type {any} */ (gradients),
    read: () => placed.map(({ view }) => bytesOf(view).slice()),
    assertNeighbours() {
      for (const { whole, view } of placed) {
        const start = view.byteOffset - whole.byteOffset;
        const beside = [...whole.subarray(0, start), ...whole.subarray(start + view.byteLength)];
        assert.ok(
          beside.every((byte) => byte === CANARY),
          `a neighbour of ${view.length} elements was written`,
        );
      }
    },
  };
}

const verbs = {
  reduce: (/** @type {any} */ gradients, /** @type {number} */ p) => new NormAccumulator(p).add(gradients),
  inspect: (/** @type {any} */ gradients, /** @type {number} */ normType) =>
    gradReport(gradients, { normType }),
  scale: clipGradNorm,
  clamp: clipGradValue,
  bound: (/** @type {number} */ p) => promisedBound([new Float32Array(1)], p),
  isExact: true,
};

describe("JavaScript's arrays", () => {
  testHome({
    ...verbs,
    put: (sources) =>
      putAmidCanaries(sources, (length, like) => new /** @type {any} */ (like.constructor)(length)),
  });
});

describe('the arrays of allocGradients', () => {
  testHome({
    ...verbs,
    put: (sources) =>
      putAmidCanaries(sources, (length, like) => {
        const Type = /** @type {any} */ (like.constructor);
        const around = allocGradients(new Type(length));
        assert.ok(around.byteOffset > 0, 'in a memory of the core');
        return around;
      }),
  });
});

describe('both in one list', () => {
  let k = 0;
  testHome({
    ...verbs,
    put: (sources) =>
      putAmidCanaries(sources, (length, like) => {
        const Type = /** @type {any} */ (like.constructor);
        return k++ % 2 === 0 ? new Type(length) : allocGradients(new Type(length));
      }),
  });
});
