// web/demo/measure/data.js: what the benchmark measures on: the shapes of the gradients and their seeded values.
//
// The values come from 32-bit integer arithmetic and exact powers of two alone, so that native_loop.cpp makes
// the same bits; checksum() proves it in every run.

/** Seed of every case. Any nonzero 32-bit integer does. */
export const SEED = 20240229;

/** @typedef {'float32' | 'float16' | 'bfloat16'} Dtype */

/**
 * Elements of a gradient; of the two halves their bits.
 * @typedef {Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>} Tensor
 */

/** How many bytes an element of each type takes. */
export const ELEMENT_BYTES = { float32: 4, float16: 2, bfloat16: 2 };

/** Powers of two that spread the magnitudes over 2^-36 .. 2^-6, as gradients spread theirs. */
const SCALES = Float64Array.from({ length: 8 }, (_, index) => 2 ** -(29 + index));

/**
 * Halves have magnitudes in 2^-14 .. 2^-6: all are normal numbers, which a decoding loop with a branch for the
 * others likes best.
 */
const LEAST_EXPONENT = -14;

/** A half is a sign, an exponent and a fraction: (1 + fraction / 2^fractionBits) * 2^(exponent - bias). */
export const HALF_FORMATS = {
  float16: { fractionBits: 10, bias: 15 },
  bfloat16: { fractionBits: 7, bias: 127 },
};

/**
 * Gradients of the given lengths, filled from one xorshift32 stream (Marsaglia 2003,
 * doi:10.18637/jss.v008.i14). A float32 is a signed 24-bit integer times a power of two: exact.
 * @param {number[]} lengths
 * @param {Dtype} [dtype]
 * @param {number} [seed] nonzero
 * @returns {Tensor[]}
 */
export function makeTensors(lengths, dtype = 'float32', seed = SEED) {
  let state = seed | 0;
  return lengths.map((length) => {
    const tensor = dtype === 'float32' ? new Float32Array(length) : new Uint16Array(length);
    state = dtype === 'float32' ? fill(tensor, state) : fillWithHalves(tensor, state, HALF_FORMATS[dtype]);
    return tensor;
  });
}

/**
 * @param {Tensor} tensor
 * @param {number} state
 * @returns {number} the state after the last element
 */
function fill(tensor, state) {
  for (let i = 0; i < tensor.length; i++) {
    state = nextState(state);
    tensor[i] = (state >> 8) * SCALES[state & 7];
  }
  return state;
}

/**
 * A sign, one of eight exponents and a fraction, each from bits of its own.
 * @param {Tensor} tensor
 * @param {number} state
 * @param {{ fractionBits: number, bias: number }} format
 * @returns {number} the state after the last element
 */
function fillWithHalves(tensor, state, { fractionBits, bias }) {
  for (let i = 0; i < tensor.length; i++) {
    state = nextState(state);
    const sign = state >>> 31;
    const exponent = bias + LEAST_EXPONENT + (state & 7);
    const fraction = (state >>> 8) & ((1 << fractionBits) - 1);
    tensor[i] = (sign << 15) | (exponent << fractionBits) | fraction;
  }
  return state;
}

/** @param {number} state */
function nextState(state) {
  state ^= state << 13;
  state ^= state >>> 17;
  return state ^ (state << 5);
}

/**
 * FNV-1a over 32-bit words (not bytes: it has to run over half a gigabyte), one an element, in the order of the
 * list. It reads elements only: touching `buffer` would move V8's small arrays off its heap and slow their loops
 * down.
 * @param {Tensor[]} tensors
 * @returns {number} an unsigned 32-bit integer
 */
export function checksum(tensors) {
  return tensors.reduce((hash, tensor) => hashElements(tensor, hash), 0x811c9dc5) >>> 0;
}

const element = new Float32Array(1);
const elementBits = new Uint32Array(element.buffer);

/**
 * @param {Tensor} tensor
 * @param {number} hash
 * @returns {number}
 */
function hashElements(tensor, hash) {
  const isFloat = tensor instanceof Float32Array;
  for (let i = 0; i < tensor.length; i++) {
    if (isFloat) element[0] = tensor[i];
    else elementBits[0] = tensor[i];
    hash = Math.imul(hash ^ elementBits[0], 0x01000193);
  }
  return hash;
}

/**
 * The parameters of GPT-2 small (Radford et al. 2019) in the order of its state dict; the output layer shares
 * the weights of wte. 148 tensors, 124,439,808 elements at the true width of 768.
 * @param {number} [width]
 * @returns {{ name: string, dimensions: number[] }[]}
 */
export function gpt2Parameters(width = 768) {
  const layers = Array.from({ length: 12 }, (_, layer) => gpt2Layer(`h.${layer}`, width));
  return [
    { name: 'wte', dimensions: [50257, width] },
    { name: 'wpe', dimensions: [1024, width] },
    ...layers.flat(),
    ...layerNorm('ln_f', width),
  ];
}

/**
 * @param {string} name
 * @param {number} width
 */
function gpt2Layer(name, width) {
  return [
    ...layerNorm(`${name}.ln_1`, width),
    ...linear(`${name}.attn.c_attn`, width, 3 * width),
    ...linear(`${name}.attn.c_proj`, width, width),
    ...layerNorm(`${name}.ln_2`, width),
    ...linear(`${name}.mlp.c_fc`, width, 4 * width),
    ...linear(`${name}.mlp.c_proj`, 4 * width, width),
  ];
}

/**
 * @param {string} name
 * @param {number} width
 */
function layerNorm(name, width) {
  return [
    { name: `${name}.weight`, dimensions: [width] },
    { name: `${name}.bias`, dimensions: [width] },
  ];
}

/**
 * @param {string} name
 * @param {number} inputs
 * @param {number} outputs
 */
function linear(name, inputs, outputs) {
  return [
    { name: `${name}.weight`, dimensions: [inputs, outputs] },
    { name: `${name}.bias`, dimensions: [outputs] },
  ];
}

/**
 * @param {number} [width]
 * @returns {number[]} the number of elements of every tensor
 */
export function gpt2Lengths(width) {
  return gpt2Parameters(width).map(({ dimensions }) => dimensions.reduce((product, size) => product * size));
}
