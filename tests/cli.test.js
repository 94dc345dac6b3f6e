// tests/cli.test.js: the command `gradnorm`: what it says of files that are right.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  ftruncateSync,
  openSync,
  closeSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { gradNorm, gradReport } from 'gradnorm';
import { withTensorsOf } from '../web/cli/formats.js';
import { measure } from '../web/cli/measure.js';
import { Progress } from '../web/cli/progress.js';
import { stateOf, untilChanged } from '../web/cli/watch.js';
import { shareOut, takePart } from '../web/cli/work.js';
import { assertAccurate, createRandom } from './accuracy.js';
import { bytesOf, npy, npyHeader, npyOf, safetensors, safetensorsOf, zip } from './cli-files.js';
import { makeTemporaryFolder, ROOT, runNode } from './support.js';

const COMMAND = join(ROOT, 'dist', 'cli', 'gradnorm.js');
const folder = makeTemporaryFolder();

/** @typedef {import('gradnorm').TensorReport} TensorReport */

/**
 * @param {string} name
 * @param {Buffer} bytes
 * @returns {string}  its path
 */
function write(name, bytes) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** @param {string[]} args */
function gradnorm(...args) {
  return runNode([COMMAND, ...args]);
}

/**
 * What it says of files, as JSON.
 * @param {string[]} args
 * @returns {Promise<any>}
 */
async function jsonOf(...args) {
  const { status, stdout, stderr } = await gradnorm('--json', ...args);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  assert.equal(stdout.indexOf('\n'), stdout.length - 1, 'one line');
  return JSON.parse(stdout);
}

/** JSON has words for what it has no numbers for. @param {unknown} value */
const numberOf = (value) => Number(value);

/**
 * Bit for bit.
 * @param {any} json
 * @param {Record<string, import('gradnorm').Gradient>} gradients  the same
 * @param {number} [normType]
 */
function assertReport(json, gradients, normType = 2) {
  const { files: _, ...report } = json;
  const withoutType = (/** @type {any} */ { tensors, ...rest }) => ({
    ...rest,
    // Elements that the library has no type for are passed to it as another.
    tensors: tensors.map((/** @type {TensorReport} */ { dtype: _dtype, ...row }) => row),
  });
  const expected = JSON.parse(JSON.stringify(gradReport(gradients, { normType })));
  assert.deepEqual(withoutType(report), withoutType(expected));
}

/**
 * @param {number} length
 * @param {number} seed
 */
function randomFloats(length, seed) {
  const random = createRandom(seed);
  return Float32Array.from({ length }, () => random() - 0.5);
}

