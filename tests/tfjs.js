// tests/tfjs.js: TensorFlow.js for the tests, bundled from its modules: in Node.js, where its packages bring bundles of their own
// that miss the gradients, and in browsers.
import { build } from 'esbuild';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { makeTemporaryFolder, ROOT } from './support.js';

/**
 * As the bundles have it: the core with all gradients, and layers.
 * @typedef {typeof import('@tensorflow/tfjs-core') & Pick<typeof import('@tensorflow/tfjs-layers'), 'layers' | 'sequential' | 'model' | 'input'>} Tf
 */

const require = createRequire(import.meta.url);

/** What every bundle has; no chained methods, which users of the core alone have not either. */
export const CORE = `
  export * from '@tensorflow/tfjs-core';
  import '@tensorflow/tfjs-core/dist/register_all_gradients';
  export { layers, sequential, model, input } from '@tensorflow/tfjs-layers';
  import '@tensorflow/tfjs-backend-cpu';
`;

/** What a browser has beside. */
const BROWSER = `
  ${CORE}
  import '@tensorflow/tfjs-backend-webgl';
  import '@tensorflow/tfjs-backend-webgpu';
`;

/** Gives the pages that import 'tf' what a browser has. @type {import('esbuild').Plugin} */
export const bundledTf = {
  name: 'TensorFlow.js',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^tf$/ }, ({ path }) => ({ path, namespace: 'tf' }));
    onLoad({ filter: /.*/, namespace: 'tf' }, () => ({ contents: BROWSER, resolveDir: ROOT }));
  },
};

/** Chromium with WebGL and WebGPU in software. */
export const SOFTWARE_FLAGS = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--ignore-gpu-blocklist',
];

/**
 * TensorFlow.js in Node.js with the back ends cpu and wasm; each call gives a copy of its own, and all share one engine, as on a
 * page that has it twice.
 * @returns {Promise<Tf>}
 */
export async function loadTf() {
  const outfile = join(makeTemporaryFolder(), 'tf.cjs');
  await build({
    stdin: {
      contents: `${CORE} export { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';`,
      resolveDir: ROOT,
    },
    bundle: true,
    platform: 'node',
    mainFields: ['module', 'main'],
    format: 'cjs',
    outfile,
    logLevel: 'silent',
  });
  const tf = require(outfile);
  if (!('wasm' in tf.engine().registry)) {
    tf.setWasmPaths(`${dirname(require.resolve('@tensorflow/tfjs-backend-wasm'))}/`);
  }
  return tf;
}
