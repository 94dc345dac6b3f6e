// tests/bench/cases.js: which shapes are measured, what is done to them, and what gradnorm promises on them.

import { gpt2Lengths } from '../../web/demo/measure/data.js';

/** @typedef {import('./task.js').Task} Task */

/**
 * @typedef {object} CaseIdentity
 * @property {string} id          stable name that the targets refer to, the same in a quick run
 * @property {string} name        what is printed and what --case filters: the true sizes
 * @property {string} group       title of the summary that it is a row of
 * @property {boolean} huge       slow contenders stay out unless --all is given
 */

/**
 * @typedef {object} Shape
 * @property {string} id
 * @property {string} name
 * @property {number[]} lengths   elements of every tensor of the list
 * @property {boolean} [huge]
 */

/** @typedef {CaseIdentity & import('./task.js').Work & { lengths: number[] }} BenchCase */

const NORM_TYPES = [2, 1, Infinity, 3, 1.5, 2.7];

/**
 * @param {boolean} quick small sizes, to see that everything works
 * @returns {BenchCase[]}
 */
export function makeCases(quick) {
  const { large, medium, quarter, small, list, tiny, gpt2 } = makeShapes(quick);
  return [
    ...NORM_TYPES.map((normType) => makeNormCase(large, normType)),
    ...[medium, quarter, small, list, tiny, gpt2].map((shape) => makeNormCase(shape, 2)),
    ...[large, list, tiny].flatMap((shape) => [
      makeCase('clip', shape, 'clip', 'clipping'),
      makeCase('keep', shape, 'clip, none needed', 'clipping'),
    ]),
    ...[large, list, tiny].map((shape) => makeCase('report', shape, 'report', 'reports and partial norms')),
    makeCase('accumulate', gpt2, 'one by one', 'reports and partial norms'),
    makeHalfCase('float16', large),
    makeHalfCase('bfloat16', large),
  ];
}

/** @param {boolean} quick */
function makeShapes(quick) {
  const shorten = quick ? 10 : 1;
  return {
    large: makeArray('large', quick ? 2 ** 18 : 2 ** 24),
    medium: makeArray('medium', quick ? 2 ** 16 : 2 ** 20),
    quarter: makeArray('quarter', quick ? 2 ** 14 : 2 ** 18),
    small: makeArray('small', quick ? 2 ** 12 : 2 ** 16),
    list: makeList('list', 2000 / shorten, 512),
    tiny: makeList('tiny', 10000 / shorten, 16),
    gpt2: {
      id: 'gpt2',
      name: quick ? 'GPT-2 (width 96)' : 'GPT-2',
      lengths: gpt2Lengths(quick ? 96 : 768),
      huge: !quick,
    },
  };
}

/**
 * @param {string} id
 * @param {number} length
 * @returns {Shape}
 */
function makeArray(id, length) {
  return { id, name: sizeName(length), lengths: [length] };
}

/**
 * @param {string} id
 * @param {number} count
 * @param {number} length
 * @returns {Shape}
 */
function makeList(id, count, length) {
  return { id, name: `${count} x ${length}`, lengths: Array(count).fill(length) };
}

/**
 * @param {Shape} shape
 * @param {number} normType
 * @returns {BenchCase}
 */
function makeNormCase(shape, normType) {
  const suffix = `p=${normType === Infinity ? 'inf' : normType}`;
  return { ...makeCase('norm', shape, suffix, 'norms'), id: `${shape.id} ${suffix}`, normType };
}

/**
 * @param {'float16' | 'bfloat16'} dtype
 * @param {Shape} shape
 * @returns {BenchCase}
 */
function makeHalfCase(dtype, shape) {
  return { ...makeCase('norm', shape, dtype, 'half precision'), id: `${shape.id} ${dtype}`, dtype };
}

/**
 * With the 2-norm of float32.
 * @param {Task} task
 * @param {Shape} shape
 * @param {string} suffix of the name
 * @param {string} group
 * @returns {BenchCase}
 */
function makeCase(task, { id, name, lengths, huge = false }, suffix, group) {
  const identity = { id: `${id} ${task}`, name: `${name} ${suffix}`, group, huge };
  return { ...identity, task, dtype: 'float32', normType: 2, lengths };
}

/**
 * @param {number} elements a power of two from 1024 on
 * @returns {string} 65536 is '64k', 16777216 is '16M'
 */
export function sizeName(elements) {
  return elements >= 2 ** 20 ? `${elements / 2 ** 20}M` : `${elements / 2 ** 10}k`;
}

/**
 * A promise about gradnorm and a peer: its time is at least so many times ours (as an aim, more), our time is at
 * most so many times its, or its time so many times ours (where we are the peer, on other elements), or both
 * norms have the same bits. `of` names another row than ours that it is about.
 * @typedef {{ id: string, of?: string, peer: string } & (
 *   { atLeast: number, aim?: number } | { atMost: number } | { itsAtMost: number } | { sameBits: true }
 * )} Target
 */

/** The name of the row of gradients that lie in the core's own memory. */
export const RESIDENT = 'gradnorm, resident';

/** Zeros and NaN take hardly longer than other elements: in each of these cases. */
const ON_ANYTHING = [
  ...NORM_TYPES.map((p) => `p=${p === Infinity ? 'inf' : p}`),
  'report',
  'float16',
  'bfloat16',
];

