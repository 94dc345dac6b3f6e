// tests/cli-hostile.test.js: the command `gradnorm` on files that are damaged, lie, or are none: one line that names the place,
// what is there and what is expected, the exit code 1, and nothing on standard output.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { withTensorsOf } from '../web/cli/formats.js';
import { measure } from '../web/cli/measure.js';
import { bytesOf, crc32, npy, npyHeader, npyOf, safetensors, safetensorsOf, zip } from './cli-files.js';
import { makeTemporaryFolder, ROOT, runNode } from './support.js';

const COMMAND = join(ROOT, 'dist', 'cli', 'gradnorm.js');
const folder = makeTemporaryFolder();

/**
 * @param {string} path
 * @param {RegExp} message  with FILE in the place of the file's name
 */
async function assertRefused(path, message) {
  const { status, stdout, stderr } = await runNode([COMMAND, path]);
  assert.deepEqual([status, stdout], [1, ''], stderr);
  assert.match(stderr, /^gradnorm: [^\n]*\n$/, 'one line');
  assert.match(stderr.slice('gradnorm: '.length, -1).replaceAll(path, 'FILE'), message);
}

/**
 * @param {string} ending
 * @param {Record<string, [Buffer, RegExp]>} cases
 */
function refuses(ending, cases) {
  for (const [name, [bytes, message]] of Object.entries(cases)) {
    test(`${name}: refused`, async () => {
      const path = join(folder, `hostile${ending}`);
      writeFileSync(path, bytes);
      await assertRefused(path, message);
    });
  }
}

const floats = Float32Array.of(3, 4);
const data = bytesOf(floats);
const right = { dtype: 'F32', shape: [2], data_offsets: [0, 8] };

