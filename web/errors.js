// web/errors.js: words for error messages. At the bottom of the pipeline: it imports nothing.

// Brand checks that work on objects of other realms (iframes, vm contexts) and run no user code.
const typedArrayPrototype = Object.getPrototypeOf(Int8Array.prototype);
const typedArrayTag = /** @type {{ get: (this: unknown) => string | undefined }} */ (
  Object.getOwnPropertyDescriptor(typedArrayPrototype, Symbol.toStringTag)
).get;

/**
 * The name of a typed array's type, such as 'Float32Array'; undefined for anything else.
 * @param {unknown} value
 * @returns {string | undefined}
 */
export function typedArrayName(value) {
  return typedArrayTag.call(value);
}

/**
 * A short description of any value, for the "got" half of a message. Never throws.
 * @param {unknown} value
 * @returns {string}
 */
export function describe(value) {
  switch (typeof value) {
    case 'undefined':
      return 'undefined';
    case 'string':
      return `${JSON.stringify(shorten(value))} (a string)`;
    case 'number':
    case 'boolean':
    case 'symbol':
      return `${String(value)} (${withArticle(typeof value)})`;
    case 'bigint':
      return `${shorten(String(value))}n (a bigint)`;
    case 'function':
      return 'a function';
    default:
      return value === null ? 'null' : withArticle(typedArrayName(value) ?? className(value));
  }
}

/** @param {unknown} object */
function className(object) {
  try {
    if (Array.isArray(object)) return 'Array';
  } catch {
    return 'revoked Proxy';
  }
  try {
    const name = /** @type {{ constructor?: { name?: unknown } }} */ (object).constructor?.name;
    return typeof name === 'string' && name !== '' && name !== 'Object' ? shorten(name) : 'object';
  } catch {
    return 'object';
  }
}

/** @param {string} text */
function shorten(text) {
  return text.length <= 40 ? text : `${text.slice(0, 39)}…`;
}

/** @param {string} noun */
function withArticle(noun) {
  return `${/^[AEIOaeio]/.test(noun) ? 'an' : 'a'} ${noun}`;
}
