// tests/init.test.js: the loader. Every case is a fresh process: what is loaded cannot be unloaded.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { MODULES } from '../tools/build.js';
import { ROOT, runNode } from './support.js';

const WASM = join(ROOT, 'dist', 'gradnorm.wasm');

/**
 * What every snippet finds: the API, bytes of the module, bytes of others, and instruments.
 *   mine        the bytes of gradnorm.wasm with a custom section, by which a module is known
 *   used        the modules that were instantiated
 *   assertWorks()            gradNorm gives the right answers
 *   assertLoaded(from)       and the one module instantiated was 'mine' or the entry's 'own'
 *   assertRejects(f, name, message)   f throws or rejects with exactly this, and the next attempt works
 */
const PREAMBLE = `
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
const used = [];
const { Instance, instantiate, Module } = WebAssembly;
// Node.js instantiates modules of its own for fetch.
const isGradnorm = (module) => Module.imports(module).some(({ name }) => name.startsWith('_embind'));
WebAssembly.instantiate = (module, imports) => {
  if (module instanceof Module && isGradnorm(module)) used.push(module);
  return instantiate(module, imports);
};
WebAssembly.Instance = class extends Instance {
  constructor(module, imports) {
    used.push(module);
    super(module, imports);
  }
};
const wasm = readFileSync('dist/gradnorm.wasm');
const mine = new Uint8Array([...wasm, 0, 5, 4, ...Buffer.from('mine')]);
const isMine = (module) => Module.customSections(module, 'mine').length === 1;
const emptyModule = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
const { gradNorm, init, initSync } = await import(ENTRY);
assert.equal(used.length, 0);
function assertWorks() {
  assert.equal(gradNorm([Float32Array.of(3), null, Float64Array.of(4)]), 5);
  assert.equal(gradNorm(Float32Array.of(-7, 2), Infinity), 7);
}
function assertLoaded(from) {
  assert.equal(used.length, 1);
  assertWorks();
  assert.equal(used.length, 1);
  assert.equal(isMine(used[0]), from === 'mine');
}
async function assertRejects(load, name, message) {
  const check = (error) => {
    assert.equal(error.name, name);
    if (message instanceof RegExp) assert.match(error.message, message);
    else assert.equal(error.message, message);
    return true;
  };
  await assert.rejects(async () => load(), check);
  await new Promise(setImmediate); // time for an unhandled rejection to show up
  used.length = 0;
}
`;

/**
 * Runs a snippet in a fresh process, which must end well and print nothing at all.
 * @param {string} snippet
 * @param {{ entry?: string, before?: string, flags?: string[] }} [options]
 */
async function runSnippet(snippet, { entry = 'gradnorm', before = '', flags = [] } = {}) {
  const program = `const ENTRY = '${entry}';\n${before}\n${PREAMBLE}\n${snippet}`;
  const { status, stdout, stderr } = await runNode([...flags, '--input-type=module', '-'], {
    input: program,
  });
  assert.equal(stderr, '');
  assert.equal(stdout, '');
  assert.equal(status, 0);
}

/**
 * One test for each snippet, two at a time.
 * @param {string} name
 * @param {Record<string, string>} snippets
 * @param {Parameters<typeof runSnippet>[1]} [options]
 */
function describeSnippets(name, snippets, options) {
  describe(name, { concurrency: 2 }, () => {
    for (const [law, snippet] of Object.entries(snippets)) test(law, () => runSnippet(snippet, options));
  });
}

describeSnippets('without init', {
  'the first call loads, later ones do not': `assertWorks(); assertLoaded('own');`,
  'nothing is loaded for a call that is refused at the door': `
    assert.throws(() => gradNorm('no'));
    assert.throws(() => gradNorm(null, -1));
    assert.equal(used.length, 0);
    assertWorks();
    assertLoaded('own');`,
  'init() before the first call': `
    assert.equal(await init(), undefined);
    assertLoaded('own');`,
  'init() after the first call does nothing': `
    assertWorks();
    WebAssembly.compile = WebAssembly.Module = () => assert.fail('compiled again');
    await init();
    await init(mine);
    initSync(mine);
    assertLoaded('own');`,
  'initSync() before and after the first call': `
    assert.equal(initSync(), undefined);
    assertLoaded('own');
    initSync();
    assertLoaded('own');`,
  'init(undefined) and a promise of undefined are init()': `
    await init(undefined);
    await init(Promise.resolve());
    initSync(undefined);
    assertLoaded('own');`,
  'a call while init() is under way loads synchronously, and only one core stays': `
    const loading = init(mine);
    assertWorks();
    await loading;
    assertLoaded('own');`,
});