describe('every element type', () => {
  const values = [3, 0, 4, 1, 0, 2];
  const halves = Uint16Array.of(0x4200, 0, 0xc400, 0x3c00, 0x8000, 0x4000);
  const upperHalves = Uint16Array.of(0x4040, 0, 0xc080, 0x3f80, 0x8000, 0x4000);
  /** @type {[string, string, string | null, ArrayBufferView, import('gradnorm').Gradient][]} */
  const types = [
    ['F64', 'float64', 'f8', Float64Array.from(values), Float64Array.from(values)],
    ['F32', 'float32', 'f4', Float32Array.from(values), Float32Array.from(values)],
    ['F16', 'float16', 'f2', halves, { data: halves, dtype: 'float16' }],
    ['BF16', 'bfloat16', null, upperHalves, { data: upperHalves, dtype: 'bfloat16' }],
    ['I8', 'int8', 'i1', Int8Array.from(values, (v) => -v), Int8Array.from(values)],
    ['I16', 'int16', 'i2', Int16Array.from(values, (v) => -v), Int16Array.from(values)],
    ['I32', 'int32', 'i4', Int32Array.from(values, (v) => -v), Int32Array.from(values)],
    ['I64', 'int64', 'i8', BigInt64Array.from(values, (v) => BigInt(-v)), Float64Array.from(values)],
    ['U8', 'uint8', 'u1', Uint8Array.from(values), Uint8Array.from(values)],
    ['U16', 'uint16', 'u2', Uint16Array.from(values), Uint16Array.from(values)],
    ['U32', 'uint32', 'u4', Uint32Array.from(values), Uint32Array.from(values)],
    ['U64', 'uint64', 'u8', BigUint64Array.from(values, BigInt), Float64Array.from(values)],
    ['BOOL', 'bool', 'b1', Uint8Array.of(1, 0, 1, 1), Uint8Array.of(1, 0, 1, 1)],
  ];
  for (const [dtype, name, descr, data, gradient] of types) {
    test(`${dtype} in .safetensors, and in .npy where it has a name there in either byte order, is measured as ${name}`, async () => {
      const files = [write(`${dtype}.safetensors`, safetensors({ w: { dtype, data } }))];
      const length = /** @type {Uint8Array} */ (data).length;
      const size = data.byteLength / length;
      const swapped = Buffer.from(bytesOf(data));
      if (size === 2) swapped.swap16();
      if (size === 4) swapped.swap32();
      if (size === 8) swapped.swap64();
      if (descr !== null) {
        files.push(write(`${dtype}-little.npy`, npy(`${size > 1 ? '<' : '|'}${descr}`, [length], data)));
        if (size > 1) files.push(write(`${dtype}-big.npy`, npy(`>${descr}`, [length], swapped)));
      }
      for (const file of files) {
        const json = await jsonOf(file);
        assert.equal(json.tensors[0].dtype, name);
        assertReport(json, { [json.tensors[0].name]: gradient });
      }
    });
  }

  test('integers of 64 bits are exact up to 2^53 - 1 in magnitude, which the norm of one shows', async () => {
    const largest = 2n ** 53n - 1n;
    for (const [dtype, data] of /** @type {const} */ ([
      ['I64', BigInt64Array.of(largest)],
      ['I64', BigInt64Array.of(-largest)],
      ['I64', BigInt64Array.of(-(2n ** 32n))],
      ['I64', BigInt64Array.of(-1n)],
      ['U64', BigUint64Array.of(largest)],
      ['U64', BigUint64Array.of(2n ** 31n)],
    ])) {
      const { norm } = await jsonOf(write('one.safetensors', safetensors({ w: { dtype, data } })));
      assert.equal(norm, Math.abs(Number(data[0])));
    }
  });

  test('every pattern of F8_E4M3 and F8_E5M2 has the value of its definition', async () => {
    // Sign, exponent and fraction; E4M3 has no infinity, and NaN only where all other bits are set.
    const valueOf = (
      /** @type {number} */ bits,
      /** @type {number} */ fractionBits,
      /** @type {number} */ bias,
    ) => {
      const exponent = (bits & 0x7f) >> fractionBits;
      const fraction = bits & (2 ** fractionBits - 1);
      if (fractionBits === 2 && exponent === 31) return fraction === 0 ? Infinity : NaN;
      if (fractionBits === 3 && (bits & 0x7f) === 0x7f) return NaN;
      const significand = fraction / 2 ** fractionBits;
      return exponent === 0 ? significand * 2 ** (1 - bias) : (1 + significand) * 2 ** (exponent - bias);
    };
    for (const [dtype, fractionBits, bias, name] of /** @type {const} */ ([
      ['F8_E4M3', 3, 7, 'float8_e4m3fn'],
      ['F8_E5M2', 2, 15, 'float8_e5m2'],
    ])) {
      const tensors = Object.fromEntries(
        Array.from({ length: 256 }, (_, bits) => [`bits ${bits}`, { dtype, data: Uint8Array.of(bits) }]),
      );
      const json = await jsonOf(write('patterns.safetensors', safetensors(tensors)));
      assert.equal(json.tensors.length, 256);
      for (const [bits, row] of json.tensors.entries()) {
        assert.equal(row.dtype, name);
        assert.ok(
          Object.is(numberOf(row.norm), valueOf(bits, fractionBits, bias)),
          `${row.name}: ${row.norm}`,
        );
      }
    }
  });
});

