// tests/bench/native.js: compiles native_loop.cpp for this processor and talks with its process, so that the
// native loop takes its turns among the JavaScript contenders.

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { SEED, checksum } from './data.js';

const SOURCE = fileURLToPath(new URL('native_loop.cpp', import.meta.url));
const FOLDER = fileURLToPath(new URL('../../build/bench/', import.meta.url));
const PROGRAM = `${FOLDER}native_loop${process.platform === 'win32' ? '.exe' : ''}`;

const COMPILERS = ['c++', 'g++', 'clang++'];
// Some compilers for ARM know only the second spelling.
const TUNINGS = ['-march=native', '-mcpu=native'];

/**
 * @returns {string} the command that made the program
 * @throws {Error} if no compiler does
 */
function compile() {
  mkdirSync(FOLDER, { recursive: true });
  for (const compiler of COMPILERS) {
    for (const tuning of TUNINGS) {
      const flags = ['-std=c++17', '-O3', tuning, '-ffast-math'];
      const { status } = spawnSync(compiler, [...flags, SOURCE, '-o', PROGRAM], { stdio: 'ignore' });
      if (status === 0) return [compiler, ...flags].join(' ');
    }
  }
  throw new Error(`no native C++ compiler works (tried ${COMPILERS.join(', ')})`);
}

/** The running native loop. */
export class NativeLoop {
  /** Compiles and starts. @throws {Error} without a compiler */
  constructor() {
    this.command = compile();
    this.process = spawn(PROGRAM, { stdio: ['pipe', 'pipe', 'inherit'] });
    // A dead process is reported by request(); without listeners its errors would end the benchmark.
    this.process.on('error', () => {});
    this.process.stdin.on('error', () => {});
    this.replies = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
    this.prepared = '';
  }

  /**
   * @param {string} line
   * @returns {Promise<string>} the reply
   */
  async request(line) {
    this.process.stdin.write(`${line}\n`);
    const { value, done } = await this.replies.next();
    if (done) throw new Error('the native process ended');
    return value;
  }

  /**
   * Makes the same tensors in the native process, unless it has them from the case before.
   * @param {Float32Array[]} tensors
   */
  async prepare(tensors) {
    const lengths = tensors.map((tensor) => tensor.length).join(' ');
    if (lengths === this.prepared) return;
    this.prepared = '';
    const reply = await this.request(`prepare ${SEED} ${lengths}`);
    if (parseInt(reply, 16) !== checksum(tensors))
      throw new Error('native data differ from the JavaScript data');
    this.prepared = lengths;
  }

  /**
   * @param {number} normType
   * @param {number} repeats
   * @returns {Promise<{ nanoseconds: number, value: number }>} the time of one repeat, and the norm
   */
  async run(normType, repeats) {
    const [nanoseconds, bits] = (await this.request(`run ${normType} ${repeats}`)).split(' ');
    const value = new Float64Array(BigUint64Array.of(BigInt(`0x${bits}`)).buffer)[0];
    return { nanoseconds: Number(nanoseconds), value };
  }

  stop() {
    this.process.stdin.end();
  }
}
