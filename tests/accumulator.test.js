// tests/accumulator.test.js: NormAccumulator: the bits of gradNorm from any order, partition and tree of merges, and
// a state that travels as JSON, means what its documentation says and is refused when it was damaged.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gradNorm, NormAccumulator } from 'gradnorm';
import { BLOCK, createRandom, hex, NORM_TYPES, shuffled } from './accuracy.js';
import { exactPowerSum, toNumber } from './oracle.js';
import { STAGING_BYTES } from './staging.js';
import { runNode } from './support.js';

/**
 * @typedef {import('gradnorm').GradientArray | import('gradnorm').HalfGradient} Gradient
 * @typedef {import('gradnorm').NormAccumulatorState} State
 */

/** Powers for every kernel and for both ends. */
const ALL = [
  Number.MIN_VALUE,
  2 ** -13,
  0.001,
  ...NORM_TYPES,
  2.7,
  66.6,
  12345.678,
  2 ** 53,
  Number.MAX_VALUE,
];

/** Hides from the type checker what is wrong on purpose. */
const untyped = (/** @type {unknown} */ value) => /** @type {any} */ (value);

/** @typedef {(length: number, random: () => number) => Gradient} MakeGradient */

/** @type {MakeGradient[]} */
const KINDS = [
  (length, random) => new Float32Array(length).map(() => random() - 0.5),
  (length, random) => new Float32Array(length).map(() => (random() - 0.5) * 2 ** (random() * 250 - 125)),
  (length, random) => new Float64Array(length).map(() => (random() - 0.5) * 2 ** (random() * 60 - 30)),
  (length, random) => new Float64Array(length).map(() => (random() - 0.5) * 2 ** (random() * 2000 - 1050)),
  (length, random) => ({ data: new Uint16Array(length).map(() => random() * 0x7c00), dtype: 'float16' }),
  (length, random) => ({ data: new Uint16Array(length).map(() => random() * 0x7f80), dtype: 'bfloat16' }),
  (length, random) => new Int8Array(length).map(() => random() * 256),
  (length, random) => new Uint16Array(length).map(() => random() * 65536),
  (length, random) => new Int32Array(length).map(() => random() * 2 ** 32),
];

/** What the staging area holds of four-byte elements. */
const STAGED = STAGING_BYTES / 4;

/** Empty, single, odd and long ones; and with one element behind the end of a block, of a heap or of the staging area. */
const LENGTHS = [
  ...[0, 1, 2, 3, 17, 100, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 1, 65_537, 131_073],
  ...[STAGED + 1, 2 * STAGED + 1],
];

/**
 * Tensors of many kinds and lengths, in random order.
 * @param {number} seed
 * @param {number} [greatest]  length
 * @returns {Gradient[]}
 */
function makeGradients(seed, greatest = Infinity) {
  const random = createRandom(seed);
  const lengths = LENGTHS.filter((length) => length <= greatest);
  const gradients = [...KINDS, ...KINDS].map((make, k) =>
    make(lengths[(k * 5 + seed) % lengths.length], random),
  );
  return shuffled(gradients, random);
}

/**
 * @param {number} normType
 * @param {readonly Gradient[]} gradients
 */
function accumulatorOf(normType, gradients) {
  const accumulator = new NormAccumulator(normType);
  for (const gradient of gradients) accumulator.add(gradient);
  return accumulator;
}

/**
 * Puts each item into one of a random number of heaps.
 * @template T
 * @param {readonly T[]} list
 * @param {() => number} random
 */
function partitionOf(list, random) {
  const heaps = Array.from({ length: 1 + Math.floor(random() * 8) }, () => /** @type {T[]} */ ([]));
  for (const item of list) heaps[Math.floor(random() * heaps.length)].push(item);
  return heaps;
}

/**
 * Merges two at random until one is left.
 * @param {NormAccumulator[]} accumulators
 * @param {() => number} random
 */
function mergeInRandomTree(accumulators, random) {
  const rest = shuffled(accumulators, random);
  while (rest.length > 1) {
    const [first] = rest.splice(Math.floor(random() * rest.length), 1);
    rest[Math.floor(random() * rest.length)].merge(first);
  }
  return rest[0];
}

/**
 * @param {number} actual
 * @param {number} expected
 * @param {string} where
 */
function assertSameBits(actual, expected, where) {
  assert.ok(Object.is(actual, expected), `${where}: got ${hex(actual)}, expected ${hex(expected)}`);
}

/**
 * @param {NormAccumulator} accumulator
 * @param {NormAccumulator} expected
 * @param {string} where
 */
function assertSameState(accumulator, expected, where) {
  assert.equal(JSON.stringify(accumulator), JSON.stringify(expected), where);
}

/** @param {NormAccumulator} accumulator */
const overJson = (accumulator) => NormAccumulator.fromJSON(JSON.parse(JSON.stringify(accumulator)));

describe('cuts at the end of the staging area', () => {
  // The norm seldom shows where a tensor is cut; the exact sum of its blocks always does.
  for (const before of [
    1,
    3,
    17,
    1000,
    60_000,
    65_537,
    STAGED - BLOCK - 1,
    STAGED - BLOCK,
    STAGED - 1,
    STAGED,
  ]) {
    test(`after ${before} elements a long tensor has the sum of powers that it has alone, for every p`, () => {
      const random = createRandom(before);
      const first = new Float32Array(before).fill(0);
      const long = Float32Array.from({ length: STAGED + 5 * BLOCK + 7 }, () => random() - 0.5);
      for (const p of [1, 2, 3, 1.5]) {
        const { totals } = new NormAccumulator(p).add([first, long]).toJSON();
        assert.deepEqual(totals, new NormAccumulator(p).add(long).toJSON().totals, `p = ${p}`);
      }
    });
  }
});