const COMPARE = `
    let bytes;
    WebAssembly.Module = class extends Module {
      constructor(source) {
        super(source);
        bytes = source;
      }
    };
    assertWorks();`;

describeSnippets('the bytes in gradnorm.js are those of gradnorm.wasm', {
  'read by Buffer': `${COMPARE} assert.deepEqual([...bytes], [...wasm]);`,
  'read without it': `delete globalThis.Buffer; ${COMPARE} assert.deepEqual([...bytes], [...wasm]);`,
});

describeSnippets('init loads from', {
  'a WebAssembly.Module': `await init(new Module(mine)); assertLoaded('mine');`,
  'an ArrayBuffer': `await init(mine.buffer); assertLoaded('mine');`,
  'a Uint8Array': `await init(mine); assertLoaded('mine');`,
  'a view inside a larger buffer': `
    const larger = new Uint8Array(mine.length + 9);
    larger.set(mine, 5);
    await init(larger.subarray(5, -4));
    assertLoaded('mine');`,
  'a DataView': `await init(new DataView(mine.buffer)); assertLoaded('mine');`,
  'a Node.js Buffer': `await init(Buffer.from(mine)); assertLoaded('mine');`,
  'a Uint8Array on shared memory': `
    const shared = new Uint8Array(new SharedArrayBuffer(mine.length));
    shared.set(mine);
    await init(shared);
    assertLoaded('mine');`,
  'a Response': `
    await init(new Response(mine, { headers: { 'content-type': 'application/wasm' } }));
    assertLoaded('mine');`,
  'a Response of another content type': `
    await init(new Response(mine, { headers: { 'content-type': 'text/plain' } }));
    assertLoaded('mine');`,
  'a promise of a module': `await init(WebAssembly.compile(mine)); assertLoaded('mine');`,
  'a promise of bytes': `await init(Promise.resolve(mine)); assertLoaded('mine');`,
  'a promise of a Response': `await init(Promise.resolve(new Response(mine))); assertLoaded('mine');`,
  'modules and bytes of another realm': `
    const { createContext, runInContext } = await import('node:vm');
    const context = createContext({ mine: [...mine] });
    await init(runInContext('Uint8Array.from(mine).buffer', context));
    assertLoaded('mine');`,
  'several sources at once: one core stays': `
    await Promise.all([init(mine), init(mine), init(new Response(mine))]);
    assert.ok(used.length >= 1 && used.every(isMine));
    assertWorks();
    used.length = 0;
    assertWorks();
    assert.equal(used.length, 0);`,
  'init() many times at once': `
    await Promise.all(Array.from({ length: 20 }, () => init()));
    assertWorks();
    assert.equal(used.length, 1);`,
});

describeSnippets('initSync loads from', {
  'a WebAssembly.Module': `initSync(new Module(mine)); assertLoaded('mine');`,
  'an ArrayBuffer': `initSync(mine.buffer); assertLoaded('mine');`,
  'a Uint8Array and a Node.js Buffer': `
    initSync(mine);
    initSync(Buffer.from(mine));
    assertLoaded('mine');`,
});

