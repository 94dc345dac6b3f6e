// web/cli/measure.js: tensors in files to a report, in memory that does not grow with them.
import { GradReport } from '../index.js';
import { CHUNK_ELEMENTS, InexactInteger } from './element-types.js';
import { Tally } from './tally.js';
import { InputError } from './words.js';

/**
 * @typedef {import('./tensor.js').StoredTensor} StoredTensor
 * @typedef {import('../report.js').TensorSummary} TensorSummary
 */

const WIDEST_ELEMENT_BYTES = 8;

/**
 * @param {readonly StoredTensor[]} tensors
 * @param {number} normType
 * @param {(bytes: number) => void} onRead  told how many bytes have been measured since
 * @returns {Promise<GradReport>}
 */
export async function measure(tensors, normType, onRead) {
  const buffer = new Uint8Array(CHUNK_ELEMENTS * WIDEST_ELEMENT_BYTES);
  const total = new Tally(normType);
  /** @type {TensorSummary[]} */
  const rows = [];
  for (const tensor of tensors) {
    const tally = await tallyOf(tensor, normType, buffer, onRead);
    total.merge(tally);
    rows.push(rowOf(tensor, tally));
  }
  return new GradReport(normType, total.summarise(), rows);
}

/**
 * @param {StoredTensor} tensor
 * @param {number} normType
 * @param {Uint8Array} buffer
 * @param {(bytes: number) => void} onRead
 */
async function tallyOf(tensor, normType, buffer, onRead) {
  const { type, isBigEndian } = tensor;
  const tally = new Tally(normType);
  const chunk = buffer.subarray(0, CHUNK_ELEMENTS * type.bytes);
  for await (const count of tensor.read(chunk)) {
    const bytes = chunk.subarray(0, count);
    if (isBigEndian) swapBytes(bytes, type.bytes);
    tally.add(gradientOf(tensor, bytes, tally.counts.elements));
    onRead(count);
  }
  return tally;
}

/**
 * @param {StoredTensor} tensor
 * @param {Uint8Array} bytes
 * @param {number} start  index of their first element
 */
function gradientOf({ place, type, indexOf }, bytes, start) {
  try {
    return type.gradientOf(bytes);
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
 * @param {Tally} tally
 * @returns {TensorSummary}
 */
function rowOf({ name, type, indexOf }, tally) {
  const summary = tally.summarise();
  const { first } = tally;
  if (first === null) return { name, dtype: type.name, value: 0, summary };
  const firstNonfinite = indexOf(first.index);
  return { name, dtype: type.name, value: first.value, summary: { ...summary, firstNonfinite } };
}