describe('.safetensors', () => {
  /** @param {Record<string, unknown>} entry */
  const withEntry = (entry) => safetensorsOf({ w: { ...right, ...entry } }, [data]);
  const whole = safetensors({ w: { dtype: 'F32', data: floats } });
  const two = (/** @type {number[]} */ a, /** @type {number[]} */ b, length = 8) =>
    safetensorsOf(
      {
        a: { dtype: 'U8', shape: [a[1] - a[0]], data_offsets: a },
        b: { dtype: 'U8', shape: [b[1] - b[0]], data_offsets: b },
      },
      [Buffer.alloc(length)],
    );
  refuses('.safetensors', {
    'an empty file': [
      Buffer.of(),
      /^FILE is 0 bytes long; expected at least 8, which tell the length of its header$/,
    ],
    'a file of 7 bytes': [whole.subarray(0, 7), /^FILE is 7 bytes long; expected at least 8, /],
    'truncated in the header': [
      whole.subarray(0, 30),
      /^the header of FILE is said to be \d+ bytes long; expected at most the 22 that follow \(is it truncated\?\)$/,
    ],
    'truncated in the elements': [
      whole.subarray(0, -1),
      /^the data_offsets of tensor "w" of FILE are \[0,8\]; expected \[begin, end\] within the 7 bytes after the header \(is it truncated\?\)$/,
    ],
    'a header of 2^64 - 1 bytes': [
      safetensorsOf({ w: right }, [data], 2n ** 64n - 1n),
      /^the header of FILE is said to be 18446744073709551615 bytes long; expected at most the \d+ that follow/,
    ],
    'a header of 2^53 bytes': [
      safetensorsOf({ w: right }, [data], 2n ** 53n),
      /^the header of FILE is said to be 9007199254740992 bytes long; /,
    ],
    'a header that is there, but huge': [
      safetensorsOf(JSON.stringify({ w: right }).padEnd(2 ** 24 + 1), [data]),
      /^the header of FILE is 16777217 bytes long; expected at most 16777216$/,
    ],
    'a header of length 0': [
      safetensorsOf('', [data]),
      /^the header of FILE is no JSON in UTF-8; expected a JSON object with an entry for each tensor$/,
    ],
    'a header that is no JSON': [
      safetensorsOf('{"w": }', [data]),
      /^the header of FILE is no JSON in UTF-8; /,
    ],
    'a header that is too short for its JSON': [
      safetensorsOf({ w: right }, [data], 20n),
      /^the header of FILE is no JSON in UTF-8; /,
    ],
    'a header that is no UTF-8': [
      safetensorsOf(Buffer.from('{"\xff": {}}', 'latin1'), [data]),
      /^the header of FILE is no JSON in UTF-8; /,
    ],
    ...Object.fromEntries(
      ['[]', 'null', '3', '"w"'].map((text) => [
        `a header that is ${text}`,
        [safetensorsOf(text, [data]), /^the header of FILE is (\[\]|null|3|"w"); expected a JSON object /],
      ]),
    ),
    'a header of a million brackets': [
      safetensorsOf(`{"w":${'['.repeat(1e6)}${']'.repeat(1e6)}}`, [data]),
      /^tensor "w" of FILE is an Array; expected an object with dtype, shape and data_offsets$/,
    ],
    ...Object.fromEntries(
      ['null', '[]', '"F32"', '4'].map((text) => [
        `an entry that is ${text}`,
        [
          safetensorsOf(`{"w":${text}}`, [data]),
          /^tensor "w" of FILE is .{1,8}; expected an object with dtype, /,
        ],
      ]),
    ),
    ...Object.fromEntries(
      ['F4', 'F8_E8M0', 'C64', 'f32', 'float32', '', null, 7, ['F32']].map((dtype) => [
        `the dtype ${JSON.stringify(dtype)}`,
        [
          withEntry({ dtype }),
          /^the dtype of tensor "w" of FILE is .{1,10}; expected one of F64, F32, F16, BF16, F8_E4M3, F8_E5M2, I64, I32, I16, I8, U64, U32, U16, U8, BOOL$/,
        ],
      ]),
    ),
    'no dtype': [
      withEntry({ dtype: undefined }),
      /^the dtype of tensor "w" of FILE is missing; expected one of /,
    ],
    ...Object.fromEntries(
      [
        null,
        2,
        '2',
        {},
        [-2],
        [1.5],
        ['2'],
        [null],
        [[2]],
        [2 ** 53],
        [2 ** 30, 2 ** 30],
        [1e308, 1e308],
      ].map((shape) => [
        `the shape ${JSON.stringify(shape)}`,
        [
          withEntry({ shape }),
          /^the shape of tensor "w" of FILE is .{1,30}; expected whole numbers >= 0 whose product is below 2\^53$/,
        ],
      ]),
    ),
    'a shape of other bytes than its offsets': [
      withEntry({ shape: [3] }),
      /^the data_offsets of tensor "w" of FILE span 8 bytes; expected 12, for F32 of shape \[3\]$/,
    ],
    'a shape of no bytes beside offsets of some': [
      withEntry({ shape: [0, 2 ** 52] }),
      /^the data_offsets of tensor "w" of FILE span 8 bytes; expected 0, for F32 of shape \[0,4503599627370496\]$/,
    ],
    ...Object.fromEntries(
      [null, 8, [], [0], [0, 8, 8], ['0', '8'], [8, 0], [-8, 0], [0.5, 8.5], [0, 2 ** 60], [0, 1e400]].map(
        (offsets) => [
          `data_offsets ${JSON.stringify(offsets)}`,
          [
            withEntry({ data_offsets: offsets }),
            /^the data_offsets of tensor "w" of FILE are .{1,30}; expected \[begin, end\] within the 8 bytes after the header/,
          ],
        ],
      ),
    ),
    'tensors that overlap': [
      two([0, 6], [4, 8]),
      /^tensor "b" of FILE overlaps the tensor before it, as it begins at byte 4 after the header; expected byte 6$/,
    ],
    'tensors at the same place': [two([0, 8], [0, 8]), /^tensor "b" of FILE overlaps the tensor before it, /],
    'a gap between tensors': [
      two([0, 3], [4, 8]),
      /^tensor "b" of FILE leaves a gap behind the tensor before it, as it begins at byte 4 after the header; expected byte 3$/,
    ],
    'a gap before the first tensor': [
      safetensorsOf({ w: { ...right, data_offsets: [8, 16] } }, [data, data]),
      /^tensor "w" of FILE leaves a gap /,
    ],
    'two entries of one name': [
      safetensorsOf(
        '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        [data],
      ),
      /^tensor "w" of FILE leaves a gap /,
    ],
    'bytes behind the last tensor': [
      safetensorsOf({ w: right }, [data, data]),
      /^FILE has 16 bytes after its header; expected 8, where its last tensor ends$/,
    ],
    'bytes without any tensor': [
      safetensorsOf({}, [data]),
      /^FILE has 8 bytes after its header; expected 0, where its last tensor ends$/,
    ],
    'an integer that no double holds': [
      safetensors({ w: { dtype: 'I64', data: BigInt64Array.of(1n, -(2n ** 53n) - 1n) } }),
      /^the element of tensor "w" of FILE at index 1 is -9007199254740993; expected an integer below 2\^53 in magnitude, which a double holds exactly$/,
    ],
    'an unsigned integer that no double holds, behind the first chunk': [
      safetensors({ w: { dtype: 'U64', data: new BigUint64Array(200_001).fill(2n ** 64n - 1n, 200_000) } }),
      /^the element of tensor "w" of FILE at index 200000 is 18446744073709551615; expected /,
    ],
    'a name that is no line': [
      safetensorsOf({ ['a\nb\r\x1b[2J\u202e'.padEnd(1e5, 'x')]: 1 }, [data]),
      /^tensor "a\\u\{a\}b\\u\{d\}\\u\{1b\}\[2J\\u\{202e\}x{80,100}…" of FILE is 1; expected /,
    ],
  });
});

