// tests/browser-host/node-test.js: as much of node:test as the WebGPU suites use, for browsers: collects tests, then runs them
// one after the other and reports each.

/** @typedef {() => unknown} Body */

/**
 * @typedef {object} Outcome
 * @property {string} name     with the names of its groups
 * @property {number} duration in milliseconds
 * @property {{ name: string, message: string, stack: string } | null} error
 */

class Group {
  /** @type {{ before: Body[], after: Body[] }} */
  hooks = { before: [], after: [] };
  /** @type {(Group | { name: string, body: Body })[]} */
  children = [];

  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }
}

let current = new Group('');

/**
 * @param {string} name
 * @param {Body} body
 */
export function test(name, body) {
  current.children.push({ name, body });
}

/**
 * @param {string} name
 * @param {() => void} body
 */
export function describe(name, body) {
  const outer = current;
  current = new Group(name);
  outer.children.push(current);
  body();
  current = outer;
}

/** @param {Body} body */
export function before(body) {
  current.hooks.before.push(body);
}

/** @param {Body} body */
export function after(body) {
  current.hooks.after.push(body);
}

/**
 * Runs the tests of a file.
 * @param {() => Promise<unknown>} load  imports it
 * @param {(outcome: Outcome) => Promise<void>} report
 * @returns {Promise<void>}
 */
export async function runFile(load, report) {
  const file = new Group('');
  current = file;
  await load();
  await runGroup(file, [], report);
}

/**
 * @param {Group} group
 * @param {string[]} path
 * @param {(outcome: Outcome) => Promise<void>} report
 */
async function runGroup({ hooks, children }, path, report) {
  /** @type {(name: string, body: Body) => Promise<boolean>} */
  const run = async (name, body) => {
    const outcome = await attempt([...path, name].join(': '), body);
    await report(outcome);
    return outcome.error === null;
  };
  // A hook is worth a line of its own only if it fails.
  const runHooks = async (/** @type {'before' | 'after'} */ kind) => {
    for (const hook of hooks[kind]) {
      const outcome = await attempt([...path, kind].join(': '), hook);
      if (outcome.error === null) continue;
      await report(outcome);
      return false;
    }
    return true;
  };
  if (await runHooks('before')) {
    for (const child of children) {
      if (child instanceof Group) await runGroup(child, [...path, child.name], report);
      else await run(child.name, child.body);
    }
  }
  await runHooks('after');
}

/**
 * @param {string} name
 * @param {Body} body
 * @returns {Promise<Outcome>}
 */
async function attempt(name, body) {
  const start = performance.now();
  let error = null;
  try {
    await body();
  } catch (thrown) {
    error =
      thrown instanceof Error
        ? { name: thrown.name, message: thrown.message, stack: thrown.stack ?? '' }
        : { name: 'Error', message: `${thrown} was thrown`, stack: '' };
  }
  return { name, duration: performance.now() - start, error };
}
