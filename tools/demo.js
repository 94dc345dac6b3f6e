// tools/demo.js: the demo page, by Vite: from web/demo/page to dist/demo, a folder for any web server, and a server to
// look at it.
import { join } from 'node:path';
import { recipesHtml } from './recipes.js';
import { ROOT, say } from './steps.js';

/** Where the page is built to. */
export const DEMO_FOLDER = join(ROOT, 'dist', 'demo');

/** What the page works under; whoever hosts it may send the same. */
export const DEMO_POLICY = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'";

/** @type {import('vite').InlineConfig} */
const CONFIG = {
  configFile: false,
  root: join(ROOT, 'web', 'demo', 'page'),
  // Relative, so that it works below any path.
  base: './',
  logLevel: 'warn',
  build: {
    outDir: DEMO_FOLDER,
    emptyOutDir: true,
    // A data: URL would break the policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'licenses.md' },
  },
  worker: { format: 'es' },
  plugins: [
    { name: 'recipes', transformIndexHtml: (html) => html.replace('<!-- recipes -->', () => recipesHtml()) },
  ],
};

export async function buildDemo() {
  const vite = await import('vite');
  await vite.build(CONFIG);
}

/** Serves dist/demo until the process ends. */
export async function serveDemo() {
  const vite = await import('vite');
  const server = await vite.preview({
    ...CONFIG,
    preview: { headers: { 'Content-Security-Policy': DEMO_POLICY } },
  });
  for (const url of server.resolvedUrls?.local ?? []) say(`the demo page is at ${url} (Ctrl+C ends it)`);
}
