// tests/runtimes/servers.js: where JavaScript runs without a page: Node.js, Bun, Deno, workerd.
import { writeFileSync } from 'node:fs';
import { findLavapipe } from '../../tools/setup.js';
import { LAW, lawOf, printLaw } from './law.js';
import { expect, Project, tool } from './project.js';

/** @typedef {import('./run.js').Runtime} Runtime */

/** What every entry has; those of the adapters need no framework to be imported. */
const ENTRIES = `
const entries = {
  'gradnorm': 'gradNorm', 'gradnorm/slim': 'gradNorm', 'gradnorm/webgpu': 'GpuGradNorm',
  'gradnorm/jax': 'globalNorm', 'gradnorm/tfjs': 'withClip',
};
`;

/** @param {string} name */
function makeProject(name) {
  return new Project(name, {
    'law.js': lawOf('gradnorm'),
    'main.js': printLaw('./law.js'),
    'slim-law.js': lawOf('gradnorm/slim'),
    'slim.js': printLaw('./slim-law.js'),
    'entries.js': `${ENTRIES}
      for (const [name, verb] of Object.entries(entries)) console.log(name, typeof (await import(name))[verb]);`,
  });
}

const EACH_ENTRY = ['gradnorm', 'gradnorm/slim', 'gradnorm/webgpu', 'gradnorm/jax', 'gradnorm/tfjs']
  .map((name) => `${name} function`)
  .join('\n');

/** @type {Runtime} */
export const node = {
  name: 'node',
  what: 'import and require of every entry, gradnorm/slim, the command',
  version: () => process.versions.node,
  async run() {
    const project = makeProject('node');
    const run = (/** @type {string[]} */ ...args) => project.run(process.execPath, args);
    expect('import', await run('main.js'), LAW);
    expect('import of gradnorm/slim', await run('slim.js'), LAW);
    expect('import of every entry', await run('entries.js'), EACH_ENTRY);
    project.write({
      'main.cjs': `${ENTRIES}
        for (const [name, verb] of Object.entries(entries)) console.log(name, typeof require(name)[verb]);`,
    });
    const canRequire = 'require_module' in process.features && process.features.require_module === true;
    if (canRequire) expect('require of every entry', await run('main.cjs'), EACH_ENTRY);
    const header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".padEnd(53) + '\n';
    const bytes = Buffer.concat([
      Buffer.from(`\x93NUMPY\x01\x00${String.fromCharCode(header.length)}\x00${header}`, 'latin1'),
      Buffer.from(Float32Array.of(3, 4).buffer),
    ]);
    writeFileSync(project.path('gradient.npy'), bytes);
    const said = await project.run(project.path('node_modules', '.bin', 'gradnorm'), ['gradient.npy']);
    expect('the command', said.split('\n')[0], '2-norm 5.000 of 2 elements in 1 tensor');
  },
};

/** @type {Runtime} */
export const bun = {
  name: 'bun',
  what: 'every entry, gradnorm/slim',
  version: 'bun',
  async run() {
    const project = makeProject('bun');
    expect('bun', await project.run(tool('bun'), ['main.js']), LAW);
    expect('gradnorm/slim', await project.run(tool('bun'), ['slim.js']), LAW);
    expect('every entry', await project.run(tool('bun'), ['entries.js']), EACH_ENTRY);
  },
};

const GPU = `
  import { GpuGradNorm } from 'gradnorm/webgpu';
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice();
  const gpu = await GpuGradNorm.create({ device });
  const buffer = device.createBuffer({ size: 16, usage: 0x8c });
  device.queue.writeBuffer(buffer, 0, Float32Array.of(3, 4, 0, 12));
  const plan = gpu.plan({ w: { buffer, length: 4 } });
  const norms = [await plan.gradNorm(), await plan.clipGradNorm(6.5, { eps: 0 }).norm(), await plan.gradNorm()];
  console.log(norms.map((norm) => norm.toFixed(4)).join(' '));
  plan.destroy();
  device.destroy();`;

/** @type {Runtime} */
export const deno = {
  name: 'deno',
  what: 'every entry, gradnorm/slim; gradnorm/webgpu on wgpu',
  version: 'deno',
  async run() {
    const project = makeProject('deno');
    const run = (/** @type {string[]} */ ...args) =>
      project.run(tool('deno'), ['run', '--allow-read', '--node-modules-dir=manual', ...args], {
        env: { VK_ICD_FILENAMES: findLavapipe() ?? undefined },
      });
    expect('deno', await run('main.js'), LAW);
    expect('gradnorm/slim', await run('slim.js'), LAW);
    expect('every entry', await run('entries.js'), EACH_ENTRY);
    if (findLavapipe() === null) throw new Error('expected a GPU in software: mesa-vulkan-drivers');
    project.write({ 'gpu.js': GPU });
    expect('gradnorm/webgpu', await run('--unstable-webgpu', 'gpu.js'), '13.0000 13.0000 6.5000');
  },
};

const WORKER = `
import module from './gradnorm.wasm';
import { gradNorm, initSync } from 'gradnorm';
import { law } from './law.js';
export default {
  async fetch() {
    let early = '';
    try { gradNorm(new Float32Array(1)); } catch (error) { early = error.message; }
    initSync(module);
    return new Response(early + '\\n' + (await law()));
  },
};`;

/** @type {Runtime} */
export const workerd = {
  name: 'workerd',
  what: 'gradnorm/gradnorm.wasm and initSync, as on Cloudflare',
  version: 'workerd',
  async run() {
    const project = makeProject('workerd');
    const { build } = await import('esbuild');
    project.write({ 'worker.js': WORKER, 'serve.js': SERVE });
    await build({
      entryPoints: [project.path('worker.js')],
      outfile: project.path('out', 'worker.js'),
      bundle: true,
      format: 'esm',
      external: ['./gradnorm.wasm'],
      logLevel: 'silent',
    });
    const [early, law] = (await project.run(process.execPath, ['serve.js'])).split('\n');
    expect('inlined bytes', early, EARLY);
    expect('workerd', law, LAW);
  },
};

const EARLY =
  'gradnorm: no WebAssembly from bytes here; expected initSync of the module gradnorm/gradnorm.wasm';

const SERVE = `
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Miniflare } from 'miniflare';
const wasm = createRequire(import.meta.url).resolve('gradnorm/gradnorm.wasm');
const miniflare = new Miniflare({
  modules: [
    { type: 'ESModule', path: 'worker.js', contents: readFileSync('out/worker.js', 'utf8') },
    { type: 'CompiledWasm', path: 'gradnorm.wasm', contents: readFileSync(wasm) },
  ],
  compatibilityDate: '2026-01-01',
});
console.log(await (await miniflare.dispatchFetch('http://localhost/')).text());
await miniflare.dispose();`;
