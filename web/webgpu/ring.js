// web/webgpu/ring.js: the buffers that each step needs for itself: its parameters on the way to the GPU, its result on the
// way back. A few are made with the plan and used in turn, so that steps allocate nothing.
import { COPY_DST, COPY_SRC, MAP_READ, PARAMETERS, RESULT, UNIFORM } from './layouts.js';

/** @import { GpuBuffer } from './types.js' */
/** @import { Context } from './context.js' */

/** How many steps later a slot is used again, even if its step was not submitted or nobody asked for its norm. */
export const RING_SLOTS = 8;

const RESULT_BYTES = 4 * RESULT.words;

/** What a step has until as many more have passed as there are slots. */
export class Slot {
  #device;
  #parameters;
  /** The result of a step in the user's encoder, made when first needed. @type {GpuBuffer | null} */
  #kept = null;
  /** The number of the step that has it. */
  takenAt = -Infinity;
  isBusy = false;

  /** @param {Context} context */
  constructor(context) {
    const { device } = context;
    this.#device = device;
    const size = 4 * PARAMETERS.words;
    this.#parameters = device.createBuffer({ label: 'gradnorm parameters', size, usage: UNIFORM | COPY_DST });
    this.group = context.bindGroup('gradnorm parameters', 'u', [{ buffer: this.#parameters }]);
    this.readback = device.createBuffer({
      label: 'gradnorm readback',
      size: RESULT_BYTES,
      usage: MAP_READ | COPY_DST,
    });
  }

  /**
   * Where a step leaves its result that is submitted some day. It is never mapped, since WebGPU refuses to submit what writes
   * to a buffer that is.
   */
  get kept() {
    const usage = COPY_SRC | COPY_DST;
    return (this.#kept ??= this.#device.createBuffer({
      label: 'gradnorm result',
      size: RESULT_BYTES,
      usage,
    }));
  }

  /** Brings what was left there to where it can be read. */
  fetch() {
    const encoder = this.#device.createCommandEncoder({ label: 'gradnorm norm' });
    encoder.copyBufferToBuffer(this.kept, 0, this.readback, 0, RESULT_BYTES);
    this.#device.queue.submit([encoder.finish()]);
  }

  /** @param {Uint32Array} parameters */
  write(parameters) {
    this.#device.queue.writeBuffer(this.#parameters, 0, parameters);
  }

  /**
   * @param {import('./ledger.js').Ledger} ledger
   * @param {import('./failures.js').Verdict} verdict
   * @returns {Promise<Uint32Array>}  the words of the result
   */
  async read(ledger, verdict) {
    this.isBusy = true;
    try {
      return await ledger.read(this.readback, verdict);
    } finally {
      this.isBusy = false;
    }
  }

  destroy() {
    this.#parameters.destroy();
    this.readback.destroy();
    this.#kept?.destroy();
  }
}

/** Slots, the one that was used longest ago first. */
export class Ring {
  #context;
  #takes = 0;
  #kept;
  /** @type {Slot[]} */
  #slots;

  /**
   * @param {Context} context
   * @param {number} slots
   * @param {number} [kept]  how many takes a slot is kept for, though nobody reads it
   */
  constructor(context, slots, kept = RING_SLOTS) {
    this.#context = context;
    this.#kept = kept;
    this.#slots = Array.from({ length: slots }, () => new Slot(context));
  }

  /**
   * A slot that is not being read and that none of the last steps had: theirs may be in an encoder that is yet to be
   * submitted. Only if more steps than there are slots are being read at once, another is made.
   * @returns {Slot}
   */
  take() {
    const oldest = ++this.#takes - this.#kept;
    const at = this.#slots.findIndex(({ isBusy, takenAt }) => !isBusy && takenAt <= oldest);
    const slot = at < 0 ? new Slot(this.#context) : this.#slots.splice(at, 1)[0];
    this.#slots.push(slot);
    slot.takenAt = this.#takes;
    return slot;
  }

  destroy() {
    for (const slot of this.#slots) slot.destroy();
  }
}
