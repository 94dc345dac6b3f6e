// web/core/inspection.js: tensors that come in pieces, to the row of each and of all, by what is known of pieces that were looked
// at elsewhere: by another thread, or by a GPU. What the core knows so far waits in its tables.
import { readRow } from './inspect.js';
import { HEALTH_WORDS, PARTIAL_WORDS, PIECE_WORDS } from './layout.js';

/** @typedef {import('./inspect.js').Health} Health */

export class Inspection {
  /**
   * @param {number} normType
   * @param {import('./memory.js').Core} core  which nobody else uses until this is done
   */
  constructor(normType, core) {
    this.normType = normType;
    this.core = core;
    /** The tensor's first element that is not finite. @type {{ index: number, value: number } | null} */
    this.first = null;
    core.clear(core.totalAt, core.totalHealthAt, 1);
    this.clear();
  }

  /** Forgets the tensor. */
  clear() {
    this.core.clear(this.core.partialsAt, this.core.healthsAt, 1);
    this.first = null;
  }

  /**
   * The next elements of the tensor, by what is known of them.
   * @param {BigUint64Array} words
   */
  addWords(words) {
    const { core } = this;
    const [index, value] = new Float64Array(words.buffer, words.byteOffset, PIECE_WORDS).subarray(-2);
    if (index >= 0) this.first ??= { index: this.row().elements + index, value };
    // The second group is free.
    core.partials.set(words.subarray(0, PARTIAL_WORDS), PARTIAL_WORDS);
    core.healths.set(words.subarray(PARTIAL_WORDS, PARTIAL_WORDS + HEALTH_WORDS), HEALTH_WORDS);
    const [partial, health] = [core.partialsAt + 8 * PARTIAL_WORDS, core.healthsAt + 8 * HEALTH_WORDS];
    core.merge(partial, health, 1, core.partialsAt, core.healthsAt);
  }

  /** Of the tensor so far. @returns {Health} */
  row() {
    const row = this.rowOf(this.core.partialsAt, this.core.healthsAt);
    return this.first === null ? row : { ...row, firstNonfinite: this.first.index };
  }

  /** At the end of a tensor. */
  next() {
    const { partialsAt, healthsAt, totalAt, totalHealthAt } = this.core;
    this.core.merge(partialsAt, healthsAt, 1, totalAt, totalHealthAt);
    this.clear();
  }

  /** Of all tensors. @returns {Health} */
  total() {
    return this.rowOf(this.core.totalAt, this.core.totalHealthAt);
  }

  /**
   * @param {number} partial
   * @param {number} health
   */
  rowOf(partial, health) {
    this.core.report(this.normType, partial, health, 1, this.core.rowsAt);
    return readRow(this.core.rows, 0);
  }
}