describe('.npy', () => {
  const whole = npy('<f4', [2], floats);
  /** @param {string} header */
  const withHeader = (header) => npyOf(header, floats);
  const like =
    /^the header of FILE is ".*; expected the like of \{'descr': '<f4', 'fortran_order': False, 'shape': \(3, 4\), \}$/;
  refuses('.npy', {
    'an empty file': [Buffer.of(), /^FILE is empty; expected a \.safetensors, \.npy or \.npz file$/],
    'another magic string': [
      Buffer.concat([Buffer.from('\x93NUMPX'), whole.subarray(6)]),
      /^FILE begins with .*; expected a \.safetensors, \.npy or \.npz file$/,
    ],
    'truncated in the magic string': [
      whole.subarray(0, 5),
      /^FILE begins with ".*; expected a \.safetensors, /,
    ],
    'truncated before the length of the header': [
      whole.subarray(0, 8),
      /^FILE is 8 bytes long; expected a header \(is it truncated\?\)$/,
    ],
    'truncated in the header': [
      whole.subarray(0, 50),
      /^FILE is 50 bytes long; expected at least 128, where its header ends \(is it truncated\?\)$/,
    ],
    'truncated in the elements': [
      whole.subarray(0, -1),
      /^FILE has 7 bytes after its header; expected 8, for its shape and type \(is it truncated\?\)$/,
    ],
    'without elements': [whole.subarray(0, -8), /^FILE has 0 bytes after its header; expected 8, /],
    'bytes behind the elements': [
      Buffer.concat([whole, whole]),
      /^FILE has 144 bytes after its header; expected 8, for its shape and type$/,
    ],
    'version 0.0': [
      npyOf(npyHeader('<f4', [2]), floats, { version: [0, 0] }),
      /^FILE has version 0\.0 of the \.npy format; expected 1\.0, 2\.0 or 3\.0$/,
    ],
    'version 4.0': [npyOf(npyHeader('<f4', [2]), floats, { version: [4, 0] }), /^FILE has version 4\.0 of /],
    'a header of 4 GB': [
      npyOf(npyHeader('<f4', [2]), floats, { version: [2, 0], length: 2 ** 32 - 1 }),
      /^the header of FILE is 4294967295 bytes long; expected at most 65536$/,
    ],
    'a header that ends too early': [npyOf(npyHeader('<f4', [2]), floats, { length: 20 }), like],
    'a header that is no dict': [withHeader('[1, 2]'), like],
    'a header of nothing': [withHeader(''), like],
    'a header without a shape': [withHeader("{'descr': '<f4', 'fortran_order': False, }"), like],
    'a header with a name too many': [
      withHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1, }"),
      like,
    ],
    'a header with a name twice': [
      withHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'shape': (2,), }"),
      like,
    ],
    'a header with something behind it': [withHeader(`${npyHeader('<f4', [2])} + 1`), like],
    'a header of sixty thousand brackets': [withHeader(`{'shape': ${'('.repeat(6e4)}`), like],
    'a shape with a negative length': [withHeader(npyHeader('<f4', [-2])), like],
    'a shape with a fraction': [withHeader(npyHeader('<f4', [1.5])), like],
    'a shape that is a number': [withHeader("{'descr': '<f4', 'fortran_order': False, 'shape': 2, }"), like],
    'a shape with a hole': [
      withHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (2,,3), }"),
      /^the shape of FILE is \(2,,3\); expected whole numbers >= 0 whose product is below 2\^53$/,
    ],
    'a shape beyond 2^53': [
      withHeader(npyHeader('<f4', [2 ** 30, 2 ** 30])),
      /^the shape of FILE is \(1073741824, 1073741824\); expected whole numbers >= 0 whose product is below 2\^53$/,
    ],
    'a shape of more elements than there are': [
      withHeader(npyHeader('<f4', [2 ** 40])),
      /^FILE has 8 bytes after its header; expected 4398046511104, for its shape and type \(is it truncated\?\)$/,
    ],
    'a record type': [
      withHeader("{'descr': [('a', '<f4'), ('b', '<f4')], 'fortran_order': False, 'shape': (1,), }"),
      like,
    ],
    ...Object.fromEntries(
      ['|O', '<c8', '<c16', '<f16', '<g', '<U4', '|S8', '|V2', '<M8[ns]', 'f4', '', '!f4', '<f', '<F4'].map(
        (descr) => [
          `the type '${descr}'`,
          [
            withHeader(npyHeader(descr, [2])),
            /^the dtype of FILE is '.*'; expected < or > and one of f8, f4, f2, i8, i4, i2, i1, u8, u4, u2, u1, b1$/,
          ],
        ],
      ),
    ),
    'an integer that no double holds': [
      npy('>i8', [3], Buffer.concat([Buffer.alloc(16), Buffer.of(0, 0x20, 0, 0, 0, 0, 0, 1)])),
      /^the element of FILE at index 2 is 9007199254740993; expected an integer below 2\^53 in magnitude/,
    ],
    'an integer that no double holds, in an array by columns': [
      npy('<u8', [2, 2], BigUint64Array.of(0n, 2n ** 60n, 0n, 0n), true),
      /^the element of FILE at index 2 is 1152921504606846976; expected /,
    ],
  });
});

