// tests/bench/gpu/contenders.js: who takes part in the GPU benchmark. Each has buffers of its own with the same values on the same
// device, made before the clock starts; run() ends when its number is in JavaScript, or, where there is none, when
// the queue is empty.

/** @typedef {import('../../../web/demo/measure/data.js').Tensor} Tensor */
/** @typedef {typeof import('gradnorm/webgpu')} Library */

/**
 * @typedef {object} Contender
 * @property {string} name
 * @property {number} bytes        that it has to move at least
 * @property {number | null} normType   of the norm that run() returns or that clipping leaves; null: neither
 * @property {string} [against]    the contender whose time is compared with this one's
 * @property {boolean} [isCopy]    what it does is no pass, but stands between two
 * @property {() => Promise<number>} run
 * @property {() => Promise<{ value: number, expected: number } | null>} [check]  after all runs, if run() returns no norm
 * @property {() => void} dispose
 */

/**
 * @typedef {object} Arena
 * @property {GPUDevice} device
 * @property {Library} library
 * @property {any} peers           tfjs: { tf, backend }
 * @property {Tensor[]} tensors
 * @property {(tensors: Tensor[], p: number) => number} reference
 */

/** STORAGE, COPY_SRC and COPY_DST. */
const USAGE = 0x80 | 0x4 | 0x8;
/** Bytes written or read at once. */
const PIECE = 2 ** 26;

/** Each clipping step goes to a little less than the one before has left, so that all of them scale. */
const CLIP_FACTOR = 0.999;

const NORM_TYPES = [2, 1, Infinity, 3];

/**
 * @param {Arena} arena
 * @returns {Promise<Contender[]>}
 */
export async function makeContenders(arena) {
  const bytes = arena.tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return [copy(arena.device, bytes), ...(await gradnorm(arena, bytes)), ...tfjs(arena, bytes)];
}

/**
 * @param {number} p
 */
const nameOfPower = (p) => (p === Infinity ? 'p=∞' : `p=${p}`);

/**
 * @param {GPUDevice} device
 * @param {number} bytes
 * @returns {Contender}
 */
function copy(device, bytes) {
  const [source, target] = [0, 1].map(() =>
    device.createBuffer({ label: 'copy', size: bytes, usage: USAGE }),
  );
  return {
    name: 'copyBufferToBuffer',
    bytes: 2 * bytes,
    normType: null,
    isCopy: true,
    async run() {
      const encoder = device.createCommandEncoder();
      encoder.beginComputePass().end();
      encoder.copyBufferToBuffer(source, 0, target, 0, bytes);
      encoder.beginComputePass().end();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      return NaN;
    },
    dispose() {
      source.destroy();
      target.destroy();
    },
  };
}

/**
 * @param {Arena} arena
 * @param {number} bytes
 * @returns {Promise<Contender[]>}
 */
async function gradnorm({ device, library, tensors, reference }, bytes) {
  const gpu = await library.GpuGradNorm.create({ device });
  const resident = () => tensors.map((tensor) => ({ buffer: upload(device, tensor), length: tensor.length }));
  const [kept, clipped] = [resident(), resident()];
  const plan = gpu.plan(kept);
  const clipPlan = gpu.plan(clipped);
  let maxNorm = reference(tensors, 2);
  const norms = NORM_TYPES.map((normType) => ({
    name: `gradnorm ${nameOfPower(normType)}`,
    bytes,
    normType,
    run: () => plan.gradNorm(normType),
    dispose() {},
  }));
  return [
    ...norms,
    {
      name: 'gradnorm clip',
      bytes: 3 * bytes,
      normType: 2,
      async run() {
        maxNorm *= CLIP_FACTOR;
        clipPlan.clipGradNorm(maxNorm, { eps: 0 });
        await device.queue.onSubmittedWorkDone();
        return NaN;
      },
      async check() {
        const left = await Promise.all(clipped.map(({ buffer }) => download(device, buffer)));
        return { value: reference(left, 2), expected: maxNorm };
      },
      dispose() {},
    },
    {
      name: 'gradnorm clip, none needed',
      bytes,
      normType: null,
      async run() {
        plan.clipGradNorm(1e30);
        await device.queue.onSubmittedWorkDone();
        return NaN;
      },
      dispose() {
        gpu.destroy();
        for (const { buffer } of [...kept, ...clipped]) buffer.destroy();
      },
    },
  ];
}

