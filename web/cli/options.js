// web/cli/options.js: the command line.
import { parseArgs } from 'node:util';
import { InputError, printable } from './words.js';

export const HELP = `Usage: gradnorm FILE... [options]

Measures the gradients in .safetensors, .npy and .npz files: the p-norm of all of them, as if they were one
vector, and a row for each tensor.

  --p P            of the norm: a number > 0, or inf (default 2)
  --per-tensor     a row for each tensor; without it, of more than 40 those that matter most
  --top N          rows for the N tensors with the largest norms, the largest first; those not finite before all
  --max-norm M     say what clipping to the norm M would multiply by
  --fail-above X   exit with 2 if the norm is above X, or is not finite
  --json           one line of JSON instead of text
  --watch          measure again whenever a file changes
  --help           this text
  --version        the version

Exit codes: 0, 1 for a file or an option that is wrong, 2 as --fail-above says.`;

const USAGE = "try 'gradnorm --help'";

/**
 * @typedef {object} Options
 * @property {string[]} paths
 * @property {number} normType
 * @property {boolean} perTensor
 * @property {number | undefined} top
 * @property {number | undefined} maxNorm
 * @property {number | undefined} failAbove
 * @property {boolean} json
 * @property {boolean} watch
 * @property {boolean} help
 * @property {boolean} version
 */

/**
 * @param {string[]} words
 * @returns {Options}
 */
export function parseOptions(words) {
  const { values, positionals: paths } = parse(words);
  const {
    help = false,
    version = false,
    json = false,
    watch = false,
    'per-tensor': perTensor = false,
  } = values;
  if (paths.length === 0 && !help && !version) {
    throw new InputError(
      `no file is named; expected at least one .safetensors, .npy or .npz file (${USAGE})`,
    );
  }
  const normType = numberOf('p', values.p, 'a number > 0, or inf', (value) => value > 0) ?? 2;
  const top = numberOf(
    'top',
    values.top,
    'a whole number > 0',
    (value) => value > 0 && Number.isSafeInteger(value),
  );
  const isLimit = (/** @type {number} */ value) => value >= 0;
  const maxNorm = numberOf('max-norm', values['max-norm'], 'a number >= 0, or inf', isLimit);
  const failAbove = numberOf('fail-above', values['fail-above'], 'a number >= 0, or inf', isLimit);
  return { paths, normType, perTensor, top, maxNorm, failAbove, json, watch, help, version };
}

/** @param {string[]} args */
function parse(args) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        p: { type: 'string' },
        'per-tensor': { type: 'boolean' },
        top: { type: 'string' },
        'max-norm': { type: 'string' },
        'fail-above': { type: 'string' },
        json: { type: 'boolean' },
        watch: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    });
  } catch (error) {
    const [sentence] = /** @type {Error} */ (error).message.split(/\.?\n|\. /);
    throw new InputError(`${printable(sentence)} (${USAGE})`);
  }
}

/**
 * @param {string} name
 * @param {string | undefined} text
 * @param {string} expected
 * @param {(value: number) => boolean} accepts
 * @returns {number | undefined}
 */
function numberOf(name, text, expected, accepts) {
  if (text === undefined) return undefined;
  const isInfinity = /^\+?inf(inity)?$/i.test(text);
  const value = isInfinity ? Infinity : /^[-+\d.][\d.]*(e[-+]?\d+)?$/i.test(text) ? Number(text) : NaN;
  if (accepts(value)) return value;
  throw new InputError(`--${name} is '${printable(text)}'; expected ${expected}`);
}
