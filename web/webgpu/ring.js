// web/webgpu/ring.js: the buffers that each step needs for itself: its parameters on the way to the GPU, its result on the
// way back. A few are made with the plan and used in turn, so that steps allocate nothing.
import { COPY_DST, COPY_SRC, MAP_READ, PARAMETERS, RESULT, UNIFORM } from './layouts.js';
import { UNIFORM_GROUP } from './work.js';

/**
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./types.js').GpuBindGroup} GpuBindGroup
 * @typedef {import('./context.js').Context} Context
 */

/**
 * @typedef {object} Slot
 * @property {GpuBuffer} parameters
 * @property {GpuBindGroup} parameterGroup
 * @property {GpuBuffer} readback
 * @property {GpuBuffer | null} kept  the result of a step in the user's encoder, made when first needed
 * @property {boolean} isBusy   being read
 * @property {number} takenAt   the number of the step that has it
 */

/** Steps after which one that was not submitted, or that nobody asked for its result, is given up. */
export const RING_SLOTS = 8;

/** Slots, the one that was used longest ago first. */
export class Ring {
  #context;
  #takes = 0;
  /** @type {Slot[]} */
  #slots = [];

  /**
   * @param {Context} context
   * @param {number} slots
   */
  constructor(context, slots) {
    this.#context = context;
    for (let i = 0; i < slots; ++i) this.#slots.push(this.#make());
  }

  /**
   * A slot that is not being read and that none of the last steps had: theirs may be in an encoder that is yet to be
   * submitted. Only if more steps than there are slots are being read at once, another is made.
   * @returns {Slot}
   */
  take() {
    this.#takes += 1;
    const oldest = this.#takes - RING_SLOTS;
    const at = this.#slots.findIndex(({ isBusy, takenAt }) => !isBusy && takenAt <= oldest);
    const slot = at < 0 ? this.#make() : this.#slots.splice(at, 1)[0];
    this.#slots.push(slot);
    slot.takenAt = this.#takes;
    return slot;
  }

  /**
   * Where a step leaves its result that is submitted some day. It is never mapped, since WebGPU refuses to submit what writes
   * to a buffer that is.
   * @param {Slot} slot
   */
  keptOf(slot) {
    return (slot.kept ??= this.#context.device.createBuffer({
      label: 'gradnorm kept result',
      size: 4 * RESULT.words,
      usage: COPY_SRC | COPY_DST,
    }));
  }

  /** @type {(slot: Slot, parameters: ArrayBuffer) => void} */
  writeParameters(slot, parameters) {
    this.#context.device.queue.writeBuffer(slot.parameters, 0, parameters);
  }

  /**
   * Brings the result that was left in a slot to where it can be read.
   * @param {Slot} slot
   */
  fetch(slot) {
    const { device } = this.#context;
    const encoder = device.createCommandEncoder({ label: 'gradnorm norm' });
    encoder.copyBufferToBuffer(this.keptOf(slot), 0, slot.readback, 0, 4 * RESULT.words);
    device.queue.submit([encoder.finish()]);
  }

  destroy() {
    for (const { parameters, readback, kept } of this.#slots) {
      parameters.destroy();
      readback.destroy();
      kept?.destroy();
    }
  }

  /** @returns {Slot} */
  #make() {
    const { device } = this.#context;
    const parameters = device.createBuffer({
      label: 'gradnorm parameters',
      size: 16 * Math.ceil(PARAMETERS.words / 4),
      usage: UNIFORM | COPY_DST,
    });
    const parameterGroup = this.#context.bindGroup('gradnorm parameters', UNIFORM_GROUP, [
      { buffer: parameters },
    ]);
    const readback = device.createBuffer({
      label: 'gradnorm readback',
      size: 4 * RESULT.words,
      usage: MAP_READ | COPY_DST,
    });
    return { parameters, parameterGroup, readback, kept: null, isBusy: false, takenAt: -Infinity };
  }
}
