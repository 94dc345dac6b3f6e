// web/cli/work.js: what every thread does: takes the next piece, and leaves what it knows of it in memory that all share.
import { PIECE_WORDS } from '../core/layout.js';
import { elementType } from './element-types.js';
import { fill } from './file.js';
import { inspect, newInspection } from './inspect.js';
import { readRange } from './tensor.js';

/**
 * What a thread has to know of a piece.
 * @typedef {object} Piece
 * @property {number} descriptor  of the file, which is open in the process
 * @property {number} position
 * @property {string} type        its name
 * @property {number} elements
 * @property {boolean} isBigEndian
 */

/**
 * @typedef {object} Work
 * @property {readonly Piece[]} pieces
 * @property {number} normType
 * @property {Int32Array} next           which nobody has taken
 * @property {BigInt64Array} done        bytes
 * @property {Uint8Array} isMeasured     1 for each piece that is
 * @property {BigUint64Array} words      of the pieces
 */

/**
 * @param {readonly Piece[]} pieces
 * @param {number} normType
 * @returns {Work}
 */
export function shareOut(pieces, normType) {
  return {
    pieces,
    normType,
    next: new Int32Array(new SharedArrayBuffer(4)),
    done: new BigInt64Array(new SharedArrayBuffer(8)),
    isMeasured: new Uint8Array(new SharedArrayBuffer(pieces.length)),
    words: new BigUint64Array(new SharedArrayBuffer(8 * PIECE_WORDS * pieces.length)),
  };
}

/**
 * Measures pieces until there are none left, or one cannot be: whoever began the work finds out why.
 * @param {Work} work
 * @param {() => void} [onRead]
 */
export async function takePart(work, onRead = () => {}) {
  const { pieces, normType, next, done, isMeasured } = work;
  const inspection = newInspection(normType);
  try {
    for (let i = Atomics.add(next, 0, 1); i < pieces.length; i = Atomics.add(next, 0, 1)) {
      await inspect(tensorOf(pieces[i]), inspection, (bytes) => {
        Atomics.add(done, 0, BigInt(bytes));
        onRead();
      });
      inspection.writeWords(wordsOf(work, i));
      inspection.clear();
      isMeasured[i] = 1;
    }
  } catch {
    Atomics.store(next, 0, pieces.length);
  }
}

/**
 * @param {Work} work
 * @param {number} index  of a piece
 */
export function wordsOf({ words }, index) {
  return words.subarray(PIECE_WORDS * index, PIECE_WORDS * (index + 1));
}

/**
 * @param {Piece} piece
 * @returns {import('./tensor.js').StoredTensor}
 */
function tensorOf({ descriptor, position, type: typeName, elements, isBigEndian }) {
  const file = {
    read(/** @type {Uint8Array} */ target, /** @type {number} */ at) {
      if (fill(descriptor, target, at) < target.length) throw new Error('the file has become shorter');
    },
  };
  const type = elementType(typeName);
  const read = readRange(file, position, elements * type.bytes);
  const indexOf = (/** @type {number} */ index) => index;
  return { name: '', place: '', type, start: 0, elements, isBigEndian, indexOf, range: null, read };
}
