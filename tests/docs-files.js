// tests/docs-files.js: the files of gradients that the sessions in docs/ speak of.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { npy, safetensors, zip } from './cli-files.js';
import { makeTemporaryFolder } from './support.js';

/** @returns {string}  the folder that they are in */
export function writeSessionFiles() {
  const folder = makeTemporaryFolder();
  const wave = (/** @type {number} */ length, /** @type {number} */ scale) =>
    Float32Array.from({ length }, (_, i) => scale * ((i % 7) - 3));
  const weight = wave(65_536, 2 ** -12);
  const bias = wave(256, 2 ** -8);
  const sick = wave(1000, 2 ** -10);
  sick[137] = NaN;
  const whole = npy('<f4', [256], bias);
  const files = {
    'grads.safetensors': safetensors({
      embedding: { dtype: 'F32', shape: [128, 64], data: new Float32Array(8192) },
      'fc1.weight': { dtype: 'F32', shape: [256, 256], data: weight },
      'fc1.bias': { dtype: 'F32', data: bias },
    }),
    'bias.npy': whole,
    'layers.npz': zip([
      { name: 'first.npy', data: npy('<f4', [1000], sick), deflated: true },
      { name: 'second.npy', data: npy('<f8', [3], Float64Array.of(1, -2, 2)), deflated: true },
    ]),
    'truncated.npy': whole.subarray(0, 500),
  };
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  return folder;
}
