// tools/recipes.js: the recipes of the README as a part of the demo page, so that they are written once.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './steps.js';

/** @returns {string}  HTML: an article for each recipe */
export function recipesHtml() {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const section = /^## Recipes\n([^]*?)^## /m.exec(readme)?.[1] ?? '';
  const [, ...recipes] = section.split(/^### /m);
  return recipes.map(articleOf).join('\n');
}

/**
 * @param {string} recipe  its title, paragraphs and programs
 * @param {number} i
 */
function articleOf(recipe, i) {
  const [title, ...parts] = recipe
    .split(/(^```js\n[^]*?^```$)/m)
    .flatMap((part) => (part.startsWith('```') ? [part] : part.split('\n\n')))
    .map((part) => part.trim())
    .filter(Boolean);
  const id = `recipe-${i + 1}`;
  return `<article aria-labelledby="${id}">\n<h3 id="${id}">${lineOf(title)}</h3>\n${parts.map((part) => partOf(part, title)).join('\n')}\n</article>`;
}

/**
 * @param {string} part
 * @param {string} title
 */
function partOf(part, title) {
  const code = /^```js\n([^]*)\n```$/.exec(part)?.[1];
  if (code === undefined) return `<p>${lineOf(part)}</p>`;
  const name = `Program: ${title}`;
  return `<pre tabindex="0" role="region" aria-label="${escape(name)}"><code>${escape(code)}</code></pre>`;
}

/**
 * Text of Markdown, of whose links only the words stay: the pages that they lead to are not beside the demo.
 * @param {string} text
 */
function lineOf(text) {
  return escape(text)
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/`([^`]*)`/g, '<code>$1</code>');
}

/** @param {string} text */
function escape(text) {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
