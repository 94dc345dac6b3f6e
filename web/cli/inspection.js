// web/cli/inspection.js: tensors that come in pieces, to the row of each and of all. A piece is written into a memory of the core
// and measured there, so that nothing is copied; what the core knows so far waits in its tables. The rows are those of
// gradReport, bit for bit.
import { readRow, valueAt } from '../core/inspect.js';
import { FLOAT32, FLOAT64 } from '../core/dtypes.js';
import { HEALTH_WORDS, PARTIAL_WORDS } from '../core/layout.js';
import { makeMemory } from '../core/memory.js';
import { makeResidentCore } from '../core/module.js';
import { setSegment } from '../core/pack.js';
import { offerInlineModule } from '../core/source-inline.js';

/** @typedef {import('../core/inspect.js').Health} Health */

/** What an inspection knows of a tensor, for another one: partial, health, and a value. */
export const TENSOR_WORDS = PARTIAL_WORDS + HEALTH_WORDS + 1;

export class Inspection {
  /** The tensor's first element that is not finite. @type {{ index: number, value: number } | null} */
  first = null;

  /**
   * @param {number} normType
   * @param {number} bytes  of the memory for pieces
   */
  constructor(normType, bytes) {
    offerInlineModule();
    this.normType = normType;
    this.core = makeResidentCore(makeMemory(bytes));
    /** For pieces, each from a multiple of 16 on. @readonly */
    this.memory = new Uint8Array(this.core.buffer, this.core.freeAt, bytes);
    this.core.clear(this.core.totalAt, this.core.totalHealthAt, 1);
    this.clear();
  }

  /** Forgets the tensor. */
  clear() {
    this.core.clear(this.core.partialsAt, this.core.healthsAt, 1);
    this.first = null;
  }

  /**
   * The next elements of the tensor: whole blocks, unless they are its last.
   * @param {Uint8Array} bytes  in the memory
   * @param {number} dtype
   * @param {number} elements
   */
  add(bytes, dtype, elements) {
    const { core, normType } = this;
    const { elements: before } = this.row();
    setSegment(core.segments, 0, bytes.byteOffset, elements, dtype, 0);
    core.reduce(normType, core.segmentsAt, 1, core.partialsAt, core.healthsAt);
    const { firstNonfinite: index } = this.row();
    if (index >= before) this.first ??= { index, value: valueIn(bytes, dtype, index - before) };
  }

  /**
   * The next elements of the tensor, as another inspection knows them.
   * @param {BigUint64Array} words
   */
  addWords(words) {
    const { core } = this;
    const { elements: before } = this.row();
    // The second group is free.
    core.partials.set(words.subarray(0, PARTIAL_WORDS), PARTIAL_WORDS);
    core.healths.set(words.subarray(PARTIAL_WORDS, PARTIAL_WORDS + HEALTH_WORDS), HEALTH_WORDS);
    const [partial, health] = [core.partialsAt + 8 * PARTIAL_WORDS, core.healthsAt + 8 * HEALTH_WORDS];
    const { firstNonfinite } = this.rowOf(partial, health);
    core.merge(partial, health, 1, core.partialsAt, core.healthsAt);
    const [value] = new Float64Array(words.slice(TENSOR_WORDS - 1).buffer);
    if (firstNonfinite >= 0) this.first ??= { index: before + firstNonfinite, value };
  }

  /** @param {BigUint64Array} target  for what is known of the tensor, so that another inspection can add it */
  writeWords(target) {
    const { partials, healths } = this.core;
    target.set(partials.subarray(0, PARTIAL_WORDS));
    target.set(healths.subarray(0, HEALTH_WORDS), PARTIAL_WORDS);
    target.set(new BigUint64Array(Float64Array.of(this.first?.value ?? 0).buffer), TENSOR_WORDS - 1);
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
