// web/cli/inspection.js: an inspection of pieces that are written into a memory of the core and measured there, so that nothing is
// copied. The rows are those of gradReport, bit for bit.
import { FLOAT32, FLOAT64 } from '../core/dtypes.js';
import { valueAt } from '../core/inspect.js';
import { Inspection } from '../core/inspection.js';
import { HEALTH_WORDS, PARTIAL_WORDS, PIECE_WORDS } from '../core/layout.js';
import { makeMemory } from '../core/memory.js';
import { makeResidentCore } from '../core/module.js';
import { setSegment } from '../core/pack.js';
import { offerInlineModule } from '../core/source-inline.js';

export class ChunkInspection extends Inspection {
  /**
   * @param {number} normType
   * @param {number} bytes  of the memory for pieces
   */
  constructor(normType, bytes) {
    offerInlineModule();
    super(normType, makeResidentCore(makeMemory(bytes)));
    /** For pieces, each from a multiple of 16 on. @readonly */
    this.memory = new Uint8Array(this.core.buffer, this.core.freeAt, bytes);
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

  /** @param {BigUint64Array} target  for what is known of the tensor so far */
  writeWords(target) {
    const { partials, healths } = this.core;
    target.set(partials.subarray(0, PARTIAL_WORDS));
    target.set(healths.subarray(0, HEALTH_WORDS), PARTIAL_WORDS);
    target.set(new BigUint64Array(Float64Array.of(this.first?.value ?? 0).buffer), PIECE_WORDS - 1);
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
