// tests/bench/cases.js: which shapes are measured with which p, and what gradnorm promises on them.

import { gpt2Lengths } from './data.js';

/**
 * @typedef {object} BenchCase
 * @property {string} id          stable name that the targets refer to, the same in a quick run
 * @property {string} name        what is printed and what --case filters: the true sizes
 * @property {number[]} lengths   elements of every tensor of the list
 * @property {number} normType
 * @property {boolean} huge       slow contenders stay out unless --all is given
 */

/** Relative error that gradnorm states for float32 input: one ulp. */
export const ERROR_BOUND = 2 ** -23;

/** @param {boolean} quick small sizes, to see that everything works */
export function makeCases(quick) {
  const large = quick ? 2 ** 18 : 2 ** 24;
  const medium = quick ? 2 ** 16 : 2 ** 20;
  const small = quick ? 2 ** 12 : 2 ** 16;
  const shorten = quick ? 10 : 1;
  return [
    ...[2, 1, Infinity, 3, 1.5, 2.7].map((normType) => makeCase('large', sizeName(large), [large], normType)),
    makeCase('medium', sizeName(medium), [medium], 2),
    makeCase('small', sizeName(small), [small], 2),
    makeList('list', 2000 / shorten, 512),
    makeList('tiny', 10000 / shorten, 16),
    {
      ...makeCase('gpt2', quick ? 'GPT-2 (width 96)' : 'GPT-2', gpt2Lengths(quick ? 96 : 768), 2),
      huge: !quick,
    },
  ];
}

/**
 * @param {string} id
 * @param {string} shape
 * @param {number[]} lengths
 * @param {number} normType
 * @returns {BenchCase}
 */
function makeCase(id, shape, lengths, normType) {
  const suffix = `p=${normType === Infinity ? 'inf' : normType}`;
  return { id: `${id} ${suffix}`, name: `${shape} ${suffix}`, lengths, normType, huge: false };
}

/**
 * @param {string} id
 * @param {number} count
 * @param {number} length
 */
function makeList(id, count, length) {
  return makeCase(id, `${count} x ${length}`, Array(count).fill(length), 2);
}

/**
 * @param {number} elements a power of two from 1024 on
 * @returns {string} 65536 is '64k', 16777216 is '16M'
 */
export function sizeName(elements) {
  return elements >= 2 ** 20 ? `${elements / 2 ** 20}M` : `${elements / 2 ** 10}k`;
}

/**
 * A promise about speed: the time of `peer` is at least `atLeast` times the time of gradnorm.
 * @typedef {{ id: string, peer: string, atLeast: number, label: string }} SpeedTarget
 */

/** @type {SpeedTarget[]} */
export const SPEED_TARGETS = [
  { id: 'large p=2', peer: 'plain JS loop', atLeast: 5, label: 'times as fast as the plain JS loop' },
  {
    id: 'large p=2',
    peer: '8-accumulator JS loop',
    atLeast: 2.5,
    label: 'times as fast as the 8-accumulator JS loop',
  },
  { id: 'large p=2', peer: 'tfjs-wasm', atLeast: 5, label: 'times as fast as tfjs-wasm' },
  { id: 'large p=2', peer: 'tfjs-cpu', atLeast: 15, label: 'times as fast as tfjs-cpu' },
  { id: 'large p=2', peer: 'snrm2', atLeast: 10, label: 'times as fast as @stdlib snrm2' },
  {
    id: 'large p=2',
    peer: 'native C++ loop',
    atLeast: 0.6,
    label: 'of the speed of the native loop (aim 0.8)',
  },
  { id: 'large p=1', peer: 'plain JS loop', atLeast: 5, label: 'times as fast as the plain JS loop' },
  { id: 'large p=inf', peer: 'plain JS loop', atLeast: 5, label: 'times as fast as the plain JS loop' },
  { id: 'large p=3', peer: 'Math.pow JS loop', atLeast: 60, label: 'times as fast as the Math.pow JS loop' },
  {
    id: 'large p=1.5',
    peer: 'Math.pow JS loop',
    atLeast: 15,
    label: 'times as fast as the Math.pow JS loop',
  },
  { id: 'large p=2.7', peer: 'Math.pow JS loop', atLeast: 8, label: 'times as fast as the Math.pow JS loop' },
  { id: 'list p=2', peer: 'plain JS loop', atLeast: 3, label: 'times as fast as the plain JS loop' },
  { id: 'tiny p=2', peer: 'plain JS loop', atLeast: 0.5, label: 'of the speed of the plain JS loop (aim 1)' },
];

/** The first call in a fresh process, import included, takes at most this long. */
export const FIRST_CALL_MILLISECONDS = 10;
