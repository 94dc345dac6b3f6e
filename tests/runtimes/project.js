// tests/runtimes/project.js: projects of users: a folder with the packed package installed, the tools above it, and how to run something
// there. Nothing of the repository is in reach but what npm would publish.
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ROOT, runNpm } from '../../tools/steps.js';

const HERE = join(ROOT, 'tests', 'runtimes');
/** Below the tools' node_modules, so that projects find the tools, and tools each other. */
const FOLDER = join(HERE, 'build');
const TOOLS = join(HERE, 'node_modules');
const PACKED = join(FOLDER, 'packed');

/** Milliseconds after which only a hang is still running. */
const PATIENCE = 600_000;

/** The program of a tool, such as 'vite'. */
export const tool = (/** @type {string} */ name) => join(TOOLS, '.bin', name);

/** Packs the package and installs the tarball once, for all projects to copy. */
export function packPackage() {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(PACKED, { recursive: true });
  runNpm(['pack', '--ignore-scripts', '--pack-destination', PACKED]);
  const [tarball] = readdirSync(PACKED);
  writeFileSync(join(PACKED, 'package.json'), '{ "private": true }');
  const offline = ['--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--no-save'];
  runNpm(['install', '--prefix', PACKED, ...offline, join(PACKED, tarball)]);
  return join(PACKED, tarball);
}

/** A folder of its own. */
export class Project {
  /**
   * @param {string} name
   * @param {Record<string, string | Uint8Array>} files  their texts by their paths
   * @param {object} [manifest]  of its package.json
   */
  constructor(name, files, manifest = {}) {
    this.folder = join(FOLDER, name);
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(this.folder, { recursive: true });
    cpSync(join(PACKED, 'node_modules'), join(this.folder, 'node_modules'), {
      recursive: true,
      verbatimSymlinks: true,
    });
    this.write({
      'package.json': JSON.stringify({ name, private: true, type: 'module', ...manifest }),
      ...files,
    });
  }

  /** @param {string[]} names */
  path(...names) {
    return join(this.folder, ...names);
  }

  /** @param {Record<string, string | Uint8Array>} files */
  write(files) {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(this.path(name)), { recursive: true });
      writeFileSync(this.path(name), text);
    }
  }

  /**
   * Runs a program there until it ends.
   * @param {string} program
   * @param {string[]} args
   * @param {{ env?: Record<string, string | undefined>, isExpected?: (code: number | null) => boolean }} [options]
   * @returns {Promise<string>}  what it printed
   * @throws {Error} with what it said, if it fails
   */
  async run(program, args, { env = {}, isExpected = (code) => code === 0 } = {}) {
    const child = this.start(program, args, env);
    const code = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => child.process.kill('SIGKILL'), PATIENCE);
      child.process.on('error', reject);
      child.process.on('close', (status) => {
        clearTimeout(timer);
        resolve(status);
      });
    });
    if (!isExpected(code)) {
      throw new Error(`${[program, ...args].join(' ')} ended with ${code}:\n${child.said.slice(-6000)}`);
    }
    return child.out.trim();
  }

  /**
   * Starts a program that goes on, such as a server.
   * @param {string} program
   * @param {string[]} args
   * @param {Record<string, string | undefined>} [env]
   */
  start(program, args, env = {}) {
    // The test runner's own variables would make Node.js report to it.
    const { NODE_OPTIONS: _options, NODE_TEST_CONTEXT: _context, ...own } = process.env;
    const quiet = { CI: '1', NO_COLOR: '1', FORCE_COLOR: undefined, NEXT_TELEMETRY_DISABLED: '1' };
    const child = spawn(program, args, {
      cwd: this.folder,
      env: { ...own, ...quiet, ...env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const started = { process: child, out: '', said: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      started.out += text;
      started.said += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => (started.said += text));
    return started;
  }
}

/**
 * Ends a program and what it started.
 * @param {{ process: import('node:child_process').ChildProcess }} started
 */
export async function stop({ process: child }) {
  if (child.exitCode !== null || child.pid === undefined) return;
  const closed = new Promise((resolve) => child.on('close', resolve));
  process.kill(-child.pid, 'SIGKILL');
  await closed;
}

/**
 * @param {string} what
 * @param {string} actual
 * @param {string} expected
 */
export function expect(what, actual, expected) {
  if (actual !== expected) throw new Error(`${what} says\n  ${actual}\nexpected\n  ${expected}`);
}

/**
 * @param {{ process: import('node:child_process').ChildProcess, out: string, said: string }} server
 * @returns {Promise<string>}  the address that it prints, without a path
 * @throws {Error} with what it said, if it ends before
 */
export function addressOf(server) {
  return until(
    async () => {
      const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(server.out) ?? [];
      if (found === undefined) throw new Error(`it serves nothing:\n${server.said}`);
      return found;
    },
    () => server.process.exitCode !== null,
  );
}

/**
 * Tries again until it works: a server needs a while.
 * @template T
 * @param {() => Promise<T>} attempt
 * @param {() => boolean} isHopeless
 * @returns {Promise<T>}
 */
export async function until(attempt, isHopeless) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (isHopeless() || Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