describe('the report', () => {
  const gradients = {
    embedding: new Float32Array(300),
    'fc1.weight': randomFloats(5000, 1),
    'fc1.bias': Float32Array.of(1, NaN, Infinity),
    nothing: new Float32Array(0),
  };
  const file = () =>
    write(
      'model.safetensors',
      safetensors(
        Object.fromEntries(Object.entries(gradients).map(([name, data]) => [name, { dtype: 'F32', data }])),
      ),
    );

  test('as text is the one of gradReport, character for character', async () => {
    const { status, stdout, stderr } = await gradnorm(file());
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
    assert.equal(stdout, `${gradReport(gradients)}\n`);
  });

  test('as JSON is the one of gradReport, with the files', async () => {
    const path = file();
    const json = await jsonOf(path);
    assert.deepEqual(json, { files: [path], ...JSON.parse(JSON.stringify(gradReport(gradients))) });
  });

  for (const p of ['1', '2', 'inf', '2.7', '0.5', '1e3', '1e13', '0.001']) {
    test(`of tensors of many chunks has the norms and counts of gradReport, p = ${p}`, async () => {
      const large = {
        first: randomFloats(300_001, 2),
        sick: randomFloats(270_000, 3),
        zeros: new Float32Array(131_072),
        last: randomFloats(1, 4),
      };
      if (p === '2') large.sick[200_000] = -Infinity;
      if (p === '2') large.sick[200_001] = NaN;
      const tensors = Object.fromEntries(
        Object.entries(large).map(([name, data]) => [name, { dtype: 'F32', data }]),
      );
      const json = await jsonOf(write('large.safetensors', safetensors(tensors)), '--p', p);
      assert.equal(numberOf(json.normType), p === 'inf' ? Infinity : Number(p));
      assertReport(json, large, numberOf(json.normType));
    });
  }

  test('of doubles whose sum is beyond the doubles has their mean', async () => {
    const data = new Float64Array(300_000).fill(1.5e308);
    const json = await jsonOf(write('huge.npy', npy('<f8', [300_000], data)));
    assertReport(json, { [json.tensors[0].name]: data });
    assert.ok(Math.abs(json.meanAbs - 1.5e308) <= 2 ** -22 * 1.5e308);
    assert.equal(json.norm, 'Infinity');
    assert.equal(json.firstNonfinite, null);
    assert.equal(json.tensors[0].share, 1);
  });

  test('shows the sickest and largest 40 of more tensors, with --per-tensor all of them, with --top N the first N in that order', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 50 }, (_, i) => [`layer${i}`, Float32Array.of(i === 7 ? NaN : i + 1)]),
    );
    const tensors = Object.fromEntries(
      Object.entries(many).map(([name, data]) => [name, { dtype: 'F32', data }]),
    );
    const path = write('many.safetensors', safetensors(tensors));
    const namesOf = (/** @type {string} */ text) => text.match(/^layer\d+/gm) ?? [];
    const byDefault = await gradnorm(path);
    assert.equal(byDefault.stdout, `${gradReport(many)}\n`);
    assert.equal(namesOf(byDefault.stdout).length, 40);
    const all = await gradnorm(path, '--per-tensor');
    assert.deepEqual(namesOf(all.stdout), Object.keys(many));
    assert.doesNotMatch(all.stdout, /more/);
    const top = await gradnorm(path, '--top', '3');
    assert.deepEqual(namesOf(top.stdout), ['layer7', 'layer49', 'layer48']);
    assert.match(top.stdout, /\nand 47 more\n$/);
    const json = await jsonOf(path, '--top', '2');
    assert.deepEqual(
      json.tensors.map((/** @type {TensorReport} */ { name }) => name),
      ['layer7', 'layer49'],
    );
    assert.equal((await jsonOf(path)).tensors.length, 50);
    assert.equal((await jsonOf(path, '--top', '60')).tensors.length, 50);
  });

  test('of several files is that of all their tensors, with the name of the file before theirs', async () => {
    const a = write('a.safetensors', safetensors({ w: { dtype: 'F32', data: Float32Array.of(3) } }));
    const b = write('b.npy', npy('<f4', [1], Float32Array.of(4)));
    const c = write('c.npz', zip([{ name: 'w.npy', data: npy('<f4', [1], Float32Array.of(12)) }]));
    const json = await jsonOf(a, b, c, b);
    assert.equal(json.norm, gradNorm([3, 4, 12, 4].map((value) => Float32Array.of(value))));
    assert.deepEqual(
      json.tensors.map((/** @type {TensorReport} */ { name }) => name),
      [`${a}:w`, b, `${c}:w`, b],
    );
    assert.deepEqual(json.files, [a, b, c, b]);
  });

  test('has the same bits in whatever files and order the tensors come', async () => {
    const parts = [randomFloats(140_000, 5), randomFloats(17, 6), randomFloats(4097, 7)];
    const npys = parts.map((data, i) => write(`part${i}.npy`, npy('<f4', [data.length], data)));
    const together = write(
      'parts.npz',
      zip(
        parts.map((data, i) => ({ name: `${i}.npy`, data: npy('<f4', [data.length], data), deflated: true })),
      ),
    );
    const expected = gradNorm(parts, 1.5);
    for (const files of [npys, [...npys].reverse(), [together]]) {
      assert.equal((await jsonOf(...files, '--p', '1.5')).norm, expected);
    }
    assertAccurate(expected, parts, 1.5, 'parts');
  });

  test('tells names out of files in one line, whatever is in them', async () => {
    const name = 'a\nb\x1b[31m\u202e\u2028c';
    const path = write(
      'names.safetensors',
      safetensors({ [name]: { dtype: 'F32', data: Float32Array.of(NaN) } }),
    );
    const { stdout } = await gradnorm(path);
    assert.match(stdout, /^a\\u\{a\}b\\u\{1b\}\[31m\\u\{202e\}\\u\{2028\}c +float32/m);
    assert.equal(stdout.split('\n').length, 7);
    assert.doesNotMatch(stdout.replaceAll('\n', ''), /[\x00-\x1f\x7f-\x9f\u2028\u202e]/);
    assert.equal((await jsonOf(path)).tensors[0].name, name);
  });

  test('a tensor named like what every object has is a tensor', async () => {
    const header =
      '{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"constructor":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}';
    const json = await jsonOf(
      write('proto.safetensors', safetensorsOf(header, [bytesOf(Float32Array.of(3, 4))])),
    );
    assert.equal(json.norm, 5);
    assert.deepEqual(
      json.tensors.map((/** @type {TensorReport} */ row) => row.name),
      ['__proto__', 'constructor'],
    );
  });
});