describe('the bits of gradNorm', () => {
  test('one by one in any order, for every p: the norm of the list, and the same state', () => {
    for (const p of ALL) {
      for (const seed of [1, 2]) {
        const gradients = makeGradients(seed);
        const norm = gradNorm(gradients, p);
        const together = new NormAccumulator(p).add(gradients);
        assertSameBits(together.norm, norm, `p = ${p}, at once`);
        const random = createRandom(seed);
        for (let trial = 0; trial < 4; ++trial) {
          const accumulator = accumulatorOf(p, shuffled(gradients, random));
          assertSameBits(accumulator.norm, norm, `p = ${p}, seed ${seed}`);
          assertSameState(accumulator, together, `p = ${p}, seed ${seed}`);
        }
      }
    }
  });

  test('any partition and any tree of merges, for every p: the norm of the list, and the same state', () => {
    for (const p of ALL) {
      const gradients = makeGradients(3);
      const norm = gradNorm(gradients, p);
      const together = accumulatorOf(p, gradients);
      const random = createRandom(4);
      for (let trial = 0; trial < 6; ++trial) {
        const parts = partitionOf(gradients, random).map((part) => accumulatorOf(p, part));
        const merged = mergeInRandomTree(parts, random);
        assertSameBits(merged.norm, norm, `p = ${p}`);
        assertSameState(merged, together, `p = ${p}`);
      }
    }
  });

  test('tensors cut at multiples of 4096 elements and spread over parts: the same norm and the same state', () => {
    const random = createRandom(5);
    for (const make of KINDS) {
      const whole = make(20 * BLOCK + 1, random);
      const cut = (/** @type {number} */ from, /** @type {number} */ to) =>
        'dtype' in whole
          ? { data: whole.data.subarray(from, to), dtype: whole.dtype }
          : whole.subarray(from, to);
      for (const p of NORM_TYPES) {
        const expected = accumulatorOf(p, [whole]);
        const ends = Array.from({ length: 20 }, (_, k) => (k + 1) * BLOCK).filter(() => random() < 0.4);
        const pieces = [0, ...ends].map((start, k) => cut(start, ends[k] ?? 20 * BLOCK + 1));
        const parts = partitionOf(pieces, random).map((part) => accumulatorOf(p, part));
        const merged = mergeInRandomTree(parts, random);
        assertSameBits(merged.norm, gradNorm(whole, p), `p = ${p}`);
        assertSameState(merged, expected, `p = ${p}, cut at ${ends}`);
      }
    }
  });

  test('merge is commutative and associative, for every p', () => {
    for (const p of ALL) {
      const [a, b, c] = [6, 7, 8].map((seed) => makeGradients(seed, BLOCK + 1));
      const of = (/** @type {Gradient[]} */ gradients) => accumulatorOf(p, gradients);
      assertSameState(of(a).merge(of(b)), of(b).merge(of(a)), `a + b, p = ${p}`);
      assertSameState(
        of(a).merge(of(b)).merge(of(c)),
        of(a).merge(of(b).merge(of(c))),
        `a + b + c, p = ${p}`,
      );
      assertSameState(of(a).merge(new NormAccumulator(p)), of(a), `a + 0, p = ${p}`);
      assertSameState(new NormAccumulator(p).merge(of(a)), of(a), `0 + a, p = ${p}`);
    }
  });

  test('merge leaves the other as it was', () => {
    const other = accumulatorOf(2, makeGradients(9));
    const before = JSON.stringify(other);
    new NormAccumulator(2).merge(other).merge(other);
    assert.equal(JSON.stringify(other), before);
  });

  test('merged with itself it holds everything twice', () => {
    for (const p of ALL) {
      const gradients = makeGradients(10, BLOCK + 1);
      const accumulator = accumulatorOf(p, gradients);
      assertSameState(
        accumulator.merge(accumulator),
        accumulatorOf(p, [...gradients, ...gradients]),
        `p = ${p}`,
      );
      assertSameBits(accumulator.norm, gradNorm([gradients, gradients], p), `p = ${p}`);
    }
  });

  test('the norm may be read at any point: that of what was added so far, and nothing changes', () => {
    for (const p of ALL) {
      const gradients = makeGradients(11, BLOCK + 1);
      const accumulator = new NormAccumulator(p);
      gradients.forEach((gradient, k) => {
        const { norm } = accumulator.add(gradient);
        assertSameBits(norm, gradNorm(gradients.slice(0, k + 1), p), `p = ${p}, ${k + 1} tensors`);
        assertSameBits(accumulator.norm, norm, `p = ${p}, again`);
      });
      assertSameState(accumulator, accumulatorOf(p, gradients), `p = ${p}`);
    }
  });

  test('several at a time, with gradNorm in between, do not disturb each other', () => {
    const gradients = makeGradients(12, BLOCK + 1);
    const accumulators = ALL.map((p) => new NormAccumulator(p));
    for (const gradient of gradients) {
      for (const accumulator of accumulators) {
        accumulator.add(gradient);
        gradNorm([gradient, Float32Array.of(1e30, NaN)], 3);
      }
    }
    accumulators.forEach((accumulator, k) => {
      assertSameState(accumulator, accumulatorOf(ALL[k], gradients), `p = ${ALL[k]}`);
    });
  });

  test('one element in all, wherever it came from, is its own norm for every p', () => {
    for (const p of ALL) {
      for (const x of [0.1, -3e38, 5e-324, -Number.MAX_VALUE]) {
        const single = accumulatorOf(p, [Float64Array.of(x)]);
        const merged = new NormAccumulator(p).add([null, new Float32Array(0)]).merge(overJson(single));
        assertSameBits(merged.norm, Math.abs(x), `${x}, p = ${p}`);
      }
    }
  });
});

