// tests/bench/child.test.js: the contenders' processes, with contenders made up here: the lines between
// child.js and serve.js, what becomes of a process that fails, and the rounds of measure.js.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Child } from './child.js';
import { checksum, makeTensors } from '../../web/demo/measure/data.js';
import {
  decodingNorm,
  eightAccumulatorNorm,
  plainNorm,
  plainReport,
  powNorm,
} from '../../web/demo/measure/loops.js';
import { RESIDENT } from './cases.js';
import { measureCase } from './measure.js';
import { nativeProgram } from './native.js';
import { BEFORE, OURS, makeContenders } from './peers.js';
import { referenceNorm, relativeDifference } from '../../web/demo/measure/reference.js';

const LIBRARY = new URL('../../dist/gradnorm.js', import.meta.url).href;
const ERROR_BOUND = 2 ** -23;

const SERVE = JSON.stringify(new URL('serve.js', import.meta.url).href);

/** @type {import('./cases.js').BenchCase} */
const BENCH_CASE = {
  ...{ id: 'case p=2', name: 'case p=2', group: 'norms', huge: false },
  ...{ task: 'norm', dtype: 'float32', normType: 2, lengths: [3, 0, 5] },
};
const CHECKSUM = checksum(makeTensors(BENCH_CASE.lengths));

/**
 * @param {...string} runs sources of expressions in `tensors` and `normType`: what each contender runs
 * @returns {string[]} what starts the contenders' process
 */
function command(...runs) {
  const contenders = runs.map((run) => `async (tensors, { normType }) => ({ run: await (${run}) })`);
  const source = `import { serve } from ${SERVE}; await serve([${contenders}], 0);`;
  return [process.execPath, '--input-type=module', '--eval', source];
}

/**
 * @param {Child} child
 * @returns {Promise<number>} the value of its first contender after a run
 */
async function runOnce(child) {
  await child.run(0, 1);
  return child.value(0);
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
    assert.ok((await child.run(0, 7)) > 0);
    const value = await child.value(0);
    assert.equal(value, makeTensors(BENCH_CASE.lengths)[2][4] + 2 + 1 + 7); // once untimed
    assert.equal(await runOnce(child), value + 1);
  });
});

test('two contenders of one process have the same tensors and are asked one by one', async () => {
  const run = '((runs) => () => (tensors.shared ??= 0.5) + ++runs)(0)';
  await withChild(command(run, run), async (child) => {
    await child.prepare(BENCH_CASE, CHECKSUM);
    assert.equal(await runOnce(child), 1.5);
    await child.run(1, 1);
    await child.run(1, 1);
    assert.deepEqual([await child.value(0), await child.value(1)], [1.5, 2.5]);
    await assert.rejects(child.run(2, 1));
  });
});

for (const dtype of /** @type {const} */ (['float16', 'bfloat16'])) {
  test(`${dtype}: a child has the bits of the case`, async () => {
    const benchCase = { ...BENCH_CASE, dtype };
    const tensors = makeTensors(benchCase.lengths, dtype);
    await withChild(command('() => tensors[2][4]'), async (child) => {
      await child.prepare(benchCase, checksum(tensors));
      assert.equal(await runOnce(child), tensors[2][4]);
    });
  });
}

test('the order of the norm and the norm itself come through to the last bit', async () => {
  await withChild(command('() => normType'), async (child) => {
    for (const normType of [Infinity, 0.1 + 0.2, 5e-324, 2 ** 1023]) {
      await child.prepare({ ...BENCH_CASE, normType }, CHECKSUM);
      assert.equal(await runOnce(child), normType);
    }
  });
});

test("the loops' own processes give the norms of the loops", async () => {
  const tensors = makeTensors(BENCH_CASE.lengths);
  await checkProcess('plain JS loop', BENCH_CASE, plainNorm(tensors, 2));
  await checkProcess('8-accumulator JS loop', BENCH_CASE, eightAccumulatorNorm(tensors));
  await checkProcess('Math.pow JS loop', BENCH_CASE, powNorm(tensors, 2));
  await checkProcess('plain JS loop', { ...BENCH_CASE, task: 'report' }, plainReport(tensors).norm);
});

test("the loops' own processes clip to what they are asked to, and leave alone what is within", async () => {
  for (const task of /** @type {const} */ (['clip', 'keep'])) {
    for (const name of ['plain JS loop', '8-accumulator JS loop']) {
      await checkProcess(name, { ...BENCH_CASE, task }, plainNorm(makeTensors(BENCH_CASE.lengths), 2), 1e-7);
    }
  }
});

test('gradnorm on resident gradients gives the norms of its own process, and clips what lies there', async () => {
  const tensors = makeTensors(BENCH_CASE.lengths);
  await checkProcess(RESIDENT, BENCH_CASE, plainNorm(tensors, 2), 1e-7);
  await checkProcess(RESIDENT, { ...BENCH_CASE, task: 'report' }, plainNorm(tensors, 2), 1e-7);
  for (const task of /** @type {const} */ (['clip', 'keep']))
    await checkProcess(RESIDENT, { ...BENCH_CASE, task }, plainNorm(tensors, 2), 1e-6);
});