describe('init loads over HTTP and from disk', () => {
  const files = { '/gradnorm.wasm': readFileSync(WASM), '/index.html': Buffer.from('<!doctype html>') };
  const server = createServer((request, response) => {
    const body = /** @type {Record<string, Buffer>} */ (files)[request.url ?? ''];
    response.writeHead(body === undefined ? 404 : 200, { connection: 'close' }).end(body);
  });
  let origin = '';
  before(async () => {
    await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(null)));
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    origin = `http://127.0.0.1:${port}`;
  });
  after(() => server.close());

  for (const [form, code] of [
    ['a string', 'ORIGIN + "/gradnorm.wasm"'],
    ['a URL', 'new URL("/gradnorm.wasm", ORIGIN)'],
    ['a fetch', 'fetch(ORIGIN + "/gradnorm.wasm")'],
  ]) {
    test(`an http: URL as ${form}`, () =>
      runSnippet(`const ORIGIN = '${origin}'; await init(${code}); assertLoaded('own');`));
  }

  for (const [form, code] of [
    ['a string', `'${pathToFileURL(WASM)}'`],
    ['a URL', `new URL('${pathToFileURL(WASM)}')`],
    ['a promise of a URL', `Promise.resolve(new URL('${pathToFileURL(WASM)}'))`],
  ]) {
    test(`a file: URL as ${form}`, () => runSnippet(`await init(${code}); assertLoaded('own');`));
  }

  test('a failed HTTP load names what failed, and can be retried', () =>
    runSnippet(`
      const origin = '${origin}';
      await assertRejects(() => init(origin + '/no'), 'Error', 'gradnorm: ' + origin + '/no has status 404');
      await assertRejects(() => init(new URL('/no', origin)), 'Error',
        'gradnorm: ' + origin + '/no has status 404');
      await assertRejects(() => init(fetch(origin + '/no')), 'Error',
        'gradnorm: ' + origin + '/no has status 404');
      await assertRejects(() => init(origin + '/index.html'), 'Error',
        'gradnorm: these bytes are not WebAssembly (a page from a wrong URL?)');
      await assertRejects(() => init('http://127.0.0.1:1/'), 'Error',
        /^gradnorm: cannot fetch http:\\/\\/127\\.0\\.0\\.1:1\\/: ./);
      await assertRejects(() => init('gradnorm.wasm'), 'Error', /^gradnorm: cannot fetch gradnorm\\.wasm: /);
      await assertRejects(() => init('file:///no/such/gradnorm.wasm'), 'Error',
        /^gradnorm: cannot read file:\\/\\/\\/no\\/such\\/gradnorm\\.wasm: ./);
      await init(origin + '/gradnorm.wasm');
      assertLoaded('own');`));
});

const EXPECTED = 'expected a WebAssembly.Module or its bytes, a Response, a URL or a string';
const EXPECTED_SYNC = 'expected a WebAssembly.Module or its bytes';

/** Expressions of no kind of source, with the words for them. */
const NO_SOURCES = [
  ['42', '42 (a number)'],
  ['{}', 'an object'],
  ['null', 'null'],
  ['[0, 97, 115, 109]', 'an Array'],
  ['true', 'true (a boolean)'],
  ['() => mine', 'a function'],
  ['new Instance(new Module(emptyModule))', 'an Instance'],
  ['new Blob([mine])', 'a Blob'],
];

const doesNotCompile = '/^gradnorm: the WebAssembly module does not compile: CompileError: ';
const isNotThisVersion = '/^gradnorm: this is not the WebAssembly module of this version$/';
const isNotWasm = '/^gradnorm: these bytes are not WebAssembly /';

/** Sources of the right kind that are wrong inside, as bytes. */
const WRONG_BYTES = [
  ['no bytes', 'new Uint8Array(0)', isNotWasm],
  ['garbage bytes', 'Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)', isNotWasm],
  ['a truncated module', 'mine.subarray(0, 9999)', `${doesNotCompile}./`],
  ['an empty module', 'emptyModule', isNotThisVersion],
  ['a module that imports something else', 'foreign', isNotThisVersion],
  ['a module with a memory alone', 'memoryAlone', isNotThisVersion],
  ['a module whose start function traps', 'trap', isNotThisVersion],
  ['a module with the same imports and exports that binds nothing', 'hollow', isNotThisVersion],
];

/** Modules that compile and are not ours, assembled by hand. */
const FOREIGN_MODULES = `
const leb = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >> 7)]);
const section = (id, ...items) => {
  const body = [...leb(items.length), ...items.flat()];
  return [id, ...leb(body.length), ...body];
};
const name = (text) => [...leb(text.length), ...Buffer.from(text)];
const assemble = (...sections) => Uint8Array.from([...emptyModule, ...sections.flat()]);
const type = section(1, [0x60, 0, 0]); // () -> ()
const foreign = assemble(type, section(2, [...name('env'), ...name('f'), 0, 0]));
const memoryAlone = assemble(section(5, [0, 1]), section(7, [...name('n'), 2, 0]));
const trap = assemble(type, section(3, [0]), [8, 1, 0], section(10, [3, 0, 0, 0x0b])); // unreachable
const exports = Module.exports(new Module(wasm));
const index = { function: [0, 0], table: [1, 0], memory: [2, 0] };
const hollow = assemble(type, section(3, [0]), section(4, [0x70, 0, 9]), section(5, [0, 8]),
  section(7, ...exports.map((item) => [...name(item.name), ...index[item.kind]])),
  section(10, [2, 0, 0x0b]));
`;

