// tests/setup.test.js: the set-up, as people meet it: nothing to do, nothing to do it with, a wrong word.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { INPUTS } from '../tools/build.js';
import { makeTemporaryFolder, ROOT, runNode } from './support.js';

const MODULE = join(ROOT, 'dist', 'gradnorm.wasm');
const NO_STEP = '» dist/ is built\n';
const ALL_STEPS =
  '» building the WebAssembly module\n» gathering the JavaScript\n» writing the type declarations\n' +
  NO_STEP;

/**
 * A copy of what the build reads, with compilers that only pretend and hand out the module of the repository, so that no
 * test writes to its dist/, which other suites use.
 */
function copyOfTheTree() {
  const folder = makeTemporaryFolder();
  for (const name of INPUTS) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true, preserveTimestamps: true });
  }
  installPackages(folder);
  mkdirSync(join(folder, 'bin'));
  pretend(folder, 'emcc', `echo "emcc (a pretence) $(cat '${folder}/version')"`);
  pretend(folder, 'ninja', 'exit 0');
  // Configuring names the folder after -B and leaves a cache there, building names it after --build.
  const cmake = `
    while [ $# -gt 0 ]; do
      case $1 in
        -B) mkdir -p "$2" && echo "for $(cat '${folder}/version')" >> "$2/CMakeCache.txt";;
        --build) cp '${MODULE}' "$2/gradnorm.wasm";;
      esac
      shift
    done`;
  pretend(folder, 'emcmake', cmake);
  pretend(folder, 'cmake', cmake);
  install(folder, '3.1.6');
  return folder;
}

/**
 * Rollup, and a tsc that only pretends, which would take most of the time.
 * @param {string} folder
 */
function installPackages(folder) {
  const packages = join(folder, 'node_modules');
  mkdirSync(join(packages, 'typescript', 'bin'), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules', '@rollup'), join(packages, '@rollup'), 'junction');
  writeFileSync(
    join(packages, 'typescript', 'bin', 'tsc'),
    `const { mkdirSync, writeFileSync } = require('node:fs');
    for (const name of ['build', 'web/webgpu']) mkdirSync('dist/types/' + name, { recursive: true });
    writeFileSync('dist/types/web/api.d.ts', '');`,
  );
  writeFileSync(join(packages, '.package-lock.json'), '{}'); // newer than the lock: installed
}

/**
 * @param {string} folder
 * @param {string} name
 * @param {string} script
 */
function pretend(folder, name, script) {
  writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/**
 * @param {string} folder
 * @param {string} version  of the Emscripten that is there from now on
 */
function install(folder, version) {
  writeFileSync(join(folder, 'version'), version);
}

/**
 * @param {string} folder
 * @param {string} [path]  where else programs are looked for
 */
function tryToBuild(folder, path = process.env.PATH) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['tools/run.js', 'build'], {
    cwd: folder,
    env: { ...process.env, PATH: `${join(folder, 'bin')}${delimiter}${path}` },
    encoding: 'utf8',
  });
  assert.equal(stdout, '');
  return { status, stderr };
}

/**
 * @param {string} folder
 * @param {string} [path]
 * @returns {string}  what the build says
 */
function build(folder, path) {
  const { status, stderr } = tryToBuild(folder, path);
  assert.equal(status, 0, stderr);
  return stderr;
}

test('a build with nothing changed does nothing, one with a changed source builds', () => {
  const folder = copyOfTheTree();
  const bundle = join(folder, 'dist', 'gradnorm.js');
  assert.equal(build(folder), ALL_STEPS);
  assert.ok(existsSync(join(folder, 'dist', 'types', 'web', 'api.d.ts')));
  const before = statSync(bundle).mtimeMs;
  assert.equal(build(folder), NO_STEP);
  assert.equal(statSync(bundle).mtimeMs, before);

  appendFileSync(join(folder, 'src', 'norm.cpp'), '// changed\n');
  assert.equal(build(folder), ALL_STEPS);
  assert.notEqual(statSync(bundle).mtimeMs, before);
});

