// tests/docs.js: the pages that users read, the blocks of code in them, and what the programs among these say that they print.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'node:util';
import { runInNewContext } from 'node:vm';
import { ROOT } from './support.js';

/** README.md and all of docs/. */
export const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/**
 * @typedef {object} Block
 * @property {string} page
 * @property {number} line      of the page, on which it begins
 * @property {string} language
 * @property {string} code
 * @property {string} [shown]   what a block of text directly behind it shows
 * @property {string} [file]    the name of the file that it is, which programs of the page use: its first line says so
 */

/** @param {string} page */
export function readPage(page) {
  return readFileSync(join(ROOT, page), 'utf8');
}

/**
 * @param {string} page
 * @returns {Block[]}  in the order of reading
 */
export function blocksOf(page) {
  return blocksIn(readPage(page)).map((block) => ({ page, ...block }));
}

/**
 * @param {string} text  Markdown
 * @returns {Omit<Block, 'page'>[]}  in the order of reading
 */
export function blocksIn(text) {
  return [...text.matchAll(/^```(\w*)\n([^]*?)^```$(?:\n\n```text\n([^]*?)^```$)?/gm)].map((match) => ({
    line: text.slice(0, match.index).split('\n').length,
    language: match[1],
    code: match[2],
    shown: match[3],
    file: /^\/\/ ([\w-]+\.js)\n/.exec(match[2])?.[1],
  }));
}

/**
 * @typedef {object} Program
 * @property {string} source
 * @property {string[]} prints  lines, in the order of reading
 */

/** A literal, alone or before a gap and words. */
const VALUE = /^(-?[\d.]+(?:e[+-]?\d+)?|NaN|-?Infinity|null|true|false|'.*?'|\[.*\]|\{.*\})(?= {2,}|$)/;

/**
 * A block as a program that prints what its comments say: `console.log(x); // printed` as it is, and of `x; // value` and
 * `const x = y; // value` the value.
 * @param {string} code
 * @returns {Program}
 */
export function programOf(code) {
  /** @type {string[]} */
  const prints = [];
  const lines = code.split('\n').map((line) => {
    const [, statement, comment] = /^(.*?;|.*?\}\)?;?) *\/\/ +(.*)$/.exec(line) ?? [];
    if (comment === undefined) return line;
    if (statement.includes('console.log(')) {
      prints.push(comment);
      return line;
    }
    const value = VALUE.exec(comment)?.[1];
    if (value === undefined) {
      if (/^[-\d'[{]/.test(comment)) throw new Error(`expected a value alone: ${line}`);
      return line;
    }
    prints.push(format(runInNewContext(`(${value})`)));
    const name = /^\s*(?:const|let) (\w+) = /.exec(statement)?.[1];
    return name === undefined
      ? `console.log(${statement.trim().replace(/;$/, '')});`
      : `${statement} console.log(${name});`;
  });
  return { source: lines.join('\n'), prints };
}

/**
 * A program of web/examples/ as pages show it.
 * @param {string} code
 */
export function withoutTypes(code) {
  return code
    .replace(/^\/\*\* @type.*\n|^\/\*\*\n[^]*?\*\/\n|^\/\*\* @param.*\n/gm, '')
    .replace(/\/\*\*[^]*?\*\/ \(([\w.]+)\)/g, '$1');
}
