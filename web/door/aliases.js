// web/door/aliases.js: which tensors to write, so that the same bytes are written once. Part of the door for those who
// modify gradients: after web/door/collect.js, before anything is written.
import { allocationOf } from '../core/homes.js';
import { placeOf } from './collect.js';
import { BYTE_SHIFTS, DTYPE_NAMES, isWritable, WRITABLE_TYPES_IN_WORDS } from '../core/dtypes.js';
import { describe } from '../words/errors.js';
import { bufferOf, byteOffsetOf } from '../words/typed-array.js';

/**
 * @typedef {import('../core/dtypes.js').Tensor} Tensor
 */

/**
 * The tensors to write: of those that are the same elements, the first.
 * @param {readonly Tensor[]} tensors
 * @returns {readonly Tensor[]}
 * @throws {TypeError} if one cannot be written, or shares only a part of its memory with another
 */
export function distinctWritable(tensors) {
  if (isWritable(allocationOf(tensors)?.traits.widest ?? Infinity)) return tensors;
  for (const tensor of tensors) {
    if (!isWritable(tensor.dtype)) throw notWritable(tensor);
  }
  const groups = groupsInOneBuffer(tensors);
  if (groups.size === 0) return tensors;
  /** @type {Set<Tensor>} */
  const repeated = new Set();
  for (const group of groups.values()) findRepeated(group, repeated);
  return tensors.filter((tensor) => !repeated.has(tensor));
}

/**
 * The buffers that hold more than one tensor, and these.
 * @param {readonly Tensor[]} tensors
 * @returns {Map<ArrayBufferLike, Tensor[]>}
 */
function groupsInOneBuffer(tensors) {
  const groups = new Map();
  if (tensors.length === 1) return groups;
  /** @type {Map<ArrayBufferLike, Tensor>} */
  const firsts = new Map();
  for (const tensor of tensors) {
    const buffer = bufferOf(tensor.array);
    const first = firsts.get(buffer);
    if (first === undefined) {
      firsts.set(buffer, tensor);
    } else {
      const group = groups.get(buffer);
      if (group === undefined) groups.set(buffer, [first, tensor]);
      else group.push(tensor);
    }
  }
  return groups;
}

/**
 * @param {readonly Tensor[]} group  tensors in one buffer, in the order of reading
 * @param {Set<Tensor>} repeated  to which those are added that are the same elements as one before
 */
function findRepeated(group, repeated) {
  const extents = group
    .filter(({ length }) => length > 0)
    .map((tensor) => {
      const start = byteOffsetOf(tensor.array);
      return { tensor, start, end: start + tensor.length * 2 ** BYTE_SHIFTS[tensor.dtype] };
    })
    .sort((a, b) => a.start - b.start); // stable: of the same elements, the first comes first
  for (let i = 1, last = extents[0]; i < extents.length; ++i) {
    const next = extents[i];
    if (next.start >= last.end) {
      last = next;
    } else if (
      next.start === last.start &&
      next.end === last.end &&
      next.tensor.dtype === last.tensor.dtype
    ) {
      repeated.add(next.tensor);
    } else {
      throw overlap(...inOrder(group, last.tensor, next.tensor));
    }
  }
}

/**
 * @param {readonly Tensor[]} group
 * @param {Tensor} a
 * @param {Tensor} b
 * @returns {[Tensor, Tensor]}
 */
function inOrder(group, a, b) {
  return group.indexOf(a) < group.indexOf(b) ? [a, b] : [b, a];
}

/**
 * @param {Tensor} first
 * @param {Tensor} second
 */
function overlap(first, second) {
  const words = `overlaps ${placeOf(first)} in memory`;
  const as =
    first.dtype === second.dtype ? '' : `, ${DTYPE_NAMES[second.dtype]} on ${DTYPE_NAMES[first.dtype]}`;
  return new TypeError(
    `${placeOf(second)} ${words}${as}; to be clipped, expected gradients that share all of their memory or none`,
  );
}

/** @param {Tensor} tensor */
function notWritable(tensor) {
  return new TypeError(
    `${placeOf(tensor)} is ${describe(tensor.array)}; to be clipped, expected ${WRITABLE_TYPES_IN_WORDS}`,
  );
}