describe('add, count, reset', () => {
  test('a new one holds nothing: norm +0, count 0, normType 2 if left out', () => {
    for (const p of [...ALL, undefined]) {
      const { norm, count, normType } = new NormAccumulator(p);
      assertSameBits(norm, 0, `p = ${p}`);
      assert.deepEqual({ count, normType }, { count: 0, normType: p ?? 2 });
    }
  });

  test('takes every form of gradients that gradNorm takes, and returns itself', () => {
    const array = Float32Array.of(3, 4);
    const forms = [
      array,
      { grad: array },
      [array, null],
      { w: { grad: array }, b: null },
      new Map([['w', array]]),
    ];
    for (const form of [...forms, new Set([array]), [array].values()]) {
      const accumulator = new NormAccumulator();
      assert.equal(accumulator.add(form), accumulator);
      assert.deepEqual([accumulator.norm, accumulator.count], [5, 2]);
    }
    for (const nothing of [null, [], {}, { grad: null }, [null, undefined], new Float32Array(0)]) {
      assertSameState(new NormAccumulator(3).add(nothing), new NormAccumulator(3), 'nothing');
    }
  });

  test('gradients are read at once and never again', () => {
    const array = Float32Array.of(3, 4);
    const accumulator = new NormAccumulator().add(array);
    array.fill(100);
    assert.equal(accumulator.norm, 5);
  });

  test('count is the number of elements, zeros and non-finite ones included', () => {
    const accumulator = new NormAccumulator();
    accumulator.add([Float32Array.of(0, -0, NaN), Int8Array.of(1), null, new Float64Array(0)]);
    assert.equal(accumulator.count, 4);
    accumulator.add({ data: Uint16Array.of(0x7c00, 0), dtype: 'float16' });
    assert.equal(accumulator.count, 6);
    assert.equal(accumulator.merge(accumulatorOf(2, [new Uint8Array(100_000)])).count, 100_006);
    assert.equal(overJson(accumulator).count, 100_006);
    for (const p of ALL) {
      const gradients = makeGradients(13);
      const elements = gradients.reduce((sum, g) => sum + ('dtype' in g ? g.data : g).length, 0);
      assert.equal(accumulatorOf(p, gradients).count, elements, `p = ${p}`);
    }
  });

  test('reset leaves a new one of the same p, ready for the next step', () => {
    for (const p of ALL) {
      const accumulator = accumulatorOf(p, [...makeGradients(14, BLOCK + 1), Float32Array.of(NaN, Infinity)]);
      assert.equal(accumulator.reset(), accumulator);
      assertSameState(accumulator, new NormAccumulator(p), `p = ${p}`);
      assert.deepEqual([accumulator.norm, accumulator.count], [0, 0]);
      assertSameState(
        accumulator.add(Float32Array.of(1, 2)),
        accumulatorOf(p, [Float32Array.of(1, 2)]),
        `p = ${p}`,
      );
    }
  });

  test('NaN beats Infinity, Infinity beats every number, through merges, JSON and whatever is added later', () => {
    for (const p of ALL) {
      const finite = accumulatorOf(p, makeGradients(15, 1000));
      const infinite = accumulatorOf(p, [Float32Array.of(1, -Infinity)]);
      const notANumber = accumulatorOf(p, [{ data: Uint16Array.of(0x7fc1, 0), dtype: 'bfloat16' }]);
      assertSameBits(overJson(infinite).merge(finite).norm, Infinity, `p = ${p}`);
      assertSameBits(overJson(finite).merge(infinite).norm, Infinity, `p = ${p}`);
      assertSameBits(overJson(infinite).merge(notANumber).norm, NaN, `p = ${p}`);
      assertSameBits(overJson(notANumber).merge(infinite).norm, NaN, `p = ${p}`);
      assertSameBits(
        overJson(overJson(finite).merge(notANumber)).add(Float32Array.of(1)).norm,
        NaN,
        `p = ${p}`,
      );
      const flagsOf = (/** @type {NormAccumulator} */ accumulator) => {
        const { nan, infinity } = accumulator.toJSON();
        return { nan, infinity };
      };
      assert.deepEqual(flagsOf(finite), { nan: false, infinity: false });
      assert.deepEqual(flagsOf(infinite), { nan: false, infinity: true });
      assert.deepEqual(flagsOf(notANumber), { nan: true, infinity: false });
      const all = overJson(infinite).merge(notANumber).merge(finite);
      assert.deepEqual(flagsOf(all), { nan: true, infinity: true });
    }
  });

  const refused = { name: 'TypeError', message: /^gradients\[1\] is a DataView; expected / };

  test('an add that fails adds nothing, not even what came before the mistake', () => {
    for (const p of ALL) {
      const accumulator = accumulatorOf(p, [Float32Array.of(1, 2)]);
      const before = JSON.stringify(accumulator);
      const big = new Float32Array(100_000).fill(1e10);
      const bad = [big, new DataView(new ArrayBuffer(1))];
      assert.throws(() => accumulator.add(untyped(bad)), refused);
      const mine = new Error('mine');
      const generator = (function* () {
        yield big;
        throw mine;
      })();
      assert.throws(
        () => accumulator.add(generator),
        (error) => error === mine,
      );
      const lost = Float32Array.of(1);
      const detaching = {
        lost,
        get late() {
          structuredClone(lost.buffer, { transfer: [lost.buffer] });
          return big;
        },
      };
      assert.throws(() => accumulator.add(detaching), {
        name: 'TypeError',
        message:
          'gradients.lost is a Float32Array that changed from 1 to 0 elements; ' +
          'expected buffers to stay while the gradients are read',
      });
      assert.equal(JSON.stringify(accumulator), before, `p = ${p}`);
      assertSameState(accumulator.add(big), accumulatorOf(p, [Float32Array.of(1, 2), big]), `p = ${p}`);
    }
  });

  test('a generator that adds to the same accumulator: both adds count', () => {
    const accumulator = new NormAccumulator(1);
    const generator = (function* () {
      yield Float32Array.of(1);
      accumulator.add(Float32Array.of(2));
      yield Float32Array.of(4);
    })();
    assert.equal(accumulator.add(generator).norm, 7);
    assert.equal(accumulator.count, 3);
  });

  test('a normType that is none: the error of gradNorm', () => {
    const expected = 'expected a number > 0 or Infinity';
    for (const [normType, got] of [
      ['2', '"2" (a string)'],
      [null, 'null'],
      [{}, 'an object'],
    ]) {
      const error = { name: 'TypeError', message: `normType is ${got}; ${expected}` };
      assert.throws(() => new NormAccumulator(untyped(normType)), error);
    }
    for (const normType of [0, -1, NaN, -Infinity]) {
      const error = { name: 'RangeError', message: `normType is ${normType}; ${expected}` };
      assert.throws(() => new NormAccumulator(normType), error);
    }
  });
});