describeSnippets('sources of no known kind are a TypeError, and the next call works', {
  'for init': NO_SOURCES.map(
    ([code, got]) => `
      await assertRejects(() => init(${code}), 'TypeError',
        'the source given to init is ${got}; ${EXPECTED}');
      await assertRejects(() => init(Promise.resolve(${code})), 'TypeError',
        'the source given to init is ${got}; ${EXPECTED}');`,
  ).join('\n'),
  'for initSync': NO_SOURCES.map(
    ([code, got]) => `
      await assertRejects(() => initSync(${code}), 'TypeError',
        'the source given to initSync is ${got}; ${EXPECTED_SYNC}');`,
  ).join('\n'),
  'initSync takes no promise, Response, URL or string': `
    for (const [source, got] of [
      [init(), 'a Promise (await it first)'],
      [new Response(mine), 'a Response'],
      [new URL('file:///x'), 'a URL'],
      ['file:///x', '"file:///x" (a string)'],
    ]) {
      await assertRejects(() => initSync(source), 'TypeError',
        'the source given to initSync is ' + got + '; ${EXPECTED_SYNC}');
    }`,
  'also when a module is loaded already': `
    assertWorks();
    await assertRejects(() => init(42), 'TypeError',
      'the source given to init is 42 (a number); ${EXPECTED}');
    await assertRejects(() => initSync('x'), 'TypeError',
      'the source given to initSync is "x" (a string); ${EXPECTED_SYNC}');
    assertWorks();`,
  'and then the entry loads its own': `
    await assertRejects(() => init(42), 'TypeError',
      'the source given to init is 42 (a number); ${EXPECTED}');
    assertWorks();
    assertLoaded('own');`,
  'a SharedArrayBuffer either, where the engine compiles none': `
    const shared = new SharedArrayBuffer(mine.length);
    new Uint8Array(shared).set(mine);
    let loaded = false;
    await init(shared).then(() => { loaded = true; }, (error) => {
      assert.equal(error.message, 'the source given to init is a SharedArrayBuffer; ${EXPECTED}');
    });
    assertWorks();
    assert.equal(isMine(used.at(-1)), loaded);`,
});

for (const [what, code, message] of WRONG_BYTES) {
  describeSnippets(`${what}: refused in every form, without a print, and a retry works`, {
    'by init': `${FOREIGN_MODULES}
      const wrong = ${code};
      await assertRejects(() => init(wrong), 'Error', ${message});
      await assertRejects(() => init(wrong.slice().buffer), 'Error', ${message});
      await assertRejects(() => init(new Response(wrong)), 'Error', ${message});
      await assertRejects(() => init(Promise.resolve(wrong)), 'Error', ${message});
      await init(mine);
      assertLoaded('mine');`,
    'by initSync': `${FOREIGN_MODULES}
      const wrong = ${code};
      await assertRejects(() => initSync(wrong), 'Error', ${message});
      await assertRejects(() => initSync(wrong), 'Error', ${message});
      initSync(mine);
      assertLoaded('mine');`,
    'then the entry loads its own': `${FOREIGN_MODULES}
      const wrong = ${code};
      await assertRejects(() => init(wrong), 'Error', ${message});
      assertWorks();
      assertLoaded('own');`,
  });
}

describeSnippets('failures', {
  'carry their cause': `
    const error = await init(new Uint8Array(8)).catch((error) => error);
    assert.ok(error.cause instanceof WebAssembly.CompileError);
    const other = await init(emptyModule).catch((error) => error);
    assert.ok(other.cause instanceof Error);`,
  'a rejected promise comes through unchanged': `
    const mistake = new Error('mine');
    await assert.rejects(init(Promise.reject(mistake)), (error) => error === mistake);
    assertWorks();`,
  'a Response that is not ok has its status in the message': `
    await assertRejects(() => init(new Response('', { status: 404 })), 'Error',
      'gradnorm: the Response has status 404');
    await assertRejects(() => init(new Response('', { status: 503 })), 'Error',
      'gradnorm: the Response has status 503');
    await init(new Response(mine));
    assertLoaded('mine');`,
  'a Response whose body was read before': `
    const response = new Response(mine);
    await response.arrayBuffer();
    await assertRejects(() => init(response), 'TypeError', /Body/);
    await init(mine);
    assertLoaded('mine');`,
  'an engine that refuses once: the second call works': `
    const { compile } = WebAssembly;
    const refuse = function () { throw new WebAssembly.CompileError('not today'); };
    const message = 'gradnorm: the WebAssembly module does not compile: CompileError: not today';
    WebAssembly.Module = refuse;
    WebAssembly.compile = async () => refuse();
    await assertRejects(() => gradNorm(null), 'Error', message);
    await assertRejects(() => initSync(), 'Error', message);
    await assertRejects(() => init(), 'Error', message);
    WebAssembly.Module = Module;
    WebAssembly.compile = compile;
    assertWorks();
    assertLoaded('own');`,
  'one of several at once fails: the others load': `
    const results = await Promise.allSettled([init(emptyModule), init(mine), init(new Uint8Array(3))]);
    assert.deepEqual(results.map(({ status }) => status), ['rejected', 'fulfilled', 'rejected']);
    assertWorks();`,
});

