// tests/bench/child.js: the process of a contender, or of a few that share it, as the benchmark sees it: asks by a
// line, waits for the line that answers. serve.js documents the lines.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { SEED } from '../../web/demo/measure/data.js';

/** Running contenders, which count from 0. Between two requests they are blocked on their input. */
export class Child {
  /** @param {string[]} command a program that answers as serve.js does, and its arguments */
  constructor([program, ...words]) {
    this.process = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.process.stdin.on('error', () => {}); // request() reports a dead process
    this.replies = createInterface({ input: this.process.stdout })[Symbol.asyncIterator]();
    /** How it ended, in words. @type {Promise<string>} */
    this.end = new Promise((resolve) => {
      this.process.on('error', ({ message }) => resolve(message));
      this.process.on('close', (code, signal) => resolve(`its process ended (${signal ?? `code ${code}`})`));
    });
  }

  /**
   * Makes the tensors of a case in the child, in the form that its contenders take.
   * @param {import('./cases.js').BenchCase} benchCase
   * @param {number} checksum of the tensors
   * @throws {Error} if the child has others
   */
  async prepare({ task, dtype, lengths, normType }, checksum) {
    const reply = await this.request(`prepare ${task} ${dtype} ${normType} ${SEED} ${lengths.join(' ')}`);
    if (parseInt(reply, 16) !== checksum) throw new Error('its data differ from those of the benchmark');
  }

  /**
   * Runs on these tensors for a while.
   * @param {number} contender
   * @param {number} milliseconds
   * @returns {Promise<number>} the nanoseconds of the fastest run
   */
  async warmUp(contender, milliseconds) {
    return Number(await this.request(`warm ${contender} ${milliseconds}`));
  }

  /**
   * @param {number} contender
   * @param {number} repeats
   * @returns {Promise<number>} the nanoseconds of one
   */
  async run(contender, repeats) {
    return Number(await this.request(`run ${contender} ${repeats}`));
  }

  /**
   * @param {number} contender
   * @returns {Promise<number>} the norm according to its runs
   */
  async value(contender) {
    return Number(await this.request(`value ${contender}`));
  }

  /**
   * @param {string} line
   * @returns {Promise<string>} the reply
   * @throws {Error} the child's, with its code, or one that tells how the child ended
   */
  async request(line) {
    this.process.stdin.write(`${line}\n`);
    const { value, done } = await this.replies.next();
    if (done) throw new Error(await this.end);
    const [, code, message] = /^error (\S+) (.*)$/.exec(value) ?? [];
    if (code !== undefined) throw Object.assign(new Error(message), { code });
    return value;
  }

  /** Ends the process, whatever it does, and waits until its memory is free for the next case. */
  async stop() {
    this.process.kill();
    await this.end;
  }
}
