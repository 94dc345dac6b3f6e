// tools/build.js: from sources to dist/. The WebAssembly module by CMake, the modules as they are, one bundle of them by Rollup,
// the type declarations by tsc. Does nothing when the inputs are those of the last build.
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, sep } from 'node:path';
import { checkModule } from './check-module.js';
import { findProgram, npmTool, outputOf, ROOT, runQuietly, say, StepError } from './steps.js';

/** What the build reads. */
export const INPUTS = [
  'CMakeLists.txt',
  'bindings',
  'package-lock.json',
  'package.json',
  'src',
  'tools',
  'tsconfig.json',
  'web',
];
const OUTPUTS = [
  'cli/gradnorm.js',
  'gradnorm.js',
  'gradnorm.wasm',
  'index.js',
  'slim.js',
  'webgpu/index.js',
  'types/web/api.d.ts',
];
const STAMP = join(ROOT, 'build', 'stamp');
/** What Node.js runs of the command: its main program, and that of its threads. */
const COMMAND = {
  input: ['gradnorm.js', 'worker.js'].map((name) => join(ROOT, 'web', 'cli', name)),
  external: /^node:/,
};
/** The module as JavaScript. */
const HEX = join('build', 'wasm-hex.js');

/** @returns {boolean}  whether dist/ was built from what is here now, by the compiler that is here now if there is one */
export function isBuilt() {
  if (!OUTPUTS.every((name) => existsSync(join(ROOT, 'dist', name)))) return false;
  const stamp = readStamp();
  return stamp?.inputs === digestInputs() && stamp.compiler === (emscriptenVersion() ?? stamp.compiler);
}

/** @returns {{ inputs: string, compiler: string } | null}  what dist/ was built from, and by which version of Emscripten */
export function readStamp() {
  try {
    return JSON.parse(readFileSync(STAMP, 'utf8'));
  } catch {
    // None, or one of another form: dist/ is built anew.
    return null;
  }
}

/** Builds all of dist/. */
export async function build() {
  rmSync(STAMP, { force: true });
  rmSync(join(ROOT, 'dist'), { recursive: true, force: true });
  mkdirSync(join(ROOT, 'dist'), { recursive: true });
  say('building the WebAssembly module');
  const compiler = emscriptenVersion();
  if (compiler === null) throw new StepError('emcc --version says no version');
  buildWasm(compiler);
  say('gathering the JavaScript');
  copyModules();
  await bundle({ input: join(ROOT, 'dist', 'index.js') }, { file: join(ROOT, 'dist', 'gradnorm.js') });
  await bundle(COMMAND, { dir: join(ROOT, 'dist', 'cli'), chunkFileNames: 'shared.js' });
  say('writing the type declarations');
  writeDeclarations();
  writeFileSync(STAMP, JSON.stringify({ inputs: digestInputs(), compiler }));
}

/**
 * Builds the C++ tests, into build/native; under the sanitizers of addresses and undefined behaviour into build/sanitize.
 * @param {boolean} isSanitized
 * @returns {string}  the folder
 */
export function buildNative(isSanitized) {
  const name = process.env.CXX ?? ['c++', 'g++', 'clang++'].find((name) => findProgram(name) !== null) ?? '';
  const [command, ...args] = name.split(' ');
  const folder = join('build', isSanitized ? 'sanitize' : 'native');
  const configure = isSanitized ? ['cmake', '-DGRADNORM_SANITIZE=ON'] : ['cmake'];
  buildCMake(folder, configure, `${name} ${outputOf(command, [...args, '--version'])}`);
  return folder;
}

/**
 * Configures a CMake tree unless it is one of this compiler, and builds it. CMake keeps what it found of a compiler, and
 * Ninja the objects that it made, when another takes its place.
 * @param {string} folder
 * @param {string[]} configure
 * @param {string} compiler  what tells it from others
 */
function buildCMake(folder, [command, ...args], compiler) {
  const note = join(ROOT, folder, 'configured-for');
  const configuration = `${ROOT}\n${compiler}`;
  const env = emscriptenEnvironment();
  if (!existsSync(note) || readFileSync(note, 'utf8') !== configuration) {
    rmSync(join(ROOT, folder), { recursive: true, force: true });
    const generator = findProgram('ninja') === null ? [] : ['-G', 'Ninja'];
    runQuietly(command, [...args, '-S', '.', '-B', folder, ...generator], env);
    writeFileSync(note, configuration);
  }
  runQuietly('cmake', ['--build', folder], env);
}