describe('threads', () => {
  const sick = randomFloats(300_001, 9);
  sick[140_000] = -Infinity;
  sick[290_000] = NaN;
  const gradients = {
    sick,
    large: randomFloats(280_000, 10),
    small: Float32Array.of(1, 2),
    none: new Float32Array(0),
    last: randomFloats(131_073, 11),
  };
  const path = () =>
    write(
      'threads.safetensors',
      safetensors(
        Object.fromEntries(Object.entries(gradients).map(([name, data]) => [name, { dtype: 'F32', data }])),
      ),
    );
  const pieceElements = 2 ** 17;

  for (const threads of [1, 2, 3]) {
    for (const normType of [2, Infinity, 2.7]) {
      test(`${threads}: the report of gradReport, bit for bit, p = ${normType}; every byte is counted once`, async () => {
        let bytes = 0;
        const report = await withTensorsOf([path()], (tensors) =>
          measure(tensors, normType, (count) => (bytes += count), { threads, pieceElements }),
        );
        assert.deepEqual(
          JSON.parse(JSON.stringify(report)),
          JSON.parse(JSON.stringify(gradReport(gradients, { normType }))),
        );
        assert.equal(
          bytes,
          Object.values(gradients).reduce((sum, { byteLength }) => sum + byteLength, 0),
        );
      });
    }
  }

  test('what they cannot measure is measured, or refused, by the first in the order of the file', async () => {
    const data = new BigInt64Array(500_000);
    data[499_999] = 2n ** 60n;
    data[300_000] = -(2n ** 61n);
    const bytes = npy('<i8', [500, 1000], data, true);
    const path = write('inexact.npy', bytes);
    for (const threads of [1, 2, 3]) {
      const measured = withTensorsOf([path], (tensors) =>
        measure(tensors, 2, () => {}, { threads, pieceElements }),
      );
      // The element at column 600 and row 0, by rows.
      await assert.rejects(measured, /at index 600 is -2305843009213693952; expected/);
    }
  });

  test('a thread that ends before its time is not missed', async () => {
    const report = await withTensorsOf([path()], async (tensors) => {
      const work = shareOut(
        tensors.map(({ type, elements }) => ({
          descriptor: -1,
          position: 0,
          type: type.name,
          elements,
          isBigEndian: false,
        })),
        2,
      );
      await takePart(work);
      assert.deepEqual([...work.isMeasured], [0, 0, 0, 0, 0]);
      assert.equal(Atomics.load(work.next, 0), 5, 'the others are told to stop');
      return measure(tensors, 2, () => {});
    });
    assert.equal(String(report), String(gradReport(gradients)));
  });
});

