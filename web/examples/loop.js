// web/examples/loop.js: a training loop of your own, whose gradients lie where the core measures and clips them without a copy;
// docs/ shows it, and tests/examples.test.js runs it.
import { allocGradients, clipGradNorm, GradMonitor, gradReport } from 'gradnorm';

/**
 * @param {Record<string, Float32Array>} weights
 * @param {(gradients: Record<string, Float32Array>) => number} backward  fills the gradients, and returns the loss
 * @param {number} steps
 * @returns {number[]}  the norm of each step, before clipping
 */
export function train(weights, backward, steps, learningRate = 0.1) {
  const gradients = allocGradients(weights); // made once, of the types and lengths of the weights
  const monitor = new GradMonitor({ method: 'percentile', percentile: 90, maxNonfinite: 3 });
  const norms = [];
  for (let step = 0; step < steps; ++step) {
    backward(gradients);
    const norm = clipGradNorm(gradients, monitor, { nonfinite: 'skip' });
    norms.push(norm);
    if (Number.isFinite(norm)) descend(weights, gradients, learningRate);
    else console.warn(String(gradReport(gradients))); // names the sick tensor; the step is left out
  }
  return norms;
}

/** @type {(weights: Record<string, Float32Array>, gradients: Record<string, Float32Array>, learningRate: number) => void} */
function descend(weights, gradients, learningRate) {
  for (const [name, weight] of Object.entries(weights))
    for (let i = 0; i < weight.length; ++i) weight[i] -= learningRate * gradients[name][i];
}
