// web/webgpu/kernels.js: the kernels, by what they do and for which dispatches: their shaders and bindings. Above the shaders, below
// web/webgpu/work.js.
import { decideShader } from './shaders/decide.js';
import { healthShader } from './shaders/health.js';
import { mergeShader } from './shaders/merge.js';
import { reduceShader } from './shaders/reduce.js';
import { rewriteShader } from './shaders/rewrite.js';

/**
 * @typedef {import('./context.js').Context} Context
 * @typedef {import('./context.js').Kernel} Kernel
 * @typedef {import('./context.js').BindingKind} BindingKind
 * @typedef {import('./jobs.js').DispatchKind} DispatchKind
 * @typedef {import('./shaders/sums.js').ReduceKind} ReduceKind
 */

/** Bindings of the group of a result or of parameters. @type {BindingKind[]} */
export const UNIFORM_GROUP = ['uniform'];
/** Bindings of what is merged, and of what is decided. @type {BindingKind[]} */
export const MERGE_GROUP = ['uniform', 'read-only-storage', 'storage'];
/** @type {BindingKind[]} */
export const RESULT_GROUP = ['storage'];

/**
 * The bindings of a dispatch of jobs: itself, the table, the tensors.
 * @param {'reduce' | 'rewrite'} verb
 * @param {number} slots
 * @returns {BindingKind[]}
 */
export function jobGroup(verb, slots) {
  const [table, tensor] = /** @type {BindingKind[]} */ (
    verb === 'reduce' ? ['storage', 'read-only-storage'] : ['read-only-storage', 'storage']
  );
  return ['uniform', table, ...Array(slots).fill(tensor)];
}

/** @param {DispatchKind} kind */
const nameOf = ({ slots, isWhole, hasHalves }) =>
  `${slots}${isWhole ? ' whole' : ''}${hasHalves ? ' with halves' : ''}`;

/**
 * @param {ReduceKind} power
 * @param {DispatchKind} kind
 * @param {boolean} hasSubgroups  whether the device has the feature
 * @returns {Kernel}
 */
export const reduceKernel = (power, kind, hasSubgroups) => ({
  name: `reduce ${power} ${nameOf(kind)}`,
  entryPoint: 'reduce',
  groups: [jobGroup('reduce', kind.slots), ...(power === 'real' ? [UNIFORM_GROUP] : [])],
  code: () => reduceShader(power, { ...kind, hasSubgroups }),
});

/**
 * For the same bind groups as reduce's, and partials of its own.
 * @param {DispatchKind} kind
 * @param {boolean} hasSubgroups
 * @returns {Kernel}
 */
export const healthKernel = (kind, hasSubgroups) => ({
  name: `health ${nameOf(kind)}`,
  entryPoint: 'inspect',
  groups: [jobGroup('reduce', kind.slots)],
  code: () => healthShader({ ...kind, hasSubgroups }),
});

/**
 * @param {'scale' | 'clamp'} verb
 * @param {DispatchKind} kind
 * @returns {Kernel}
 */
export const rewriteKernel = (verb, kind) => ({
  name: `${verb} ${nameOf(kind)}`,
  entryPoint: 'rewrite',
  groups: [jobGroup('rewrite', kind.slots), UNIFORM_GROUP],
  code: () => rewriteShader(verb, kind),
});

/**
 * @param {1 | 2} level
 * @returns {Kernel}
 */
export const mergeKernel = (level) => ({
  name: `merge ${level}`,
  entryPoint: 'mergeParts',
  groups: [MERGE_GROUP],
  code: () => mergeShader(level),
});

/**
 * @param {ReduceKind} power
 * @returns {Kernel}
 */
export const decideKernel = (power) => ({
  name: `decide ${power}`,
  entryPoint: 'decide',
  groups: [RESULT_GROUP, UNIFORM_GROUP],
  code: () => decideShader(power),
});
