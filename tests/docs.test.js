// tests/docs.test.js: README.md and docs/ are true: every program in them prints what they say, every command is there, every
// link leads somewhere.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { build } from 'esbuild';
import ts from 'typescript';
import { apiPage } from '../tools/docs.js';
import { skip, visit } from './chromium.js';
import { blocksOf, PAGES, programOf, readPage, withoutTypes } from './docs.js';
import { writeSessionFiles } from './docs-files.js';
import { ROOT, runNode } from './support.js';
import { CORE } from './tfjs.js';

/** @typedef {import('./docs.js').Block} Block */

// In the repository, where the package finds itself by its name.
const FOLDER = join(ROOT, 'build', 'docs');
const COMMAND = join(ROOT, 'dist', 'cli', 'gradnorm.js');

const blocks = PAGES.flatMap(blocksOf);
const inLanguage = (/** @type {string} */ language) => blocks.filter((block) => block.language === language);

before(() => mkdirSync(FOLDER, { recursive: true }));
after(() => rmSync(FOLDER, { recursive: true, force: true }));

describe('pages', () => {
  test('the README has at most 180 lines, and leads to every page', () => {
    const readme = readPage('README.md');
    assert.ok(readme.split('\n').length - 1 <= 180);
    for (const page of PAGES.slice(1)) assert.ok(readme.includes(`](${page})`), page);
  });

  test('each page of docs/ opens with its title and one sentence, which says what it answers', () => {
    for (const page of PAGES.slice(1)) {
      const [title, lead] = readPage(page).split('\n\n');
      assert.match(title, /^# [^\n]+$/, page);
      assert.match(lead, /^[A-Z`][^]*[^.]\.$/, page);
      assert.doesNotMatch(lead, /\.\s+[A-Z]|^[#|`]{2}/, page);
    }
  });

  test('every link leads to a file, and to a heading where it names one', () => {
    for (const page of [...PAGES, 'CONTRIBUTING.md']) {
      for (const [link, path, heading] of readPage(page).matchAll(
        /\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)/g,
      )) {
        const target = path === '' ? page : join(dirname(page), path);
        assert.ok(existsSync(join(ROOT, target)), `${page}: ${link}`);
        if (heading !== undefined) assert.ok(headingsOf(target).includes(heading), `${page}: ${link}`);
      }
    }
  });

  test("the README's figures are those of docs/measurements.md", () => {
    const measured = measurementsIn(readPage('docs/measurements.md'));
    const shown = measurementsIn(/^## Measured\n[^]*?^## /m.exec(readPage('README.md'))?.[0] ?? '');
    assert.ok(shown.size >= 5);
    for (const [name, cells] of shown) {
      for (const [column, cell] of cells) {
        if (cell !== '–') assert.equal(cell, measured.get(name)?.get(column), `${name}, ${column}`);
      }
    }
  });

  test('no page has a heading twice, so that links to it lead there', () => {
    for (const page of PAGES) {
      const headings = headingsOf(page);
      assert.deepEqual(
        headings.filter((heading, i) => headings.indexOf(heading) !== i),
        [],
        page,
      );
    }
  });

  test('docs/api.md is what `npm run docs` makes of the doc comments', () => {
    assert.equal(readPage('docs/api.md'), apiPage());
  });

  test('blocks are in a language whose truth is tested, or plain text', () => {
    const languages = new Set(blocks.map(({ language }) => language));
    assert.deepEqual([...languages].sort(), ['console', 'js', 'sh', 'text', 'ts']);
    // Each fence is one of a block that was seen.
    for (const page of PAGES) {
      const seen = blocksOf(page).reduce((fences, { shown }) => fences + (shown === undefined ? 2 : 4), 0);
      assert.equal(readPage(page).match(/```|~~~/g)?.length ?? 0, seen, page);
    }
  });
});

/**
 * The rows of the tables whose first column is the case, by it.
 * @param {string} text
 * @returns {Map<string, Map<string, string>>}  by the names of the columns
 */
function measurementsIn(text) {
  const cellsOf = (/** @type {string} */ line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim());
  return new Map(
    [...text.matchAll(/^(\| case .*)\n\|[-:| ]*\n((?:\|.*\n)+)/gm)].flatMap(([, head, rows]) => {
      const columns = cellsOf(head);
      return rows
        .trimEnd()
        .split('\n')
        .map(cellsOf)
        .map((cells) => [cells[0], new Map(cells.map((cell, i) => [columns[i], cell]))]);
    }),
  );
}

/**
 * The names of a page's headings in links, as the places that show Markdown make them.
 * @param {string} page
 */
function headingsOf(page) {
  const names = readPage(page)
    .replace(/^```[^]*?^```$/gm, '')
    .match(/^#+ .*$/gm);
  return (names ?? []).map((name) =>
    name
      .replace(/^#+ /, '')
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

describe('programs', { concurrency: 2 }, () => {
  for (const block of inLanguage('js')) {
    const { page, line, code, file } = block;
    if (file !== undefined) {
      test(`${page}, line ${line}: a program uses the file ${file}`, () => {
        assert.ok(blocks.some((other) => other.page === page && other.code.includes(`./${file}`)));
      });
      continue;
    }
    const isForBrowsers = /\binit\('webgpu'\)|\bfetch\('|\bdocument\.|\bworker\.onmessage\b/.test(code);
    const where = isForBrowsers ? { skip } : {};
    test(`${page}, line ${line}: the program prints what the page says`, where, async () => {
      const { source, prints } = programOf(code);
      assert.ok(
        prints.length > 0 || block.shown !== undefined || isExample(code),
        'says nothing that it prints',
      );
      const name = `${page.replace(/\W/g, '-')}-${line}.mjs`;
      const printed = await (isForBrowsers
        ? runInChromium(source, prints.length, page)
        : runInNode(source, name));
      const said = block.shown === undefined ? printed : printed.slice(0, prints.length);
      // From a page they come by several requests.
      if (isForBrowsers) assert.deepEqual(said.sort(), prints.sort());
      else assert.deepEqual(said, prints);
      if (block.shown !== undefined) compareShown(block, printed.slice(prints.length));
    });
  }

  test('types: what stands in TypeScript compiles', () => {
    const files = inLanguage('ts').map(({ page, line, code }) => {
      const file = join(FOLDER, `${page.replace(/\W/g, '-')}-${line}.mts`);
      writeFileSync(file, code);
      return file;
    });
    assert.ok(files.length > 0);
    const program = ts.createProgram(files, {
      module: ts.ModuleKind.NodeNext,
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts', 'lib.dom.d.ts'],
      types: [],
      strict: true,
      noEmit: true,
    });
    const found = ts.getPreEmitDiagnostics(program);
    assert.equal(
      ts.formatDiagnostics(found, { ...ts.sys, getCanonicalFileName: String, getNewLine: () => '\n' }),
      '',
    );
  });
});

/**
 * What a program prints after all that its comments say is the block of text behind it; `UPDATE_DOCS=1 node --test tests/docs.test.js` writes it.
 * @param {Block} block
 * @param {string[]} printed
 */
function compareShown({ page, code, shown = '' }, printed) {
  const lines = `${printed.join('\n')}\n`;
  const behind = (/** @type {string} */ text) => `${code}\`\`\`\n\n\`\`\`text\n${text}`;
  if (process.env.UPDATE_DOCS)
    writeFileSync(
      join(ROOT, page),
      readPage(page).replace(behind(shown), () => behind(lines)),
    );
  else assert.equal(lines, shown);
}

/**
 * Whether it is a program of web/examples/, which tests/examples.test.js runs.
 * @param {string} code
 */
function isExample(code) {
  const folder = join(ROOT, 'web', 'examples');
  return readdirSync(folder).some((name) =>
    withoutTypes(readFileSync(join(folder, name), 'utf8')).includes(code),
  );
}

/**
 * @param {string} code
 * @param {string} name
 * @returns {Promise<string[]>}  the lines that it prints
 */
async function runInNode(code, name) {
  const file = join(FOLDER, name);
  if (code.includes("'@tensorflow/tfjs'")) await bundleTensorFlow(code, file);
  else writeFileSync(file, code);
  const setting = code.includes("'gradnorm/webgpu'")
    ? ['--import', join(ROOT, 'tests', 'docs-setting.js')]
    : [];
  const { status, stdout, stderr } = await runNode([...setting, file]);
  assert.equal(status, 0, stderr);
  return stdout === '' ? [] : stdout.trimEnd().split('\n');
}

/**
 * @param {string} contents
 * @param {string} outfile
 */
async function bundleTensorFlow(contents, outfile) {
  const require =
    "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";
  await build({
    stdin: { contents, resolveDir: ROOT },
    bundle: true,
    platform: 'node',
    mainFields: ['module', 'main'],
    format: 'esm',
    banner: { js: require },
    outfile,
    external: ['gradnorm', 'gradnorm/tfjs'],
    logLevel: 'silent',
    plugins: [
      {
        name: 'TensorFlow.js',
        setup({ onLoad, onResolve }) {
          onResolve({ filter: /^@tensorflow\/tfjs$/ }, ({ path }) => ({ path, namespace: 'tf' }));
          onLoad({ filter: /.*/, namespace: 'tf' }, () => ({ contents: CORE, resolveDir: ROOT }));
        },
      },
    ],
  });
}

/**
 * @param {string} code
 * @param {number} count  of the lines that are expected
 * @param {string} page   whose files it may use
 * @returns {Promise<string[]>}  the lines that it prints, and the error that it ends with
 */
async function runInChromium(code, count, page) {
  const script = await bundleForPages(
    `
    const post = (what) => fetch('/results', { method: 'POST', body: JSON.stringify(what) });
    console.log = (line) => post({ line: String(line) });
    import('program').catch((error) => post({ error: error.stack }));`,
    code,
  );
  const files = blocks.filter((block) => block.page === page && block.file !== undefined);
  const scripts = new Map([['/program.js', script]]);
  for (const { file, code } of files)
    scripts.set(`/${file}`, await bundleForPages("import 'program';", code));
  /** @type {string[]} */
  const lines = [];
  await visit({
    serve(path) {
      const script = scripts.get(path);
      if (script !== undefined) return { type: 'text/javascript', body: script };
      if (path.endsWith('/gradnorm.wasm'))
        return { type: 'application/wasm', body: readFileSync(join(ROOT, 'dist', 'gradnorm.wasm')) };
      if (path !== '/') return null;
      const body = '<!doctype html><title>gradnorm</title><script type="module" src="/program.js"></script>';
      return { type: 'text/html', body };
    },
    flags: ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
    take({ line, error }) {
      lines.push(error ?? line);
      return error !== undefined || lines.length === count;
    },
  });
  return lines;
}

/**
 * @param {string} contents  that import 'program'
 * @param {string} program
 */
async function bundleForPages(contents, program) {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: ROOT },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'silent',
    plugins: [
      {
        name: 'program',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^program$/ }, () => ({ path: 'program', namespace: 'docs' }));
          onLoad({ filter: /^program$/, namespace: 'docs' }, () => ({ contents: program, resolveDir: ROOT }));
        },
      },
    ],
    supported: { 'top-level-await': true },
  });
  return outputFiles[0].text;
}

describe('commands', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));

  test('every npm script and every file that a command names is there', () => {
    for (const page of [...PAGES, 'CONTRIBUTING.md']) {
      const text = readPage(page);
      for (const [command, isRun, name] of text.matchAll(/\bnpm (run )?(start|test|(?<=run )[\w:]+)/g)) {
        assert.ok(Object.hasOwn(scripts, name), `${page}: ${command}${isRun}`);
      }
      for (const [command, path] of text.matchAll(/\bnode ([\w./-]+\.js)\b/g)) {
        assert.ok(existsSync(join(ROOT, path)), `${page}: ${command}`);
      }
    }
  });

  test('lines of sh are npm, npx gradnorm or node, whose files and scripts the test before looks for', () => {
    const lines = inLanguage('sh').flatMap(({ code }) => code.trimEnd().split('\n'));
    assert.ok(lines.length > 0);
    for (const line of lines) {
      assert.match(
        line,
        /^(npm (install( -D)? [@\w/ -]+|start|test|run [\w:]+)|npx gradnorm \S+|node [\w./-]+\.js)( .*)?$/,
      );
    }
  });

  test('npm start has the options that the README names', async () => {
    const { stdout } = await runNode([join(ROOT, 'web', 'demo', 'train.js'), '--help']);
    const named = [...readPage('README.md').matchAll(/`npm start -- (--[\w-]+)/g)].map(
      ([, option]) => option,
    );
    assert.ok(named.length >= 2);
    for (const option of named) assert.ok(stdout.includes(option), option);
  });

  test('every session in docs/ says what the command says', async () => {
    const folder = writeSessionFiles();
    assert.ok(inLanguage('console').length >= 5);
    for (const page of PAGES) {
      const text = readPage(page);
      const expected = await withOutput(text, folder);
      // `UPDATE_DOCS=1 node --test tests/docs.test.js` writes it.
      if (process.env.UPDATE_DOCS) writeFileSync(join(ROOT, page), expected);
      else assert.equal(text, expected);
    }
  });

  test('docs/command.md and --help list the same options', async () => {
    const { stdout } = await runNode([COMMAND, '--help']);
    const page = readPage('docs/command.md').match(/`--[a-z-]+/g) ?? [];
    const help = stdout.match(/^ {2}--[a-z-]+/gm) ?? [];
    const names = (/** @type {string[]} */ list) =>
      [...new Set(list.map((option) => option.replace(/^\W+/, '')))].sort();
    assert.ok(help.length === 9);
    assert.deepEqual(names(page), names(help));
  });
});

/**
 * A page with what the commands of its sessions say now.
 * @param {string} page
 * @param {string} folder
 */
async function withOutput(page, folder) {
  const parts = page.split(/^(```console\n[^]*?^```$)/m);
  for (const [i, part] of parts.entries()) {
    if (!part.startsWith('```console')) continue;
    const lines = ['```console'];
    for (const [line, words] of part.matchAll(/^\$ (?:npx )?gradnorm (.*)$/gm)) {
      const { stdout, stderr, status } = await runNode([COMMAND, ...words.split(' ')], { cwd: folder });
      assert.equal(status === 0, stderr === '', line);
      lines.push(line, ...`${stdout}${stderr}`.trimEnd().split('\n'));
    }
    parts[i] = [...lines, '```'].join('\n');
  }
  return parts.join('');
}
