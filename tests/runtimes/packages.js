// tests/runtimes/packages.js: what checks a package without running it: the compiler of TypeScript, publint, Are the types wrong.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { npmTool, ROOT } from '../../tools/steps.js';
import { expect, Project, tool } from './project.js';

/** @typedef {import('./run.js').Runtime} Runtime */

const PROGRAM = `
import { allocGradients, clipGradNorm, GradMonitor, gradNorm, type ClipOptions } from 'gradnorm';
import { initSync } from 'gradnorm/slim';
import { GpuGradNorm } from 'gradnorm/webgpu';
const options: ClipOptions = { nonfinite: 'skip', lossScale: 1024 };
const made = allocGradients({ weight: 3 });
const weight: Float32Array = made.weight;
const norms: number[] = [gradNorm(made), clipGradNorm([weight, null], new GradMonitor(), options)];
const later: Promise<GpuGradNorm> = GpuGradNorm.create();
// @ts-expect-error
gradNorm([1]);
export { initSync, later, norms };
`;

const ADAPTERS = `
import { globalNorm } from 'gradnorm/jax';
import { gradNorm, withClip } from 'gradnorm/tfjs';
import * as tf from '@tensorflow/tfjs-core';
import { clipGradNorm } from 'gradnorm/tfjs';
const adam: tf.AdamOptimizer = withClip(tf.train.adam(0.1), { maxNorm: 1, per: 'tensor', lossScale: 1024 });
withClip(tf.train.sgd(0.1), { maxValue: 1, onNorm: (norm: number) => console.log(norm) });
declare const byName: tf.NamedTensorMap;
declare const list: tf.Tensor[];
const clipped: [tf.NamedTensorMap, tf.Tensor[]] = [clipGradNorm(byName, 1).grads, clipGradNorm(list, 1).grads];
// @ts-expect-error  no limit
withClip(tf.train.sgd(0.1), {});
// @ts-expect-error  two
withClip(tf.train.sgd(0.1), { maxNorm: 1, maxValue: 1 });
// @ts-expect-error  no optimizer
withClip({}, { maxNorm: 1 });
export { adam, clipped, globalNorm, gradNorm };
`;

const STRICT = {
  target: 'es2022',
  lib: ['es2022', 'dom', 'dom.iterable', 'esnext.disposable'],
  types: [],
  strict: true,
  noEmit: true,
};

const RESOLUTIONS = {
  nodenext: { module: 'nodenext' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
  node10: { module: 'esnext', moduleResolution: 'node10', ignoreDeprecations: '6.0' },
};

/** @type {Runtime} */
export const tsc = {
  name: 'tsc',
  what: '--strict under nodenext, bundler and node10; the adapters beside their frameworks',
  version: () =>
    JSON.parse(readFileSync(join(ROOT, 'node_modules', 'typescript', 'package.json'), 'utf8')).version,
  async run() {
    for (const [name, resolution] of Object.entries(RESOLUTIONS)) {
      const project = new Project(`tsc-${name}`, { 'main.ts': PROGRAM, 'adapters.ts': ADAPTERS });
      for (const [file, skipLibCheck] of /** @type {const} */ ([
        ['main.ts', false],
        ['adapters.ts', true],
      ])) {
        const compilerOptions = { ...STRICT, ...resolution, skipLibCheck };
        project.write({ 'tsconfig.json': JSON.stringify({ compilerOptions, files: [file] }) });
        expect(
          `${file} under ${name}`,
          await project.run(process.execPath, [npmTool('typescript'), '-p', '.']),
          '',
        );
      }
    }
  },
};

/** @type {Runtime} */
export const publint = {
  name: 'publint',
  what: '--strict on the tarball',
  version: 'publint',
  async run(tarball) {
    const project = new Project('publint', {});
    const said = await project.run(tool('publint'), ['run', tarball, '--strict']);
    if (!/All good!/.test(said)) throw new Error(`publint says\n${said}`);
  },
};

/** @type {Runtime} */
export const attw = {
  name: 'attw',
  what: 'the types of every entry, under every resolution',
  version: '@arethetypeswrong/cli',
  async run(tarball) {
    const project = new Project('attw', {});
    // Older CommonJS has to import() what is ES modules only; and a file of WebAssembly has no types.
    const how = [
      '--no-emoji',
      '--ignore-rules',
      'cjs-resolves-to-esm',
      '--exclude-entrypoints',
      './gradnorm.wasm',
    ];
    const said = await project.run(tool('attw'), [tarball, ...how]);
    if (!/No problems found/.test(said)) throw new Error(`attw says\n${said}`);
  },
};
