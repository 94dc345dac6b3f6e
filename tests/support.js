// tests/support.js: what the suites share: fresh processes and temporary folders. Nothing of the library.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../tools/steps.js';

export { ROOT };

/**
 * Runs Node.js in a process of its own, in the root unless told otherwise.
 * @param {string[]} args
 * @param {{ cwd?: string, input?: string }} [options]
 * @returns {Promise<{ status: number | null, stdout: string, stderr: string }>}
 */
export function runNode(args, { cwd = ROOT, input = '' } = {}) {
  // The test runner's own variables would make the child report to it.
  const { NODE_OPTIONS: _options, NODE_TEST_CONTEXT: _context, ...env } = process.env;
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd, env });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.on('error', reject).on('close', (status) => resolve({ status, stdout, stderr }));
    // A child that has ended already reads nothing.
    child.stdin.on('error', () => {}).end(input);
  });
}

/**
 * An empty folder outside the repository, removed when the tests of this process are through.
 * @returns {string}
 */
export function makeTemporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'gradnorm-test-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
