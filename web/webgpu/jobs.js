// web/webgpu/jobs.js: cuts tensors into jobs, and packs jobs into dispatches that bind as few buffers as they can.
// Pure: ranges of bytes in, tables of words out.
import { JOB_BFLOAT16, JOB_FLOAT16, JOB_FLOAT32, JOB_ELEMENTS, JOB_WORDS } from './constants.js';

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
 * @typedef {object} Binding
 * @property {GpuBuffer} buffer
 * @property {number} begin  in bytes, aligned
 * @property {number} end    in bytes
 */

/**
 * @typedef {object} Dispatch
 * @property {number} firstJob
 * @property {number} jobCount
 * @property {Binding[]} bindings
 */

/**
 * @typedef {object} Schedule
 * @property {number} jobCount
 * @property {Uint32Array} jobs         four words each: slot | dtype << 8 | start << 16, first word in the binding,
 *   end, number of the range; start (0 or 1) and end count elements from the first word on
 * @property {Dispatch[]} dispatches
 * @property {Uint32Array} firstElements  of each job, in its range
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
  const jobCount = ranges.reduce((count, range) => count + jobsOf(range), 0);
  const jobs = new Uint32Array(JOB_WORDS * jobCount);
  const firstElements = new Uint32Array(jobCount);
  /** @type {Dispatch[]} */
  const dispatches = [];
  const packer = new Packer(limits, writable);
  let job = 0;
  ranges.forEach((range, index) => {
    const perWord = 4 / bytesPerElement(range.dtype);
    const start = (range.offset % 4) / bytesPerElement(range.dtype);
    const word = (range.offset - (range.offset % 4)) / 4;
    const end = start + range.length;
    for (let first = 0; first < end; first += JOB_ELEMENTS, ++job) {
      const last = Math.min(end, first + JOB_ELEMENTS);
      const beginByte = 4 * (word + first / perWord);
      const endByte = 4 * (word + Math.ceil(last / perWord));
      const isNew = !packer.add(range.buffer, beginByte, endByte);
      if (isNew)
        dispatches.push({
          firstJob: job,
          jobCount: 0,
          bindings: packer.begin(range.buffer, beginByte, endByte),
        });
      dispatches[dispatches.length - 1].jobCount += 1;
      jobs.set(
        [range.dtype * 256 + (first === 0 ? start : 0) * 65536, beginByte / 4, last - first, index],
        JOB_WORDS * job,
      );
      firstElements[job] = first === 0 ? 0 : first - start;
      packer.place(jobs, JOB_WORDS * job, range.buffer);
    }
  });
  finishOffsets(dispatches, jobs);
  return { jobCount, jobs, dispatches, firstElements };
}

/**
 * How many jobs a range is cut into.
 * @param {Range} range
 */
export function jobsOf({ dtype, offset, length }) {
  return length === 0 ? 0 : Math.ceil(((offset % 4) / bytesPerElement(dtype) + length) / JOB_ELEMENTS);
}

/**
 * Bindings move down while a dispatch is packed, so words are counted from them only at the end.
 * @param {readonly Dispatch[]} dispatches
 * @param {Uint32Array} jobs
 */
function finishOffsets(dispatches, jobs) {
  for (const { firstJob, jobCount, bindings } of dispatches) {
    for (let job = firstJob; job < firstJob + jobCount; ++job) {
      jobs[JOB_WORDS * job + 1] -= bindings[jobs[JOB_WORDS * job] & 0xff].begin / 4;
    }
  }
}

/** Packs ranges of bytes into the bindings of one dispatch after the other. */
class Packer {
  #limits;
  #writable;
  #jobCount = 0;
  /** @type {Binding[]} */
  #bindings = [];
  /** @type {Map<GpuBuffer, number>} the last binding of each buffer */
  #slots = new Map();
  #lastEnd = 0;

  /**
   * @param {Limits} limits
   * @param {boolean} writable
   */
  constructor(limits, writable) {
    this.#limits = limits;
    this.#writable = writable;
  }

  /**
   * @param {GpuBuffer} buffer
   * @param {number} begin
   * @param {number} end
   * @returns {boolean}  whether it fits into this dispatch
   */
  add(buffer, begin, end) {
    const { slots, bindingBytes, workgroups, alignment } = this.#limits;
    if (this.#bindings.length === 0 || this.#jobCount === workgroups) return false;
    const slot = this.#slots.get(buffer);
    if (slot !== undefined) {
      const binding = this.#bindings[slot];
      if (this.#writable && begin < binding.end && begin < this.#lastEnd) return false;
      const lower = Math.min(binding.begin, begin - (begin % alignment));
      const upper = Math.max(binding.end, end);
      if (upper - lower <= bindingBytes) {
        binding.begin = lower;
        binding.end = upper;
        return this.#count(end);
      }
      if (this.#writable) return false;
    }
    if (this.#bindings.length === slots) return false;
    this.#slots.set(buffer, this.#bindings.length);
    this.#bindings.push({ buffer, begin: begin - (begin % alignment), end });
    return this.#count(end);
  }

  /**
   * @param {GpuBuffer} buffer
   * @param {number} begin
   * @param {number} end
   * @returns {Binding[]}  those of a new dispatch, to which more will be added
   */
  begin(buffer, begin, end) {
    this.#bindings = [{ buffer, begin: begin - (begin % this.#limits.alignment), end }];
    this.#slots = new Map([[buffer, 0]]);
    this.#jobCount = 0;
    this.#count(end);
    return this.#bindings;
  }

  /**
   * @param {Uint32Array} jobs
   * @param {number} at
   * @param {GpuBuffer} buffer
   */
  place(jobs, at, buffer) {
    jobs[at] |= /** @type {number} */ (this.#slots.get(buffer));
  }

  /** @param {number} end */
  #count(end) {
    this.#jobCount += 1;
    this.#lastEnd = end;
    return true;
  }
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
