// tests/runtimes/frameworks.js: Next.js on its server and in the browser; the test runners Jest and Vitest.
import { LAW, lawOf, WORKER } from './law.js';
import { titleOf } from './pages.js';
import { addressOf, expect, Project, stop, tool, until } from './project.js';

/** @typedef {import('./run.js').Runtime} Runtime */

const PAGE = `'use client';
import { useEffect, useState } from 'react';
import { law } from '../law.js';

export default function Page() {
  const [title, setTitle] = useState('waiting');
  useEffect(() => {
    const worker = new Worker(new URL('../worker.js', import.meta.url), { type: 'module' });
    worker.onmessage = async ({ data }) => setTitle(data === (await law()) ? data : 'worker: ' + data);
    worker.onerror = ({ message }) => setTitle('failed: ' + message);
  }, []);
  return <title>{title}</title>;
}
`;

const ROUTE = `import { law } from '../../law.js';
export const dynamic = 'force-dynamic';
export const GET = async () => new Response(await law());
`;

/** @type {Runtime} */
export const next = {
  name: 'next',
  what: 'build and start: a route on the server, a client component and its worker',
  version: 'next',
  async run() {
    const project = new Project('next', {
      'app/layout.jsx': 'export default ({ children }) => <html lang="en"><body>{children}</body></html>;\n',
      'app/page.jsx': PAGE,
      'app/law/route.js': ROUTE,
      'law.js': lawOf('gradnorm'),
      'worker.js': WORKER,
      // The root is where the tools are.
      'next.config.mjs': "export default { turbopack: { root: import.meta.dirname + '/../..' } };\n",
    });
    await project.run(tool('next'), ['build']);
    const server = project.start(tool('next'), ['start', '--hostname', '127.0.0.1', '--port', '0']);
    try {
      const address = await addressOf(server);
      const answer = await until(
        async () => (await fetch(`${address}/law`)).text(),
        () => server.process.exitCode !== null,
      );
      expect('the route', answer, LAW);
      expect('the page', await titleOf(`${address}/`), LAW);
    } finally {
      await stop(server);
    }
  },
};

const TEST = `import { law } from './law.js';
test('the law', async () => expect(await law()).toBe(${JSON.stringify(LAW)}));
`;

/** @type {Runtime} */
export const jest = {
  name: 'jest',
  what: 'ES modules as they are; and through Babel',
  version: 'jest',
  async run() {
    const native = new Project('jest', { 'law.js': lawOf('gradnorm'), 'law.test.js': TEST });
    const env = { NODE_OPTIONS: '--experimental-vm-modules' };
    await native.run(tool('jest'), ['--rootDir', native.folder, '--ci'], { env });
    const babel = new Project(
      'jest-babel',
      {
        'law.js': lawOf('gradnorm'),
        'law.test.js': TEST,
        'babel.config.cjs':
          "module.exports = { presets: [['@babel/preset-env', { targets: { node: 'current' } }]] };",
        'jest.config.cjs': "module.exports = { transformIgnorePatterns: ['/node_modules/(?!gradnorm/)'] };",
      },
      { type: 'commonjs' },
    );
    await babel.run(tool('jest'), ['--rootDir', babel.folder, '--ci']);
  },
};

/** @type {Runtime} */
export const vitest = {
  name: 'vitest',
  what: 'its environments node and jsdom',
  version: 'vitest',
  async run() {
    for (const environment of ['node', 'jsdom']) {
      const project = new Project(`vitest-${environment}`, {
        'law.js': lawOf('gradnorm'),
        'law.test.js': `import { expect, test } from 'vitest';\n${TEST}`,
      });
      const how = ['run', '--root', project.folder, '--environment', environment];
      const said = await project.run(tool('vitest'), how);
      if (!/1 passed/.test(said)) throw new Error(`vitest says\n${said}`);
    }
  },
};
