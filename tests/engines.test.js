// tests/engines.test.js: the README's line of engines holds for all that ships: its syntax by esbuild's tables, and
// the built-ins it uses by MDN's.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, sep } from 'node:path';
import { before, describe, test } from 'node:test';
import { transform } from 'esbuild';
import ts from 'typescript';
import { MODULES } from '../tools/build.js';
import { ROOT } from './support.js';

/** @type {any} */
const mdn = createRequire(import.meta.url)('@mdn/browser-compat-data');

const README = readFileSync(join(ROOT, 'README.md'), 'utf8').replace(/\s+/g, ' ');
const LINE = /Chrome (\d+), Firefox (\d+), Safari ([\d.]+), Node\.js ([\d.]+) or newer\./.exec(README);
const [chrome, firefox, safari, nodejs] = LINE?.slice(1) ?? [];

/** @type {Record<string, string>} */
const OLDEST = { chrome, firefox, safari, nodejs };

/** @param {string} line  an engine's version is at most this */
function isAtMost(/** @type {string} */ version, line) {
  const [a, b] = [version, line].map((text) => text.split('.').map(Number));
  const i = [0, 1, 2].find((k) => (a[k] ?? 0) !== (b[k] ?? 0)) ?? 0;
  return (a[i] ?? 0) <= (b[i] ?? 0);
}

test("package.json asks for the README's Node.js", () => {
  const { engines } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  assert.equal(engines.node, `>=${nodejs}`);
});

describe('syntax', () => {
  const target = [`chrome${chrome}`, `firefox${firefox}`, `safari${safari}`, `node${nodejs}`];

  test('what no engine of the line knows is seen', async () => {
    const code = 'class A { static { A.x = 1; } }';
    assert.notEqual(
      (await transform(code, { target })).code,
      (await transform(code, { target: 'esnext' })).code,
    );
  });

  for (const name of ['gradnorm.js', ...MODULES]) {
    test(`the oldest engines read dist/${name} as it is`, async () => {
      const code = readFileSync(join(ROOT, 'dist', name), 'utf8');
      const [lowered, kept] = await Promise.all(
        [target, 'esnext'].map((target) => transform(code, { target, format: 'esm' })),
      );
      assert.deepEqual(lowered.warnings, []);
      assert.equal(lowered.code, kept.code);
    });
  }
});

/** Where TypeScript's library gives a built-in another name than MDN. */
const MDN_NAMES = new Map([
  ['Console', 'console'],
  ...['Int8', 'Uint8', 'Uint8Clamped', 'Int16', 'Uint16', 'Int32', 'Uint32', 'Float32', 'Float64']
    .concat('BigInt64', 'BigUint64')
    .map((type) => /** @type {const} */ ([`${type}Array`, 'TypedArray'])),
  ['ArrayBufferView', 'TypedArray'],
  ['CallableFunction', 'Function'],
  ['Body', 'Response'],
  ['ArrayLike', 'Array'],
  ['ReadonlyArray', 'Array'],
  ['ReadonlyMap', 'Map'],
  ['ReadonlySet', 'Set'],
]);

/** Records, of which MDN has no pages, and properties as old as their objects. */
const NO_PAGES =
  /^(Iterator\.\w+|Iterator(Return|Yield)Result\.\w+|Promise(Rejected|Fulfilled)Result\.\w+|\w+\.prototype|IArguments\.\w+)$/;

/** WebGPU is there or is said not to be: nobody needs it for the rest. */
const WEBGPU = /^(Navigator)?GPU|^navigator$/;

/**
 * The built-ins that the library names, such as 'Array.at' or 'fetch', by TypeScript's types.
 * @param {Record<string, string>} [files]  sources by path in place of those on disk
 * @returns {string[]}
 */
