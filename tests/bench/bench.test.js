// tests/bench/bench.test.js: the pure parts of the benchmark. (child.test.js tests its processes,
// reference.test.js its reference norm.)

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SPEED_TARGETS, makeCases, sizeName } from './cases.js';
import { checksum, gpt2Lengths, gpt2Parameters, makeTensors } from './data.js';
import { eightAccumulatorNorm, plainNorm, powNorm } from './loops.js';
import { parseOptions } from './options.js';
import { OURS, makeContenders } from './peers.js';
import { median, quantile, spread, takesTurn } from './statistics.js';
import { alignedTable, bar, formatTime, markdownTable, threeDigits } from './table.js';
import { judge } from './targets.js';

test('median and quantiles interpolate between order statistics and leave the samples alone', () => {
  const samples = [10, 2, 9, 1];
  assert.equal(median(samples), 5.5);
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(quantile([1, 2, 3, 4, 5], 0.25), 2);
  assert.equal(quantile([1, 2], 1), 2);
  assert.equal(spread([1, 2, 3, 4, 5]), 2 / 3);
  assert.ok(Number.isNaN(median([])));
  assert.deepEqual(samples, [10, 2, 9, 1]);
});

test('a contender with k of n turns takes exactly k, no two of them more than n / k + 1 rounds apart', () => {
  for (const rounds of [1, 5, 25]) {
    for (let share = 1; share <= rounds; share++) {
      const taken = Array.from({ length: rounds }, (_, round) => round).filter((round) =>
        takesTurn(round, share, rounds),
      );
      assert.equal(taken.length, share);
      taken.slice(1).forEach((round, index) => assert.ok(round - taken[index] < rounds / share + 1));
    }
  }
});

test('tables: columns line up, Markdown escapes its bars', () => {
  /** @type {import('./table.js').Column[]} */
  const columns = [{ title: 'name' }, { title: 'ms', align: 'right' }];
  assert.equal(
    alignedTable(columns, [
      ['a', '1.00'],
      ['bcdef', '12'],
    ]),
    'name     ms\n-----  ----\na      1.00\nbcdef    12',
  );
  assert.equal(markdownTable(columns, [['a|b', '1']]), '| name | ms |\n| --- | --: |\n| a\\|b | 1 |');
});

test('bars are proportional to an eighth of a cell', () => {
  assert.equal(bar(10, 10, 4), '████');
  assert.equal(bar(5, 10, 4), '██');
  assert.equal(bar(1, 32, 4), '▏');
  assert.equal(bar(0, 10, 4), '');
});

test('numbers have three digits, times a fitting unit', () => {
  assert.deepEqual([0, 0.00123, 0.0999, 1, 9.999, 99.95, 1234, NaN].map(threeDigits), [
    '0',
    '0.00123',
    '0.0999',
    '1.00',
    '10.0',
    '100',
    '1230',
    '-',
  ]);
  assert.deepEqual([12, 1500, 2.5e6, 999.6e6, 3e9].map(formatTime), [
    '12.0 ns',
    '1.50 us',
    '2.50 ms',
    '1.00 s',
    '3.00 s',
  ]);
});

test('data: the same seed gives the same bits however the list is cut, another seed others', () => {
  const whole = makeTensors([1000]);
  const parts = makeTensors([1, 0, 600, 399]);
  assert.equal(checksum(whole), checksum(parts));
  assert.deepEqual(
    parts.map((tensor) => tensor.length),
    [1, 0, 600, 399],
  );
  assert.notEqual(checksum(whole), checksum(makeTensors([1000], 2)));
  assert.equal(checksum(whole), 0x940264f5);
});

test('data: nonzero magnitudes lie in 2^-36 .. 2^-6, with both signs', () => {
  const [tensor] = makeTensors([10000]);
  const magnitudes = tensor.filter((value) => value !== 0).map(Math.abs);
  assert.ok(Math.min(...magnitudes) >= 2 ** -36 && Math.max(...magnitudes) <= 2 ** -6);
  assert.ok(tensor.some((value) => value < 0) && tensor.some((value) => value > 0));
});