describe('.npz', () => {
  const array = npy('<f4', [2], floats);
  const item = { name: 'w.npy', data: array };
  const whole = zip([item]);
  const deflated = zip([{ ...item, deflated: true }]);
  const changed = (/** @type {Buffer} */ bytes, /** @type {number} */ at) => {
    const copy = Buffer.from(bytes);
    copy[at] ^= 0xff;
    return copy;
  };
  const zeros = npy('<f4', [2 ** 20], new Float32Array(2 ** 20));
  const directoryAt = whole.indexOf('PK\x01\x02');
  /** What deflates to a thousandth: gigabytes of it, from a piece of deflated zeros that is repeated. */
  const bomb = (/** @type {number} */ size) => ({
    ...item,
    deflated: true,
    size,
    packed: deflateRawSync(zeros),
  });
  refuses('.npz', {
    truncated: [
      whole.subarray(0, -1),
      /^FILE has no directory of a zip archive at its end; expected one \(is it truncated\?\)$/,
    ],
    'truncated in the elements': [
      whole.subarray(0, 100),
      /^FILE has no directory of a zip archive at its end; /,
    ],
    'nothing but a magic string': [
      Buffer.from('PK\x03\x04'),
      /^FILE has no directory of a zip archive at its end; /,
    ],
    'a directory behind the end': [
      zip([item], { directoryStart: 1e6 }),
      /^the directory of FILE is \d+ bytes at byte 1000000; expected at most \d+ bytes within the file$/,
    ],
    'a directory that is too long': [
      zip([item], { directoryBytes: 1e6 }),
      /^the directory of FILE is 1000000 bytes at byte /,
    ],
    'a directory that is too short': [
      zip([item], { directoryBytes: 40 }),
      /^FILE has something else in the place of its directory; expected a zip archive that is whole$/,
    ],
    'a directory somewhere else': [
      zip([item], { directoryStart: 7 }),
      /^FILE has something else in the place of its directory; /,
    ],
    'a directory of 16 EB': [
      zip([item], { directoryBytes: 2 ** 63, zip64: true }),
      /^the directory of FILE is 9223372036854776000 bytes at byte /,
    ],
    'more entries than there are': [
      zip([item], { count: 2 }),
      /^the directory of FILE has 1 entries; expected 2, as it says$/,
    ],
    'fewer entries than there are': [
      zip([item, { ...item, name: 'v.npy' }], { count: 1 }),
      /^the directory of FILE has 2 entries; expected 1, /,
    ],
    'an entry that begins somewhere else': [
      zip([{ ...item, start: 5 }]),
      /^FILE has something else in the place of the header of an entry; expected a zip archive that is whole$/,
    ],
    'an entry that begins behind the end': [
      zip([{ ...item, start: 1e6 }]),
      /^entry "w\.npy" of FILE ends behind the end of the file; expected it within \d+ bytes \(is it truncated\?\)$/,
    ],
    'an entry that ends behind the end': [
      zip([{ ...item, size: 1e6, packed: Buffer.alloc(10) }]),
      /^entry "w\.npy" of FILE takes 10 bytes; expected 1000000, its size, as it is not compressed$/,
    ],
    'entries that share their bytes': [
      zip([item, { ...item, name: 'v.npy', start: 0 }]),
      /^entry "w\.npy" of FILE ends at byte \d+; expected at most 0, where the next part of the file begins$/,
    ],
    'entries of one name': [
      zip([item, item]),
      /^FILE has entries of the same name; expected names that differ$/,
    ],
    'an encrypted entry': [
      zip([{ ...item, flags: 1 }]),
      /^entry "w\.npy" of FILE is encrypted; expected plain data$/,
    ],
    ...Object.fromEntries(
      [1, 9, 12, 14, 93, 95].map((method) => [
        `an entry of method ${method}`,
        [
          zip([{ ...item, method }]),
          /^entry "w\.npy" of FILE is compressed by method \d+; expected 0 \(stored\) or 8 \(deflated\)$/,
        ],
      ]),
    ),
    'an entry of another kind': [
      zip([item, { name: 'archive/data.pkl', data }]),
      /^entry "archive\/data\.pkl" of FILE is no \.npy file; expected an archive of these, as numpy\.savez writes it$/,
    ],
    'an entry that is called .npy, but is none': [
      zip([{ name: 'w.npy', data: Buffer.from('something else') }]),
      /^entry "w\.npy" of FILE begins with "someth"; expected "\\x93NUMPY", as \.npy files do$/,
    ],
    'an entry of nothing': [
      zip([{ name: 'w.npy', data: Buffer.of() }]),
      /^entry "w\.npy" of FILE begins with ""; expected /,
    ],
    'an entry that ends in its header': [
      zip([{ name: 'w.npy', data: array.subarray(0, 50) }]),
      /^the header of entry "w\.npy" of FILE is ".*; expected the like of /,
    ],
    'an entry of too few elements': [
      zip([{ name: 'w.npy', data: array.subarray(0, -1) }]),
      /^entry "w\.npy" of FILE has 7 bytes after its header; expected 8, for its shape and type \(is it truncated\?\)$/,
    ],
    'a bit that has turned, in a stored entry': [
      changed(whole, directoryAt - 1),
      /^entry "w\.npy" of FILE has the checksum [0-9a-f]{8}; expected [0-9a-f]{8}: it is damaged$/,
    ],
    'a checksum of something else': [
      zip([{ ...item, deflated: true, checksum: 1 }]),
      /^entry "w\.npy" of FILE has the checksum [0-9a-f]{8}; expected 00000001: it is damaged$/,
    ],
    'something that does not inflate': [
      zip([{ ...item, deflated: true, packed: Buffer.alloc(100, 0xff) }]),
      /^entry "w\.npy" of FILE cannot be inflated \(invalid block type\); expected deflated data: it is damaged$/,
    ],
    'deflated data that end too early': [
      zip([{ ...item, deflated: true, packed: deflateRawSync(array).subarray(0, -4) }]),
      /^entry "w\.npy" of FILE cannot be inflated \(unexpected end of file\); /,
    ],
    'an entry that inflates to more than it says': [
      zip([{ name: 'w.npy', data: array, packed: deflateRawSync(zeros), method: 8 }]),
      /^entry "w\.npy" of FILE inflates to more than 136 bytes; expected its size, as the directory says$/,
    ],
    'an entry that inflates to less than it says': [
      zip([
        {
          name: 'w.npy',
          data: npy('<f4', [4], new Float32Array(4)),
          packed: deflateRawSync(npy('<f4', [4], new Float32Array(3))),
          method: 8,
        },
      ]),
      /^entry "w\.npy" of FILE inflates to 140 bytes; expected 144, as the directory says$/,
    ],
    'a bomb that says what it is': [
      zip([bomb(2 ** 31)]),
      /^FILE would inflate from \d+ bytes to 2147483648; expected at most 100 times as many \(if you trust it, unpack it and measure its \.npy files\)$/,
    ],
    'a bomb of 16 EB': [
      zip([{ ...bomb(0), size: 2n ** 63n, zip64: true }]),
      /^FILE would inflate from \d+ bytes to 9223372036854776000; expected at most 100 times as many /,
    ],
    'a bomb of many entries that each would pass': [
      zip(Array.from({ length: 100 }, (_, i) => ({ ...bomb(2 ** 22 + 128), name: `${i}.npy` }))),
      /^FILE would inflate from \d+ bytes to 419443200; expected at most 100 times as many /,
    ],
    'a bomb that says that it is small': [
      zip([{ ...bomb(2 ** 22 + 128 - 1000), data: zeros }]),
      /^entry "w\.npy" of FILE has \d+ bytes after its header; expected 4194304, for its shape and type/,
    ],
    'a bomb whose directory and header say that it is small': [
      zip([
        {
          name: 'w.npy',
          data: array,
          size: array.length,
          packed: deflateRawSync(Buffer.concat([array, Buffer.alloc(2 ** 24)])),
          method: 8,
        },
      ]),
      /^entry "w\.npy" of FILE inflates to more than 136 bytes; /,
    ],
    'a large bomb whose directory and header say that it is smaller': [
      zip([
        {
          ...item,
          data: zeros,
          method: 8,
          packed: deflateRawSync(Buffer.concat([zeros, Buffer.alloc(2 ** 26)])),
        },
      ]),
      /^entry "w\.npy" of FILE inflates to more than 4194432 bytes; expected its size, as the directory says$/,
    ],
    'a directory that is there, but huge': [
      zip(Array.from({ length: 300 }, (_, i) => ({ ...item, name: `${i}`.padEnd(6e4, 'x') }))),
      /^the directory of FILE is 1\d{7} bytes at byte \d+; expected at most 16777216 bytes within the file$/,
    ],
    'a name that is no line': [
      zip([{ name: 'a\nb\x1b[2J', data }]),
      /^entry "a\\u\{a\}b\\u\{1b\}\[2J" of FILE is no \.npy file; /,
    ],
  });

  test('any byte of an archive may turn: it is measured as before, or refused in one line', async () => {
    // Where nothing depends on it, such as a date, a byte may be any.
    for (let at = 0; at < deflated.length; ++at) {
      const path = join(folder, 'turned.npz');
      writeFileSync(path, changed(deflated, at));
      await assertMeasuredOrRefused(path, 5);
    }
  });
});

