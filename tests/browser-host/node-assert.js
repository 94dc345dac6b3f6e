// tests/browser-host/node-assert.js: as much of node:assert/strict as the WebGPU suites use, for browsers.

class AssertionError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = 'AssertionError';
  }
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function show(value) {
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number' || typeof value === 'undefined') return String(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (ArrayBuffer.isView(value)) return showView(/** @type {Float32Array} */ (value));
  return JSON.stringify(value, (_, item) => (typeof item === 'number' ? show(item) : item)) ?? String(value);
}

/** @param {Float32Array} view */
function showView(view) {
  const start = [...view.subarray(0, 20)].map(show).join(', ');
  return `${view.constructor.name}(${view.length}) [${start}${view.length > 20 ? ', …' : ''}]`;
}

/**
 * Why one is not the other, or null if it is.
 * @param {unknown} actual
 * @param {unknown} expected
 * @param {string} place
 * @returns {string | null}
 */
function difference(actual, expected, place = '') {
  if (Object.is(actual, expected)) return null;
  const differs = `${place === '' ? '' : `at ${place}: `}got ${show(actual)}, expected ${show(expected)}`;
  if (typeof actual !== 'object' || typeof expected !== 'object' || actual === null || expected === null)
    return differs;
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) return differs;
  if (ArrayBuffer.isView(actual)) {
    const [one, other] = [actual, /** @type {ArrayBufferView} */ (expected)].map(bytesOf);
    return one.length === other.length && one.every((byte, i) => byte === other[i]) ? null : differs;
  }
  if (actual instanceof Map || actual instanceof Set || actual instanceof ArrayBuffer)
    throw new Error(`node-assert.js does not compare a ${actual.constructor.name}`);
  const keys = Object.keys(actual);
  if (keys.length !== Object.keys(expected).length) return differs;
  for (const key of keys) {
    if (!Object.hasOwn(expected, key)) return differs;
    const inside = difference(
      /** @type {any} */ (actual)[key],
      /** @type {any} */ (expected)[key],
      `${place}[${key}]`,
    );
    if (inside !== null) return inside;
  }
  return null;
}

/** @param {ArrayBufferView} view */
function bytesOf({ buffer, byteOffset, byteLength }) {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/**
 * @param {boolean} holds
 * @param {string | undefined} message  the test's
 * @param {() => string} why
 */
function claim(holds, message, why) {
  if (!holds) throw new AssertionError(message === undefined ? why() : `${message}: ${why()}`);
}

/**
 * Holds what was thrown against what a test expects: a function that returns true, a pattern of its message, or some
 * of its properties, texts as they are or by pattern.
 * @param {unknown} error
 * @param {Function | RegExp | Record<string, unknown> | undefined} expected
 */
function checkThrown(error, expected) {
  if (expected === undefined) return;
  if (typeof expected === 'function') {
    if (expected === Error || expected.prototype instanceof Error) {
      claim(
        error instanceof expected,
        undefined,
        () => `${show(error)} was thrown, expected a ${expected.name}`,
      );
    } else
      claim(expected(error) === true, undefined, () => `the check of ${show(error)} did not return true`);
    return;
  }
  if (expected instanceof RegExp) {
    claim(expected.test(String(error)), undefined, () => `${show(error)} was thrown, expected ${expected}`);
    return;
  }
  for (const [key, value] of Object.entries(expected)) {
    const actual = /** @type {any} */ (error)?.[key];
    const differs = () =>
      `the error's ${key} is ${show(actual)}, expected ${value instanceof RegExp ? value : show(value)}`;
    const holds = value instanceof RegExp ? value.test(actual) : difference(actual, value) === null;
    claim(holds, undefined, differs);
  }
}

const NOTHING_THROWN = 'nothing was thrown';

export default {
  /**
   * @param {unknown} value
   * @param {string} [message]
   */
  ok(value, message) {
    claim(Boolean(value), message, () => `got ${show(value)}, expected something true`);
  },

  /**
   * @param {unknown} actual
   * @param {unknown} expected
   * @param {string} [message]
   */
  equal(actual, expected, message) {
    claim(Object.is(actual, expected), message, () => `got ${show(actual)}, expected ${show(expected)}`);
  },

  /**
   * @param {unknown} actual
   * @param {unknown} expected
   * @param {string} [message]
   */
  notEqual(actual, expected, message) {
    claim(!Object.is(actual, expected), message, () => `got ${show(actual)}, expected anything else`);
  },

  /**
   * @param {unknown} actual
   * @param {unknown} expected
   * @param {string} [message]
   */
  deepEqual(actual, expected, message) {
    const reason = difference(actual, expected);
    claim(reason === null, message, () => `${reason}`);
  },

  /** @param {string} message */
  fail(message) {
    throw new AssertionError(message);
  },

  /**
   * @param {() => unknown} call
   * @param {Function | RegExp | Record<string, unknown>} [expected]
   */
  throws(call, expected) {
    try {
      call();
    } catch (thrown) {
      checkThrown(thrown, expected);
      return;
    }
    throw new AssertionError(NOTHING_THROWN);
  },

  /**
   * @param {Promise<unknown> | (() => Promise<unknown>)} promise
   * @param {Function | RegExp | Record<string, unknown>} [expected]
   */
  async rejects(promise, expected) {
    try {
      await (typeof promise === 'function' ? promise() : promise);
    } catch (thrown) {
      checkThrown(thrown, expected);
      return;
    }
    throw new AssertionError(NOTHING_THROWN);
  },
};
