// tests/bench/gpu/options.js: the command line of the GPU benchmark.
import { parseArgs } from 'node:util';

export const HELP = `Usage: npm run bench:gpu -- [options]
       node dist/bench-gpu/bench.js [options]       where it was carried: needs dist/ and Dawn's binding

Measures norms and clipping on a GPU in one interleaved run, against copying and tfjs-webgpu.

  --sizes LIST     MiB of the single tensors (default 1,64,1000; on software 1,8)
  --full           the usual sizes on software, too: takes an hour
  --rounds N       at most N samples of each contender in each table (default 15)
  --dawn PATH      Dawn's binding (default: .gpu/dawn.node, if it is there, or the npm package webgpu)
  --prepare        only write dist/bench-gpu/ (npm run bench:gpu)
  --json PATH      where to write the samples and figures (default: nowhere)
  --markdown       print the tables as Markdown
  --check          exit with 1 when a target is missed; software is not judged
  --help           this text`;

/**
 * @typedef {object} Options
 * @property {number[] | null} sizes   null: by the kind of device
 * @property {boolean} full
 * @property {number} rounds
 * @property {string | undefined} dawn
 * @property {string | undefined} json
 * @property {boolean} markdown
 * @property {boolean} check
 * @property {boolean} help
 */

/**
 * @param {string[]} words
 * @returns {Options}
 * @throws {Error} with one line that names the option
 */
export function parseOptions(words) {
  const { values } = parseArgs({
    args: words,
    options: {
      sizes: { type: 'string' },
      full: { type: 'boolean', default: false },
      rounds: { type: 'string', default: '15' },
      dawn: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { sizes, rounds, dawn, json, ...flags } = values;
  const [count] = parseNumbers('--rounds', rounds);
  return {
    ...flags,
    dawn,
    json,
    rounds: count,
    sizes: sizes === undefined ? null : parseNumbers('--sizes', sizes),
  };
}

/**
 * @param {string} option
 * @param {string} text
 */
function parseNumbers(option, text) {
  const numbers = text.split(',').map(Number);
  if (numbers.every((number) => Number.isInteger(number) && number > 0 && number < 1e6)) return numbers;
  throw new Error(`${option} is '${text}'; expected whole numbers > 0`);
}
