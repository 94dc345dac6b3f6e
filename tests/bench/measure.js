// tests/bench/measure.js: one case, all contenders in turns within the same minutes of the same machine.
//
// Each has a process of its own (or shares one), from its warm-up to the end of the case; one works, all others
// wait. Each round gives every contender one sample. They start with different contenders, and every other one
// goes backward, so that a busy moment or what the one before leaves in the caches hits nobody in particular.
// Ratios come from the same rounds.

import { Child } from './child.js';
import { ELEMENT_BYTES, checksum, makeTensors } from '../../web/demo/measure/data.js';
import { OURS, takesPart } from './peers.js';
import { referenceNorm, relativeDifference } from '../../web/demo/measure/reference.js';
import { median, orderOf, quantile, spread, takesTurn } from '../../web/demo/measure/statistics.js';

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
 * @property {number} place           among those that share the process
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
 * @property {number} gigabytesPerSecond   of gradients, from the median
 * @property {number} ratio           median time as a multiple of ours
 * @property {[number, number]} ratioQuartiles   of the ratios within each round
 * @property {number} value
 * @property {number} relativeError
 * @property {{ round: number, nanoseconds: number }[]} samples
 */

/** @typedef {import('./cases.js').CaseIdentity & import('./task.js').Work} CaseHead */
/** @typedef {CaseHead & { tensors: number, elements: number, rows: Row[] }} CaseResult */

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
  const entrants = contenders
    .filter((contender) => takesPart(contender, benchCase))
    .map((contender) => makeEntrant(contender, benchCase, settings));
  try {
    for (const group of groupByProcess(entrants)) {
      onProgress(`start: ${group[0].contender.process}`);
      await attempt(group, () => start(group, benchCase, expected.checksum, settings));
      for (const entrant of group) {
        onProgress(`warm-up: ${entrant.contender.name}`);
        await attempt([entrant], () => warmUp(entrant, settings));
      }
    }
    await playRounds(entrants, settings.rounds, onProgress);
    for (const entrant of entrants) await attempt([entrant], () => readValue(entrant));
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
function makeExpected({ lengths, dtype, normType }, onProgress) {
  onProgress('data');
  const tensors = makeTensors(lengths, dtype);
  onProgress('reference');
  return { checksum: checksum(tensors), norm: referenceNorm(tensors, normType, dtype) };
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
  return { contender, reason, place: 0, repeats: 1, turns: settings.rounds, value: NaN, samples: [] };
}

/**
 * @param {Entrant[]} entrants
 * @returns {Entrant[][]} without those that already have a reason
 */
function groupByProcess(entrants) {
  /** @type {Map<string, Entrant[]>} */
  const groups = new Map();
  for (const entrant of entrants) {
    if (entrant.reason) continue;
    const { process } = entrant.contender;
    groups.set(process, [...(groups.get(process) ?? []), entrant]);
  }
  return [...groups.values()];
}

/**
 * Runs one step of contenders; those of one that fails go on as rows with its reason.
 * @param {Entrant[]} group in one process
 * @param {() => Promise<void>} step
 */
async function attempt(group, step) {
  if (group.some(({ reason }) => reason)) return;
  try {
    await step();
  } catch (error) {
    const { message, code } = /** @type {NodeJS.ErrnoException} */ (error);
    const missing = code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND';
    const reason = missing ? 'not installed' : `failed: ${message.split('\n')[0]}`;
    for (const entrant of group) entrant.reason = reason;
    await group[0].child?.stop();
  }
}

/**
 * @param {Entrant[]} group in one process
 * @param {BenchCase} benchCase
 * @param {number} expected the checksum
 * @param {Settings} settings
 */
async function start(group, benchCase, expected, settings) {
  const names = group.map(({ contender }) => contender.name);
  const child = new Child(group[0].contender.command(settings.compileTime, names));
  group.forEach((entrant, place) => Object.assign(entrant, { child, place }));
  await child.prepare(benchCase, expected);
}

/**
 * @param {Entrant} entrant
 * @param {Settings} settings
 */
async function warmUp(entrant, settings) {
  const nanoseconds = await childOf(entrant).warmUp(entrant.place, settings.warmUpTime);
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
    for (const entrant of orderOf(entrants, round)) {
      if (entrant.reason || !takesTurn(round, entrant.turns, rounds)) continue;
      onProgress(`round ${round + 1}/${rounds}: ${entrant.contender.name}`);
      await attempt([entrant], () => takeSample(entrant, round));
    }
  }
}

/**
 * @param {Entrant} entrant
 * @param {number} round
 */
async function takeSample(entrant, round) {
  const nanoseconds = await childOf(entrant).run(entrant.place, entrant.repeats);
  entrant.samples.push({ round, nanoseconds });
}

/** @param {Entrant} entrant */
async function readValue(entrant) {
  entrant.value = await childOf(entrant).value(entrant.place);
}

/** @param {Entrant} entrant that was started */
function childOf({ child }) {
  return /** @type {Child} */ (child);
}

/**
 * @param {BenchCase} benchCase
 * @param {Entrant[]} entrants
 * @param {number} expected
 * @returns {CaseResult}
 */
function summarize(benchCase, entrants, expected) {
  const { lengths, ...head } = benchCase;
  const elements = lengths.reduce((sum, length) => sum + length, 0);
  const bytes = elements * ELEMENT_BYTES[head.dtype];
  const ours = entrants.find(({ contender }) => contender.name === OURS)?.samples ?? [];
  const rows = entrants.map(({ contender, reason, samples, value }) => {
    if (reason) return { name: contender.name, reason };
    return { name: contender.name, figures: makeFigures(samples, ours, bytes, value, expected) };
  });
  return { ...head, tensors: lengths.length, elements, rows };
}

/**
 * @param {Entrant['samples']} samples
 * @param {Entrant['samples']} ours   none if ours failed: then there are no ratios (NaN)
 * @param {number} bytes of the gradients
 * @param {number} value
 * @param {number} expected
 * @returns {Figures}
 */
function makeFigures(samples, ours, bytes, value, expected) {
  const times = samples.map(({ nanoseconds }) => nanoseconds);
  const nanoseconds = median(times);
  const ratios = roundRatios(samples, ours);
  return {
    nanoseconds,
    spread: spread(times),
    gigabytesPerSecond: bytes / nanoseconds,
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