test('any byte of a .safetensors header may turn, or the file end anywhere: measured, or refused in one line', async () => {
  const whole = safetensors({ w: { dtype: 'F32', data: floats }, v: { dtype: 'F32', data: floats } });
  const path = join(folder, 'turned.safetensors');
  for (let at = 0; at < whole.length - 16; ++at) {
    const bytes = Buffer.from(whole);
    bytes[at] ^= 1;
    writeFileSync(path, bytes);
    await assertMeasuredOrRefused(path, undefined);
    writeFileSync(path, whole.subarray(0, at));
    await assert.rejects(report(path), isOneLine);
  }
});

test('any byte of a .npy header may turn, or the file end anywhere: measured, or refused in one line', async () => {
  const whole = npy('<f4', [2], floats);
  const path = join(folder, 'turned.npy');
  for (let at = 0; at < whole.length - 8; ++at) {
    const bytes = Buffer.from(whole);
    bytes[at] ^= 1;
    writeFileSync(path, bytes);
    await assertMeasuredOrRefused(path, undefined);
    writeFileSync(path, whole.subarray(0, at));
    await assert.rejects(report(path), isOneLine);
  }
});

/** @param {string} path */
function report(path) {
  return withTensorsOf([path], (tensors) => measure(tensors, 2, () => {}));
}

