// tests/architecture.test.js: the floor plan. Every file stands on a floor and imports only from below.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, test } from 'node:test';
import ts from 'typescript';
import { BYTE_SHIFTS, DTYPE_NAMES } from '../web/core/dtypes.js';
import { HEALTH_WORDS, PARTIAL_WORDS, PIECE_WORDS } from '../web/core/layout.js';
import { TOTALS, WORDS } from '../web/core/partial.js';
import { PARAMETERS, RESULT } from '../web/webgpu/layouts.js';
import { ROOT } from './support.js';

/** The JavaScript, from the ground up: a new file is given its place here first. */
const WEB_FLOORS = [
  ['web/words/typed-array.js', 'web/words/text.js', 'web/monitor/averages.js', 'web/monitor/history.js'],
  ['web/words/errors.js'],
  ['web/words/checks.js'],
  ['web/monitor/options.js'],
  ['web/monitor.js'],
  [
    'web/core/dtypes.js',
    'web/core/layout.js',
    'web/core/partial.js',
    'web/core/room.js',
    'web/core/url.js',
    'web/core/embind.js',
  ],
  ['web/core/traits.js', 'web/core/memory.js'],
  ['web/core/module.js', 'web/core/staging.js'],
  ['web/core/source-inline.js', 'web/core/source-url.js', 'web/core/homes.js'],
  ['web/core/pack.js'],
  ['web/core/resident.js', 'web/core/reduce.js', 'web/core/inspect.js', 'web/core/rewrite.js'],
  ['web/core/inspection.js'],
  ['web/door/collect.js', 'web/door/clip-options.js'],
  ['web/door/aliases.js', 'web/door/template.js'],
  ['web/norm.js', 'web/clip.js', 'web/report.js', 'web/accumulator.js', 'web/alloc.js'],
  ['web/api.js', 'web/home.js'],
  ['web/index.js', 'web/slim.js'],
  // The command.
  ['web/cli/words.js', 'web/cli/element-types.js', 'web/cli/progress.js', 'web/cli/watch.js'],
  ['web/cli/file.js', 'web/cli/inspection.js', 'web/cli/options.js'],
  ['web/cli/tensor.js', 'web/cli/zip.js', 'web/cli/print.js'],
  ['web/cli/safetensors.js', 'web/cli/npy.js', 'web/cli/zip-entry.js', 'web/cli/inspect.js'],
  ['web/cli/npz.js', 'web/cli/work.js'],
  ['web/cli/formats.js', 'web/cli/worker.js', 'web/cli/threads.js'],
  ['web/cli/measure.js'],
  ['web/cli/gradnorm.js'],
  // The GPU path meets the CPU path in the verbs, the words of partials and the door.
  ['web/webgpu/types.js', 'web/webgpu/layouts.js', 'web/monitor/ahead.js'],
  ['web/door/buffers.js', 'web/door/gpu-options.js'],
  ['web/webgpu/jobs.js'],
  ['web/webgpu/shaders/wgsl.js', 'web/webgpu/results.js'],
  ['web/webgpu/shaders/sums.js', 'web/webgpu/shaders/merge.js'],
  ['web/webgpu/shaders/reduce.js', 'web/webgpu/shaders/decide.js', 'web/webgpu/shaders/rewrite.js'],
  ['web/webgpu/context.js', 'web/webgpu/powers.js'],
  ['web/webgpu/failures.js', 'web/webgpu/gather.js'],
  ['web/webgpu/ledger.js', 'web/webgpu/work.js'],
  ['web/webgpu/read-back.js', 'web/webgpu/ring.js'],
  ['web/webgpu/step.js'],
  ['web/webgpu/plan.js'],
  ['web/webgpu/gpu-grad-norm.js'],
  ['web/webgpu/index.js'],
  // Tensors of TensorFlow.js.
  ['web/adapters/tfjs/engine.js'],
  ['web/adapters/tfjs/tensors.js', 'web/adapters/tfjs/options.js'],
  ['web/adapters/tfjs/arrays.js'],
  ['web/adapters/tfjs/measure.js', 'web/adapters/tfjs/buffers.js'],
  ['web/adapters/tfjs/clip.js'],
  ['web/adapters/tfjs/verbs.js', 'web/adapters/tfjs/optimizer.js'],
  ['web/adapters/tfjs.js'],
  // Arrays of jax-js.
  ['web/adapters/jax/tree.js', 'web/adapters/jax/options.js'],
  ['web/adapters/jax/rows.js', 'web/adapters/jax/scale.js'],
  ['web/adapters/jax/norm.js'],
  ['web/adapters/jax/clip.js'],
  ['web/adapters/jax.js'],
  ['web/examples/gpu.js', 'web/examples/loop.js', 'web/examples/tfjs.js', 'web/examples/workers.js'],
  ['web/demo/char-rnn.js', 'web/demo/terminal.js'],
  ['web/demo/train.js', 'web/demo/shards.js'],
  // What the page and `npm run bench` measure by.
  ['web/demo/measure/data.js', 'web/demo/measure/statistics.js'],
  ['web/demo/measure/loops.js', 'web/demo/measure/reference.js'],
  // The demo page, in a browser and its workers.
  ['web/demo/page/settings.js', 'web/demo/page/dom.js', 'web/demo/page/chart.js'],
  ['web/demo/page/training.js', 'web/demo/page/contenders.js'],
  ['web/demo/page/patient.js'],
  ['web/demo/page/training-worker.js', 'web/demo/page/measure-worker.js'],
  ['web/demo/page/train-section.js', 'web/demo/page/sick-section.js'],
  ['web/demo/page/measure-section.js'],
  ['web/demo/page/main.js'],
];

