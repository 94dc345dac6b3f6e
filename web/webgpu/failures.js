// web/webgpu/failures.js: what went wrong on the GPU, in words. WebGPU tells of mistakes later and without saying which buffer
// it was; here the buffers are tried one by one, which happens only then.
import { COPY_DST, MAP_READ } from './layouts.js';

/**
 * @typedef {import('./types.js').GpuBuffer} GpuBuffer
 * @typedef {import('./context.js').Context} Context
 * @typedef {readonly import('../door/buffers.js').GpuTensor[]} Tensors
 */

/** @typedef {Promise<Error | null>} Verdict  what was wrong with something, or null; never rejects */

/**
 * Does something with the device, and finds out later what WebGPU thinks is wrong with it: an error that names the
 * tensor.
 * @template T
 * @param {Context} context
 * @param {Tensors} tensors
 * @param {() => T} ask
 * @returns {{ result: T, verdict: Verdict }}
 */
export function watched(context, tensors, ask) {
  context.device.pushErrorScope('validation');
  try {
    const result = ask();
    return { result, verdict: closeScope(context, tensors) };
  } catch (error) {
    // A scope left open would swallow the errors of others.
    closeScope(context, tensors);
    throw error;
  }
}

/** @type {(context: Context, tensors: Tensors) => Verdict} */
async function closeScope(context, tensors) {
  try {
    const error = await context.device.popErrorScope();
    return error === null ? null : await errorOf(context, tensors, error.message);
  } catch {
    return null; // the device is lost, which others say better
  }
}

/**
 * What WebGPU refused, with the first tensor whose buffer it refuses.
 * @type {(context: Context, tensors: Tensors, message: string) => Promise<Error>}
 */
async function errorOf(context, tensors, message) {
  const tried = new Set();
  for (const { buffer, place } of tensors) {
    if (tried.has(buffer)) continue;
    tried.add(buffer);
    if ((buffer.mapState ?? 'unmapped') !== 'unmapped') {
      return new TypeError(
        `${place} has a buffer that is mapped; expected it to be unmapped while the GPU uses it`,
      );
    }
    const reason = await tryBuffer(context, buffer);
    if (reason !== undefined) {
      return new TypeError(
        `${place} has a buffer that this device cannot use; ` +
          `expected one of the same device that was not destroyed (WebGPU says: ${reason})`,
      );
    }
  }
  return new Error(`gradnorm: WebGPU refused the step: ${message}`);
}

/**
 * Why a buffer cannot be used. Some implementations refuse to bind one that was destroyed, others to submit what binds it.
 * @type {(context: Context, buffer: GpuBuffer) => Promise<string | undefined>}
 */
async function tryBuffer(context, buffer) {
  const { device } = context;
  device.pushErrorScope('validation');
  const size = Math.min(16, buffer.size - (buffer.size % 4));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setBindGroup(0, context.bindGroup('gradnorm trial', 'r', [{ buffer, size }]));
  pass.end();
  device.queue.submit([encoder.finish()]);
  return (await device.popErrorScope())?.message.split('\n', 1)[0];
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
    const probe = device.createBuffer({ size: 4, usage: MAP_READ | COPY_DST });
    await probe.mapAsync(1);
    probe.destroy();
  } catch {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    await Promise.race([lost, new Promise((resolve) => (timer = setTimeout(resolve, LONGEST_SILENCE)))]);
    clearTimeout(timer);
  }
}
