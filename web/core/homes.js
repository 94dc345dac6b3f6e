// web/core/homes.js: where gradients live. Tells arrays in a memory of the core, which stay where they are, from those of others,
// which are copied through the staging area; and knows what allocGradients made.
import { bufferOf, byteOffsetOf } from '../words/typed-array.js';
import { getCore } from './module.js';

/**
 * @typedef {import('./dtypes.js').Tensor} Tensor
 * @typedef {import('./memory.js').Core} Core
 */

/**
 * Tensors of one home, in the order of reading.
 * @typedef {object} Household
 * @property {Core} core  that reaches them: where they lie, or with a staging area
 * @property {readonly Tensor[]} tensors
 * @property {readonly number[] | null} positions  in the list of all; null if these are all
 */

/**
 * What allocGradients made: all its tensors, as a walk over them would find them, and what need not be found out again.
 * @typedef {object} Allocation
 * @property {readonly Tensor[]} tensors
 * @property {readonly Table[]} tables
 * @property {import('./traits.js').Traits} traits
 */

/**
 * All tensors of an allocation in one memory, as segments of group 0 that stay there.
 * @typedef {object} Table
 * @property {Core} core
 * @property {number} at
 * @property {number} count
 */

/** By the buffer of their memory. @type {WeakMap<ArrayBufferLike, Core>} */
const residents = new WeakMap();

/** By the structure that the user has. @type {WeakMap<object, Allocation>} */
const allocations = new WeakMap();

/** By its list of tensors. @type {WeakMap<readonly Tensor[], Allocation>} */
const allocationsOfTensors = new WeakMap();

let isAnyResident = false;

/** @param {Core} core  whose memory will hold gradients */
export function addResident(core) {
  residents.set(core.buffer, core);
  isAnyResident = true;
}

/**
 * @param {object} structure
 * @param {Allocation} allocation
 */
export function addAllocation(structure, allocation) {
  allocations.set(structure, allocation);
  allocationsOfTensors.set(allocation.tensors, allocation);
}

/**
 * The tensors of a structure that allocGradients made.
 * @param {unknown} structure
 * @returns {readonly Tensor[] | undefined}
 */
export function tensorsOf(structure) {
  return allocations.get(/** @type {object} */ (structure))?.tensors;
}

/**
 * @param {readonly Tensor[]} tensors
 * @returns {Allocation | undefined}  whose tensors these are, all of them
 */
export function allocationOf(tensors) {
  return isAnyResident ? allocationsOfTensors.get(tensors) : undefined;
}

/**
 * The tensors by the home that they live in.
 * @param {readonly Tensor[]} tensors
 * @returns {Household[]}  at least one
 */
export function byHome(tensors) {
  const visiting = getCore();
  const all = { core: visiting, tensors, positions: null };
  if (!isAnyResident) return [all];
  const cores = tensors.map(({ array }) => residentOf(array, visiting) ?? visiting);
  const [first = visiting] = cores;
  if (cores.every((core) => core === first)) return [{ ...all, core: first }];
  return [...new Set(cores)].map((core) => {
    const positions = cores.flatMap((own, i) => (own === core ? [i] : []));
    return { core, tensors: positions.map((i) => tensors[i]), positions };
  });
}

/**
 * The core whose memory an array lies in. An array before the place where gradients may lie is in none; that is asked first, because
 * engines give a small array a buffer of its own when somebody asks for it.
 * @param {import('./dtypes.js').GradientArray} array
 * @param {Core} visiting  any other core
 * @returns {Core | undefined}
 */
function residentOf(array, { freeAt }) {
  return byteOffsetOf(array) < freeAt ? undefined : residents.get(bufferOf(array));
}