describe('.npy', () => {
  const data = Float32Array.of(3, 0, 4, 0, 12, 0);
  const rows = {
    'version 1.0': npyOf(npyHeader('<f4', [2, 3]), data),
    'version 2.0': npyOf(npyHeader('<f4', [2, 3]), data, { version: [2, 0] }),
    'version 3.0': npyOf(npyHeader('<f4', [2, 3]), data, { version: [3, 0] }),
    'of Python 2, whose integers have an L': npyOf(
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }",
      data,
    ),
    'with its keys in another order, in double quotes, without spaces or a last comma': npyOf(
      '{"shape":(2,3),"fortran_order":False,"descr":"<f4"}',
      data,
    ),
    'by columns': npyOf(npyHeader('<f4', [2, 3], true), data),
    'of one dimension': npyOf(npyHeader('<f4', [6]), data),
    'of many dimensions': npyOf(npyHeader('<f4', [1, 2, 1, 3, 1]), data),
  };
  for (const [name, bytes] of Object.entries(rows)) {
    test(`${name}: measured`, async () => {
      const path = write('array.npy', bytes);
      assertReport(await jsonOf(path), { [path]: data });
    });
  }

  test('a scalar has one element, an array with a length of 0 none', async () => {
    const scalar = await jsonOf(write('scalar.npy', npy('<f4', [], Float32Array.of(-7))));
    assert.deepEqual([scalar.norm, scalar.elements], [7, 1]);
    for (const shape of [[0], [0, 3], [3, 0, 2 ** 40, 2 ** 40]]) {
      const json = await jsonOf(write('empty.npy', npy('<f4', shape, new Float32Array(0))));
      assert.deepEqual([json.norm, json.elements, json.tensors.length], [0, 0, 1]);
    }
    const scalars = safetensors({
      s: { dtype: 'F32', shape: [], data: Float32Array.of(-7) },
      e: { dtype: 'F32', shape: [4, 0], data: new Float32Array(0) },
    });
    assert.deepEqual((await jsonOf(write('scalar.safetensors', scalars))).tensors.length, 2);
  });

  test('by columns: an element that is not finite is named by its index by rows, as array.flat has it', async () => {
    const columns = new Float32Array(2 * 3 * 4);
    // The element [1, 2, 3] of an array of shape [2, 3, 4], and its place by columns.
    columns[1 + 2 * (2 + 3 * 3)] = NaN;
    columns[0] = 1;
    const json = await jsonOf(write('columns.npy', npy('<f4', [2, 3, 4], columns, true)));
    assert.equal(json.firstNonfinite.index, (1 * 3 + 2) * 4 + 3);
    const other = new Float32Array(6);
    other[1] = NaN;
    assert.equal(
      (await jsonOf(write('columns.npy', npy('<f4', [2, 3], other, true)))).firstNonfinite.index,
      3,
    );
  });
});

describe('.npz', () => {
  const large = randomFloats(200_000, 8);
  const small = Float64Array.of(1, NaN, 3);
  const items = [
    { name: 'large.npy', data: npy('<f4', [large.length], large) },
    { name: 'layer/small.npy', data: npy('<f8', [3], small) },
    { name: 'empty.npy', data: npy('<f4', [0], new Float32Array(0)) },
  ];
  const gradients = { large, 'layer/small': small, empty: new Float32Array(0) };
  /** @type {Record<string, Buffer>} */
  const archives = {
    'stored, as numpy.savez writes it': zip(items.map((item) => ({ ...item, zip64: true }))),
    'deflated, as numpy.savez_compressed writes it': zip(
      items.map((item) => ({ ...item, zip64: true, deflated: true })),
    ),
    'without fields for large files': zip(items),
    'with a directory for large files': zip(
      items.map((item) => ({ ...item, zip64: true, deflated: true })),
      {
        zip64: true,
      },
    ),
    'with sizes behind the data, as streams are written': zip(
      items.map((item) => ({ ...item, deflated: true, described: true })),
    ),
    'with a comment that looks like the end of an archive': zip(items, {
      comment: 'PK\x05\x06'.padEnd(40, '\0'),
    }),
  };
  for (const [name, bytes] of Object.entries(archives)) {
    test(`${name}: measured`, async () => {
      assertReport(await jsonOf(write('archive.npz', bytes)), gradients);
    });
  }

  test('without entries: a norm of 0', async () => {
    const json = await jsonOf(write('none.npz', zip([])));
    assert.deepEqual([json.norm, json.tensors], [0, []]);
  });
});

