// tests/check-module.test.js: what the build refuses: modules that web/core/embind.js could not load, the real one changed a
// little and others made by hand.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { checkModule, REGISTERED, VALUES, TRIED_COMPILERS } from '../tools/check-module.js';
import { ROOT } from './support.js';

const bytes = readFileSync(join(ROOT, 'dist', 'gradnorm.wasm'));

/**
 * @param {Uint8Array<ArrayBuffer>} module
 * @param {string} difference
 */
function assertRefused(module, difference) {
  assert.throws(() => checkModule(module, '4.0.1'), {
    name: 'Error',
    message: `the module ${difference}; made by Emscripten 4.0.1; tried are 3.1.6 and 3.1.69`,
  });
}

/**
 * The real module with some of its characters changed for as many others.
 * @param {string | RegExp} from  found exactly once
 * @param {string} to
 */
function changed(from, to) {
  const text = bytes.toString('latin1');
  assert.equal(text.split(from).length, 2, `${from} is there ${text.split(from).length - 1} times`);
  const result = Buffer.from(text.replace(from, to), 'latin1');
  assert.equal(result.length, bytes.length);
  return result;
}

const EMPTY = Buffer.from('\0asm\x01\0\0\0', 'latin1');

test('the module that was built is one that web/core/embind.js can load', () => {
  checkModule(bytes, 'any');
});

test('an import that is not known is refused by its module, name and kind', () => {
  assertRefused(
    changed('_embind_register_bool', '_embind_register_bOOl'),
    'imports env._embind_register_bOOl, which web/core/embind.js does not know',
  );
  assertRefused(
    changed('\x03env\x15_embind_register_bool', '\x03enw\x15_embind_register_bool'),
    'imports enw._embind_register_bool, which web/core/embind.js does not know',
  );
  // A section of imports, 15 bytes long, of one: a global that is a constant i32.
  const global = Buffer.concat([EMPTY, Buffer.from('\x02\x0f\x01\x03env\x06offset\x03\x7f\0', 'latin1')]);
  assertRefused(global, 'imports the global env.offset, which web/core/embind.js does not know');
});

test('an import that is relied on is missed', () => {
  assertRefused(
    changed('\x06memory\x02', '\x06Memory\x02'),
    'imports the memory env.Memory, which web/core/embind.js does not know',
  );
  assertRefused(EMPTY, 'does not import env._embind_register_constant, which web/core/embind.js relies on');
});

test('an export that is missing or of another kind is missed', () => {
  assertRefused(
    changed('\x0b_initialize', '\x0b_initialise'),
    'does not export the function _initialize, which web/core/embind.js relies on',
  );
  assertRefused(
    changed('__indirect_function_table', '__indirect_function_tabel'),
    'does not export the table __indirect_function_table, which web/core/embind.js relies on',
  );
});

test('a name that is registered and not known, and one that is not registered, are refused', () => {
  const name = 'interfaceVersion\0';
  assertRefused(
    changed(name, 'interfaceVersiom\0'),
    'registers interfaceVersiom, which web/core/embind.js does not know',
  );
  for (const hidden of ['toString\0', '__proto__\0']) {
    const other = changed(name, hidden.padEnd(name.length, '\0'));
    assertRefused(other, `registers ${hidden.slice(0, -1)}, which web/core/embind.js does not know`);
  }
});

test('a function of another signature is refused', () => {
  assertRefused(
    changed(/d[ip]di\0/, 'difi\0'),
    "calls finish by an invoker 'difi'; web/core/embind.js expects 'didi'",
  );
  assertRefused(
    changed(/v[ip]iiid\0/, 'vijiid\0'),
    "calls rewrite by an invoker 'vijiid'; web/core/embind.js expects 'viiiid'",
  );
});

test('a pointer is an i32, by either letter', () => {
  checkModule(changed(/v[ip]iiid\0/, 'vpiiid\0'), 'any');
});

for (const [name, type, difference] of [
  ['finish', 'dd', "registers finish as 'ddi'; web/core/embind.js expects 'dd'"],
  ['heapBase', 'v', "registers heapBase as 'constant'; web/core/embind.js expects 'v'"],
]) {
  test(`what is expected is what is compared: ${name} as '${type}'`, () => {
    const expected = /** @type {Record<string, string>} */ (REGISTERED);
    const before = expected[name];
    try {
      expected[name] = type;
      assertRefused(bytes, difference);
    } finally {
      expected[name] = before;
    }
  });
}

test('a layout that JavaScript knows otherwise is refused', () => {
  for (const [name, value] of VALUES) {
    try {
      VALUES.set(name, value + 8);
      assertRefused(bytes, `says that ${name} is ${value}; web/core/layout.js says ${value + 8}`);
    } finally {
      VALUES.set(name, value);
    }
  }
});

test('a name that is expected and not registered is missed', () => {
  const expected = /** @type {Record<string, string>} */ (REGISTERED);
  try {
    expected.endOfAll = 'v';
    assertRefused(bytes, 'does not register endOfAll, which web/core/embind.js relies on');
  } finally {
    delete expected.endOfAll;
  }
});

test('what is no WebAssembly is refused', () => {
  assertRefused(Buffer.from('compiled'), 'is not valid WebAssembly');
  assertRefused(bytes.subarray(0, -1), 'is not valid WebAssembly');
});

test('the tried versions are those that the README and CONTRIBUTING.md name', () => {
  for (const file of ['README.md', 'CONTRIBUTING.md']) {
    const named = readFileSync(join(ROOT, file), 'utf8').match(/\b3\.1\.\d+\b|\b4\.\d+\.\d+\b/g) ?? [];
    assert.deepEqual([...new Set(named)], TRIED_COMPILERS, file);
  }
});