/** @param {string} compiler  the version of Emscripten */
function buildWasm(compiler) {
  const folder = join('build', 'wasm');
  buildCMake(folder, ['emcmake', 'cmake'], `${findProgram('emcc')} ${compiler}`);
  const wasm = readFileSync(join(ROOT, folder, 'gradnorm.wasm'));
  checkModule(wasm, compiler);
  writeFileSync(join(ROOT, 'dist', 'gradnorm.wasm'), wasm);
  writeFileSync(
    join(ROOT, HEX),
    `// Written by tools/build.js: gradnorm.wasm.\nexport const hex =\n  '${wasm.toString('hex')}';\n`,
  );
}

/**
 * Debian's Emscripten looks for its JavaScript packages through Debian's own Node.js. Any other Node.js has
 * to be told where they are.
 */
function emscriptenEnvironment() {
  const debianModules = '/usr/share/nodejs';
  if (!existsSync(debianModules)) return process.env;
  return { ...process.env, NODE_PATH: process.env.NODE_PATH ?? debianModules };
}

/** @returns {string | null}  such as '3.1.6', or null where Emscripten is missing or does not work */
function emscriptenVersion() {
  if (findProgram('emcc') === null) return null;
  try {
    const text = outputOf('emcc', ['--version'], emscriptenEnvironment());
    return /\d+\.\d+\.\d+/.exec(text)?.[0] ?? null;
  } catch {
    return null;
  }
}

/** What ships is what one reads in web/, but for the programs that only use it, the command and the contract that has no code. */
function copyModules() {
  for (const path of modules()) {
    const to = join(ROOT, 'dist', path);
    mkdirSync(dirname(to), { recursive: true });
    const text = readFileSync(join(ROOT, 'web', path), 'utf8');
    writeFileSync(to, text.replace("'../../build/wasm-hex.js'", "'../wasm-hex.js'"));
  }
  copyFileSync(join(ROOT, HEX), join(ROOT, 'dist', 'wasm-hex.js'));
}

/** @returns {string[]}  the modules of the package, below web/ */
export function modules() {
  return readdirSync(join(ROOT, 'web'), { recursive: true, encoding: 'utf8' })
    .map((path) => path.split(sep).join('/'))
    .filter((path) => path.endsWith('.js') && !/^(cli\/|demo\/|examples\/|home\.js$)/.test(path))
    .sort();
}

/**
 * The whole of the default entry in one file, for pages without a bundler; the command in few, as it takes Node.js as long to
 * find all its modules as to measure a quarter of a gigabyte.
 * @param {import('@rollup/wasm-node').RollupOptions} options
 * @param {import('@rollup/wasm-node').OutputOptions} output
 */
async function bundle(options, output) {
  const { rollup } = await import('@rollup/wasm-node');
  const bundle = await rollup({
    ...options,
    onwarn: (warning) => {
      throw new Error(warning.message);
    },
  });
  await bundle.write({ ...output, format: 'es' });
  await bundle.close();
}

function writeDeclarations() {
  runQuietly(process.execPath, [npmTool('typescript'), '-p', join('tools', 'tsconfig.types.json')]);
  rmSync(join(ROOT, 'dist', 'types', 'build'), { recursive: true });
  const folder = join(ROOT, 'dist', 'types', 'web', 'webgpu');
  for (const name of readdirSync(folder)) {
    if (name.endsWith('.d.ts') && name !== 'types.d.ts')
      writeFileSync(join(folder, name), withAliases(readFileSync(join(folder, name), 'utf8')));
  }
}

/**
 * Declarations in which tsc resolved the aliases of web/webgpu/types.js, which are there because not every library of
 * TypeScript knows WebGPU, with these aliases again.
 * @param {string} declarations
 */
function withAliases(declarations) {
  return declarations
    .split('\n')
    .map((line) =>
      /^\s*\*|^\s*\/\*/.test(line) ? line : line.replace(/\bGPU([A-Z]\w*)\b/g, 'import("./types.js").Gpu$1'),
    )
    .join('\n');
}

function digestInputs() {
  const hash = createHash('sha256');
  const add = (/** @type {string} */ path) => {
    for (const entry of readdirSync(join(ROOT, path), { withFileTypes: true })) {
      const child = join(path, entry.name);
      if (entry.isDirectory()) add(child);
      else addFile(child);
    }
  };
  const addFile = (/** @type {string} */ path) => {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(ROOT, path)))
      .update('\0');
  };
  for (const path of INPUTS) {
    if (path.includes('.')) addFile(path);
    else add(path);
  }
  return hash.digest('hex');
}
