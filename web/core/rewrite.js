// web/core/rewrite.js: writes gradients in place, for web/clip.js; the only file that does. Takes tensors of which no
// two share memory (web/door/aliases.js sees to that).
import { BYTE_SHIFTS, FLOAT32, FLOAT64 } from './dtypes.js';
import { allocationOf, byHome } from './homes.js';
import { STAGING_BYTES } from './memory.js';
import { forEachBatch, pack, setSegment } from './pack.js';
import { copyIn, copyOut } from './staging.js';
import { fillWith } from '../words/typed-array.js';

/**
 * @typedef {import('./dtypes.js').Tensor} Tensor
 * @typedef {import('./memory.js').Core} Core
 */

// Up to here a loop is faster than two copies and a call.
const LOOP_ELEMENTS = 256;

// 2^-126 and (2 - 2^-23) 2^127, as literals: bundlers keep a power that nobody uses.
const SMALLEST_NORMAL_FLOAT = 1.1754943508222875e-38;
const LARGEST_FLOAT = 3.4028234663852886e38;

/**
 * g = g * factor for every element: computed in double, then rounded to the nearest value of the tensor's type,
 * ties to even. For float32 the factor is first rounded down to a float32.
 * @param {readonly Tensor[]} tensors
 * @param {number} factor
 */
export function scale(tensors, factor) {
  if (factor !== 1) rewrite(tensors, factor, Infinity);
}

/**
 * As scale, but of products that are no normal numbers of the type the fraction is cut off.
 * @param {readonly Tensor[]} tensors  of float32 or float64
 * @param {number} factor
 */
export function scaleTowardZero(tensors, factor) {
  // So far up that no product that is subnormal as it is stored is rounded as it is compared.
  const lift = 2 ** 200;
  const lifted = factor * lift;
  for (const { array, dtype, length } of tensors) {
    const unit = dtype === FLOAT32 ? 2 ** -149 : 2 ** -1074;
    for (let i = 0; i < length; ++i) {
      const exact = array[i] * lifted;
      array[i] *= factor;
      if (Math.abs(array[i]) * lift > Math.abs(exact)) array[i] -= Math.sign(exact) * unit;
    }
  }
}

/**
 * As scale, but the factor is taken as it is.
 * @param {readonly Tensor[]} tensors  of finite elements, that stay finite
 * @param {number} factor
 */
export function scaleExactly(tensors, factor) {
  // The core rounds no factor where there is a limit.
  if (Math.fround(factor) === factor) scale(tensors, factor);
  else rewrite(tensors, factor, Number.MAX_VALUE);
}

/**
 * g = min(max(g * factor, -limit), limit) for every element, with the limit rounded as the elements are. NaN stays NaN.
 * @param {readonly Tensor[]} tensors
 * @param {number} factor
 * @param {number} limit
 */
export function clamp(tensors, factor, limit) {
  if (factor !== 1 || limit !== Infinity) rewrite(tensors, factor, limit);
}

/**
 * g = 0 for every element.
 * @param {readonly Tensor[]} tensors
 */
export function fillWithZeros(tensors) {
  for (const { array, length } of tensors) fillWith(array, 0, length);
}

/**
 * @param {readonly Tensor[]} tensors
 * @param {number} factor
 * @param {number} limit
 */
function rewrite(tensors, factor, limit) {
  const tables = allocationOf(tensors)?.tables ?? [];
  for (const { core, at, count } of tables) {
    core.factors[0] = factor;
    core.rewrite(at, count, core.factorsAt, limit);
  }
  if (tables.length > 0) return;
  for (const { core, tensors: own } of byHome(tensors)) {
    core.factors[0] = factor;
    if (core.staging !== null) rewriteByCopying(core, own, [factor], limit);
    else
      pack(core, own, 0, own.length, 0, (count) =>
        core.rewrite(core.segmentsAt, count, core.factorsAt, limit),
      );
  }
}

/**
 * g = g * factors[k] for every element of tensor k, as scale does it; a factor of 1 writes nothing.
 * @param {readonly Tensor[]} tensors
 * @param {ArrayLike<number>} factors
 */
export function scaleEach(tensors, factors) {
  for (const household of byHome(tensors)) {
    const { core, tensors: own } = household;
    forEachBatch(household, (first, groups, positionOf) => {
      for (let group = 0; group < groups; ++group) core.factors[group] = factors[positionOf(group)];
      if (core.staging === null)
        pack(core, own, first, first + groups, 1, (count) =>
          core.rewrite(core.segmentsAt, count, core.factorsAt, Infinity),
        );
      else rewriteByCopying(core, own.slice(first, first + groups), core.factors.slice(), Infinity);
    });
  }
}

/**
 * @param {Core} core  with a staging area
 * @param {readonly Tensor[]} tensors
 * @param {ArrayLike<number>} factors  of each, or one for all
 * @param {number} limit
 */
function rewriteByCopying(core, tensors, factors, limit) {
  // From the last to the first: the end of what was just measured is still in the processor's cache.
  for (let k = tensors.length - 1; k >= 0; --k) {
    const tensor = tensors[k];
    const factor = factors[factors.length === 1 ? 0 : k];
    if (factor === 1 && limit === Infinity) continue;
    if (tensor.dtype <= FLOAT64 && tensor.length <= LOOP_ELEMENTS) rewriteByLoop(tensor, factor, limit);
    else rewriteByCore(core, tensor, factor, limit);
  }
}

/**
 * The largest float32 that is not above a factor, as round_down_to_float of src/segments.cpp does it; tests/clip.test.js compares
 * their bits. Factors that are no normal float32 stay as they are.
 * @param {number} factor  >= 0, or NaN
 * @returns {number}
 */
function roundDownToFloat(factor) {
  const nearest = Math.fround(factor);
  const rounded = nearest <= factor ? nearest : Math.fround(nearest * (1 - 2 ** -24));
  return factor >= SMALLEST_NORMAL_FLOAT && factor <= LARGEST_FLOAT ? rounded : factor;
}

/**
 * @param {Tensor} tensor
 * @param {number} factor
 * @param {number} limit
 */
function rewriteByLoop({ array, dtype, length }, factor, limit) {
  if (limit === Infinity) {
    const own = dtype === FLOAT32 ? roundDownToFloat(factor) : factor;
    for (let i = 0; i < length; ++i) array[i] *= own;
  } else {
    for (let i = 0; i < length; ++i) array[i] = Math.max(Math.min(array[i] * factor, limit), -limit);
  }
}

/**
 * @param {Core} core
 * @param {Tensor} tensor
 * @param {number} factor
 * @param {number} limit
 */
function rewriteByCore(core, tensor, factor, limit) {
  const { dtype, length } = tensor;
  const staging = /** @type {import('./memory.js').StagingArea} */ (core.staging);
  const chunk = STAGING_BYTES >> BYTE_SHIFTS[dtype];
  core.factors[0] = factor;
  for (let end = length; end > 0;) {
    const count = end % chunk || chunk;
    const start = end - count;
    end = start;
    copyIn(staging, tensor, start, count, 0);
    setSegment(core.segments, 0, staging.at, count, dtype, 0);
    core.rewrite(core.segmentsAt, 1, core.factorsAt, limit);
    copyOut(staging, tensor, start, count);
  }
}
