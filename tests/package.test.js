// tests/package.test.js: what npm publishes: packed, installed into an empty project and used from there.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { join, relative, sep } from 'node:path';
import { before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompressSync } from 'node:zlib';
import { build } from 'esbuild';
import { MODULES, readStamp } from '../tools/build.js';
import { runNpm } from '../tools/steps.js';
import { makeTemporaryFolder, ROOT, runNode } from './support.js';

/** The budgets are those of a module that this version of Emscripten made; that of another may be a tenth larger. */
const STATED_COMPILER = '3.1.6';
const compiler = readStamp()?.compiler ?? STATED_COMPILER;
const budget = (/** @type {number} */ bytes, version = compiler) =>
  version === STATED_COMPILER ? bytes : Math.round(1.1 * bytes);
/** Minified and with Brotli, the module's bytes included: of what is imported from where. */
const MAX_BROTLI_BYTES = [
  ['gradNorm', 'gradnorm', budget(14_100)],
  ['gradNorm, clipGradNorm', 'gradnorm', budget(17_300)],
  ['*', 'gradnorm', budget(23_450)],
];
const MAX_GPU_BROTLI_BYTES = 15_900;
const MAX_WASM_BYTES = budget(24_000);

/** The modules of web/ without types of their own: programs, the contract, and the entries, whose types are those of web/api.js. */
const UNTYPED = /^(cli\/|demo\/|examples\/|core\/source-url\.js|home\.js$|index\.js$|slim\.js$)/;

/** The entries that are not the default one. */
const OTHER_ENTRIES = ['slim', 'webgpu', 'jax', 'tfjs'];

/** Of the adapters; nobody has to install one. */
const PEERS = ['@jax-js/jax', '@tensorflow/tfjs-core'];

/** What a browser may load. */
const BROWSER_MODULES = ['gradnorm.js', ...MODULES.filter((file) => !file.startsWith('cli/'))];

/** Everything in the tarball: modules, their WebAssembly, the declarations of web/, and the papers, with the pages of docs/. */
const FILES = [
  ...['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'],
  ...filesIn(join(ROOT, 'docs')).map((page) => `docs/${page}`),
  ...OTHER_ENTRIES.map((entry) => `${entry}/package.json`),
  ...['gradnorm.js', 'gradnorm.wasm', ...MODULES].map((file) => `dist/${file}`),
  ...filesIn(join(ROOT, 'web'))
    .filter((path) => path.endsWith('.js') && !UNTYPED.test(path))
    .map((path) => `dist/types/web/${path.replace('.js', '.d.ts')}`),
].sort();

const project = join(realpathSync(makeTemporaryFolder()), 'project');
const installed = join(project, 'node_modules', 'gradnorm');

before(() => {
  const packed = realpathSync(makeTemporaryFolder());
  runNpm(['pack', '--ignore-scripts', '--pack-destination', packed]);
  const [tarball] = readdirSync(packed);
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  const offline = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  runNpm(['install', '--prefix', project, ...offline, join(packed, tarball)]);
});

const manifest = () => JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));