/** The main thread of Chromium before 115, whose own words these are. */
const LIMIT_OF_4_KB = `
const refuse = (what, instead) => {
  throw new RangeError('WebAssembly.' + what + ' is disallowed on the main thread, if the buffer size is larger than ' +
    '4KB. Use WebAssembly.' + instead);
};
WebAssembly.Module = class extends Module {
  constructor(bytes) {
    if (bytes.byteLength > 4096) refuse('Compile', 'compile, or compile on a worker thread.');
    super(bytes);
  }
};
WebAssembly.Instance = function (module, imports) {
  refuse('Instance', 'instantiate.');
};
const initFirst =
  'gradnorm: no synchronous WebAssembly here (Chrome before 115); expected \`await init()\` first';
const works = () => assert.deepEqual([gradNorm(Float32Array.of(3, 4)), used.length], [5, 1]);
`;

for (const entry of ['gradnorm', 'gradnorm/slim']) {
  describeSnippets(
    `${entry} where modules above 4 kB load only asynchronously, as in Chromium before 115`,
    {
      'the first call and initSync ask for init, of bytes and of a module; init works after them': `${LIMIT_OF_4_KB}
        await assertRejects(() => gradNorm(null), 'Error', initFirst);
        await assertRejects(() => initSync(), 'Error', initFirst);
        await assertRejects(() => initSync(mine), 'Error', initFirst);
        const module = await WebAssembly.compile(mine);
        await assertRejects(() => initSync(module), 'Error', initFirst);
        await init();
        works();
        initSync(module);
        works();`,
      'init() alone': `${LIMIT_OF_4_KB} await init(); works();`,
      'init of bytes': `${LIMIT_OF_4_KB} await init(mine); works(); assert.ok(isMine(used[0]));`,
      'init of a Response': `${LIMIT_OF_4_KB} await init(Promise.resolve(new Response(mine))); works();`,
      'init of a file: URL': `${LIMIT_OF_4_KB} await init('${pathToFileURL(WASM)}'); works();`,
      'init of a module': `${LIMIT_OF_4_KB} await init(WebAssembly.compile(mine)); works(); assert.ok(isMine(used[0]));`,
      'a wrong module is still called wrong': `${LIMIT_OF_4_KB}
        await assertRejects(() => init(emptyModule), 'Error', ${isNotThisVersion});
        await init();
        works();`,
    },
    { entry },
  );
}

const NO_WEBASSEMBLY = 'gradnorm: no WebAssembly here; expected an engine without --jitless or Lockdown Mode';
const NO_SIMD = 'gradnorm: no WebAssembly SIMD here; expected a newer engine or processor';
const NO_MEMORY = 'gradnorm: no memory for WebAssembly here; expected 1 MB';
const NO_CODE_FROM_BYTES =
  'gradnorm: no WebAssembly from bytes here; expected initSync of the module gradnorm/gradnorm.wasm';
const NO_WASM_BY_POLICY = "gradnorm: the Content Security Policy lacks script-src 'wasm-unsafe-eval'";

/** What policies say, in the words of the engines. */
const POLICIES = [
  // Chromium 110 and 156.
  "CompileError: WebAssembly.compile(): Refused to compile or instantiate WebAssembly module because 'unsafe-eval' is not an allowed source of script in the following Content Security Policy directive: \"script-src 'self'\"",
  "CompileError: WebAssembly.Module(): Compiling or instantiating WebAssembly module violates the following Content Security policy directive because neither 'wasm-eval' nor 'unsafe-eval' is an allowed source of script in the following Content Security Policy directive: \"script-src 'self'\"",
  // Firefox and Safari.
  'CompileError: call to WebAssembly.Module() blocked by CSP',
  "EvalError: Refused to create a WebAssembly object because 'unsafe-eval' or 'wasm-unsafe-eval' is not an allowed source of script in the following Content Security Policy directive: \"script-src 'self'\"",
];

