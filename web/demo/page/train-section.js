// web/demo/page/train-section.js: the section "Train": the worker's steps as charts and figures, and the controls.
import { formatCount, formatNumber, formatShare } from '../terminal.js';
import { Chart } from './chart.js';
import { byId, create, numberCell, rowHead, setText } from './dom.js';
import { DEFAULTS, MAX_NORMS, RUN_STEPS } from './settings.js';

/** @typedef {import('./settings.js').Settings} Settings */
/** @typedef {import('./training.js').Step} Step */
/** @typedef {import('./training.js').CopyStep} CopyStep */
/** @typedef {import('./training-worker.js').Command} Command */
/** @typedef {import('./training-worker.js').Reply} Reply */

/** @typedef {'hidden' | 'measuring'} Reason to rest: nobody looks, or something else needs the processor */

/** The loss of four texts jumps: it is shown as the mean of so many steps. */
const LOSS_WINDOW = 20;

/** Milliseconds between two changes of figures: faster, nobody can read them. */
const FIGURES_INTERVAL = 150;

const COPIES = /** @type {const} */ (['unclipped', 'clipped']);

/** How the copies are called in the page. */
const WORDS = { unclipped: 'without', clipped: 'with' };

const controls = {
  play: byId('play', HTMLButtonElement),
  step: byId('step', HTMLButtonElement),
  reset: byId('reset', HTMLButtonElement),
  learningRate: byId('learning-rate', HTMLInputElement),
  sequenceLength: byId('sequence-length', HTMLInputElement),
  maxNorm: byId('max-norm', HTMLInputElement),
  normType: byId('norm-type', HTMLSelectElement),
  method: byId('method', HTMLSelectElement),
};

export class TrainSection {
  #worker;
  #settings = { ...DEFAULTS };
  #steps = 0;
  #rate = 0;
  /** What the worker said of itself when it had heard every command. */
  #isPlaying = false;
  /** What the visitor wants, also while it rests. */
  #isWanted = false;
  /** @type {Set<Reason>} */
  #rests = new Set(document.hidden ? ['hidden'] : []);
  /** Number of the last command, and of the one that began this run: answers to older ones are of an older run. */
  #command = 0;
  #runCommand = 0;
  #clippedSteps = 0;
  #guessingLoss = 0;
  /** @type {boolean[]} */
  #marks = [];
  /** The smoothed loss of the clipped copy after each step. @type {number[]} */
  #learned = [];
  /** @type {Record<typeof COPIES[number], { losses: number[], peak: number }>} */
  #history = { unclipped: { losses: [], peak: 0 }, clipped: { losses: [], peak: 0 } };
  /** @type {Step | null} */
  #last = null;
  #figuresAt = 0;
  #normChart;
  #lossChart;

