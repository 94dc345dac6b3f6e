// web/webgpu/jobs.js: cuts tensors into jobs, and packs jobs into dispatches that bind as few buffers as they can.
// Pure: ranges of bytes in, tables of words out.
import { JOB_BFLOAT16, JOB_FLOAT16, JOB_FLOAT32, JOB_ELEMENTS } from './constants.js';

/** @typedef {import('./types.js').GpuBuffer} GpuBuffer */

/**
 * Elements in a buffer.
 * @typedef {object} Range
 * @property {GpuBuffer} buffer
 * @property {number} dtype    as in web/webgpu/constants.js
 * @property {number} offset   in bytes, a multiple of the element's size
 * @property {number} length   in elements
 */

/**
 * What the device can bind and start.
 * @typedef {object} Limits
 * @property {number} slots         tensors' bindings of a dispatch
 * @property {number} bindingBytes
 * @property {number} workgroups    of a dispatch
 * @property {number} alignment     of the offset of a binding
 */

/**
 * Elements of a range that one workgroup takes.
 * @typedef {object} Job
 * @property {number} number     among all, in the order of the ranges
 * @property {Range} range
 * @property {number} firstElement  in its range
 * @property {number} begin      in bytes, of whole words
 * @property {number} end
 * @property {number} start      elements, counted from begin, of which the first (0 or 1) and the one behind the last
 * @property {number} stop
 * @property {boolean} isWhole   whether it is 4096 float32 that begin at a multiple of 16 bytes
 */

/**
 * What a kernel has to be made for.
 * @typedef {object} DispatchKind
 * @property {number} slots       bindings of tensors
 * @property {boolean} isWhole    whether all of its jobs are
 * @property {boolean} hasHalves  whether some may be of halves
 */

/**
 * @typedef {object} Schedule
 * @property {Job[]} jobs
 * @property {Dispatch[]} dispatches  those of whole jobs, then those of others
 */

/** @param {number} dtype */
export function bytesPerElement(dtype) {
  return dtype === JOB_FLOAT32 ? 4 : 2;
}

/**
 * The whole words that some bytes of a buffer lie in.
 * @param {number} offset
 * @param {number} bytes
 * @returns {{ begin: number, end: number }}  in bytes
 */
export function wordsAround(offset, bytes) {
  return { begin: offset - (offset % 4), end: Math.ceil((offset + bytes) / 4) * 4 };
}

/** The names of element types and their numbers. */
export const DTYPES = new Map([
  ['float32', JOB_FLOAT32],
  ['float16', JOB_FLOAT16],
  ['bfloat16', JOB_BFLOAT16],
]);

/**
 * Jobs are cut at multiples of 4096 elements of a range, so that they do not depend on the device. In a range of halves that
 * starts in the middle of a word, the half before it counts too.
 * @param {readonly Range[]} ranges  none empty
 * @param {Limits} limits
 * @param {boolean} writable  then a dispatch has one binding for each buffer, and no two ranges of one dispatch share
 *   a word; at the cost of further dispatches
 * @returns {Schedule}
 */
export function schedule(ranges, limits, writable) {
  /** @type {Job[]} */
  const jobs = [];
  for (const range of ranges) cut(range, jobs);
  const whole = jobs.filter(({ isWhole }) => isWhole);
  const others = jobs.filter(({ isWhole }) => !isWhole);
  return { jobs, dispatches: [whole, others].flatMap((list) => pack(list, limits, writable)) };
}

/**
 * For one buffer there is no choosing between bindings, which matters on devices that run every branch.
 * @param {readonly Job[]} jobs  all whole, or none
 * @param {Limits} limits
 * @returns {DispatchKind}
 */
function kindOf(jobs, limits) {
  const isOneBuffer = jobs.every(({ range }) => range.buffer === jobs[0].range.buffer);
  return {
    slots: isOneBuffer ? 1 : limits.slots,
    isWhole: jobs.every(({ isWhole }) => isWhole),
    hasHalves: jobs.some(({ range }) => range.dtype !== JOB_FLOAT32),
  };
}

/**
 * @param {Range} range
 * @param {Job[]} jobs  to which its jobs are added
 */
function cut(range, jobs) {
  const bytes = bytesPerElement(range.dtype);
  const start = (range.offset % 4) / bytes;
  const end = start + range.length;
  for (let first = 0; first < end; first += JOB_ELEMENTS) {
    const stop = Math.min(end - first, JOB_ELEMENTS);
    const begin = range.offset - (range.offset % 4) + first * bytes;
    jobs.push({
      number: jobs.length,
      range,
      firstElement: first === 0 ? 0 : first - start,
      begin,
      end: begin + Math.ceil((stop * bytes) / 4) * 4,
      start: first === 0 ? start : 0,
      stop,
      isWhole: range.dtype === JOB_FLOAT32 && stop === JOB_ELEMENTS && begin % 16 === 0,
    });
  }
}

/**
 * @param {readonly Job[]} jobs
 * @param {Limits} limits
 * @param {boolean} writable
 * @returns {Dispatch[]}
 */
