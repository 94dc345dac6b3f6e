// web/webgpu/ring.js: the buffers that each step needs for itself: its parameters on the way to the GPU, its result on the
// way back. A few are made with the plan and used in turn, so that steps allocate nothing.
import { COPY_DST, MAP_READ, PARAMETER_BYTES, RESULT_WORDS, UNIFORM } from './constants.js';

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
 * @property {boolean} isBusy  being read
 * @property {number} use      counts those who had it
 */

/** Steps after which the result of one that nobody asked for is given up. */
export const RING_SLOTS = 8;

/** Slots, the one that was used longest ago first. */
export class Ring {
  #context;
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
   * The next slot that is not being read. Only if more steps than there are slots are being read at once, another is made.
   * @returns {Slot}
   */
  take() {
    const at = this.#slots.findIndex((slot) => !slot.isBusy);
    const slot = at < 0 ? this.#make() : this.#slots.splice(at, 1)[0];
    this.#slots.push(slot);
    slot.use += 1;
    return slot;
  }

  destroy() {
    for (const { parameters, readback } of this.#slots) {
      parameters.destroy();
      readback.destroy();
    }
  }

  /** @returns {Slot} */
  #make() {
    const { device, layouts } = this.#context;
    const parameters = device.createBuffer({
      label: 'gradnorm parameters',
      size: PARAMETER_BYTES,
      usage: UNIFORM | COPY_DST,
    });
    const parameterGroup = device.createBindGroup({
      label: 'gradnorm parameters',
      layout: layouts.uniform,
      entries: [{ binding: 0, resource: { buffer: parameters } }],
    });
    const readback = device.createBuffer({
      label: 'gradnorm readback',
      size: 4 * RESULT_WORDS,
      usage: MAP_READ | COPY_DST,
    });
    return { parameters, parameterGroup, readback, isBusy: false, use: 0 };
  }
}
