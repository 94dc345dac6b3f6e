// tests/collect.test.js: the door: what gradNorm accepts, what it refuses, and the words it finds for that.
//
// Where a test asks which arrays were read, p is 1 and the elements are powers of two: the norm is their sum,
// exactly, and tells which of them were counted and how often.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runInNewContext } from 'node:vm';
import {
  clipGradNorm,
  clipGradsWithNorm,
  clipGradValue,
  gradNorm,
  gradReport,
  NormAccumulator,
} from 'gradnorm';
import { STAGING_BYTES } from './staging.js';

const EXPECTED_TYPES =
  'a Float32Array, Float64Array, Float16Array or array of 8- to 32-bit integers, ' +
  "{ data: Uint16Array, dtype: 'float16' or 'bfloat16' }";
const EXPECTED = `${EXPECTED_TYPES}, an object whose grad is one, a list, Map or plain record of these, or null`;
const DTYPES = "'float16', 'bfloat16' or the name of its data's type, such as 'float32'";
const EXPECTED_GRAD = `${EXPECTED_TYPES}, or null`;

/** More elements than the staging area holds, so that the array is read in pieces. */
const MANY = STAGING_BYTES + 1;

const f32 = (/** @type {number[]} */ ...elements) => Float32Array.of(...elements);
const f64 = (/** @type {number[]} */ ...elements) => Float64Array.of(...elements);

const INTEGER_TYPES = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
];

/** The bits of 1. */
const HALVES = /** @type {const} */ ([
  ['float16', 0x3c00],
  ['bfloat16', 0x3f80],
]);

/** Hides from the type checker what is wrong on purpose. */
const untyped = (/** @type {unknown} */ value) => /** @type {any} */ (value);

/** The next call after anything gives the right answer. */
function assertWorks() {
  assert.equal(gradNorm([f32(3), null, f64(4)]), 5);
  assert.equal(gradNorm(f32(-7, 2), Infinity), 7);
}

/**
 * @param {unknown} gradients
 * @param {string} message
 */
function assertRefused(gradients, message) {
  assert.throws(() => gradNorm(untyped(gradients)), { name: 'TypeError', message });
  assertWorks();
}

/**
 * Asserts that exactly this error comes through, the same object.
 * @param {() => unknown} call
 * @param {unknown} error
 */
function assertThrowsThis(call, error) {
  let thrown = /** @type {unknown} */ (assertThrowsThis);
  try {
    call();
  } catch (caught) {
    thrown = caught;
  }
  assert.equal(thrown, error);
  assertWorks();
}

/**
 * @param {unknown} gradients
 * @param {number} sum
 */
function assertSum(gradients, sum) {
  assert.equal(gradNorm(untyped(gradients), 1), sum);
}