/** @param {string} message  of every way to load */
const everyWayFails = (message) => `
  for (const load of [() => gradNorm(null), () => initSync(), () => init(), () => initSync(wasm), () => init(wasm)]) {
    await assert.rejects(async () => load(), (error) => {
      assert.equal(error.message, ${JSON.stringify(message)});
      assert.equal(error.name, 'Error');
      assert.ok(error.cause instanceof Error);
      return true;
    });
  }`;

describe('each failure says its own cause and cure', { concurrency: 2 }, () => {
  /** @param {string} snippet  which prints what it could not throw */
  const runBare = async (snippet, /** @type {string[]} */ flags = []) => {
    const program = `
      import assert from 'node:assert/strict';
      import { readFileSync } from 'node:fs';
      const wasm = readFileSync('dist/gradnorm.wasm');
      const { gradNorm, init, initSync } = await import('gradnorm');
      ${snippet}`;
    const { status, stderr } = await runNode([...flags, '--input-type=module', '-'], { input: program });
    assert.equal(status, 0, stderr);
  };

  test('no WebAssembly at all: an engine without a JIT compiler', () =>
    runBare(
      `assert.equal(globalThis.WebAssembly, undefined); ${everyWayFails(NO_WEBASSEMBLY)}
      await assert.rejects(init(42), { name: 'TypeError' });`,
      ['--jitless'],
    ));

  test('no WebAssembly at all: another thing by its name', async () => {
    for (const value of ['undefined', '{}', "'WebAssembly'", 'class WebAssembly {}']) {
      await runBare(`globalThis.WebAssembly = ${value}; ${everyWayFails(NO_WEBASSEMBLY)}`);
    }
  });

  test('no SIMD: a processor without SSE 4.1', async (t) => {
    if (process.arch !== 'x64') return t.skip('only x86 processors have a switch for it');
    await runBare(everyWayFails(NO_SIMD), ['--no-enable-sse4-1']);
  });

  test('no SIMD: an engine that does not know it', () =>
    runBare(`
      const no = function () { throw new WebAssembly.CompileError('invalid value type 0x7b @+37'); };
      Object.assign(WebAssembly, { Module: no, compile: async () => no(), validate: () => false });
      ${everyWayFails(NO_SIMD)}`));

  test('no memory', () => runBare(everyWayFails(NO_MEMORY), ['--wasm-max-mem-pages=4']));

  test('a host that compiles no bytes, as Cloudflare Workers: a module made elsewhere works', () =>
    runBare(
      `const { createContext, SourceTextModule } = await import('node:vm');
      const context = createContext({}, { codeGeneration: { wasm: false, strings: false } });
      const entry = new SourceTextModule(readFileSync('dist/gradnorm.js', 'utf8'), { context });
      await entry.link(() => assert.fail('it imports something'));
      await entry.evaluate();
      const there = entry.namespace;
      for (const load of [
        () => there.gradNorm(null), () => there.initSync(), () => there.init(), () => there.initSync(wasm),
      ]) await assert.rejects(async () => load(), { message: ${JSON.stringify(NO_CODE_FROM_BYTES)} });
      there.initSync(new WebAssembly.Module(wasm));
      assert.equal(there.gradNorm([Float32Array.of(3), Float64Array.of(4)]), 5);`,
      ['--experimental-vm-modules', '--no-warnings'],
    ));

  POLICIES.forEach((words) =>
    test(`a Content Security Policy: ${words.slice(0, 70)}…`, () => {
      const [name, ...message] = words.split(': ');
      return runBare(`
        const no = function () {
          throw Object.assign(new Error(${JSON.stringify(message.join(': '))}), { name: '${name}' });
        };
        Object.assign(WebAssembly, { Module: no, compile: async () => no() });
        ${everyWayFails(NO_WASM_BY_POLICY)}`);
    }),
  );

  test('a module of another version whose import is a memory lacks no memory', () =>
    runBare(`
      const name = (text) => [text.length, ...Buffer.from(text)];
      const wants = Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, 2, 15, 1, ...name('env'), ...name('memory'), 2, 0, 1]);
      assert.ok(WebAssembly.validate(wants));
      await assert.rejects(init(wants), { message: 'gradnorm: this is not the WebAssembly module of this version' });
      assert.throws(() => initSync(wants), { message: 'gradnorm: this is not the WebAssembly module of this version' });`));
});

