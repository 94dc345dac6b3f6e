// tests/halves.js: the element types of gradients as the suites see them: views of each, the values that they hold,
// and the nearest value to a double. Float16 and bfloat16 go through a table of all their values in order.
// Nothing of the library.

/**
 * A format of 16 bits. Positive patterns are in the order of their values: the bits of one are its rank.
 * @typedef {object} HalfFormat
 * @property {Float64Array} values  of all 65536 patterns
 * @property {(x: number) => number} bitsOf  the nearest value's, ties to even
 */

/**
 * A gradient: a typed array, or half-precision bits with their dtype.
 * @typedef {Float32Array | Float64Array | { data: Uint16Array, dtype: 'float16' | 'bfloat16' }} FloatGradient
 * @typedef {FloatGradient | Int8Array | Uint8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array |
 *   Uint32Array} AnyGradient
 */

/**
 * @template {AnyGradient} G
 * @typedef {object} ElementType
 * @property {string} label  the name of the array's type, or of the half
 * @property {string} dtype  as reports call it
 * @property {number} bytes  of an element
 * @property {(x: number) => number} round  to the nearest value, ties to even; x must be in range for integers
 * @property {number} roundoff  the largest relative error of that in the normal range; 0 for integers
 * @property {(buffer: ArrayBufferLike, byteOffset: number, length: number) => G} view
 */

/**
 * @param {number} fractionBits
 * @param {number} least  the exponent of the smallest positive value
 * @returns {HalfFormat}
 */
function halfFormat(fractionBits, least) {
  const binade = 1 << fractionBits;
  const infinity = 0x8000 - binade;
  const values = new Float64Array(0x10000).fill(NaN);
  let value = 0;
  for (let bits = 0, spacing = 2 ** least; bits <= infinity; ++bits, value += spacing) {
    // Subnormals and the first normal numbers are equally far apart, the others twice as far in every binade.
    if (bits >= 2 * binade && bits % binade === 0) spacing *= 2;
    values[bits] = value;
  }
  const ranks = values.slice(0, infinity + 1); // where Infinity stands, the power of two that it begins at
  values[infinity] = Infinity;
  for (let bits = 0; bits <= infinity; ++bits) values[bits | 0x8000] = -values[bits];
  return { values, bitsOf: (x) => (isNegative(x) ? 0x8000 : 0) | nearestRank(ranks, Math.abs(x)) };
}

/** @param {number} x */
function isNegative(x) {
  return x < 0 || Object.is(x, -0);
}

/**
 * @param {Float64Array} ranks  ascending
 * @param {number} magnitude  >= 0, or NaN
 */
function nearestRank(ranks, magnitude) {
  if (Number.isNaN(magnitude)) return 0x7fff;
  let low = 0;
  let high = ranks.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (ranks[middle] <= magnitude) low = middle;
    else high = middle;
  }
  if (high === ranks.length) return low;
  const halfway = (ranks[low] + ranks[high]) / 2; // exact: a double has bits to spare
  return magnitude > halfway || (magnitude === halfway && low % 2 === 1) ? high : low;
}

/** @type {Record<'float16' | 'bfloat16', HalfFormat>} */
export const HALVES = { float16: halfFormat(10, -24), bfloat16: halfFormat(7, -133) };

/**
 * @param {'float16' | 'bfloat16'} dtype
 * @param {number} roundoff
 * @returns {ElementType<FloatGradient>}
 */
function halfType(dtype, roundoff) {
  const { values, bitsOf } = HALVES[dtype];
  return {
    label: dtype,
    dtype,
    bytes: 2,
    roundoff,
    round: (x) => values[bitsOf(x)],
    view: (buffer, byteOffset, length) => ({ data: new Uint16Array(buffer, byteOffset, length), dtype }),
  };
}

/**
 * @template {AnyGradient} G
 * @param {string} name  of the array's type
 * @param {number} roundoff
 * @param {(x: number) => number} [round]  left out: as the array itself does
 * @returns {ElementType<G>}
 */