/** What the build writes, below everything. */
const GENERATED = ['build/wasm-hex.js'];

/** The C++, likewise. */
const CORE_FLOORS = [
  ['src/bits.hpp'],
  ['src/lanes.hpp'],
  ['src/elementary.hpp', 'src/elements.hpp', 'src/partial.hpp'],
  ['src/kernels.hpp', 'src/norm.hpp', 'src/health.hpp'],
  ['src/tensor.hpp'],
  ['src/segments.hpp'],
  [
    'src/lanes.cpp',
    'src/elementary.cpp',
    'src/elements.cpp',
    'src/partial.cpp',
    'src/norm.cpp',
    'src/health.cpp',
    'src/segments.cpp',
    'src/tensor.cpp',
  ],
  ['bindings/bindings.cpp'],
];

/** Headers for the core: nothing that allocates, throws, reads or writes. */
const CORE_HEADERS = ['bit', 'cmath', 'cstddef', 'cstdint', 'cstring', 'limits', 'type_traits'];

/**
 * The files below a folder of the repository whose names end in one of these.
 * @param {string} folder
 * @param {string[]} endings
 * @returns {string[]}
 */
function filesIn(folder, endings) {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory())
        return ['node_modules', 'build'].includes(entry.name) ? [] : filesIn(path, endings);
      return endings.some((ending) => path.endsWith(ending)) ? [path] : [];
    })
    .sort();
}

const read = (/** @type {string} */ path) => readFileSync(join(ROOT, path), 'utf8');

/**
 * Everything that a JavaScript file imports, in code and in the types of its comments.
 * @param {string} path
 */
