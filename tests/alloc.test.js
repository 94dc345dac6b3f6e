// tests/alloc.test.js: allocGradients: the structure it returns, where its arrays lie, and that the core works on them there.
// tests/homes.test.js has what every home does.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRandom, hex } from './accuracy.js';
import { runNode } from './support.js';

/** How often JavaScript called each function of a core; gradnorm is imported after this. */
const calls = /** @type {Map<string, number>} */ (new Map());
const { Instance } = WebAssembly;
/** Functions of the core by their index in its table, as Embind registers them. @type {Map<number, string>} */
const names = new Map();
WebAssembly.Instance = /** @type {any} */ (
  class {
    /**
     * @param {WebAssembly.Module} module
     * @param {{ env: any }} imports
     */
    constructor(module, { env }) {
      const counting = new Proxy(env, {
        get(target, name) {
          if (name !== '_embind_register_function') return target[name];
          return (/** @type {number[]} */ ...words) => {
            const bytes = new Uint8Array(target.memory.buffer, words[0]);
            const text = String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
            names.set(words[5], text);
            target[name](...words);
          };
        },
      });
      const instance = new Instance(module, { env: counting });
      const { __indirect_function_table: table, ...exports } = /** @type {any} */ (instance.exports);
      const get = (/** @type {number} */ index) => {
        const invoke = table.get(index);
        return (/** @type {number} */ target, /** @type {number[]} */ ...values) => {
          const name = names.get(target) ?? '';
          calls.set(name, (calls.get(name) ?? 0) + 1);
          return invoke(target, ...values);
        };
      };
      return /** @type {any} */ ({ exports: { ...exports, __indirect_function_table: { get } } });
    }
  }
);
const { allocGradients, clipGradNorm, clipGradValue, gradNorm, gradReport, NormAccumulator } =
  await import('gradnorm');

/** @param {() => unknown} run */
function callsOf(run) {
  calls.clear();
  run();
  return Object.fromEntries(calls);
}

/**
 * @template {Float32Array | Float64Array} A
 * @param {A} array
 * @param {number} seed
 * @returns {A}
 */
function fill(array, seed) {
  const random = createRandom(seed);
  for (let i = 0; i < array.length; ++i) array[i] = random() - 0.5;
  return array;
}

describe('the structure', () => {
  test('is that of the template, of zeros, and frozen at every level', () => {
    const template = {
      weight: 6,
      bias: new Float64Array(3).fill(7),
      frozen: null,
      layers: [2, [new Float64Array(4)], new Map([['a/b', 5]])],
      bits: { data: new Uint16Array(3).fill(1), dtype: /** @type {const} */ ('bfloat16') },
    };
    const made = allocGradients(template);
    assert.deepEqual(made, {
      weight: new Float32Array(6),
      bias: new Float64Array(3),
      frozen: null,
      layers: [new Float32Array(2), [new Float64Array(4)], new Map([['a/b', new Float32Array(5)]])],
      bits: { data: new Uint16Array(3), dtype: 'bfloat16' },
    });
    for (const level of [made, made.layers, made.layers[1], made.layers[2], made.bits])
      assert.ok(Object.isFrozen(level));
    const map = /** @type {Map<string, Float32Array>} */ (made.layers[2]);
    for (const change of [
      () => map.set('c', new Float32Array(1)),
      () => map.delete('a/b'),
      () => map.clear(),
    ])
      assert.throws(change, {
        name: 'TypeError',
        message: /^a Map that allocGradients returned is frozen; expected/,
      });
    assert.throws(() => Object.assign(made, { weight: null }), TypeError);
    assert.ok(
      template.bias.every((x) => x === 7),
      'the template stays as it was',
    );
  });

  test('of a number, of an array, of null: that alone', () => {
    assert.deepEqual(allocGradients(3), new Float32Array(3));
    assert.deepEqual(allocGradients(new Uint8ClampedArray(3)), new Uint8ClampedArray(3));
    assert.deepEqual(allocGradients(0), new Float32Array(0));
    assert.equal(allocGradients(null), null);
    for (const empty of [[], {}, new Map(), [null, [null]]]) {
      const made = allocGradients(empty);
      assert.deepEqual(made, empty);
      assert.equal(gradNorm(made), 0);
      assert.equal(clipGradNorm(made, 1), 0);
      assert.deepEqual(gradReport(made).tensors, []);
    }
  });

  for (const Type of [
    ...[Float32Array, Float64Array, Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array],
    ...[Int32Array, Uint32Array],
  ])
    test(`${Type.name}: its type and its length, whatever it is a view of`, () => {
      const Sub = /** @type {any} */ (class extends /** @type {any} */ (Type) {});
      const views = [new Type(5), new Type(new ArrayBuffer(64), 8, 5), new Sub(5)];
      for (const view of views) {
        const made = /** @type {any} */ (allocGradients(view));
        assert.equal(Object.getPrototypeOf(made), Type.prototype);
        assert.equal(made.length, 5);
      }
    });

  const { Float16Array } = /** @type {any} */ (globalThis);
  const reason = Float16Array === undefined && 'this engine has no Float16Array';
  test('Float16Array', { skip: reason }, () => {
    const made = allocGradients(new Float16Array(5));
    assert.ok(made instanceof Float16Array);
    made.set([3, 4]);
    assert.equal(gradNorm(made), 5);
  });

  test('a name that is also one of Object stays a name', () => {
    const made = allocGradients(JSON.parse('{ "__proto__": 2, "constructor": 1 }'));
    assert.deepEqual(Object.keys(made), ['__proto__', 'constructor']);
    assert.deepEqual(
      gradReport(made).tensors.map(({ name }) => name),
      ['__proto__', 'constructor'],
    );
  });
});

