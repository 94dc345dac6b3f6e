// web/cli/measure.js: tensors in files to a report, in memory that does not grow with them.
import { reportOfRows } from '../report.js';
import { CHUNK_ELEMENTS } from './element-types.js';
import { inspect, newInspection } from './inspect.js';
import { piecesOf } from './tensor.js';
import { measureByThreads, THREADS } from './threads.js';

/**
 * @typedef {import('./tensor.js').StoredTensor} StoredTensor
 * @typedef {import('../report.js').Row} Row
 */

const PIECE_ELEMENTS = 32 * CHUNK_ELEMENTS;

// Less is measured before a second thread has started.
const MANY_BYTES = 2 ** 26;

/**
 * @param {readonly StoredTensor[]} tensors
 * @param {number} normType
 * @param {(bytes: number) => void} onRead  told how many bytes have been measured since
 * @param {{ threads: number, pieceElements: number }} [division]
 * @returns {Promise<import('../report.js').GradReport>}
 */
export async function measure(tensors, normType, onRead, division = divisionFor(tensors)) {
  const { threads, pieceElements } = division;
  const divided = tensors.map((tensor) => ({ tensor, pieces: piecesOf(tensor, pieceElements) }));
  const all = divided.flatMap(({ pieces }) => pieces);
  const measured = threads > 1 ? await measureByThreads(all, normType, threads, onRead) : new Map();
  const inspection = newInspection(normType);
  /** @type {Row[]} */
  const rows = [];
  for (const { tensor, pieces } of divided) {
    for (const piece of pieces) {
      const words = measured.get(piece);
      if (words === undefined) await inspect(piece, inspection, onRead);
      else inspection.addWords(words);
    }
    rows.push(rowOf(tensor, inspection));
    inspection.next();
  }
  return reportOfRows(normType, inspection.total(), rows);
}

/** @param {readonly StoredTensor[]} tensors */
function divisionFor(tensors) {
  const ranges = tensors.filter(({ range }) => range !== null);
  const bytes = ranges.reduce((sum, { elements, type }) => sum + elements * type.bytes, 0);
  return { threads: bytes < MANY_BYTES ? 1 : THREADS, pieceElements: PIECE_ELEMENTS };
}

/**
 * @param {StoredTensor} tensor
 * @param {import('../core/inspection.js').Inspection} inspection  at the end of it
 * @returns {Row}
 */
function rowOf({ name, type, indexOf }, inspection) {
  const health = inspection.row();
  const { first } = inspection;
  if (first === null) return { name, dtype: type.name, value: 0, health };
  return {
    name,
    dtype: type.name,
    value: first.value,
    health: { ...health, firstNonfinite: indexOf(first.index) },
  };
}
