// tools/steps.js: what the other tools share. Runs commands, looks for programs, says what is going on.
import { execFile, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** The root of the repository. */
export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** A failure with a message for people, printed without a stack trace. */
export class StepError extends Error {}

/** @param {string} text */
export function say(text) {
  console.error(`» ${text}`);
}

/**
 * The full path of a program, or null.
 * @param {string} name
 * @returns {string | null}
 */
export function findProgram(name) {
  const extensions = process.platform === 'win32' ? ['.exe', '.bat', '.cmd'] : [''];
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const extension of extensions) {
      const path = join(folder, name + extension);
      try {
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // Not here.
      }
    }
  }
  return null;
}

/**
 * The script of a development package's command.
 * @param {'prettier' | 'typescript'} name
 */
export function npmTool(name) {
  const path = { prettier: 'prettier/bin/prettier.cjs', typescript: 'typescript/bin/tsc' }[name];
  return join(ROOT, 'node_modules', path);
}

/**
 * Runs a command in the root with its output shown as it comes.
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @throws {StepError} if it cannot start or fails
 */
export function run(command, args, env = process.env) {
  const { status, signal, error } = spawnSync(command, args, { cwd: ROOT, stdio: 'inherit', env });
  if (error !== undefined) throw new StepError(`${command} did not start: ${error.message}`);
  if (status !== 0) {
    throw new StepError(`${[command, ...args].join(' ')} failed (${signal ?? `exit code ${status}`})`);
  }
}

/**
 * As run, but shows the output only if the command fails.
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @throws {StepError} if it cannot start or fails
 */
export function runQuietly(command, args, env = process.env) {
  const result = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8', env, maxBuffer: 2 ** 28 });
  if (result.status === 0) return;
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`);
  const reason = result.error?.message ?? result.signal ?? `exit code ${result.status}`;
  throw new StepError(`${[command, ...args].join(' ')} failed (${reason})`);
}

/**
 * As runQuietly, beside others.
 * @param {string} command
 * @param {string[]} args
 * @returns {Promise<void>}  rejects with a StepError, of which the output is a part
 */
export async function runBeside(command, args) {
  try {
    await promisify(execFile)(command, args, { cwd: ROOT, maxBuffer: 2 ** 28 });
  } catch (error) {
    const { stdout, stderr, message } = /** @type {any} */ (error);
    throw new StepError(`${stdout ?? ''}${stderr ?? ''}${message.split('\n')[0]}`);
  }
}

/**
 * What a command prints.
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @throws {StepError} if it cannot start or fails
 */
export function outputOf(command, args, env = process.env) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: ROOT, encoding: 'utf8', env });
  if (status === 0) return stdout.trim();
  throw new StepError(`${[command, ...args].join(' ')} failed (${error?.message ?? stderr.trim()})`);
}

/**
 * Runs npm, the one that runs us if there is one.
 * @param {string[]} args
 */
export function runNpm(args) {
  const script = process.env.npm_execpath;
  if (script !== undefined) runQuietly(process.execPath, [script, ...args]);
  else runQuietly(process.platform === 'win32' ? 'npm.cmd' : 'npm', args);
}
