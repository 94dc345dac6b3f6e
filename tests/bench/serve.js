// tests/bench/serve.js: the other end of child.js: a contender in a process of its own, where no other can
// slow it down. (A library that grows its WebAssembly memory detaches an ArrayBuffer. From the first one on
// V8 checks for that at every access to a typed array, in every loop of the process: a plain loop with
// `tensor.length` in its condition took almost twice as long.)
//
// Those that are compared to a few percent share a process, and so the memory that their tensors lie in: two
// processes of the very same contender are up to 8 % apart for as long as they live.
//
// Requests come by standard input, one a line; each is answered by one line. native_loop.cpp does the same.
//   prepare <task> <dtype> <p> <seed> <length> ...   make the tensors   -> <checksum, hexadecimal>
//   warm <contender> <milliseconds>                  run for so long    -> <nanoseconds of the fastest run>
//   run <contender> <repeats>                        run that often     -> <nanoseconds of one>
//                                                    (after once untimed, if more than once)
//   value <contender>                                tell the norm      -> <norm according to the runs so far>
// Contenders count from 0. What fails is answered by
//   error <code, or -> <message>

import { Console } from 'node:console';
import { createInterface } from 'node:readline';
import { checksum, makeTensors } from '../../web/demo/measure/data.js';
import { makeRoutine } from './task.js';

/** @typedef {import('../../web/demo/measure/data.js').Tensor} Tensor */
/** @typedef {import('./task.js').Prepare} Prepare */
/** @typedef {import('./task.js').Routine} Routine */
/** @typedef {import('./task.js').Work} Work */

/** A tensor long enough to reach the inner loops, short enough to end many calls before V8 compiles them. */
const COMPILE_LENGTH = 2 ** 10;

/**
 * Answers requests until the input ends, then ends the process.
 * @param {Prepare[]} contenders
 * @param {number} compileTime milliseconds of runs on a small tensor, for the just-in-time compiler
 */
export async function serve(contenders, compileTime) {
  globalThis.console = new Console(process.stderr); // what a library prints must not get among the replies
  process.stdout.on('error', () => process.exit()); // the benchmark is gone
  const server = new Server(contenders, compileTime);
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${await server.answer(line)}\n`);
  }
  process.exit(); // a library may have left a timer or a worker
}

class Server {
  /**
   * @param {Prepare[]} contenders
   * @param {number} compileTime
   */
  constructor(contenders, compileTime) {
    this.contenders = contenders;
    this.compileTime = compileTime;
    /** One for each contender. @type {Routine[]} */
    this.routines = [];
  }

  /**
   * @param {string} line
   * @returns {Promise<string>}
   */
  async answer(line) {
    const [verb, ...words] = line.split(' ');
    try {
      if (verb === 'prepare') return await this.prepare(words);
      const routine = this.routines[Number(words[0])];
      if (verb === 'warm') return String(warmUp(routine, Number(words[1])));
      if (verb === 'run') return String(run(routine, Number(words[1])));
      if (verb === 'value') return String(routine.value());
      throw new Error(`unknown request: ${line}`);
    } catch (error) {
      return describe(error);
    }
  }

  /** @param {string[]} words */
  async prepare([task, dtype, ...words]) {
    const [normType, seed, ...lengths] = words.map(Number);
    const work = /** @type {Work} */ ({ task, dtype, normType });
    await this.compileLoops(work);
    const tensors = makeTensors(lengths, work.dtype, seed);
    const hash = checksum(tensors);
    this.routines = await this.makeRoutines(tensors, work);
    return hash.toString(16);
  }

  /**
   * @param {Tensor[]} tensors
   * @param {Work} work
   */
  async makeRoutines(tensors, work) {
    const routines = [];
    for (const prepare of this.contenders) {
      routines.push(makeRoutine(await prepare(tensors, work), tensors, work));
    }
    return routines;
  }

  /**
   * Lets V8 compile the contenders' loops on many short calls, from their entry. What it swaps in half-way
   * through a long call instead (on-stack replacement) knows nothing of the code after the loop, and now and
   * then the process is left with a loop that is up to five times as slow: nobody's real loop after the first
   * thousand steps of a training.
   * @param {Work} work
   */
  async compileLoops(work) {
    const routines = await this.makeRoutines(makeTensors([COMPILE_LENGTH], work.dtype), work);
    const end = performance.now() + this.compileTime;
    while (performance.now() < end) {
      for (const routine of routines) time(routine, 10);
      await new Promise((resolve) => setImmediate(resolve)); // lets finished machine code be installed
    }
  }
}

/**
 * @param {Routine} routine
 * @param {number} milliseconds
 * @returns {number} the nanoseconds of the fastest run: any other may have been interrupted
 */
function warmUp(routine, milliseconds) {
  const end = performance.now() + milliseconds;
  let fastest = Infinity;
  do fastest = Math.min(fastest, time(routine, 1));
  while (performance.now() < end);
  return fastest;
}

/**
 * @param {Routine} routine
 * @param {number} repeats
 * @returns {number} the nanoseconds of one
 */
function run(routine, repeats) {
  // What is short is measured in warm caches. Otherwise the slower of two contenders, with fewer repeats,
  // would pay a larger share for what the others left there.
  if (repeats > 1) routine.run();
  return time(routine, repeats);
}

/**
 * @param {Routine} routine
 * @param {number} repeats
 * @returns {number} the nanoseconds of one
 */
function time(routine, repeats) {
  const start = process.hrtime.bigint();
  for (let repeat = 0; repeat < repeats; repeat++) routine.run();
  return Number(process.hrtime.bigint() - start) / repeats;
}

/**
 * @param {any} error
 * @returns {string} the reply that tells it
 */
function describe(error) {
  const [message] = String(error?.message ?? error).split('\n');
  return `error ${error?.code ?? '-'} ${message}`;
}
