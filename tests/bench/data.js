// tests/bench/data.js: what the benchmark measures on: the shapes of the gradients and their seeded values.
//
// The values come from 32-bit integer arithmetic and exact powers of two alone, so that native_loop.cpp makes
// the same bits; checksum() proves it in every run.

/** Seed of every case. Any nonzero 32-bit integer does. */
export const SEED = 20240229;

/** Powers of two that spread the magnitudes over 2^-36 .. 2^-6, as gradients spread theirs. */
const SCALES = Float64Array.from({ length: 8 }, (_, index) => 2 ** -(29 + index));

/**
 * Gradients of the given lengths, filled from one xorshift32 stream (Marsaglia 2003,
 * doi:10.18637/jss.v008.i14). A value is a signed 24-bit integer times a power of two: exact in float32.
 * @param {number[]} lengths
 * @param {number} [seed] nonzero
 * @returns {Float32Array<ArrayBuffer>[]}
 */
export function makeTensors(lengths, seed = SEED) {
  let state = seed | 0;
  return lengths.map((length) => {
    const tensor = new Float32Array(length);
    state = fill(tensor, state);
    return tensor;
  });
}

/**
 * @param {Float32Array} tensor
 * @param {number} state
 * @returns {number} the state after the last element
 */
function fill(tensor, state) {
  for (let i = 0; i < tensor.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    tensor[i] = (state >> 8) * SCALES[state & 7];
  }
  return state;
}

/**
 * FNV-1a over 32-bit words (not bytes: it has to run over half a gigabyte), in the order of the list. It reads
 * elements only: touching `buffer` would move V8's small arrays off its heap and slow their loops down.
 * @param {Float32Array[]} tensors
 * @returns {number} an unsigned 32-bit integer
 */
export function checksum(tensors) {
  return tensors.reduce((hash, tensor) => hashElements(tensor, hash), 0x811c9dc5) >>> 0;
}

const element = new Float32Array(1);
const elementBits = new Uint32Array(element.buffer);

/**
 * @param {Float32Array} tensor
 * @param {number} hash
 * @returns {number}
 */
function hashElements(tensor, hash) {
  for (let i = 0; i < tensor.length; i++) {
    element[0] = tensor[i];
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
