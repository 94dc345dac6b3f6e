// tests/bench/bench.test.js: the pure parts of the benchmark. (child.test.js tests its processes,
// reference.test.js its reference norm.)

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RESIDENT, TARGETS, makeCases, roundsFactor, sizeName } from './cases.js';
import { checksum, gpt2Lengths, gpt2Parameters, makeTensors } from '../../web/demo/measure/data.js';
import {
  decodingNorm,
  decodingTable,
  eightAccumulatorNorm,
  plainClip,
  plainNorm,
  plainReport,
  powNorm,
  tableNorm,
  unrolledClip,
} from '../../web/demo/measure/loops.js';
import { parseOptions } from './options.js';
import { BEFORE, OURS, makeContenders, takesPart } from './peers.js';
import { referenceNorm, relativeDifference } from '../../web/demo/measure/reference.js';
import { summaryTables } from './report.js';
import { median, orderOf, quantile, spread, takesTurn } from '../../web/demo/measure/statistics.js';
import { alignedTable, bar, formatTime, markdownTable, threeDigits } from './table.js';
import { judge } from './targets.js';
import { makeRoutine } from './task.js';

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

test('rounds: everybody once, first in turns, next to the same two in both orders, never twice in a row', () => {
  const rounds = Array.from({ length: 10 }, (_, round) => orderOf(['a', 'b', 'c', 'd', 'e'], round));
  for (const order of rounds) assert.deepEqual([...order].sort(), ['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(rounds.map(([first]) => first).join(''), 'abbccddeea');
  const turns = rounds.flat().join('');
  assert.doesNotMatch(turns, /(.)\1/);
  assert.equal(turns.split('ab').length, turns.split('ba').length);
});

test('the command has to be half as fast as cat, and is not judged on a small file or where it was not measured', () => {
  const timing = (/** @type {number} */ milliseconds) => ({
    milliseconds,
    spread: 0,
    samples: [milliseconds],
  });
  const markOf = (/** @type {import('./command.js').CommandResult} */ command, quick = false) =>
    judge([], undefined, quick, [], command).map(({ measured, mark }) => `${measured} ${mark}`);
  assert.deepEqual(markOf({ bytes: 1, ours: timing(200), cat: timing(100) }), ['0.500 pass']);
  assert.deepEqual(markOf({ bytes: 1, ours: timing(201), cat: timing(100) }), ['0.498 MISS']);
  assert.deepEqual(markOf({ bytes: 1, ours: timing(900), cat: timing(100) }, true), ['0.111 not judged']);
  assert.deepEqual(markOf({ reason: 'failed' }), ['- not measured']);
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
  assert.notEqual(checksum(whole), checksum(makeTensors([1000], 'float32', 2)));
  assert.equal(checksum(whole), 0x940264f5);
});

test('data: nonzero magnitudes lie in 2^-36 .. 2^-6, with both signs', () => {
  const [tensor] = makeTensors([10000]);
  const magnitudes = tensor.filter((value) => value !== 0).map(Math.abs);
  assert.ok(Math.min(...magnitudes) >= 2 ** -36 && Math.max(...magnitudes) <= 2 ** -6);
  assert.ok(tensor.some((value) => value < 0) && tensor.some((value) => value > 0));
});

for (const dtype of /** @type {const} */ (['float16', 'bfloat16'])) {
  test(`data: ${dtype}s are the same bits however cut, of both signs, with magnitudes in 2^-14 .. 2^-6`, () => {
    const [tensor] = makeTensors([10000], dtype);
    assert.equal(checksum([tensor]), checksum(makeTensors([9000, 1000], dtype)));
    const table = decodingTable(dtype);
    const values = Array.from(tensor, (bits) => table[bits]);
    const magnitudes = values.map(Math.abs);
    assert.ok(Math.min(...magnitudes) >= 2 ** -14 && Math.max(...magnitudes) < 2 ** -6);
    assert.ok(values.some((value) => value < 0) && values.some((value) => value > 0));
  });
}

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
    const [shape] = name.split(' ');
    if (lengths.length === 1) assert.equal(shape, sizeName(lengths[0]));
  }
});

test('cases: ids are unique, and names even without regard to upper and lower case', () => {
  for (const quick of [true, false]) {
    const cases = makeCases(quick);
    assert.equal(new Set(cases.map(({ id }) => id)).size, cases.length);
    assert.equal(new Set(cases.map(({ name }) => name.toLowerCase())).size, cases.length);
  }
});

