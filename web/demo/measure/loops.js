// web/demo/measure/loops.js: the JavaScript loops that people write when there is no library. To measure: the obvious
// one for each p, one with eight accumulators, and Math.pow for any p. To clip: two obvious loops, and two
// unrolled ones. To report: one loop with a branch for what is not finite. To read float16 and bfloat16: a
// decoding function, and a table. Sums are float64.
//
// Each loop over the elements is a function of its own, so that V8 compiles it from its entry and not in the
// middle of a run. Of the natural spellings (`tensor.length` in the condition or hoisted, an element read
// once into a const or twice, for...of, Math.max or if, Math.pow or **, other bounds for the eight), each
// loop has the one that was fastest on 64k elements in a process of its own: the plain sum of squares gains
// 15 % by the hoisted length. Math.pow takes as long as **, and on 16M elements, where memory is the limit,
// all but for...of are alike. Scaling is twice as fast unrolled, and a quarter faster still in float32, by
// Math.fround. (Node.js 20, x86-64.)

/** @typedef {import('./data.js').Dtype} Dtype */
/** @typedef {import('./data.js').Tensor} Tensor */
/** @typedef {(tensor: Tensor) => number} TensorLoop */

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
 * @param {Tensor} tensor
 * @param {number} normType
 */
function sumOfPowers(tensor, normType) {
  let sum = 0;
  const length = tensor.length;
  for (let i = 0; i < length; i++) sum += Math.pow(Math.abs(tensor[i]), normType);
  return sum;
}

/**
 * @param {Tensor[]} tensors
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
 * @param {Tensor[]} tensors
 * @returns {number} the 2-norm
 */
export function eightAccumulatorNorm(tensors) {
  let sum = 0;
  for (const tensor of tensors) sum += sumOfSquaresInEight(tensor);
  return Math.sqrt(sum);
}

/**
 * @param {Tensor[]} tensors
 * @param {number} normType
 * @returns {number}
 */
export function powNorm(tensors, normType) {
  let sum = 0;
  for (const tensor of tensors) sum += sumOfPowers(tensor, normType);
  return Math.pow(sum, 1 / normType);
}

/**
 * @param {Tensor} tensor changed in place
 * @param {number} factor
 */
function scale(tensor, factor) {
  const length = tensor.length;
  for (let i = 0; i < length; i++) tensor[i] *= factor;
}

/**
 * Eight elements a step, in float32.
 * @param {Tensor} tensor changed in place
 * @param {number} factor
 */
function scaleByEight(tensor, factor) {
  const c = Math.fround(factor);
  const whole = tensor.length & ~7;
  let i = 0;
  for (; i < whole; i += 8) {
    tensor[i] = Math.fround(tensor[i] * c);
    tensor[i + 1] = Math.fround(tensor[i + 1] * c);
    tensor[i + 2] = Math.fround(tensor[i + 2] * c);
    tensor[i + 3] = Math.fround(tensor[i + 3] * c);
    tensor[i + 4] = Math.fround(tensor[i + 4] * c);
    tensor[i + 5] = Math.fround(tensor[i + 5] * c);
    tensor[i + 6] = Math.fround(tensor[i + 6] * c);
    tensor[i + 7] = Math.fround(tensor[i + 7] * c);
  }
  for (; i < tensor.length; i++) tensor[i] = Math.fround(tensor[i] * c);
}

/**
 * @param {Tensor[]} tensors changed in place if the 2-norm is above maxNorm
 * @param {number} maxNorm
 * @returns {number} the norm before
 */
export function plainClip(tensors, maxNorm) {
  const norm = plainNorm(tensors, 2);
  if (norm > maxNorm) for (const tensor of tensors) scale(tensor, maxNorm / norm);
  return norm;
}

/**
 * @param {Tensor[]} tensors changed in place if the 2-norm is above maxNorm
 * @param {number} maxNorm
 * @returns {number} the norm before
 */
export function unrolledClip(tensors, maxNorm) {
  const norm = eightAccumulatorNorm(tensors);
  if (norm > maxNorm) for (const tensor of tensors) scaleByEight(tensor, maxNorm / norm);
  return norm;
}

