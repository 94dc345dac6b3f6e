// web/cli/tally.js: what is known of a tensor so far, or of all, and how more is added: a report in parts. The norm has the
// bits of gradNorm, as long as the parts are whole blocks.
import { gradReport, NormAccumulator } from '../index.js';

/**
 * @typedef {import('../api.js').Gradient} Gradient
 * @typedef {import('../api.js').NormAccumulator} Accumulator
 * @typedef {import('../report.js').TensorSummary['summary']} Summary
 */

/**
 * @typedef {object} Counts
 * @property {number} elements
 * @property {number} max      magnitude of the finite elements
 * @property {number} meanAbs  magnitude of the finite elements
 * @property {number} zeros
 * @property {number} nan
 * @property {number} inf
 */

export class Tally {
  /** @type {Counts} */
  counts = { elements: 0, max: 0, meanAbs: 0, zeros: 0, nan: 0, inf: 0 };
  /** The first element that is not finite. @type {{ index: number, value: number } | null} */
  first = null;

  /** @param {number} normType */
  constructor(normType) {
    /** @readonly @type {Accumulator} */
    this.accumulator = new NormAccumulator(normType);
  }

  /**
   * The next elements of the tensor: whole blocks, unless they are its last.
   * @param {Gradient} gradient
   */
  add(gradient) {
    // The accumulator has the norm; for all the rest any p would do, and this one costs least.
    const report = gradReport(gradient, { normType: Infinity });
    const first = report.firstNonfinite;
    if (first !== null) this.first ??= { index: this.counts.elements + first.index, value: first.value };
    this.accumulator.add(gradient);
    this.addCounts(report);
  }

  /**
   * All of another tensor.
   * @param {Tally} other
   */
  merge({ accumulator, counts }) {
    this.accumulator.merge(accumulator);
    this.addCounts(counts);
  }

  /** @param {Counts} more */
  addCounts(more) {
    const { counts } = this;
    const finite = finiteOf(counts) + finiteOf(more);
    // As a mean of means, because a sum of large doubles would overflow.
    if (finite > 0) counts.meanAbs += (more.meanAbs - counts.meanAbs) * (finiteOf(more) / finite);
    counts.max = Math.max(counts.max, more.max);
    for (const name of /** @type {const} */ (['elements', 'zeros', 'nan', 'inf'])) counts[name] += more[name];
  }

  /** @returns {Summary} */
  summarise() {
    const { norm } = this.accumulator;
    return { norm, ...sumOf(this.accumulator), ...this.counts, firstNonfinite: this.first?.index ?? -1 };
  }
}

/** @param {Counts} counts */
function finiteOf({ elements, nan, inf }) {
  return elements - nan - inf;
}

/**
 * The sum of the p-th powers, as the state of an accumulator is documented to hold it.
 * @param {Accumulator} accumulator
 * @returns {{ mantissa: number, exponent: number }}
 */
function sumOf(accumulator) {
  const { top, totals } = accumulator.toJSON();
  const sum = totals.reduce((higher, total) => (higher << 32n) + BigInt(`0x${total}`), 0n);
  return { mantissa: Number(sum), exponent: top === null ? 0 : 32 * (Number(top) - totals.length + 1) };
}
