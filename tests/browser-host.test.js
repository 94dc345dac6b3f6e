// tests/browser-host.test.js: the stand-ins for node:test and node:assert in browsers judge as the originals do.
import nodeAssert from 'node:assert/strict';
import { test } from 'node:test';
import browserAssert from './browser-host/node-assert.js';
import { after, before, describe, runFile, test as browserTest } from './browser-host/node-test.js';

/**
 * @param {() => unknown} call
 * @returns {Promise<string>}
 */
async function verdictOf(call) {
  try {
    await call();
    return 'holds';
  } catch (error) {
    return `fails with ${/** @type {Error} */ (error).name}`;
  }
}

class OwnError extends TypeError {
  tensor = 'fc1';
}

/** @type {unknown[]} */
const VALUES = [
  ...[0, -0, 1, NaN, Infinity, '', 'a', null, undefined, true, 1n],
  ...[[], [0], [-0], [NaN], [1, 2], [1, [2, NaN]], {}, { a: 1 }, { a: 1, b: undefined }, { b: 1 }],
  ...[
    Float32Array.of(0),
    Float32Array.of(-0),
    Float32Array.of(NaN),
    Float64Array.of(0),
    Uint16Array.of(1, 2),
  ],
  ...[new Uint32Array([0, 7]).subarray(1), new Uint32Array([7])],
  [[Float32Array.of(1)], { deep: [Float32Array.of(1)] }],
];

test('equal, deepEqual and ok hold for the same values as those of Node.js', async () => {
  let held = 0;
  for (const actual of VALUES) {
    for (const expected of VALUES) {
      for (const name of /** @type {const} */ (['equal', 'notEqual', 'deepEqual'])) {
        const ours = await verdictOf(() => browserAssert[name](actual, expected));
        const theirs = await verdictOf(() => nodeAssert[name](actual, expected));
        nodeAssert.equal(
          ours.slice(0, 5),
          theirs.slice(0, 5),
          `${name}: ${String(actual)}, ${String(expected)}`,
        );
        if (ours === 'holds') held += 1;
      }
    }
    nodeAssert.equal(
      (await verdictOf(() => browserAssert.ok(actual))).slice(0, 5),
      (await verdictOf(() => nodeAssert.ok(actual))).slice(0, 5),
    );
  }
  nodeAssert.ok(held > VALUES.length, `${held}`);
});

test('throws and rejects accept and refuse the same errors as those of Node.js', async () => {
  const thrown = new OwnError('tensors.fc1 is 3; expected less');
  /** @type {any[]} */
  const expectations = [
    undefined,
    TypeError,
    OwnError,
    RangeError,
    /fc1 is/,
    /fc2 is/,
    { name: 'TypeError' },
    { name: 'RangeError' },
    { message: 'tensors.fc1 is 3; expected less', tensor: 'fc1' },
    { message: /expected less$/, tensor: 'fc2' },
    { message: /expected more/ },
    { missing: 1 },
    (/** @type {Error} */ error) => error === thrown,
    () => false,
  ];
  for (const expected of expectations) {
    const where = String(expected?.message ?? expected);
    for (const call of [
      () => {
        throw thrown;
      },
      () => 1,
    ]) {
      const ours = await verdictOf(() => browserAssert.throws(call, expected));
      const theirs = await verdictOf(() => nodeAssert.throws(call, expected));
      nodeAssert.equal(ours.slice(0, 5), theirs.slice(0, 5), where);
      const promise = async () => call();
      for (const given of [promise, () => promise()]) {
        nodeAssert.equal(
          (await verdictOf(() => browserAssert.rejects(given, expected))).slice(0, 5),
          ours.slice(0, 5),
        );
      }
      nodeAssert.equal(
        (await verdictOf(() => browserAssert.rejects(promise(), expected))).slice(0, 5),
        (await verdictOf(() => nodeAssert.rejects(promise(), expected))).slice(0, 5),
        where,
      );
    }
  }
});

test('runFile runs hooks and tests in their order, waits for each, and reports every failure', async () => {
  /** @type {string[]} */
  const order = [];
  /** @type {[string, string | undefined][]} */
  const outcomes = [];
  const load = async () => {
    before(() => void order.push('before'));
    after(() => {
      order.push('after');
      throw new Error('too late');
    });
    describe('group', () => {
      browserTest('slow', async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        order.push('slow');
      });
      browserTest('bad', () => Promise.reject(new RangeError('no')));
    });
    browserTest('fast', () => void order.push('fast'));
  };
  await runFile(load, async ({ name, error }) => void outcomes.push([name, error?.message]));
  nodeAssert.deepEqual(order, ['before', 'slow', 'fast', 'after']);
  nodeAssert.deepEqual(outcomes, [
    ['group: slow', undefined],
    ['group: bad', 'no'],
    ['fast', undefined],
    ['after', 'too late'],
  ]);
  // Without its set-up nothing of a file can run.
  outcomes.length = 0;
  await runFile(
    async () => {
      before(() => {
        throw new Error('no adapter');
      });
      browserTest('never', () => {});
    },
    async ({ name, error }) => void outcomes.push([name, error?.message]),
  );
  nodeAssert.deepEqual(outcomes, [['before', 'no adapter']]);
});
