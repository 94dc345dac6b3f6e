// web/demo/page/training.js: two copies of the network of web/demo/char-rnn.js on the same seed and data, one clipped
// and one not, step by step. Runs in a worker, and in Node.js for the tests.
import { allocGradients, clipGradNorm, gradNorm, GradMonitor } from 'gradnorm';

import { alphabetOf, createBatches, createCharRnn } from '../char-rnn.js';
import { RUN_STEPS } from './settings.js';

/** @typedef {import('./settings.js').Settings} Settings */
/** @typedef {ReturnType<typeof createCharRnn>} Network */

/**
 * @typedef {object} CopyStep what a copy did in a step
 * @property {number} loss nats a letter
 * @property {number} norm of the gradients, before clipping, for the p that is clipped
 * @property {number[]} norms for NORM_TYPES
 */

/**
 * @typedef {object} Step
 * @property {number} threshold what the gradients were clipped to; Infinity: they were not
 * @property {boolean} isClipped
 * @property {CopyStep} clipped the copy that is clipped
 * @property {CopyStep} unclipped the other
 */

/** The norms that are always shown. */
export const NORM_TYPES = [1, 2, Infinity];

const HIDDEN_SIZE = 64;
const BATCH_SIZE = 4;

/** Between two names of a text. */
const SEPARATOR = ' ';

/** Some names that it makes up are all a visitor reads, and of one that does not end some letters. */
const NAMES_SHOWN = 6;
const LETTERS_SHOWN = 14;

export class Training {
  #names;
  #settings;
  #clipped;
  #unclipped;
  #nextName;
  /** @type {GradMonitor | null} */
  #monitor = null;
  /** @type {number[]} */
  #norms = [];
  #count = 0;

  /**
   * @param {string[]} names
   * @param {Settings} settings
   * @param {number} [seed]
   */
  constructor(names, settings, seed = 1) {
    this.#names = names;
    this.#settings = settings;
    this.#clipped = createNetwork(names, settings, seed);
    this.#unclipped = createNetwork(names, settings, seed);
    this.#nextName = createBatches(names, 1, seed);
    this.configure(settings);
  }

  /** Steps done. */
  get count() {
    return this.#count;
  }

  get settings() {
    return this.#settings;
  }

  /** The loss of giving every letter the same probability. */
  get guessingLoss() {
    return Math.log(this.#clipped.outputSize);
  }

  /**
   * Settings for the next step on. A monitor that is switched on in the middle knows what came before.
   *
   * @param {Settings} settings with the sequence length that there is
   */
  configure(settings) {
    const { method, normType } = settings;
    if (normType !== this.#settings.normType) this.#norms = [];
    this.#settings = settings;
    this.#monitor = createMonitor(method);
    if (this.#monitor !== null) for (const norm of this.#norms) this.#monitor.update(norm);
  }

  /** @returns {Step} */
  step() {
    const batch = makeBatch(this.#nextName, this.#settings.sequenceLength);
    const learningRate = this.#settings.learningRate * (1 - this.#count / RUN_STEPS);
    this.#count++;
    const unclipped = this.#measure(this.#unclipped, batch);
    this.#unclipped.applyGradients(learningRate);

    const clipped = this.#measure(this.#clipped, batch);
    const { normType, maxNorm } = this.#settings;
    const { gradients } = this.#clipped;
    const norm = clipGradNorm(gradients, this.#monitor ?? maxNorm, { normType, nonfinite: 'zero' });
    this.#clipped.applyGradients(learningRate);
    this.#norms.push(norm);
    const threshold = this.#monitor?.last?.threshold ?? maxNorm;
    return { threshold, isClipped: norm > threshold, clipped: { ...clipped, norm }, unclipped };
  }

  /** Names that each copy makes up as it is now. */
  makeUpNames() {
    return { clipped: namesOf(this.#clipped), unclipped: namesOf(this.#unclipped) };
  }

  /** Networks with the weights that the clipped copy has now, and a batch for them. */
  fork() {
    const weights = Object.values(this.#clipped.parameters).map(({ data }) => data.slice());
    const settings = this.#settings;
    const createCopy = () => {
      const network = createNetwork(this.#names, settings, 1);
      Object.values(network.parameters).forEach(({ data }, index) => data.set(weights[index]));
      return network;
    };
    return { createCopy, batch: makeBatch(createBatches(this.#names, 1), settings.sequenceLength) };
  }

  /**
   * @param {Network} network
   * @param {string[]} batch
   * @returns {CopyStep}
   */
  #measure(network, batch) {
    const loss = network.computeGradients(batch);
    const norms = NORM_TYPES.map((normType) => gradNorm(network.gradients, normType));
    const { normType } = this.#settings;
    const norm = norms[NORM_TYPES.indexOf(normType)] ?? gradNorm(network.gradients, normType);
    return { loss, norm, norms };
  }
}

/**
 * @param {string[]} names
 * @param {Settings} settings
 * @param {number} seed
 */
function createNetwork(names, { learningRate, sequenceLength }, seed) {
  return createCharRnn({
    alphabet: SEPARATOR + alphabetOf(names),
    hiddenSize: HIDDEN_SIZE,
    batchSize: BATCH_SIZE,
    sequenceLength,
    learningRate,
    // Momentum would hide which step it was that ruined everything.
    momentum: 0,
    seed,
    allocate: allocGradients,
  });
}

/** @param {Settings['method']} method */
function createMonitor(method) {
  if (method === 'fixed') return null;
  // AutoClip has no warm-up; without one it holds from the first step on, which this training needs.
  return method === 'percentile' ? new GradMonitor({ method, warmUp: 0 }) : new GradMonitor({ method });
}

/**
 * Texts of names one after another, so that there is something to remember over the whole length.
 *
 * @param {() => string[]} nextName
 * @param {number} length
 */
function makeBatch(nextName, length) {
  return Array.from({ length: BATCH_SIZE }, () => {
    let text = nextName()[0];
    while (text.length < length) text += SEPARATOR + nextName()[0];
    return text;
  });
}

/** @param {Network} network */
function namesOf(network) {
  const texts = network.generate(2);
  const names = texts.flatMap((text) => text.split(SEPARATOR).filter(Boolean)).slice(0, NAMES_SHOWN);
  return names.map((name) => (name.length > LETTERS_SHOWN ? `${name.slice(0, LETTERS_SHOWN)}…` : name));
}
