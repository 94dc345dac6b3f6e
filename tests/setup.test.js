// tests/setup.test.js: the set-up, as people meet it: nothing to do, nothing to do it with, a wrong word.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { INPUTS } from '../tools/build.js';
import { makeTemporaryFolder, ROOT, runNode } from './support.js';

const NO_STEP = '» dist/ is built\n';
const ALL_STEPS =
  '» building the WebAssembly module\n» bundling the JavaScript\n» writing the type declarations\n' + NO_STEP;

/**
 * A copy of what the build reads, with compilers that only pretend, so that no test touches dist/ of the repository,
 * which other suites use, or depends on whether it is built.
 */
function copyOfTheTree() {
  const folder = makeTemporaryFolder();
  for (const name of INPUTS) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true, preserveTimestamps: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');
  mkdirSync(join(folder, 'bin'));
  for (const name of ['emcc', 'emcmake', 'cmake', 'ninja']) {
    const program = '#!/bin/sh\nmkdir -p build/wasm && printf compiled > build/wasm/gradnorm.wasm\n';
    writeFileSync(join(folder, 'bin', name), program, { mode: 0o755 });
  }
  return folder;
}

/**
 * @param {string} folder
 * @returns {string}  what the build says
 */
function build(folder) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['tools/run.js', 'build'], {
    cwd: folder,
    env: { ...process.env, PATH: `${join(folder, 'bin')}${delimiter}${process.env.PATH}` },
    encoding: 'utf8',
  });
  assert.deepEqual({ status, stdout }, { status: 0, stdout: '' }, stderr);
  return stderr;
}

test('a build with nothing changed does nothing, one with a changed source builds', () => {
  const folder = copyOfTheTree();
  const bundle = join(folder, 'dist', 'gradnorm.js');
  assert.equal(build(folder), ALL_STEPS);
  assert.ok(existsSync(join(folder, 'dist', 'types', 'web', 'index.d.ts')));
  const before = statSync(bundle).mtimeMs;
  assert.equal(build(folder), NO_STEP);
  assert.equal(statSync(bundle).mtimeMs, before);

  appendFileSync(join(folder, 'src', 'norm.cpp'), '// changed\n');
  assert.equal(build(folder), ALL_STEPS);
  assert.notEqual(statSync(bundle).mtimeMs, before);
});

test('without Emscripten and without apt-get: one message with the commands, exit code 1', () => {
  const folder = makeTemporaryFolder();
  for (const name of ['tools', 'package.json', 'package-lock.json']) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  mkdirSync(join(folder, 'node_modules'));
  writeFileSync(join(folder, 'node_modules', '.package-lock.json'), '{}'); // newer than the lock: installed
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
    'usage: node tools/run.js build | start | bench | bench:gpu | demo | demo:build | test | format\n',
  );
});