test('a file is recognised by what is in it, whatever it is called', async () => {
  const data = Float32Array.of(3, 4);
  const contents = [
    safetensors({ w: { dtype: 'F32', data } }),
    npy('<f4', [2], data),
    zip([{ name: 'w.npy', data: npy('<f4', [2], data) }]),
  ];
  for (const bytes of contents) assert.equal((await jsonOf(write('gradients.bin', bytes))).norm, 5);
});

describe('options', () => {
  const three = () => write('three.npy', npy('<f4', [2], Float32Array.of(3, 4)));
  const sick = () => write('sick.npy', npy('<f4', [2], Float32Array.of(3, NaN)));
  const infinite = () => write('infinite.npy', npy('<f4', [2], Float32Array.of(3, -Infinity)));

  test('--max-norm tells the clip coefficient, maxNorm / (norm + 1e-6), in text and in JSON', async () => {
    assert.match(
      (await gradnorm(three(), '--max-norm', '1')).stdout,
      /\n\nclip coefficient 0\.2000 for max norm 1\.000\n$/,
    );
    const json = await jsonOf(three(), '--max-norm=1');
    assert.deepEqual([json.maxNorm, json.clipCoefficient], [1, 1 / (5 + 1e-6)]);
    assert.equal((await jsonOf(three(), '--max-norm', '5')).clipCoefficient, 1);
    assert.equal((await jsonOf(three(), '--max-norm', 'inf')).maxNorm, 'Infinity');
    assert.equal((await jsonOf(sick(), '--max-norm', '1')).clipCoefficient, 'NaN');
  });

  test('--fail-above: the exit code is 2 for a norm above it or one that is not finite, else 0; the report comes all the same', async () => {
    for (const [file, limit, status, line] of /** @type {[string, string, number, string][]} */ ([
      [three(), '5', 0, ''],
      [three(), '4.999', 2, 'gradnorm: the norm is 5; expected at most 4.999\n'],
      [three(), '0', 2, 'gradnorm: the norm is 5; expected at most 0\n'],
      [three(), 'inf', 0, ''],
      [sick(), '1e300', 2, 'gradnorm: the norm is NaN; expected at most 1e+300\n'],
      [sick(), 'inf', 2, 'gradnorm: the norm is NaN; expected a finite one\n'],
      [infinite(), 'Infinity', 2, 'gradnorm: the norm is Infinity; expected a finite one\n'],
    ])) {
      const result = await gradnorm(file, '--fail-above', limit);
      assert.deepEqual([result.status, result.stderr], [status, line], `${file} ${limit}`);
      assert.match(result.stdout, /^2-norm /);
    }
    assert.equal((await gradnorm(sick())).status, 0, 'without a limit nothing is judged');
  });

  test('--help lists every option, --version says that of the package', async () => {
    const help = await gradnorm('--help');
    assert.equal(help.status, 0);
    for (const option of [
      'p P',
      'per-tensor',
      'top N',
      'max-norm M',
      'fail-above X',
      'json',
      'watch',
      'version',
    ])
      assert.ok(help.stdout.includes(`\n  --${option} `), option);
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    assert.deepEqual(await gradnorm('--version'), { status: 0, stdout: `${version}\n`, stderr: '' });
  });

  /** @type {[string, string[], RegExp][]} */
  const wrong = [
    [
      'no file',
      [],
      /^no file is named; expected at least one \.safetensors, \.npy or \.npz file \(try 'gradnorm --help'\)$/,
    ],
    ['an unknown option', ['x.npy', '--norm', '2'], /^Unknown option '--norm' \(try 'gradnorm --help'\)$/],
    [
      'an option without its value',
      ['x.npy', '--p'],
      /^Option '--p <value>' argument missing \(try 'gradnorm --help'\)$/,
    ],
    ...['0', '-1', 'nan', 'two', '', '2x', '-inf', '0x10', '1 2'].map(
      (text) =>
        /** @type {[string, string[], RegExp]} */ ([
          `--p=${text}`,
          ['x.npy', `--p=${text}`],
          new RegExp(`^--p is '${text}'; expected a number > 0, or inf$`),
        ]),
    ),
    ...['0', '-1', '1.5', 'inf', 'all'].map(
      (text) =>
        /** @type {[string, string[], RegExp]} */ ([
          `--top=${text}`,
          ['x.npy', `--top=${text}`],
          new RegExp(`^--top is '${text}'; expected a whole number > 0$`),
        ]),
    ),
    ['--max-norm=-1', ['x.npy', '--max-norm=-1'], /^--max-norm is '-1'; expected a number >= 0, or inf$/],
    [
      '--fail-above=nan',
      ['x.npy', '--fail-above=nan'],
      /^--fail-above is 'nan'; expected a number >= 0, or inf$/,
    ],
  ];
  for (const [name, args, message] of wrong) {
    test(`${name}: one line and the exit code 1`, async () => {
      const { status, stdout, stderr } = await gradnorm(...args);
      assert.deepEqual([status, stdout], [1, '']);
      assert.match(stderr, /^gradnorm: [^\n]*\n$/);
      assert.match(stderr.slice('gradnorm: '.length, -1), message);
    });
  }
});