function arrayType(name, roundoff, round) {
  const Type = /** @type {any} */ (globalThis)[name];
  return {
    label: name,
    dtype: name === 'Uint8ClampedArray' ? 'uint8' : name.slice(0, -'Array'.length).toLowerCase(),
    bytes: Type.BYTES_PER_ELEMENT,
    roundoff,
    round: round ?? ((x) => Type.of(x)[0]),
    view: (buffer, byteOffset, length) => new Type(buffer, byteOffset, length),
  };
}

/** Of Float32Array, Float64Array and half-precision bits, and of Float16Array where the engine has it. */
/** @type {readonly ElementType<FloatGradient>[]} */
export const FLOAT_TYPES = [
  arrayType('Float32Array', 2 ** -24, Math.fround),
  arrayType('Float64Array', 2 ** -53, (x) => x),
  halfType('float16', 2 ** -11),
  halfType('bfloat16', 2 ** -8),
  ...('Float16Array' in globalThis
    ? [
        /** @type {ElementType<FloatGradient>} */ (
          arrayType('Float16Array', 2 ** -11, (x) => HALVES.float16.values[HALVES.float16.bitsOf(x)])
        ),
      ]
    : []),
];

/** @type {readonly ElementType<AnyGradient>[]} */
export const INTEGER_TYPES = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
].map((name) => arrayType(name, 0));

/** @type {readonly ElementType<AnyGradient>[]} */
export const ELEMENT_TYPES = [...FLOAT_TYPES, ...INTEGER_TYPES];

/**
 * @param {FloatGradient} gradient
 * @returns {ElementType<FloatGradient>}
 */
export function typeOf(gradient) {
  const label = 'data' in gradient ? gradient.dtype : gradient.constructor.name;
  return /** @type {ElementType<FloatGradient>} */ (FLOAT_TYPES.find((type) => type.label === label));
}

/**
 * The typed array behind a gradient.
 * @param {AnyGradient} gradient
 * @returns {Exclude<AnyGradient, { dtype: string }>}
 */
export function arrayOf(gradient) {
  return 'data' in gradient ? gradient.data : gradient;
}

/**
 * The values of the elements.
 * @param {AnyGradient} gradient
 * @returns {Float64Array}
 */
export function valuesOf(gradient) {
  if (!('data' in gradient)) return Float64Array.from(gradient);
  const { values } = HALVES[gradient.dtype];
  return Float64Array.from(gradient.data, (bits) => values[bits]);
}

/**
 * Writes the nearest values of the gradient's type.
 * @param {AnyGradient} gradient
 * @param {ArrayLike<number>} values
 */
export function assign(gradient, values) {
  if (!('data' in gradient)) gradient.set(values);
  else gradient.data.set(Array.from(values, HALVES[gradient.dtype].bitsOf));
}

/**
 * A gradient of its own buffer.
 * @template {AnyGradient} G
 * @param {ElementType<G>} type
 * @param {ArrayLike<number>} values
 * @returns {G}
 */
export function gradientOf(type, values) {
  const gradient = type.view(new ArrayBuffer(values.length * type.bytes), 0, values.length);
  assign(gradient, values);
  return gradient;
}

/**
 * Another gradient of the same bits.
 * @template {AnyGradient} G
 * @param {G} gradient
 * @returns {G}
 */
export function copyOf(gradient) {
  const copy = 'data' in gradient ? { ...gradient, data: gradient.data.slice() } : gradient.slice();
  return /** @type {G} */ (copy);
}

/**
 * The bytes of the elements, copied.
 * @param {AnyGradient} gradient
 * @returns {Buffer}
 */
export function bytesOf(gradient) {
  const { buffer, byteOffset, byteLength } = arrayOf(gradient);
  return Buffer.from(new Uint8Array(buffer, byteOffset, byteLength));
}