describe('a full accumulator', () => {
  // A sum whose digits are all ones, as far as a block's sum has some; doubled 31 times it is next to full.
  const gradient = Float64Array.of(2 - 2 ** -52);
  const next = new NormAccumulator(1).add(gradient);
  for (let i = 0; i < 31; ++i) next.merge(next);

  /** @param {() => unknown} action */
  function assertFull(action) {
    const before = JSON.stringify(next);
    const message = 'more than 2^31 blocks were added; expected a reset() before';
    assert.throws(action, { name: 'RangeError', message });
    assert.equal(JSON.stringify(next), before);
  }

  test('2^31 blocks are added up right; merging as many again is refused, and nothing is added', () => {
    assert.equal(next.norm, 2 ** 31 * (2 - 2 ** -52));
    assert.equal(next.count, 2 ** 31);
    assertFull(() => next.merge(next));
    assertFull(() => next.merge(NormAccumulator.fromJSON(JSON.parse(JSON.stringify(next)))));
    assert.equal(next.norm, 2 ** 31 * (2 - 2 ** -52));
  });

  test('add is refused as well, and reset makes room', () => {
    assertFull(() => next.add([gradient, gradient]));
    assert.equal(new NormAccumulator(1).merge(next).reset().add(gradient).norm, gradient[0]);
  });

  test('a state of totals beyond that is none', () => {
    const state = new NormAccumulator(1).add(gradient).toJSON();
    state.totals[1] = '8000000000000000';
    assert.throws(
      () => NormAccumulator.fromJSON(state),
      /totals is an Array; expected .* numbers below 2\^63$/,
    );
  });
});

describe('two copies of the library, and proxies', () => {
  test('merge takes an accumulator of another copy', async () => {
    const slim = await import('gradnorm/slim');
    const other = new slim.NormAccumulator(2).add(Float32Array.of(3, 4));
    assert.equal(new NormAccumulator(2).merge(untyped(other)).norm, 5);
    const message = 'other.normType is 2; expected 1, as here';
    assert.throws(() => new NormAccumulator(1).merge(untyped(other)), { name: 'RangeError', message });
  });

  test('an accumulator behind a Proxy, as frameworks make to watch objects, works', () => {
    const proxy = new Proxy(new NormAccumulator(2), {});
    proxy.add(Float32Array.of(3)).merge(new Proxy(new NormAccumulator(2).add(Float32Array.of(4)), {}));
    assert.deepEqual([proxy.norm, proxy.count, proxy.normType], [5, 2, 2]);
    assert.equal(NormAccumulator.fromJSON(proxy.toJSON()).norm, 5);
    assert.equal(proxy.reset().norm, 0);
  });
});

describe('merge refuses', () => {
  const EXPECTED = 'expected a NormAccumulator (make one of a state by NormAccumulator.fromJSON)';

  test('what is no accumulator, a state among it, and stays as it was', () => {
    const accumulator = accumulatorOf(2, [Float32Array.of(3, 4)]);
    const before = JSON.stringify(accumulator);
    /** @type {[got: string, other: unknown][]} */
    const others = [
      ['an object', accumulator.toJSON()],
      ['an object', JSON.parse(before)],
      [`${JSON.stringify(`${before.slice(0, 39)}…`)} (a string)`, before],
      ['undefined', undefined],
      ['null', null],
      ['5 (a number)', 5],
      ['a Float32Array', Float32Array.of(1)],
      ['a function', NormAccumulator],
    ];
    for (const [got, other] of others) {
      const error = { name: 'TypeError', message: `other is ${got}; ${EXPECTED}` };
      assert.throws(() => accumulator.merge(untyped(other)), error);
    }
    assert.equal(JSON.stringify(accumulator), before);
  });

  test('one of another normType, and stays as it was', () => {
    /** @type {[number, number][]} */
    const pairs = [
      [2, 1],
      [2, 2 + 2 ** -51],
      [Infinity, Number.MAX_VALUE],
      [0.1, Infinity],
    ];
    for (const [p, q] of pairs) {
      const accumulator = accumulatorOf(p, [Float32Array.of(3, 4)]);
      const before = JSON.stringify(accumulator);
      const error = { name: 'RangeError', message: `other.normType is ${q}; expected ${p}, as here` };
      assert.throws(() => accumulator.merge(accumulatorOf(q, [Float32Array.of(1)])), error);
      assert.equal(JSON.stringify(accumulator), before);
    }
  });
});