/** @param {Error} error */
function isOneLine(error) {
  assert.equal(error.constructor.name, 'InputError', error.stack);
  assert.match(error.message, /^[^\n]*$/);
  return true;
}

/**
 * @param {string} path
 * @param {number | undefined} norm
 */
async function assertMeasuredOrRefused(path, norm) {
  try {
    const { norm: measured } = await report(path);
    if (norm !== undefined) assert.equal(measured, norm);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    isOneLine(/** @type {Error} */ (error));
  }
}

describe('what is no file', () => {
  test('a path that does not exist, a directory, a device, a pipe that nobody writes to: refused', async () => {
    await assertRefused(
      join(folder, 'nowhere.npy'),
      /^FILE does not exist; expected a \.safetensors, \.npy or \.npz file$/,
    );
    const directory = join(folder, 'directory.npz');
    mkdirSync(directory);
    await assertRefused(directory, /^FILE is a directory; expected a \.safetensors, \.npy or \.npz file$/);
    await assertRefused(join(directory, 'x', 'y'), /^FILE does not exist; /);
    if (process.platform === 'win32') return;
    await assertRefused(
      '/dev/zero',
      /^FILE is a pipe or a device; expected a \.safetensors, \.npy or \.npz file$/,
    );
    const pipe = join(folder, 'pipe.npy');
    execFileSync('mkfifo', [pipe]);
    await assertRefused(pipe, /^FILE is a pipe or a device; /);
    const file = join(folder, 'file');
    writeFileSync(file, 'x');
    await assertRefused(join(file, 'x.npy'), /^FILE is below something that is no directory; /);
    await assertRefused(join(folder, 'x'.repeat(300)), /^.*… cannot be read \(ENAMETOOLONG: .*\); expected /);
  });

  test('a file that may not be read: refused', async (t) => {
    if (process.platform === 'win32' || process.getuid?.() === 0) {
      t.skip('whoever runs this may read everything');
      return;
    }
    const path = join(folder, 'secret.npy');
    writeFileSync(path, npy('<f4', [2], floats));
    chmodSync(path, 0);
    await assertRefused(path, /^FILE may not be read; expected /);
  });

  test('text, zeros and other formats: refused by their first bytes', async () => {
    for (const bytes of [
      Buffer.from('hello, world'),
      Buffer.alloc(100),
      Buffer.from('\x89HDF\r\n\x1a\n'),
      Buffer.from('GGUF....'),
    ]) {
      const path = join(folder, 'other.bin');
      writeFileSync(path, bytes);
      await assertRefused(path, /^FILE begins with ".*"; expected a \.safetensors, \.npy or \.npz file$/);
    }
  });
});