  /** @param {Worker} worker of training-worker.js */
  constructor(worker) {
    this.#worker = worker;
    this.#normChart = new Chart(byId('norm-chart', HTMLElement), {
      yLabel: normLabel(this.#settings.normType),
      steps: RUN_STEPS,
      height: 320,
      range: [0.1, 1000],
      lines: [
        { label: 'without clipping', color: '--without', width: 1.25 },
        { label: 'with clipping', color: '--with', width: 1.25 },
        { label: 'threshold', color: '--text', width: 1.5, dash: [6, 4] },
      ],
      marks: { color: '--with', isMarked: (index) => this.#marks[index] },
    });
    this.#lossChart = new Chart(byId('loss-chart', HTMLElement), {
      yLabel: 'loss, nats a letter',
      steps: RUN_STEPS,
      height: 260,
      range: [1.5, 10],
      lines: [
        { label: 'without clipping', color: '--without', width: 2 },
        { label: 'with clipping', color: '--with', width: 2 },
        { label: 'blind guessing', color: '--muted', width: 1, dash: [2, 4] },
      ],
    });
    this.#listen();
    this.#reset();
  }

  /** Begins by itself, unless the visitor asked for less motion. */
  begin() {
    this.#isWanted = !matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#go();
  }

  /** @param {Reason} reason */
  rest(reason) {
    this.#rests.add(reason);
    if (this.#isWanted) this.#send({ type: 'pause' });
  }

  /**
   * Goes on if nothing else keeps it from that.
   *
   * @param {Reason} reason that is no more
   */
  resume(reason) {
    if (this.#rests.delete(reason)) this.#go();
  }

  #listen() {
    this.#worker.addEventListener('message', ({ data }) => this.#receive(data));
    controls.play.addEventListener('click', () => (this.#isPlaying ? this.#pause() : this.#play()));
    controls.step.addEventListener('click', () => this.#step());
    controls.reset.addEventListener('click', () => {
      this.#reset();
      this.#play();
    });
    for (const name of /** @type {const} */ ([
      'learningRate',
      'sequenceLength',
      'maxNorm',
      'normType',
      'method',
    ])) {
      controls[name].addEventListener('input', () => this.#read(name));
    }
    // Nobody looks at a hidden page.
    document.addEventListener('visibilitychange', () =>
      document.hidden ? this.rest('hidden') : this.resume('hidden'),
    );
  }

  /** @param {Command} command */
  #send(command) {
    this.#command++;
    this.#worker.postMessage({ ...command, id: this.#command });
  }

  /** @param {Reply} reply */
  #receive(reply) {
    if (reply.type === 'diagnosis' || reply.command < this.#runCommand) return;
    if (reply.type === 'state') {
      this.#guessingLoss = reply.guessingLoss;
      // Before it has heard the last command, the next answer may say otherwise.
      if (reply.command === this.#command) this.#showState(reply.isPlaying);
      return;
    }
    this.#rate = reply.rate;
    for (const step of reply.steps) this.#add(step);
    if (reply.names !== null) this.#showNames(reply.names);
    this.#showFigures(!this.#isWanted);
  }

  #go() {
    if (this.#isWanted && this.#rests.size === 0) this.#send({ type: 'play' });
  }

  #play() {
    if (this.#steps >= RUN_STEPS) this.#reset();
    this.#isWanted = true;
    this.#rests.clear();
    this.#go();
  }

  #pause() {
    this.#isWanted = false;
    this.#send({ type: 'pause' });
  }

  #step() {
    this.#isWanted = false;
    this.#send({ type: 'step' });
  }

  /** @param {boolean} isPlaying */
  #showState(isPlaying) {
    this.#isPlaying = isPlaying;
    const isDone = this.#steps >= RUN_STEPS;
    if (isDone) this.#isWanted = false;
    this.#showFigures(true);
    if (!isPlaying) {
      this.#normChart.drawNow();
      this.#lossChart.drawNow();
    }
    const [state, action] = isPlaying
      ? ['training', 'Pause']
      : isDone
        ? ['finished', 'Run again']
        : this.#steps > 0
          ? ['paused', 'Continue']
          : ['ready', 'Start'];
    setText(controls.play, action);
    controls.step.disabled = isDone;
    setText(byId('run-state', HTMLElement), state);
  }

  #reset() {
    this.#send({ type: 'reset', settings: this.#settings });
    this.#runCommand = this.#command;
    this.#steps = 0;
    this.#clippedSteps = 0;
    this.#marks.length = 0;
    this.#learned.length = 0;
    this.#last = null;
    for (const copy of COPIES) this.#history[copy] = { losses: [], peak: 0 };
    this.#normChart.clear();
    this.#lossChart.clear();
    this.#showNames({ clipped: [], unclipped: [] });
    this.#showFigures(true);
  }

  /** @param {'learningRate' | 'sequenceLength' | 'maxNorm' | 'normType' | 'method'} name  of what was set */
  #read(name) {
    const normType = Number(controls.normType.value);
    if (name === 'normType') controls.maxNorm.value = String(MAX_NORMS.get(normType));
    const maxNorm = controls.maxNorm.valueAsNumber;
    const isValid = maxNorm >= 0;
    controls.maxNorm.setAttribute('aria-invalid', String(!isValid));
    this.#settings = {
      learningRate: controls.learningRate.valueAsNumber,
      sequenceLength: controls.sequenceLength.valueAsNumber,
      maxNorm: isValid ? maxNorm : this.#settings.maxNorm,
      normType,
      method: /** @type {Settings['method']} */ (controls.method.value),
    };
    setText(byId('learning-rate-value', HTMLOutputElement), String(this.#settings.learningRate));
    setText(byId('sequence-length-value', HTMLOutputElement), String(this.#settings.sequenceLength));
    controls.maxNorm.disabled = this.#settings.method !== 'fixed';
    this.#normChart.yLabel = normLabel(normType);
    setText(byId('settings-note', HTMLElement), noteOf(name, this.#settings, isValid));
    if (name === 'sequenceLength') {
      this.#reset();
      this.#go();
    } else this.#send({ type: 'configure', settings: this.#settings });
  }

  /** @param {Step} step */
  #add(step) {
    this.#steps++;
    this.#last = step;
    this.#marks.push(step.isClipped);
    if (step.isClipped) this.#clippedSteps++;
    for (const copy of COPIES) {
      const history = this.#history[copy];
      history.losses.push(step[copy].loss);
      if (history.losses.length > LOSS_WINDOW) history.losses.shift();
      history.peak = step[copy].norm > history.peak ? step[copy].norm : history.peak;
    }
    this.#normChart.add([step.unclipped.norm, step.clipped.norm, step.threshold]);
    const loss = this.#lossOf('clipped');
    this.#learned.push(loss);
    this.#lossChart.add([this.#lossOf('unclipped'), loss, this.#guessingLoss]);
  }

  /** @param {typeof COPIES[number]} copy */
  #lossOf(copy) {
    const { losses } = this.#history[copy];
    return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  }

  #showFigures(now = false) {
    byId('run-progress', HTMLProgressElement).value = this.#steps;
    setText(byId('run-step', HTMLElement), `step ${formatCount(this.#steps)} of ${formatCount(RUN_STEPS)}`);
    const time = performance.now();
    if (!now && time - this.#figuresAt < FIGURES_INTERVAL) return;
    this.#figuresAt = time;
    setText(
      byId('run-speed', HTMLElement),
      this.#isPlaying ? `${Math.round(this.#rate)} steps a second` : '',
    );
    for (const copy of COPIES) this.#showCopy(copy);
    this.#showNorms();
  }

  /** @param {typeof COPIES[number]} copy */
  #showCopy(copy) {
    const word = WORDS[copy];
    const loss = this.#lossOf(copy);
    const { peak } = this.#history[copy];
    setText(byId(`${word}-loss`, HTMLElement), this.#steps > 0 ? loss.toFixed(2) : '–');
    setText(byId(`${word}-peak`, HTMLElement), this.#steps > 0 ? shortNumber(peak) : '–');
    setText(byId(`${word}-verdict`, HTMLElement), this.#verdictOf(copy, loss));
  }

  /**
   * What a loss means.
   *
   * @param {typeof COPIES[number]} copy
   * @param {number} loss
   */
  #verdictOf(copy, loss) {
    if (this.#steps < LOSS_WINDOW) return '\u00a0';
    if (!(loss < this.#guessingLoss)) return `worse than blind guessing (${this.#guessingLoss.toFixed(2)})`;
    const step = this.#learned.findIndex((learned, index) => index >= LOSS_WINDOW && learned <= loss);
    if (copy === 'clipped' || step < 0)
      return `better than blind guessing (${this.#guessingLoss.toFixed(2)})`;
    return `where the other copy was at step ${formatCount(step + 1)}`;
  }

  #showNorms() {
    const step = this.#last;
    const rows = ['1', '2', '∞'].map((p, index) =>
      create(
        'tr',
        {},
        rowHead(p),
        ...COPIES.map((copy) => numberCell(step === null ? '–' : shortNumber(step[copy].norms[index]))),
      ),
    );
    byId('norms', HTMLElement).replaceChildren(...rows);
    const threshold = step?.threshold ?? NaN;
    setText(
      byId('threshold-now', HTMLElement),
      step === null ? '–' : threshold === Infinity ? 'none' : formatNumber(threshold),
    );
    setText(
      byId('clipped-share', HTMLElement),
      step === null ? '–' : formatShare(this.#clippedSteps / this.#steps),
    );
  }

  /** @param {import('./training-worker.js').Names} names */
  #showNames(names) {
    for (const copy of COPIES) {
      setText(byId(`${WORDS[copy]}-names`, HTMLElement), names[copy].join(', ') || '–');
    }
  }
}

/** @param {number} normType */
function normLabel(normType) {
  return `gradient norm, p = ${normType === Infinity ? '∞' : normType}`;
}

/**
 * Three digits at most, in the words of the axis.
 *
 * @param {number} value
 */
function shortNumber(value) {
  return value >= 1e5 && value < Infinity
    ? value.toExponential(1).replace('e+', 'e')
    : Number(value.toPrecision(3)).toLocaleString('en', { maximumSignificantDigits: 3 });
}

/**
 * @param {string} name of what was set
 * @param {Settings} settings
 * @param {boolean} isValid
 */
function noteOf(name, { normType, maxNorm, method }, isValid) {
  if (!isValid) return `maxNorm has to be a number from 0; it stays ${maxNorm}.`;
  if (name === 'normType') {
    return `Norms of another p have another size: maxNorm is now ${maxNorm} for p = ${normType === Infinity ? '∞' : normType}.`;
  }
  if (name === 'sequenceLength') return 'A new length needs new networks: the run began again.';
  if (name === 'method' && method === 'percentile') {
    return 'AutoClip: the threshold is the 10th percentile of all norms so far.';
  }
  if (name === 'method' && method === 'zscore') {
    return (
      'ZClip: only norms far above the average of this run are clipped. It cuts single spikes off a healthy run; at a ' +
      'learning rate that is too high from the first step on, everything is far above nothing. Try it at 2 or less.'
    );
  }
  return '';
}