function pack(jobs, limits, writable) {
  /** @type {Dispatch[]} */
  const dispatches = [];
  const kind = kindOf(jobs, limits);
  for (const job of jobs) {
    if (dispatches.at(-1)?.add(job) === true) continue;
    const dispatch = new Dispatch(kind, limits, writable);
    dispatch.add(job);
    dispatches.push(dispatch);
  }
  return dispatches;
}

/** Jobs that are bound together. */
export class Dispatch {
  #limits;
  #writable;
  /** The last binding of each buffer. @type {Map<GpuBuffer, number>} */
  #last = new Map();
  #lastEnd = 0;
  /** In bytes; each begins where it can be bound. @type {{ buffer: GpuBuffer, begin: number, end: number }[]} */
  bindings = [];
  /** @type {{ job: Job, slot: number }[]} */
  entries = [];

  /**
   * @param {DispatchKind} kind  of all that are scheduled with it
   * @param {Limits} limits
   * @param {boolean} writable
   */
  constructor(kind, limits, writable) {
    this.kind = kind;
    this.#limits = limits;
    this.#writable = writable;
  }

  /**
   * @param {Job} job  of the kind
   * @returns {boolean}  whether it fits
   */
  add(job) {
    if (this.entries.length === this.#limits.workgroups) return false;
    const slot = this.#bind(job.range.buffer, job.begin, job.end);
    if (slot < 0) return false;
    this.#lastEnd = job.end;
    this.entries.push({ job, slot });
    return true;
  }

  /**
   * The words of each entry in the table of jobs: slot | dtype << 8 | start << 16, first word in the binding, end, number.
   * Bindings move down while jobs are added, so words are counted from them only at the end.
   */
  words() {
    return this.entries.flatMap(({ job: { range, start, stop, begin, number }, slot }) => [
      slot | (range.dtype << 8) | (start << 16),
      (begin - this.bindings[slot].begin) / 4,
      stop,
      number,
    ]);
  }

  /**
   * @param {GpuBuffer} buffer
   * @param {number} begin
   * @param {number} end
   * @returns {number}  the slot of the binding, or -1
   */
  #bind(buffer, begin, end) {
    const { bindingBytes, alignment } = this.#limits;
    const lower = begin - (begin % alignment);
    const last = this.#last.get(buffer);
    if (last !== undefined) {
      const binding = this.bindings[last];
      const united = { begin: Math.min(binding.begin, lower), end: Math.max(binding.end, end) };
      const isShared = this.#writable && begin < binding.end && begin < this.#lastEnd;
      if (!isShared && united.end - united.begin <= bindingBytes) {
        Object.assign(binding, united);
        return last;
      }
      if (this.#writable) return -1;
    }
    if (this.bindings.length === this.kind.slots) return -1;
    this.#last.set(buffer, this.bindings.length);
    return this.bindings.push({ buffer, begin: lower, end }) - 1;
  }
}

/**
 * How many jobs a range is cut into.
 * @param {Range} range
 */
export function jobsOf({ dtype, offset, length }) {
  return length === 0 ? 0 : Math.ceil(((offset % 4) / bytesPerElement(dtype) + length) / JOB_ELEMENTS);
}

/**
 * What to rewrite: ranges of one buffer that are the same are one, and those of one type that touch become one, so
 * that no word belongs to two jobs.
 * @param {readonly Range[]} ranges
 * @param {(first: number, second: number) => Error} overlap  for ranges that share only a part of their bytes
 * @returns {Range[]}
 */
export function rangesToWrite(ranges, overlap) {
  /** @type {Map<GpuBuffer, number[]>} */
  const groups = new Map();
  ranges.forEach(({ buffer }, index) => {
    const group = groups.get(buffer);
    if (group === undefined) groups.set(buffer, [index]);
    else group.push(index);
  });
  return [...groups.values()].flatMap((group) => joined(ranges, group, overlap));
}

/**
 * @param {readonly Range[]} ranges
 * @param {number[]} group  of one buffer, in the order of reading
 * @param {(first: number, second: number) => Error} overlap
 * @returns {Range[]}
 */
function joined(ranges, group, overlap) {
  const order = [...group].sort((a, b) => ranges[a].offset - ranges[b].offset); // stable
  /** @type {Range[]} */
  const result = [];
  let previous = -1;
  for (const index of order) {
    const range = ranges[index];
    const last = previous < 0 ? null : ranges[previous];
    const lastEnd = last === null ? 0 : last.offset + last.length * bytesPerElement(last.dtype);
    if (last !== null && range.offset < lastEnd) {
      const same = range.offset === last.offset && range.length === last.length && range.dtype === last.dtype;
      if (!same) throw overlap(Math.min(previous, index), Math.max(previous, index));
      continue;
    }
    const span = result[result.length - 1];
    if (last !== null && range.offset === lastEnd && range.dtype === last.dtype) span.length += range.length;
    else result.push({ ...range });
    previous = index;
  }
  return result;
}
