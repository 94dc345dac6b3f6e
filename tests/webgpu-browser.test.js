// tests/webgpu-browser.test.js: the WebGPU suites in Chromium: the same files that Node.js runs, each test reported here under
// its name.
import { test } from 'node:test';
import { skip, visit } from './chromium.js';
import { bundleSuites, Reporter, SUITES } from './webgpu-bundle.js';

/** Suites on the GPU that no browser can run. */
const ONLY_NODE = {
  'webgpu-memory.test.js': 'it measures the heap after collections that only Node.js lets a program ask for',
};

test('the WebGPU suites in Chromium', { skip }, async (t) => {
  for (const [name, reason] of Object.entries(ONLY_NODE)) t.diagnostic(`only in Node.js: ${name}: ${reason}`);
  const post = "(what) => fetch('/results', { method: 'POST', body: JSON.stringify(what) })";
  const script = await bundleSuites(SUITES, post);
  const reporter = new Reporter(t, 'Chromium');
  await visit({
    serve(path) {
      if (path === '/suites.js') return { type: 'text/javascript', body: script };
      if (path !== '/') return null;
      const body = '<!doctype html><title>gradnorm</title><script type="module" src="/suites.js"></script>';
      return { type: 'text/html', body };
    },
    flags: ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
    take: (posted) => reporter.take(posted),
  });
  await reporter.finish();
});
