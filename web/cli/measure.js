// web/cli/measure.js: tensors in files to a report, in memory that does not grow with them.
import { GradReport } from '../report.js';
import { CHUNK_ELEMENTS, InexactInteger, WIDEST_BYTES } from './element-types.js';
import { Inspection } from './inspection.js';
import { InputError } from './words.js';

/**
 * @typedef {import('./tensor.js').StoredTensor} StoredTensor
 * @typedef {import('../report.js').Row} Row
 */

const CHUNK_BYTES = CHUNK_ELEMENTS * WIDEST_BYTES;

/**
 * @param {readonly StoredTensor[]} tensors
 * @param {number} normType
 * @param {(bytes: number) => void} onRead  told how many bytes have been measured since
 * @returns {Promise<GradReport>}
 */
export async function measure(tensors, normType, onRead) {
  const inspection = new Inspection(normType, 2 * CHUNK_BYTES);
  /** @type {Row[]} */
  const rows = [];
  for (const tensor of tensors) {
    await inspect(tensor, inspection, onRead);
    rows.push(rowOf(tensor, inspection));
    inspection.next();
  }
  return new GradReport(normType, inspection.total(), rows);
}

/**
 * @param {StoredTensor} tensor
 * @param {Inspection} inspection
 * @param {(bytes: number) => void} onRead
 */
async function inspect(tensor, inspection, onRead) {
  const { type, isBigEndian } = tensor;
  const chunk = inspection.memory.subarray(0, CHUNK_ELEMENTS * type.bytes);
  const room = inspection.memory.subarray(CHUNK_BYTES);
  let start = 0;
  for await (const count of tensor.read(chunk)) {
    const bytes = chunk.subarray(0, count);
    if (isBigEndian) swapBytes(bytes, type.bytes);
    inspection.add(widen(tensor, bytes, room, start), type.dtype, count / type.bytes);
    start += count / type.bytes;
    onRead(count);
  }
}

/**
 * @param {StoredTensor} tensor
 * @param {Uint8Array} bytes
 * @param {Uint8Array} room
 * @param {number} start  index of their first element
 */
function widen({ place, type, indexOf }, bytes, room, start) {
  try {
    return type.widen(bytes, room);
  } catch (error) {
    if (!(error instanceof InexactInteger)) throw error;
    const index = indexOf(start + error.index);
    const expected = 'an integer below 2^53 in magnitude, which a double holds exactly';
    throw new InputError(`the element of ${place} at index ${index} is ${error.value}; expected ${expected}`);
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {number} size  of an element
 */
function swapBytes({ buffer, byteOffset, byteLength }, size) {
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  if (size === 2) bytes.swap16();
  if (size === 4) bytes.swap32();
  if (size === 8) bytes.swap64();
}

/**
 * @param {StoredTensor} tensor
 * @param {Inspection} inspection  at the end of it
 * @returns {Row}
 */
function rowOf({ name, type, indexOf }, inspection) {
  const summary = inspection.row();
  const { firstNonfinite: first } = summary;
  const firstNonfinite = first < 0 ? first : indexOf(first);
  return { name, dtype: type.name, value: inspection.firstValue, summary: { ...summary, firstNonfinite } };
}
