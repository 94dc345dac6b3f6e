// tests/setup.test.js: the set-up, as people meet it: nothing to do, nothing to do it with, a wrong word.
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeTemporaryFolder, ROOT, runNode } from './support.js';

test('a build with nothing changed does nothing', async () => {
  const bundle = join(ROOT, 'dist', 'gradnorm.js');
  const before = statSync(bundle).mtimeMs;
  const { status, stdout, stderr } = await runNode(['tools/run.js', 'build']);
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: '', stderr: '» dist/ is built\n' });
  assert.equal(statSync(bundle).mtimeMs, before);
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
  assert.equal(stderr, 'usage: node tools/run.js build | start | bench | test | format\n');
});