/**
 * The health of a tensor, as gradReport tells it: what its 2-norm, mean and share are made of.
 * @param {Tensor} tensor
 */
function inspect(tensor) {
  // prettier-ignore
  let squares = 0, magnitudes = 0, largest = 0, zeros = 0, nan = 0, inf = 0, firstNonfinite = -1;
  const length = tensor.length;
  for (let i = 0; i < length; i++) {
    const magnitude = Math.abs(tensor[i]);
    if (magnitude < Infinity) {
      squares += magnitude * magnitude;
      magnitudes += magnitude;
      if (magnitude > largest) largest = magnitude;
      if (magnitude === 0) zeros++;
    } else {
      if (magnitude === Infinity) inf++;
      else nan++;
      if (firstNonfinite < 0) firstNonfinite = i;
    }
  }
  return { squares, magnitudes, largest, zeros, nan, inf, firstNonfinite };
}

/**
 * @param {Tensor[]} tensors
 * @returns {{ norm: number, rows: ReturnType<typeof inspect>[] }}
 */
export function plainReport(tensors) {
  const rows = tensors.map(inspect);
  const nonfinite = rows.find(({ firstNonfinite }) => firstNonfinite >= 0);
  const squares = rows.reduce((sum, row) => sum + row.squares, 0);
  return { norm: nonfinite ? NaN : Math.sqrt(squares), rows };
}

/**
 * @param {number} bits of an IEEE binary16
 * @returns {number}
 */
export function decodeFloat16(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits & 0x7c00) >> 10;
  const fraction = bits & 0x03ff;
  if (exponent === 0) return sign * 2 ** -14 * (fraction / 2 ** 10);
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * 2 ** (exponent - 15) * (1 + fraction / 2 ** 10);
}

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

/**
 * @param {number} bits of a bfloat16: the upper half of a float32
 * @returns {number}
 */
export function decodeBfloat16(bits) {
  floatBits[0] = bits << 16;
  return float[0];
}

/** @type {TensorLoop} */
function sumOfSquaresOfFloat16(tensor) {
  let sum = 0;
  const length = tensor.length;
  for (let i = 0; i < length; i++) {
    const g = decodeFloat16(tensor[i]);
    sum += g * g;
  }
  return sum;
}

/** @type {TensorLoop} */
function sumOfSquaresOfBfloat16(tensor) {
  let sum = 0;
  const length = tensor.length;
  for (let i = 0; i < length; i++) {
    const g = decodeBfloat16(tensor[i]);
    sum += g * g;
  }
  return sum;
}

/**
 * @param {Tensor} tensor
 * @param {Float32Array} values of all bits
 */
function sumOfSquaresByTable(tensor, values) {
  let sum = 0;
  const length = tensor.length;
  for (let i = 0; i < length; i++) {
    const g = values[tensor[i]];
    sum += g * g;
  }
  return sum;
}

/**
 * @param {Tensor[]} tensors
 * @param {Dtype} dtype float16 or bfloat16
 * @returns {number} the 2-norm
 */
export function decodingNorm(tensors, dtype) {
  const sumOfSquares = dtype === 'float16' ? sumOfSquaresOfFloat16 : sumOfSquaresOfBfloat16;
  let sum = 0;
  for (const tensor of tensors) sum += sumOfSquares(tensor);
  return Math.sqrt(sum);
}

/**
 * @param {Dtype} dtype float16 or bfloat16
 * @returns {Float32Array} the value of each of the 65536 patterns
 */
export function decodingTable(dtype) {
  const decode = dtype === 'float16' ? decodeFloat16 : decodeBfloat16;
  return Float32Array.from({ length: 2 ** 16 }, (_, bits) => decode(bits));
}

/**
 * @param {Tensor[]} tensors
 * @param {Float32Array} values of decodingTable
 * @returns {number} the 2-norm
 */
export function tableNorm(tensors, values) {
  let sum = 0;
  for (const tensor of tensors) sum += sumOfSquaresByTable(tensor, values);
  return Math.sqrt(sum);
}
