// tests/bench/gpu/clock.js: how long the GPU works: a timestamp at the beginning and the end of every compute pass on a device,
// whoever encodes it.

/** Timestamps that a query set can hold; passes beyond are not seen, and the time is unknown. */
const MOST_STAMPS = 4096;
/** QUERY_RESOLVE, COPY_SRC; MAP_READ, COPY_DST. */
const RESOLVE_USAGE = 0x200 | 0x4;
const READ_USAGE = 0x1 | 0x8;

/** @typedef {{ begin: number, end: number }} Interval   in nanoseconds */

/**
 * The time in which at least one of the passes ran. (The beginning of one may be noted before the end of the one before.)
 * @param {Interval[]} passes
 * @returns {number}
 */
export function busyTime(passes) {
  let busy = 0;
  let until = -Infinity;
  for (const { begin, end } of [...passes].sort((a, b) => a.begin - b.begin)) {
    busy += Math.max(0, end - Math.max(begin, until));
    until = Math.max(until, end);
  }
  return busy;
}

/**
 * The time between two passes: of what is no pass itself.
 * @param {Interval[]} passes
 * @returns {number}
 */
export function timeBetween(passes) {
  return passes.length < 2 ? NaN : passes[passes.length - 1].end - passes[0].end;
}

/** Watches a device; on one without timestamp queries it sees nothing. */
export class Clock {
  #device;
  /** @type {GPUQuerySet | null} */
  #queries = null;
  /** @type {GPUBuffer | undefined} */
  #resolved;
  /** @type {GPUBuffer | undefined} */
  #readable;
  #passes = 0;
  #createCommandEncoder;

  /** @param {GPUDevice} device */
  constructor(device) {
    this.#device = device;
    this.#createCommandEncoder = device.createCommandEncoder.bind(device);
    if (!device.features.has('timestamp-query')) return;
    const size = 8 * MOST_STAMPS;
    this.#queries = device.createQuerySet({ label: 'bench', type: 'timestamp', count: MOST_STAMPS });
    this.#resolved = device.createBuffer({ label: 'bench timestamps', size, usage: RESOLVE_USAGE });
    this.#readable = device.createBuffer({ label: 'bench timestamps', size, usage: READ_USAGE });
    device.createCommandEncoder = (descriptor) => this.#watch(this.#createCommandEncoder(descriptor));
  }

  get hasTimestamps() {
    return this.#queries !== null;
  }

  /** From here on passes count. */
  start() {
    this.#passes = 0;
  }

  /**
   * The passes since start(), once the GPU is through with them.
   * @returns {Promise<Interval[] | null>}  null if they are not known
   */
  async read() {
    const stamps = 2 * this.#passes;
    if (this.#queries === null || stamps === 0 || stamps > MOST_STAMPS) return null;
    const [resolved, readable] = /** @type {[GPUBuffer, GPUBuffer]} */ ([this.#resolved, this.#readable]);
    const encoder = this.#createCommandEncoder();
    encoder.resolveQuerySet(this.#queries, 0, stamps, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, readable, 0, 8 * stamps);
    this.#device.queue.submit([encoder.finish()]);
    await readable.mapAsync(1, 0, 8 * stamps);
    const times = new BigUint64Array(readable.getMappedRange(0, 8 * stamps)).slice();
    readable.unmap();
    const zero = times[0];
    return Array.from({ length: stamps / 2 }, (_, i) => ({
      begin: Number(BigInt.asIntN(64, times[2 * i] - zero)),
      end: Number(BigInt.asIntN(64, times[2 * i + 1] - zero)),
    }));
  }

  /** @param {GPUCommandEncoder} encoder */
  #watch(encoder) {
    const beginComputePass = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = (descriptor) => {
      const at = 2 * this.#passes++;
      if (at + 1 >= MOST_STAMPS || this.#queries === null) return beginComputePass(descriptor);
      const timestampWrites = {
        querySet: this.#queries,
        beginningOfPassWriteIndex: at,
        endOfPassWriteIndex: at + 1,
      };
      return beginComputePass({ ...descriptor, timestampWrites });
    };
    return encoder;
  }
}
