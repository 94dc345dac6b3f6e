// web/cli/tensor.js: a tensor in a file, whatever the format, and the elements of those that lie there as they are.
import { InputError } from './words.js';

/**
 * @typedef {import('./element-types.js').ElementType} ElementType
 * @typedef {import('./file.js').InputFile} InputFile
 */

/**
 * A tensor, or a piece of one.
 * @typedef {object} StoredTensor
 * @property {string} name
 * @property {string} place  for messages
 * @property {ElementType} type
 * @property {number} start  index of its first element: 0, but for a piece
 * @property {number} elements
 * @property {boolean} isBigEndian
 * @property {(index: number) => number} indexOf  counted by rows, of an element counted as they are stored
 * @property {Range | null} range  where its elements lie, if they lie in a file as they are
 * @property {(buffer: Uint8Array) => AsyncIterable<number>} read  fills the buffer again and again, and says how many bytes
 *   it holds: all but at the end
 */

/**
 * @typedef {object} Range
 * @property {InputFile} file
 * @property {number} position
 */

/**
 * The elements of a shape; NaN for one that is none.
 * @param {readonly unknown[]} shape
 */
export function elementsOf(shape) {
  // Where one length is 0 the product of the others may be anything.
  if (!shape.every((length) => Number.isSafeInteger(length) && /** @type {number} */ (length) >= 0))
    return NaN;
  const lengths = /** @type {readonly number[]} */ (shape);
  return lengths.includes(0) ? 0 : lengths.reduce((product, length) => product * length, 1);
}

/**
 * @param {string} place
 * @param {string} shape  in words
 * @param {number} elements
 * @param {number} bytes  of an element
 * @returns {number}  of all
 */
export function byteLengthOf(place, shape, elements, bytes) {
  const length = elements * bytes;
  if (Number.isSafeInteger(length)) return length;
  throw new InputError(
    `the shape of ${place} is ${shape}; expected whole numbers >= 0 whose product is below 2^53`,
  );
}

/**
 * @param {Pick<InputFile, 'read'>} file
 * @param {number} position
 * @param {number} length
 * @returns {StoredTensor['read']}
 */
export function readRange(file, position, length) {
  return async function* (buffer) {
    for (let start = 0; start < length; start += buffer.length) {
      const count = Math.min(buffer.length, length - start);
      file.read(buffer.subarray(0, count), position + start);
      yield count;
    }
  };
}

/**
 * A tensor in pieces of so many elements, if its elements lie in a file as they are.
 * @param {StoredTensor} tensor
 * @param {number} pieceElements
 * @returns {StoredTensor[]}
 */
export function piecesOf(tensor, pieceElements) {
  const { range, type, elements } = tensor;
  if (range === null || elements <= pieceElements) return [tensor];
  return Array.from({ length: Math.ceil(elements / pieceElements) }, (_, i) => {
    const start = i * pieceElements;
    const count = Math.min(pieceElements, elements - start);
    const position = range.position + start * type.bytes;
    const read = readRange(range.file, position, count * type.bytes);
    return { ...tensor, start, elements: count, range: { ...range, position }, read };
  });
}