test('GPT-2 small has 148 tensors and 124,439,808 elements', () => {
  const lengths = gpt2Lengths();
  assert.equal(lengths.length, 148);
  assert.equal(
    lengths.reduce((sum, length) => sum + length, 0),
    124439808,
  );
  assert.equal(new Set(gpt2Parameters().map(({ name }) => name)).size, 148);
});

test('cases: quick and full runs have the same ids, and names tell the true sizes', () => {
  assert.deepEqual(
    makeCases(true).map(({ id }) => id),
    makeCases(false).map(({ id }) => id),
  );
  assert.deepEqual([sizeName(2 ** 16), sizeName(2 ** 24)], ['64k', '16M']);
  for (const { name, lengths } of makeCases(true)) {
    const [shape] = name.split(' p=');
    if (lengths.length === 1) assert.equal(shape, sizeName(lengths[0]));
  }
});

test('every target names a case and a contender that can do it', () => {
  const contenders = makeContenders('');
  for (const { id, peer } of SPEED_TARGETS) {
    const benchCase = makeCases(false).find((candidate) => candidate.id === id);
    const contender = contenders.find(({ name }) => name === peer);
    assert.ok(benchCase && contender, `${id}: ${peer}`);
    assert.equal(contender.refuses(benchCase), '');
  }
});

test('the loops are right: 3-4-12 vectors in pieces of every length around 8', () => {
  for (let zeros = 0; zeros < 20; zeros++) {
    const tensors = [
      new Float32Array([3, ...Array(zeros).fill(0), -4]),
      new Float32Array(0),
      Float32Array.of(-12),
    ];
    assert.equal(plainNorm(tensors, 2), 13);
    assert.equal(plainNorm(tensors, 1), 19);
    assert.equal(plainNorm(tensors, Infinity), 12);
    assert.equal(eightAccumulatorNorm(tensors), 13);
    assert.equal(powNorm(tensors, 2), 13);
  }
});

/**
 * @param {string} id
 * @param {...[string, number, number]} figures name, ratio and relative error
 * @returns {import('./measure.js').CaseResult}
 */
function caseResult(id, ...figures) {
  const rows = figures.map(([name, ratio, relativeError]) => {
    const rest = { nanoseconds: 1, spread: 0, gigabytesPerSecond: 1, value: 1, samples: [] };
    return {
      name,
      figures: { ...rest, ratio, ratioQuartiles: /** @type {[number, number]} */ ([1, 1]), relativeError },
    };
  });
  return { id, name: id, tensors: 1, elements: 1, rows };
}

test('targets: pass, MISS, not measured without figures, not judged if quick', () => {
  const reached = [caseResult('large p=1', [OURS, 1, 0], ['plain JS loop', 5, 0])];
  const missed = [caseResult('large p=1', [OURS, 1, 2 ** -22], ['plain JS loop', 4.9, 0])];
  const failed = [caseResult('large p=1')];
  /** @type {(...inputs: Parameters<typeof judge>) => string[]} */
  const marks = (...inputs) => judge(...inputs).map(({ mark }) => mark);
  assert.deepEqual(marks(reached, undefined, false), ['pass', 'pass']);
  assert.deepEqual(marks(missed, undefined, false), ['MISS', 'MISS']);
  assert.deepEqual(marks(missed, undefined, true), ['not judged', 'MISS']);
  assert.deepEqual(marks(failed, { reason: 'failed' }, false), [
    'not measured',
    'not measured',
    'not measured',
  ]);
});

test('options: a bad one throws one line that names it', () => {
  assert.equal(parseOptions([]).rounds, 25);
  assert.equal(parseOptions(['--quick']).rounds, 5);
  assert.deepEqual(parseOptions(['--case', 'p=2', '--case', '64k']).filters, ['p=2', '64k']);
  for (const rounds of ['0', '-1', '1.5', 'many', ''])
    assert.throws(() => parseOptions([`--rounds=${rounds}`]), /--rounds/);
  assert.throws(() => parseOptions(['--fast']), /--fast/);
  assert.throws(() => parseOptions(['quickly']), /quickly/);
});
