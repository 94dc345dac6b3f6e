// tools/setup.js: installs what is missing. npm packages by npm; compilers by apt-get where that is allowed,
// otherwise with one message that says what to do.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram, ROOT, run, runNpm, runQuietly, say, StepError } from './steps.js';

/**
 * Something that apt-get can install.
 * @typedef {object} Tool
 * @property {string} name
 * @property {string} debianPackage
 * @property {() => boolean} isThere
 */

/** @type {Tool[]} */
const WASM_TOOLS = [
  { name: 'emcc', debianPackage: 'emscripten', isThere: () => findProgram('emcc') !== null },
  { name: 'cmake', debianPackage: 'cmake', isThere: () => findProgram('cmake') !== null },
  { name: 'ninja', debianPackage: 'ninja-build', isThere: () => findProgram('ninja') !== null },
];

/** @type {Tool[]} */
const NATIVE_TOOLS = [
  ...WASM_TOOLS.slice(1),
  {
    name: 'a C++20 compiler',
    debianPackage: 'g++',
    isThere: () => ['c++', 'g++', 'clang++'].some((name) => findProgram(name) !== null),
  },
  { name: 'GoogleTest', debianPackage: 'libgtest-dev', isThere: hasGoogleTest },
];

/** @type {Tool[]} */
const BROWSERS = [
  { name: 'Chromium', debianPackage: 'chromium', isThere: () => findBrowser() !== null },
  { name: 'Firefox', debianPackage: 'firefox-esr', isThere: () => findFirefox() !== null },
];

/** @type {Tool[]} */
const VULKAN = [
  { name: 'the Vulkan loader', debianPackage: 'libvulkan1', isThere: hasVulkanLoader },
  { name: 'lavapipe', debianPackage: 'mesa-vulkan-drivers', isThere: () => findLavapipe() !== null },
];

const HELP = `gradnorm needs Emscripten, CMake and Ninja to build. Install them and run the command again:
  Debian, Ubuntu   sudo apt-get install emscripten cmake ninja-build
  macOS            brew install emscripten cmake ninja
  elsewhere        git clone https://github.com/emscripten-core/emsdk, then in its folder
                   ./emsdk install latest && ./emsdk activate latest && . ./emsdk_env.sh
                   and CMake and Ninja from your system's packages`;

/** Installs the development packages if node_modules is missing or older than the lock file. */
export function ensureNpmPackages() {
  const lock = join(ROOT, 'package-lock.json');
  const installed = join(ROOT, 'node_modules', '.package-lock.json');
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs) return;
  say('installing npm packages');
  runNpm(['ci', '--include=dev', '--no-audit', '--no-fund']);
}

/**
 * @throws {StepError} with the commands to type if the tools are missing and cannot be installed
 */
export function ensureWasmTools() {
  const missing = installMissing(WASM_TOOLS);
  if (missing.length > 0) throw new StepError(`missing: ${missing.join(', ')}\n${HELP}`);
}

/**
 * @returns {string[]}  the names of the tools of the native tests that are missing and cannot be installed
 */
export function ensureNativeTools() {
  return installMissing(NATIVE_TOOLS);
}

/**
 * Installs the browsers that the browser tests use; without them they are skipped, or fail in CI.
 */
export function ensureBrowsers() {
  installMissing(BROWSERS);
}

/**
 * Installs what the tests of WebGPU load: in Node.js, without it they fail; in Firefox and Deno, without it they are skipped.
 */
export function ensureVulkanLoader() {
  if (process.platform === 'linux') installMissing(VULKAN);
}

/** @returns {string | null}  the full path of the description of Mesa's Vulkan device in software */
export function findLavapipe() {
  const paths = ['x86_64', 'aarch64'].map((machine) => `/usr/share/vulkan/icd.d/lvp_icd.${machine}.json`);
  return paths.find((path) => existsSync(path)) ?? null;
}

/** @returns {string | null}  the full path of Chromium, or of a browser made of it */
export function findBrowser() {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'chrome']) {
    const path = findProgram(name);
    if (path !== null) return path;
  }
  return null;
}

/** @returns {string | null}  the full path of Firefox */
export function findFirefox() {
  return findProgram('firefox-esr') ?? findProgram('firefox');
}

/**
 * @param {Tool[]} tools
 * @returns {string[]}  the names of those that are still missing
 */
function installMissing(tools) {
  const missing = tools.filter((tool) => !tool.isThere());
  const apt = missing.length > 0 ? aptGet() : null;
  if (apt !== null) {
    const packages = missing.map((tool) => tool.debianPackage);
    say(`installing ${packages.join(', ')} with apt-get (a few minutes the first time)`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const [command, ...args] = apt;
    runQuietly(command, [...args, 'update', '-qq'], env);
    run(command, [...args, 'install', '-y', '-qq', '--no-install-recommends', ...packages], env);
  }
  return tools.filter((tool) => !tool.isThere()).map((tool) => tool.name);
}

/** @returns {string[] | null}  the command that may install packages without asking for a password */
function aptGet() {
  if (findProgram('apt-get') === null) return null;
  if (process.getuid?.() === 0) return ['apt-get'];
  if (findProgram('sudo') === null) return null;
  try {
    runQuietly('sudo', ['-n', 'true']);
    return ['sudo', '-n', 'apt-get'];
  } catch {
    return null;
  }
}

function hasGoogleTest() {
  const prefixes = ['/usr', '/usr/local', '/opt/homebrew', '/opt/local'];
  return prefixes.some((prefix) => existsSync(join(prefix, 'include', 'gtest', 'gtest.h')));
}

function hasVulkanLoader() {
  const folders = [
    '/usr/lib',
    '/usr/lib64',
    '/usr/lib/x86_64-linux-gnu',
    '/usr/lib/aarch64-linux-gnu',
    '/usr/local/lib',
  ];
  return folders.some((folder) => existsSync(join(folder, 'libvulkan.so.1')));
}
