// tests/bench/native.js: compiles native_loop.cpp for this processor.

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('native_loop.cpp', import.meta.url));
const FOLDER = fileURLToPath(new URL('../../build/bench/', import.meta.url));
const PROGRAM = `${FOLDER}native_loop${process.platform === 'win32' ? '.exe' : ''}`;

const COMPILERS = ['c++', 'g++', 'clang++'];
// Some compilers for ARM know only the second spelling.
const TUNINGS = ['-march=native', '-mcpu=native'];

let isCompiled = false;

/**
 * Compiles once a run of the benchmark: the program of the last run may be older than its source.
 * @returns {string} the path of the program
 * @throws {Error} without a compiler
 */
export function nativeProgram() {
  isCompiled ||= compile();
  if (!isCompiled) throw new Error(`no native C++ compiler works (tried ${COMPILERS.join(', ')})`);
  return PROGRAM;
}

/** @returns {boolean} whether a compiler made the program */
function compile() {
  mkdirSync(FOLDER, { recursive: true });
  return COMPILERS.some((compiler) =>
    TUNINGS.some((tuning) => {
      const flags = ['-std=c++17', '-O3', tuning, '-ffast-math'];
      return spawnSync(compiler, [...flags, SOURCE, '-o', PROGRAM], { stdio: 'ignore' }).status === 0;
    }),
  );
}
