// web/cli/inspect.js: a tensor in a file, or a piece of one, chunk by chunk to an inspection.
import { CHUNK_ELEMENTS, InexactInteger, WIDEST_BYTES } from './element-types.js';
import { ChunkInspection } from './inspection.js';
import { InputError } from './words.js';

/**
 * @typedef {import('./tensor.js').StoredTensor} StoredTensor
 */

const CHUNK_BYTES = CHUNK_ELEMENTS * WIDEST_BYTES;

/** @param {number} normType */
export function newInspection(normType) {
  return new ChunkInspection(normType, 2 * CHUNK_BYTES);
}

/**
 * @param {StoredTensor} tensor
 * @param {ChunkInspection} inspection
 * @param {(bytes: number) => void} onRead
 */
export async function inspect(tensor, inspection, onRead) {
  const { type, isBigEndian } = tensor;
  const chunk = inspection.memory.subarray(0, CHUNK_ELEMENTS * type.bytes);
  const room = inspection.memory.subarray(CHUNK_BYTES);
  let { start } = tensor;
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