/** @param {string} folder */
function filesIn(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

/**
 * Runs a program in the project and returns what it prints.
 * @param {'module' | 'commonjs'} type
 * @param {string} program
 */
async function runInProject(type, program) {
  const { status, stdout, stderr } = await runNode([`--input-type=${type}`, '-'], {
    cwd: project,
    input: program,
  });
  assert.equal(status, 0, stderr);
  return stdout.trim();
}

describe('the tarball', () => {
  test('has exactly these files', () => {
    assert.deepEqual(filesIn(installed), FILES);
  });

  test('is all that an empty project gets: no dependencies, no scripts at installation', () => {
    const { dependencies, optionalDependencies, bundledDependencies, scripts } = manifest();
    const none = [dependencies, optionalDependencies, bundledDependencies];
    assert.deepEqual(none, [undefined, undefined, undefined]);
    const { peerDependencies, peerDependenciesMeta } = manifest();
    assert.deepEqual(Object.keys(peerDependencies), PEERS);
    for (const peer of PEERS) assert.deepEqual(peerDependenciesMeta[peer], { optional: true });
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare']) {
      assert.equal(scripts[name], undefined);
    }
    const neighbours = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
    assert.deepEqual(neighbours, ['gradnorm']);
  });

  test('tools that do not read exports find the same files, by main and types', () => {
    const { exports } = manifest();
    for (const entry of ['.', ...OTHER_ENTRIES.map((name) => `./${name}`)]) {
      const folder = join(installed, entry);
      const { main, types, type, sideEffects } = JSON.parse(
        readFileSync(join(folder, 'package.json'), 'utf8'),
      );
      assert.equal(join(folder, main), join(installed, exports[entry].default));
      assert.equal(join(folder, types), join(installed, exports[entry].types));
      assert.deepEqual([type, sideEffects], ['module', false]);
    }
  });

  test('has what every export names, types before the code', () => {
    const { exports } = manifest();
    const entries = OTHER_ENTRIES.map((name) => `./${name}`);
    assert.deepEqual(Object.keys(exports), ['.', ...entries, './gradnorm.wasm', './package.json']);
    for (const target of Object.values(exports)) {
      const conditions = typeof target === 'string' ? { default: target } : target;
      for (const path of Object.values(conditions)) {
        assert.match(path, /^\.\//);
        assert.ok(existsSync(join(installed, path)), path);
      }
      const names = Object.keys(conditions);
      assert.ok(names.length === 1 || names[0] === 'types');
      assert.equal(names.at(-1), 'default');
    }
  });

  test('says what bundlers and npm ask for', () => {
    const { name, version, type, sideEffects, engines, license, private: secret } = manifest();
    assert.equal(name, 'gradnorm');
    assert.match(version, /^\d+\.\d+\.\d+/);
    assert.equal(type, 'module');
    assert.equal(sideEffects, false);
    assert.equal(license, 'MIT');
    assert.equal(typeof engines.node, 'string');
    assert.equal(secret, undefined);
    const { repository, homepage, bugs } = manifest();
    assert.equal(repository.type, 'git');
    for (const url of [repository.url.replace('git+', ''), homepage, bugs.url])
      assert.equal(new URL(url).protocol, 'https:');
  });

  test('holds modules with no trace of CommonJS or Node.js', () => {
    for (const file of BROWSER_MODULES) {
      // Comments may name the types of a framework.
      const text = readFileSync(join(installed, 'dist', file), 'utf8').replace(/\/\*[^]*?\*\//g, '');
      assert.doesNotMatch(text, /\brequire\s*\(|\bmodule\.exports\b|\b(import|from)\s*\(?\s*['"](?!\.)/m);
      assert.ok(!text.includes(ROOT), 'a path of the machine that built it');
    }
    assert.match(
      readFileSync(join(installed, 'dist', 'slim.js'), 'utf8'),
      /new URL\('\.\/gradnorm\.wasm', import/,
    );
  });

  test('the command runs under its name where the package is installed', async () => {
    const file = join(project, 'gradient.npy');
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n";
    const length = Buffer.of(header.length, 0);
    const elements = Buffer.from(Float32Array.of(3, 4).buffer);
    writeFileSync(
      file,
      Buffer.concat([Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(header), elements]),
    );
    const command = join(project, 'node_modules', '.bin', 'gradnorm');
    const { stdout } = await promisify(execFile)(command, [file], { shell: process.platform === 'win32' });
    assert.match(stdout, /^2-norm 5\.000 of 2 elements in 1 tensor\n/);
    const version = await promisify(execFile)(command, ['--version'], {
      shell: process.platform === 'win32',
    });
    assert.equal(version.stdout, `${manifest().version}\n`);
  });

  test('what a page without a bundler loads, and unpkg and jsdelivr hand out, imports nothing and is all of the default entry', async () => {
    const { unpkg, jsdelivr } = manifest();
    assert.deepEqual([unpkg, jsdelivr], ['./dist/gradnorm.js', './dist/gradnorm.js']);
    assert.doesNotMatch(readFileSync(join(installed, unpkg), 'utf8'), /^import\b/m);
    const namesOf = (/** @type {string} */ file) => import(pathToFileURL(join(installed, 'dist', file)).href);
    assert.deepEqual(Object.keys(await namesOf('gradnorm.js')), Object.keys(await namesOf('index.js')));
  });

  test('the entries share one core, in whatever combination', async () => {
    const program = `
      const [a, b, { GpuGradNorm }] = await Promise.all(ORDER.map((name) => import(name)));
      const [slim, gradnorm] = ORDER[0] === 'gradnorm' ? [b, a] : [a, b];
      for (const name of Object.keys(gradnorm)) if (slim[name] !== gradnorm[name]) console.log(name);
      console.log(Object.keys(slim).length === Object.keys(gradnorm).length, typeof GpuGradNorm);
      const Instance = WebAssembly.Instance;
      let instances = 0;
      WebAssembly.Instance = new Proxy(Instance, { construct: (...all) => (++instances, Reflect.construct(...all)) });
      // No file is read where one of the entries has the module in it.
      process.getBuiltinModule('node:fs').readFileSync = () => { throw new Error('read'); };
      console.log(slim.gradNorm([Float32Array.of(3, 4)]), gradnorm.gradNorm([Float32Array.of(3, 4)]), instances);`;
    for (const order of [
      ['gradnorm', 'gradnorm/slim', 'gradnorm/webgpu'],
      ['gradnorm/slim', 'gradnorm', 'gradnorm/webgpu'],
    ])
      assert.equal(
        await runInProject('module', program.replaceAll('ORDER', JSON.stringify(order))),
        'true function\n5 5 1',
      );
  });

  test('no line of code of one module stands in another: what gradnorm and gradnorm/webgpu share is there once', () => {
    const where = new Map();
    for (const file of MODULES) {
      const code = readFileSync(join(installed, 'dist', file), 'utf8').replace(
        /^(import|export {)[^;]*;|\/\*[^]*?\*\/|\/\/.*/gm,
        '',
      );
      for (const line of new Set(code.split('\n').map((text) => text.trim())))
        if (line.length > 70) where.set(line, [...(where.get(line) ?? []), file]);
    }
    assert.ok(where.size > 300, 'the lines are not seen');
    assert.deepEqual(
      [...where].filter(([, files]) => files.length > 1),
      [],
    );
  });

  test('has the same module inlined and beside', async () => {
    const wasm = readFileSync(join(installed, 'dist', 'gradnorm.wasm'));
    for (const file of ['gradnorm.js', 'wasm.js'])
      assert.ok(readFileSync(join(installed, 'dist', file), 'utf8').includes(wasm.toString('hex')));
  });
});

describe('sizes', () => {
  test('the budget is the stated one for Emscripten 3.1.6, and a tenth larger for any other', () => {
    assert.equal(budget(18_000, '3.1.6'), 18_000);
    for (const version of ['3.1.5', '3.1.60', '3.1.69', '4.0.1'])
      assert.equal(budget(18_000, version), 19_800);
    assert.ok(readStamp()?.compiler, 'the build has noted its compiler');
  });

  for (const [names, entry, most] of MAX_BROTLI_BYTES)
    test(`{ ${names} } of ${entry} is at most ${most} bytes, made by Emscripten ${compiler}`, async (t) => {
      const exported = names === '*' ? '*' : `{ ${names} }`;
      const code = await bundle(`export ${exported} from '${entry}';`);
      const bytes = brotliCompressSync(code).length;
      t.diagnostic(`{ ${names} }: ${code.length} bytes minified, ${bytes} bytes with Brotli`);
      assert.ok(bytes <= Number(most), `${bytes} bytes`);
    });

  test(`gradnorm/webgpu beside gradnorm is at most ${MAX_GPU_BROTLI_BYTES} bytes`, async (t) => {
    const plain = brotliCompressSync(await bundle("export * from 'gradnorm';")).length;
    const both = await bundle("export * from 'gradnorm'; export * from 'gradnorm/webgpu';");
    const bytes = brotliCompressSync(both).length - plain;
    t.diagnostic(`gradnorm/webgpu: ${bytes} bytes with Brotli`);
    assert.ok(bytes > 5000 && bytes <= MAX_GPU_BROTLI_BYTES, `${bytes} bytes`);
  });

  test('no bundler warns of an entry', async () => {
    for (const entry of ['gradnorm', ...OTHER_ENTRIES.map((name) => `gradnorm/${name}`)])
      assert.ok((await bundle(`export * from '${entry}';`)).length > 1000);
  });

  test('who imports one name gets nothing at the top of a file that this name has no use for', async () => {
    const textOf = (/** @type {Uint8Array} */ bytes) => Buffer.from(bytes).toString();
    /** What each bundle must not hold, and does hold where it is needed. */
    const UNUSED = {
      gradNorm: ['a Response, a URL', 'GradMonitor', 'not finite:'],
      clipCoefficient: ['byteOffset', '"fixed"', '"float32"'],
      GradMonitor: ['byteOffset', '"propagate"', '"float32"'],
      GradientError: ['Symbol.toStringTag', 'expected'],
    };
    const whole = textOf(await bundle("export * from 'gradnorm';"));
    for (const [name, words] of Object.entries(UNUSED)) {
      const code = textOf(await bundle(`export { ${name} } from 'gradnorm';`));
      assert.ok(code.includes(name));
      for (const word of words) {
        assert.ok(whole.includes(word), `${word} is nowhere`);
        assert.ok(!code.includes(word), `${name} brings ${word}`);
      }
    }
  });

  test(`gradnorm.wasm is at most ${MAX_WASM_BYTES} bytes, made by Emscripten ${compiler}`, (t) => {
    const wasm = readFileSync(join(installed, 'dist', 'gradnorm.wasm'));
    t.diagnostic(`gradnorm.wasm: ${wasm.length} bytes, ${brotliCompressSync(wasm).length} bytes with Brotli`);
    assert.ok(wasm.length <= MAX_WASM_BYTES, `${wasm.length} bytes`);
  });
});

/**
 * A minified bundle for browsers; that it builds proves that nothing of Node.js is imported.
 * @param {string} contents
 */
async function bundle(contents) {
  const { outputFiles, warnings } = await build({
    stdin: { contents, resolveDir: project },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    write: false,
    logLevel: 'silent',
  });
  // That an import of nothing is left out is what its test is about.
  const unexpected = warnings.filter(({ location }) => location?.file !== '<stdin>');
  assert.deepEqual(unexpected, []);
  return outputFiles[0].contents;
}

describe('importing has no side effects', () => {
  test('an import that uses nothing leaves an empty bundle', async () => {
    for (const entry of ['gradnorm', 'gradnorm/slim']) {
      assert.equal((await bundle(`import '${entry}';`)).length, 0);
      assert.equal((await bundle(`import { gradNorm } from '${entry}';`)).length, 0);
    }
  });

  test('no WebAssembly is compiled or instantiated, no global and no listener is added', async () => {
    const program = (/** @type {string} */ entry) => `
      const touched = [];
      const watch = (name) => new Proxy(WebAssembly[name], {
        apply() { touched.push(name); throw new Error(name); },
        construct() { touched.push(name); throw new Error(name); },
      });
      for (const name of Object.getOwnPropertyNames(WebAssembly)) WebAssembly[name] = watch(name);
      globalThis.fetch = () => touched.push('fetch');
      const state = () => JSON.stringify([Reflect.ownKeys(globalThis).map(String), process.eventNames().map(String)]);
      const before = state();
      const { gradNorm } = await import('${entry}');
      if (state() !== before) touched.push(state());
      console.log(touched.length === 0 ? 'untouched' : touched.join());
      try { gradNorm(null); } catch {}
      console.log(touched.join());`;
    for (const entry of ['gradnorm', 'gradnorm/slim']) {
      // The second line shows that the watch would have noticed.
      assert.equal(await runInProject('module', program(entry)), 'untouched\nModule');
    }
  });
});

describe('in an empty project', () => {
  const USE = `
    console.log(gradNorm([Float32Array.of(3), null, Float64Array.of(4)]));
    init().then(() => console.log(gradNorm({ w: { grad: Float32Array.of(-7, 2) } }, Infinity)));`;

  for (const entry of ['gradnorm', 'gradnorm/slim']) {
    test(`import from '${entry}'`, async () => {
      const program = `import { gradNorm, init, initSync } from '${entry}'; initSync(); ${USE}`;
      assert.equal(await runInProject('module', program), '5\n7');
    });

    test(`import('${entry}') from CommonJS`, async () => {
      const program = `import('${entry}').then(({ gradNorm, init }) => {${USE}});`;
      assert.equal(await runInProject('commonjs', program), '5\n7');
    });

    test(`require('${entry}'): works from Node.js 20.19 and 22.12 on, before that ERR_REQUIRE_ESM`, async (t) => {
      const canRequire = 'require_module' in process.features && process.features.require_module === true;
      t.diagnostic(
        `Node.js ${process.versions.node} ${canRequire ? 'requires' : 'does not require'} ES modules`,
      );
      const program = canRequire
        ? `const { gradNorm, init } = require('${entry}'); ${USE}`
        : `try { require('${entry}'); } catch (error) { console.log(error.code); }`;
      assert.equal(await runInProject('commonjs', program), canRequire ? '5\n7' : 'ERR_REQUIRE_ESM');
    });
  }

  test('the names of the API, no more', async () => {
    const program = "console.log(Object.keys(await import('gradnorm')).join());";
    const names = [
      ...['GradMonitor', 'GradReport', 'GradientError', 'NormAccumulator'],
      ...['allocGradients', 'clipCoefficient', 'clipGradNorm', 'clipGradValue', 'clipGradsWithNorm'],
      ...['gradNorm', 'gradReport', 'init', 'initSync'],
    ];
    assert.equal(await runInProject('module', program), names.join());
    assert.equal(await runInProject('module', program.replace('gradnorm', 'gradnorm/slim')), names.join());
  });

  for (const entry of ['gradnorm', 'gradnorm/slim']) {
    test(`the verbs of '${entry}' at work`, async () => {
      const program = `
        import * as gradnorm from '${entry}';
        const { clipCoefficient, clipGradNorm, clipGradsWithNorm, clipGradValue } = gradnorm;
        const { GradientError, GradMonitor, GradReport, gradReport, NormAccumulator } = gradnorm;
        const gradient = Float64Array.of(3, -4);
        const report = gradReport({ w: gradient });
        console.log(report instanceof GradReport, report.norm, report.tensors[0].name);
        const parts = [0, 1].map((i) => new NormAccumulator().add(gradient.subarray(i, i + 1)));
        console.log(NormAccumulator.fromJSON(parts[0].toJSON()).merge(parts[1]).norm);
        const rounded = () => Array.from(gradient, (x) => Number(x.toFixed(10)));
        console.log(clipGradNorm(gradient, new GradMonitor({ method: 'fixed', maxNorm: 2.5 }), { eps: 0 }), ...rounded());
        clipGradsWithNorm(gradient, 5, 10, { eps: 0 });
        console.log(clipCoefficient(10, 5, 0), ...rounded());
        clipGradValue(gradient, 0.625);
        console.log(...gradient);
        try {
          clipGradNorm({ w: { data: Uint16Array.of(0, 0x7e00), dtype: 'float16' } }, 1, { nonfinite: 'throw' });
        } catch (error) {
          console.log(error instanceof GradientError, error.tensor, error.index, error.value);
        }`;
      assert.deepEqual((await runInProject('module', program)).split('\n'), [
        'true 5 w',
        '5',
        '5 1.5 -2',
        '0.5 0.75 -1',
        '0.625 -0.625',
        'true w 1 NaN',
      ]);
    });
  }

  test("'gradnorm/gradnorm.wasm' and 'gradnorm/package.json' resolve, the module is one for init", async () => {
    const program = `
      import { readFileSync } from 'node:fs';
      import { createRequire } from 'node:module';
      import { gradNorm, init } from 'gradnorm/slim';
      const url = import.meta.resolve('gradnorm/gradnorm.wasm');
      const require = createRequire(url);
      console.log(require('gradnorm/package.json').name);
      await init(readFileSync(require.resolve('gradnorm/gradnorm.wasm')));
      await init(url);
      console.log(gradNorm(Float32Array.of(3, 4)), WebAssembly.validate(readFileSync(new URL(url))));`;
    assert.equal(await runInProject('module', program), 'gradnorm\n5 true');
  });

  test('files that are not exported cannot be imported', async () => {
    const program = (/** @type {string} */ path) =>
      `await import('gradnorm/${path}').catch((error) => console.log(error.code));`;
    for (const path of ['dist/gradnorm.js', 'web/door/collect.js', 'gradnorm.js']) {
      assert.equal(await runInProject('module', program(path)), 'ERR_PACKAGE_PATH_NOT_EXPORTED');
    }
  });
});

describe('the README', () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');

  test('its first snippet runs as it says: as .mjs, or where package.json says "type": "module"', async () => {
    const code = /```js\n([^]*?)```/.exec(readme)?.[1] ?? '';
    assert.match(code, /^import .*'gradnorm';/);
    const told = readme.slice(0, readme.indexOf(code)).replace(/\s+/g, ' ');
    assert.match(told, /\.mjs.*"type": "module"/);
    const folder = join(project, 'snippet');
    mkdirSync(folder);
    writeFileSync(join(folder, 'first.mjs'), code);
    writeFileSync(join(folder, 'first.js'), code);
    for (const [file, type] of [
      ['first.mjs', 'commonjs'],
      ['first.js', 'module'],
    ]) {
      writeFileSync(join(folder, 'package.json'), JSON.stringify({ type }));
      const { status, stdout, stderr } = await runNode([join(folder, file)]);
      assert.equal(status, 0, stderr);
      assert.match(stdout, /^2-norm /);
    }
  });
});

/** Names the tensor that a revoked Proxy stands for, whatever tools make of the guards. */
const REVOKED = `
  import { clipGradNorm, gradNorm } from 'gradnorm';
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  for (const call of [() => gradNorm({ w: proxy }), () => clipGradNorm([proxy], 1), () => gradNorm(proxy)]) {
    try { call(); } catch (error) { console.log(error.name + ': ' + error.message.split(';')[0]); }
  }
  console.log(gradNorm([Float32Array.of(3), { grad: Float64Array.of(4) }]));`;

const SAID_OF_REVOKED = [
  'TypeError: gradients.w is a revoked Proxy',
  'TypeError: gradients[0] is a revoked Proxy',
  'TypeError: gradients is a revoked Proxy',
  '5',
].join('\n');

describe('bundled', () => {
  const output = join(project, 'bundles');
  /**
   * @param {string} name
   * @param {string} contents
   * @param {import('esbuild').BuildOptions} options
   */
  async function esbuild(name, contents, options) {
    const outfile = join(output, name);
    const stdin = { contents, resolveDir: project };
    const how = /** @type {const} */ ({ bundle: true, platform: 'node', logLevel: 'silent' });
    await build({ stdin, outfile, ...how, ...options });
    return outfile;
  }

  /** @param {string} file */
  async function run(file) {
    const { status, stdout, stderr } = await runNode([file]);
    assert.equal(status, 0, stderr);
    return stdout.trim();
  }

  test('the guards are there as shipped', async () => {
    assert.equal(await runInProject('module', REVOKED), SAID_OF_REVOKED);
  });

  test('esbuild with every minification drops no guard', async () => {
    const options = /** @type {const} */ ({
      minify: true,
      treeShaking: true,
      format: 'esm',
      target: 'esnext',
    });
    assert.equal(await run(await esbuild('minified.mjs', REVOKED, options)), SAID_OF_REVOKED);
  });

  for (const moduleSideEffects of [true, false]) {
    test(`Vite drops no guard (moduleSideEffects: ${moduleSideEffects})`, async () => {
      const vite = await import('vite');
      const outDir = join(output, `vite-${moduleSideEffects}`);
      const entry = join(project, 'revoked.mjs');
      writeFileSync(entry, REVOKED);
      await vite.build({
        configFile: false,
        root: project,
        logLevel: 'silent',
        build: {
          outDir,
          emptyOutDir: false,
          minify: true,
          lib: { entry, formats: ['es'], fileName: () => 'revoked.mjs' },
          rolldownOptions: { treeshake: { moduleSideEffects } },
        },
      });
      assert.equal(await run(join(outDir, 'revoked.mjs')), SAID_OF_REVOKED);
    });
  }

  test('Rollup drops no guard', async () => {
    const { rollup } = await import('@rollup/wasm-node');
    const entry = join(project, 'revoked-rollup.mjs');
    writeFileSync(entry, REVOKED.replace("'gradnorm'", "'./node_modules/gradnorm/dist/index.js'"));
    const bundled = await rollup({ input: entry, treeshake: 'smallest' });
    const file = join(output, 'rollup.mjs');
    await bundled.write({ file, format: 'es' });
    await bundled.close();
    assert.equal(await run(file), SAID_OF_REVOKED);
  });

  test('for old targets (es2015): every entry imports and works, with the same state as without', async () => {
    const use = `
      import { gradNorm, NormAccumulator } from 'gradnorm';
      import * as slim from 'gradnorm/slim';
      import { GpuGradNorm } from 'gradnorm/webgpu';
      const state = (it) => JSON.stringify([new it.NormAccumulator(), new it.NormAccumulator(3).add(Float32Array.of(1, 2))]);
      console.log(typeof GpuGradNorm, gradNorm(Float32Array.of(3, 4)), state({ NormAccumulator }));
      slim.initSync(require('node:fs').readFileSync(${JSON.stringify(join(installed, 'dist', 'gradnorm.wasm'))}));
      console.log(state(slim) === state({ NormAccumulator }));`;
    const [lowered, kept] = await Promise.all(
      ['es2015', 'esnext'].map(async (target) =>
        run(await esbuild(`${target}.cjs`, use, { target, format: 'cjs' })),
      ),
    );
    assert.match(lowered, /^function 5 /);
    assert.equal(lowered, kept);
    assert.match(lowered, /\ntrue$/);
  });

  for (const format of /** @type {const} */ (['iife', 'cjs'])) {
    test(`gradnorm/slim as ${format}, where it has no URL: says what to pass to init, which works`, async () => {
      const program = `
        import { gradNorm, init, initSync } from 'gradnorm/slim';
        const fs = process.getBuiltinModule('node:fs');
        const say = ({ message }) => console.log(message);
        (async () => {
          for (const call of [() => gradNorm(null), () => initSync(), () => init()]) await (async () => call())().catch(say);
          await init(fs.readFileSync(${JSON.stringify(join(installed, 'dist', 'gradnorm.wasm'))}));
          console.log(gradNorm(Float32Array.of(3, 4)));
        })();`;
      const said =
        'gradnorm/slim cannot find its gradnorm.wasm here; expected `await init(source)` first, with its full URL, its bytes or its WebAssembly.Module';
      const file = await esbuild(`slim-${format}.cjs`, program, { format });
      assert.equal(await run(file), [said, said, said, '5'].join('\n'));
    });
  }

  test('gradnorm/slim by esbuild as esm, with the file copied beside its output', async () => {
    const file = await esbuild(
      join('beside', 'slim.mjs'),
      `import { gradNorm, init } from 'gradnorm/slim'; await init(); console.log(gradNorm(Float32Array.of(3, 4)));`,
      { format: 'esm' },
    );
    copyFileSync(join(installed, 'dist', 'gradnorm.wasm'), join(output, 'beside', 'gradnorm.wasm'));
    assert.equal(await run(file), '5');
  });

  test('gradnorm/slim as a module without a place, such as a data: or blob: URL: init of bytes works', async () => {
    const program = `
      import { readFileSync } from 'node:fs';
      const code = readFileSync(${JSON.stringify(await esbuild('slim-one.mjs', "export * from 'gradnorm/slim';", { format: 'esm' }))});
      const { gradNorm, init } = await import('data:text/javascript;base64,' + code.toString('base64'));
      await init().catch(({ message }) => console.log(message));
      await init(readFileSync(${JSON.stringify(join(installed, 'dist', 'gradnorm.wasm'))}));
      console.log(gradNorm(Float32Array.of(3, 4)));`;
    assert.match(await runInProject('module', program), /^gradnorm\/slim cannot find [^\n]*\n5$/);
  });
});

describe('TypeScript', () => {
  /** Every export and every form of input, in any kind of module. */
  const RIGHT = `
    declare const shared: Float32Array<SharedArrayBuffer>;
    declare const readonlyMap: ReadonlyMap<string, Float32Array>;
    declare const maybe: Float32Array | null | undefined;
    const f32 = new Float32Array(2);
    const f64 = new Float64Array(2);
    class Gradient extends Float32Array {}
    class Weight { data = f32; grad: Float32Array | null = null; shape = [1]; }
    class Lazy { get grad() { return f64; } }
    function* each(): Generator<Parameter | Gradients> { yield f32; yield null; yield new Weight(); }
    const bits = new Uint16Array(2);
    const half: HalfGradient = { data: bits, dtype: 'bfloat16' };
    class Half { data = bits; readonly dtype = 'float16'; shape = [2]; }
    const integers = [
      new Int8Array(1), new Uint8Array(1), new Uint8ClampedArray(1), new Int16Array(1), new Uint16Array(1),
      new Int32Array(1), new Uint32Array(1),
    ] as const;

    const norms: number[] = [
      gradNorm(f32), gradNorm(f64), gradNorm(shared), gradNorm(new Gradient(2)), gradNorm(maybe),
      gradNorm(f32.subarray(1)), gradNorm(null), gradNorm(undefined),
      gradNorm({ grad: f32 }), gradNorm([{ name: 'w', grad: f32 }]), gradNorm({ grad: null }), gradNorm(new Weight()), gradNorm(new Lazy()),
      gradNorm([f32, f64, null, undefined, shared]), gradNorm([[f32], [[f64]]]), gradNorm([]),
      gradNorm([f32, f64] as const), gradNorm([new Weight(), new Lazy()]), gradNorm([f32][Symbol.iterator]()),
      gradNorm(new Set([f32])), gradNorm(new Set([f32, null])), gradNorm(each()), gradNorm([f32].values()),
      gradNorm(new Map([['w', f32]])), gradNorm(new Map([['w', new Weight()]])), gradNorm(readonlyMap),
      gradNorm(new Map<object, Gradients>([[{}, { w: f32 }]])), gradNorm(readonlyMap.values()),
      gradNorm({ w: f32, b: null }), gradNorm({ fc1: { w: f32, b: new Weight() }, fc2: [f64] }), gradNorm({}),
      gradNorm(Object.fromEntries([['w', f32]])), gradNorm([{ w: maybe }, new Map([['a', [f32]]])]),
      gradNorm({ list: [f32], set: new Set([f32]), map: readonlyMap }),
      gradNorm(f32, 1), gradNorm(f32, Infinity), gradNorm(f32, 0.5), gradNorm(f32, undefined),
      gradNorm(half), gradNorm({ data: bits, dtype: 'float16' }), gradNorm([half, f32, new Half()]),
      gradNorm({ w: half, b: { grad: half } }), gradNorm({ grad: { data: bits, dtype: 'float16' } }),
      gradNorm(new Map([['w', half]])), gradNorm({ w: { data: bits, dtype: 'bfloat16' } }),
      gradNorm(integers), gradNorm(integers[0]), gradNorm(integers[2]), gradNorm({ w: integers[6], b: bits }),
      gradNorm({ grad: integers[5] }), gradNorm([...integers, ...integers.map((grad) => ({ grad }))]),
    ];

    const options: ClipOptions = { normType: Infinity, eps: 0, nonfinite: 'skip' };
    const policies: NonfinitePolicy[] = ['propagate', 'throw', 'skip', 'zero'];
    const monitor: GradMonitor = new GradMonitor();
    norms.push(
      clipGradNorm(f32, 1), clipGradNorm(f64, Infinity, {}), clipGradNorm(half, 1, options), clipGradNorm(each(), 0),
      clipGradNorm([f32, null, { grad: f64 }], 1, { normType: 1 }), clipGradNorm({ w: half, b: null }, 1, { eps: 0 }),
      clipGradNorm(new Weight(), monitor), clipGradNorm(readonlyMap, monitor, { nonfinite: 'throw' }),
      ...policies.map((nonfinite) => clipGradNorm(new Set([f32]), 1, { nonfinite })),
      clipCoefficient(2, 1), clipCoefficient(NaN, Infinity, 0),
    );
    const clipped: void[] = [
      clipGradsWithNorm(f32, 1, 2), clipGradsWithNorm({ w: { grad: half } }, 1, NaN, { eps: 0 }),
      clipGradsWithNorm(each(), 1, 2, {}), clipGradValue(f32, 0.5), clipGradValue([half, new Weight()], Infinity),
    ];

    const report: GradReport = gradReport({ fc1: { w: f32, b: half }, fc2: integers });
    const reports: GradReport[] = [gradReport(f32), gradReport(null, {}), gradReport(each(), { normType: 1 })];
    const { norm, normType, elements, max, meanAbs, zeros, nan, inf } = report;
    norms.push(norm, normType, elements, max, meanAbs, zeros, nan, inf);
    const rows: readonly TensorReport[] = report.tensors;
    const sick: readonly Nonfinite[] = report.nonfinite;
    const first: Nonfinite | null = report.firstNonfinite;
    for (const row of rows) {
      norms.push(row.elements, row.norm, row.share, row.max, row.meanAbs, row.zeros, row.nan, row.inf);
    }
    const words: string[] = [report.toString(), ...rows.map(({ name, dtype }) => name + dtype)];
    if (first !== null) { words.push(first.tensor); norms.push(first.index, first.value); }
    const reportAsJson: Record<string, unknown> = report.toJSON();

    const accumulator: NormAccumulator = new NormAccumulator(Infinity);
    const state: NormAccumulatorState = new NormAccumulator().add(f32).add([half, new Weight()]).toJSON();
    const restored: NormAccumulator = NormAccumulator.fromJSON(state).merge(accumulator).reset();
    NormAccumulator.fromJSON(JSON.parse(JSON.stringify(accumulator)));
    norms.push(restored.norm, restored.count, restored.normType, state.elements, state.largest, state.version);
    words.push(state.gradnorm, state.check, state.top ?? '', ...state.totals);
    const p: number | 'Infinity' = state.normType;
    const flags: boolean[] = [state.nan, state.infinity];

    const monitorOptions: MonitorOptions = { method: 'percentile', percentile: 10, history: 100, alpha: 0.9 };
    const methods: MonitorMethod[] = ['fixed', 'percentile', 'zscore'];
    const monitors: GradMonitor[] = [
      new GradMonitor(monitorOptions), new GradMonitor({ method: 'fixed', maxNorm: 1, maxNonfinite: 3 }),
      new GradMonitor({ zThreshold: 3, warmUp: 0, dryRun: true }), ...methods.map((method) => new GradMonitor({ method })),
    ];
    const step: MonitorStep = monitor.update(1);
    monitor.update(report);
    norms.push(step.norm, step.mean, step.deviation, step.zScore, step.threshold);
    norms.push(monitor.steps, monitor.spikes, monitor.nonfinite, monitor.consecutiveNonfinite);
    flags.push(step.spike, monitor.dryRun);
    words.push(monitor.method);
    const saved: MonitorState = monitor.toJSON();
    monitors.push(GradMonitor.fromJSON(saved), GradMonitor.fromJSON(JSON.parse(JSON.stringify(monitor))));

    const offender = (error: unknown): string | null => error instanceof GradientError ? error.tensor : null;
    const place = (error: GradientError): [number | null, number | null] => [error.index, error.value];
    words.push(new GradientError('message', null).message);

    declare const module: WebAssembly.Module;
    const bytes = new Uint8Array(8);
    const loads: Promise<void>[] = [
      init(), init(module), init(bytes), init(bytes.buffer), init(fetch('x')), init(new Response()),
      init(new URL('file:///x')), init('x'), init(Promise.resolve(module)), init(WebAssembly.compile(bytes)),
    ];
    const nothing: void = initSync();
    initSync(module);
    initSync(bytes);
    initSync(bytes.buffer);

    const made = allocGradients({ weight: 4096, bias: f64, none: null, layers: [3, f32], map: new Map([['a', 1]]), half });
    const weight: Float32Array = made.weight;
    const bias: Float64Array = made.bias;
    const none: null = made.none;
    const layer: Float32Array = made.layers[0] ?? f32;
    const mapped: Float32Array | undefined = made.map.get('a');
    const one: Float32Array = allocGradients(3);
    norms.push(gradNorm(made), clipGradNorm(made, 1, { per: 'tensor' }), gradReport(made).norm);
    export { bias, layer, made, mapped, none, one, weight };

    const gradient: Gradient_ = maybe;
    const array: GradientArray = f64;
    const source: InitSource = module;
    const gradients: Gradients = [gradient, array];
    export { clipped, flags, gradients, loads, monitors, norms, nothing, offender, p, place, reportAsJson, reports };
    export { sick, source, words };`;

  const VALUES = [
    ...[
      'allocGradients',
      'clipCoefficient',
      'clipGradNorm',
      'clipGradsWithNorm',
      'clipGradValue',
      'GradientError',
      'GradMonitor',
    ],
    ...['gradNorm', 'GradReport', 'gradReport', 'init', 'initSync', 'NormAccumulator'],
  ];
  const TYPES = [
    ...['ClipOptions', 'Gradient as Gradient_', 'GradientArray', 'Gradients', 'HalfGradient', 'InitSource'],
    ...['MonitorMethod', 'MonitorOptions', 'MonitorState', 'MonitorStep', 'Nonfinite', 'NonfinitePolicy'],
    ...['NormAccumulatorState', 'Parameter', 'TensorReport'],
  ];
  const importFrom = (/** @type {string} */ entry) =>
    `import { ${[...VALUES, ...TYPES.map((name) => `type ${name}`)].join(', ')} } from '${entry}';`;

  /** One wrong use a line. */
  const WRONG = [
    'gradNorm()',
    'gradNorm([1, 2, 3])',
    'gradNorm([new Float32Array(1), 2])',
    'gradNorm(3)',
    'gradNorm(3n)',
    'gradNorm(true)',
    'gradNorm(Symbol())',
    'gradNorm(() => new Float32Array(1))',
    'gradNorm(new BigInt64Array(1))',
    'gradNorm([new BigUint64Array(1)])',
    'gradNorm({ data: new Float32Array(1), dtype: "float16" })',
    'gradNorm({ data: [1], dtype: "float16" })',
    'gradNorm({ data: new Uint16Array(1), dtype: "float8" })',
    'gradNorm({ data: new Uint16Array(1), dtype: "float16" as string })',
    'gradNorm({ dtype: "bfloat16" })',
    'gradNorm([{ data: new Int16Array(1), dtype: "bfloat16" }])',
    'gradNorm({ grad: { data: new Uint16Array(1), dtype: "int64" } })',
    'const half: HalfGradient = { data: new Uint16Array(1), dtype: "float32" }',
    'gradNorm(new DataView(new ArrayBuffer(1)))',
    'gradNorm(new ArrayBuffer(1))',
    'gradNorm(new Date())',
    'gradNorm(Promise.resolve(new Float32Array(1)))',
    'gradNorm({ grad: [1] })',
    'gradNorm({ grad: new BigInt64Array(1) })',
    'gradNorm(new Map([["w", 1]]))',
    'gradNorm(new Set([1]))',
    "gradNorm(new Float32Array(1), '2')",
    'gradNorm(new Float32Array(1), null)',
    'gradNorm(new Float32Array(1), 2n)',
    // Only null, as TypeScript's WebAssembly.Module is an empty interface, which any object or number fits.
    'init(null)',
    'initSync(null)',
    'const norm: string = gradNorm(null)',
    'const loaded: WebAssembly.Module = await init()',
    'clipGradNorm()',
    'clipGradNorm(new Float32Array(1))',
    'clipGradNorm([1], 1)',
    'clipGradNorm(new BigInt64Array(1), 1)',
    "clipGradNorm(new Float32Array(1), '1')",
    'clipGradNorm(new Float32Array(1), null)',
    'clipGradNorm(new Float32Array(1), 1, 2)',
    'clipGradNorm(new Float32Array(1), 1, { p: 2 })',
    "clipGradNorm(new Float32Array(1), 1, { normType: '2' })",
    'clipGradNorm(new Float32Array(1), 1, { eps: null })',
    "clipGradNorm(new Float32Array(1), 1, { nonfinite: 'ignore' })",
    'clipGradNorm(new Float32Array(1), {})',
    'clipGradNorm(new Float32Array(1), GradMonitor)',
    'const clipped: void = clipGradNorm(new Float32Array(1), 1)[0]',
    "clipGradNorm(new Float32Array(1), 1, { per: 'layer' })",
    'allocGradients()',
    'allocGradients(3).weight',
    'allocGradients({ w: 1 }).b',
    'allocGradients({ w: 1 }).w = new Float32Array(1)',
    'const made: Float64Array = allocGradients(3)',
    'clipGradsWithNorm(new Float32Array(1), 1)',
    'clipGradsWithNorm([1], 1, 2)',
    "clipGradsWithNorm(new Float32Array(1), 1, '2')",
    'clipGradsWithNorm(new Float32Array(1), new GradMonitor(), 2)',
    'clipGradsWithNorm(new Float32Array(1), 1, 2, { normType: 2 })',
    'const before: number = clipGradsWithNorm(new Float32Array(1), 1, 2)',
    'clipCoefficient(1)',
    "clipCoefficient('2', 1)",
    'clipCoefficient(2, 1, null)',
    'clipGradValue(new Float32Array(1))',
    "clipGradValue(new Float32Array(1), '1')",
    'clipGradValue([1], 1)',
    'const value: number = clipGradValue(new Float32Array(1), 1)',
    'gradReport()',
    'gradReport([1])',
    'gradReport(new Float32Array(1), 2)',
    'gradReport(new Float32Array(1), { p: 2 })',
    'gradReport(null).norm = 1',
    'gradReport(null).tensors.pop()',
    'gradReport(null).nothing',
    'const sick: Nonfinite = gradReport(null).firstNonfinite',
    "new NormAccumulator('2')",
    'NormAccumulator()',
    'new NormAccumulator().add([1])',
    'new NormAccumulator().merge(new NormAccumulator().toJSON())',
    'new NormAccumulator().merge({})',
    'new NormAccumulator().norm = 1',
    'new NormAccumulator().count = 1',
    'new NormAccumulator().normType = 1',
    'NormAccumulator.fromJSON()',
    'const top: string = new NormAccumulator().toJSON().top',
    "new GradMonitor({ method: 'median' })",
    "new GradMonitor({ maxNorm: '1' })",
    'new GradMonitor({ threshold: 1 })',
    'new GradMonitor(1)',
    'new GradMonitor().update()',
    "new GradMonitor().update('1')",
    'new GradMonitor().update({})',
    'new GradMonitor().steps = 1',
    'const tensor: string = new GradientError("message", null).tensor',
    'new GradientError("message", { tensor: 1, index: 1, value: 1 })',
  ];
  const WRONG_STRINGS = [
    "gradNorm('abc')",
    "gradNorm(['abc'])",
    "gradNorm({ w: 'abc' })",
    "gradNorm({ grad: 'abc' })",
    "gradNorm(new Map([['w', 'abc']]))",
  ];
  const WRONG_ARGUMENTS = [
    "gradNorm(new Float32Array(1), 2, 'more')",
    'clipGradNorm(new Float32Array(1), 1, {}, 2)',
    'clipGradsWithNorm(new Float32Array(1), 1, 2, {}, 3)',
    'clipCoefficient(2, 1, 0, 1)',
    'clipGradValue(new Float32Array(1), 1, 2)',
    'gradReport(new Float32Array(1), {}, 2)',
    'new NormAccumulator(2, 3)',
    'new NormAccumulator().add(new Float32Array(1), new Float32Array(1))',
    'new NormAccumulator().merge(new NormAccumulator(), new NormAccumulator())',
    'new GradMonitor().update(1, 2)',
  ];
  const expectErrors = (/** @type {string[]} */ uses) =>
    `${importFrom('gradnorm')}\n${uses.map((use) => `// @ts-expect-error\n{ ${use}; }`).join('\n')}\n` +
    `export type { ${TYPES.map((name) => name.replace(/.+ as /, '')).join(', ')} }; export { ${VALUES.join(', ')} };`;

  const SOURCES = {
    'right.mts': importFrom('gradnorm') + RIGHT,
    'slim.mts': importFrom('gradnorm/slim') + RIGHT,
    'right.cts': importFrom('gradnorm') + RIGHT,
    'wrong.mts': expectErrors(WRONG),
    'strings.mts': expectErrors(WRONG_STRINGS),
    'arguments.mts': expectErrors(WRONG_ARGUMENTS),
  };

  const STRICT = {
    target: 'es2022',
    lib: ['es2022', 'dom', 'dom.iterable'],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    isolatedModules: true,
    skipLibCheck: false,
    noEmit: true,
  };

  /**
   * Compiles files of the project and returns the errors, a line each.
   * @param {string} name
   * @param {object} compilerOptions
   * @param {string[]} files
   */
  async function compile(name, compilerOptions, files) {
    writeFileSync(join(project, `${name}.json`), JSON.stringify({ compilerOptions, files }));
    const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    const args = [tsc, '--project', `${name}.json`, '--pretty', 'false'];
    const { status, stdout, stderr } = await runNode(args, { cwd: project });
    const errors = stdout.split('\n').filter((line) => line !== '' && !line.startsWith(' '));
    assert.equal(stderr, '');
    assert.equal(status === 0, errors.length === 0);
    return errors;
  }

  /** @type {string[]} */
  let errors;
  before(async () => {
    for (const [name, text] of Object.entries(SOURCES)) writeFileSync(join(project, name), text);
    errors = await compile('nodenext', { ...STRICT, module: 'nodenext' }, Object.keys(SOURCES));
  });

  /** @param {string} name */
  const errorsIn = (name) => errors.filter((line) => line.startsWith(name) || !/^\w+\.[mc]ts/.test(line));

  test('nodenext: every export and form compiles, from ES modules, slim and CommonJS', () => {
    for (const name of ['right.mts', 'slim.mts', 'right.cts']) assert.deepEqual(errorsIn(name), []);
  });

  test('every wrong use is an error', () => {
    assert.deepEqual(errorsIn('wrong.mts'), []);
  });

  test('a string is an error, although it is an iterable of strings', () => {
    assert.deepEqual(errorsIn('strings.mts'), []);
  });

  test('an argument too many is an error', () => {
    assert.deepEqual(errorsIn('arguments.mts'), []);
  });

  test('moduleResolution bundler: every export and form compiles', async () => {
    const options = { ...STRICT, module: 'esnext', moduleResolution: 'bundler' };
    assert.deepEqual(await compile('bundler', options, ['right.mts', 'slim.mts', 'wrong.mts']), []);
  });

  test('moduleResolution node10: every export and form compiles', async () => {
    const node10 = { moduleResolution: 'node10', ignoreDeprecations: '6.0' };
    writeFileSync(
      join(project, 'node10.ts'),
      `import { GpuGradNorm } from 'gradnorm/webgpu'; export { GpuGradNorm };`,
    );
    for (const name of ['right', 'slim', 'wrong']) {
      writeFileSync(join(project, `${name}.ts`), SOURCES[/** @type {'right.mts'} */ (`${name}.mts`)]);
    }
    const files = ['right.ts', 'slim.ts', 'wrong.ts', 'node10.ts'];
    assert.deepEqual(await compile('node10', { ...STRICT, module: 'esnext', ...node10 }, files), []);
  });

  test('a project whose library knows Float16Array: it is a gradient', async () => {
    writeFileSync(
      join(project, 'half.mts'),
      `import { clipGradNorm, gradNorm, NormAccumulator, type Gradients } from 'gradnorm';
      const half = new Float16Array(2);
      const gradients: Gradients = { w: half, b: [{ grad: half }, new Map([['c', half]])] };
      const norms: number[] = [gradNorm(half), clipGradNorm(gradients, 1), new NormAccumulator().add(half).norm];
      console.log(norms);`,
    );
    const options = { ...STRICT, lib: ['esnext', 'dom', 'dom.iterable'], module: 'nodenext' };
    assert.deepEqual(await compile('half', options, ['half.mts']), []);
  });

  test('every type that docs/api.md documents can be imported from its entry', async () => {
    const sections = readFileSync(join(ROOT, 'docs', 'api.md'), 'utf8')
      .split(/^## The entry /m)
      .slice(1);
    const imports = sections.map((section) => {
      const [entry] = section.split('\n', 1);
      const names = [...section.matchAll(/^### Type (\w+)/gm)].map(([, name]) => name);
      return { names, line: `export type { ${names.join(', ')} } from '${entry}';` };
    });
    assert.deepEqual(
      imports.map(({ names }) => names.length > 4),
      [true, true, true, true],
    );
    writeFileSync(join(project, 'types.mts'), imports.map(({ line }) => line).join('\n'));
    const options = { ...STRICT, module: 'nodenext', skipLibCheck: true };
    assert.deepEqual(await compile('types', options, ['types.mts']), []);
  });

  test('the GPU path, with and without a library that knows WebGPU', async () => {
    writeFileSync(
      join(project, 'webgpu.mts'),
      `import { GradMonitor } from 'gradnorm';
      import { GpuGradNorm, GpuPlan, type GpuClipOptions, type GpuClipStep, type GpuGradient, type GpuGradients,
        type GpuOptions, type GpuReportOptions, type GpuValueOptions, type MixedGradients } from 'gradnorm/webgpu';
      declare const buffer: any;
      declare const encoder: any;
      // The type of every options object has a name.
      const each: [GpuOptions, GpuClipOptions, GpuValueOptions, GpuReportOptions] = [
        { powerPreference: 'low-power' }, { normType: 1, eps: 0, nonfinite: 'throw', encoder }, { encoder }, { normType: 3 },
      ];
      type Options<Method extends (...values: any) => unknown, At extends number> = NonNullable<Parameters<Method>[At]>;
      const same: [
        Options<typeof GpuGradNorm.create, 0>, Options<GpuPlan['clipGradNorm'], 1>, Options<GpuPlan['clipGradValue'], 1>,
        Options<GpuPlan['report'], 0>,
      ] = each;
      const one: GpuGradient = { buffer, length: 1 };
      const some: MixedGradients = [one, new Float32Array(1)];
      class Weight { name = 'w'; grad: GpuGradient | null = one; }
      class Layer { grad?: GpuGradient; shape = [1]; }
      const parameters: GpuGradients = [new Weight(), new Layer(), { grad: one, name: 'w' }, { grad: one }];
      const both: MixedGradients = [new Weight(), { grad: new Float32Array(1), name: 'b' }];
      // @ts-expect-error
      const numbers: GpuGradients = [{ grad: [1], name: 'w' }];
      // @ts-expect-error
      const wrong: [GpuReportOptions, GpuValueOptions] = [{ normtype: 3 }, { encoders: encoder }];
      const gpu = await GpuGradNorm.create({ powerPreference: 'high-performance' });
      const tensors: GpuGradients = { w: { buffer, length: 3 }, list: [{ buffer, offset: 4, length: 1, dtype: 'float16' }, null] };
      const plan = gpu.plan(tensors);
      const norm: number = await plan.gradNorm(Infinity);
      const step: GpuClipStep = plan.clipGradNorm(1, { nonfinite: 'skip' });
      const decided: GpuClipStep = plan.clipCoefficient(new GradMonitor());
      const ready: void = await plan.ready;
      const later: number = await step.norm();
      plan.clipGradValue(1);
      const mixed: number = await gpu.gradNorm([new Float32Array(1), { buffer, length: 1 }], 2);
      // @ts-expect-error
      gpu.plan({ buffer, length: 1, dtype: 'float64' });
      // @ts-expect-error
      plan.clipGradNorm('1');
      plan.destroy();
      gpu.destroy();
      export { both, decided, later, mixed, norm, numbers, parameters, ready, same, some, wrong };`,
    );
    const options = { ...STRICT, module: 'nodenext' };
    assert.deepEqual(await compile('webgpu', options, ['webgpu.mts']), []);
    const node = { types: ['node'], typeRoots: [join(ROOT, 'node_modules', '@types')] };
    const bare = { ...STRICT, ...node, lib: ['es2022'], module: 'nodenext', skipLibCheck: true };
    assert.deepEqual(await compile('webgpu-bare', bare, ['webgpu.mts']), []);
  });

  test('no declaration but types.d.ts names a type of WebGPU, which older libraries of TypeScript do not know', () => {
    const folder = join(installed, 'dist', 'types', 'web');
    const code = (/** @type {string} */ name) =>
      readFileSync(join(folder, name), 'utf8').replace(/\/\*[^]*?\*\/|\/\/.*/g, '');
    const names = filesIn(folder).filter((name) => /\bGPU[A-Z]/.test(code(name)));
    assert.deepEqual(names, [join('webgpu', 'types.d.ts')]);
  });

  test('a project for Node.js without the DOM library', async () => {
    writeFileSync(
      join(project, 'server.mts'),
      `import { gradNorm, init } from 'gradnorm';
      await init(new Uint8Array(8));
      const norm: number = gradNorm({ w: new Float32Array(1) });
      // @ts-expect-error
      gradNorm([1]);
      console.log(norm);`,
    );
    const node = { types: ['node'], typeRoots: [join(ROOT, 'node_modules', '@types')] };
    const options = { ...STRICT, ...node, lib: ['es2022'], module: 'nodenext', skipLibCheck: true };
    assert.deepEqual(await compile('server', options, ['server.mts']), []);
  });
});
