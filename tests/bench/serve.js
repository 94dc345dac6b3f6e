// tests/bench/serve.js: the other end of child.js: a contender in a process of its own, where no other can
// slow it down. (A library that grows its WebAssembly memory detaches an ArrayBuffer. From the first one on
// V8 checks for that at every access to a typed array, in every loop of the process: a plain loop with
// `tensor.length` in its condition took almost twice as long.)
//
// Requests come by standard input, one a line; each is answered by one line. native_loop.cpp does the same.
//   prepare <p> <seed> <length> <length> ...   make the tensors   -> <checksum, hexadecimal>
//   warm <milliseconds>                        run for so long    -> <nanoseconds of the fastest run>
//   run <repeats>                              run that often     -> <nanoseconds of one> <norm>
//                                              (after once untimed, if more than once)
// What fails is answered by
//   error <code, or -> <message>

import { Console } from 'node:console';
import { createInterface } from 'node:readline';
import { checksum, makeTensors } from './data.js';

/**
 * A contender with its data, ready to run as often as asked.
 * @typedef {() => number} Run
 */

/** @typedef {(tensors: Float32Array[], normType: number) => Promise<Run>} Prepare */

/** A tensor long enough to reach the inner loops, short enough to end many calls before V8 compiles them. */
const COMPILE_LENGTH = 2 ** 10;

/**
 * Answers requests until the input ends, then ends the process.
 * @param {Prepare} prepare
 * @param {number} compileTime milliseconds of runs on a small tensor, for the just-in-time compiler
 */
export async function serve(prepare, compileTime) {
  globalThis.console = new Console(process.stderr); // what a library prints must not get among the replies
  process.stdout.on('error', () => process.exit()); // the benchmark is gone
  const server = new Server(prepare, compileTime);
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${await server.answer(line)}\n`);
  }
  process.exit(); // a library may have left a timer or a worker
}

class Server {
  /**
   * @param {Prepare} prepareRun
   * @param {number} compileTime
   */
  constructor(prepareRun, compileTime) {
    this.prepareRun = prepareRun;
    this.compileTime = compileTime;
    /** @type {Run} */
    this.preparedRun = () => NaN;
  }

  /**
   * @param {string} line
   * @returns {Promise<string>}
   */
  async answer(line) {
    const [verb, ...words] = line.split(' ');
    const numbers = words.map(Number);
    try {
      if (verb === 'prepare') return await this.prepare(numbers);
      if (verb === 'warm') return this.warmUp(numbers[0]);
      if (verb === 'run') return this.run(numbers[0]);
      throw new Error(`unknown request: ${line}`);
    } catch (error) {
      return describe(error);
    }
  }

  /** @param {number[]} numbers */
  async prepare([normType, seed, ...lengths]) {
    await this.compileLoops(normType);
    const tensors = makeTensors(lengths, seed);
    const hash = checksum(tensors);
    this.preparedRun = await this.prepareRun(tensors, normType);
    return hash.toString(16);
  }

  /**
   * Lets V8 compile the contender's loops on many short calls, from their entry. What it swaps in half-way
   * through a long call instead (on-stack replacement) knows nothing of the code after the loop, and now and
   * then the process is left with a loop that is up to five times as slow: nobody's real loop after the first
   * thousand steps of a training.
   * @param {number} normType
   */
  async compileLoops(normType) {
    const run = await this.prepareRun(makeTensors([COMPILE_LENGTH]), normType);
    const end = performance.now() + this.compileTime;
    while (performance.now() < end) {
      time(run, 10);
      await new Promise((resolve) => setImmediate(resolve)); // lets finished machine code be installed
    }
  }

  /** @param {number} milliseconds */
  warmUp(milliseconds) {
    const end = performance.now() + milliseconds;
    let fastest = Infinity; // any other may have been interrupted
    do fastest = Math.min(fastest, time(this.preparedRun, 1).nanoseconds);
    while (performance.now() < end);
    return String(fastest);
  }

  /** @param {number} repeats */
  run(repeats) {
    // What is short is measured in warm caches. Otherwise the slower of two contenders, with fewer repeats,
    // would pay a larger share for what the others left there.
    if (repeats > 1) this.preparedRun();
    const { nanoseconds, value } = time(this.preparedRun, repeats);
    return `${nanoseconds} ${value}`;
  }
}

/**
 * @param {Run} run
 * @param {number} repeats
 * @returns {import('./child.js').Sample}
 */
function time(run, repeats) {
  let value = NaN;
  const start = process.hrtime.bigint();
  for (let repeat = 0; repeat < repeats; repeat++) value = run();
  return { nanoseconds: Number(process.hrtime.bigint() - start) / repeats, value };
}

/**
 * @param {any} error
 * @returns {string} the reply that tells it
 */
function describe(error) {
  const [message] = String(error?.message ?? error).split('\n');
  return `error ${error?.code ?? '-'} ${message}`;
}
