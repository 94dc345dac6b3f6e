// tests/bench/measure.js: one case, all contenders in turns within the same minutes of the same machine.
//
// Each has a process of its own, from its warm-up to the end of the case; one works, all others wait.
// Each round gives every contender one sample, and each round starts with another contender, so that a busy
// moment or a cold cache hits nobody in particular. Ratios come from the same rounds.

import { Child } from './child.js';
import { checksum, makeTensors } from './data.js';
import { OURS } from './peers.js';
import { referenceNorm, relativeDifference } from './reference.js';
import { median, quantile, spread, takesTurn } from './statistics.js';

/** @typedef {import('./cases.js').BenchCase} BenchCase */
/** @typedef {import('./peers.js').Contender} Contender */

/**
 * @typedef {object} Settings
 * @property {number} rounds          most samples of a contender
 * @property {number} leastRounds     fewest, however slow it is
 * @property {number} budget          milliseconds of samples of one contender in one case, from there on
 * @property {number} compileTime     milliseconds of runs on a small tensor, for the just-in-time compiler
 * @property {number} warmUpTime      milliseconds of runs on the real data before the first sample
 * @property {number} sampleTime      milliseconds that a sample takes at least, by repeats
 * @property {boolean} everybody      slow contenders take part in huge cases
 */

/**
 * @typedef {object} Entrant   a contender within a case
 * @property {Contender} contender
 * @property {Child} [child]
 * @property {string} reason          why it has no figures, or ''
 * @property {number} repeats
 * @property {number} turns
 * @property {number} value
 * @property {{ round: number, nanoseconds: number }[]} samples
 */

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string} [reason]        why there are no figures
 * @property {Figures} [figures]
 */

/**
 * @typedef {object} Figures
 * @property {number} nanoseconds     median
 * @property {number} spread          interquartile range as a share of the median
 * @property {number} gigabytesPerSecond   float32 read, from the median
 * @property {number} ratio           median time as a multiple of ours
 * @property {[number, number]} ratioQuartiles   of the ratios within each round
 * @property {number} value
 * @property {number} relativeError
 * @property {{ round: number, nanoseconds: number }[]} samples
 */

/** @typedef {{ id: string, name: string, tensors: number, elements: number, rows: Row[] }} CaseResult */

/** @typedef {{ checksum: number, norm: number }} Expected   of the tensors of a case */

/** No sample repeats more often, however fast the contender looked. */
const MOST_REPEATS = 100000;

/**
 * @param {BenchCase} benchCase
 * @param {Contender[]} contenders
 * @param {Settings} settings
 * @param {(text: string) => void} onProgress
 * @returns {Promise<CaseResult>}
 */
export async function measureCase(benchCase, contenders, settings, onProgress) {
  const expected = makeExpected(benchCase, onProgress);
  const entrants = contenders.map((contender) => makeEntrant(contender, benchCase, settings));
  try {
    for (const entrant of entrants) {
      onProgress(`warm-up: ${entrant.contender.name}`);
      await attempt(entrant, () => warmUp(entrant, benchCase, expected.checksum, settings));
    }
    await playRounds(entrants, settings.rounds, onProgress);
  } finally {
    await Promise.all(entrants.map(({ child }) => child?.stop()));
  }
  return summarize(benchCase, entrants, expected.norm);
}

/**
 * Needs the tensors in this process too, but only before the rounds.
 * @param {BenchCase} benchCase
 * @param {(text: string) => void} onProgress
 * @returns {Expected}
 */
function makeExpected({ lengths, normType }, onProgress) {
  onProgress('data');
  const tensors = makeTensors(lengths);
  onProgress('reference');
  return { checksum: checksum(tensors), norm: referenceNorm(tensors, normType) };
}

/**
 * @param {Contender} contender
 * @param {BenchCase} benchCase
 * @param {Settings} settings
 * @returns {Entrant}
 */
function makeEntrant(contender, benchCase, settings) {
  const leftOut = benchCase.huge && contender.slow && !settings.everybody;
  const reason =
    contender.refuses(benchCase) || (leftOut ? 'left out to save time and memory; --all runs it' : '');
  return { contender, reason, repeats: 1, turns: settings.rounds, value: NaN, samples: [] };
}