/**
 * The sum that a state stands for, by its documentation, in units of 2^(32 * (top - 4)).
 * @param {State} state
 */
function sumOf({ totals, top }) {
  const digits = totals.map((total) => BigInt(`0x${total}`));
  const mantissa = digits.reduce((sum, digit) => (sum << 32n) + digit, 0n);
  return { mantissa, exponent: 32 * (Number(top) - 4) };
}

/**
 * @param {{ mantissa: bigint, exponent: number }} a
 * @param {{ mantissa: bigint, exponent: number }} b
 */
function addSums(a, b) {
  const exponent = Math.min(a.exponent, b.exponent);
  const lifted = [a, b].map((sum) => sum.mantissa << BigInt(sum.exponent - exponent));
  return { mantissa: lifted[0] + lifted[1], exponent };
}

/**
 * @param {{ mantissa: bigint, exponent: number }} actual
 * @param {{ mantissa: bigint, exponent: number }} expected
 */
function assertSameSum(actual, expected) {
  const negative = { mantissa: -expected.mantissa, exponent: expected.exponent };
  assert.equal(addSums(actual, negative).mantissa, 0n);
}

describe('the state', () => {
  test('is exactly this, in version 1', () => {
    const empty = ['0', '0', '0', '0', '0'];
    assert.deepEqual(new NormAccumulator().toJSON(), {
      gradnorm: 'norm accumulator',
      version: 1,
      normType: 2,
      elements: 0,
      largest: 0,
      nan: false,
      infinity: false,
      top: null,
      totals: empty,
      check: 'd7950145',
    });
    assert.deepEqual(accumulatorOf(2, [Float32Array.of(3, 4)]).toJSON(), {
      gradnorm: 'norm accumulator',
      version: 1,
      normType: 2,
      elements: 2,
      largest: 0,
      nan: false,
      infinity: false,
      top: '0',
      totals: ['19', '0', '0', '0', '0'],
      check: 'ae1090dc',
    });
    assert.deepEqual(
      accumulatorOf(Infinity, [Float64Array.of(-1e300, NaN), Float32Array.of(-Infinity, 2)]).toJSON(),
      {
        gradnorm: 'norm accumulator',
        version: 1,
        normType: 'Infinity',
        elements: 4,
        largest: 0,
        nan: true,
        infinity: true,
        top: null,
        totals: empty,
        check: 'dd623087',
      },
    );
  });

  test('is the same for tensors of a block and one element however they were packed', () => {
    const long = new Float32Array(STAGED + 1).fill(1); // ends behind the staging area
    const short = new Float32Array(1000).fill(1);
    for (const p of NORM_TYPES) {
      const together = new NormAccumulator(p).add([long, short]);
      assertSameState(new NormAccumulator(p).add([short, long]), together, `other order, p = ${p}`);
      assertSameState(accumulatorOf(p, [long, short]), together, `one by one, p = ${p}`);
      assertSameState(
        accumulatorOf(p, [long.subarray(STAGED), short, long.subarray(0, STAGED)]),
        together,
        `cut, p = ${p}`,
      );
    }
  });

  test('goes over JSON, structuredClone and back at any point without a trace, for every p', () => {
    for (const p of ALL) {
      const gradients = [...makeGradients(16, BLOCK + 1), Float32Array.of(NaN, -Infinity)];
      let travelling = new NormAccumulator(p);
      const resting = new NormAccumulator(p);
      for (const gradient of gradients) {
        const cloned = NormAccumulator.fromJSON(structuredClone(travelling.toJSON()));
        assertSameState(cloned, travelling, `cloned, p = ${p}`);
        travelling = overJson(cloned).add(gradient);
        assertSameState(travelling, resting.add(gradient), `p = ${p}`);
        assertSameBits(travelling.norm, resting.norm, `p = ${p}`);
      }
      assert.deepEqual([travelling.normType, travelling.count], [p, resting.count]);
    }
  });

  test('is plain data of its own: changing it changes no accumulator', () => {
    const accumulator = accumulatorOf(2, [Float32Array.of(3, 4)]);
    const state = accumulator.toJSON();
    const restored = NormAccumulator.fromJSON(state);
    state.totals[0] = 'ff';
    state.elements = 7;
    assert.deepEqual([accumulator.norm, accumulator.count], [5, 2]);
    assert.deepEqual([restored.norm, restored.count], [5, 2]);
    restored.add(Float32Array.of(12));
    assert.deepEqual([accumulator.norm, restored.norm], [5, 13]);
    assert.equal(Object.getPrototypeOf(state), Object.prototype);
  });

  test('is at most 1 kB as JSON, however extreme p and the elements', (t) => {
    const powers = [5e-324, 2.2250738585072014e-308, 1 / 3, 64.4, 1.2345678901234567e-100, Number.MAX_VALUE];
    let longest = 0;
    for (const p of [...powers, ...ALL]) {
      const accumulator = new NormAccumulator(p);
      for (const size of [5e-324, 1.2345678901234567e-307, 0.1, 1e300, Number.MAX_VALUE]) {
        accumulator.add([new Float64Array(BLOCK).fill(size), new Float64Array(7).fill(-size / 3)]);
        accumulator.add([Float64Array.of(size), Float32Array.of(NaN, Infinity)]);
      }
      for (let k = 0; k < 20; ++k) accumulator.merge(accumulator);
      const json = JSON.stringify(accumulator);
      longest = Math.max(longest, Buffer.byteLength(json));
      assertSameState(NormAccumulator.fromJSON(JSON.parse(json)), accumulator, `p = ${p}`);
    }
    t.diagnostic(`the longest state: ${longest} bytes`);
    assert.ok(longest > 200 && longest <= 1000, `${longest} bytes`);
  });
});

