// web/webgpu/jobs.js: cuts tensors into jobs, and packs jobs into dispatches that bind as few buffers as they can.
// Pure: ranges of bytes in, tables of words out.
import { BYTE_SHIFTS, FLOAT32, isHalf } from '../core/dtypes.js';
import { JOB_ELEMENTS } from './layouts.js';

/** @import { GpuBuffer } from './types.js' */
/** @import { GpuTensor } from '../door/buffers.js' */

/** @typedef {Pick<GpuTensor, 'buffer' | 'dtype' | 'offset' | 'length'>} Range  elements in a buffer, see web/door/buffers.js */

/**
 * What the device can: bindings of tensors of a dispatch, their bytes and alignment; workgroups; subgroups.
 * @typedef {{ slots: number, bindingBytes: number, alignment: number, workgroups: number, hasSubgroups: boolean }} Limits
 */

/**
 * Elements of a range that one workgroup takes.
 * @typedef {object} Job
 * @property {number} number  among all, in the order of the ranges
 * @property {Range} range
 * @property {number} firstElement  in its range
 * @property {number} begin   in bytes, of whole words
 * @property {number} end
 * @property {number} start   elements, counted from begin, of which the first (0 or 1) and the one behind the last
 * @property {number} stop
 * @property {boolean} isWhole  whether it is 4096 float32 that begin at a multiple of 16 bytes
 */

/**
 * What a kernel has to be made for: bindings of tensors, whether all jobs are whole, whether some may be of halves; subgroups.
 * @typedef {{ slots: number, isWhole: boolean, hasHalves: boolean, hasSubgroups: boolean }} DispatchKind
 */

/**
 * Jobs that are bound together, and the words of each in the table of jobs: slot | dtype << 8 | start << 16, first word in the
 * binding, stop, number.
 * @typedef {{ kind: DispatchKind, bindings: { buffer: GpuBuffer, offset: number, size: number }[], entries: number[][] }} Dispatch
 */

/** Of the words that a job lies in. */
const MOST_JOB_BYTES = 4 * JOB_ELEMENTS;

/**
 * Jobs are cut at multiples of 4096 elements of a range, so that they do not depend on the device. In a range of halves that
 * starts in the middle of a word, the half before it counts too.
 * @param {readonly Range[]} ranges  none empty
 * @returns {Job[]}
 */
export function jobsOf(ranges) {
  /** @type {Job[]} */
  const jobs = [];
  for (const range of ranges) {
    const bytes = 2 ** BYTE_SHIFTS[range.dtype];
    const lead = (range.offset % 4) / bytes;
    const elements = lead + range.length;
    for (let first = 0; first < elements; first += JOB_ELEMENTS) {
      const start = first === 0 ? lead : 0;
      const stop = Math.min(elements - first, JOB_ELEMENTS);
      const begin = range.offset - (range.offset % 4) + first * bytes;
      jobs.push({
        number: jobs.length,
        range,
        firstElement: first + start - lead,
        begin,
        end: begin + Math.ceil((stop * bytes) / 4) * 4,
        start,
        stop,
        isWhole: range.dtype === FLOAT32 && stop === JOB_ELEMENTS && begin % 16 === 0,
      });
    }
  }
  return jobs;
}

/**
 * @param {readonly Job[]} jobs
 * @param {Limits} limits
 * @returns {Map<DispatchKind, Job[]>}  whole jobs, and others
 */
export function byKind(jobs, { slots, hasSubgroups }) {
  /** @type {Map<DispatchKind, Job[]>} */
  const lists = new Map();
  for (const isWhole of [true, false]) {
    const own = jobs.filter((job) => job.isWhole === isWhole);
    if (own.length === 0) continue;
    // For one buffer there is no choosing between bindings, which matters on devices that run every branch.
    const isOneBuffer = own.every(({ range }) => range.buffer === own[0].range.buffer);
    const hasHalves = own.some(({ range }) => isHalf(range.dtype));
    lists.set({ slots: isOneBuffer ? 1 : slots, isWhole, hasHalves, hasSubgroups }, own);
  }
  return lists;
}

