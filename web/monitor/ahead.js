// web/monitor/ahead.js: what a monitor clips to before it knows the norm, for gradients whose norm stays on a GPU.

/**
 * @typedef {Pick<import('../monitor.js').GradMonitor, 'update' | 'dryRun' | 'last' | 'toJSON'>} GpuMonitor  A GradMonitor, of this
 * copy of the library or of another: on the GPU it has to say what it clips to before it knows the norm.
 */

/**
 * @param {GpuMonitor} monitor
 * @returns {number}  from here on the next norm is a spike; Infinity: do not clip
 */
export function limitAhead(monitor) {
  const { options, steps, averaged = steps, mean, deviation } = monitor.toJSON();
  const { method, maxNorm, warmUp, zThreshold } = options;
  if (monitor.dryRun) return Infinity;
  if (method === 'fixed') return Number(maxNorm);
  if (averaged < Math.max(1, Number(warmUp))) return Infinity;
  if (method === 'percentile') return monitor.last?.threshold ?? Infinity;
  return Number(zThreshold) === Infinity ? Infinity : mean + Number(zThreshold) * deviation;
}
