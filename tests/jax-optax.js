// tests/jax-optax.js: what optimizers of jax-js look like, for the suites of gradnorm/jax: transformations in the shape of optax
// that keep its rules of references, a network to train, and its norm by operations on the device.

/** @typedef {typeof import('@jax-js/jax')} Jax */
/** @typedef {import('gradnorm/jax').GradientTransformation} GradientTransformation */
/** @typedef {import('gradnorm/jax').JaxArray} JaxArray */

import { numpy as np, tree } from '@jax-js/jax';

/**
 * One after the other, as optax has it.
 * @param {...GradientTransformation} transformations
 * @returns {GradientTransformation}
 */
export function chain(...transformations) {
  return {
    init(params) {
      const states = transformations.map(({ init }) => init(tree.ref(params)));
      tree.dispose(params);
      return states;
    },
    update(updates, states, params) {
      const next = transformations.map(({ update }, i) => {
        const [updated, state] = update(updates, states[i], params ? tree.ref(params) : undefined);
        updates = updated;
        return state;
      });
      tree.dispose(params);
      return [updates, next];
    },
  };
}

/**
 * @param {number} factor
 * @returns {GradientTransformation}
 */
export function scale(factor) {
  return {
    init(params) {
      tree.dispose(params);
      return [];
    },
    update(updates, state, params) {
      tree.dispose(params);
      return [
        /** @type {any} */ (
          tree.map((/** @type {JaxArray} */ x) => x.mul(factor), /** @type {any} */ (updates))
        ),
        state,
      ];
    },
  };
}

/**
 * The norm by operations of jax-js, one after the other, in float32.
 * @param {any} gradients
 * @param {number} p  1, 2 or Infinity
 * @returns {JaxArray}
 */
export function treeNorm(gradients, p) {
  const leaves = /** @type {JaxArray[]} */ (tree.leaves(gradients));
  if (p === Infinity) {
    return leaves.map((x) => np.max(np.abs(x))).reduce((a, b) => np.maximum(a, b), np.array(-Infinity));
  }
  const sum = (/** @type {(x: JaxArray) => JaxArray} */ power) =>
    leaves.map((x) => np.sum(power(x))).reduce((a, b) => a.add(b), np.array(0));
  return p === 1 ? sum(np.abs) : np.sqrt(sum(np.square));
}

/**
 * Learns which of two spirals a point is on.
 * @param {Jax} jax
 * @param {GradientTransformation} optimizer
 * @param {number} steps
 * @returns {Promise<{ losses: number[], gradients: Float32Array[][] }>}  of every step
 */
export async function trainPerceptron({ valueAndGrad, jit }, optimizer, steps) {
  const { inputs, targets } = spirals(128);
  const loss = (/** @type {any} */ { w1, b1, w2, b2 }) => {
    const hidden = np.tanh(np.matmul(inputs.ref, w1).add(b1));
    const errors = np.matmul(hidden, w2).add(b2).sub(targets.ref);
    return np.mean(np.square(errors));
  };
  const step = jit(valueAndGrad(loss));
  let params = initialParams();
  let state = optimizer.init(tree.ref(params));
  /** @type {number[]} */
  const losses = [];
  /** @type {Float32Array[][]} */
  const gradients = [];
  for (let i = 0; i < steps; ++i) {
    const [value, grads] = /** @type {[JaxArray, any]} */ (step(tree.ref(params)));
    losses.push((await value.data())[0]);
    const leaves = /** @type {JaxArray[]} */ (tree.leaves(tree.ref(grads)));
    gradients.push(/** @type {any} */ (await Promise.all(leaves.map((leaf) => leaf.data()))));
    const [updates, next] = optimizer.update(grads, state, tree.ref(params));
    state = next;
    params = /** @type {any} */ (
      tree.map(
        (/** @type {JaxArray} */ p, /** @type {JaxArray} */ u) => p.add(u),
        /** @type {any} */ (params),
        updates,
      )
    );
  }
  return { losses, gradients };
}

/** @param {number} count */
function spirals(count) {
  const points = new Float32Array(2 * count);
  const targets = new Float32Array(count);
  for (let i = 0; i < count; ++i) {
    const side = i % 2 === 0 ? 1 : -1;
    const angle = (3 * i) / count;
    points.set([side * angle * Math.cos(angle), side * angle * Math.sin(angle)], 2 * i);
    targets[i] = side;
  }
  return {
    inputs: np.array(points).reshape([count, 2]),
    targets: np.array(targets).reshape([count, 1]),
  };
}

function initialParams() {
  const wave = (/** @type {number} */ length, /** @type {number[]} */ shape) =>
    np.array(Float32Array.from({ length }, (_, i) => Math.sin(7 * i + 1))).reshape(shape);
  return { w1: wave(64, [2, 32]), b1: np.zeros([32]), w2: wave(32, [32, 1]), b2: np.zeros([1]) };
}