/**
 * Buffers are bound whole, those that are too large for that in windows, which overlap by a job.
 * @param {readonly Job[]} jobs
 * @param {Limits} limits
 * @param {boolean} isWritten  then a dispatch has one binding for each buffer, and no two ranges of one dispatch share
 *   a word; at the cost of further dispatches
 * @returns {Dispatch[]}  those of whole jobs, then those of others
 */
export function schedule(jobs, limits, isWritten) {
  const { alignment, bindingBytes, workgroups } = limits;
  const stride = Math.floor((bindingBytes - MOST_JOB_BYTES) / alignment) * alignment;
  /** @type {Dispatch[]} */
  const dispatches = [];
  for (const [kind, own] of byKind(jobs, limits)) {
    /** @type {Dispatch} */
    let dispatch = { kind, bindings: [], entries: [] };
    dispatches.push(dispatch);
    /** The last binding of each buffer in the dispatch. @type {Map<GpuBuffer, { slot: number, offset: number, end: number }>} */
    let bound = new Map();
    for (const { range, number, begin, end, start, stop } of own) {
      const { buffer, dtype } = range;
      const offset = begin - (begin % stride);
      const last = bound.get(buffer);
      let binding = last?.offset === offset ? last : undefined;
      const isShared = isWritten && last !== undefined && (binding === undefined || begin < last.end);
      const isFull = binding === undefined && dispatch.bindings.length === kind.slots;
      if (isShared || isFull || dispatch.entries.length === workgroups) {
        dispatches.push((dispatch = { kind, bindings: [], entries: [] }));
        bound = new Map();
        binding = undefined;
      }
      if (binding === undefined) {
        const size = Math.min(bindingBytes, buffer.size - (buffer.size % 4) - offset);
        binding = { slot: dispatch.bindings.push({ buffer, offset, size }) - 1, offset, end };
        bound.set(buffer, binding);
      }
      binding.end = end;
      dispatch.entries.push([
        binding.slot | (dtype << 8) | (start << 16),
        (begin - offset) / 4,
        stop,
        number,
      ]);
    }
  }
  return dispatches;
}

/**
 * What to rewrite: tensors of one buffer that are the same are one, and those of one type that touch become one, so
 * that no word belongs to two jobs.
 * @param {readonly GpuTensor[]} tensors
 * @returns {Range[]}
 * @throws {TypeError} if two share only a part of their bytes
 */
export function rangesToWrite(tensors) {
  const order = new Map(tensors.map(({ buffer }, i) => [buffer, i]));
  const orderOf = (/** @type {Range} */ { buffer }) => /** @type {number} */ (order.get(buffer));
  const endOf = (/** @type {Range} */ { offset, length, dtype }) => offset + length * 2 ** BYTE_SHIFTS[dtype];
  const sorted = [...tensors].sort((a, b) => orderOf(a) - orderOf(b) || a.offset - b.offset); // stable
  /** @type {Range[]} */
  const ranges = [];
  sorted.forEach((tensor, i) => {
    const last = sorted[i - 1];
    const isBeside = last?.buffer === tensor.buffer;
    const isSameType = last?.dtype === tensor.dtype;
    if (isBeside && tensor.offset < endOf(last)) {
      if (isSameType && tensor.offset === last.offset && tensor.length === last.length) return;
      const [one, other] = tensors.indexOf(last) < tensors.indexOf(tensor) ? [last, tensor] : [tensor, last];
      throw new TypeError(
        `${other.place} overlaps ${one.place} in its buffer; to be clipped, ` +
          'expected tensors that share all of their bytes or none',
      );
    }
    if (isBeside && isSameType && tensor.offset === endOf(last))
      ranges[ranges.length - 1].length += tensor.length;
    else ranges.push({ ...tensor });
  });
  return ranges;
}