test('another version takes part under a name of its own, in a process of that version', async () => {
  const before = makeContenders('file:///none.js', LIBRARY).find(({ name }) => name === BEFORE);
  assert.ok(!makeContenders(LIBRARY).some(({ name }) => name === BEFORE));
  await withChild(before?.command(0, [BEFORE]) ?? [], async (child) => {
    await child.prepare(BENCH_CASE, CHECKSUM);
    assert.ok(relativeDifference(await runOnce(child), plainNorm(makeTensors(BENCH_CASE.lengths), 2)) < 1e-7);
  });
});

test('gradnorm on zeros and on NaN measures those, in its own process, in every task and type', async () => {
  for (const name of ['gradnorm on zeros', 'gradnorm on NaN']) {
    for (const dtype of /** @type {const} */ (['float32', 'float16', 'bfloat16'])) {
      // Its runs fail if the norm is another; there is no error to tell.
      const contender = makeContenders(LIBRARY).find((candidate) => candidate.name === name);
      await withChild(contender?.command(0, [name]) ?? [], async (child) => {
        const benchCase = { ...BENCH_CASE, dtype };
        await child.prepare(benchCase, checksum(makeTensors(benchCase.lengths, dtype)));
        assert.ok(Number.isNaN(await runOnce(child)));
      });
    }
  }
});

test("the decoding loops' own processes give the norms of the loops", async () => {
  for (const dtype of /** @type {const} */ (['float16', 'bfloat16'])) {
    const norm = decodingNorm(makeTensors(BENCH_CASE.lengths, dtype), dtype);
    await checkProcess('JS decoding loop', { ...BENCH_CASE, dtype }, norm);
    await checkProcess('JS lookup-table loop', { ...BENCH_CASE, dtype }, norm);
  }
});

test("gradnorm's own process has the norm in every task, and beside the others gradNorm alone", async () => {
  const norm = referenceNorm(makeTensors(BENCH_CASE.lengths), 2);
  for (const task of /** @type {const} */ (['norm', 'clip', 'keep', 'report', 'accumulate'])) {
    // Clipping leaves room for rounding below the limit.
    await checkProcess(OURS, { ...BENCH_CASE, task }, norm, task === 'clip' ? 2 ** -21 : ERROR_BOUND);
  }
  await checkProcess('gradNorm alone', { ...BENCH_CASE, task: 'report' }, norm, ERROR_BOUND);
  for (const dtype of /** @type {const} */ (['float16', 'bfloat16'])) {
    const tensors = makeTensors(BENCH_CASE.lengths, dtype);
    await checkProcess(OURS, { ...BENCH_CASE, dtype }, referenceNorm(tensors, 2, dtype), ERROR_BOUND);
  }
});

test('the native loop measures and clips the same data', async (context) => {
  const tensors = makeTensors(BENCH_CASE.lengths);
  const name = 'native C++ loop';
  try {
    nativeProgram();
  } catch (error) {
    return context.skip(/** @type {Error} */ (error).message);
  }
  for (const task of /** @type {const} */ (['norm', 'clip', 'keep'])) {
    await checkProcess(name, { ...BENCH_CASE, task }, plainNorm(tensors, 2), 1e-6);
  }
  for (const dtype of /** @type {const} */ (['float16', 'bfloat16'])) {
    const norm = decodingNorm(makeTensors(BENCH_CASE.lengths, dtype), dtype);
    await checkProcess(name, { ...BENCH_CASE, dtype }, norm, 1e-6);
  }
  const other = { ...BENCH_CASE, task: /** @type {const} */ ('report') };
  await assert.rejects(checkProcess(name, other, NaN), /unknown request/);
});

/**
 * Runs a contender three times in a process of its own.
 * @param {string} name
 * @param {import('./cases.js').BenchCase} benchCase
 * @param {number} expected
 * @param {number} [tolerance] relative
 */
async function checkProcess(name, benchCase, expected, tolerance = 0) {
  const contender = makeContenders(LIBRARY).find((candidate) => candidate.name === name);
  const data = checksum(makeTensors(benchCase.lengths, benchCase.dtype));
  await withChild(contender?.command(0, [name]) ?? [], async (child) => {
    await child.prepare(benchCase, data);
    await child.run(0, 1);
    await child.run(0, 1);
    const value = await runOnce(child);
    assert.ok(relativeDifference(value, expected) <= tolerance, `${name}: ${value}, expected ${expected}`);
  });
}

