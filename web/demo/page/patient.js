// web/demo/page/patient.js: gradients to poison, what gradReport says of them, and what each policy of clipGradNorm
// does with them. Runs in a worker, and in Node.js for the tests.
import { clipGradNorm, gradReport } from 'gradnorm';

/** @typedef {import('gradnorm').NonfinitePolicy} Policy */
/** @typedef {import('./training.js').Training} Training */

/**
 * @typedef {object} Poison
 * @property {string} tensor
 * @property {number} index
 * @property {number} value
 */

/**
 * @typedef {object} Outcome of a policy
 * @property {Policy} policy
 * @property {number | null} returned the norm; null: it threw
 * @property {string} message of the error, or empty
 * @property {{ nan: number, inf: number, zeros: number, elements: number }} gradients afterwards
 * @property {boolean} isApplied whether the optimizer makes its step
 * @property {number} loss on the same batch afterwards
 */

/**
 * @typedef {object} Diagnosis
 * @property {Poison | null} poison what was put in
 * @property {number} norm
 * @property {number} elements
 * @property {readonly import('gradnorm').TensorReport[]} tensors
 * @property {import('gradnorm').Nonfinite | null} firstNonfinite what gradReport found
 * @property {Outcome[]} outcomes
 */

/** @type {Policy[]} */
const POLICIES = ['propagate', 'throw', 'skip', 'zero'];

/** Under these the caller leaves the step out when the norm is not finite. */
const LEAVES_OUT = ['throw', 'skip'];

export class Patient {
  #createCopy;
  #batch;
  #settings;
  /** @type {Map<string, Float32Array>} */
  #gradients = new Map();
  /** @type {Poison | null} */
  #poison = null;

  /** @param {Training} training is not changed */
  constructor(training) {
    const { createCopy, batch } = training.fork();
    this.#createCopy = createCopy;
    this.#batch = batch;
    this.#settings = training.settings;
    const network = createCopy();
    network.computeGradients(batch);
    for (const [name, { grad }] of Object.entries(network.parameters)) {
      if (grad !== null) this.#gradients.set(name, grad);
    }
  }

  /**
   * Puts a value into one element, drawn from all tensors alike.
   *
   * @param {number} value NaN, Infinity or -Infinity
   * @param {() => number} [random] in [0, 1)
   */
  poison(value, random = Math.random) {
    const names = [...this.#gradients.keys()];
    const tensor = names[Math.floor(random() * names.length)];
    const gradient = /** @type {Float32Array} */ (this.#gradients.get(tensor));
    const index = Math.floor(random() * gradient.length);
    gradient[index] = value;
    this.#poison = { tensor, index, value };
  }

  /** @returns {Diagnosis} */
  examine() {
    const { norm, elements, tensors, firstNonfinite } = gradReport(this.#gradients);
    const outcomes = POLICIES.map((policy) => this.#try(policy));
    return { poison: this.#poison, norm, elements, tensors, firstNonfinite, outcomes };
  }

  /**
   * @param {Policy} policy
   * @returns {Outcome}
   */
  #try(policy) {
    const network = this.#createCopy();
    const { parameters } = network;
    for (const [name, gradient] of this.#gradients) {
      parameters[/** @type {keyof typeof parameters} */ (name)].grad?.set(gradient);
    }
    const { maxNorm, normType } = this.#settings;
    /** @type {number | null} */
    let returned = null;
    let message = '';
    try {
      returned = clipGradNorm(parameters, maxNorm, { normType, nonfinite: policy });
    } catch (error) {
      message = /** @type {Error} */ (error).message;
    }
    const { nan, inf, zeros, elements } = gradReport(parameters);
    const isApplied = Number.isFinite(returned) || !LEAVES_OUT.includes(policy);
    if (isApplied) network.applyGradients();
    const loss = network.computeGradients(this.#batch);
    return { policy, returned, message, gradients: { nan, inf, zeros, elements }, isApplied, loss };
  }
}