describe('a bad template is refused by its place, before anything is made', () => {
  const LENGTH = /; expected a whole number of elements from 0 to \d{9,}$/;
  for (const length of [-1, 1.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 53, 1e300])
    test(`the length ${length}`, () => {
      for (const [template, place] of /** @type {const} */ ([
        [length, 'template'],
        [[1, { w: length }], 'template[1].w'],
        [new Map([['fc1/w', length]]), 'template["fc1/w"]'],
      ])) {
        assert.throws(
          () => allocGradients(/** @type {any} */ (template)),
          (/** @type {Error} */ error) => {
            assert.equal(error.name, 'RangeError');
            assert.ok(error.message.startsWith(`${place} is ${length}; expected`), error.message);
            assert.match(error.message, LENGTH);
            return true;
          },
        );
      }
    });

  const circle = { w: 1, self: /** @type {unknown} */ (null) };
  circle.self = [circle];
  const detached = new Float32Array(3);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  for (const [name, value, message] of /** @type {[string, unknown, RegExp][]} */ ([
    ['undefined', undefined, / is undefined; expected a length, a typed array/],
    ['a string', 'abc', / is "abc" \(a string\); expected a length/],
    ['a bigint', 3n, / is 3n \(a bigint\)/],
    ['a boolean', true, / is true \(a boolean\)/],
    ['a function', () => 1, / is a function/],
    ['a BigInt64Array', new BigInt64Array(1), / is a BigInt64Array; expected a length/],
    ['a DataView', new DataView(new ArrayBuffer(1)), / is a DataView/],
    ['an ArrayBuffer', new ArrayBuffer(1), / is an ArrayBuffer/],
    ['a Set', new Set([1]), / is a Set/],
    ['a generator', (function* () {})(), / is /],
    ['a class instance', new (class Layer {})(), / is a Layer/],
    ['a Date', new Date(), / is a Date/],
    ['a hole', [, 1], /\[0\] is undefined/], // eslint-disable-line no-sparse-arrays
    ['a circle', circle, /self\[0\] is an object that it lies in; expected a tree without circles/],
    ['a detached array', detached, / is a Float32Array on a detached buffer/],
    ['integers beside floats', { w: 1, i: new Int32Array(1) }, /i is an Int32Array beside floating-point/],
    ['bits of no half', { data: new Uint16Array(1), dtype: 'float8' }, /dtype is "float8" \(a string\)/],
  ]))
    test(name, () => {
      const nested = { layer: [value] };
      assert.throws(() => allocGradients(/** @type {any} */ (value)), { name: 'TypeError', message });
      assert.throws(
        () => allocGradients(/** @type {any} */ (nested)),
        (/** @type {Error} */ error) => {
          assert.match(error.message, /^template\.layer\[0\]/);
          return true;
        },
      );
      assert.equal(gradNorm(allocGradients(3)), 0, 'the next call works');
    });

  test('nested more than a hundred levels deep', () => {
    let deep = /** @type {any} */ (1);
    for (let i = 0; i < 102; ++i) deep = [deep];
    assert.throws(() => allocGradients(deep), { message: /levels deep; expected at most 100 levels$/ });
  });
});

