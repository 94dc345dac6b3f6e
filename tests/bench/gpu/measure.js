// tests/bench/gpu/measure.js: one shape of gradients, all contenders in turns in the rounds of one run. The queue is empty when a
// sample begins, and again when it ends.
import { makeTensors } from '../../../web/demo/measure/data.js';
import { referenceNorm, relativeDifference } from '../../../web/demo/measure/reference.js';
import { median, orderOf, spread, takesTurn } from '../../../web/demo/measure/statistics.js';
import { busyTime, timeBetween } from './clock.js';
import { makeContenders } from './contenders.js';

/**
 * @typedef {object} Sample
 * @property {number} wall   nanoseconds
 * @property {number} gpu    nanoseconds, or NaN
 */

/**
 * @typedef {object} Row
 * @property {string} name
 * @property {string} [reason]        why there are no figures
 * @property {number} bytes
 * @property {number | null} normType
 * @property {Sample[]} samples
 * @property {{ median: number, spread: number }} wall
 * @property {{ median: number, spread: number }} gpu
 * @property {number} gigabytesPerSecond   by the GPU's time, or else by the clock
 * @property {number} share           of the copy's
 * @property {{ wall: number, gpu: number }} ratio   to the contender that it is held against
 * @property {number} relativeError   NaN: there is no norm
 */

/** @typedef {{ name: string, tensors: number, elements: number, rows: Row[] }} ShapeResult */

/** Milliseconds of samples of one contender, beyond the fewest. */
const BUDGET = 3000;
const FEWEST = 3;
const WARM_UPS = 2;

/**
 * @param {import('./cases.js').Shape} shape
 * @param {Pick<import('./contenders.js').Arena, 'device' | 'library' | 'peers'>} host
 * @param {import('./clock.js').Clock} clock
 * @param {number} rounds
 * @param {(text: string) => void} onProgress
 * @returns {Promise<ShapeResult>}
 */
export async function measureShape({ name, lengths }, host, clock, rounds, onProgress) {
  onProgress('data and reference');
  const tensors = makeTensors(lengths);
  /** @type {Map<number, number>} */
  const known = new Map();
  const reference = (
    /** @type {import('../../../web/demo/measure/data.js').Tensor[]} */ list,
    /** @type {number} */ p,
  ) => {
    if (list !== tensors) return referenceNorm(list, p);
    if (!known.has(p)) known.set(p, referenceNorm(list, p));
    return /** @type {number} */ (known.get(p));
  };
  const contenders = await makeContenders({ ...host, tensors, reference });
  const entrants = contenders.map((contender) => ({
    contender,
    reason: '',
    value: NaN,
    turns: rounds,
    samples: /** @type {Sample[]} */ ([]),
  }));
  /** @typedef {typeof entrants[0]} Entrant */

  /** @type {(entrant: Entrant, step: () => Promise<void>) => Promise<void>} */
  const attempt = async (entrant, step) => {
    if (entrant.reason !== '') return;
    try {
      await step();
    } catch (error) {
      entrant.reason = `failed: ${/** @type {Error} */ (error).message.split('\n')[0]}`;
    }
  };
  const sample = async (/** @type {Entrant} */ entrant) => {
    const { contender } = entrant;
    await host.device.queue.onSubmittedWorkDone();
    clock.start();
    const start = performance.now();
    entrant.value = await contender.run();
    const wall = (performance.now() - start) * 1e6;
    const passes = await clock.read();
    const gpu = passes === null ? NaN : contender.isCopy ? timeBetween(passes) : busyTime(passes);
    return { wall, gpu };
  };

  for (const entrant of entrants) {
    onProgress(`warm-up: ${entrant.contender.name}`);
    await attempt(entrant, async () => {
      let wall = NaN;
      for (let i = 0; i < WARM_UPS; ++i) ({ wall } = await sample(entrant));
      const fitting = Math.floor((BUDGET * 1e6) / wall);
      entrant.turns = Math.min(rounds, Math.max(FEWEST, fitting));
    });
  }
  for (let round = 0; round < rounds; ++round) {
    for (const entrant of orderOf(entrants, round)) {
      if (!takesTurn(round, entrant.turns, rounds)) continue;
      onProgress(`round ${round + 1}/${rounds}: ${entrant.contender.name}`);
      await attempt(entrant, async () => void entrant.samples.push(await sample(entrant)));
    }
  }
  /** @type {Map<string, number>} */
  const errors = new Map();
  for (const entrant of entrants) {
    const { name: who, normType, check } = entrant.contender;
    onProgress(`check: ${who}`);
    await attempt(entrant, async () => {
      if (normType === null) return;
      const { value, expected } = (await check?.()) ?? {
        value: entrant.value,
        expected: reference(tensors, normType),
      };
      errors.set(who, relativeDifference(value, expected));
    });
  }
  for (const { dispose } of contenders) dispose();

  const rows = entrants.map(({ contender, reason, samples }) => ({
    name: contender.name,
    ...(reason === '' ? {} : { reason }),
    bytes: contender.bytes,
    normType: contender.normType,
    samples,
    wall: summary(samples.map(({ wall }) => wall)),
    gpu: summary(samples.map(({ gpu }) => gpu)),
    relativeError: errors.get(contender.name) ?? NaN,
  }));
  return {
    name,
    tensors: lengths.length,
    elements: lengths.reduce((sum, length) => sum + length, 0),
    rows: rows.map((row, i) => {
      const other = rows.find(({ name: who }) => who === contenders[i].against);
      const gigabytesPerSecond = speedOf(row);
      return {
        ...row,
        gigabytesPerSecond,
        share: contenders[i].isCopy ? NaN : gigabytesPerSecond / speedOf(rows[0]),
        ratio: {
          wall: other ? row.wall.median / other.wall.median : NaN,
          gpu: other ? row.gpu.median / other.gpu.median : NaN,
        },
      };
    }),
  };
}

/** @param {number[]} times */
function summary(times) {
  return { median: median(times), spread: spread(times) };
}

/** @param {Pick<Row, 'bytes' | 'gpu' | 'wall'>} row */
function speedOf({ bytes, gpu, wall }) {
  return bytes / (Number.isNaN(gpu.median) ? wall.median : gpu.median);
}
