// web/examples/tfjs.js: a step of training with TensorFlow.js whose gradients are clipped; docs/ shows it, and
// tests/examples.test.js runs it.
import { clipGradNorm } from 'gradnorm';

/**
 * @param {typeof import('@tensorflow/tfjs-core')} tf
 * @param {import('@tensorflow/tfjs-core').Optimizer} optimizer
 * @param {() => import('@tensorflow/tfjs-core').Scalar} loss
 * @param {import('@tensorflow/tfjs-core').Variable[]} [variables]
 * @returns {number}  the norm before
 */
export function clippedStep(tf, optimizer, loss, variables) {
  return tf.tidy(() => {
    const { grads } = optimizer.computeGradients(loss, variables);
    const named = Object.entries(grads).filter(([, grad]) => grad !== null);
    // Copies: on some backends dataSync() is the memory of the tensor itself, which others may share.
    const copies = Object.fromEntries(named.map(([name, grad]) => [name, grad.dataSync().slice()]));
    const norm = clipGradNorm(copies, 1);
    const clipped = named.map(([name, { shape }]) => ({ name, tensor: tf.tensor(copies[name], shape) }));
    optimizer.applyGradients(clipped);
    return norm;
  });
}
