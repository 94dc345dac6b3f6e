// tests/runtimes/bundlers.js: bundlers and their pages: the default entry on a page and in a module worker, gradnorm/slim with its file, in
// browsers, under a strict policy.
import { copyFileSync } from 'node:fs';
import { HTML, LAW, lawOf, pageOf, WORKER } from './law.js';
import { serving, STRICT, titleOf } from './pages.js';
import { addressOf, expect, Project, stop, tool } from './project.js';

/** @typedef {import('./run.js').Runtime} Runtime */
/** @typedef {import('./pages.js').BrowserName} BrowserName */

/**
 * @param {string} name
 * @param {string} [entry]
 */
function makeProject(name, entry = 'gradnorm') {
  return new Project(name, {
    'index.html': HTML('./page.js'),
    'page.js': pageOf(),
    'worker.js': WORKER,
    'law.js': lawOf(entry),
  });
}

/**
 * @param {string} what
 * @param {string} folder
 * @param {BrowserName[]} [names]
 * @param {string} [policy]
 */
async function expectPage(what, folder, names = ['chromium'], policy = STRICT) {
  for (const name of names) {
    const title = await serving(folder, policy, (address) => titleOf(address, name));
    expect(`${what} in ${name}`, title, LAW);
  }
}

/** @type {Runtime} */
export const vite = {
  name: 'vite',
  what: 'build: page, worker, gradnorm/slim, in Chromium and Firefox; the development server',
  version: 'vite',
  async run() {
    for (const entry of ['gradnorm', 'gradnorm/slim']) {
      const project = makeProject(`vite-${entry.replace('/', '-')}`, entry);
      project.write({ 'vite.config.js': "export default { worker: { format: 'es' } };" });
      await project.run(tool('vite'), ['build']);
      await expectPage(`${entry} built`, project.path('dist'), ['chromium', 'firefox']);
      const server = project.start(tool('vite'), [
        '--host',
        '127.0.0.1',
        '--port',
        '0',
        '--strictPort',
        'false',
      ]);
      try {
        const address = await addressOf(server);
        expect(`${entry} served`, await titleOf(`${address}/`), LAW);
      } finally {
        await stop(server);
      }
    }
  },
};

const WEBPACK = `
import webpack from 'webpack';
const compiler = webpack({
  mode: 'production',
  context: import.meta.dirname,
  entry: './page.js',
  output: { path: import.meta.dirname + '/dist', filename: 'page.js', publicPath: 'auto' },
  performance: { hints: false },
});
compiler.run((error, stats) => {
  if (error || stats.hasErrors() || stats.hasWarnings()) {
    console.error(error ?? stats.toString());
    process.exitCode = 1;
  }
  compiler.close(() => {});
});`;

/** @type {Runtime} */
export const webpack = {
  name: 'webpack',
  what: 'page, worker, gradnorm/slim',
  version: 'webpack',
  async run() {
    for (const entry of ['gradnorm', 'gradnorm/slim']) {
      const project = makeProject(`webpack-${entry.replace('/', '-')}`, entry);
      project.write({ 'build.js': WEBPACK, 'dist/index.html': HTML('./page.js') });
      await project.run(process.execPath, ['build.js']);
      await expectPage(entry, project.path('dist'));
    }
  },
};

const ROLLUP = `
import { nodeResolve } from '@rollup/plugin-node-resolve';
export default {
  input: ['page.js', 'worker.js'],
  output: { dir: 'dist', format: 'es' },
  plugins: [nodeResolve({ browser: true })],
  onwarn: (warning) => { throw new Error(warning.message); },
};`;

/** @type {Runtime} */
export const rollup = {
  name: 'rollup',
  what: 'page and worker with a shared chunk; gradnorm/slim with its file copied',
  version: 'rollup',
  async run() {
    for (const entry of ['gradnorm', 'gradnorm/slim']) {
      const project = makeProject(`rollup-${entry.replace('/', '-')}`, entry);
      project.write({ 'rollup.config.js': ROLLUP, 'dist/index.html': HTML('./page.js') });
      await project.run(tool('rollup'), ['--config']);
      copyWasm(project);
      await expectPage(entry, project.path('dist'));
    }
  },
};

/** @type {Runtime} */
export const esbuild = {
  name: 'esbuild',
  what: 'page and worker; gradnorm/slim with its file copied',
  version: 'esbuild',
  async run() {
    for (const entry of ['gradnorm', 'gradnorm/slim']) {
      const project = makeProject(`esbuild-${entry.replace('/', '-')}`, entry);
      project.write({ 'dist/index.html': HTML('./page.js') });
      const how = ['--bundle', '--minify', '--format=esm', '--outdir=dist', '--log-level=warning'];
      await project.run(tool('esbuild'), ['page.js', 'worker.js', ...how]);
      copyWasm(project);
      await expectPage(entry, project.path('dist'), ['chromium', 'firefox']);
    }
  },
};

/** @param {Project} project */
function copyWasm(project) {
  const from = project.path('node_modules', 'gradnorm', 'dist', 'gradnorm.wasm');
  copyFileSync(from, project.path('dist', 'gradnorm.wasm'));
}

/** @type {Runtime} */
export const parcel = {
  name: 'parcel',
  what: 'page, worker, gradnorm/slim',
  version: 'parcel',
  async run() {
    for (const entry of ['gradnorm', 'gradnorm/slim']) {
      const project = makeProject(`parcel-${entry.replace('/', '-')}`, entry);
      const how = [
        '--no-cache',
        '--no-source-maps',
        '--dist-dir',
        'dist',
        '--public-url',
        './',
        '--cache-dir',
        'cache',
      ];
      await project.run(tool('parcel'), ['build', 'index.html', ...how]);
      // Parcel writes an import map of its own into the page.
      const policy = STRICT.replace('script-src', "script-src 'unsafe-inline'");
      await expectPage(entry, project.path('dist'), ['chromium'], policy);
    }
  },
};

/** @type {Runtime} */
export const browsers = {
  name: 'browsers',
  what: 'without a bundler: dist/gradnorm.js, and the modules by an import map',
  version: () => 'Chromium, Firefox',
  async run() {
    const folder = '/node_modules/gradnorm/dist';
    const project = new Project('browsers', {
      'index.html': HTML('./page.js'),
      'page.js': pageOf("new Worker('/worker.js', { type: 'module' })"),
      'worker.js': WORKER,
      'law.js': lawOf(`${folder}/gradnorm.js`),
    });
    await expectPage('dist/gradnorm.js', project.folder, ['chromium', 'firefox']);
    project.write({ 'law.js': lawOf(`${folder}/index.js`) });
    await expectPage('dist/index.js', project.folder, ['chromium', 'firefox']);
    project.write({ 'law.js': lawOf(`${folder}/slim.js`) });
    await expectPage('dist/slim.js', project.folder, ['chromium', 'firefox']);
  },
};