test('every target names a case and a contender that can do it', () => {
  const contenders = makeContenders('');
  for (const { id, peer, of = OURS } of TARGETS) {
    const row = contenders.find(({ name }) => name === of);
    const benchCase = makeCases(false).find((candidate) => candidate.id === id);
    const contender = contenders.find(({ name }) => name === peer);
    assert.ok(benchCase && contender && row, `${id}: ${peer}`);
    assert.ok(takesPart(row, benchCase), `${id}: ${of}`);
    assert.ok(takesPart(contender, benchCase), `${id}: ${peer}`);
    assert.equal(contender.refuses(benchCase), '');
  }
});

test('cases with an upper limit take more rounds than others', () => {
  const finer = makeCases(false).filter((benchCase) => roundsFactor(benchCase) > 1);
  assert.deepEqual(
    finer.map(({ id }) => id),
    ['large keep', 'large report', 'tiny report'],
  );
});

test('whoever is a guest of another process takes part only where its host does', () => {
  const contenders = makeContenders('');
  const guests = contenders.filter(({ name, process }) => name !== process);
  assert.deepEqual(
    guests.map(({ name }) => name),
    ['gradNorm alone'],
  );
  for (const guest of guests) {
    const host = contenders.find(({ name }) => name === guest.process);
    for (const benchCase of makeCases(false).filter((candidate) => takesPart(guest, candidate))) {
      assert.ok(host && takesPart(host, benchCase), benchCase.name);
    }
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

for (const [name, clip] of Object.entries({ plainClip, unrolledClip })) {
  test(`${name}: scales to the norm asked for, in pieces of every length around 8, and only if needed`, () => {
    for (let zeros = 0; zeros < 20; zeros++) {
      const tensors = [new Float32Array([3, ...Array(zeros).fill(0), -4]), Float32Array.of(-12)];
      assert.equal(clip(tensors, 13), 13);
      assert.deepEqual([tensors[0][0], tensors[1][0]], [3, -12]);
      assert.equal(clip(tensors, 6.5), 13);
      assert.deepEqual([tensors[0][0], tensors[0][zeros + 1], tensors[1][0]], [1.5, -2, -6]);
    }
  });
}

test('plainReport: the norm, and the health of each tensor', () => {
  const { norm, rows } = plainReport([Float32Array.of(3, 0, -4, -0), Float32Array.of(12)]);
  assert.equal(norm, 13);
  assert.deepEqual(rows[0], {
    squares: 25,
    magnitudes: 7,
    largest: 4,
    zeros: 2,
    nan: 0,
    inf: 0,
    firstNonfinite: -1,
  });
  const broken = plainReport([Float32Array.of(1, -Infinity, NaN)]);
  assert.deepEqual([broken.rows[0].inf, broken.rows[0].nan, broken.rows[0].firstNonfinite], [1, 1, 1]);
});

for (const dtype of /** @type {const} */ (['float16', 'bfloat16'])) {
  test(`${dtype}: both decoding loops have the norm of the reference`, () => {
    const tensors = makeTensors([1000, 0, 77], dtype);
    const expected = referenceNorm(tensors, 2, dtype);
    for (const norm of [decodingNorm(tensors, dtype), tableNorm(tensors, decodingTable(dtype))]) {
      assert.ok(relativeDifference(norm, expected) <= 1e-13, `${norm} instead of ${expected}`);
    }
  });
}

test('the decoding functions give the special values and extremes of the formats', () => {
  const float16 = decodingTable('float16');
  const float16s = [0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x7c00, 0xfc00].map((bits) => float16[bits]);
  assert.deepEqual(float16s, [1, -2, 65504, 2 ** -24, 1023 * 2 ** -24, Infinity, -Infinity]);
  const bfloat16 = decodingTable('bfloat16');
  const bfloat16s = [0x3f80, 0xc000, 0x7f7f, 0x0001, 0x7f80].map((bits) => bfloat16[bits]);
  assert.deepEqual(bfloat16s, [1, -2, 255 * 2 ** 120, 2 ** -133, Infinity]);
  assert.ok(Number.isNaN(float16[0x7e00]) && Number.isNaN(bfloat16[0x7fc0]));
});

/** @type {import('./task.js').Work} */
const CLIP = { task: 'clip', dtype: 'float32', normType: 2 };

test("'clip': every run is below the norm, the value is the norm at first, and shows a run that did nothing", () => {
  const tensors = makeTensors([1000]);
  const norm = referenceNorm(tensors, 2);
  const routine = makeRoutine({ run: (maxNorm) => plainClip(tensors, maxNorm) }, tensors, CLIP);
  for (let run = 0; run < 3000; run++) {
    const before = referenceNorm(tensors, 2);
    routine.run();
    if (run % 100 === 0) assert.ok(referenceNorm(tensors, 2) < before);
  }
  assert.ok(referenceNorm(tensors, 2) < 0.5 * norm);
  assert.ok(relativeDifference(routine.value(), norm) < 1e-6);

  const idle = makeRoutine({ run: () => norm }, tensors, CLIP);
  idle.run();
  assert.ok(relativeDifference(idle.value(), referenceNorm(tensors, 2)) > 1e-4);
});

test("'clip': a job that makes new tensors is asked for them", () => {
  const tensors = makeTensors([1000]);
  const halved = [tensors[0].map((value) => value / 2)];
  const routine = makeRoutine({ run: () => NaN, read: () => halved }, tensors, CLIP);
  assert.equal(routine.value(), referenceNorm(tensors, 2) / 2);
});

test("'keep': no run is above its limit; the value shows whether one has written", () => {
  const tensors = makeTensors([1000]);
  const norm = referenceNorm(tensors, 2);
  const run = (/** @type {number} */ maxNorm) => plainClip(tensors, maxNorm);
  const routine = makeRoutine({ run }, tensors, { ...CLIP, task: 'keep' });
  routine.run();
  assert.equal(routine.value(), norm);
  plainClip(tensors, norm / 2);
  assert.ok(relativeDifference(routine.value(), norm) > 0.4);
});

test('other tasks: the value is what the last run returned', () => {
  let runs = 0;
  const routine = makeRoutine({ run: () => ++runs }, [], { ...CLIP, task: 'report' });
  assert.ok(Number.isNaN(routine.value()));
  routine.run();
  routine.run();
  assert.equal(routine.value(), 2);
});

/** @typedef {[name: string, ratio: number, relativeError: number, value?: number]} RowOfFigures */

/**
 * @param {string} id
 * @param {...RowOfFigures} figures
 * @returns {import('./measure.js').CaseResult}
 */
function caseResult(id, ...figures) {
  const rows = figures.map(([name, ratio, relativeError, value = 1]) => {
    const ratioQuartiles = /** @type {[number, number]} */ ([1, 1]);
    const rest = { nanoseconds: 1, spread: 0, gigabytesPerSecond: 1, samples: [] };
    return { name, figures: { ...rest, ratio, ratioQuartiles, relativeError, value } };
  });
  const benchCase = makeCases(false).find((candidate) => candidate.id === id);
  assert.ok(benchCase, id);
  const { lengths, ...head } = benchCase;
  return { ...head, tensors: lengths.length, elements: 1, rows };
}

/**
 * Of the promises about other contenders than ourselves on other elements.
 * @type {(...inputs: Parameters<typeof judge>) => string[]}
 */
const marks = (...inputs) =>
  judge(...inputs).flatMap(({ against, mark }) => (against.startsWith('gradnorm on') ? [] : [mark]));

test('targets: zeros and NaN take at most 1.2 times what other elements take, in each norm and the report', () => {
  const tried = new Map(makeCases(false).map(({ id, lengths }) => [id, lengths.length]));
  for (const id of ['large p=1', 'large p=2', 'large p=3', 'large p=inf', 'large p=2.7', 'large report']) {
    assert.equal(tried.get(id), 1);
    /** @type {(zeros: number, nan: number) => string[]} */
    const marksOf = (zeros, nan) =>
      judge(
        [caseResult(id, [OURS, 1, 0], ['gradnorm on zeros', zeros, NaN], ['gradnorm on NaN', nan, NaN])],
        undefined,
        false,
      ).flatMap(({ against, mark }) => (against.startsWith('gradnorm on') ? [mark] : []));
    assert.deepEqual(marksOf(1.2, 1), ['pass', 'pass']);
    assert.deepEqual(marksOf(0.2, 1.21), ['pass', 'MISS']);
    assert.deepEqual(marksOf(1.21, 0.2), ['MISS', 'pass']);
  }
  const { promise } = judge([caseResult('large p=1')], undefined, false).find(({ against }) =>
    against.endsWith('zeros'),
  ) ?? { promise: '' };
  assert.equal(promise, 'takes <= 1.2 of our time');
});

test('targets of the demo page: one for each figure of each browser; none for what a browser does not tell', () => {
  const figures = { stepsPerSecond: 30, content: 1000, interactive: 2000 };
  const pages = [
    { browser: 'Chromium', ...figures, longestTask: 100.5 },
    { browser: 'Firefox', ...figures, stepsPerSecond: 29.9, longestTask: undefined },
    { browser: 'Another', reason: 'failed: it hung' },
  ];
  const verdicts = judge([], undefined, false, pages);
  assert.deepEqual(
    verdicts.map(({ mark }) => mark),
    [...['pass', 'pass', 'pass', 'MISS'], ...['MISS', 'pass', 'pass'], ...new Array(4).fill('not measured')],
  );
  assert.deepEqual(verdicts[0], {
    where: 'demo page, Chromium',
    against: '',
    promise: '>= 30 steps a second',
    measured: '30',
    mark: 'pass',
  });
  assert.ok(judge([], undefined, true, pages.slice(0, 2)).every(({ mark }) => mark === 'not judged'));
});

test('targets: pass, MISS, not measured without figures, not judged if quick', () => {
  const reached = [caseResult('large p=1', [OURS, 1, 0], ['plain JS loop', 5, 0])];
  const missed = [caseResult('large p=1', [OURS, 1, 2 ** -22], ['plain JS loop', 4.9, 0])];
  const failed = [caseResult('large p=1')];
  assert.deepEqual(marks(reached, undefined, false), ['pass', 'pass']);
  assert.deepEqual(marks(missed, undefined, false), ['MISS', 'MISS']);
  assert.deepEqual(marks(missed, undefined, true), ['not judged', 'MISS']);
  assert.deepEqual(marks(failed, { reason: 'failed' }, false), [
    'not measured',
    'not measured',
    'not measured',
  ]);
});

test('targets: at most so much of the time of a peer, and the same bits, which a quick run is judged by too', () => {
  /** @type {(ratio: number, value: number) => import('./measure.js').CaseResult} */
  const result = (ratio, value) =>
    caseResult('large report', [OURS, 1, 0, 1 + 2 ** -52], ['gradNorm alone', ratio, 0, value]);
  assert.deepEqual(marks([result(1 / 1.4, 1 + 2 ** -52)], undefined, false), ['pass', 'pass', 'pass']);
  assert.deepEqual(marks([result(1 / 1.6, 1)], undefined, false), ['MISS', 'MISS', 'pass']);
  assert.deepEqual(marks([result(1 / 1.6, 1)], undefined, true), ['not judged', 'MISS', 'pass']);
});

test('targets: what clipping leaves has a bound of its own', () => {
  const results = [
    caseResult('list clip', [OURS, 1, 2 ** -21]),
    caseResult('small p=2', [OURS, 1, 2 ** -24]),
  ];
  assert.deepEqual(marks(results, undefined, false), ['pass', 'pass']);
  results[0] = caseResult('list clip', [OURS, 1, 2e-6]);
  assert.deepEqual(marks(results, undefined, false), ['pass', 'MISS']);
});

test('targets: of another row than ours, and of another version, by the ratio of the two', () => {
  const rows = /** @type {Parameters<typeof caseResult>[1][]} */ ([
    [OURS, 1, 0],
    [RESIDENT, 0.25, 0],
    ['plain JS loop', 2, 0],
    ['8-accumulator JS loop', 0.7, 0],
  ]);
  const verdicts = judge([caseResult('list p=2', ...rows, [BEFORE, 0.9, 0])], undefined, false);
  assert.deepEqual(
    verdicts.slice(0, 4).map(({ where, against, measured, mark }) => [where, against, measured, mark]),
    [
      ['2000 x 512 p=2', 'plain JS loop', '2.00', 'MISS'],
      ['2000 x 512 p=2, resident', 'plain JS loop', '8.00', 'pass'],
      ['2000 x 512 p=2, resident', '8-accumulator JS loop', '2.80', 'MISS'],
      ['2000 x 512 p=2', BEFORE, '0.900', 'MISS'],
    ],
  );
});

test('targets: the words of a promise name the peer in a column of its own', () => {
  const [native] = judge([caseResult('large p=2')], undefined, false).filter(({ promise }) =>
    promise.includes('aim'),
  );
  assert.deepEqual([native.against, native.promise], ['native C++ loop', '>= 0.6 of its speed (aim 0.8)']);
  const [kept] = judge([caseResult('large keep')], undefined, false);
  assert.deepEqual([kept.against, kept.promise], ['gradNorm alone', '<= 1.05 of its time']);
});

test('summaries: a table a group, a column for each who has figures in it', () => {
  const results = [
    caseResult('large clip', [OURS, 1, 1e-8], ['plain JS loop', 2.5, 0]),
    caseResult('large keep', [OURS, 1, 0], ['gradNorm alone', 0.99, 0]),
    caseResult('large report'),
  ];
  assert.equal(
    summaryTables(results, true),
    [
      '### clipping: time / ours',
      '',
      '| case | gradnorm | spread | plain JS loop | gradNorm alone | our error |',
      '| --- | --: | --: | --: | --: | --: |',
      '| 16M clip | 1.00 ns | 0.0 % | 2.50 | - | 1.0e-8 |',
      '| 16M clip, none needed | 1.00 ns | 0.0 % | - | 0.990 | 0 |',
      '',
      '### reports and partial norms: time / ours',
      '',
      '| case | gradnorm | spread | our error |',
      '| --- | --: | --: | --: |',
      '| 16M report | - | - | - |',
    ].join('\n'),
  );
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