function importsOf(path) {
  const text = read(path);
  const inCode = ts.preProcessFile(text, true, true).importedFiles.map(({ fileName }) => fileName);
  const types = /\bimport\('([^']+)'\)|@import .*? from '([^']+)'/g;
  const inTypes = [...text.matchAll(types)].map(([, one, other]) => one ?? other);
  return [...inCode, ...inTypes].map((specifier) =>
    specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier,
  );
}

/** @param {string} path */
function isOnlyType(path) {
  const { importedFiles } = ts.preProcessFile(read(path), true, true);
  return (/** @type {string} */ specifier) => importedFiles.every(({ fileName }) => fileName !== specifier);
}

/**
 * Everything that a C++ file includes: its own kind by path, the others in angle brackets.
 * @param {string} path
 */
function includesOf(path) {
  return [...read(path).matchAll(/^\s*#\s*include\s*(?:"([^"]+)"|(<[^>]+>))/gm)].map(([, own, other]) =>
    own === undefined ? other : posix.join(posix.dirname(path), own),
  );
}

/**
 * C++ without its comments.
 * @param {string} path
 */
function codeOf(path) {
  return read(path).replace(/\/\*[^]*?\*\/|\/\/.*/g, '');
}

/**
 * @param {string[][]} floors
 * @param {string} path
 */
function floorOf(floors, path) {
  return floors.findIndex((floor) => floor.includes(path));
}

/**
 * @param {string[][]} floors
 * @param {string} path
 * @param {string} imported
 */
function assertBelow(floors, path, imported) {
  const floor = floorOf(floors, imported);
  assert.notEqual(floor, -1, `${path} imports ${imported}, which is on no floor`);
  assert.ok(floor < floorOf(floors, path), `${path} imports ${imported}, which is not below it`);
}

describe('JavaScript', () => {
  const paths = WEB_FLOORS.flat();

  test('every file has one floor', () => {
    assert.deepEqual([...paths].sort(), filesIn('web', ['.js', '.mjs', '.cjs', '.ts']));
  });

  test('files import only from below', () => {
    const imports = paths.flatMap((path) => importsOf(path).map((imported) => [path, imported]));
    const ownImports = imports.filter(([, imported]) => /^(web|build|\.)/.test(imported));
    assert.ok(ownImports.length >= 20, 'the imports are not seen');
    for (const [path, imported] of ownImports) {
      if (!GENERATED.includes(imported)) assertBelow(WEB_FLOORS, path, imported);
    }
  });

  test('what ships and its demo take nothing from the tests or the tools', () => {
    const outside = paths.flatMap((path) =>
      importsOf(path)
        .filter((imported) => /^(\.\.|tests|tools)\//.test(imported))
        .map((imported) => `${path}: ${imported}`),
    );
    assert.deepEqual(outside, []);
  });

  test('the library imports no package, not even of Node.js, but for its command; only its demo and its examples import it by name', () => {
    for (const path of paths) {
      const others = importsOf(path).filter((imported) => !/^(web|build)\//.test(imported));
      // An adapter knows the types of its framework, which nobody else has to install; the command runs in Node.js.
      const types = path === 'web/adapters/jax/tree.js' ? others.filter(isOnlyType(path)) : [];
      assert.ok(types.every((name) => String(name) === '@jax-js/jax'));
      const rest = others.filter((name) => !types.includes(name));
      const allowed = path.startsWith('web/cli/') ? rest.filter((name) => name.startsWith('node:')) : [];
      if (!/^web\/(demo|examples)\//.test(path)) assert.deepEqual(rest, allowed, path);
    }
    assert.ok(importsOf('web/demo/train.js').includes('gradnorm'));
    assert.deepEqual(importsOf('web/demo/char-rnn.js'), []);
  });

  test('only the source that is part of the JavaScript knows what the build writes', () => {
    const who = paths.filter((path) => importsOf(path).some((imported) => GENERATED.includes(imported)));
    assert.deepEqual(who, ['web/core/source-inline.js']);
  });

  test('only what rewrites gradients can write to them', () => {
    const who = paths.filter((path) => /\b(copyOut|fillWith)\b/.test(read(path)));
    assert.deepEqual(who, ['web/words/typed-array.js', 'web/core/staging.js', 'web/core/rewrite.js']);
  });

  test('the GPU path knows of the CPU path its verbs, its door, and those who reduce and inspect', () => {
    const known = [
      'accumulator',
      'core/dtypes',
      'core/inspection',
      'core/layout',
      'core/module',
      'core/partial',
      'core/reduce',
      'core/room',
      'core/source-inline',
      'door/buffers',
      'door/clip-options',
      'door/gpu-options',
      'report',
      'words/checks',
      'words/errors',
    ].map((name) => `web/${name}.js`);
    const gpu = paths.filter((path) => path.startsWith('web/webgpu/'));
    const outside = gpu.flatMap((path) =>
      ts
        .preProcessFile(read(path), true, true)
        .importedFiles.map(({ fileName }) => posix.join(posix.dirname(path), fileName)),
    );
    const others = new Set(outside.filter((path) => !path.startsWith('web/webgpu/')));
    assert.deepEqual([...others].sort(), known);
  });

  test('what is no gradient is refused by the one check, whoever asks', () => {
    const verbs = ['norm', 'clip', 'report', 'accumulator', 'monitor'].map((name) => `web/${name}.js`);
    const askers = [...verbs, ...paths.filter((path) => /^web\/(monitor|words)\//.test(path))];
    const who = [...askers, 'web/door/clip-options.js', 'web/core/module.js'].filter((path) =>
      /\b(Type|Range)Error\b/.test(codeOf(path).replace(/@\w+.*/g, '')),
    );
    // The loader's own is a cause inside the error that it throws.
    assert.deepEqual(who.sort(), ['web/core/module.js', 'web/words/checks.js']);
  });

  test('the policies of clipping, and what it does if an option is left out, are written once', () => {
    const library = paths.filter((path) => !/^web\/(demo|examples)\//.test(path));
    const who = library.filter((path) => /'propagate', '|\beps\w* = [\d.]+e-/i.test(codeOf(path)));
    assert.deepEqual(who, ['web/door/clip-options.js']);
  });

  test('the oracle knows nothing of the library', () => {
    assert.deepEqual(importsOf('tests/oracle.js'), []);
    assert.doesNotMatch(read('tests/oracle.js'), /\bgradNorm\b|\bdist\/|\bweb\//);
  });
});

describe('C++', () => {
  const paths = CORE_FLOORS.flat();
  const core = paths.filter((path) => path.startsWith('src/'));

  test('every file has one floor', () => {
    const endings = ['.cpp', '.hpp', '.h', '.c', '.cc'];
    assert.deepEqual([...paths].sort(), [...filesIn('bindings', endings), ...filesIn('src', endings)]);
  });

  test('files include only from below', () => {
    const includes = paths.flatMap((path) => includesOf(path).map((included) => [path, included]));
    const ownIncludes = includes.filter(([, included]) => !included.startsWith('<'));
    assert.ok(ownIncludes.length >= 12, 'the includes are not seen');
    for (const [path, included] of ownIncludes) assertBelow(CORE_FLOORS, path, included);
  });

  test('the core includes nothing that allocates, throws, reads or writes', () => {
    for (const path of core) {
      const headers = includesOf(path).filter((included) => included.startsWith('<'));
      const others = headers.filter((header) => !CORE_HEADERS.includes(header.slice(1, -1)));
      assert.deepEqual(others, path === 'src/lanes.hpp' ? ['<wasm_simd128.h>'] : [], path);
      assert.doesNotMatch(codeOf(path), /\b(new|delete|malloc|free|throw|try|catch|printf)\b/, path);
    }
  });

  test('only the lanes know the target', () => {
    for (const path of core) {
      if (path === 'src/lanes.hpp') assert.match(codeOf(path), /__wasm_simd128__/);
      else assert.doesNotMatch(codeOf(path), /^\s*#\s*(if|ifdef|ifndef|elif)\b|wasm/im, path);
    }
  });

  test('the core knows nothing of JavaScript or Emscripten, the bindings only Embind', () => {
    for (const path of core) {
      assert.doesNotMatch(read(path), /javascript|embind|typed ?array/i, path);
      assert.doesNotMatch(codeOf(path), /emscripten|\bEM_\w+/i, path);
    }
    const bindings = codeOf('bindings/bindings.cpp');
    assert.doesNotMatch(bindings, /\bEM_\w+|\bval\b|typed_memory_view|javascript|<emscripten\.h>/i);
    const headers = includesOf('bindings/bindings.cpp').filter((included) => included.startsWith('<'));
    assert.deepEqual(headers, ['<emscripten/bind.h>', '<cstddef>', '<cstdint>']);
  });
});

describe('tables that both languages have say the same', () => {
  test('structures of the shaders: every field stands where WGSL aligns it to, and what to clamp by where a result says how to rewrite', () => {
    for (const { wgsl, words, at } of [PARAMETERS, RESULT]) {
      const lanes = [...wgsl.matchAll(/(\w+): (?:vec(\d)<u32>|[uif]32)/g)];
      assert.deepEqual(
        lanes.map(([, field]) => field),
        Object.keys(at),
      );
      for (const [, field, count = '1'] of lanes) assert.equal(at[field] % Number(count), 0, field);
      assert.equal(words % 4, 0);
    }
    assert.equal(PARAMETERS.at.clamp, RESULT.at.mode);
    assert.deepEqual([RESULT.at.factor, RESULT.at.shift], [RESULT.at.mode + 1, RESULT.at.mode + 2]);
    assert.equal(4 * RESULT.words, 64);
  });

  const elements = read('src/elements.hpp');

  test('the codes of element types', () => {
    const [, body] = /enum class Dtype : uint32_t \{([^}]*)\}/.exec(elements) ?? [];
    const names = (body ?? '').match(/\bk\w+/g)?.map((name) => name.slice(1).toLowerCase());
    assert.deepEqual(names, DTYPE_NAMES);
  });

  test('the sizes of elements', () => {
    const [, body] = /kBytes\[\] = \{([^}]*)\}/.exec(elements) ?? [];
    assert.deepEqual(
      (body ?? '').split(',').map(Number),
      BYTE_SHIFTS.map((shift) => 2 ** shift),
    );
  });

  test('the digits of a partial', () => {
    const [, digits] = /int kDigits = (\d+);/.exec(read('src/partial.hpp')) ?? [];
    assert.equal(Number(digits), TOTALS);
    assert.equal(WORDS, PARTIAL_WORDS);
    assert.equal(PIECE_WORDS, PARTIAL_WORDS + HEALTH_WORDS + 1);
  });
});

describe('a file opens by its own path and what it is for', () => {
  for (const folder of ['web', 'web/demo', 'src', 'bindings', 'tools', 'tests']) {
    test(folder, () => {
      const paths = filesIn(folder, ['.js', '.cpp', '.hpp', '.d.ts']).filter(
        (path) => folder !== 'web' || !path.startsWith('web/demo/'),
      );
      assert.ok(paths.length > 0);
      const without = paths.filter((path) => {
        const opening = `// ${path}: `;
        const text = read(path).replace(/^#!.*\n/, '');
        return !text.startsWith(opening) || text.charAt(opening.length).trim() === '';
      });
      assert.deepEqual(without, []);
    });
  }
});
