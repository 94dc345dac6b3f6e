// tests/bench/gpu/bundle.js: the GPU benchmark and tfjs as one file, dist/bench-gpu/bench.js, beside the library that it
// measures: what is carried to a machine with a GPU is dist/, and Dawn's binding.
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installPeers } from '../install.js';

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = join(HERE, '..', '..', '..');
const FOLDER = join(ROOT, 'dist', 'bench-gpu');
/** The entry, as the bundle finds it beside itself wherever both are carried. */
const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const LIBRARY = relative(FOLDER, join(ROOT, exports['./webgpu'].default)).split(sep).join('/');

const PROGRAM = `
  import * as library from 'gradnorm/webgpu';
  import * as tf from '@tensorflow/tfjs-core';
  import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
  import { runProgram } from './bench.js';
  await runProgram(library, { tf, WebGPUBackend });`;

installPeers((text) => console.error(text));
await build({
  stdin: { contents: PROGRAM, resolveDir: HERE, sourcefile: 'program.js' },
  outfile: join(FOLDER, 'bench.js'),
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  mainFields: ['module', 'main'],
  // tfjs asks for node-fetch only where there is no fetch.
  external: ['webgpu', 'node-fetch'],
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
  },
  logLevel: 'warning',
  plugins: [
    {
      name: 'the library as it ships',
      setup({ onResolve }) {
        onResolve({ filter: /^gradnorm\/webgpu$/ }, () => ({ path: LIBRARY, external: true }));
      },
    },
  ],
});
