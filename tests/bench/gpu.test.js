// tests/bench/gpu.test.js: the GPU benchmark's own arithmetic: times of overlapping passes, sizes, options, verdicts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeShapes } from './gpu/cases.js';
import { busyTime, timeBetween } from './gpu/clock.js';
import { parseOptions } from './gpu/options.js';
import { judge } from './gpu/report.js';

const pass = (/** @type {number} */ begin, /** @type {number} */ end) => ({ begin, end });

test('busyTime counts a moment once, however many passes run in it, and no gap', () => {
  assert.equal(busyTime([]), 0);
  assert.equal(busyTime([pass(5, 9)]), 4);
  assert.equal(busyTime([pass(0, 10), pass(20, 25)]), 15);
  assert.equal(busyTime([pass(0, 10), pass(5, 12), pass(6, 7)]), 12);
  assert.equal(busyTime([pass(20, 30), pass(0, 21)]), 30);
});

test('timeBetween is from the end of the first pass to the end of the last, unknown for fewer than two', () => {
  assert.equal(timeBetween([pass(0, 3), pass(4, 50)]), 47);
  assert.ok(Number.isNaN(timeBetween([pass(0, 3)])));
});

test('sizes are reduced on software only, with a reason; --sizes and --full override that', () => {
  const names = (/** @type {string[]} */ words, /** @type {boolean} */ isSoftware) =>
    makeShapes(parseOptions(words), isSoftware).shapes.map(({ name }) => name);
  assert.deepEqual(names([], false), ['1 MiB', '64 MiB', '1000 MiB', '2000 x 512', 'GPT-2 small']);
  assert.deepEqual(names(['--full'], true), names([], false));
  assert.deepEqual(names(['--sizes', '2,3'], true).slice(0, 2), ['2 MiB', '3 MiB']);
  assert.deepEqual(makeShapes(parseOptions([]), false).notes, []);
  assert.match(makeShapes(parseOptions([]), true).notes[0], /software/);
  const [, , , list, gpt2] = makeShapes(parseOptions([]), false).shapes;
  assert.deepEqual([list.lengths.length, gpt2.lengths.length], [2000, 148]);
  assert.equal(
    gpt2.lengths.reduce((sum, length) => sum + length, 0),
    124_439_808,
  );
});

test('options: wrong ones are named', () => {
  assert.throws(() => parseOptions(['--sizes', '1,x']), {
    message: "--sizes is '1,x'; expected whole numbers > 0",
  });
  assert.throws(() => parseOptions(['--rounds', '0']), { message: /^--rounds is '0'/ });
  assert.throws(() => parseOptions(['--nonsense']), { message: /nonsense/ });
});

test('targets: met, missed, not measured; on software never judged', () => {
  const results = (/** @type {number} */ share, /** @type {number} */ ratio) =>
    /** @type {any} */ ([
      {
        name: '1000 MiB',
        rows: [
          { name: 'gradnorm p=2', share },
          { name: 'tfjs-webgpu p=2', ratio: { wall: ratio } },
        ],
      },
    ]);
  const marks = (/** @type {any} */ given, isSoftware = false) =>
    judge(given, isSoftware).map(({ mark }) => mark);
  assert.deepEqual(marks(results(0.8, 10)), ['ok', 'ok']);
  assert.deepEqual(marks(results(0.79, 9.9)), ['MISS', 'MISS']);
  assert.deepEqual(marks([]), ['not measured', 'not measured']);
  assert.deepEqual(marks(results(0.1, 1), true), ['not judged', 'not judged']);
});
