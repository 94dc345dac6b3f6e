// size of gradnorm/webgpu beside gradnorm, with shader variants
import { build } from 'esbuild'; import { brotliCompressSync, constants } from 'node:zlib'; import { readFileSync } from 'node:fs';
const br = (b) => brotliCompressSync(b).length;
const bundle = async (contents, edit) => (await build({ stdin: { contents, resolveDir: process.cwd() + '/dist' }, bundle: true, minify: true, format: 'esm', platform: 'browser', write: false,
  plugins: edit ? [{ name: 'e', setup({ onLoad }) { onLoad({ filter: /gpu\.js$/ }, ({ path }) => ({ contents: edit(readFileSync(path, 'utf8')), loader: 'js' })); } }] : [] })).outputFiles[0].contents;
const one = br(await bundle("export * from './index.js'"));
const show = async (name, edit) => { const b = await bundle("export * from './index.js'; export * from './webgpu.js'", edit); console.log(name, br(b) - one, b.length); };
await show('as is');
const strip = (t) => t.replace(/^[ \t]+/gm, '').replace(/^\/\/.*\n/gm, '');
await show('lines', strip);
