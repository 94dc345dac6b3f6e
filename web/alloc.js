// web/alloc.js: allocGradients, gradients in the core's own memory.
import { addAllocation } from './core/homes.js';
import { allocate } from './core/resident.js';
import { traitsOf } from './core/traits.js';
import { ARRAYS, collect } from './door/collect.js';
import { readTemplate } from './door/template.js';

/**
 * What a template becomes: a number a Float32Array, a typed array another of its type; containers the same, frozen.
 * @template T
 * @typedef {T extends number ? Float32Array<ArrayBuffer> :
 *   T extends Float32Array ? Float32Array<ArrayBuffer> : T extends Float64Array ? Float64Array<ArrayBuffer> :
 *   T extends null | import('./core/dtypes.js').GradientArray | import('./core/dtypes.js').Float16GradientArray |
 *     import('./core/dtypes.js').HalfGradient ? T :
 *   T extends ReadonlyMap<infer Key, infer Value> ? ReadonlyMap<Key, Allocated<Value>> :
 *   T extends readonly unknown[] | { readonly [name: string]: unknown } ? { readonly [Key in keyof T]: Allocated<T[Key]> } :
 *   never} Allocated
 */

/**
 * Gradients in the core's own memory, all zeros. Every verb measures and rewrites them where they lie, and copies nothing: with
 * the same bits, several times as fast. They are ordinary typed arrays, to be filled by your backward pass and used alone, as views
 * (subarray) or among others; never detached, because their memory never grows. What is returned is known as a whole: pass it
 * whole, and nothing is looked at but the numbers.
 *
 * Arrays share a memory of up to 4 GiB, more where that is not enough; it is freed when all arrays of it are. Small allocations share
 * one as well. Arrays cannot be transferred to another thread, and posting or cloning
 * one takes its whole memory along: post `array.slice()`.
 *
 * @example
 * const gradients = allocGradients({ weight: 4096, bias: 64, frozen: null });
 * gradients.weight[0] = 3; // your backward pass
 * clipGradNorm(gradients, 1); // 3
 * const others = allocGradients([new Float64Array(10)]); // of the types and lengths of your weights
 * others[0] instanceof Float64Array; // true
 *
 * @template T
 * @param {T} template  a length (of a Float32Array), a typed array (whose type and length count), null (stays null), or an array,
 *   Map or plain record of these, nested as you like; `{ data: Uint16Array, dtype }` for the bits of halves
 * @returns {Allocated<T>}  the same structure of arrays, frozen
 * @throws {TypeError} if anything in it is none of these; the message names the place
 * @throws {RangeError} if a length is not a whole number of elements that a memory holds, or the memory cannot be had
 */
export function allocGradients(template) {
  const { shapes, build } = readTemplate(template);
  const { arrays, tables } = allocate(shapes);
  const structure = build(arrays);
  const tensors = collect(structure, { ...ARRAYS, root: 'template' });
  if (structure !== null) addAllocation(structure, { tensors, tables, traits: traitsOf(tensors) });
  return structure;
}
