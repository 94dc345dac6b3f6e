// web/webgpu/kernels.js: the kernels, by what they do and for which dispatches: their shaders and bindings. Above the shaders, below
// web/webgpu/work.js.
import { decideShader } from './shaders/decide.js';
import { healthShader } from './shaders/health.js';
import { mergeShader } from './shaders/merge.js';
import { reduceShader } from './shaders/reduce.js';
import { rewriteShader } from './shaders/rewrite.js';

/**
 * @typedef {import('./context.js').Kernel} Kernel
 * @typedef {import('./context.js').BindingKind} BindingKind
 * @typedef {import('./jobs.js').DispatchKind} DispatchKind
 * @typedef {import('./shaders/sums.js').ReduceKind} ReduceKind
 */

/** The bindings of a result that is read, or of parameters. @type {BindingKind[]} */
export const UNIFORM_GROUP = ['uniform'];
/** Of a result that is written. @type {BindingKind[]} */
export const RESULT_GROUP = ['storage'];
/** @type {BindingKind[]} */
export const MERGE_GROUP = ['uniform', 'read-only-storage', 'storage'];

/**
 * Of a dispatch of jobs: itself, the table, the tensors.
 * @type {(verb: 'reduce' | 'rewrite', slots: number) => BindingKind[]}
 */
export function jobGroup(verb, slots) {
  const isReading = verb === 'reduce';
  const tensors = Array(slots).fill(isReading ? 'read-only-storage' : 'storage');
  return ['uniform', isReading ? 'storage' : 'read-only-storage', ...tensors];
}

/** @type {(kind: DispatchKind) => string} */
const nameOf = ({ slots, isWhole, hasHalves }) =>
  `${slots}${isWhole ? ' whole' : ''}${hasHalves ? ' halves' : ''}`;

/** @type {(power: ReduceKind, kind: DispatchKind) => Kernel} */
export const reduceKernel = (power, kind) => ({
  name: `reduce ${power} ${nameOf(kind)}`,
  groups: [jobGroup('reduce', kind.slots), ...(power === 'real' ? [UNIFORM_GROUP] : [])],
  code: () => reduceShader(power, kind),
});

/** For the same bind groups as reduce's, and partials of its own. @type {(kind: DispatchKind) => Kernel} */
export const healthKernel = (kind) => ({
  name: `health ${nameOf(kind)}`,
  groups: [jobGroup('reduce', kind.slots)],
  code: () => healthShader(kind),
});

/** @type {(verb: 'scale' | 'clamp', kind: DispatchKind) => Kernel} */
export const rewriteKernel = (verb, kind) => ({
  name: `${verb} ${nameOf(kind)}`,
  groups: [jobGroup('rewrite', kind.slots), UNIFORM_GROUP],
  code: () => rewriteShader(verb, kind),
});

/** @type {(level: 1 | 2) => Kernel} */
export const mergeKernel = (level) => ({
  name: `merge ${level}`,
  groups: [MERGE_GROUP],
  code: () => mergeShader(level),
});

/** @type {(power: ReduceKind) => Kernel} */
export const decideKernel = (power) => ({
  name: `decide ${power}`,
  groups: [RESULT_GROUP, UNIFORM_GROUP],
  code: () => decideShader(power),
});