test('a child warms up by many runs and tells the time of the fastest', async () => {
  await withChild(command('((runs) => () => ++runs)(0)'), async (child) => {
    await child.prepare(BENCH_CASE, CHECKSUM);
    const before = await runOnce(child);
    assert.ok((await child.warmUp(0, 50)) > 0);
    assert.ok((await runOnce(child)) > before + 2);
  });
});

test('what a contender prints does not get among the replies', async () => {
  await withChild(command('(console.log("(printed by a test)"), () => 1)'), async (child) => {
    await child.prepare(BENCH_CASE, CHECKSUM);
    assert.equal(await runOnce(child), 1);
  });
});

test('an error comes back as its code and first line, and the child goes on', async () => {
  const fail = '() => { throw Object.assign(new Error("no luck\\nat all"), { code: "LUCK" }); }';
  await withChild(command(fail), async (child) => {
    await assert.rejects(child.request('jump'), { message: 'unknown request: jump', code: '-' });
    await child.prepare(BENCH_CASE, CHECKSUM);
    await assert.rejects(child.run(0, 1), { message: 'no luck', code: 'LUCK' });
    await assert.rejects(child.warmUp(0, 1), { message: 'no luck', code: 'LUCK' });
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
    await assert.rejects(child.run(0, 1), /its process ended \(code 3\)/);
    await assert.rejects(child.run(0, 1), /its process ended \(code 3\)/);
  });
  await withChild(command('() => process.kill(process.pid, "SIGKILL")'), async (child) => {
    await child.prepare(BENCH_CASE, CHECKSUM);
    await assert.rejects(child.run(0, 1), /its process ended \((SIGKILL|code \d+)\)/);
  });
  await withChild(['./no such program'], async (child) => {
    await assert.rejects(child.prepare(BENCH_CASE, CHECKSUM), /no such program/);
  });
});

test('stop() ends a busy process; a lost benchmark ends one that a library keeps alive', async () => {
  const busy = new Child(command('() => { for (;;); }'));
  await busy.prepare(BENCH_CASE, CHECKSUM);
  const run = assert.rejects(busy.run(0, 1), /its process ended/);
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
 * @param {Partial<import('./peers.js').Contender>} [others]
 * @returns {import('./peers.js').Contender}
 */
function fake(name, run, others = {}) {
  const entry = { name, timed: '', slow: false, refuses: () => '' };
  return {
    ...entry,
    tasks: ['norm'],
    dtypes: ['float32'],
    process: name,
    command: () => command(run),
    ...others,
  };
}

/**
 * @param {import('./peers.js').Contender[]} contenders
 * @param {(text: string) => void} [onProgress]
 */
async function measure(contenders, onProgress = () => {}) {
  const times = { budget: 1e6, compileTime: 0, warmUpTime: 0, sampleTime: 0 };
  const settings = { ...times, rounds: 4, leastRounds: 1, everybody: false };
  return (await measureCase(BENCH_CASE, contenders, settings, onProgress)).rows;
}

test('a case: its processes take turns, a failed one is a row with its reason, none is left over', async () => {
  /** @type {string[]} */
  const steps = [];
  const contenders = [
    fake(OURS, '() => process.pid'),
    fake('peer', '() => process.pid'),
    fake('clipping', '() => 1', { tasks: ['clip'] }),
    fake('float16', '() => 1', { dtypes: ['float16'] }),
    fake('refusing', '() => 1', { refuses: () => 'not today' }),
    fake('missing', 'import("no-such-package")'),
    fake('crashing', '((runs) => () => ++runs < 4 || process.exit(3))(0)'),
  ];
  const rows = await measure(contenders, (text) => void steps.push(text));
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
      ...['peer', OURS, 'crashing'].map((name) => `round 2/4: ${name}`),
      ...['peer', OURS].map((name) => `round 4/4: ${name}`),
    ],
  );
  const pids = rows.slice(0, 2).map(({ figures }) => figures?.value ?? NaN);
  assert.equal(new Set([...pids, process.pid]).size, 3);
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});

/**
 * @param {...string} runs
 * @returns {import('./peers.js').Contender[]} all in the process of the first
 */
function fakeGroup(...runs) {
  return runs.map((run, place) =>
    fake(String(place), run, {
      process: '0',
      command: (_, names) => command(...names.map((name) => runs[+name])),
    }),
  );
}

test('a case: those that share a process are told apart', async () => {
  const rows = await measure([
    ...fakeGroup('() => process.pid', '() => process.pid + 0.5'),
    fake('alone', '() => process.pid'),
  ]);
  const values = rows.map(({ figures }) => figures?.value ?? NaN);
  assert.equal(values[1], values[0] + 0.5);
  assert.notEqual(values[2], values[0]);
});

test('a case: one that cannot be prepared fails all that share its process', async () => {
  const rows = await measure([
    ...fakeGroup('() => 1', 'import("no-such-package")'),
    fake('alone', '() => 1'),
  ]);
  assert.deepEqual(
    rows.map(({ reason }) => reason),
    ['not installed', 'not installed', undefined],
  );
});
