// tests/memory.test.js: constant memory. However large the gradients, the module's memory keeps its size.

import assert from 'node:assert/strict';
import { test } from 'node:test';

/** All memories made from here on, by modules or by hand; gradnorm is imported after this. */
const memories = /** @type {Set<WebAssembly.Memory>} */ (new Set());
const { Instance, Memory } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  /**
   * @param {WebAssembly.Module} module
   * @param {WebAssembly.Imports} [imports]
   */
  constructor(module, imports) {
    super(module, imports);
    const owned = [...Object.values(this.exports), ...Object.values(imports ?? {}).flatMap(Object.values)];
    for (const item of owned) if (item instanceof Memory) memories.add(item);
  }
};
WebAssembly.Memory = class extends Memory {
  /** @param {WebAssembly.MemoryDescriptor} descriptor */
  constructor(descriptor) {
    super(descriptor);
    memories.add(this);
  }
};
const { clipGradNorm, clipGradValue, gradNorm, gradReport, NormAccumulator } = await import('gradnorm');

const MAX_MEMORY_BYTES = 2 * 2 ** 20;

/** The bounds that gradNorm states, for whole p: float32 and float64 elements. */
const BOUND_32 = 2 ** -23;
const BOUND_64 = 2 ** -48;

/** @returns {number}  bytes of the one memory there is */
function memoryBytes() {
  const [memory] = memories;
  assert.equal(memories.size, 1);
  return memory.buffer.byteLength;
}

/**
 * @param {number} norm
 * @param {number} exact
 * @param {number} bound
 */
function assertWithin(norm, exact, bound) {
  assert.ok(Math.abs(norm - exact) <= bound * exact, `${norm} is not within ${bound} of ${exact}`);
}

test('before the first call there is no memory at all', () => {
  assert.equal(memories.size, 0);
});

test('the memory is at most 2 MiB, and stays so for 512 MiB of gradients in one array and in a list', (t) => {
  gradNorm(null);
  const bytes = memoryBytes();
  assert.ok(bytes <= MAX_MEMORY_BYTES, `${bytes} bytes`);
  t.diagnostic(`WebAssembly memory: ${bytes} bytes`);

  // 2^27 elements of 1/8: p = 1 gives 2^24, p = 2 gives sqrt(2^27 / 2^6) = 2^10.5.
  const elements = 2 ** 27;
  const gradient = new Float32Array(elements).fill(1 / 8);
  assertWithin(gradNorm(gradient, 1), 2 ** 24, BOUND_32);
  assertWithin(gradNorm(gradient), 2 ** 10.5, BOUND_32);
  assert.equal(gradNorm(gradient, Infinity), 1 / 8);
  assert.equal(memoryBytes(), bytes);

  // The same elements as a list of 1000 arrays of 134217 or 134218.
  const cuts = Array.from({ length: 1001 }, (_, i) => Math.floor((i * elements) / 1000));
  const parts = cuts.slice(1).map((end, i) => gradient.subarray(cuts[i], end));
  assertWithin(gradNorm(parts), 2 ** 10.5, BOUND_32);
  assert.equal(memoryBytes(), bytes);

  // And as 2^26 equal doubles.
  const doubles = new Float64Array(gradient.buffer);
  assertWithin(gradNorm(doubles, 1), doubles[0] * 2 ** 26, BOUND_64);
  assertWithin(gradNorm([doubles]), doubles[0] * 2 ** 13, BOUND_64);
  assert.equal(memoryBytes(), bytes);
});

test('reports, accumulators and clipping of 512 MiB do not grow it, nor do halves and integers', () => {
  gradNorm(null);
  const bytes = memoryBytes();
  const gradient = new Float32Array(2 ** 27).fill(1 / 8);
  const { norm, elements, max, meanAbs } = gradReport([gradient]);
  assertWithin(norm, 2 ** 10.5, BOUND_32);
  assert.deepEqual({ elements, max, meanAbs }, { elements: 2 ** 27, max: 1 / 8, meanAbs: 1 / 8 });
  assertWithin(new NormAccumulator().add(gradient).norm, 2 ** 10.5, BOUND_32);
  assert.equal(memoryBytes(), bytes);

  assertWithin(clipGradNorm(gradient, 2 ** 9.5, { eps: 0 }), 2 ** 10.5, BOUND_32);
  // The factor leaves room for rounding below the limit.
  assertWithin(gradient[2 ** 27 - 1], 1 / 16, 4 * BOUND_32);
  clipGradValue(gradient, 2 ** -5);
  assert.equal(gradNorm(gradient, Infinity), 2 ** -5);
  assert.equal(memoryBytes(), bytes);

  const halves = {
    data: new Uint16Array(gradient.buffer).fill(0x3c00),
    dtype: /** @type {const} */ ('float16'),
  };
  assertWithin(gradNorm(halves), 2 ** 14, BOUND_32);
  assertWithin(clipGradNorm(halves, 2 ** 13, { eps: 0 }), 2 ** 14, BOUND_32);
  assert.equal(gradNorm(halves, Infinity), 0.5);
  const integers = new Int8Array(gradient.buffer).fill(-2);
  assertWithin(gradNorm([integers], 1), 2 ** 30, BOUND_32);
  assert.equal(memoryBytes(), bytes);
});

test('a million small tensors do not grow it either', () => {
  gradNorm(null);
  const bytes = memoryBytes();
  const thousand = Array.from({ length: 1000 }, () => Float32Array.of(1, -1));
  assert.equal(gradNorm(new Array(1000).fill(thousand), 1), 2e6);
  assert.equal(memoryBytes(), bytes);
});

test('1e8 elements streamed once: the norms within 2^-23, the memory unchanged', () => {
  gradNorm(null);
  const bytes = memoryBytes();
  // 64e6 threes and 36e6 sevens and a half, each with both signs, in blocks of 1e6:
  //   p = 1: 192e6 + 270e6 = 462e6;   p = 2: sqrt(24000^2 + 45000^2) = 51000;
  //   p = 4: (64e6 * 81 + 36e6 * 3164.0625)^(1/4) = (1.1909025e11)^(1/4)
  const ofValue = (/** @type {number} */ value) =>
    Float32Array.from({ length: 1e6 }, (_, i) => (i % 3 === 0 ? -value : value));
  const threes = ofValue(3);
  const sevensAndAHalf = ofValue(7.5);
  let elements = 0;
  function* stream() {
    for (let i = 0; i < 100; ++i) {
      const block = i % 25 < 16 ? threes : sevensAndAHalf;
      elements += block.length;
      yield block;
    }
  }
  /** @type {[p: number, exact: number][]} */
  const NORMS = [
    [1, 462e6],
    [2, 51000],
    [4, 1.1909025e11 ** 0.25],
    [Infinity, 7.5],
  ];
  for (const [p, exact] of NORMS) {
    elements = 0;
    assertWithin(gradNorm(stream(), p), exact, BOUND_32);
    assert.equal(elements, 1e8);
    assert.equal(memoryBytes(), bytes);
  }
});