function builtinsOf(files) {
  const config = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile).config;
  const { options } = ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, ROOT);
  const host = ts.createCompilerHost(options);
  const { readFile } = host;
  host.readFile = (path) => files?.[path] ?? readFile(path);
  const roots = ['web/index.js', 'web/slim.js', 'web/webgpu/index.js'].map((path) => join(ROOT, path));
  const program = ts.createProgram(Object.keys(files ?? {}).concat(files ? [] : roots), options, host);
  const checker = program.getTypeChecker();
  /** @type {Set<string>} */
  const names = new Set();
  /** @param {ts.Node} node */
  const visit = (node) => {
    if (ts.isIdentifier(node) && !ts.isPartOfTypeNode(node)) {
      const symbol = checker.getSymbolAtLocation(node);
      for (const declaration of symbol?.declarations ?? []) {
        if (!program.isSourceFileDefaultLibrary(declaration.getSourceFile())) continue;
        const owner = ownerOf(declaration.parent);
        names.add(owner === '' ? node.text : `${owner}.${node.text}`);
      }
    }
    ts.forEachChild(node, visit);
  };
  for (const file of program.getSourceFiles()) {
    if (file.fileName.startsWith(join(ROOT, 'web').split(sep).join('/'))) visit(file);
  }
  return [...names].sort();
}

/** @param {ts.Node} parent  of a declaration: the interface, namespace or variable that it is a member of */
function ownerOf(parent) {
  const named = ts.isModuleBlock(parent) || ts.isTypeLiteralNode(parent) ? parent.parent : parent;
  const isNamed =
    ts.isInterfaceDeclaration(named) || ts.isModuleDeclaration(named) || ts.isVariableDeclaration(named);
  return isNamed ? named.name.getText() : '';
}

/**
 * MDN's table of a built-in.
 * @param {string} name
 * @returns {Record<string, any> | undefined}
 */
function supportOf(name) {
  const [first, ...rest] = name.split('.');
  const owner = first.replace(/Constructor$/, '');
  const object = rest.length === 0 ? owner : (MDN_NAMES.get(owner) ?? owner);
  const paths = [
    ['javascript', 'builtins', object, ...rest],
    ['api', object, ...rest],
    ['api', object, `${rest[0]}_static`],
    ['webassembly', 'api', ...(owner === 'WebAssembly' ? [] : [object]), ...rest],
    ['webassembly', 'api', `${rest[0]}_static`],
    ['javascript', 'operators', 'import_meta'].slice(0, name === 'ImportMeta.url' ? 3 : 0),
  ];
  const pages = paths.map((path) => path.reduce((page, key) => page?.[key], mdn));
  return pages.find((page) => page?.__compat !== undefined)?.__compat.support;
}

/** @param {string} name */
function tooNewFor(name) {
  const support = supportOf(name);
  return Object.keys(OLDEST).filter((engine) => {
    const version = [support?.[engine]].flat()[0]?.version_added;
    return typeof version !== 'string' || !isAtMost(version.replace('≤', ''), OLDEST[engine]);
  });
}

describe('built-ins', () => {
  /** @type {string[]} */
  let names;
  before(() => {
    names = builtinsOf().filter((name) => !WEBGPU.test(name) && !NO_PAGES.test(name));
  });

  test('a newer one is seen', () => {
    const source =
      'export const a = [1].findLast(Boolean), b = structuredClone(a), c = Object.hasOwn({}, "d");';
    const found = builtinsOf({ [join(ROOT, 'web', 'newer.js')]: source });
    assert.ok(found.includes('ObjectConstructor.hasOwn') && found.includes('structuredClone'));
    assert.notDeepEqual(tooNewFor('structuredClone'), []);
    assert.notDeepEqual(tooNewFor('Array.findLast'), []);
    assert.notDeepEqual(tooNewFor('Float64Array.findLast'), []);
  });

  test('all that the library uses are found', () => {
    for (const name of [
      'Array.map',
      'BigUint64Array',
      'Float64Array.set',
      'WebAssembly.instantiate',
      'fetch',
    ]) {
      assert.ok(names.includes(name), name);
    }
  });

  test('all are in the oldest engines', () => {
    const tooNew = names
      .map((name) => [name, tooNewFor(name).join()])
      .filter(([, engines]) => engines !== '');
    assert.deepEqual(tooNew, []);
  });
});