test('what reads the output may stop early: no error, no stack', async () => {
  const path = write('closed.npy', npy('<f4', [2], Float32Array.of(3, 4)));
  const child = spawn(process.execPath, [COMMAND, path], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  const [status] = await once(child, 'close');
  assert.deepEqual([status, stderr], [0, '']);
});

describe('memory', () => {
  const MOST_KILOBYTES = 100 * 1024;

  // Where Linux tells it: what the other way says of a process includes its parent at the start.
  const tell = `data:text/javascript,
    import { readFileSync } from 'node:fs';
    import { isMainThread } from 'node:worker_threads';
    if (isMainThread) process.on('exit', () => {
      let kilobytes = process.resourceUsage().maxRSS;
      try {
        kilobytes = /VmHWM:\\s*(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1];
      } catch {}
      console.error(kilobytes);
    });`.replace(/\n */g, ' ');

  /** @param {string} path */
  async function memoryOf(path) {
    const { status, stdout, stderr } = await runNode(['--import', tell, COMMAND, '--json', path]);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^\d+\n$/);
    return { kilobytes: Number(stderr), json: JSON.parse(stdout) };
  }

  test('4 GB in .safetensors take less than 100 MB', async (t) => {
    const bytes = 4e9;
    const header = { w: { dtype: 'F32', shape: [bytes / 4], data_offsets: [0, bytes] } };
    const text = Buffer.from(JSON.stringify(header));
    const path = join(folder, 'sparse.safetensors');
    const file = openSync(path, 'w');
    const opening = Buffer.alloc(8);
    opening.writeBigUInt64LE(BigInt(text.length));
    writeSync(file, Buffer.concat([opening, text]));
    // Nothing is written in between, so that it takes no room on the disk.
    ftruncateSync(file, 8 + text.length + bytes);
    writeSync(file, bytesOf(Float32Array.of(3, 4)), 0, 8, text.length + bytes);
    closeSync(file);
    const { kilobytes, json } = await memoryOf(path);
    assert.deepEqual([json.norm, json.elements, json.zeros], [5, bytes / 4, bytes / 4 - 2]);
    t.diagnostic(`${kilobytes} kB`);
    assert.ok(kilobytes < MOST_KILOBYTES, `${kilobytes} kB`);
  });

  test('200 MB in a deflated .npz take less than 100 MB', async (t) => {
    const data = new Float32Array(5e7);
    data[data.length - 1] = -9;
    const bytes = npy('<f4', [data.length], data);
    const path = write('deflated.npz', zip([{ name: 'w.npy', data: bytes, deflated: true }]));
    const { kilobytes, json } = await memoryOf(path);
    assert.deepEqual([json.norm, json.elements], [9, data.length]);
    t.diagnostic(`${kilobytes} kB`);
    assert.ok(kilobytes < MOST_KILOBYTES, `${kilobytes} kB`);
  });
});