describe('memory', () => {
  test('that cannot be had: a RangeError that says how much was asked for', () => {
    const { Memory } = WebAssembly;
    try {
      WebAssembly.Memory = /** @type {any} */ (
        class {
          constructor() {
            throw new RangeError('could not allocate memory');
          }
        }
      );
      assert.throws(() => allocGradients([2 ** 24, 2 ** 20]), {
        name: 'RangeError',
        message: `the template asks for ${4 * (2 ** 24 + 2 ** 20)} bytes; expected no more than there is memory for`,
      });
    } finally {
      WebAssembly.Memory = Memory;
    }
    assert.equal(allocGradients([2 ** 24]).length, 1);
    assert.throws(() => allocGradients(Array(3000).fill(10 ** 9)), {
      name: 'RangeError',
      message: /^the template asks for 12000000000000 bytes;/,
    });
  });

  test('is as many memories as 4 GiB each demand', () => {
    const huge = allocGradients({ a: 10 ** 9, b: 10 ** 9, c: 3 });
    assert.notEqual(huge.a.buffer, huge.b.buffer);
    assert.equal(huge.b.buffer, huge.c.buffer);
    huge.a[10 ** 9 - 1] = 3;
    huge.b[10 ** 9 - 1] = 4;
    huge.c[2] = 12;
    const ends = [huge.a.subarray(-5000), huge.b.subarray(-5000), huge.c];
    assert.equal(gradNorm(ends), 13);
    assert.equal(new NormAccumulator().add(ends).norm, 13);
    assert.deepEqual(
      gradReport(ends).tensors.map(({ norm }) => norm),
      [3, 4, 12],
    );
    clipGradNorm(ends, 6.5, { eps: 0 });
    assert.deepEqual(
      ends.map((end) => Number(end.at(-1)?.toFixed(4))),
      [1.5, 2, 6],
    );
  });

  test('is shared by small ones, and no array can be detached', () => {
    const [a, b] = [allocGradients(10), allocGradients([20])];
    assert.equal(a.buffer, b[0].buffer);
    a[9] = 7;
    // Engines refuse, or hand a copy over.
    for (const value of [a, a.buffer])
      try {
        structuredClone(value, { transfer: [a.buffer] });
      } catch {
        // Refused.
      }
    assert.deepEqual([a.length, a[9]], [10, 7]);
  });

  test('is freed with the last array', async () => {
    const program = `
      import { allocGradients, clipGradNorm, gradReport } from 'gradnorm';
      const tick = () => new Promise((resolve) => setTimeout(resolve, 1));
      let gradients = allocGradients({ w: 2 ** 22, b: 2 ** 21 });
      clipGradNorm(gradients, 1);
      gradReport(gradients);
      const memory = new WeakRef(gradients.w.buffer);
      let kept = gradients.b;
      gradients = null;
      for (let i = 0; i < 5; ++i) await tick(), gc();
      const isThere = memory.deref() !== undefined;
      console.log(isThere, kept.length);
      kept = null;
      // Another allocation takes the place of the one that may be shared.
      allocGradients(2 ** 22);
      for (let i = 0; i < 20 && memory.deref() !== undefined; ++i) await tick(), gc();
      console.log(memory.deref() === undefined);`;
    const { stdout, stderr } = await runNode(['--expose-gc', '--input-type=module', '-'], { input: program });
    assert.equal(stdout, 'true 2097152\ntrue\n', stderr);
  });
});

