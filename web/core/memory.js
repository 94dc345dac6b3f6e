// web/core/memory.js: a memory with an instance of the core in it. Tables lie at its start, behind the core's own data; what is
// behind them is for gradients: a staging area that they are copied through, or arrays that stay where they are.
import { HEALTH_WORDS, PARTIAL_WORDS, ROW_NUMBERS, SEGMENT_WORDS } from './layout.js';

/**
 * An instance of the core, what it binds, and views of its tables.
 * @typedef {import('./embind.js').Bindings & Tables} Core
 */

/**
 * Each table with its address. Behind the last group there is a partial and a health of all of them.
 * @typedef {object} Tables
 * @property {ArrayBuffer} buffer
 * @property {Uint32Array} segments
 * @property {number} segmentsAt
 * @property {BigUint64Array} partials
 * @property {number} partialsAt
 * @property {number} totalAt         a partial
 * @property {number} healthsAt
 * @property {number} totalHealthAt
 * @property {BigUint64Array} healths
 * @property {Float64Array} rows
 * @property {number} rowsAt
 * @property {Float64Array} factors   of groups
 * @property {number} factorsAt
 * @property {number} freeAt          where gradients may lie
 * @property {StagingArea | null} staging  null where gradients are resident
 */

/**
 * Views of one piece of memory, by the types that copy fastest.
 * @typedef {object} StagingArea
 * @property {number} at
 * @property {Uint8Array} bytes
 * @property {Float32Array} float32
 * @property {Float64Array} float64
 */

/** Segments that a table holds, and groups whose partials, healths, rows and factors there are. */
export const MAX_SEGMENTS = 2048;
export const MAX_GROUPS = 256;

/** Leaves room in a second-level cache of 1 MiB. Long copies are faster than many: in pieces of 256 KiB the norm of 64 MB takes a
 * tenth longer. */
export const STAGING_BYTES = 768 * 1024;

/** A memory has at most 65536 pages, of which the last is left out: its end would be no address. */
export const MAX_MEMORY_BYTES = 65535 * 65536;

/** Cache lines do not lie across two tables. */
const ALIGNMENT = 64;
/** Copies into the staging area are a few percent faster where it begins with a page of the machine. */
const MACHINE_PAGE_BYTES = 4096;
const PAGE_BYTES = 65536;

/** What the core and its tables take of a memory, at most. */
export const TABLES_BYTES = 4 * PAGE_BYTES;

/**
 * @param {number} bytes
 * @returns {number}  rounded up, so that something of any type may begin there
 */
export function align(bytes) {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/**
 * A memory that never grows, so that no view of it is ever detached.
 * @param {number} bytes  behind the tables, at least
 * @returns {WebAssembly.Memory}
 * @throws {RangeError} if it cannot be had
 */
export function makeMemory(bytes) {
  const pages = Math.ceil((TABLES_BYTES + bytes) / PAGE_BYTES);
  return new WebAssembly.Memory({ initial: pages, maximum: pages });
}

/**
 * Where the tables lie.
 * @param {number} heapBase
 */
export function tablesFrom(heapBase) {
  let freeAt = align(heapBase);
  const take = (/** @type {number} */ bytes) => {
    const at = freeAt;
    freeAt = align(at + bytes);
    return at;
  };
  const segmentsAt = take(4 * SEGMENT_WORDS * MAX_SEGMENTS);
  const partialsAt = take(8 * PARTIAL_WORDS * (MAX_GROUPS + 1));
  const healthsAt = take(8 * HEALTH_WORDS * (MAX_GROUPS + 1));
  const rowsAt = take(8 * ROW_NUMBERS * MAX_GROUPS);
  const factorsAt = take(8 * MAX_GROUPS);
  freeAt = Math.ceil(freeAt / MACHINE_PAGE_BYTES) * MACHINE_PAGE_BYTES;
  return { segmentsAt, partialsAt, healthsAt, rowsAt, factorsAt, freeAt };
}

/**
 * @param {import('./embind.js').Bindings} bindings
 * @param {ArrayBuffer} buffer
 * @param {boolean} hasStaging
 * @returns {Core}
 */
export function layOut(bindings, buffer, hasStaging) {
  const tables = tablesFrom(bindings.heapBase);
  const { segmentsAt, partialsAt, healthsAt, rowsAt, factorsAt, freeAt } = tables;
  return {
    ...bindings,
    ...tables,
    buffer,
    segments: new Uint32Array(buffer, segmentsAt, SEGMENT_WORDS * MAX_SEGMENTS),
    partials: new BigUint64Array(buffer, partialsAt, PARTIAL_WORDS * (MAX_GROUPS + 1)),
    totalAt: partialsAt + 8 * PARTIAL_WORDS * MAX_GROUPS,
    healths: new BigUint64Array(buffer, healthsAt, HEALTH_WORDS * (MAX_GROUPS + 1)),
    totalHealthAt: healthsAt + 8 * HEALTH_WORDS * MAX_GROUPS,
    rows: new Float64Array(buffer, rowsAt, ROW_NUMBERS * MAX_GROUPS),
    factors: new Float64Array(buffer, factorsAt, MAX_GROUPS),
    staging: hasStaging ? stagingArea(buffer, freeAt) : null,
  };
}

/**
 * @param {ArrayBuffer} buffer
 * @param {number} at
 * @returns {StagingArea}
 */
function stagingArea(buffer, at) {
  return {
    at,
    bytes: new Uint8Array(buffer, at, STAGING_BYTES),
    float32: new Float32Array(buffer, at, STAGING_BYTES / 4),
    float64: new Float64Array(buffer, at, STAGING_BYTES / 8),
  };
}