describe('progress', () => {
  /** @param {boolean} isTTY */
  function terminal(isTTY) {
    return {
      isTTY,
      text: '',
      /** @param {string} text */
      write(text) {
        this.text += text;
      },
    };
  }

  test('is drawn on a terminal from half a second on, at most ten times a second, and wiped at the end', () => {
    let now = 1000;
    const stream = terminal(true);
    const progress = new Progress(stream, 4e9, () => now);
    const drawn = () => stream.text.split('\r\x1b[K').length - 1;
    progress.add(1e9);
    now += 499;
    progress.add(0);
    assert.equal(stream.text, '');
    now += 1;
    progress.add(0);
    assert.equal(stream.text, `\r\x1b[K${'█'.repeat(8)}${'░'.repeat(22)} 25 % of 4.00 GB (1.00)`);
    now += 99;
    progress.add(1e9);
    assert.equal(drawn(), 1);
    now += 1;
    progress.add(1e9);
    assert.equal(drawn(), 2);
    assert.match(stream.text, / 75 % of 4\.00 GB \(3\.00\)$/);
    progress.clear();
    assert.match(stream.text, /\r\x1b\[K$/);
    progress.clear();
    assert.equal(drawn(), 3);
  });

  test('is drawn nowhere else', () => {
    let now = 0;
    const stream = terminal(false);
    const progress = new Progress(stream, 100, () => now);
    now += 1e6;
    progress.add(50);
    progress.clear();
    assert.equal(stream.text, '');
  });
});

describe('--watch', () => {
  /** @param {string[]} args */
  function start(...args) {
    const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const errors = createInterface({ input: child.stderr })[Symbol.asyncIterator]();
    return {
      child,
      next: async () => (await lines.next()).value,
      nextError: async () => (await errors.next()).value,
    };
  }

  /**
   * As whoever saves with care: another file, in the place of the old one.
   * @param {string} path
   * @param {Buffer} bytes
   */
  function replace(path, bytes) {
    writeFileSync(`${path}.new`, bytes);
    renameSync(`${path}.new`, path);
  }

  test('a file is measured when it has changed, and is for once as it was before', async () => {
    const states = ['old', 'old', 'a', 'b', 'old', 'a', 'c', 'c', 'd'];
    let pauses = 0;
    await untilChanged(
      () => String(states.shift()),
      'old',
      async () => ++pauses,
    );
    assert.deepEqual([states, pauses], [['d'], 8]);
  });

  test('a file that cannot even be asked has a state, which its contents and another file of its name change', () => {
    const path = write('state.npy', Buffer.from('one'));
    const states = [stateOf([path])];
    assert.equal(stateOf([path]), states[0]);
    writeFileSync(path, 'three');
    states.push(stateOf([path]));
    replace(path, Buffer.from('three'));
    states.push(stateOf([path]), stateOf([join(folder, 'x'.repeat(300))]), stateOf([join(path, 'y'), path]));
    assert.equal(new Set(states).size, 5);
  });

  test('measures again whenever a file is replaced, waits for one that is missing or wrong, and ends with 2 at a norm above the limit', async () => {
    const path = write('watched.npy', npy('<f4', [1], Float32Array.of(1)));
    const { child, next, nextError } = start(path, '--watch', '--json', '--fail-above', '10');
    try {
      const closed = once(child, 'close');
      assert.equal(JSON.parse(await next()).norm, 1);
      replace(path, npy('<f4', [2], Float32Array.of(3, 4)));
      assert.equal(JSON.parse(await next()).norm, 5);
      replace(path, Buffer.from('something else'));
      assert.match(
        await nextError(),
        /^gradnorm: .*watched\.npy begins with "something"; expected a \.safetensors, \.npy or \.npz file$/,
      );
      renameSync(path, `${path}.old`);
      assert.match(await nextError(), /^gradnorm: .*watched\.npy does not exist; expected /);
      replace(path, npy('<f4', [1], Float32Array.of(2)));
      assert.equal(JSON.parse(await next()).norm, 2);
      replace(path, npy('<f4', [1], Float32Array.of(11)));
      assert.equal(JSON.parse(await next()).norm, 11);
      assert.equal(await nextError(), 'gradnorm: the norm is 11; expected at most 10');
      assert.equal((await closed)[0], 2);
    } finally {
      child.kill();
    }
  });
});
