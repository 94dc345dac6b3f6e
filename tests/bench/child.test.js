// tests/bench/child.test.js: the contenders' processes, with contenders made up here: the lines between
// child.js and serve.js, what becomes of a process that fails, and the rounds of measure.js.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Child } from './child.js';
import { checksum, makeTensors } from './data.js';
import { eightAccumulatorNorm, plainNorm, powNorm } from './loops.js';
import { measureCase } from './measure.js';
import { OURS, makeContenders } from './peers.js';

const SERVE = JSON.stringify(new URL('serve.js', import.meta.url).href);

/** @type {import('./cases.js').BenchCase} */
const BENCH_CASE = { id: 'case p=2', name: 'case p=2', lengths: [3, 0, 5], normType: 2, huge: false };
const CHECKSUM = checksum(makeTensors(BENCH_CASE.lengths));

/**
 * @param {string} run source of an expression in `tensors` and `normType`: what runs
 * @returns {string[]} what starts the contender's process
 */
function command(run) {
  const source = `import { serve } from ${SERVE}; await serve(async (tensors, normType) => ${run}, 0);`;
  return [process.execPath, '--input-type=module', '--eval', source];
}

/**
 * @param {string[]} words
 * @param {(child: Child) => Promise<void>} check
 */
async function withChild(words, check) {
  const child = new Child(words);
  try {
    await check(child);
  } finally {
    await child.stop();
  }
}

test('a child makes the very tensors of the case and runs as often as asked', async () => {
  await withChild(command('((runs) => () => tensors[2][4] + normType + ++runs)(0)'), async (child) => {
    await child.prepare(BENCH_CASE, CHECKSUM);
    const { nanoseconds, value } = await child.run(7);
    assert.ok(nanoseconds > 0);
    assert.equal(value, makeTensors(BENCH_CASE.lengths)[2][4] + 2 + 1 + 7); // once untimed
    assert.equal((await child.run(1)).value, value + 1);
  });
});

test('the order of the norm and the norm itself come through to the last bit', async () => {
  await withChild(command('() => normType'), async (child) => {
    for (const normType of [Infinity, 0.1 + 0.2, 5e-324, 2 ** 1023]) {
      await child.prepare({ ...BENCH_CASE, normType }, CHECKSUM);
      assert.equal((await child.run(1)).value, normType);
    }
  });
});

test("the loops' own processes give the norms of the loops", async () => {
  const tensors = makeTensors(BENCH_CASE.lengths);
  const norms = {
    'plain JS loop': plainNorm(tensors, 2),
    '8-accumulator JS loop': eightAccumulatorNorm(tensors),
    'Math.pow JS loop': powNorm(tensors, 2),
  };
  const contenders = makeContenders('');
  for (const [name, norm] of Object.entries(norms)) {
    const words = contenders.find((contender) => contender.name === name)?.command(0) ?? [];
    await withChild(words, async (child) => {
      await child.prepare(BENCH_CASE, CHECKSUM);
      assert.equal((await child.run(1)).value, norm);
    });
  }
});

test('a child warms up for as long as asked and tells the time of the fastest run', async () => {
  await withChild(command('() => 1'), async (child) => {
    await child.prepare(BENCH_CASE, CHECKSUM);
    const start = performance.now();
    const nanoseconds = await child.warmUp(50);
    assert.ok(performance.now() - start >= 50);
    assert.ok(nanoseconds > 0 && nanoseconds < 50e6);
  });
});

test('what a contender prints does not get among the replies', async () => {
  await withChild(command('(console.log("(printed by a test)"), () => 1)'), async (child) => {
    await child.prepare(BENCH_CASE, CHECKSUM);
    assert.equal((await child.run(1)).value, 1);
  });
});

test('an error comes back as its code and first line, and the child goes on', async () => {
  const fail = '() => { throw Object.assign(new Error("no luck\\nat all"), { code: "LUCK" }); }';
  await withChild(command(fail), async (child) => {
    await assert.rejects(child.request('jump'), { message: 'unknown request: jump', code: '-' });
    await child.prepare(BENCH_CASE, CHECKSUM);
    await assert.rejects(child.run(1), { message: 'no luck', code: 'LUCK' });
    await assert.rejects(child.warmUp(1), { message: 'no luck', code: 'LUCK' });
  });
});

test('a child with other data is refused', async () => {
  await withChild(command('() => 1'), async (child) => {
    await assert.rejects(child.prepare(BENCH_CASE, CHECKSUM ^ 1), /its data differ/);
  });
});

test('a process that ends or never starts rejects every request', async () => {
  await withChild(command('() => process.exit(3)'), async (child) => {
    await child.prepare(BENCH_CASE, CHECKSUM);
    await assert.rejects(child.run(1), /its process ended \(code 3\)/);
    await assert.rejects(child.run(1), /its process ended \(code 3\)/);
  });
  await withChild(command('() => process.kill(process.pid, "SIGKILL")'), async (child) => {
    await child.prepare(BENCH_CASE, CHECKSUM);
    await assert.rejects(child.run(1), /its process ended \((SIGKILL|code \d+)\)/);
  });
  await withChild(['./no such program'], async (child) => {
    await assert.rejects(child.prepare(BENCH_CASE, CHECKSUM), /no such program/);
  });
});

test('stop() ends a busy process; a lost benchmark ends one that a library keeps alive', async () => {
  const busy = new Child(command('() => { for (;;); }'));
  await busy.prepare(BENCH_CASE, CHECKSUM);
  const run = assert.rejects(busy.run(1), /its process ended/);
  await busy.stop();
  await run;

  const kept = new Child(command('(setInterval(() => {}, 1000), () => 1)'));
  await kept.prepare(BENCH_CASE, CHECKSUM);
  kept.process.stdin.end();
  assert.match(await kept.end, /code 0/);
});

/**
 * @param {string} name
 * @param {string} run
 * @param {string} [refusal]
 * @returns {import('./peers.js').Contender}
 */
function fake(name, run, refusal = '') {
  return { name, timed: '', slow: false, refuses: () => refusal, command: () => command(run) };
}

test('a case: its processes take turns, a failed one is a row with its reason, none is left over', async () => {
  const contenders = [
    fake(OURS, '() => process.pid'),
    fake('peer', '() => process.pid'),
    fake('refusing', '() => 1', 'not today'),
    fake('missing', 'import("no-such-package")'),
    fake('crashing', '((runs) => () => ++runs < 4 || process.exit(3))(0)'),
  ];
  const times = { budget: 1e6, compileTime: 0, warmUpTime: 0, sampleTime: 0 };
  const settings = { ...times, rounds: 4, leastRounds: 1, everybody: false };
  /** @type {string[]} */
  const steps = [];
  const { rows } = await measureCase(BENCH_CASE, contenders, settings, (text) => void steps.push(text));
  assert.deepEqual(
    rows.map(({ name, reason }) => [name, reason]),
    [
      [OURS, undefined],
      ['peer', undefined],
      ['refusing', 'not today'],
      ['missing', 'not installed'],
      ['crashing', 'failed: its process ended (code 3)'],
    ],
  );
  assert.deepEqual(
    steps.filter((step) => /^round [24]/.test(step)),
    [
      ...['peer', 'crashing', OURS].map((name) => `round 2/4: ${name}`),
      `round 4/4: ${OURS}`,
      'round 4/4: peer',
    ],
  );
  const pids = rows.slice(0, 2).map(({ figures }) => figures?.value ?? NaN);
  assert.equal(new Set([...pids, process.pid]).size, 3);
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});