/** @type {Target[]} */
export const TARGETS = [
  { id: 'large p=2', peer: 'plain JS loop', atLeast: 5 },
  { id: 'large p=2', peer: '8-accumulator JS loop', atLeast: 2.5 },
  { id: 'large p=2', peer: 'tfjs-wasm', atLeast: 5 },
  { id: 'large p=2', peer: 'tfjs-cpu', atLeast: 15 },
  { id: 'large p=2', peer: 'snrm2', atLeast: 10 },
  { id: 'large p=2', peer: 'native C++ loop', atLeast: 0.6, aim: 0.8 },
  { id: 'large p=1', peer: 'plain JS loop', atLeast: 5 },
  { id: 'large p=inf', peer: 'plain JS loop', atLeast: 5 },
  { id: 'large p=3', peer: 'Math.pow JS loop', atLeast: 60 },
  { id: 'large p=1.5', peer: 'Math.pow JS loop', atLeast: 15 },
  { id: 'large p=2.7', peer: 'Math.pow JS loop', atLeast: 8 },
  { id: 'list p=2', peer: 'plain JS loop', atLeast: 3 },
  { id: 'tiny p=2', peer: 'plain JS loop', atLeast: 0.4, aim: 0.5 },
  { id: 'quarter p=2', of: RESIDENT, peer: 'gradnorm', atLeast: 2 },
  { id: 'large p=2', of: RESIDENT, peer: 'gradnorm', atLeast: 1.15 },
  { id: 'large p=2', of: RESIDENT, peer: 'native C++ loop', atLeast: 0.7, aim: 0.9 },
  { id: 'large p=2', of: RESIDENT, peer: 'jax-js, by rows', atLeast: 1 },
  { id: 'large clip', of: RESIDENT, peer: 'gradnorm', atLeast: 1.7 },
  { id: 'large clip', of: RESIDENT, peer: 'jax-js, by rows', atLeast: 1 },
  { id: 'list p=2', of: RESIDENT, peer: 'plain JS loop', atLeast: 6 },
  { id: 'list p=2', of: RESIDENT, peer: '8-accumulator JS loop', atLeast: 3 },
  { id: 'tiny p=2', of: RESIDENT, peer: 'plain JS loop', atLeast: 1, aim: 1.4 },
  { id: 'tiny clip', of: RESIDENT, peer: 'plain JS loop', atLeast: 1, aim: 1.4 },
  { id: 'large clip', peer: 'plain JS loop', atLeast: 2.5 },
  { id: 'large keep', peer: 'gradNorm alone', atMost: 1.05 },
  { id: 'large report', peer: 'gradNorm alone', atMost: 1.5 },
  { id: 'tiny report', peer: 'gradNorm alone', atMost: 2 },
  { id: 'large report', peer: 'gradNorm alone', sameBits: true },
  { id: 'gpt2 accumulate', peer: 'gradNorm alone', sameBits: true },
  { id: 'large float16', peer: 'JS decoding loop', atLeast: 10 },
  ...ON_ANYTHING.flatMap((suffix) =>
    ['zeros', 'NaN'].map((name) => ({ id: `large ${suffix}`, peer: `gradnorm on ${name}`, itsAtMost: 1.2 })),
  ),
];

/**
 * How many times as many rounds a case takes as others: where an upper limit is close to what is measured, the
 * median has to be sharper.
 * @param {BenchCase} benchCase
 * @returns {number}
 */
export function roundsFactor({ id }) {
  return TARGETS.some((target) => target.id === id && 'atMost' in target) ? 4 : 1;
}

/**
 * A promise about the relative error of gradnorm in every case with one of these tasks. (A norm that clipping
 * leaves is a norm of elements that were rounded.)
 * @typedef {{ of: string, tasks: Task[], bound: number, words: string }} ErrorTarget
 */

/** Where another version of us takes part: no case takes longer than there, but for what two runs differ by. */
export const SPEED_KEPT = 1 / 1.05;

/** @type {ErrorTarget[]} */
export const ERROR_TARGETS = [
  { of: 'every norm', tasks: ['norm', 'report', 'accumulate'], bound: 2 ** -23, words: '2^-23 (1.2e-7)' },
  { of: 'every norm left by clipping', tasks: ['clip', 'keep'], bound: 1e-6, words: '1e-6' },
];

/** The first call in a fresh process, import included, takes at most this long. */
export const FIRST_CALL_MILLISECONDS = 10;

/** The command reads a large file and measures it at no less than this part of the speed at which `cat` only reads it. */
export const COMMAND_SPEED = 0.5;

/**
 * A promise about the demo page, in every browser that tells the figure.
 * @typedef {{ figure: keyof import('./page.js').PageFigures, unit: string } & (
 *   { atLeast: number } | { atMost: number }
 * )} PageTarget
 */

/** @type {PageTarget[]} */
export const PAGE_TARGETS = [
  { figure: 'stepsPerSecond', atLeast: 30, unit: 'steps a second' },
  { figure: 'content', atMost: 1000, unit: 'ms to its content' },
  { figure: 'interactive', atMost: 2000, unit: 'ms until it listens' },
  { figure: 'longestTask', atMost: 100, unit: 'ms a task while it trains' },
];
