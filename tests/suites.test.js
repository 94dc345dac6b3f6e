// tests/suites.test.js: what runs the tests: one that fails, ends or is skipped unexpectedly fails the run and is named.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { inOrder, maySkip } from '../tools/suites.js';
import { makeTemporaryFolder, ROOT } from './support.js';

/**
 * Runs suites made up here.
 * @param {Record<string, string>} suites  by their names, what follows the import of test
 * @param {Record<string, string | undefined>} [variables]
 */
function runSuites(suites, variables = {}) {
  const folder = makeTemporaryFolder();
  const files = Object.entries(suites).map(([name, program]) => {
    const file = join(folder, `${name}.test.mjs`);
    writeFileSync(file, `import { describe, test } from 'node:test';\n${program}`);
    return file;
  });
  const { NODE_OPTIONS: _options, NODE_TEST_CONTEXT: _context, CI: _ci, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, 'tools', 'suites.js'), ...files],
    {
      env: { ...env, ...variables },
      encoding: 'utf8',
    },
  );
  return { status, stdout, failures: stderr.replaceAll(folder, '') };
}

test('suites that pass: exit code 0, nothing on stderr, and the closing lines that CI reads', () => {
  const { status, stdout, failures } = runSuites({ a: "test('x', () => {});", b: "test('y', () => {});" });
  assert.deepEqual({ status, failures }, { status: 0, failures: '' });
  assert.match(stdout, /^# tests 2$/m);
  assert.match(stdout, /^# pass 2$/m);
  assert.match(stdout, /^# fail 0$/m);
});

test('a test that fails, in a group too, and a file that ends: exit code 1, each named once at the end', () => {
  const { status, failures } = runSuites({
    a: "test('fine', () => {}); describe('group', () => test('inside', () => { throw new Error('x'); }));",
    b: 'process.exit(3);',
  });
  assert.equal(status, 1);
  const names = failures.split('\n').map((line) => line.replace(/ \(.*\)$/, ''));
  assert.deepEqual([names[0], names[1], names.length], [failures.split('\n')[0], '  failed: inside', 4]);
  assert.match(names[2], /^ {2}failed: .*b\.test\.mjs$/);
});

const SKIPS = `
  test('lacking', (t) => t.skip('this engine has no Float16Array; tests/browser.test.js has it'));
  test('browser', { skip: 'no Chromium found on the PATH' }, () => {});`;

test('a skip needs a reason; in CI, one that no machine can mend', () => {
  assert.deepEqual(runSuites({ a: SKIPS }).failures, '');
  const inCI = runSuites({ a: SKIPS }, { CI: 'true' });
  assert.equal(inCI.status, 1);
  assert.match(inCI.failures, /^ {2}skipped: browser \(no Chromium found on the PATH\)$/m);
  assert.doesNotMatch(inCI.failures, /lacking/);
  const silent = runSuites({ a: "test('silent', { skip: true }, () => {});" });
  assert.equal(silent.status, 1);
  assert.match(silent.failures, /^ {2}skipped: silent \(no reason\)$/m);
  for (const isCI of [false, true]) {
    assert.equal(maySkip('', isCI), false);
    assert.equal(maySkip(true, isCI), false);
    assert.equal(maySkip('this engine has no resizable buffers', isCI), true);
  }
});

test('the longest suites come first, the others as they were', () => {
  const files = ['tests/a.test.js', 'tests/demo.test.js', 'tests/b.test.js', 'tests/webgpu.test.js'];
  const sorted = ['tests/webgpu.test.js', 'tests/demo.test.js', 'tests/a.test.js', 'tests/b.test.js'];
  assert.deepEqual(inOrder(files), sorted);
});
