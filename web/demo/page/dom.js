// web/demo/page/dom.js: what the sections share to reach and write elements.

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} Type
 * @returns {T}
 */
export function byId(id, Type) {
  const element = document.getElementById(id);
  if (element instanceof Type) return element;
  throw new Error(`#${id} is ${element?.localName ?? 'missing'}; expected a ${Type.name}`);
}

/**
 * Writes only what changed, so that a screen reader is not told the same again.
 *
 * @param {HTMLElement} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {string} name of the element
 * @param {{ className?: string, text?: string }} [options]
 * @param {(Node | string)[]} children
 */
export function create(name, { className = '', text = '' } = {}, ...children) {
  const element = document.createElement(name);
  if (className !== '') element.className = className;
  if (text !== '') element.textContent = text;
  element.append(...children);
  return element;
}

/**
 * A cell with a bar and its figure. The width is set by script: the page's policy forbids style attributes.
 *
 * @param {number} share of the longest bar, 0 .. 1; NaN: no bar
 * @param {string} text
 * @param {string} [className]
 */
export function barCell(share, text, className = '') {
  const bar = create('span', { className: 'bar' });
  bar.style.width = `${Number.isFinite(share) ? 100 * share : 0}%`;
  const track = create('span', { className: 'track' }, bar);
  return create(
    'td',
    { className: `bar-cell ${className}` },
    track,
    create('span', { className: 'figure', text }),
  );
}

/** @param {string} text */
export function numberCell(text) {
  return create('td', { className: 'number', text });
}

/** @param {string} text */
export function rowHead(text) {
  const head = create('th', { text });
  head.setAttribute('scope', 'row');
  return head;
}