test('another version of Emscripten builds anew, in a folder where nothing of the one before is left', () => {
  const folder = copyOfTheTree();
  const cache = join(folder, 'build', 'wasm', 'CMakeCache.txt');
  build(folder);
  appendFileSync(join(folder, 'src', 'norm.cpp'), '// changed\n');
  assert.equal(build(folder), ALL_STEPS);
  assert.equal(readFileSync(cache, 'utf8'), 'for 3.1.6\n', 'configured once for one compiler');
  install(folder, '3.1.69');
  assert.equal(build(folder), ALL_STEPS);
  assert.equal(readFileSync(cache, 'utf8'), 'for 3.1.69\n');
  assert.equal(build(folder), NO_STEP);
});

test('a folder of CMake that was configured elsewhere, or not to the end, is configured anew', () => {
  const folder = copyOfTheTree();
  const cache = join(folder, 'build', 'wasm', 'CMakeCache.txt');
  mkdirSync(join(folder, 'build', 'wasm'), { recursive: true });
  writeFileSync(cache, 'half\n');
  build(folder);
  assert.equal(readFileSync(cache, 'utf8'), 'for 3.1.6\n');

  const moved = join(makeTemporaryFolder(), 'moved');
  renameSync(folder, moved);
  mkdirSync(folder);
  install(folder, '3.1.6 moved');
  appendFileSync(join(moved, 'src', 'norm.cpp'), '// changed\n');
  build(moved);
  assert.equal(readFileSync(join(moved, 'build', 'wasm', 'CMakeCache.txt'), 'utf8'), 'for 3.1.6 moved\n');
});

test('dist/ that is built needs no Emscripten, nor one that works; a stamp that cannot be read builds anew', () => {
  const folder = copyOfTheTree();
  build(folder);
  pretend(folder, 'emcc', 'echo broken >&2; exit 1');
  assert.equal(build(folder), NO_STEP);
  rmSync(join(folder, 'bin', 'emcc'));
  assert.equal(build(folder, ''), NO_STEP);

  pretend(folder, 'emcc', 'echo 3.1.6');
  writeFileSync(join(folder, 'build', 'stamp'), 'of another form');
  assert.equal(build(folder), ALL_STEPS);
});

test('a module that web/core/embind.js cannot load fails the build, with what differs and the versions', () => {
  const folder = copyOfTheTree();
  install(folder, '4.0.1');
  pretend(
    folder,
    'cmake',
    `sed 's/_embind_register_void/_embind_register_vojd/' '${MODULE}' > "$2/gradnorm.wasm"`,
  );
  const { status, stderr } = tryToBuild(folder);
  assert.equal(status, 1);
  assert.equal(
    stderr,
    '» building the WebAssembly module\n' +
      'the module imports env._embind_register_vojd, which web/core/embind.js does not know; ' +
      'made by Emscripten 4.0.1; tried are 3.1.6 and 3.1.69\n',
  );
  assert.ok(!existsSync(join(folder, 'build', 'stamp')), 'the next build tries again');
});

test('without Emscripten and without apt-get: one message with the commands, exit code 1', () => {
  const folder = makeTemporaryFolder();
  for (const name of ['tools', 'web', 'package.json', 'package-lock.json']) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  installPackages(folder);
  mkdirSync(join(folder, 'bin'));
  symlinkSync(process.execPath, join(folder, 'bin', 'node'));
  const { status, stdout, stderr } = spawnSync(process.execPath, ['tools/run.js', 'start'], {
    cwd: folder,
    env: { PATH: join(folder, 'bin') },
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.equal(stdout, '');
  assert.equal(
    stderr,
    `missing: emcc, cmake, ninja
gradnorm needs Emscripten, CMake and Ninja to build. Install them and run the command again:
  Debian, Ubuntu   sudo apt-get install emscripten cmake ninja-build
  macOS            brew install emscripten cmake ninja
  elsewhere        git clone https://github.com/emscripten-core/emsdk, then in its folder
                   ./emsdk install latest && ./emsdk activate latest && . ./emsdk_env.sh
                   and CMake and Ninja from your system's packages
`,
  );
});

test('a command that is not one: the list of those that are, exit code 1', async () => {
  const { status, stderr } = await runNode(['tools/run.js', 'tset']);
  assert.equal(status, 1);
  assert.equal(
    stderr,
    'usage: node tools/run.js build | start | bench | bench:gpu | demo | demo:build | test | test:thorough | test:runtimes | docs | format\n',
  );
});