/**
 * Runs one step of a contender; one that fails goes on as a row with its reason.
 * @param {Entrant} entrant
 * @param {() => Promise<void>} step
 */
async function attempt(entrant, step) {
  if (entrant.reason) return;
  try {
    await step();
  } catch (error) {
    const { message, code } = /** @type {NodeJS.ErrnoException} */ (error);
    const missing = code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND';
    entrant.reason = missing ? 'not installed' : `failed: ${message.split('\n')[0]}`;
    await entrant.child?.stop();
  }
}

/**
 * @param {Entrant} entrant
 * @param {BenchCase} benchCase
 * @param {number} expected the checksum
 * @param {Settings} settings
 */
async function warmUp(entrant, benchCase, expected, settings) {
  const child = new Child(entrant.contender.command(settings.compileTime));
  entrant.child = child;
  await child.prepare(benchCase, expected);
  const nanoseconds = await child.warmUp(settings.warmUpTime);
  entrant.repeats = clamp(Math.ceil((settings.sampleTime * 1e6) / nanoseconds), 1, MOST_REPEATS);
  const fitting = Math.floor((settings.budget * 1e6) / (nanoseconds * entrant.repeats));
  entrant.turns = clamp(fitting, Math.min(settings.leastRounds, settings.rounds), settings.rounds);
}

/**
 * @param {Entrant[]} entrants
 * @param {number} rounds
 * @param {(text: string) => void} onProgress
 */
async function playRounds(entrants, rounds, onProgress) {
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < entrants.length; turn++) {
      const entrant = entrants[(round + turn) % entrants.length];
      if (entrant.reason || !takesTurn(round, entrant.turns, rounds)) continue;
      onProgress(`round ${round + 1}/${rounds}: ${entrant.contender.name}`);
      await attempt(entrant, () => takeSample(entrant, round));
    }
  }
}

/**
 * @param {Entrant} entrant
 * @param {number} round
 */
async function takeSample(entrant, round) {
  const child = /** @type {Child} */ (entrant.child);
  const { nanoseconds, value } = await child.run(entrant.repeats);
  entrant.samples.push({ round, nanoseconds });
  entrant.value = value;
}

/**
 * @param {BenchCase} benchCase
 * @param {Entrant[]} entrants
 * @param {number} expected
 * @returns {CaseResult}
 */
function summarize({ id, name, lengths }, entrants, expected) {
  const elements = lengths.reduce((sum, length) => sum + length, 0);
  const ours = entrants.find(({ contender }) => contender.name === OURS)?.samples ?? [];
  const rows = entrants.map(({ contender, reason, samples, value }) => {
    if (reason) return { name: contender.name, reason };
    return { name: contender.name, figures: makeFigures(samples, ours, elements, value, expected) };
  });
  return { id, name, tensors: lengths.length, elements, rows };
}

/**
 * @param {Entrant['samples']} samples
 * @param {Entrant['samples']} ours   none if ours failed: then there are no ratios (NaN)
 * @param {number} elements
 * @param {number} value
 * @param {number} expected
 * @returns {Figures}
 */
function makeFigures(samples, ours, elements, value, expected) {
  const times = samples.map(({ nanoseconds }) => nanoseconds);
  const nanoseconds = median(times);
  const ratios = roundRatios(samples, ours);
  return {
    nanoseconds,
    spread: spread(times),
    gigabytesPerSecond: (elements * Float32Array.BYTES_PER_ELEMENT) / nanoseconds,
    ratio: nanoseconds / median(ours.map((sample) => sample.nanoseconds)),
    ratioQuartiles: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
    value,
    relativeError: relativeDifference(value, expected),
    samples,
  };
}

/**
 * @param {Entrant['samples']} samples
 * @param {Entrant['samples']} ours
 * @returns {number[]} the ratio within each round in which both took part
 */
function roundRatios(samples, ours) {
  const times = new Map(ours.map(({ round, nanoseconds }) => [round, nanoseconds]));
  return samples.flatMap(({ round, nanoseconds }) => {
    const time = times.get(round);
    return time === undefined ? [] : [nanoseconds / time];
  });
}

/**
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
function clamp(value, least, most) {
  return Math.min(Math.max(value, least), most);
}
