// tests/runtimes.test.js: the program that npm run test:runtimes tries everywhere, here; and what that command refuses. The runtimes
// themselves are tried by that command alone, as their tools take a gigabyte.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LAW, lawOf } from './runtimes/law.js';
import { runNode } from './support.js';

for (const entry of ['gradnorm', 'gradnorm/slim'])
  test(`the law of the runtimes holds for '${entry}'`, async () => {
    const input = `${lawOf(entry)}\nconsole.log(await law());`;
    const { stdout, stderr } = await runNode(['--input-type=module', '-'], { input });
    assert.equal(stderr, '');
    assert.equal(stdout.trim(), LAW);
  });

test('a runtime that there is not is refused with the names of all, and none is tried', async () => {
  const { status, stdout, stderr } = await runNode(['tests/runtimes/run.js', 'node', 'netscape']);
  assert.equal(status, 1);
  assert.equal(stdout, '');
  assert.match(stderr, /^there is no netscape; expected any of node, bun, deno, workerd, vite, .*, attw\n$/);
});