describe('the formula of the state', () => {
  /**
   * Tensors of whole numbers times a power of two each, so small that every block's sum is exact.
   * @param {number} p
   */
  function makeExact(p) {
    const random = createRandom(17);
    return Array.from({ length: 40 }, (_, k) => {
      const unit = 2 ** ((2 * k - 40) / p);
      return new Float64Array(k * 101).map(() => Math.floor((random() - 0.5) * 2 ** (36 / p)) * unit);
    });
  }

  for (const p of [1, 2]) {
    test(`totals and top are the sum of the ${p === 1 ? 'magnitudes' : 'squares'}, exactly`, () => {
      const gradients = makeExact(p);
      const state = accumulatorOf(p, gradients).toJSON();
      assertSameSum(sumOf(state), exactPowerSum(gradients, p));
      for (const gradient of gradients) {
        assertSameSum(sumOf(accumulatorOf(p, [gradient]).toJSON()), exactPowerSum([gradient], p));
      }
    });
  }

  test('p = 1, 2: the norm is the sum or its square root, rounded once each', () => {
    for (let seed = 20; seed < 30; ++seed) {
      const random = createRandom(seed);
      const gradients = Array.from({ length: 20 }, (_, k) =>
        KINDS[[0, 2, 4, 6, 7, 8][k % 6]](Math.floor(random() * 3 * BLOCK), random),
      );
      const sum = accumulatorOf(1, gradients);
      assertSameBits(sum.norm, toNumber(sumOf(sum.toJSON())), 'p = 1');
      const squares = accumulatorOf(2, gradients);
      assertSameBits(squares.norm, Math.sqrt(toNumber(sumOf(squares.toJSON()))), 'p = 2');
    }
  });

  test('every p: the sum of a list is the sum of its tensors, exactly', () => {
    const random = createRandom(18);
    const gradients = Array.from({ length: 30 }, (_, k) => KINDS[k % 2 === 0 ? 0 : 6](1 + k * 300, random));
    for (const p of NORM_TYPES.filter((p) => p <= 4)) {
      const states = gradients.map((gradient) => accumulatorOf(p, [gradient]).toJSON());
      assertSameSum(sumOf(accumulatorOf(p, gradients).toJSON()), states.map(sumOf).reduce(addSums));
    }
  });

  test('what is far below the largest block is dropped: less than 2^-116 of it for each block', () => {
    for (const exponent of [60, 80, 100, 115, 116, 117, 140, 160, 200]) {
      const gradients = [Float64Array.of(1.5, 0), Float64Array.of(1.25 * 2 ** -exponent, 0)];
      const state = sumOf(accumulatorOf(1, gradients).toJSON());
      const missing = addSums(exactPowerSum(gradients, 1), {
        mantissa: -state.mantissa,
        exponent: state.exponent,
      });
      assert.ok(missing.mantissa >= 0n);
      assert.ok(toNumber(missing) < 1.5 * 2 ** -116, `2^-${exponent}: ${toNumber(missing)}`);
      if (exponent <= 60) assert.equal(missing.mantissa, 0n);
    }
  });

  test('p = Infinity: the largest magnitude, and no sum', () => {
    const { largest, top, totals } = accumulatorOf(Infinity, [
      Float32Array.of(1, -7, 3),
      Int8Array.of(-6),
    ]).toJSON();
    assert.deepEqual({ largest, top, totals }, { largest: 7, top: null, totals: ['0', '0', '0', '0', '0'] });
  });
});

/**
 * Whatever fromJSON makes of a text: the accumulator, or its refusal.
 * @param {string} text
 * @returns {NormAccumulator | Error | null}  null if the text is no JSON
 */
function restore(text) {
  let state;
  try {
    state = JSON.parse(text);
  } catch {
    return null;
  }
  try {
    return NormAccumulator.fromJSON(state);
  } catch (error) {
    return /** @type {Error} */ (error);
  }
}