function detached() {
  const array = f32(1, 2);
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** @param {object} target */
function revoked(target) {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** @param {object} parameter  @param {string} name  @param {() => unknown} get */
function withGetter(parameter, name, get) {
  return Object.defineProperty(parameter, name, { get, enumerable: true, configurable: true });
}

describe('accepted', () => {
  test('one gradient', () => {
    assert.equal(gradNorm(f32(3, -4)), 5);
    assert.equal(gradNorm(f64(3, -4)), 5);
  });

  for (const Type of INTEGER_TYPES) {
    test(`${Type.name}: alone, as a grad, in lists, Maps and records, small and large`, () => {
      const make = (/** @type {number[]} */ ...elements) => Type.from(elements);
      assertSum(make(3, 4), 7);
      assertSum({ grad: make(1, 2) }, 3);
      assertSum([make(1), f32(2), [make(4), null]], 7);
      assertSum(new Map([['w', { grad: make(1) }]]), 1);
      assertSum({ fc1: { weight: make(1, 0), bias: [make(2)] } }, 3);
      assertSum(new Set([make()]), 0);
      assertSum(new Type(MANY).fill(1).subarray(1), MANY - 1);
      assertSum(new Type(untyped(new SharedArrayBuffer(16))).fill(1), 16 / Type.BYTES_PER_ELEMENT);
    });
  }

  test('Buffer is a Uint8Array, wherever its memory starts', () => {
    assertSum([Buffer.from([1, 2]), Buffer.alloc(9, 1).subarray(3)], 9);
  });

  for (const [dtype, one] of HALVES) {
    const make = (/** @type {number} */ length) => ({ data: new Uint16Array(length).fill(one), dtype });

    test(`{ data, dtype: '${dtype}' }: alone, as a grad, in lists, Maps and records, small and large`, () => {
      assertSum(make(3), 3);
      assertSum({ grad: make(2) }, 2);
      assertSum([make(1), f32(2), [make(4), null]], 7);
      assertSum(new Map([['w', { grad: make(1) }]]), 1);
      assertSum({ fc1: { weight: make(1), bias: [make(2)] } }, 3);
      assertSum([make(0), new Set([make(0)])], 0);
      assertSum(make(MANY), MANY);
    });

    test(`{ data, dtype: '${dtype}' }: of any class, frozen, with other properties, inherited or by a getter`, () => {
      class Tensor {
        dtype = dtype;
        shape = ['not', 'gradients'];
        get data() {
          return new Uint16Array(2).fill(one);
        }
        *[Symbol.iterator]() {
          yield 'elements, not gradients';
        }
      }
      assertSum(new Tensor(), 2);
      assertSum([{ grad: new Tensor() }, Object.create(new Tensor()), Object.freeze(make(1))], 5);
      assertSum(Object.assign(Object.create(null), make(3)), 3);
    });

    test(`{ data, dtype: '${dtype}' }: views, shared and resizable memory, other realms`, () => {
      const bits = new Uint16Array(MANY + 2).fill(one);
      bits[0] = bits[MANY + 1] = 0x7fff; // NaN in both
      assertSum({ data: bits.subarray(1, MANY + 1), dtype }, MANY);
      assertSum({ data: new Uint16Array(new SharedArrayBuffer(8)).fill(one), dtype }, 4);
      assertSum({ data: runInNewContext(`new Uint16Array(5).fill(${one})`), dtype }, 5);
      assertSum(runInNewContext(`({ a: { data: Uint16Array.of(${one}), dtype: '${dtype}' } })`), 1);
      if ('resize' in ArrayBuffer.prototype) {
        const buffer = new (untyped(ArrayBuffer))(4, { maxByteLength: 16 });
        const data = new Uint16Array(buffer).fill(one);
        buffer.resize(6);
        data.fill(one);
        assertSum({ data, dtype }, 3);
      }
    });

    test(`{ data, dtype: '${dtype}' } with a grad is a parameter: the grad counts, not the data`, () => {
      assertSum({ ...make(1), grad: f32(4) }, 4);
      assertSum({ ...make(1), grad: null }, 0);
      assertSum({ ...make(1), grad: make(2) }, 2);
    });
  }

  test('an object with data whose dtype is another word is a record like any other', () => {
    assertSum({ data: { data: Uint16Array.of(7), dtype: null } }, 7);
    assertSum({ dtype: Int8Array.of(1), data: Uint16Array.of(0x3c00) }, 0x3c01);
  });

  test('Float16Array: alone, as a grad, in lists, Maps and records, small and large', (t) => {
    const { Float16Array } = untyped(globalThis);
    if (Float16Array === undefined) {
      return t.skip('this engine has no Float16Array; tests/browser.test.js has it in Chromium');
    }
    assertSum(Float16Array.of(3, 4), 7);
    assertSum(
      [{ grad: Float16Array.of(1, 2) }, [Float16Array.of(4)], new Map([['w', new Float16Array(0)]])],
      7,
    );
    assertSum(new Float16Array(MANY).fill(1), MANY);
    assertSum(Object.defineProperty(Float16Array.of(1, 2), 'length', { value: 1 }), 3);
  });

  test('one parameter, with or without a gradient', () => {
    assertSum({ grad: f32(1, 2) }, 3);
    assertSum({ grad: null }, 0);
    assertSum({ grad: undefined }, 0);
    assertSum({ grad: f32(1), data: 'anything', shape: [1], name: 'w' }, 1);
  });

  test('class instances with a grad property or getter, own or inherited, even if they are iterable', () => {
    class Parameter {
      #gradient = f32(2);
      get grad() {
        return this.#gradient;
      }
    }
    class Row extends Parameter {
      *[Symbol.iterator]() {
        yield 'elements, not gradients';
      }
    }
    class Weight {
      grad = f64(4);
    }
    assertSum(new Parameter(), 2);
    assertSum([new Parameter(), new Row(), new Weight(), Object.create(new Weight())], 12);
  });

  test('arrays, Sets, generators and iterables, in any nesting', () => {
    assertSum([f32(1), f32(2), f64(4)], 7);
    assertSum(new Set([f32(1), f64(2)]), 3);
    assertSum([[f32(1)], [[f32(2)], new Set([[f32(4)]])], { grad: f32(8) }], 15);
    assertSum({ [Symbol.iterator]: () => [f32(1), [f32(2)]].values() }, 3);
    assertSum([f32(1), f32(2)].values(), 3);
    const nested = (function* () {
      yield f32(1);
      yield (function* () {
        yield { grad: f32(2) };
        yield null;
      })();
    })();
    assertSum(nested, 3);
  });

  test('Maps and records of gradients, parameters, Maps and records', () => {
    assertSum(new Map([['a', f32(1)]]), 1);
    assertSum({ a: f32(1), b: f32(2) }, 3);
    assertSum({ fc1: { weight: f32(1), bias: { grad: f32(2) } }, fc2: new Map([[7, [f32(4)]]]) }, 7);
    const bare = Object.assign(Object.create(null), { a: f32(1), b: Object.create(null) });
    assertSum(bare, 1);
    assertSum(Object.freeze({ a: f32(1) }), 1);
    assertSum(new Map([[{}, { b: f32(1) }]]), 1);
  });

  test('subclasses of Array, Set and Map', () => {
    class List extends Array {}
    class Bag extends Set {}
    class Dictionary extends Map {}
    assertSum(List.of(f32(1), null, f32(2)), 3);
    assertSum(new Bag([f32(1)]), 1);
    assertSum(new Dictionary([['a', f32(1)]]), 1);
  });

  test('the elements of records that are no names are left alone: inherited, symbols, not enumerable', () => {
    const record = { a: f32(1), [Symbol('b')]: 'not a gradient' };
    Object.defineProperty(record, 'c', { value: 'not a gradient', enumerable: false });
    assertSum(record, 1);
    const inherits = Object.create(Object.assign(Object.create(null), { b: 'not a gradient' }));
    assertSum(Object.assign(inherits, { a: f32(1) }), 1);
    assertSum(Object.assign([f32(1)], { name: 'not a gradient' }), 1);
    assertSum(JSON.parse('{ "__proto__": null }'), 0);
  });

  test('null, undefined and holes are skipped wherever a gradient may be', () => {
    assert.equal(gradNorm(null), 0);
    for (const nothing of [[], {}, new Set(), new Map(), [null], [undefined], { a: null }, [[], {}, [[]]]]) {
      for (const p of [0.5, 1, 2, 3, Infinity]) assert.equal(gradNorm(untyped(nothing), p), 0);
    }
    assertSum([, null, f32(1), , undefined, f32(2), ,], 3);
    assertSum(new Array(1000), 0);
    assertSum(new Set([null, f32(1), undefined]), 1);
    const map = new Map(Object.entries({ a: null, b: f32(1), c: undefined }));
    assertSum(map, 1);
    assertSum({ a: undefined, b: { grad: null }, c: f32(1) }, 1);
  });

  test('arrays without elements count nothing', () => {
    assertSum(f32(), 0);
    assertSum([f32(), f64(), f32(1), new Float64Array(0)], 1);
  });

  test('what is listed twice counts twice', () => {
    const array = f32(1);
    const list = [array, f32(2)];
    assertSum([array, array], 2);
    assertSum([array, array.subarray(0), new Float32Array(array.buffer)], 3);
    assertSum([list, list, { again: list, map: new Map([['a', list]]) }], 12);
    assertSum(new Set([array, array]), 1);
  });

  test('a generator is consumed once', () => {
    let started = 0;
    const generator = (function* () {
      started += 1;
      yield f32(1);
      yield f32(2);
    })();
    assertSum(generator, 3);
    assertSum(generator, 0);
    assert.equal(started, 1);
  });

  test('an iterator that ends by itself is not closed', () => {
    let closed = 0;
    const values = [f32(1), f32(2)].values();
    const iterator = { next: () => values.next(), return: () => ({ done: true, value: (closed += 1) }) };
    assertSum({ [Symbol.iterator]: () => iterator }, 3);
    assert.equal(closed, 0);
  });

  test('every getter is asked once', () => {
    let reads = 0;
    const get = () => {
      reads += 1;
      return f32(1);
    };
    const list = withGetter([null], '0', get);
    assertSum([withGetter({}, 'grad', get), withGetter({}, 'weight', get), list], 3);
    assert.equal(reads, 3);
  });

  test('the data and the dtype of bits are asked once, so that the answers cannot differ', () => {
    for (const [dtype, one] of HALVES) {
      /** @type {string[]} */
      const reads = [];
      const half = {
        get dtype() {
          reads.push('dtype');
          return reads.filter((name) => name === 'dtype').length === 1 ? dtype : 'float32';
        },
        get data() {
          reads.push('data');
          return reads.filter((name) => name === 'data').length === 1 ? Uint16Array.of(one) : null;
        },
      };
      assertSum(half, 1);
      assert.deepEqual(reads, ['dtype', 'data']);
      reads.length = 0;
      assertSum({ grad: half }, 1);
      assert.deepEqual(reads, ['dtype', 'data']);
    }
  });

  test('typed arrays, Maps, Sets, lists, generators and records of another realm', () => {
    const foreign = (/** @type {string} */ code) => runInNewContext(code);
    assertSum(foreign('Float32Array.of(1, 2)'), 3);
    assertSum(foreign('Float64Array.of(1, 2)'), 3);
    assertSum(foreign('new Map([["a", Float32Array.of(1)], ["b", null]])'), 1);
    assertSum(foreign('new Set([Float32Array.of(1)])'), 1);
    assertSum(foreign('[Float32Array.of(1), , [Float64Array.of(2)]]'), 3);
    assertSum(foreign('({ a: Float32Array.of(1), b: { grad: Float32Array.of(2) } })'), 3);
    assertSum(foreign('Object.assign(Object.create(null), { a: Float32Array.of(1) })'), 1);
    assertSum(foreign('(function* () { yield Float32Array.of(1); yield Float32Array.of(2); })()'), 3);
    assertSum(foreign('class P { grad = Float32Array.of(1); } new P()'), 1);
    const big = foreign(`new Float32Array(${MANY}).fill(1)`);
    assertSum([big, f32(2)], MANY + 2);
  });

  test('views with offsets read their own elements alone', () => {
    const { buffer } = f32(1, 2, 4, 8, 16);
    assertSum(new Float32Array(buffer, 4, 2), 6);
    assertSum([new Float32Array(buffer, 12), new Float32Array(buffer, 0, 1)], 25);
    assertSum(new Float64Array(f64(1, 2, 4).buffer, 8), 6);
    const big = new Float32Array(MANY + 2).fill(1);
    big[0] = big[MANY + 1] = NaN;
    assertSum(big.subarray(1, MANY + 1), MANY);
  });

  test('views of shared memory, small and large', () => {
    const shared = new Float32Array(new SharedArrayBuffer(4 * MANY)).fill(1);
    assertSum(shared, MANY);
    assertSum([shared.subarray(7, 9), new Float64Array(new SharedArrayBuffer(16)).fill(1)], 4);
  });

  test('views of resizable buffers, at the length they have now', (t) => {
    if (!('resize' in ArrayBuffer.prototype)) return t.skip('this engine has no resizable buffers');
    const resizable = (/** @type {number} */ bytes, /** @type {number} */ maxByteLength) =>
      new (untyped(ArrayBuffer))(bytes, { maxByteLength });
    const buffer = resizable(8, 32);
    const tracking = new Float32Array(buffer);
    const fixed = new Float32Array(buffer, 0, 1);
    tracking.set([1, 2]);
    assertSum([tracking, fixed], 4);
    buffer.resize(16);
    tracking.set([1, 2, 4, 8]);
    assertSum([tracking, fixed], 16);
    buffer.resize(0);
    assertSum(tracking, 0);
    const growable = new (untyped(SharedArrayBuffer))(8, { maxByteLength: 16 });
    const grown = new Float32Array(growable).fill(1);
    growable.grow(16);
    assertSum(grown.fill(1), 4);
    const large = resizable(4 * MANY, 8 * MANY);
    assertSum(new Float32Array(large).fill(1), MANY);
  });

  test('subclasses of Float32Array and Float64Array, small and large', () => {
    class Gradient32 extends Float32Array {}
    class Gradient64 extends Float64Array {}
    assertSum([Gradient32.of(1, 2), Gradient64.of(4)], 7);
    assertSum([new Gradient32(MANY).fill(1), new Gradient64(MANY).fill(1)], 2 * MANY);
  });

  test("a subclass's own constructor is never called, however long the array", () => {
    class Gradient extends Float32Array {
      /** @param {number} length */
      constructor(length) {
        super(length);
        constructed += 1;
      }
    }
    let constructed = 0;
    const gradient = new Gradient(MANY).fill(1);
    assertSum(gradient, MANY);
    assert.equal(constructed, 1);
  });

  test('a Symbol.species of a subclass is never asked, so that it cannot re-enter', () => {
    class Gradient extends Float32Array {
      static get [Symbol.species]() {
        gradNorm(f32(1024));
        return Float32Array;
      }
    }
    assertSum([f32(1), new Gradient(MANY).fill(1)], MANY + 1);
  });

  test('an overridden length, byteOffset or keys does not fool it', () => {
    class Gradient extends Float32Array {
      /** @override */
      get length() {
        return 1e6;
      }
    }
    assertSum(new Gradient([1, 2]), 3);
    assertSum(Object.defineProperty(f32(1, 2), 'length', { value: 1 }), 3);
    assertSum(Object.defineProperty(f32(), 'keys', { value: null }), 0);
    assertSum(Object.defineProperty(new Float32Array(MANY).fill(1), 'subarray', { value: null }), MANY);
  });

  test('an overridden length, byteOffset, buffer or tag of integers and of bits does not fool it', () => {
    for (const Type of INTEGER_TYPES) {
      class Gradient extends /** @type {Int8ArrayConstructor} */ (Type) {
        /** @override */
        get length() {
          return 1e6;
        }
        /** @override */
        get byteOffset() {
          return 64;
        }
        /** @override */
        get buffer() {
          return untyped(new ArrayBuffer(1024));
        }
        /** @override */
        get [Symbol.toStringTag]() {
          return untyped('BigInt64Array');
        }
      }
      const gradient = untyped(new Gradient([1, 2]));
      assertSum([gradient, { grad: gradient }], 6);
      assertSum(Object.defineProperty(Type.from([1, 2]), 'length', { value: 1 }), 3);
    }
    class Bits extends Uint16Array {
      /** @override */
      get length() {
        return 0;
      }
    }
    for (const [dtype, one] of HALVES) {
      assertSum({ data: new Bits([one, one]), dtype }, 2);
      assertSum(
        { grad: { data: Object.defineProperty(new Bits([one]), 'buffer', { value: null }), dtype } },
        1,
      );
    }
  });

  test('ten million nulls have norm 0', () => {
    assertSum(new Array(1e7).fill(null), 0);
  });

  test('100 levels of nesting below the first', () => {
    /** @type {unknown} */
    let lists = f32(1);
    /** @type {unknown} */
    let records = f32(1);
    for (let i = 0; i < 101; ++i) {
      lists = [lists];
      records = { a: records };
    }
    assertSum(lists, 1);
    assertSum(records, 1);
  });
});

describe('refused', () => {
  class Tensor {
    data = f32(1);
  }

  /** @type {[got: string, make: () => unknown][]} */
  const BAD = [
    ['"abc" (a string)', () => 'abc'],
    ['"" (a string)', () => ''],
    [`"${'x'.repeat(39)}…" (a string)`, () => 'x'.repeat(1e6)],
    ['12n (a bigint)', () => 12n],
    ['Symbol(w) (a symbol)', () => Symbol('w')],
    ['true (a boolean)', () => true],
    ['false (a boolean)', () => false],
    ['a function', () => () => f32(1)],
    ['a function', () => Tensor],
    ['a BigInt64Array', () => new BigInt64Array(1)],
    ['a BigUint64Array', () => new BigUint64Array(0)],
    ['a DataView', () => new DataView(new ArrayBuffer(4))],
    ['an ArrayBuffer', () => new ArrayBuffer(4)],
    ['a SharedArrayBuffer', () => new SharedArrayBuffer(4)],
    ['a Tensor', () => new Tensor()],
    ['a Date', () => new Date(0)],
    ['a Promise (await it first)', () => Promise.resolve(f32(1))],
    ['a RegExp', () => /x/],
    ['an Error', () => new Error('not a gradient')],
    ['a WeakMap', () => new WeakMap()],
    ['a Number', () => Object(1)],
    ['a Date', () => runInNewContext('new Date(0)')],
    ['a Tensor', () => runInNewContext('class Tensor {}; new Tensor()')],
    ['a BigInt64Array', () => runInNewContext('new BigInt64Array(1)')],
    ['an object', () => new (class {})()],
    ['an object', () => Object.create({ constructor: { name: 7 } })],
    ['a revoked Proxy', () => revoked({})],
    ['a revoked Proxy', () => revoked([])],
    ['a revoked Proxy', () => revoked(f32(1))],
    ['a revoked Proxy', () => revoked(new Map())],
  ];

  for (const [got, make] of BAD) {
    test(`${got}, at the top and inside`, () => {
      assertRefused(make(), `gradients is ${got}; expected ${EXPECTED}`);
      assertRefused([f32(1), null, make()], `gradients[2] is ${got}; expected ${EXPECTED}`);
      assertRefused({ fc1: { weight: make() } }, `gradients.fc1.weight is ${got}; expected ${EXPECTED}`);
      assertRefused(new Map([['w', make()]]), `gradients.w is ${got}; expected ${EXPECTED}`);
      assertRefused(new Set([null, make()]), `gradients[1] is ${got}; expected ${EXPECTED}`);
      assertRefused([f32(1), make()].values(), `gradients[1] is ${got}; expected ${EXPECTED}`);
    });
  }

  for (const number of [3, NaN, 0, Infinity]) {
    test(`the number ${number}, by its own place unless an array begins with it`, () => {
      const got = `${number} (a number)`;
      assertRefused(number, `gradients is ${got}; expected ${EXPECTED}`);
      assertRefused({ a: number }, `gradients.a is ${got}; expected ${EXPECTED}`);
      assertRefused(new Set([number]), `gradients[0] is ${got}; expected ${EXPECTED}`);
      assertRefused(
        [number, 1],
        `gradients is an Array of numbers (wrap it: Float32Array.from(values)); expected ${EXPECTED}`,
      );
      assertRefused(
        [f32(1), [number]],
        `gradients[1] is an Array of numbers (wrap it: Float32Array.from(values)); expected ${EXPECTED}`,
      );
      assertRefused(
        { w: [[number]] },
        `gradients.w[0] is an Array of numbers (wrap it: Float32Array.from(values)); expected ${EXPECTED}`,
      );
      assertRefused([f32(1), null, number], `gradients[2] is ${got}; expected ${EXPECTED}`);
    });
  }

  test('an asynchronous generator, by its name', () => {
    const generator = (async function* () {})();
    assertRefused(generator, `gradients is an AsyncGenerator; expected ${EXPECTED}`);
  });

  test('a tensor of a framework: the message says what to pass', () => {
    class Tensor {
      dataSync() {
        return new Float32Array(1);
      }
    }
    const w = /** @type {any} */ (new Tensor());
    const expected =
      /^gradients\.w(\.grad)? is a Tensor \(gradnorm\/tfjs takes it\); expected a Float32Array/;
    assert.throws(() => gradNorm({ w }), { name: 'TypeError', message: expected });
    assert.throws(() => gradNorm({ w: { grad: w } }), { name: 'TypeError', message: expected });
  });

  test('a grad that is not a gradient', () => {
    /** @type {[got: string, grad: unknown][]} */
    const grads = [
      ['an Array of numbers (wrap it: Float32Array.from(values))', [1, 2]],
      ['an Array', [f32(1)]],
      ['an object', { weight: f32(1) }],
      ['a Map', new Map([['a', f32(1)]])],
      ['3 (a number)', 3],
      ['"abc" (a string)', 'abc'],
      ['a function', () => f32(1)],
      ['an object', { grad: f32(1) }],
      ['a Tensor', new Tensor()],
      ['a revoked Proxy', revoked({})],
      ['a BigInt64Array', new BigInt64Array(1)],
      ['a BigUint64Array', new BigUint64Array(0)],
      ['a DataView', new DataView(new ArrayBuffer(4))],
      ['an object', { data: new Uint16Array(1), dtype: 'float8' }],
    ];
    for (const [got, grad] of grads) {
      assertRefused({ grad }, `gradients.grad is ${got}; expected ${EXPECTED_GRAD}`);
      assertRefused([null, f32(1), { grad }], `gradients[2].grad is ${got}; expected ${EXPECTED_GRAD}`);
      assertRefused({ w: { grad } }, `gradients.w.grad is ${got}; expected ${EXPECTED_GRAD}`);
    }
  });

  for (const [dtype] of HALVES) {
    test(`dtype '${dtype}' with data that is not a Uint16Array, by the place of the data`, () => {
      const bits = `a Uint16Array of the bits of ${dtype} elements${dtype === 'float16' ? ', or a Float16Array' : ''}`;
      /** @type {[got: string, data: unknown][]} */
      const bad = [
        ['undefined', undefined],
        ['null', null],
        ['a Float32Array', f32(1)],
        ['an Int16Array', new Int16Array(1)],
        ['a Uint8Array', new Uint8Array(2)],
        ['a Uint32Array', new Uint32Array(1)],
        ['a BigUint64Array', new BigUint64Array(1)],
        ['an ArrayBuffer', new ArrayBuffer(2)],
        ['a DataView', new DataView(new ArrayBuffer(2))],
        ['an Array', [1, 2]],
        ['3 (a number)', 3],
        ['"AAA=" (a string)', 'AAA='],
        ['a Promise (await it first)', Promise.resolve(new Uint16Array(1))],
        ['a revoked Proxy', revoked({})],
        ['an object', { data: new Uint16Array(1), dtype }],
      ];
      for (const [got, data] of bad) {
        const message = (/** @type {string} */ place) => `${place} is ${got}; expected ${bits}`;
        assertRefused({ data, dtype }, message('gradients.data'));
        assertRefused({ w: { data, dtype } }, message('gradients.w.data'));
        assertRefused([f32(1), { data, dtype }], message('gradients[1].data'));
        assertRefused({ 'fc1/w': { grad: { data, dtype } } }, message('gradients["fc1/w"].grad.data'));
      }
      assertRefused({ w: { dtype } }, `gradients.w.data is undefined; expected ${bits}`);
    });
  }

  test('an unknown dtype, by the name and the value that are wrong', () => {
    for (const dtype of ['float8', 'Float16', 'float16 ', 'Float32', 'int64', '']) {
      const got = `${JSON.stringify(dtype)} (a string)`;
      const half = { data: new Uint16Array(1), dtype };
      assertRefused(half, `gradients.dtype is ${got}; expected ${DTYPES}`);
      assertRefused({ w: half }, `gradients.w.dtype is ${got}; expected ${DTYPES}`);
      assertRefused([null, { grad: half }], `gradients[1].grad is an object; expected ${EXPECTED_GRAD}`);
    }
    assertRefused(
      { data: new Uint16Array(1), dtype: 2 },
      `gradients.dtype is 2 (a number); expected ${EXPECTED}`,
    );
    class Tensor {
      data = new Uint16Array(1);
      dtype = 'float8';
    }
    assertRefused([new Tensor()], `gradients[0] is a Tensor; expected ${EXPECTED}`);
  });

  test('detached buffers, even of arrays that were empty, and views that no longer fit', () => {
    const message = (/** @type {string} */ place, type = 'Float32Array') =>
      `${place} is a ${type} on a detached buffer; expected one that can be read`;
    assertRefused(detached(), message('gradients'));
    assertRefused([f32(1), detached()], message('gradients[1]'));
    assertRefused({ fc1: { grad: detached() } }, message('gradients.fc1.grad'));
    const empty = f64();
    structuredClone(empty.buffer, { transfer: [empty.buffer] });
    assertRefused(empty, message('gradients', 'Float64Array'));
    for (const Type of INTEGER_TYPES) {
      const array = new Type(4);
      structuredClone(array.buffer, { transfer: [array.buffer] });
      const got = `${Type.name.startsWith('I') ? 'an' : 'a'} ${Type.name}`;
      assertRefused(
        { w: array },
        `gradients.w is ${got} on a detached buffer; expected one that can be read`,
      );
    }
    for (const [dtype] of HALVES) {
      const data = new Uint16Array(4);
      structuredClone(data.buffer, { transfer: [data.buffer] });
      assertRefused({ w: { data, dtype } }, message('gradients.w', 'Uint16Array'));
      assertRefused([{ grad: { data, dtype } }], message('gradients[0].grad', 'Uint16Array'));
    }
    if ('resize' in ArrayBuffer.prototype) {
      const buffer = new (untyped(ArrayBuffer))(16, { maxByteLength: 16 });
      const view = new Float32Array(buffer, 8, 2);
      buffer.resize(8);
      const shrunk = 'a buffer that shrank to before its end; expected one that can be read';
      assertRefused([view], `gradients[0] is a Float32Array on ${shrunk}`);
      buffer.resize(0);
      assertRefused([view], `gradients[0] is a Float32Array on ${shrunk}`);
      structuredClone(buffer, { transfer: [buffer] });
      assertRefused([view], message('gradients[0]'));
    }
  });

  test('no gradients argument at all', () => {
    assert.throws(() => untyped(gradNorm)(), {
      name: 'TypeError',
      message: `gradients is undefined; expected ${EXPECTED}`,
    });
    assertWorks();
  });

  test('circles', () => {
    const message = (/** @type {string} */ place, /** @type {string} */ origin) =>
      `${place} is the same object as ${origin}; expected a tree without circles`;
    /** @type {Record<string, unknown>} */
    const record = { a: {} };
    record.a = { b: record };
    assertRefused(record, message('gradients.a.b', 'gradients'));
    assertRefused([f32(1), record], message('gradients[1].a.b', 'gradients[1]'));
    /** @type {unknown[]} */
    const list = [f32(1)];
    list.push([list]);
    assertRefused(list, message('gradients[1][0]', 'gradients'));
    const map = new Map();
    map.set('self', map);
    assertRefused(map, message('gradients.self', 'gradients'));
    const set = new Set();
    set.add(set);
    assertRefused({ set }, message('gradients.set[0]', 'gradients.set'));
    /** @type {{ grad: unknown }} */
    const parameter = { grad: null };
    parameter.grad = parameter;
    assertRefused(parameter, `gradients.grad is an object; expected ${EXPECTED_GRAD}`);
  });

  test('101 levels of nesting below the first, endless ones included', () => {
    const got = 'nested 101 levels deep; expected at most 100 levels';
    /** @type {unknown} */
    let lists = f32(1);
    for (let i = 0; i < 102; ++i) lists = [lists];
    assertRefused(lists, `gradients${'[0]'.repeat(101)} is ${got}`);
    /** @returns {object} */
    const endless = () => withGetter({}, 'a', endless);
    assertRefused(endless(), `gradients${'.a'.repeat(101)} is ${got}`);
    const generators = /** @returns {Generator<unknown>} */ function* () {
      yield generators();
    };
    assertRefused(generators(), `gradients${'[0]'.repeat(101)} is ${got}`);
  });
});

describe('places', () => {
  const refused = `is true (a boolean); expected ${EXPECTED}`;

  test('record names: dots for identifiers, quotes for the rest', () => {
    /** @type {[name: string, place: string][]} */
    const names = [
      ['weight', 'gradients.weight'],
      ['$w_1', 'gradients.$w_1'],
      ['größe', 'gradients.größe'],
      ['fc1/weight', 'gradients["fc1/weight"]'],
      ['fc1.weight', 'gradients["fc1.weight"]'],
      ['0', 'gradients["0"]'],
      ['1st', 'gradients["1st"]'],
      ['', 'gradients[""]'],
      ['a "b"\n', 'gradients["a \\"b\\"\\n"]'],
      ['constructor', 'gradients.constructor'],
    ];
    for (const [name, place] of names) {
      assertRefused({ [name]: true }, `${place} ${refused}`);
      assertRefused(new Map([[name, true]]), `${place} ${refused}`);
    }
    assertRefused(JSON.parse('{ "__proto__": true }'), `gradients.__proto__ ${refused}`);
  });

  test('Map keys that are numbers look like indices', () => {
    assertRefused(new Map([[7, true]]), `gradients[7] ${refused}`);
    assertRefused(new Map([[-1.5, true]]), `gradients[-1.5] ${refused}`);
    assertRefused(new Map([[NaN, [null, true]]]), `gradients[NaN][1] ${refused}`);
  });

  test('Map keys that are neither strings nor numbers stand without quotes', () => {
    assertRefused(new Map([[Symbol('w'), true]]), `gradients[Symbol(w)] ${refused}`);
    assertRefused(new Map([[{}, true]]), `gradients[0] ${refused}`);
    assertRefused(
      new Map([
        [{}, null],
        [{ name: 'w' }, true],
      ]),
      `gradients.w ${refused}`,
    );
    assertRefused(new Map([[function scale() {}, true]]), `gradients.scale ${refused}`);
    assertRefused(new Map([[revoked({}), true]]), `gradients[0] ${refused}`);
  });

  test('indices count what was skipped, and paths join', () => {
    const model = { layers: [null, new Map([['fc1/weight', new Set([null, [undefined, true]])]])] };
    assertRefused(model, `gradients.layers[1]["fc1/weight"][1][1] ${refused}`);
    assertRefused([, , f32(1), true], `gradients[3] ${refused}`);
  });

  test('words for a hostile object never fail', () => {
    const hostile = new (class {})();
    withGetter(hostile, 'constructor', () => {
      throw new Error('no');
    });
    assertRefused([hostile], `gradients[0] is an object; expected ${EXPECTED}`);
  });
});

describe('what the user throws', () => {
  const mine = new RangeError('mine');
  const fail = () => {
    throw mine;
  };

  test("a getter's own error comes through unchanged", () => {
    assertThrowsThis(() => gradNorm(untyped(withGetter({}, 'grad', fail))), mine);
    assertThrowsThis(() => gradNorm(untyped([f32(1), withGetter({}, 'weight', fail)])), mine);
    assertThrowsThis(() => gradNorm(untyped(withGetter([f32(1), null], '1', fail))), mine);
    const symbolIterator = Object.defineProperty({}, Symbol.iterator, { get: fail });
    assertThrowsThis(() => gradNorm(untyped(symbolIterator)), mine);
    assertThrowsThis(() => gradNorm(untyped(new Proxy({}, { has: fail }))), mine);
    assertThrowsThis(() => gradNorm(untyped(new Proxy([f32(1)], { get: fail }))), mine);
  });

  test('so does a thrown string', () => {
    const get = () => {
      throw 'text';
    };
    assertThrowsThis(() => gradNorm(untyped(withGetter({}, 'grad', get))), 'text');
  });

  /**
   * An iterable of gradients that counts how often it is closed.
   * @param {() => IteratorResult<unknown, unknown>} next
   * @param {() => void} [onReturn]
   */
  function closable(next, onReturn = () => {}) {
    const iterable = {
      closed: 0,
      [Symbol.iterator]: () => ({
        next,
        return() {
          iterable.closed += 1;
          onReturn();
          return { done: true, value: undefined };
        },
      }),
    };
    return iterable;
  }

  /** @param {unknown[]} items  the last of them is the function that ends it all */
  function nextOf(...items) {
    const values = items.values();
    return () => {
      const { value } = values.next();
      return typeof value === 'function' ? value() : { done: false, value };
    };
  }

  test('an iterator whose next throws midway is closed once', () => {
    const iterable = closable(nextOf(f32(1), f32(2), fail));
    assertThrowsThis(() => gradNorm(untyped(iterable)), mine);
    assert.equal(iterable.closed, 1);
  });

  test('an iterator that yields bad input is closed once, and all around it too', () => {
    const inner = closable(nextOf(f32(1), 'bad'));
    const outer = closable(nextOf(null, inner));
    assertRefused(outer, `gradients[1][1] is "bad" (a string); expected ${EXPECTED}`);
    assert.equal(inner.closed, 1);
    assert.equal(outer.closed, 1);
  });

  test('the first error wins over one that return() throws', () => {
    const other = new Error('other');
    const throwOther = () => {
      throw other;
    };
    const bad = closable(nextOf('bad'), throwOther);
    assertRefused(bad, `gradients[0] is "bad" (a string); expected ${EXPECTED}`);
    const broken = closable(nextOf(f32(1), fail), throwOther);
    assertThrowsThis(() => gradNorm(untyped(broken)), mine);
    assert.deepEqual([bad.closed, broken.closed], [1, 1]);
  });

  test('an iterator without return() may fail as well', () => {
    const iterable = { [Symbol.iterator]: () => ({ next: nextOf('bad') }) };
    assertRefused(iterable, `gradients[0] is "bad" (a string); expected ${EXPECTED}`);
  });

  test('the finally block of a generator runs', () => {
    let released = 0;
    const generator = (function* () {
      try {
        yield f32(1);
        yield new BigInt64Array(1);
        yield f32(2);
      } finally {
        released += 1;
      }
    })();
    assertRefused(generator, `gradients[1] is a BigInt64Array; expected ${EXPECTED}`);
    assert.equal(released, 1);
    assert.equal(generator.next().done, true);
  });
});

describe('code of the user that meddles', () => {
  test('a list that grows while it is read is read to its first length', () => {
    /** @type {unknown[]} */
    const list = [f32(1), null, f32(4)];
    const grow = () => {
      list.push(f32(8));
      return f32(2);
    };
    withGetter(list, '1', grow);
    assertSum(list, 7);
  });

  test('a list that shrinks while it is read has holes', () => {
    /** @type {unknown[]} */
    const list = [f32(1), null, f32(4), f32(8)];
    const shrink = () => {
      list.length = 3;
      return f32(2);
    };
    list[1] = withGetter({}, 'grad', shrink);
    assertSum(list, 7);
  });

  test('a getter that adds names to its record: those that were there are read', () => {
    /** @type {Record<string, unknown>} */
    const record = { a: null, b: f32(2) };
    const add = () => {
      record.c = f32(4);
      return f32(1);
    };
    withGetter(record, 'a', add);
    assertSum(record, 3);
  });

  const STAY = 'expected buffers to stay while the gradients are read';

  test('a getter that detaches an array read before, by the place of the array', () => {
    for (const array of [f32(1), new Float32Array(MANY), new Float64Array(1)]) {
      const { length } = array;
      const name = `a ${array.constructor.name}`;
      const detach = () => {
        structuredClone(array.buffer, { transfer: [array.buffer] });
        return f32(2);
      };
      assertRefused(
        { fc1: { weight: array }, bias: withGetter({}, 'grad', detach) },
        `gradients.fc1.weight is ${name} that changed from ${length} to 0 elements; ${STAY}`,
      );
    }
  });

  test('a getter that detaches the data of bits or the grad of a parameter read before', () => {
    for (const [dtype] of HALVES) {
      const data = new Uint16Array(3);
      const detach = () => structuredClone(data.buffer, { transfer: [data.buffer] }) && null;
      const message = (/** @type {string} */ place) =>
        `${place} is a Uint16Array that changed from 3 to 0 elements; ${STAY}`;
      assertRefused([f32(1), { data, dtype }, withGetter({}, 'grad', detach)], message('gradients[1]'));
    }
    const grad = f64(1, 2);
    const generator = (function* () {
      yield { grad };
      structuredClone(grad.buffer, { transfer: [grad.buffer] });
      yield f32(1);
    })();
    assertRefused(
      generator,
      `gradients[0].grad is a Float64Array that changed from 2 to 0 elements; ${STAY}`,
    );
  });

  test('of several arrays that changed, the first in the order of reading is named', () => {
    const arrays = [f32(1), f32(1, 2), f32(1, 2, 3)];
    const detach = () => {
      for (const { buffer } of arrays.slice(1).reverse()) structuredClone(buffer, { transfer: [buffer] });
      return null;
    };
    assertRefused(
      [...arrays, withGetter({}, 'grad', detach)],
      `gradients[1] is a Float32Array that changed from 2 to 0 elements; ${STAY}`,
    );
  });

  test('an array that had no elements may lose its buffer', () => {
    const empty = f32();
    const detach = () => {
      structuredClone(empty.buffer, { transfer: [empty.buffer] });
      return f32(2);
    };
    assertSum([empty, withGetter({}, 'grad', detach)], 2);
  });

  test('a view of a buffer that grows after it was read counts what it had', (t) => {
    if (!('resize' in ArrayBuffer.prototype)) return t.skip('this engine has no resizable buffers');
    for (const Type of [ArrayBuffer, SharedArrayBuffer]) {
      for (const [View, elements] of /** @type {const} */ ([
        [Float32Array, 4],
        [Float64Array, 100],
        [Int16Array, 8],
        [Float32Array, MANY],
      ])) {
        const bytes = elements * View.BYTES_PER_ELEMENT;
        const buffer = new (untyped(Type))(bytes, { maxByteLength: 2 * bytes + STAGING_BYTES });
        const tracking = new View(buffer).fill(1);
        const grow = () => {
          buffer[Type === ArrayBuffer ? 'resize' : 'grow'](2 * bytes + STAGING_BYTES);
          new View(buffer).fill(1);
          return null;
        };
        assertSum([tracking, withGetter({}, 'grad', grow)], elements);
        assertWorks();
      }
    }
  });

  test('a getter that shrinks the buffer of an array read before', (t) => {
    if (!('resize' in ArrayBuffer.prototype)) return t.skip('this engine has no resizable buffers');
    for (const [bytes, elements] of [
      [4, 1],
      [0, 0],
    ]) {
      const buffer = new (untyped(ArrayBuffer))(16, { maxByteLength: 32 });
      const tracking = new Float32Array(buffer).fill(1);
      const resize = () => {
        buffer.resize(bytes);
        return f32(2);
      };
      assertRefused(
        [tracking, withGetter({}, 'grad', resize)],
        `gradients[0] is a Float32Array that changed from 4 to ${elements} elements; ${STAY}`,
      );
    }
  });

  test('a getter and a generator that call gradNorm: each call has its own answer', () => {
    /** @type {number[]} */
    const inner = [];
    const parameter = {
      get grad() {
        inner.push(gradNorm([f64(3), new Float32Array(MANY), f32(4)]), gradNorm(f32(9), Infinity));
        return f32(2);
      },
    };
    const generator = (function* () {
      yield f32(1);
      inner.push(gradNorm({ a: f32(3), b: f32(4) }, 1));
      yield parameter;
      yield new Float32Array(MANY).fill(1);
    })();
    assertSum([generator, f64(4)], MANY + 7);
    assert.deepEqual(inner, [7, 5, 9]);
  });
});

describe('normType', () => {
  const expected = 'expected a number > 0 or Infinity';

  /** @type {[normType: unknown, got: string][]} */
  const NOT_NUMBERS = [
    ['2', '"2" (a string)'],
    [null, 'null'],
    [2n, '2n (a bigint)'],
    [{}, 'an object'],
    [[], 'an Array'],
    [[2], 'an Array'],
    [true, 'true (a boolean)'],
    [Symbol('p'), 'Symbol(p) (a symbol)'],
    [() => 2, 'a function'],
    [Object(2), 'a Number'],
    [revoked({}), 'a revoked Proxy'],
  ];

  /**
   * @param {unknown} normType
   * @param {{ name: string, message: string }} error
   */
  function assertNormTypeRefused(normType, error) {
    let started = false;
    const generator = (function* () {
      started = true;
      yield 'not a gradient';
    })();
    assert.throws(() => gradNorm(untyped(generator), untyped(normType)), error);
    assert.throws(() => gradNorm(untyped('not a gradient'), untyped(normType)), error);
    assert.equal(started, false);
    assertWorks();
  }

  for (const [normType, got] of NOT_NUMBERS) {
    test(`${got} is a TypeError before any gradient is read`, () => {
      assertNormTypeRefused(normType, { name: 'TypeError', message: `normType is ${got}; ${expected}` });
    });
  }

  for (const normType of [NaN, 0, -0, -1, -Number.MIN_VALUE, -Infinity]) {
    const name = Object.is(normType, -0) ? '-0' : String(normType);
    test(`${name} is a RangeError before any gradient is read`, () => {
      const message = `normType is ${normType}; ${expected}`;
      assertNormTypeRefused(normType, { name: 'RangeError', message });
    });
  }

  test('undefined is 2', () => {
    assert.equal(gradNorm(f32(3, 4), undefined), 5);
  });
});

describe('gradients after gradNorm', () => {
  const NORM_TYPES = [0.5, 1, 1.5, 2, 3, 7.3, 100, Infinity];

  test('have the same bits as before, NaN payloads, zeros and subnormals included', () => {
    const words = [
      0x7fc00001, 0x7f800001, 0xffc12345, 0xff800000, 0x80000000, 1, 0x807fffff, 0x7f7fffff, 1, 0xfff00001,
    ];
    for (const count of [10, 40, 70_000]) {
      const bits = Uint32Array.from({ length: count }, (_, i) => words[i % words.length]);
      for (const Type of [Float32Array, Float64Array]) {
        const gradient = new Type(bits.slice().buffer);
        for (const p of NORM_TYPES) {
          assert.ok(Number.isNaN(gradNorm([gradient, { grad: gradient }], p)));
          assert.deepEqual(new Uint32Array(gradient.buffer), bits);
        }
      }
    }
  });

  test('of every other element type as well', () => {
    for (const Type of INTEGER_TYPES) {
      const before = new Type(9001).map((_, i) => i * 0x01010101);
      const gradient = before.slice();
      for (const p of NORM_TYPES) gradNorm([gradient, { grad: gradient }], p);
      assert.deepEqual(gradient, before);
    }
    const before = Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits);
    for (const [dtype] of HALVES) {
      const data = before.slice();
      for (const p of NORM_TYPES) assert.ok(Number.isNaN(gradNorm({ data, dtype }, p)));
      assert.deepEqual(data, before);
    }
  });

  test('so have the elements beside a view', () => {
    const before = Float32Array.from({ length: 200 }, (_, i) => i);
    const gradient = before.slice();
    for (const p of NORM_TYPES) gradNorm([gradient.subarray(3, 11), gradient.subarray(50, 150)], p);
    assert.deepEqual(gradient, before);
  });

  test('lists, records and Maps are as they were', () => {
    const array = f32(1);
    const list = Object.freeze([array, null, Object.freeze({ a: array })]);
    const map = new Map([['a', array]]);
    gradNorm([list, map]);
    assert.equal(list[0], array);
    assert.deepEqual([...map], [['a', array]]);
  });
});

describe('a parameter is asked before its type', () => {
  const autograd = (/** @type {object} */ value) => Object.assign(value, { grad: f32(4) });
  test('typed arrays, lists, Maps and Sets that carry a grad count by it', () => {
    class Tensor extends Float32Array {
      /** @type {unknown} */
      grad = f32(4);
    }
    const values = [
      autograd(f32(3)),
      autograd(f64(3, 5)),
      autograd([f32(3)]),
      autograd(new Map([['a', f32(3)]])),
      autograd(new Set([f32(3)])),
      autograd(new BigInt64Array(2)),
      autograd({ data: Uint16Array.of(7), dtype: 'float16' }),
      withGetter(f32(3), 'grad', () => f32(4)),
      Tensor.of(3),
      new Proxy(f32(3), { has: (_, name) => name === 'grad', get: () => f32(4) }),
    ];
    for (const value of values) {
      assertSum(value, 4);
      assertSum([value, f32(1)], 5);
      assertSum({ w: value }, 4);
    }
  });

  test('a function that carries a grad is a parameter too; any other is refused', () => {
    assertSum(
      Object.assign(() => 1, { grad: f32(4) }),
      4,
    );
    assertSum({ w: [Object.assign(class {}, { grad: null }), Object.assign(() => 1, { grad: f32(2) })] }, 2);
    assertRefused([() => 1], `gradients[0] is a function; expected ${EXPECTED}`);
  });

  test('one without a gradient yet is skipped', () => {
    assertSum([Object.assign(f32(3), { grad: null }), Object.assign([f32(3)], { grad: undefined })], 0);
  });

  test('clipping writes to the gradient, never to the weights', () => {
    const weight = autograd(f32(30));
    clipGradNorm(untyped(weight), 1, { eps: 0 });
    assert.equal(untyped(weight)[0], 30);
    assert.ok(untyped(weight).grad[0] <= 1 && untyped(weight).grad[0] > 0.999);
  });
});

describe('undefined in the place of all gradients is a name that was misspelt', () => {
  /** @type {[string, (...args: any[]) => unknown][]} */
  const verbs = [
    ['gradNorm', gradNorm],
    ['gradReport', gradReport],
    ['clipGradNorm', (gradients) => clipGradNorm(gradients, 1)],
    ['clipGradValue', (gradients) => clipGradValue(gradients, 1)],
    ['clipGradsWithNorm', (gradients) => clipGradsWithNorm(gradients, 1, 2)],
    ['NormAccumulator.add', (gradients) => new NormAccumulator().add(gradients)],
  ];
  for (const [name, verb] of verbs) {
    test(name, () => {
      const message = `gradients is undefined; expected ${EXPECTED}`;
      assert.throws(() => verb(), { name: 'TypeError', message });
      assert.throws(() => verb(untyped({}).grads), { name: 'TypeError', message });
      verb(null);
    });
  }
});

describe('integers beside floats under names are refused, by the place of the integers', () => {
  const beside = (/** @type {string} */ type) =>
    `a${/^[AEIO]/.test(type) ? 'n' : ''} ${type} beside floating-point gradients in one record; ` +
    'expected names of gradients only (of a sparse one its values)';
  test('sparse gradients, shapes and masks', () => {
    assertRefused(
      { indices: Int32Array.of(5), values: f32(3, 4) },
      `gradients.indices is ${beside('Int32Array')}`,
    );
    assertRefused(
      { data: f32(3, 4), shape: Uint32Array.of(2) },
      `gradients.shape is ${beside('Uint32Array')}`,
    );
    assertRefused({ weight: f64(1), mask: new Uint8Array(1) }, `gradients.mask is ${beside('Uint8Array')}`);
    const csr = { indptr: Uint16Array.of(0, 2), indices: Uint16Array.of(1), data: f32(3) };
    assertRefused({ embedding: csr }, `gradients.embedding.indptr is ${beside('Uint16Array')}`);
    assertRefused(
      [
        f32(1),
        new Map([
          ['i', Int8Array.of(1)],
          ['v', untyped(f32(1))],
        ]),
      ],
      `gradients[1].i is ${beside('Int8Array')}`,
    );
    const rows = {
      indices: [Int32Array.of(1), Int32Array.of(2)],
      values: { data: Uint16Array.of(1), dtype: 'bfloat16' },
    };
    assertRefused(rows, `gradients.indices[0] is ${beside('Int32Array')}`);
  });

  test('records of integers alone, lists and parameters are measured', () => {
    assertSum({ a: Int32Array.of(3), b: Uint8Array.of(4) }, 7);
    assertSum([Int32Array.of(3), f32(4)], 7);
    assertSum({ a: { grad: Int32Array.of(3) }, b: f32(4) }, 7);
  });
});

describe('elements with the name of their type', () => {
  test('every type, by its own name', () => {
    for (const Type of [Float32Array, Float64Array, ...INTEGER_TYPES]) {
      const dtype = Type.name.replace(/Array|Clamped/g, '').toLowerCase();
      assertSum({ data: Type.of(3, 4), dtype }, 7);
      assertSum({ w: { grad: { data: Type.of(3, 4), dtype } } }, 7);
    }
    const { Float16Array } = untyped(globalThis);
    if (Float16Array !== undefined) assertSum({ data: Float16Array.of(3, 4), dtype: 'float16' }, 7);
  });

  test('data of another type is refused by its place', () => {
    assertRefused(
      { data: f64(1), dtype: 'float32' },
      'gradients.data is a Float64Array; expected a Float32Array',
    );
    assertRefused(
      [{ data: f32(1), dtype: 'uint8' }],
      'gradients[0].data is a Float32Array; expected a Uint8Array',
    );
    assertRefused(
      { w: { data: [1], dtype: 'int32' } },
      'gradients.w.data is an Array; expected an Int32Array',
    );
  });
});

describe('what frameworks have', () => {
  test('a Proxy of a typed array and a polyfill of Float16Array, by their place, as a grad and as data too', () => {
    class Float16Array extends Array {}
    Object.assign(Float16Array.prototype, { BYTES_PER_ELEMENT: 2 });
    for (const [got, foreign] of [
      ['a Float32Array', new Proxy(f32(3), {})],
      ['a Float16Array', new Proxy(Object.create(Float16Array.prototype), {})],
    ]) {
      const words = `${got} (a Proxy or a polyfill: pass a typed array itself)`;
      assertRefused(foreign, `gradients is ${words}; expected ${EXPECTED}`);
      assertRefused({ w: [foreign] }, `gradients.w[0] is ${words}; expected ${EXPECTED}`);
      assertRefused([{ grad: foreign }], `gradients[0].grad is ${words}; expected ${EXPECTED_GRAD}`);
      assertRefused(
        { data: foreign, dtype: 'float32' },
        `gradients.data is ${words}; expected a Float32Array`,
      );
    }
  });

  test('reactive Proxies of records, lists and Maps count like what they stand for', () => {
    const reactive = (/** @type {object} */ value) =>
      new Proxy(value, {
        get: (target, name) => {
          const found = Reflect.get(target, name);
          return typeof found === 'function' ? found.bind(target) : found;
        },
      });
    assertSum(reactive({ a: f32(3), b: reactive([f32(4), null]) }), 7);
    assertSum(reactive(new Map([['a', f32(3)]])), 3);
  });

  test('Maps of other libraries, which have a size and entries()', () => {
    class OrderedMap {
      constructor(/** @type {[unknown, unknown][]} */ ...pairs) {
        this.pairs = pairs;
      }
      get size() {
        return this.pairs.length;
      }
      entries() {
        return this.pairs[Symbol.iterator]();
      }
      [Symbol.iterator]() {
        return this.entries();
      }
    }
    assertSum(new OrderedMap(['a', f32(3)], ['b', new OrderedMap(['c', f32(4)])]), 7);
    assertRefused(
      new OrderedMap(['a', f32(3)], ['b', 3]),
      `gradients.b is 3 (a number); expected ${EXPECTED}`,
    );
  });

  test('entries() of anything else than pairs is refused, never skipped', () => {
    const listOf = (/** @type {unknown} */ entry) => ({ size: 1, entries: () => [entry].values() });
    const expected = 'expected [name, gradient], as a Map has';
    assertRefused(listOf(f32(3)), `gradients[0] is a Float32Array; ${expected}`);
    assertRefused({ layers: listOf({ grad: f32(3) }) }, `gradients.layers[0] is an object; ${expected}`);
    assertRefused(listOf('w1'), `gradients[0] is "w1" (a string); ${expected}`);
    assertRefused(listOf(revoked([])), `gradients[0] is a revoked Proxy; ${expected}`);
  });

  test('a tensor with data() and a dtype, as those of TensorFlow.js and jax-js have, is told as a tensor in every place', () => {
    class Tensor {
      dtype = 'float32';
      data() {
        throw new Error('consumed');
      }
      dataSync() {
        throw new Error('consumed');
      }
    }
    const got = 'a Tensor (gradnorm/tfjs takes it)';
    assertRefused(new Tensor(), `gradients is ${got}; expected ${EXPECTED}`);
    assertRefused([{ grad: new Tensor() }], `gradients[0].grad is ${got}; expected ${EXPECTED_GRAD}`);
  });

  test('an iterable tensor is not consumed by the message', () => {
    const w = {
      ref: null,
      dataSync() {},
      get shape() {
        throw new Error('read');
      },
      [Symbol.iterator]() {
        throw new Error('consumed');
      },
    };
    const got = 'an object (gradnorm/jax takes it)';
    assertRefused({ w }, `gradients.w is ${got}; expected ${EXPECTED}`);
    assertRefused({ w: { grad: w } }, `gradients.w.grad is ${got}; expected ${EXPECTED_GRAD}`);
  });

  test('a tensor of onnxruntime and a buffer of WebGPU: the message says what to pass', () => {
    class Tensor {
      data = f32(1);
      dims = [1];
      type = 'float32';
    }
    class GPUBuffer {
      mapAsync() {}
    }
    const tensor = 'a Tensor (pass { data: tensor.data, dtype: tensor.type })';
    assertRefused({ w: new Tensor() }, `gradients.w is ${tensor}; expected ${EXPECTED}`);
    // On a GPU its data cannot be asked for.
    const onGpu = withGetter(new Tensor(), 'data', () => {
      throw new Error('The data is not on CPU');
    });
    assertRefused({ w: onGpu }, `gradients.w is ${tensor}; expected ${EXPECTED}`);
    assertRefused({ grad: onGpu }, `gradients.grad is ${tensor}; expected ${EXPECTED_GRAD}`);
    const buffer = 'a GPUBuffer (gradnorm/webgpu takes { buffer, length })';
    assertRefused([new GPUBuffer()], `gradients[0] is ${buffer}; expected ${EXPECTED}`);
  });

  test('a revoked Proxy in every place, by its place', () => {
    assertRefused([revoked({})], `gradients[0] is a revoked Proxy; expected ${EXPECTED}`);
    assertRefused({ grad: revoked({}) }, `gradients.grad is a revoked Proxy; expected ${EXPECTED_GRAD}`);
    assertRefused({ w: revoked(f32(1)) }, `gradients.w is a revoked Proxy; expected ${EXPECTED}`);
  });
});