/** What pages, test environments and polyfills leave under the names of globals. */
const FOREIGN = [
  ...['{}', '[]', '1', 'null', 'class {}', 'class extends Uint8Array {}', 'Array', 'Uint8Array', '() => 3'],
  ...['{ from: 1 }', '{ from: () => 3 }', '{ from: () => [] }', '{ from() { throw new Error("foreign"); } }'],
];
const FOREIGN_PROCESSES = [
  ...[
    '{}',
    '[]',
    '1',
    'null',
    'class {}',
    '() => 3',
    '{ getBuiltinModule: 1 }',
    '{ getBuiltinModule: () => ({}) }',
  ],
  ...['{ getBuiltinModule: () => undefined }', '{ getBuiltinModule() { throw new Error("foreign"); } }'],
  ...['{ browser: true, env: {}, versions: {} }', '{ versions: { node: "20.20.0" } }'],
];

describe('a foreign global breaks nothing', { concurrency: 2 }, () => {
  /** @param {string} snippet */
  const inPlaceOf = (snippet) =>
    runSnippet(`
      const keep = { Buffer, process, URL };
      ${snippet}
      Object.assign(globalThis, keep);`);

  for (const value of FOREIGN) {
    test(`Buffer = ${value}`, () =>
      inPlaceOf(`globalThis.Buffer = ${value}; assertWorks(); assertLoaded('own');`));
  }
  for (const value of FOREIGN_PROCESSES) {
    test(`process = ${value}`, () =>
      inPlaceOf(`
        globalThis.process = ${value};
        assertWorks();
        assertLoaded('own');
        delete globalThis.Buffer;
        await assert.doesNotReject(init());`));
    test(`process = ${value}: slim asks for init, which works`, () =>
      runSnippet(
        `const { process } = globalThis;
        globalThis.process = ${value};
        await assertRejects(() => gradNorm(null), 'Error',
          'gradnorm/slim is not loaded; expected \`await init()\` before this call');
        await init(mine);
        assertLoaded('mine');
        globalThis.process = process;`,
        { entry: 'gradnorm/slim' },
      ));
  }

  test('URL is of a polyfill: a file: URL is read all the same', () =>
    inPlaceOf(`
      const url = '${pathToFileURL(WASM)}';
      globalThis.URL = class { constructor(href) { this.href = String(href); } toString() { return this.href; } };
      await init(url);
      assertLoaded('own');`));

  test('the Response of a polyfill, which does not say what it is', () =>
    runSnippet(`
      const response = { ok: true, status: 200, url: '', arrayBuffer: async () => mine.buffer };
      await assertRejects(() => init({ ...response, ok: false, status: 404 }), 'Error',
        'gradnorm: the Response has status 404');
      await init(Promise.resolve(response));
      assertLoaded('mine');`));

  for (const value of ['undefined', '{}', 'document', '() => { throw new TypeError("no network"); }']) {
    test(`fetch = ${value}: init of a URL fails with its name, and init() works`, () =>
      runSnippet(`
        const document = [];
        globalThis.fetch = ${value};
        await assertRejects(() => init('https://example.com/gradnorm.wasm'), 'Error',
          /^gradnorm: cannot fetch https:\\/\\/example\\.com\\/gradnorm\\.wasm: /);
        await init();
        assertLoaded('own');`));
  }
});

describeSnippets(
  'gradnorm/slim in Node.js',
  {
    'works without init': `assertWorks(); assertLoaded('own');`,
    'works with init()': `await init(); assertLoaded('own');`,
    'works with initSync()': `initSync(); assertLoaded('own');`,
    'works with init of bytes, a module and a Response': `
      await Promise.all([init(mine), init(new Module(mine)), init(new Response(mine))]);
      assertWorks();
      assert.ok(used.every(isMine));`,
    'a failed load can be retried': `
      await assertRejects(() => init(emptyModule), 'Error', ${isNotThisVersion});
      assertWorks();
      assertLoaded('own');`,
    'has the same API as the default entry': `
      assert.deepEqual(Object.keys(await import('gradnorm/slim')), Object.keys(await import('gradnorm')));`,
  },
  { entry: 'gradnorm/slim' },
);