describe('a damaged state', () => {
  const REFUSAL =
    /^not the state of a NormAccumulator: (gradnorm|version|normType|elements|largest|nan|infinity|top|totals|check) is .+; expected .+$|^the state is .+; expected what the toJSON of a NormAccumulator returned$/;

  const STATES = {
    'an ordinary one': () => accumulatorOf(2, makeGradients(30, BLOCK)),
    'a real p and negative top': () =>
      accumulatorOf(2.7, [Float64Array.of(1e-300, 3e-300), Float32Array.of(0)]),
    'an infinite p with NaN': () =>
      accumulatorOf(Infinity, [Float32Array.of(0.1, NaN), Float32Array.of(Infinity)]),
    'an empty one': () => new NormAccumulator(0.5),
  };

  /** Everything that JSON is made of, and what is not. */
  const CHARACTERS = [
    ...'0123456789abcdefghijklmnopqrstuvwxyzAEFINZ+-.,:;"\'{}[]()<>/\\_=!#$%&*?@^`|~ \t\n\u00e9\0',
  ];

  /**
   * All texts that one character makes of this: one more, one less, another one.
   * @param {string} text
   */
  function* changed(text) {
    for (let at = 0; at <= text.length; ++at) {
      const [head, tail] = [text.slice(0, at), text.slice(at)];
      if (at < text.length) yield head + tail.slice(1);
      for (const character of CHARACTERS) {
        yield head + character + tail;
        if (at < text.length && character !== text[at]) yield head + character + tail.slice(1);
      }
    }
  }

  for (const [name, make] of Object.entries(STATES)) {
    test(`${name}: with one character more, less or other it is no JSON, refused, or means the same`, (t) => {
      const text = JSON.stringify(make());
      const counts = { 'no JSON': 0, refused: 0, 'the same': 0 };
      for (const other of changed(text)) {
        const result = restore(other);
        if (result === null) {
          counts['no JSON'] += 1;
        } else if (result instanceof NormAccumulator) {
          assert.equal(JSON.stringify(result), text, other);
          counts['the same'] += 1;
        } else {
          assert.equal(result.name, 'TypeError', other);
          assert.match(result.message, REFUSAL, other);
          counts.refused += 1;
        }
      }
      t.diagnostic(JSON.stringify(counts));
      assert.ok(counts['no JSON'] > 10_000 && counts.refused > 5000, JSON.stringify(counts));
      // White space around every token, leading zeros, a sign of 0: less than a tenth can mean the same.
      assert.ok(counts['the same'] >= 100 && counts['the same'] < counts.refused / 5, JSON.stringify(counts));
    });

    test(`${name}: cut short anywhere it is no JSON`, () => {
      const text = JSON.stringify(make());
      for (let length = 0; length < text.length; ++length) assert.equal(restore(text.slice(0, length)), null);
    });
  }

  test('two totals exchanged, or any bit of a word flipped: refused by the check, or as too large', () => {
    const state = accumulatorOf(2, makeGradients(31, BLOCK)).toJSON();
    const [first, second, ...others] = state.totals;
    assert.notEqual(first, second);
    assert.match(
      String(restore(JSON.stringify({ ...state, totals: [second, first, ...others] }))),
      /: check is "/,
    );
    for (let i = 0; i < 5; ++i) {
      for (let bit = 0n; bit < 64n; ++bit) {
        const totals = state.totals.slice();
        totals[i] = (BigInt(`0x${totals[i]}`) ^ (1n << bit)).toString(16);
        const complaint = bit < 63n ? /: check is "/ : /: totals is an Array; expected .* below 2\^63$/;
        assert.match(String(restore(JSON.stringify({ ...state, totals }))), complaint);
      }
    }
    for (const changes of [
      { nan: !state.nan },
      { infinity: !state.infinity },
      { normType: 3 },
      { largest: 1e-5 },
    ]) {
      assert.match(String(restore(JSON.stringify({ ...state, ...changes }))), /: check is "/);
    }
  });

  test('the state of one, with the check of another: both named', () => {
    const one = accumulatorOf(2, [Float32Array.of(3, 4)]).toJSON();
    const { check } = accumulatorOf(2, [Float32Array.of(3, 5)]).toJSON();
    assert.throws(() => NormAccumulator.fromJSON({ ...one, check }), {
      name: 'TypeError',
      message: `not the state of a NormAccumulator: check is "${check}" (a string); expected "${one.check}", which fits the rest`,
    });
  });
});

describe('a foreign state', () => {
  const right = accumulatorOf(2, [Float32Array.of(3, 4)]).toJSON();

  test('no object at all: a TypeError that says what was found, and where states come from', () => {
    for (const state of [undefined, null, 5, 'abc', NormAccumulator, JSON.stringify(right)]) {
      assert.throws(() => NormAccumulator.fromJSON(state), {
        name: 'TypeError',
        message: /^the state is .+; expected .*NormAccumulator/,
      });
    }
  });

  /** What each field is in no state. @type {Record<keyof State, unknown[]>} */
  const WRONG = {
    gradnorm: ['monitor', true],
    version: [2, 0, '1'],
    normType: [0, -2, NaN, Infinity, '2', 'infinity', null],
    elements: [-1, 1.5, '2', Infinity],
    largest: [-1, NaN, Infinity, null, '4'],
    nan: [0, 'false'],
    infinity: [1, null],
    top: [0, '', '1.5', '9223372036854775808', '-9223372036854775809', '0x10'],
    totals: [
      ['0', '0', '0', '0'],
      ['0', '0', '0', '0', '0', '0'],
      ['0', '0', '0', '0', '10000000000000000'],
      ['0', '0', '0', '0', ''],
      ['0', '0', '0', '0', '-1'],
      ['0', '0', '0', '0', null],
      { ...right.totals, length: 5 },
      '00000',
    ],
    check: ['abc', '0ADF00D5', '000000000', null],
  };

  /**
   * The message names the field, what was found there and what is expected; its words are free.
   * @param {unknown} state
   * @param {string} field
   */
  function assertRefused(state, field) {
    const found = /** @type {Record<string, unknown>} */ (state)[field];
    const got = ['number', 'boolean'].includes(typeof found) ? `${found} ` : '';
    const message = new RegExp(`^not the state of a NormAccumulator: ${field} is ${got}.*; expected .`);
    assert.throws(() => NormAccumulator.fromJSON(state), { name: 'TypeError', message });
  }

  test('every field of the state is in the table above', () => {
    assert.deepEqual(Object.keys(WRONG), Object.keys(right));
    assert.equal(NormAccumulator.fromJSON({ ...right }).norm, 5);
  });

  for (const [field, values] of Object.entries(WRONG)) {
    test(`${field} missing or wrong: a TypeError that names it and what was found`, () => {
      const { [field]: _, ...rest } = /** @type {Record<string, unknown>} */ (right);
      assertRefused(rest, field);
      for (const value of values) assertRefused({ ...right, [field]: value }, field);
      assert.equal(NormAccumulator.fromJSON(right).norm, 5);
    });
  }

  test('of two mistakes the first field is named; an empty object, a list and another kind of state by the kind', () => {
    assertRefused({ ...right, version: 2, check: '' }, 'version');
    for (const state of [{}, [], new Map(), new Date(0), [right]]) assertRefused(state, 'gradnorm');
  });
});

describe('memory', () => {
  test('100,000 adds, norms, merges and states: the heap is as it was', async (t) => {
    const program = `
      import { NormAccumulator } from 'gradnorm';
      const tensors = Array.from({ length: 148 }, (_, k) => new Float32Array(1 + 9 * k).fill(0.5));
      const accumulator = new NormAccumulator();
      const total = new NormAccumulator();
      function step(i) {
        accumulator.add(tensors[i % 148]);
        if (i % 148 !== 147) return;
        total.reset().merge(accumulator).merge(NormAccumulator.fromJSON(accumulator.toJSON()));
        if (!(total.norm > accumulator.norm)) throw new Error('the norms are wrong');
        accumulator.reset();
      }
      function memory() {
        for (let i = 0; i < 5; ++i) globalThis.gc();
        const { heapUsed, external, arrayBuffers } = process.memoryUsage();
        return [heapUsed, external, arrayBuffers];
      }
      for (let i = 0; i < 148 * 200; ++i) step(i);
      memory();
      const before = memory();
      for (let i = 0; i < 148 * 676; ++i) step(i);
      const after = memory();
      console.log(JSON.stringify(after.map((bytes, k) => bytes - before[k])));`;
    const { status, stdout, stderr } = await runNode(['--expose-gc', '--input-type=module', '-'], {
      input: program,
    });
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    const [heap, external, arrayBuffers] = JSON.parse(stdout);
    t.diagnostic(
      `growth: heap ${heap} bytes, external ${external} bytes, array buffers ${arrayBuffers} bytes`,
    );
    // 8 bytes kept for each add would be 800 kB.
    assert.ok(heap < 100_000, `the heap grew by ${heap} bytes`);
    assert.ok(external < 10_000 && arrayBuffers < 10_000, `${external} and ${arrayBuffers} bytes`);
  });
});

describe('shards over worker_threads: node web/demo/shards.js', () => {
  const run = (/** @type {string[]} */ ...args) => runNode(['web/demo/shards.js', ...args]);

  for (const p of ['1', '2', '2.7', 'Infinity']) {
    test(`p = ${p}: the partials of 1, 3 and 7 workers merge to the bits of one thread`, async () => {
      /** @type {Set<string>} */
      const norms = new Set();
      for (const workers of [1, 3, 7]) {
        const { status, stdout, stderr } = await run(
          '--workers',
          `${workers}`,
          '--tensors',
          '31',
          '--norm-type',
          p,
        );
        assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
        const lines = stdout.trimEnd().split('\n');
        const shards = lines.splice(0, workers).sort();
        shards.forEach((line, k) => {
          const [, worker, tensors, bytes] =
            /^worker (\d): (\d+) tensors, state of (\d+) bytes$/.exec(line) ?? [];
          assert.deepEqual([Number(worker), Number(tensors)], [k + 1, Math.ceil((31 - k) / workers)], line);
          assert.ok(Number(bytes) <= 1000, line);
        });
        const [elements, merged, oneThread, verdict, ...more] = lines;
        assert.equal(elements, `732366 elements, p = ${p}`);
        assert.equal(merged.replace('merged:     ', ''), oneThread.replace('one thread: ', ''));
        assert.ok(Number(oneThread.slice(12)) > 0.99, oneThread);
        assert.deepEqual([verdict, more], ['the same bits', []]);
        norms.add(merged);
      }
      assert.equal(norms.size, 1, [...norms].join());
    });
  }

  test('says what can be changed, and what is wrong', async () => {
    const help = await run('--help');
    assert.deepEqual({ status: help.status, stderr: help.stderr }, { status: 0, stderr: '' });
    for (const option of ['workers', 'tensors', 'elements', 'norm-type'])
      assert.match(help.stdout, RegExp(`--${option} `));
    /** @type {[string, string][]} */
    const mistakes = [
      ['--workers=0', '--workers is 0; expected a whole number from 1 to 64'],
      ['--tensors=x', '--tensors is x; expected a whole number from 1 to 1000000'],
      ['--elements=1.5', '--elements is 1.5; expected a whole number from 1 to 10000000'],
      ['--norm-type=-1', 'normType is -1; expected a number > 0 or Infinity'],
      ['--nothing', "Unknown option '--nothing'"],
    ];
    for (const [option, message] of mistakes) {
      assert.deepEqual(await run(option), { status: 1, stdout: '', stderr: `${message}\n` });
    }
  });
});