describe('a file that changes while it is read', () => {
  const large = new Float32Array(3e5).fill(1);
  const files = {
    '.safetensors': safetensors({ w: { dtype: 'F32', data: large } }),
    '.npy': npy('<f4', [large.length], large),
    '.npz': zip([{ name: 'w.npy', data: npy('<f4', [large.length], large) }]),
    '.npz, deflated': zip([
      {
        name: 'w.npy',
        data: npy('<f4', [large.length], Float32Array.from(large, Math.random)),
        deflated: true,
      },
    ]),
  };
  for (const [name, bytes] of Object.entries(files)) {
    /**
     * @param {(path: string) => void} change  after the headers were read
     * @param {RegExp} message
     */
    const assertNoticed = async (change, message) => {
      const path = join(folder, `changing${name.split(',')[0]}`);
      writeFileSync(path, bytes);
      const measured = withTensorsOf([path], (tensors) => {
        change(path);
        return measure(tensors, 2, () => {});
      });
      await assert.rejects(measured, (/** @type {Error} */ error) => {
        isOneLine(error);
        assert.match(error.message.replaceAll(path, 'FILE'), message);
        return true;
      });
    };

    test(`${name}: shrinks`, async () => {
      const expected = `; expected it to keep its ${bytes.length} bytes while it is read$`;
      await assertNoticed(
        (path) => truncateSync(path, 100_000),
        new RegExp(`^FILE ends at byte 100000 now${expected}`),
      );
      await assertNoticed(
        (path) => truncateSync(path, 0),
        new RegExp(`^FILE ends at byte \\d+ now${expected}`),
      );
    });

    test(`${name}: grows, or is written to`, async () => {
      await assertNoticed(
        (path) => appendFileSync(path, 'more'),
        new RegExp(
          `^FILE is ${bytes.length + 4} bytes long now; expected it to keep its ${bytes.length} bytes while it is read$`,
        ),
      );
      await assertNoticed(
        (path) => utimesSync(path, 1, 1),
        new RegExp(
          `^FILE was written to now; expected it to keep its ${bytes.length} bytes while it is read$`,
        ),
      );
    });
  }

  test('all files are closed, whatever becomes of them', async () => {
    const { readdirSync } = await import('node:fs');
    const descriptors = () => (process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0);
    const path = join(folder, 'closed.npy');
    writeFileSync(path, npy('<f4', [2], floats));
    const before = descriptors();
    for (let i = 0; i < 10; ++i) {
      await report(path);
      await assert.rejects(withTensorsOf([path, join(folder, 'nowhere')], async () => {}));
      await assert.rejects(
        withTensorsOf([path], () => Promise.reject(new Error('of the one who measures'))),
        /of the one who measures/,
      );
    }
    assert.equal(descriptors(), before);
  });
});

test('the checksum of the fixtures is that of the standard', () => {
  assert.equal(crc32(Buffer.from('123456789')), 0xcbf43926);
});
