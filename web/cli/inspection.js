// web/cli/inspection.js: tensors that come in pieces, to the row of each and of all. A piece is written into a memory of the core
// and measured there, so that nothing is copied; what the core knows so far waits in its tables. The rows are those of
// gradReport, bit for bit.
import { readRow, valueAt } from '../core/inspect.js';
import { FLOAT32, FLOAT64 } from '../core/dtypes.js';
import { makeResidentCore } from '../core/module.js';
import { setSegment } from '../core/pack.js';
import { offerInlineModule } from '../core/source-inline.js';

/** @typedef {import('../core/inspect.js').Summary} Summary */

export class Inspection {
  /**
   * @param {number} normType
   * @param {number} bytes  of the memory for pieces
   */
  constructor(normType, bytes) {
    offerInlineModule();
    this.normType = normType;
    this.core = makeResidentCore(bytes);
    /** For pieces, each from a multiple of 16 on. @readonly */
    this.memory = new Uint8Array(this.core.buffer, this.core.freeAt, bytes);
    /** Of the tensor: the value of the first element that is not finite, 0 if all are. */
    this.firstValue = 0;
    const { totalAt, totalHealthAt, partialsAt, healthsAt } = this.core;
    this.core.clear(totalAt, totalHealthAt, 1);
    this.core.clear(partialsAt, healthsAt, 1);
  }

  /**
   * The next elements of the tensor: whole blocks, unless they are its last.
   * @param {Uint8Array} bytes  in the memory
   * @param {number} dtype
   * @param {number} elements
   */
  add(bytes, dtype, elements) {
    const { core, normType } = this;
    const { elements: before, firstNonfinite: known } = this.row();
    setSegment(core.segments, 0, bytes.byteOffset, elements, dtype, 0);
    core.reduce(normType, core.segmentsAt, 1, core.partialsAt, core.healthsAt);
    const { firstNonfinite } = this.row();
    if (known < 0 && firstNonfinite >= 0) this.firstValue = valueIn(bytes, dtype, firstNonfinite - before);
  }

  /** Of the tensor so far. @returns {Summary} */
  row() {
    return this.rowOf(this.core.partialsAt, this.core.healthsAt);
  }

  /** At the end of a tensor. */
  next() {
    const { partialsAt, healthsAt, totalAt, totalHealthAt } = this.core;
    this.core.merge(partialsAt, healthsAt, 1, totalAt, totalHealthAt);
    this.core.clear(partialsAt, healthsAt, 1);
    this.firstValue = 0;
  }

  /** Of all tensors. @returns {Summary} */
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

/**
 * @param {Uint8Array} bytes
 * @param {number} dtype
 * @param {number} index  of an element that is not finite
 */
function valueIn({ buffer, byteOffset }, dtype, index) {
  const View = dtype === FLOAT64 ? Float64Array : dtype === FLOAT32 ? Float32Array : Uint16Array;
  const array = new View(/** @type {ArrayBuffer} */ (buffer), byteOffset, index + 1);
  return valueAt({ array, dtype }, index);
}
