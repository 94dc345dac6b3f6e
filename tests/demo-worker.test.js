// tests/demo-worker.test.js: the worker that trains for the demo page, in Node.js: what it answers to which command. Its
// timers run when the test says so.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULTS, RUN_STEPS } from '../web/demo/page/settings.js';

/** @typedef {import('../web/demo/page/training-worker.js').Command} Command */
/** @typedef {import('../web/demo/page/training-worker.js').Request} Request */

/** @type {any[]} */
const replies = [];
/** @type {(event: { data: Request }) => void} */
let hear;
/** @type {Map<number, () => void>} */
const timers = new Map();
let timer = 0;
Object.assign(globalThis, {
  postMessage: (/** @type {unknown} */ reply) => replies.push(reply),
  addEventListener: (/** @type {string} */ _, /** @type {typeof hear} */ listener) => (hear = listener),
  setTimeout(/** @type {() => void} */ run) {
    timers.set(++timer, run);
    return timer;
  },
  clearTimeout: (/** @type {number} */ timer) => void timers.delete(timer),
});
await import('../web/demo/page/training-worker.js');

let id = 0;

/**
 * What the worker says to commands that it hears one after another.
 * @param {(Command | Command['type'])[]} commands
 */
function tell(...commands) {
  replies.length = 0;
  for (const command of commands) {
    const whole = typeof command === 'string' ? { type: command, settings: DEFAULTS } : command;
    hear({ data: /** @type {Request} */ ({ ...whole, id: ++id }) });
  }
  return replies;
}

/** What it says when the timers that there are have run. */
function tick() {
  replies.length = 0;
  const due = [...timers.values()];
  timers.clear();
  for (const run of due) run();
  return replies;
}

/** @param {any[]} said @returns {number} */
const stepsIn = (said) => said.flatMap(({ steps }) => steps ?? []).length;

/** @param {any[]} said */
const kinds = (said) => said.map(({ type }) => type);

test('every command is answered by the state, under its number, after the steps that it made', () => {
  for (const [command, types] of /** @type {[Command['type'], string[]][]} */ ([
    ['reset', ['state']],
    ['step', ['steps', 'state']],
    ['configure', ['state']],
    ['play', ['state']],
    ['pause', ['state']],
  ])) {
    const said = tell(command);
    assert.deepEqual(kinds(said), types, command);
    for (const reply of said) assert.equal(reply.command, id);
    assert.equal(said.at(-1).isPlaying, command === 'play');
  }
});

test('what it says it has done is what it has sent', () => {
  let sent = stepsIn(tell('reset', 'step', 'step', 'play'));
  for (let slice = 0; slice < 3; slice++) sent += stepsIn(tick());
  assert.ok(sent >= 5, `${sent}`);
  const [{ count, isPlaying }] = tell('pause');
  assert.deepEqual({ count, isPlaying }, { count: sent, isPlaying: false });
  assert.deepEqual(tick(), []);
  assert.equal(tell('step').at(-1).count, sent + 1);
});

test('one slice at a time, however often it is told to play, paused and begun again', () => {
  for (const commands of /** @type {Command['type'][][]} */ ([
    ['reset', 'play'],
    ['play', 'play'],
    ['pause', 'play'],
    ['pause', 'pause', 'play'],
    ['reset', 'play', 'reset', 'play'],
    ['step', 'play'],
  ])) {
    tell(...commands);
    for (let slice = 0; slice < 3; slice++) assert.deepEqual(kinds(tick()), ['steps'], `${commands}`);
  }
});

test('pause, step and reset stop it', () => {
  for (const command of /** @type {const} */ (['pause', 'step', 'reset'])) {
    tell('reset', 'play');
    tick();
    assert.equal(tell(command).at(-1).isPlaying, false, command);
    assert.deepEqual(tick(), [], command);
  }
});

test('a run ends at its last step, once, and nothing comes after it', () => {
  // Short texts, as nobody looks at what is learned.
  tell({ type: 'reset', settings: { ...DEFAULTS, sequenceLength: 2 } }, 'play');
  /** @type {any[]} */
  const said = [];
  for (let slice = 0; slice < RUN_STEPS && said.at(-1)?.type !== 'state'; slice++) said.push(...tick());
  assert.equal(stepsIn(said), RUN_STEPS);
  const { count, isPlaying } = said.at(-1);
  assert.deepEqual({ count, isPlaying }, { count: RUN_STEPS, isPlaying: false });
  assert.deepEqual(tick(), []);
  assert.equal(stepsIn(tell('step')), 0);
  assert.equal(tell('step').at(-1).count, RUN_STEPS);
});