/**
 * sqrt(sum(square)) of each tensor, then of these; clipping makes new tensors and always multiplies.
 * @param {Arena} arena
 * @param {number} bytes
 * @returns {Contender[]}
 */
function tfjs({ device, peers: { tf, backend }, tensors, reference }, bytes) {
  const buffers = tensors.map((tensor) => upload(device, tensor));
  const resident = buffers.map((buffer, i) => tf.tensor({ buffer, zeroCopy: true }, [tensors[i].length]));
  const normOf = (/** @type {any} */ tensor) => tf.sqrt(tf.sum(tf.square(tensor)));
  const globalNorm = () =>
    resident.length === 1 ? normOf(resident[0]) : normOf(tf.stack(resident.map(normOf)));
  const half = reference(tensors, 2) / 2;
  const clip = () =>
    tf.tidy(() => {
      const factor = tf.minimum(tf.div(half, globalNorm()), 1);
      return resident.map((tensor) => tf.mul(tensor, factor));
    });
  return [
    {
      name: 'tfjs-webgpu p=2',
      bytes,
      normType: 2,
      against: 'gradnorm p=2',
      async run() {
        const norm = tf.tidy(globalNorm);
        const [value] = await norm.data();
        norm.dispose();
        return value;
      },
      dispose() {},
    },
    {
      name: 'tfjs-webgpu clip',
      bytes: 3 * bytes,
      normType: 2,
      against: 'gradnorm clip',
      async run() {
        const clipped = clip();
        // What submitQueue expects to have been done, and its callers within tfjs do.
        backend.ensureCommandEncoderReady();
        backend.endComputePassEncoder();
        backend.submitQueue();
        await device.queue.onSubmittedWorkDone();
        tf.dispose(clipped);
        return NaN;
      },
      async check() {
        const clipped = clip();
        const left = await Promise.all(clipped.map((/** @type {any} */ tensor) => tensor.data()));
        tf.dispose(clipped);
        return { value: reference(left, 2), expected: half };
      },
      dispose() {
        tf.dispose(resident);
        for (const buffer of buffers) buffer.destroy();
      },
    },
  ];
}

/**
 * @param {GPUDevice} device
 * @param {Tensor} tensor
 */
function upload(device, tensor) {
  const buffer = device.createBuffer({ label: 'gradient', size: tensor.byteLength, usage: USAGE });
  for (let done = 0; done < tensor.byteLength; done += PIECE) {
    const count = Math.min(PIECE, tensor.byteLength - done);
    device.queue.writeBuffer(buffer, done, tensor.buffer, tensor.byteOffset + done, count);
  }
  return buffer;
}

/**
 * @param {GPUDevice} device
 * @param {GPUBuffer} buffer
 * @returns {Promise<Tensor>}
 */
async function download(device, buffer) {
  const all = new Uint8Array(buffer.size);
  const piece = device.createBuffer({ size: Math.min(PIECE, buffer.size), usage: 0x1 | 0x8 });
  for (let done = 0; done < buffer.size; done += PIECE) {
    const count = Math.min(PIECE, buffer.size - done);
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(buffer, done, piece, 0, count);
    device.queue.submit([encoder.finish()]);
    await piece.mapAsync(1, 0, count);
    all.set(new Uint8Array(piece.getMappedRange(0, count)), done);
    piece.unmap();
  }
  piece.destroy();
  return new Float32Array(all.buffer);
}