describe('the core works where they lie', () => {
  const template = Array.from({ length: 3000 }, (_, i) => 1 + (i % 70));

  test('a structure that is passed whole takes one call for its norm, and one to be scaled', () => {
    const gradients = allocGradients(template);
    gradients.forEach(fill);
    assert.deepEqual(
      callsOf(() => gradNorm(gradients)),
      { clear: 1, reduce: 1, finish: 1 },
    );
    assert.deepEqual(
      callsOf(() => clipGradNorm(gradients, 1)),
      { clear: 1, reduce: 1, finish: 1, rewrite: 1 },
    );
    assert.deepEqual(
      callsOf(() => clipGradValue(gradients, 1e-3)),
      { rewrite: 1 },
    );
  });

  test('a report takes no call per tensor, of whatever arrays', () => {
    const gradients = allocGradients(template);
    const arrays = template.map((length) => new Float32Array(length));
    for (const list of [gradients, arrays, [...gradients]]) {
      const total = Object.values(callsOf(() => gradReport(list))).reduce((sum, count) => sum + count, 0);
      assert.ok(total < template.length / 20, `${total} calls`);
    }
  });

  test('every verb gives the bits that it gives of other arrays: whole, in parts, as views, mixed', () => {
    const made = allocGradients({ a: 5000, b: new Float64Array(77), c: [3, 16, 4097] });
    const arrays = [made.a, made.b, ...made.c].map((array, seed) => fill(array, seed));
    const copies = arrays.map((array) => array.slice());
    const lists = [made, [made.a, made.b, made.c], [copies[0], made.b, copies[2], copies[3], made.c[2]]];
    for (const p of [1, 2, 2.5, 3, Infinity]) {
      for (const list of lists) {
        assert.equal(hex(gradNorm(/** @type {any} */ (list), p)), hex(gradNorm(copies, p)));
        const rows = gradReport(/** @type {any} */ (list), { normType: p }).tensors.map(
          ({ norm, meanAbs }) => [norm, meanAbs],
        );
        const expected = gradReport(copies, { normType: p }).tensors.map(({ norm, meanAbs }) => [
          norm,
          meanAbs,
        ]);
        assert.deepEqual(rows, expected);
        const state = new NormAccumulator(p).add(/** @type {any} */ (list)).toJSON();
        assert.deepEqual(state, new NormAccumulator(p).add(copies).toJSON());
      }
      const cut = [made.a.subarray(0, 4096), made.a.subarray(4096), made.b, made.c];
      assert.equal(hex(gradNorm(cut, p)), hex(gradNorm(copies, p)));
    }
    for (const [maxNorm, options] of /** @type {const} */ ([
      [5, {}],
      [1, { normType: 3 }],
      [0.3, { per: 'tensor' }],
      [1e-44, {}],
    ])) {
      assert.equal(hex(clipGradNorm(made, maxNorm, options)), hex(clipGradNorm(copies, maxNorm, options)));
      assert.deepEqual(arrays, copies);
    }
  });

  test('names are those of the structure', () => {
    const made = allocGradients({ fc1: { weight: 3, bias: new Float64Array(1) }, layers: [2] });
    made.fc1.bias[0] = NaN;
    const report = gradReport(made);
    assert.deepEqual(
      report.tensors.map(({ name }) => name),
      ['fc1.weight', 'fc1.bias', 'layers.0'],
    );
    assert.throws(() => clipGradNorm(made, 1, { nonfinite: 'throw' }), {
      message: /^gradients\.fc1\.bias has the value NaN at index 0;/,
      tensor: 'fc1.bias',
    });
  });

  test('integers are measured and not clipped', () => {
    const made = allocGradients([new Int32Array(2)]);
    made[0].set([3, -4]);
    assert.equal(gradNorm(made), 5);
    assert.throws(() => clipGradNorm(made, 1), {
      message: /^gradients\[0\] is an Int32Array; to be clipped/,
    });
  });

  test('a view that overlaps another in part is refused, the same twice is scaled once', () => {
    const [a] = allocGradients([10]);
    a.fill(1);
    assert.throws(() => clipGradNorm([a, a.subarray(1)], 1), {
      message: /overlaps gradients\[0\] in memory/,
    });
    clipGradNorm([a, a], 1, { eps: 0 });
    assert.ok(Math.abs(gradNorm([a, a]) - 1) < 1e-6);
  });

  test('neighbours of every type and any length stay as they are, and are not counted', () => {
    const types = [Float32Array, Float64Array, Uint16Array];
    for (const Type of types)
      for (let length = 0; length <= 9; ++length) {
        const around = /** @type {any} */ (allocGradients(/** @type {any} */ (new Type(length + 16))));
        const bits = new Uint8Array(around.buffer, around.byteOffset, around.byteLength).fill(0xff);
        const view = around.subarray(8 - (length % 3), 8 - (length % 3) + length);
        view.fill(Type === Uint16Array ? 0x4000 : 2);
        const gradient =
          Type === Uint16Array ? { data: view, dtype: /** @type {const} */ ('float16') } : view;
        const before = bits.slice();
        assert.equal(gradNorm(gradient, 1), 2 * length);
        assert.equal(gradReport(gradient).nan, 0);
        assert.deepEqual(bits, before);
        clipGradNorm(gradient, length, { normType: 1, eps: 0 });
        clipGradValue(gradient, 0.5);
        const start = view.byteOffset - around.byteOffset;
        bits.fill(0xff, start, start + view.byteLength);
        assert.ok(
          bits.every((byte) => byte === 0xff),
          `${Type.name}, ${length}`,
        );
      }
  });

  test('a million views cost no more than their list', () => {
    const made = allocGradients(1 << 20);
    made.fill(1);
    const views = Array.from({ length: 1 << 16 }, (_, i) => made.subarray(16 * i, 16 * i + 16));
    assert.equal(gradNorm(views), 1024);
    assert.equal(made.buffer.byteLength % 65536, 0);
  });
});
