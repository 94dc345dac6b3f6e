// web/core/resident.js: arrays in memories of the core, where it measures and rewrites them without a copy. Below
// web/alloc.js, which knows for whom.
import { BYTE_SHIFTS } from './dtypes.js';
import { addResident } from './homes.js';
import { SEGMENT_WORDS } from './layout.js';
import { align, makeMemory, MAX_MEMORY_BYTES, TABLES_BYTES } from './memory.js';
import { makeResidentCore } from './module.js';
import { setSegment } from './pack.js';

/**
 * @typedef {import('./memory.js').Core} Core
 * @typedef {import('./homes.js').Table} Table
 * @typedef {import('./dtypes.js').GradientArray} GradientArray
 */

/**
 * What an array is to be.
 * @typedef {object} Shape
 * @property {string} type    such as Float32Array
 * @property {number} dtype   of its elements; their bits may lie in an array of integers
 * @property {number} length  in elements
 */

/**
 * What is left of a memory. Small allocations share one, because engines reserve gigabytes of addresses for each.
 * @typedef {object} Room
 * @property {Core} core
 * @property {number} at
 * @property {number} end
 */

/** The least that a memory has for gradients. */
const SHARED_BYTES = 1 << 22;

/** More than any machine has: engines take minutes to find that out. */
const MOST_BYTES = 2 ** 41;

const SEGMENT_BYTES = 4 * SEGMENT_WORDS;

/** What a memory can hold at most: one array, and its segment. */
export function maxArrayBytes() {
  return MAX_MEMORY_BYTES - TABLES_BYTES - align(SEGMENT_BYTES);
}

/** Does not keep the memory when nothing else does. @type {WeakRef<Room> | null} */
let lastRoom = null;

/** Keeps it as long as its arrays are kept. @type {WeakMap<ArrayBufferLike, Room>} */
const rooms = new WeakMap();

/**
 * Arrays of zeros, in the memory of the last allocation if it has room for all of them, or in as many new ones as they need.
 * @param {readonly Shape[]} shapes  of which none is larger than maxArrayBytes()
 * @returns {{ arrays: GradientArray[], tables: Table[] }}  in the same order
 * @throws {RangeError} if a memory cannot be had
 */
export function allocate(shapes) {
  /** @type {GradientArray[]} */
  const arrays = [];
  /** @type {Table[]} */
  const tables = [];
  const asked = shapes.reduce((sum, shape) => sum + bytesOfShape(shape), 0);
  if (asked > MOST_BYTES) throw tooMuch(asked);
  for (let first = 0; first < shapes.length; first += tables[tables.length - 1].count) {
    const { bytes, count } = fitting(shapes, first);
    tables.push(fill(roomFor(bytes, asked), shapes, first, count, arrays));
  }
  return { arrays, tables };
}

/**
 * How many shapes fit in one memory, and what they take there.
 * @param {readonly Shape[]} shapes
 * @param {number} first
 */
function fitting(shapes, first) {
  let bytes = 0;
  let count = 0;
  for (; first + count < shapes.length; ++count) {
    const more = bytesOfShape(shapes[first + count]) + SEGMENT_BYTES;
    if (align(bytes + more) > MAX_MEMORY_BYTES - TABLES_BYTES && count > 0) break;
    bytes += more;
  }
  return { bytes: align(bytes), count };
}

/**
 * Aligned, so that the core's loads are.
 * @param {Shape} shape
 */
function bytesOfShape({ dtype, length }) {
  return Math.ceil((length * 2 ** BYTE_SHIFTS[dtype]) / 16) * 16;
}

/**
 * @param {number} bytes
 * @param {number} asked  by all of the template
 * @returns {Room}
 */
function roomFor(bytes, asked) {
  const last = lastRoom?.deref();
  if (last !== undefined && last.end - last.at >= bytes) return last;
  const core = makeResidentCore(memoryOf(Math.max(bytes, SHARED_BYTES), asked));
  addResident(core);
  const room = { core, at: core.freeAt, end: core.buffer.byteLength };
  rooms.set(core.buffer, room);
  lastRoom = new WeakRef(room);
  return room;
}

/**
 * @param {number} bytes
 * @param {number} asked
 */
function memoryOf(bytes, asked) {
  try {
    return makeMemory(bytes);
  } catch (cause) {
    throw tooMuch(asked, cause);
  }
}

/**
 * @param {number} asked
 * @param {unknown} [cause]
 */
function tooMuch(asked, cause) {
  const message = `the template asks for ${asked} bytes; expected no more than there is memory for`;
  return new RangeError(message, { cause });
}

/**
 * Takes arrays, and behind them their table, out of a room.
 * @param {Room} room
 * @param {readonly Shape[]} shapes
 * @param {number} first
 * @param {number} count
 * @param {GradientArray[]} arrays  to which they are added
 * @returns {Table}
 */
function fill(room, shapes, first, count, arrays) {
  const { core } = room;
  const start = room.at;
  for (const shape of shapes.slice(first, first + count)) {
    const ArrayType = /** @type {any} */ (globalThis)[shape.type];
    arrays.push(new ArrayType(core.buffer, room.at, shape.length));
    room.at += bytesOfShape(shape);
  }
  const at = room.at;
  const table = new Uint32Array(core.buffer, at, SEGMENT_WORDS * count);
  for (let i = 0, address = start; i < count; ++i) {
    const shape = shapes[first + i];
    setSegment(table, i, address, shape.length, shape.dtype, 0);
    address += bytesOfShape(shape);
  }
  room.at = align(at + SEGMENT_BYTES * count);
  return { core, at, count };
}
