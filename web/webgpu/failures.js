// web/webgpu/failures.js: what went wrong on the GPU, in words. WebGPU tells of mistakes later and without saying which buffer
// it was; here the buffers are tried one by one, which happens only then.
import { COPY_DST, MAP_READ } from './layouts.js';

/**
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./context.js').Context} Context
 * @typedef {import('./tensors.js').GpuTensor} GpuTensor
 */

/**
 * Does something with the device, and finds out later what WebGPU thinks is wrong with it: an error that names the
 * tensor.
 * @template T
 * @param {Context} context
 * @param {readonly GpuTensor[]} tensors
 * @param {() => T} ask
 * @returns {{ result: T, verdict: Promise<Error | null> }}  the verdict never rejects
 */
export function watched(context, tensors, ask) {
  const { device } = context;
  device.pushErrorScope('validation');
  // Closed also when it throws: a scope left open would swallow the errors of others.
  const close = async () => device.popErrorScope();
  let result;
  try {
    result = ask();
  } catch (error) {
    close().catch(() => {});
    throw error;
  }
  const verdict = close()
    .then((error) => (error === null ? null : bufferError(context, tensors, error.message)))
    .catch(() => null); // the device is lost, which others say better
  return { result, verdict };
}

/**
 * The error of a step that WebGPU refused.
 * @param {Context} context
 * @param {readonly GpuTensor[]} tensors
 * @param {string} message  WebGPU's
 * @returns {Promise<Error>}
 */
async function bufferError(context, tensors, message) {
  /** @type {Set<GpuBuffer>} */
  const tried = new Set();
  for (const { buffer, place } of tensors) {
    if (tried.has(buffer)) continue;
    tried.add(buffer);
    if (buffer.mapState !== undefined && buffer.mapState !== 'unmapped') {
      return new TypeError(
        `${place} has a buffer that is mapped; expected it to be unmapped while the GPU uses it`,
      );
    }
    const reason = await tryBuffer(context, buffer);
    if (reason !== null) {
      return new TypeError(
        `${place} has a buffer that this device cannot use; ` +
          `expected one of the same device that was not destroyed (WebGPU says: ${reason})`,
      );
    }
  }
  return new Error(`gradnorm: WebGPU refused the step: ${message}`);
}

/**
 * Why a buffer cannot be used, or null. Some implementations refuse to bind one that was destroyed, others to submit what binds it.
 * @type {(context: Context, buffer: GpuBuffer) => Promise<string | null>}
 */
async function tryBuffer(context, buffer) {
  const { device } = context;
  const label = 'gradnorm trial';
  device.pushErrorScope('validation');
  const size = Math.min(16, buffer.size - (buffer.size % 4));
  const encoder = device.createCommandEncoder({ label });
  const pass = encoder.beginComputePass({ label });
  pass.setBindGroup(0, context.bindGroup(label, ['read-only-storage'], [{ buffer, size }]));
  pass.end();
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  return error === null ? null : error.message.split('\n', 1)[0];
}

/** Milliseconds after which a device that maps nothing and is not lost is given up: only a fault of WebGPU itself gets here. */
const LONGEST_SILENCE = 30_000;

/**
 * The news that the device was lost comes on its own way, later than what failed by it. A device that maps a buffer is not
 * lost; if it maps none, the news is on its way.
 * @param {Context} context
 * @returns {Promise<void>}
 */
export async function waitForLoss({ device, loss, lost }) {
  if (loss !== null) return;
  try {
    const probe = device.createBuffer({ label: 'gradnorm probe', size: 4, usage: MAP_READ | COPY_DST });
    await probe.mapAsync(1);
    probe.destroy();
  } catch {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    await Promise.race([lost, new Promise((resolve) => (timer = setTimeout(resolve, LONGEST_SILENCE)))]);
    clearTimeout(timer);
  }
}
