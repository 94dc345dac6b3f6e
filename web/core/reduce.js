// web/core/reduce.js: tensors to a norm or a partial, after the door. Each home reduces what lives there; partials, as words, are
// merged in one of them.
import { allocationOf, byHome } from './homes.js';
import { MAX_GROUPS } from './memory.js';
import { getCore } from './module.js';
import { forEachBatch, pack } from './pack.js';
import { TOTALS, WORDS } from './partial.js';

/**
 * @typedef {import('./dtypes.js').Tensor} Tensor
 * @typedef {import('./memory.js').Core} Core
 */

/**
 * The p-norm of the tensors as if they were one vector. The tensors are read, never written.
 * @param {readonly Tensor[]} tensors
 * @param {number} normType  p > 0, Infinity included
 * @returns {number}
 */
export function reduceNorm(tensors, normType) {
  const core = reduceToTotal(tensors, normType);
  return core.finish(normType, core.totalAt);
}

/**
 * The p-norm of each tensor, and of all.
 * @param {readonly Tensor[]} tensors
 * @param {number} normType
 * @returns {{ norm: number, norms: Float64Array }}
 */
export function reduceEach(tensors, normType) {
  const norms = new Float64Array(tensors.length);
  const households = byHome(tensors);
  for (const household of households) {
    const { core, tensors: own } = household;
    const { partialsAt, totalAt, partialBytes } = core;
    core.clear(totalAt, 0, 1);
    forEachBatch(household, (first, groups, positionOf) => {
      core.clear(partialsAt, 0, groups);
      pack(core, own, first, first + groups, 1, (count) =>
        core.reduce(normType, core.segmentsAt, count, partialsAt, 0),
      );
      core.merge(partialsAt, 0, groups, totalAt, 0);
      for (let group = 0; group < groups; ++group)
        norms[positionOf(group)] = core.finish(normType, partialsAt + group * partialBytes);
    });
  }
  const core = mergeTotals(households);
  return { norm: core.finish(normType, core.totalAt), norms };
}

/**
 * Adds tensors to a partial.
 * @param {readonly Tensor[]} tensors
 * @param {number} normType
 * @param {BigUint64Array} state  the words of the partial: web/core/partial.js has their names
 * @throws {RangeError} if that is more than a partial holds; nothing is added then
 */
export function reduceInto(tensors, normType, state) {
  const core = reduceToTotal(tensors, normType);
  const words = wordsOfTotal(core);
  addTo(core, state, words);
}

/**
 * Adds a partial to another.
 * @param {BigUint64Array} from
 * @param {BigUint64Array} state
 * @throws {RangeError} if that is more than a partial holds; nothing is added then
 */
export function mergeInto(from, state) {
  addTo(getCore(), state, from);
}

/**
 * The norm of what was added to a partial.
 * @param {BigUint64Array} state
 * @param {number} normType
 * @returns {number}
 */
export function finish(state, normType) {
  const core = getCore();
  core.partials.set(state);
  return core.finish(normType, core.partialsAt);
}

/**
 * The partial of all tensors, as the total of the core that is returned.
 * @param {readonly Tensor[]} tensors
 * @param {number} normType
 * @returns {Core}
 */
function reduceToTotal(tensors, normType) {
  const tables = allocationOf(tensors)?.tables;
  if (tables === undefined || tables.length === 0) return reduceHouseholds(byHome(tensors), normType);
  for (const { core, at, count } of tables) {
    core.clear(core.totalAt, 0, 1);
    core.reduce(normType, at, count, core.totalAt, 0);
  }
  return mergeTotals(tables);
}

/**
 * @param {import('./homes.js').Household[]} households
 * @param {number} normType
 * @returns {Core}
 */
function reduceHouseholds(households, normType) {
  for (const { core, tensors } of households) {
    core.clear(core.totalAt, 0, 1);
    pack(core, tensors, 0, tensors.length, 0, (count) =>
      core.reduce(normType, core.segmentsAt, count, core.totalAt, 0),
    );
  }
  return mergeTotals(households);
}

/**
 * Merges the totals of all cores in that of the first.
 * @param {readonly { core: Core }[]} each
 * @returns {Core}
 */
function mergeTotals(each) {
  const { core } = each[0];
  for (let i = 1; i < each.length; ++i) {
    core.partials.set(wordsOfTotal(each[i].core));
    core.merge(core.partialsAt, 0, 1, core.totalAt, 0);
  }
  return core;
}

/**
 * @param {Core} core
 * @returns {BigUint64Array}
 */
function wordsOfTotal({ partials }) {
  return partials.subarray(WORDS * MAX_GROUPS, WORDS * (MAX_GROUPS + 1));
}

/**
 * @param {Core} core
 * @param {BigUint64Array} state
 * @param {BigUint64Array} words  what to add, of another or of this core's total
 * @throws {RangeError} if the totals might overflow next time; the state stays as it was
 */
function addTo(core, state, words) {
  const total = wordsOfTotal(core);
  total.set(words);
  core.partials.set(state);
  core.merge(core.partialsAt, 0, 1, core.totalAt, 0);
  const isFull = total.subarray(0, TOTALS).some((digit) => digit >= 1n << 63n);
  if (isFull) throw new RangeError('more than 2^31 blocks were added; expected a reset() before');
  state.set(total);
}
