// tests/train.test.js: the program behind `npm start`, run as its user runs it, and what it draws with.
// Needs the built package, as the program imports gradnorm by name.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import {
  clipLine,
  columnMaxima,
  formatCount,
  formatDuration,
  formatNumber,
  formatShare,
  LiveArea,
  progressBar,
  sparkline,
  tableLines,
  wordLines,
  wrapText,
} from '../web/demo/terminal.js';

const PROGRAM = fileURLToPath(new URL('../web/demo/train.js', import.meta.url));
const SMALL = ['--hidden', '8', '--batch', '4'];

/** @param {string[]} args */
function runProgram(...args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

/** Counts the bytes of gradients that a program copies into the memory of the core that has a staging area. Partials are no gradients. */
const COUNT_COPIED = `
  import process from 'node:process';
  import { isMainThread } from 'node:worker_threads';
  import { STAGING_BYTES, TABLES_BYTES } from '${new URL('../web/core/memory.js', import.meta.url)}';
  let buffer = null;
  WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
    construct(Memory, [size]) {
      const memory = new Memory(size);
      if (memory.buffer.byteLength === STAGING_BYTES + TABLES_BYTES) buffer = memory.buffer;
      return memory;
    },
  });
  let copied = 0;
  const arrays = Object.getPrototypeOf(Uint8Array.prototype);
  const { set } = arrays;
  arrays.set = function (source, at) {
    if (this.buffer === buffer && !(this instanceof BigUint64Array)) copied += source.byteLength;
    return set.call(this, source, at);
  };
  process.on('exit', () => process.stderr.write((isMainThread ? 'main' : 'worker') + ' copied ' + copied + '\\n'));`;

/**
 * @param {string} program
 * @param {string[]} args
 * @returns {string[]}  what each thread copied
 */
function copiedBy(program, ...args) {
  const preload = `data:text/javascript,${encodeURIComponent(COUNT_COPIED)}`;
  const { status, stderr } = spawnSync(process.execPath, ['--import', preload, program, ...args], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stderr.trimEnd().split('\n').sort();
}

/** @param {string} stdout */
function progressOf(stdout) {
  return stdout.split('\n').filter((line) => line.startsWith('step '));
}

test('in a pipe: header, ten lines of progress, ten names, tables, no escape codes, exit code 0', () => {
  const { status, stdout, stderr } = runProgram('--steps', '40', ...SMALL);
  assert.equal(stderr, '');
  assert.equal(status, 0);
  assert.doesNotMatch(stdout, /\x1b|\r/);
  assert.match(
    stdout,
    /^A recurrent network of 8 tanh units reads 4,951 first names, 4 per step;\nlearning .*, seed 1\.\n\n/,
  );

  const number = String.raw`\d[\d.]*(e[-+]\d+)?`;
  const norms = `p=1 ${number}  p=2 ${number}  p=Infinity ${number}`;
  const pattern = `^step [ \\d]\\d of 40  loss ${number}  ${norms}  gradNorm ${number}%$`;
  const progress = progressOf(stdout);
  assert.equal(progress.length, 10);
  for (const line of progress) assert.match(line, new RegExp(pattern));

  const made = /\n\nMade up \(\* is in the training list\):\n((?: {2}.*\n)+)\n/.exec(stdout);
  assert.equal(made?.[1].trim().split(/\s+/).length, 10);
  assert.match(stdout, /\nsteps +40\n/);
  assert.match(stdout, /\nfinal loss +\d\.\d{3} +mean of last 40\n/);
  assert.match(stdout, /\ngradNorm +[\d.]+ [µm]s +median, 3 norms\n/);
  assert.match(stdout, /\nnorm +lowest +median +highest +last\np=1 .*\np=2 .*\np=∞ .*\n/);
  assert.match(stdout, /\nembedding +1,728 +frozen\n/);
  assert.match(stdout, /Drawing\sis\snot\scounted\.\n$/);
});

test('the norms printed are norms: p=Infinity <= p=2 <= p=1, and the total is the last p=2', () => {
  const { stdout } = runProgram('--steps', '5', ...SMALL);
  const progress = progressOf(stdout);
  assert.equal(progress.length, 5);
  for (const line of progress) {
    const [one, two, infinity] = [...line.matchAll(/p=\w+ (\S+)/g)].map((match) => Number(match[1]));
    assert.ok(0 < infinity && infinity <= two && two <= one, line);
  }
  const last = /p=2 (\S+)/.exec(progress[4])?.[1];
  assert.match(stdout, new RegExp(`\\nall +[\\d,]+ +${last}\\n`));
});

test('same seed, same names and losses; --names asks for as many', () => {
  const run = (/** @type {string} */ seed) =>
    runProgram('--steps', '20', '--names', '3', '--seed', seed, ...SMALL).stdout.replace(/gradNorm.*/g, '');
  const names = (/** @type {string} */ stdout) => /list\):\n(.*)\n/.exec(stdout)?.[1].trim().split(/\s+/);
  const [first, second] = [run('3'), run('3')];
  assert.deepEqual(names(first), names(second));
  assert.deepEqual(progressOf(first), progressOf(second));
  assert.equal(names(first)?.length, 3);
  assert.notDeepEqual(progressOf(first), progressOf(run('4')));
});

test('--clip: the share of clipped steps, and a norm printed is that before clipping', () => {
  const clippedShare = (/** @type {string} */ limit) => {
    const { status, stdout } = runProgram('--steps', '10', '--clip', limit, ...SMALL);
    assert.equal(status, 0);
    const norms = progressOf(stdout).map((line) => Number(/p=2 (\S+)/.exec(line)?.[1]));
    assert.equal(norms.length, 10);
    const beyond = norms.filter((norm) => norm > Number(limit)).length;
    const share = /\nclipped +(\S+)%  of all steps, to p=2 of (\S+)\n/.exec(stdout);
    assert.equal(share?.[1], (10 * beyond).toFixed(2), stdout);
    assert.equal(Number(share?.[2]), Number(limit));
    return beyond;
  };
  assert.equal(clippedShare('0.001'), 10);
  assert.equal(clippedShare('1000'), 0);
});

test('--clip changes what is learnt, without it nothing is clipped', () => {
  const progress = (/** @type {string[]} */ ...args) =>
    progressOf(runProgram('--steps', '20', ...SMALL, ...args).stdout.replace(/  gradNorm.*/g, ''));
  const free = progress();
  assert.deepEqual(progress('--clip', '1e6'), free);
  const clipped = progress('--clip', '0.01');
  assert.notDeepEqual(clipped, free);
  assert.doesNotMatch(runProgram('--steps', '2', ...SMALL).stdout, /clipped/);
});

test('--inject-nan: the norms of that step are NaN, the report names parameter and index, training goes on', () => {
  const { status, stdout } = runProgram('--steps', '10', '--inject-nan', ...SMALL);
  assert.equal(status, 0);
  const progress = progressOf(stdout);
  assert.match(progress[5], /p=1 NaN  p=2 NaN  p=Infinity NaN/);
  for (const line of progress.filter((_, i) => i !== 5)) assert.doesNotMatch(line, /NaN/);
  assert.match(stdout, /\nThe gradients of step 6 were not finite/);
  assert.match(stdout, /\nnot finite: hiddenToHidden, first at index 32: NaN\n/);
  assert.match(stdout, /\nhiddenToHidden +float32 +64 +NaN /);
  assert.doesNotMatch(runProgram('--steps', '10', ...SMALL).stdout, /NaN|not finite/);
});

for (const clip of [[], ['--clip', '0.1', '--inject-nan']])
  test(`norms, clipping and reports copy no gradient: npm start -- ${clip.join(' ')}`, () => {
    assert.deepEqual(copiedBy(PROGRAM, '--steps', '20', ...SMALL, ...clip), ['main copied 0']);
  });

test('threads measure gradients of their own where they lie, and copy none: shards.js', () => {
  const program = fileURLToPath(new URL('../web/demo/shards.js', import.meta.url));
  const lines = ['main copied 0', 'worker copied 0', 'worker copied 0'];
  assert.deepEqual(copiedBy(program, '--workers', '2', '--tensors', '5'), lines);
});

test('neither do the networks of the page, its patient included', () => {
  const page = new URL('../web/demo/page/', import.meta.url);
  const code = `
    import { Patient } from '${new URL('patient.js', page)}';
    import { DEFAULTS } from '${new URL('settings.js', page)}';
    import { Training } from '${new URL('training.js', page)}';
    const training = new Training(['anna', 'bella', 'clara'], DEFAULTS);
    for (let step = 0; step < 10; ++step) training.step();
    new Patient(training).examine();`;
  assert.deepEqual(copiedBy('--input-type=module', '--eval', code), ['main copied 0']);
});

test('the copies that are counted are those of gradients that lie elsewhere', () => {
  const code = `import { gradNorm } from 'gradnorm'; gradNorm(new Float32Array(64));`;
  assert.deepEqual(copiedBy('--input-type=module', '--eval', code), ['main copied 256']);
});

test('--help: every option with its default, exit code 0', () => {
  const { status, stdout, stderr } = runProgram('--help');
  assert.equal(stderr, '');
  assert.equal(status, 0);
  assert.match(stdout, /^Usage: npm start -- \[options\]\n/);
  const options = [...stdout.matchAll(/^ {2}--([a-z-]+) .*?(?:\((.*)\))?$/gm)].map((match) => match.slice(1));
  assert.deepEqual(options, [
    ['steps', '2500'],
    ['hidden', '128'],
    ['batch', '16'],
    ['length', '16'],
    ['learning-rate', '0.1'],
    ['seed', '1'],
    ['names', '10'],
    ['clip', 'none'],
    ['inject-nan', undefined],
    ['help', undefined],
  ]);
  assert.equal(runProgram('-h').stdout, stdout);
});

test('a bad option: one line that names option, value and expectation, exit code 1', () => {
  /** @type {[string[], string][]} */
  const cases = [
    [['--steps', 'many'], '--steps: got "many", expected an integer from 1 to 1000000'],
    [['--steps', '-5'], '--steps: got "-5", expected an integer from 1 to 1000000'],
    [['--steps', '1.5'], '--steps: got "1.5", expected an integer from 1 to 1000000'],
    [['--steps='], '--steps: got "", expected an integer from 1 to 1000000'],
    [['--hidden', '513'], '--hidden: got "513", expected an integer from 1 to 512'],
    [['--seed', '4294967296'], '--seed: got "4294967296", expected an integer from 0 to 4294967295'],
    [['--learning-rate', 'NaN'], '--learning-rate: got "NaN", expected a number from 0 to 1000'],
    [['--names'], '--names: got no value, expected an integer from 1 to 1000'],
    [['--inject-nan=3'], '--inject-nan: got "3", expected no value'],
    [['--clip', '-1'], '--clip: got "-1", expected a number from 0 to 1.7976931348623157e+308'],
    [['--clip', 'NaN'], '--clip: got "NaN", expected a number from 0 to 1.7976931348623157e+308'],
    [['--stpes', '5'], '--stpes: no such option; see --help'],
    [['-x'], '-x: no such option; see --help'],
    [['5'], '5: not an option; see --help'],
  ];
  for (const [args, message] of cases) {
    assert.deepEqual(runProgram(...args), { status: 1, stdout: '', stderr: `${message}\n` });
  }
});

test('formatNumber: four digits in plain notation, three with an exponent', () => {
  const values = [0, 12.314, 0.4, 999.94, 12310.4, 4.214e-5, 1e6, -1.5e300, NaN, Infinity];
  const plain = ['0', '12.31', '0.4000', '999.9', '12310'];
  assert.deepEqual(values.map(formatNumber), [
    ...plain,
    '4.21e-5',
    '1.00e+6',
    '-1.50e+300',
    'NaN',
    'Infinity',
  ]);
});

test('formatCount, formatShare, formatDuration: units and rounding at their limits', () => {
  assert.deepEqual([0, 999, 29302, 1e6].map(formatCount), ['0', '999', '29,302', '1,000,000']);
  assert.deepEqual([0, 0.00424, 1].map(formatShare), ['0.00%', '0.42%', '100.00%']);
  const durations = [0.0274, 0.9994, 0.9996, 7.26, 9.96, 999.4, 999.6, 9940, 9960, 99_400, 99_600, 125_000];
  assert.deepEqual(durations.map(formatDuration), [
    ...['27 µs', '999 µs', '1.0 ms', '7.3 ms', '10 ms', '999 ms', '1.0 s', '9.9 s', '10 s', '99 s'],
    ...['1 min 40 s', '2 min 05 s'],
  ]);
});

test('progressBar: exactly as wide as asked, monotone in eighths, clamped', () => {
  assert.deepEqual(
    [-1, 0, 1 / 32, 0.5, 31 / 32, 1, 2].map((fraction) => progressBar(fraction, 4)),
    ['░░░░', '░░░░', '▏░░░', '██░░', '███▉', '████', '████'],
  );
  for (let fraction = 0; fraction <= 1; fraction += 1 / 64) assert.equal(progressBar(fraction, 7).length, 7);
});

test('sparkline: lowest to highest, one character each, NaN and infinities out of the scale', () => {
  assert.equal(sparkline([0, 1, 2, 3, 4, 5, 6, 7]), '▁▂▃▄▅▆▇█');
  assert.equal(sparkline([-1e-9, 0, 1e-9]), '▁▅█');
  assert.equal(sparkline([3, 3, 3]), '▄▄▄');
  assert.equal(sparkline([0, NaN, Infinity, -Infinity, 1]), '▁×∞-█');
  assert.equal(sparkline([NaN, Infinity]), '×∞');
  assert.equal(sparkline([-Number.MAX_VALUE, 0, Number.MAX_VALUE]), '▁▅█');
  assert.equal(sparkline([Number.MIN_VALUE, 0]), '█▁');
  assert.equal(sparkline([]), '');
});

test('columnMaxima: a spike stays, NaN stays, the line ends where the steps do', () => {
  assert.deepEqual(columnMaxima([1, 9, 2, 3, 4, 5], 6, 6, 3), [9, 3, 5]);
  assert.deepEqual(columnMaxima([1, 9, 2, 7, 7, 7], 3, 6, 3), [9, 2]);
  assert.deepEqual(columnMaxima([1, NaN, 2, Infinity], 4, 4, 2), [NaN, Infinity]);
  assert.deepEqual(columnMaxima([4, 5], 1, 2, 6), [4, 4, 4]);
  assert.deepEqual(columnMaxima([], 0, 10, 5), []);
});

test('tableLines: columns two spaces apart, no spaces at the end, short rows', () => {
  const rows = [['name', 'n', ''], ['a', '100', 'note'], ['bc']];
  assert.deepEqual(tableLines(rows, ['left', 'right', 'left']), ['name    n', 'a     100  note', 'bc']);
});

test('wordLines, wrapText, clipLine: never wider than asked, nothing lost but what is clipped', () => {
  const words = ['Ada', 'Grace', 'Sofja', 'Emmy', 'Hypatia'];
  assert.deepEqual(wordLines(words, 16), ['Ada      Grace', 'Sofja    Emmy', 'Hypatia']);
  for (let width = 7; width <= 60; width++) {
    const lines = [...wordLines(words, width), ...wrapText(words.join(' '), width)];
    assert.deepEqual(lines.join(' ').split(/ +/), [...words, ...words], `width ${width}`);
    for (const line of [...lines, clipLine('x'.repeat(100), width)]) assert.ok(line.length <= width);
  }
  assert.deepEqual(wrapText('a long', 2), ['a', 'long']);
  assert.deepEqual([clipLine('abcd', 4), clipLine('abcde', 4)], ['abcd', 'abc…']);
});

test('LiveArea: hides the cursor once, goes up as many lines as are on the screen, shows it once', () => {
  let text = '';
  const stream = { columns: 20, write: (/** @type {string} */ part) => (text += part) };
  const flush = () => [text, (text = '')][0];
  const area = new LiveArea(stream);
  area.close();
  assert.equal(flush(), '');
  area.draw(['a'.repeat(19), 'b'.repeat(30)]);
  assert.equal(flush(), `\x1b[?25l${'a'.repeat(19)}\x1b[K\n${'b'.repeat(18)}…\x1b[K\n\x1b[J`);
  area.draw(['c'.repeat(15), '']);
  assert.equal(flush(), `\r\x1b[2A${'c'.repeat(15)}\x1b[K\n\x1b[K\n\x1b[J`);
  stream.columns = 10;
  area.draw(['d']);
  assert.equal(flush(), '\r\x1b[3Ad\x1b[K\n\x1b[J');
  area.close();
  area.close();
  assert.equal(flush(), '\x1b[?25h');
});
