// tests/bench/options.js: the command line of the benchmark.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export const HELP = `Usage: npm run bench -- [options]

Measures gradnorm against its peers in one interleaved run and prints a table for each case.

  --quick          small sizes and few rounds, under a minute: does everything work?
  --case NAME      only the case NAME ('16M p=2', '16M clip', 'first call', 'command', 'demo page'), or, where there is
                   none of that name, all whose names contain it ('16M', 'p=3', 'report', 'gpt'); may be repeated
  --rounds N       at most N samples of each contender in each case (default 25; with --quick 5), four times as
                   many where a promise is an upper limit
  --all            slow contenders take part in the GPT-2 case too (7 GB of memory instead of 4)
  --json PATH      where the samples and figures go (default build/bench/results.json)
  --markdown       print the tables as Markdown
  --check          exit with 1 when a promise of the last table is missed or not measured
  --library PATH   another build of gradnorm to measure (default: the one of this repository)
  --against PATH   another version's build, to take part beside ours in one run: no case may be slower
  --help           this text`;

const DEFAULT_JSON = fileURLToPath(new URL('../../build/bench/results.json', import.meta.url));

/**
 * @typedef {object} Options
 * @property {boolean} quick
 * @property {string[]} filters   none: every case
 * @property {number} rounds
 * @property {boolean} all
 * @property {string} json
 * @property {boolean} markdown
 * @property {boolean} check
 * @property {string | undefined} library
 * @property {string | undefined} against
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
      quick: { type: 'boolean', default: false },
      case: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      all: { type: 'boolean', default: false },
      json: { type: 'string', default: DEFAULT_JSON },
      markdown: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      library: { type: 'string' },
      against: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const { quick, case: filters, rounds, ...others } = values;
  const { library, against } = others;
  return { ...others, library, against, quick, filters, rounds: parseRounds(rounds, quick ? 5 : 25) };
}

/**
 * @param {string | undefined} text
 * @param {number} otherwise
 */
function parseRounds(text, otherwise) {
  if (text === undefined) return otherwise;
  if (!/^[1-9]\d{0,5}$/.test(text))
    throw new Error(`--rounds must be an integer from 1 to 999999, got '${text}'`);
  return Number(text);
}