describeSnippets(
  'gradnorm/slim where there is no process',
  {
    'asks for init, and works after it': `
      const message = 'gradnorm/slim is not loaded; expected \`await init()\` before this call';
      await assertRejects(() => gradNorm(null), 'Error', message);
      await assertRejects(() => initSync(), 'Error', message);
      await assertRejects(() => init(), 'Error', /^gradnorm: cannot fetch file:.*: fetch failed$/);
      await init(mine);
      assertLoaded('mine');
      globalThis.process = saved;`,
    'works after initSync of bytes': `
      initSync(mine);
      assertLoaded('mine');
      globalThis.process = saved;`,
  },
  { entry: 'gradnorm/slim', before: 'const saved = globalThis.process;\ndelete globalThis.process;' },
);

describeSnippets(
  'gradnorm where there is no process',
  {
    'works without init': `assertWorks(); assertLoaded('own'); globalThis.process = saved;`,
    'leaves file: URLs to fetch': `
      await assertRejects(() => init('file:///gradnorm.wasm'), 'Error',
        'gradnorm: cannot fetch file:///gradnorm.wasm: fetch failed');
      await init();
      assertLoaded('own');
      globalThis.process = saved;`,
  },
  { before: 'const saved = globalThis.process;\ndelete globalThis.process;' },
);

for (const entry of ['gradnorm', 'gradnorm/slim']) {
  describeSnippets(
    `${entry} where code from strings is forbidden, as by the policy script-src 'wasm-unsafe-eval'`,
    {
      'works without init and with it': `
        assert.throws(() => new Function('return 1'), EvalError);
        assertWorks();
        await init();
        assertLoaded('own');`,
      'works with init of bytes': `await init(mine); assertLoaded('mine');`,
    },
    { entry, flags: ['--disallow-code-generation-from-strings'] },
  );
}

test('dist/*.js makes no code from strings', () => {
  for (const name of ['gradnorm.js', ...MODULES]) {
    const text = readFileSync(join(ROOT, 'dist', name), 'utf8');
    assert.doesNotMatch(text, /\beval\s*\(|\bFunction\s*\(|\bimport\s*\(\s*['"`]?data:/);
  }
});

test('in a worker thread: with its own core, and with a module from the main thread', async () => {
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    import('gradnorm').then(async ({ gradNorm, init }) => {
      if (workerData !== null) await init(workerData);
      const shared = new Float32Array(new SharedArrayBuffer(8)).fill(3);
      parentPort.postMessage([gradNorm(shared, 1), gradNorm([Float32Array.of(3), Float64Array.of(4)])]);
    });`;
  const module = await WebAssembly.compile(readFileSync(WASM));
  for (const workerData of [null, module]) {
    const worker = new Worker(program, { eval: true, workerData });
    const answer = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
    assert.deepEqual(answer, [6, 5]);
    await worker.terminate();
  }
});

describeSnippets('what init and initSync are given is read as it is', {
  'bytes in shared memory, and a view of part of them, which some engines refuse to compile': `
    const { Module: Compiler, compile } = WebAssembly;
    const refuse = (bytes) => {
      if (!(bytes.buffer instanceof ArrayBuffer)) throw new TypeError('shared');
      if (!(bytes instanceof Uint8Array)) throw new TypeError('no bytes');
    };
    WebAssembly.Module = class extends Compiler {
      constructor(bytes) { refuse(bytes); super(bytes); }
    };
    const shared = new Uint8Array(new SharedArrayBuffer(mine.length + 8));
    shared.set(mine, 8);
    initSync(new DataView(shared.buffer, 8));
    assertLoaded('mine');`,
  'bytes in shared memory by init, which compiles a copy of them': `
    const { compile } = WebAssembly;
    WebAssembly.compile = (bytes) => {
      if (!(bytes.buffer instanceof ArrayBuffer)) throw new TypeError('shared');
      return compile(bytes);
    };
    const shared = new Uint8Array(new SharedArrayBuffer(mine.length));
    shared.set(mine);
    await init(shared);
    assertLoaded('mine');`,
  'bytes that begin like WebAssembly and go on otherwise are not WebAssembly': `
    for (const [place, wrong] of [[0, 1], [1, 0x60], [2, 0], [3, 0x6e]]) {
      const bytes = mine.slice();
      bytes[place] = wrong;
      for (const load of [init, initSync]) {
        await assertRejects(() => load(bytes), 'Error', /are not WebAssembly/);
      }
    }
    await init(mine);
    assertLoaded('mine');`,
  'a relative URL that only begins like file: is fetched, not read from disk': `
    await assertRejects(() => init('filed/gradnorm.wasm'), 'Error', /cannot fetch filed/);
    await assertRejects(() => init('./file:/gradnorm.wasm'), 'Error', /cannot fetch/);
    await init(mine);
    assertLoaded('mine');`,
});
