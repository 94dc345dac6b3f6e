// tools/run.js: the command behind every npm script. Sets up, builds, then does what was asked:
//   node tools/run.js build | start | test | test:thorough | test:runtimes | bench | bench:gpu | demo | demo:build | docs | format
//   [arguments for the program]
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { build, buildNative, isBuilt } from './build.js';
import { buildDemo, serveDemo } from './demo.js';
import {
  ensureBrowsers,
  ensureNativeTools,
  ensureNpmPackages,
  ensureVulkanLoader,
  ensureWasmTools,
} from './setup.js';
import { findProgram, npmTool, ROOT, run, runBeside, runQuietly, say, StepError } from './steps.js';

/** @type {Record<string, (args: string[]) => Promise<void>>} */
const COMMANDS = {
  async build() {
    await ensureBuilt();
    say('dist/ is built');
  },
  async start(args) {
    await ensureBuilt();
    await handOver([join('web', 'demo', 'train.js'), ...args]);
  },
  async bench(args) {
    await ensureBuilt();
    await handOver([join('tests', 'bench', 'bench.js'), ...args]);
  },
  async 'bench:gpu'(args) {
    await ensureBuilt();
    run(process.execPath, [join('tests', 'bench', 'gpu', 'bundle.js')]);
    if (args.includes('--prepare')) return;
    ensureVulkanLoader();
    await handOver([join('dist', 'bench-gpu', 'bench.js'), ...args]);
  },
  async demo() {
    await COMMANDS['demo:build']([]);
    await serveDemo();
  },
  async 'demo:build'() {
    await ensureBuilt();
    say('building the demo page');
    await buildDemo();
    say('dist/demo/ is built');
  },
  async test(args) {
    await ensureBuilt();
    ensureBrowsers();
    ensureVulkanLoader();
    await runParts({
      'types and format': checkTypesAndFormat,
      'the native tests': testNative,
      'the tests of the package': testPackage.bind(null, args),
    });
  },
  async 'test:thorough'(args) {
    process.env.GRADNORM_THOROUGH = '1';
    await COMMANDS.test(args);
  },
  async 'test:runtimes'(args) {
    await ensureBuilt();
    ensureBrowsers();
    ensureVulkanLoader();
    await handOver([join('tests', 'runtimes', 'run.js'), ...args]);
  },
  async docs() {
    ensureNpmPackages();
    const { writeApiPage } = await import('./docs.js');
    writeApiPage();
    say('docs/api.md is written');
  },
  async format() {
    ensureNpmPackages();
    runQuietly(process.execPath, [npmTool('prettier'), '--write', '--log-level', 'warn', '.']);
    const sources = ['src', 'bindings', join('tests', 'native'), join('tests', 'bench')].flatMap((folder) =>
      readdirSync(join(ROOT, folder))
        .filter((name) => /\.[ch]pp$/.test(name))
        .map((name) => join(folder, name)),
    );
    if (findProgram('clang-format') !== null) run('clang-format', ['-i', ...sources]);
    else say('clang-format is not installed: the C++ files are as they were');
  },
};

async function ensureBuilt() {
  ensureNpmPackages();
  if (isBuilt()) return;
  ensureWasmTools();
  await build();
}

/**
 * Does all parts, whatever becomes of those before, and fails if one did.
 * @param {Record<string, () => void | Promise<void>>} parts
 */
async function runParts(parts) {
  /** @type {string[]} */
  const failed = [];
  for (const [name, part] of Object.entries(parts)) {
    try {
      await part();
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      console.error(error.message);
      failed.push(name);
    }
  }
  if (failed.length > 0) throw new StepError(`FAILED: ${failed.join(', ')}`);
}

async function checkTypesAndFormat() {
  say('checking types and format');
  const checks = await Promise.allSettled([
    runBeside(process.execPath, [npmTool('typescript'), '-p', '.']),
    runBeside(process.execPath, [npmTool('prettier'), '--check', '--log-level', 'warn', '.']),
  ]);
  const failures = checks.flatMap((check) => (check.status === 'rejected' ? [check.reason.message] : []));
  if (failures.length > 0) throw new StepError(failures.join('\n'));
}

/** The C++ tests, where there is a compiler; in CI there must be one. */
function testNative() {
  const missing = ensureNativeTools();
  if (missing.length > 0) {
    const reason = `the native tests need ${missing.join(', ')}`;
    if (process.env.CI) throw new StepError(reason);
    say(`SKIPPED: ${reason}`);
    return;
  }
  const isThorough = process.env.GRADNORM_THOROUGH === '1';
  for (const isSanitized of isThorough ? [false, true] : [false]) {
    say(`building and running the native tests${isSanitized ? ' under sanitizers' : ''}`);
    const folder = buildNative(isSanitized);
    const jobs = String(availableParallelism());
    run('ctest', ['--test-dir', folder, '--output-on-failure', '--parallel', jobs, '--quiet']);
  }
}

/** @param {string[]} files  all suites if there are none */
function testPackage(files) {
  say('testing the package');
  run(process.execPath, [join('tools', 'suites.js'), ...(files.length > 0 ? files : testFiles())]);
}

function testFiles() {
  return ['tests', join('tests', 'bench')].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.test.js'))
      .map((name) => join(folder, name)),
  );
}

/**
 * Runs a Node.js program in our place: it has the terminal, gets the signals and sets the exit code.
 * @param {string[]} args
 * @returns {Promise<void>}
 */
function handOver(args) {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
    process.on(signal, () => {
      // A terminal sends SIGINT to both of us; wait for the program to put the screen in order.
      if (signal === 'SIGTERM') child.kill(signal);
    });
  }
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => {
      process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 1);
      resolve();
    });
  });
}

const [command = '', ...args] = process.argv.slice(2);
try {
  if (!Object.hasOwn(COMMANDS, command)) {
    throw new StepError(`usage: node tools/run.js ${Object.keys(COMMANDS).join(' | ')}`);
  }
  await COMMANDS[command](args);
} catch (error) {
  if (!(error instanceof StepError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
