// tests/bench/loops.js: the JavaScript loops that people write when there is no library: the obvious one for
// each p, one with eight accumulators, and Math.pow for any p. Sums are float64.
//
// Each loop over the elements is a function of its own, so that V8 compiles it from its entry and not in the
// middle of a run. Of the natural spellings (`tensor.length` in the condition or hoisted, an element read
// once into a const or twice, for...of, Math.max or if, Math.pow or **, other bounds for the eight), each
// loop has the one that was fastest on 64k elements in a process of its own: the plain sum of squares gains
// 15 % by the hoisted length. Math.pow takes as long as **, and on 16M elements, where memory is the limit,
// all but for...of are alike. (Node.js 20, x86-64.)

/** @typedef {(tensor: Float32Array) => number} TensorLoop */

/** @type {TensorLoop} */
function sumOfMagnitudes(tensor) {
  let sum = 0;
  const length = tensor.length;
  for (let i = 0; i < length; i++) sum += Math.abs(tensor[i]);
  return sum;
}

/** @type {TensorLoop} */
function sumOfSquares(tensor) {
  let sum = 0;
  const length = tensor.length;
  for (let i = 0; i < length; i++) {
    const g = tensor[i];
    sum += g * g;
  }
  return sum;
}

/** @type {TensorLoop} */
function maximum(tensor) {
  let largest = 0;
  const length = tensor.length;
  for (let i = 0; i < length; i++) {
    const magnitude = Math.abs(tensor[i]);
    if (magnitude > largest) largest = magnitude;
  }
  return largest;
}

/**
 * Eight sums that do not wait for each other.
 * @type {TensorLoop}
 */
function sumOfSquaresInEight(tensor) {
  // prettier-ignore
  let s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0, s7 = 0;
  const whole = tensor.length & ~7;
  let i = 0;
  for (; i < whole; i += 8) {
    // prettier-ignore
    const x0 = tensor[i], x1 = tensor[i + 1], x2 = tensor[i + 2], x3 = tensor[i + 3];
    // prettier-ignore
    const x4 = tensor[i + 4], x5 = tensor[i + 5], x6 = tensor[i + 6], x7 = tensor[i + 7];
    s0 += x0 * x0;
    s1 += x1 * x1;
    s2 += x2 * x2;
    s3 += x3 * x3;
    s4 += x4 * x4;
    s5 += x5 * x5;
    s6 += x6 * x6;
    s7 += x7 * x7;
  }
  for (; i < tensor.length; i++) s0 += tensor[i] * tensor[i];
  return s0 + s1 + (s2 + s3) + (s4 + s5 + (s6 + s7));
}

/**
 * @param {Float32Array} tensor
 * @param {number} normType
 */
function sumOfPowers(tensor, normType) {
  let sum = 0;
  const length = tensor.length;
  for (let i = 0; i < length; i++) sum += Math.pow(Math.abs(tensor[i]), normType);
  return sum;
}

/**
 * @param {Float32Array[]} tensors
 * @param {number} normType 1, 2 or Infinity
 * @returns {number}
 */
export function plainNorm(tensors, normType) {
  if (normType === Infinity) {
    let largest = 0;
    for (const tensor of tensors) largest = Math.max(largest, maximum(tensor));
    return largest;
  }
  let sum = 0;
  if (normType === 1) {
    for (const tensor of tensors) sum += sumOfMagnitudes(tensor);
    return sum;
  }
  for (const tensor of tensors) sum += sumOfSquares(tensor);
  return Math.sqrt(sum);
}

/**
 * @param {Float32Array[]} tensors
 * @returns {number} the 2-norm
 */
export function eightAccumulatorNorm(tensors) {
  let sum = 0;
  for (const tensor of tensors) sum += sumOfSquaresInEight(tensor);
  return Math.sqrt(sum);
}

/**
 * @param {Float32Array[]} tensors
 * @param {number} normType
 * @returns {number}
 */
export function powNorm(tensors, normType) {
  let sum = 0;
  for (const tensor of tensors) sum += sumOfPowers(tensor, normType);
  return Math.pow(sum, 1 / normType);
}
