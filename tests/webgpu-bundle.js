// tests/webgpu-bundle.js: the WebGPU suites as one script for engines that are not Node.js, with small stand-ins for node:test and
// node:assert; and each outcome as a test here.
import { build } from 'esbuild';
import { join } from 'node:path';
import { ROOT } from './support.js';

/** @typedef {import('./browser-host/node-test.js').Outcome} Outcome */

export const SUITES = [
  'webgpu.test.js',
  'webgpu-faults.test.js',
  'webgpu-steps.test.js',
  'webgpu-laws.test.js',
];

const HOST = join(ROOT, 'tests', 'browser-host');

/** What a browser has not, and what takes its place. */
const REPLACEMENTS = new Map([
  ['node:test', join(HOST, 'node-test.js')],
  ['node:assert/strict', join(HOST, 'node-assert.js')],
  ['./adapter.js', join(HOST, 'adapter.js')],
  ['gradnorm', join(ROOT, 'dist', 'index.js')],
  ['gradnorm/webgpu', join(ROOT, 'dist', 'webgpu.js')],
]);

/**
 * @param {readonly string[]} suites
 * @param {string} post  a function of what is told: { log }, an Outcome, or 'done'
 * @param {string} [thoroughness]  what they find in GRADNORM_THOROUGH
 * @returns {Promise<string>}  the script
 */
export async function bundleSuites(suites, post, thoroughness = process.env.GRADNORM_THOROUGH) {
  const contents = `
    import { runFile } from 'node:test';
    const { log } = console;
    const post = ${post};
    console.log = (...words) => void post({ log: words.join(' ') });
    ${suites.map((name) => `await runFile(() => import('./${name}'), post);`).join('\n')}
    await post('done');`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: join(ROOT, 'tests'), sourcefile: 'suites.js' },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    // What a suite asks of the process that a browser has not.
    define: {
      'globalThis.process': JSON.stringify({ env: { GRADNORM_THOROUGH: thoroughness } }),
    },
    write: false,
    logLevel: 'silent',
    plugins: [
      {
        name: 'browser host',
        setup({ onResolve }) {
          onResolve({ filter: /^(node:.*|gradnorm(\/webgpu)?|\.\/adapter\.js)$/ }, ({ path }) => ({
            path: REPLACEMENTS.get(path),
          }));
        },
      },
    ],
  });
  return outputFiles[0].text;
}

/** What an engine tells, as tests of the one that waits for it. */
export class Reporter {
  #test;
  #engine;
  #reported = Promise.resolve();
  #count = 0;

  /**
   * @param {import('node:test').TestContext} t
   * @param {string} engine
   */
  constructor(t, engine) {
    this.#test = t;
    this.#engine = engine;
  }

  /**
   * @param {{ log: string } | Outcome | 'done'} posted
   * @returns {boolean}  whether that was all
   */
  take(posted) {
    if (posted === 'done') return true;
    if ('log' in posted) console.log(posted.log);
    else {
      this.#count += 1;
      this.#reported = this.#reported.then(() => this.#report(posted));
    }
    return false;
  }

  /** @throws {Error} if there was no test */
  async finish() {
    await this.#reported;
    if (this.#count === 0) throw new Error(`${this.#engine} ran no test`);
  }

  /** @param {Outcome} outcome */
  #report({ name, duration, error }) {
    return this.#test.test(`${this.#engine}: ${name}`, (inner) => {
      inner.diagnostic(`${Math.round(duration)} ms there`);
      if (error === null) return;
      // The stack of the bundle, after the message that it repeats, leads to where it failed.
      throw Object.assign(new Error(error.message), { name: error.name, stack: error.stack });
    });
  }
}
