// tools/build.js: from sources to dist/. The WebAssembly module by CMake, the JavaScript by Rollup, the type declarations by tsc.
// Does nothing when the inputs are those of the last build.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
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
/** What the package's users and its command start from, by the names of their files in dist/. */
const ENTRIES = {
  index: 'index.js',
  slim: 'slim.js',
  webgpu: 'webgpu/index.js',
  jax: 'adapters/jax.js',
  tfjs: 'adapters/tfjs.js',
  'cli/gradnorm': 'cli/gradnorm.js',
  'cli/worker': 'cli/worker.js',
};
/** The JavaScript of dist/: the entries, and what they share. */
export const MODULES = [
  ...Object.keys(ENTRIES),
  ...['core', 'accumulator', 'report', 'monitor', 'wasm', 'gpu', 'cli/shared'],
].map((name) => `${name}.js`);
const OUTPUTS = [...MODULES, 'gradnorm.js', 'gradnorm.wasm', 'types/web/api.d.ts'];
const STAMP = join(ROOT, 'build', 'stamp');
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
  await bundle(ENTRIES, {
    manualChunks: chunkOf,
    chunkFileNames: '[name].js',
    // Their names stay readable, and none is imported for nothing, of which bundlers warn.
    minifyInternalExports: false,
    hoistTransitiveImports: false,
  });
  // The default entry in one file, for pages without a bundler.
  await bundle({ gradnorm: ENTRIES.index });
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

/**
 * Where the code goes that several entries share. A file for each module would be simpler, but Node.js takes longer to find
 * thirty files than to do the first call; in one file bundlers would keep what they may drop only by the file, such as a class
 * with a method whose name is a symbol.
 */
const CHUNKS = /** @type {const} */ ([
  [/\/wasm-hex\.js$|\/source-inline\.js$/, 'wasm'],
  [/\/web\/cli\/(?!gradnorm\.js|worker\.js)/, 'cli/shared'],
  [/\/web\/(webgpu\/|door\/(buffers|gpu-options)\.js|monitor\/ahead\.js)/, 'gpu'],
  [/\/web\/(monitor\/|monitor\.js)/, 'monitor'],
  [/\/web\/(report|core\/inspection)\.js$/, 'report'],
  [/\/web\/accumulator\.js$/, 'accumulator'],
  [/\/web\/(core|door|words)\/(?!source-)|\/web\/(alloc|clip|norm)\.js$/, 'core'],
]);

/** @param {string} path */
function chunkOf(path) {
  return CHUNKS.find(([pattern]) => pattern.test(path.replaceAll('\\', '/')))?.[1];
}

/** @param {string} path */
const isShader = (path) => /[\\/]webgpu[\\/]shaders[\\/]/.test(path);

/**
 * Without indentation and comments that are whole lines: minifiers leave texts as they are, and shaders are texts.
 * @param {string} code
 */
const stripLines = (code) => code.replace(/^[ \t]+/gm, '').replace(/^\/\/.*\n/gm, '');

/**
 * What ships is what one reads in web/, comments included, in few files.
 * @param {Record<string, string>} entries  below web/
 * @param {import('@rollup/wasm-node').OutputOptions} [output]
 */
async function bundle(entries, output) {
  const { rollup } = await import('@rollup/wasm-node');
  const input = Object.entries(entries).map(([name, path]) => [name, join(ROOT, 'web', path)]);
  const bundle = await rollup({
    input: Object.fromEntries(input),
    external: /^node:/,
    // As package.json says.
    treeshake: { moduleSideEffects: false },
    plugins: [{ name: 'shaders', transform: (code, path) => (isShader(path) ? stripLines(code) : null) }],
    onwarn: (warning) => {
      throw new Error(warning.message);
    },
  });
  await bundle.write({ ...output, dir: join(ROOT, 'dist'), format: 'es' });
  await bundle.close();
}

function writeDeclarations() {
  runQuietly(process.execPath, [npmTool('typescript'), '-p', join('tools', 'tsconfig.types.json')]);
  rmSync(join(ROOT, 'dist', 'types', 'build'), { recursive: true });
  const types = join(ROOT, 'dist', 'types', 'web');
  const aliases = join(types, 'webgpu', 'types');
  for (const name of readdirSync(types, { recursive: true, encoding: 'utf8' })) {
    const path = join(types, name);
    if (!name.endsWith('.d.ts') || path === `${aliases}.d.ts`) continue;
    const to = relative(dirname(path), aliases).replaceAll('\\', '/');
    writeFileSync(path, withAliases(readFileSync(path, 'utf8'), to.startsWith('.') ? to : `./${to}`));
  }
}

/**
 * Declarations in which tsc resolved the aliases of web/webgpu/types.js, which are there because not every library of
 * TypeScript knows WebGPU, with these aliases again.
 * @param {string} declarations
 * @param {string} from  the module of the aliases, without its extension
 */
function withAliases(declarations, from) {
  return declarations
    .split('\n')
    .map((line) =>
      /^\s*\*|^\s*\/\*/.test(line) ? line : line.replace(/\bGPU([A-Z]\w*)\b/g, `import("${from}.js").Gpu$1`),
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
