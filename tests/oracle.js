// tests/oracle.js: the referee. Every suite compares the library with the values computed here.
//
// It shares no code with the library and takes another road: a double is a dyadic rational, so elements and
// p enter without rounding and all arithmetic is on BigInt. No value depends on Math.pow, log or exp.
//
//   p = Infinity        the maximum, exact
//   p = 1, 2, ..., 64   sum |x|^p, exact, then an integer p-th root: relative error <= 2^-191 (0 for p = 1),
//                       and toNumber() of it is the correctly rounded norm
//   every other p > 0   fixed-point log2 and exp2: relative error <= 2^-180, derived at normByLogarithms

/**
 * The value mantissa * 2^exponent >= 0, mantissa odd; zero is { 0n, 0 }. The exponent goes on beyond double
 * range, up to a norm of max |x| * 2^(2^32): from there on (it needs p < 2^-27) the norm is BEYOND,
 * { 1n, Infinity }. toNumber makes Infinity of it, as of every value that rounds beyond the largest double.
 * @typedef {{ mantissa: bigint, exponent: number }} BigFloat
 */

/**
 * Elements as numbers, of any kind of array; or as the bits of IEEE binary16 or of bfloat16.
 * @typedef {ArrayLike<number> | { readonly data: ArrayLike<number>, readonly dtype: 'float16' | 'bfloat16' }} Elements
 */

/** Exact integer powers up to here: x^64 of a double has 3392 bits, still cheaper than a logarithm. */
const LARGEST_EXACT_POWER = 64;

/** Bits of an integer root, plus one sticky bit that says whether the root was cut. */
const ROOT_BITS = 192;

/** Fixed-point numbers are integers in units of 2^-256; "u" in the bounds below is one such unit. */
const FRACTION_BITS = 256;
const FRACTION = BigInt(FRACTION_BITS);
const ONE = 1n << FRACTION;

/** Constants and tables are computed with this many bits more, then rounded: their error is <= 1 u. */
const GUARD = 64n;

/** Tables of log2 and 2^x have 256 steps. */
const TABLE_BITS = 8n;
const TABLE_SIZE = 256;

/** From norm / max |x| = 2^LARGEST_LOGARITHM on a norm is BEYOND. */
const LARGEST_LOGARITHM = 1n << 32n;

/** @type {Readonly<BigFloat>} */
const ZERO = Object.freeze({ mantissa: 0n, exponent: 0 });

/** @type {Readonly<BigFloat>} */
export const BEYOND = Object.freeze({ mantissa: 1n, exponent: Infinity });

/**
 * The true p-norm (sum |x|^p)^(1/p) of all elements of all arrays, max |x| for p = Infinity.
 * Relative error: see the head of this file; it assumes at most 2^30 elements. One nonzero element gives
 * exactly its absolute value for every p, and scaling the elements by 2^k scales the result exactly.
 * Speed: a million elements in 0.1 to 0.2 s for p <= 4 (2 s for p = 64); for p without an exact sum,
 * 100,000 to 200,000 distinct |x| a second.
 * @param {Iterable<Elements>} arrays elements must be finite
 * @param {number} p > 0 or Infinity
 * @returns {BigFloat}
 * @throws {RangeError} if p is not > 0 or an element is not finite
 */
export function exactNorm(arrays, p) {
  if (!(p > 0)) throw new RangeError(`exactNorm: p must be > 0, got ${p}`);
  if (p === Infinity) return maximum(arrays);
  if (Number.isInteger(p) && p <= LARGEST_EXACT_POWER) return root(exactPowerSum(arrays, p), p);
  return normByLogarithms(arrays, p);
}

/**
 * |actual - exact| / exact, itself within 2^-50 of its value as far as it is a normal double.
 * 0 if and only if actual equals exact (+0 and -0 alike), or both are beyond double range: actual is
 * Infinity and exact rounds to Infinity. Infinity if actual is NaN, negative, otherwise Infinity, or nonzero
 * where exact is zero. 1 if actual is zero and exact is not.
 * @param {number} actual
 * @param {BigFloat} exact
 * @returns {number}
 */
export function relativeError(actual, exact) {
  if (actual === Infinity) return toNumber(exact) === Infinity ? 0 : Infinity;
  if (!(actual >= 0)) return Infinity;
  if (exact.mantissa === 0n) return actual === 0 ? 0 : Infinity;
  // From 2^2048 on, actual / exact < 2^-1024 and the error is 1 to all digits of a double.
  if (exact.exponent > 2048) return 1;
  const value = fromNumber(actual);
  const unit = Math.min(value.exponent, exact.exponent);
  const wanted = exact.mantissa << BigInt(exact.exponent - unit);
  const difference = absolute((value.mantissa << BigInt(value.exponent - unit)) - wanted);
  if (difference === 0n) return 0;
  const scale = Math.max(0, bitLength(wanted) - bitLength(difference)) + 64;
  const quotient = (difference << BigInt(scale)) / wanted;
  return Math.max(Number.MIN_VALUE, toNumber(bigFloat(quotient, -scale)));
}

/**
 * The nearest double, ties to even; subnormals and overflow to Infinity as in IEEE 754.
 * @param {BigFloat} exact
 * @returns {number}
 */
export function toNumber({ mantissa, exponent }) {
  if (mantissa === 0n) return 0;
  const length = bitLength(mantissa);
  if (exponent + length > 1024) return Infinity;
  if (exponent + length < -1074) return 0;
  // The unit in the last place is 2^unit: 53 bits, fewer where that would be below 2^-1074.
  const unit = Math.max(exponent + length - 53, -1074);
  const significand = divideByPowerOfTwo(mantissa, unit - exponent);
  // Encoding and value grow together, so adding the significand to the exponent field is right for
  // subnormals (field 0), for a carry into the next binade and for a carry into Infinity.
  doubleBits[0] = (BigInt(unit + 1074) << 52n) + significand;
  return doubleValue[0];
}

/**
 * A finite double >= 0 as it is, without rounding.
 * @param {number} value
 * @returns {BigFloat}
 */
export function fromNumber(value) {
  if (!(value >= 0 && value < Infinity)) throw new RangeError(`fromNumber: finite and >= 0, got ${value}`);
  return bigFloat(BigInt(significandOf(value)), exponentOf(value));
}

/**
 * The values of bits, exactly: a sign, an exponent e and a fraction f of b bits are
 *
 *   (2^b + f) 2^(e - bias - b);   f 2^(1 - bias - b) for e = 0;   Infinity or NaN for the largest e
 *
 * binary16 has 5 bits of exponent and 10 of fraction (IEEE 754-2019, 3.6), bfloat16 has 8 and 7, as the upper
 * half of a binary32.
 * @param {ArrayLike<number>} bits
 * @param {'float16' | 'bfloat16'} dtype
 * @returns {Float64Array}
 * @throws {RangeError} if the dtype is another
 */
export function valuesOfBits(bits, dtype) {
  if (dtype !== 'float16' && dtype !== 'bfloat16') throw new RangeError(`valuesOfBits: got dtype ${dtype}`);
  const fractionBits = dtype === 'float16' ? 10 : 7;
  return Float64Array.from(bits, (pattern) => {
    const magnitude = valueOfMagnitude(pattern & 0x7fff, fractionBits);
    return pattern > 0x7fff ? -magnitude : magnitude;
  });
}

/**
 * @param {number} pattern the 15 bits without the sign
 * @param {number} fractionBits
 * @returns {number}
 */
function valueOfMagnitude(pattern, fractionBits) {
  const largestField = (1 << (15 - fractionBits)) - 1;
  const field = pattern >> fractionBits;
  const fraction = pattern - (field << fractionBits);
  if (field === largestField) return fraction === 0 ? Infinity : NaN;
  const significand = field === 0 ? fraction : fraction + (1 << fractionBits);
  // The power of two, a normal double, is put together from its bits.
  doubleBits[0] = BigInt(1023 + Math.max(field, 1) - (largestField >> 1) - fractionBits) << 52n;
  return significand * doubleValue[0];
}

/**
 * @param {Iterable<Elements>} arrays
 * @returns {Generator<ArrayLike<number>>}
 */
function* numbersOf(arrays) {
  for (const array of arrays) yield 'dtype' in array ? valuesOfBits(array.data, array.dtype) : array;
}

/**
 * sum |x|^p, exactly. One integer accumulator for every exponent: elements with the same exponent are integer
 * multiples m of the same power of two, so m^p is added without a shift.
 * @param {Iterable<Elements>} arrays
 * @param {number} p positive integer
 * @returns {BigFloat}
 */
export function exactPowerSum(arrays, p) {
  const power = BigInt(p);
  const sums = /** @type {bigint[]} */ (new Array(EXPONENT_COUNT).fill(0n));
  for (const array of numbersOf(arrays)) {
    for (let i = 0; i < array.length; i++) {
      const magnitude = magnitudeAt(array, i);
      sums[exponentOf(magnitude) - LEAST_EXPONENT] += raise(BigInt(significandOf(magnitude)), power);
    }
  }
  let total = 0n;
  sums.forEach((sum, index) => {
    if (sum !== 0n) total += sum << (power * BigInt(index));
  });
  return bigFloat(total, p * LEAST_EXPONENT);
}

/**
 * log2(value / 2^256) for value >= 2^256, in fixed point. Error <= 2^6 u.
 *
 *   value = t 2^k, 1 <= t < 2;  c = t rounded to 1/256;  z = (t - c) / (t + c), |z| <= 2^-10
 *   log2 t = log2 c + (2 / ln 2) (z + z^3/3 + z^5/5 + ...)
 *
 * Error: z is within 1 u, each of at most 12 further powers within 1.01 u, its quotient within 1.34 u, and
 * what is left out is below 1 u: 18.1 u. Times 2 / ln 2 < 2.9, plus 1 u of the table, 1 u of the last cut and
 * 1.5 u for cutting t: below 57 u.
 * @param {bigint} value
 * @returns {bigint}
 */
export function log2Fixed(value) {
  const shift = BigInt(bitLength(value) - 1 - FRACTION_BITS);
  const t = value >> shift;
  const step = FRACTION - TABLE_BITS;
  const nearest = ((t >> (step - 1n)) + 1n) >> 1n;
  const c = nearest << step;
  const z = ((t - c) << FRACTION) / (t + c);
  const square = (z * z) >> FRACTION;
  let sum = 0n;
  for (let power = z, odd = 1n; power !== 0n; power = (power * square) / ONE, odd += 2n) sum += power / odd;
  const { logarithms, twoOverLn2 } = tables();
  return (shift << FRACTION) + logarithms[Number(nearest) - TABLE_SIZE] + ((sum * twoOverLn2) >> FRACTION);
}

/**
 * 2^(fraction / 2^256) for 0 <= fraction < 2^256, in fixed point, at most 2^257. Error <= 2^7 u.
 *
 *   fraction = j/256 + g, 0 <= g < 2^-8;  2^fraction = 2^(j/256) * exp(g ln 2)
 *
 * Error: g ln 2 is within 1.01 u, so its exponential within 1.02 u. Each of at most 22 terms of the Taylor
 * series is cut twice and inherits 2^-8 of the one before: 2.02 u; what is left out is below 1 u: 46.5 u.
 * Times 2^(j/256) < 2, plus 1.01 u of the table and 1 u of the last cut: below 96 u.
 * @param {bigint} fraction
 * @returns {bigint}
 */
export function exp2Fixed(fraction) {
  const { powers, ln2 } = tables();
  const step = FRACTION - TABLE_BITS;
  const j = fraction >> step;
  const argument = ((fraction - (j << step)) * ln2) >> FRACTION;
  let sum = 0n;
  for (let term = ONE, k = 1n; term > 0n; term = ((term * argument) >> FRACTION) / k, k += 1n) sum += term;
  return (powers[Number(j)] * sum) >> FRACTION;
}

/**
 * max * S^(1/p), S = sum (|x| / max)^p, every power by 2^(p log2(|x| / max)). S is in [1, N].
 *
 * Error bound, u = 2^-256, N <= 2^30 elements. p is exact (a dyadic rational).
 * - d = log2 |x| - log2 max is within 2^-249 (2^6 u each, and exactly 0 for |x| = max), so p d is within
 *   p 2^-249 + u. Other ratios are <= 1 - 2^-53, so for p > 2^70, where p 2^-249 would no longer be small,
 *   p d < -2^16 and the term is below every unit, as is what is computed.
 * - a term r^p is within 2^-249 + r^p (p 2^-249 + u), so S >= 1 has a relative error
 *   <= N 2^-249 + p 2^-249 + u.
 * - log2(S) / p is within (1.45 (N 2^-249 + p 2^-249 + u) + 2^-250) / p + u <= 2^-217 / p + 2^-248.
 * - two nonzero elements make S >= 1 + 2^(-2098 p); for p < 2^-33 the norm is then BEYOND. One makes S = 1,
 *   whose logarithm is exactly 0. In all other cases 1/p <= 2^33, log2(S) / p is within 2^-183, and exp2
 *   adds 2^-249: the norm has a relative error <= 2^-180, and <= 2^-205 for p >= 2^-11.
 * @param {Iterable<Elements>} arrays
 * @param {number} p
 * @returns {BigFloat}
 */
export function normByLogarithms(arrays, p) {
  const counts = countMagnitudes(arrays);
  if (counts.size === 0) return ZERO;
  const greatest = largestKey(counts);
  const exactP = fromNumber(p);
  const reference = log2Double(greatest);
  let sum = 0n;
  for (const [magnitude, count] of counts) {
    sum += BigInt(count) * exp2Negative(multiply(log2Double(magnitude) - reference, exactP));
  }
  const logarithm = divide(log2Fixed(sum), exactP);
  if (logarithm >= LARGEST_LOGARITHM << FRACTION) return BEYOND;
  const whole = logarithm >> FRACTION;
  const mantissa = BigInt(significandOf(greatest)) * exp2Fixed(logarithm - (whole << FRACTION));
  return bigFloat(mantissa, exponentOf(greatest) + Number(whole) - FRACTION_BITS);
}

/**
 * log2 of a double > 0, in fixed point, error <= 2^6 u. Where doubles differ by a factor 2^k, their
 * logarithms differ by exactly k.
 * @param {number} value
 */
function log2Double(value) {
  return log2Fixed(BigInt(significandOf(value)) << FRACTION) + (BigInt(exponentOf(value)) << FRACTION);
}

/**
 * 2^(y / 2^256) for y <= 0, in fixed point, error <= 2^7 u: the cut of a fraction that is halved k times.
 * @param {bigint} y
 */
function exp2Negative(y) {
  const whole = y >> FRACTION;
  return whole < -FRACTION - 1n ? 0n : exp2Fixed(y - (whole << FRACTION)) >> -whole;
}

/**
 * @param {bigint} fixed
 * @param {BigFloat} factor
 */
function multiply(fixed, { mantissa, exponent }) {
  const product = fixed * mantissa;
  return exponent < 0 ? product >> BigInt(-exponent) : product << BigInt(exponent);
}

/**
 * @param {bigint} fixed
 * @param {BigFloat} divisor
 */
function divide(fixed, { mantissa, exponent }) {
  return exponent < 0 ? (fixed << BigInt(-exponent)) / mantissa : fixed / (mantissa << BigInt(exponent));
}

/** @typedef {{ logarithms: bigint[], powers: bigint[], ln2: bigint, twoOverLn2: bigint }} Tables */

/** @type {Tables | undefined} */
let cachedTables;

/** log2(1 + i/256) for i = 0..256, 2^(i/256) for i = 0..255, ln 2 and 2 / ln 2, each within 1 u. */
export function tables() {
  return (cachedTables ??= computeTables());
}

/**
 * With 64 guard bits: ln(c + 1) - ln c = 2 atanh(1 / (2c + 1)), and the sum of these steps from 256 to 512
 * is ln 2; 2^(i/256) is 1 and 2 filled in by halves, 2^((a + b)/2) = sqrt(2^a 2^b), eight times.
 * 256 steps of 40 cuts and 8 nested roots are far below 2^64 guard units.
 * @returns {Tables}
 */
function computeTables() {
  const bits = FRACTION + GUARD;
  const natural = [0n];
  for (let c = TABLE_SIZE; c < 2 * TABLE_SIZE; c++) {
    natural.push(natural[natural.length - 1] + 2n * atanhOfReciprocal(BigInt(2 * c + 1), bits));
  }
  const ln2 = natural[TABLE_SIZE];
  const powers = [1n << bits];
  powers[TABLE_SIZE] = 2n << bits;
  for (let gap = TABLE_SIZE / 2; gap >= 1; gap /= 2) {
    for (let i = gap; i < TABLE_SIZE; i += 2 * gap) {
      powers[i] = integerRoot(powers[i - gap] * powers[i + gap], 2);
    }
  }
  return {
    logarithms: natural.map((value) => dropGuard((value << bits) / ln2)),
    powers: powers.slice(0, TABLE_SIZE).map(dropGuard),
    ln2: dropGuard(ln2),
    twoOverLn2: dropGuard((2n << (2n * bits)) / ln2),
  };
}

/**
 * atanh(1/n) = 1/n + 1/(3 n^3) + 1/(5 n^5) + ..., in units of 2^-bits.
 * @param {bigint} n
 * @param {bigint} bits
 */
function atanhOfReciprocal(n, bits) {
  let sum = 0n;
  for (let power = (1n << bits) / n, odd = 1n; power > 0n; power /= n * n, odd += 2n) sum += power / odd;
  return sum;
}

/** @param {bigint} value */
function dropGuard(value) {
  return ((value >> (GUARD - 1n)) + 1n) >> 1n;
}

/**
 * value^(1/p). The root is cut to ROOT_BITS bits or more and its lowest bit is set if anything was cut
 * (round to odd): relative error <= 2^-191, and rounding it once more, to 53 bits, is correct.
 * Roots that have an end are exact.
 * @param {BigFloat} value
 * @param {number} p positive integer
 * @returns {BigFloat}
 */
function root({ mantissa, exponent }, p) {
  if (p === 1 || mantissa === 0n) return { mantissa, exponent };
  // Bring the exponent to a multiple of p, and the radicand to at least p * ROOT_BITS bits.
  const least = Math.max(0, p * ROOT_BITS - bitLength(mantissa));
  const shift = least + modulo(exponent - least, p);
  const radicand = mantissa << BigInt(shift);
  const floor = integerRoot(radicand, p);
  const sticky = floor ** BigInt(p) === radicand ? 0n : 1n;
  return bigFloat(2n * floor + sticky, (exponent - shift) / p - 1);
}

/**
 * floor(n^(1/p)) by Newton's iteration from above, which falls until it has arrived.
 * @param {bigint} n > 0
 * @param {number} p integer >= 2
 */
function integerRoot(n, p) {
  const degree = BigInt(p);
  let guess = 1n << BigInt(Math.ceil(bitLength(n) / p));
  for (;;) {
    const next = ((degree - 1n) * guess + n / guess ** (degree - 1n)) / degree;
    if (next >= guess) return guess;
    guess = next;
  }
}

/**
 * @param {Iterable<Elements>} arrays
 * @returns {BigFloat}
 */
function maximum(arrays) {
  let greatest = 0;
  for (const array of numbersOf(arrays)) {
    for (let i = 0; i < array.length; i++) greatest = Math.max(greatest, magnitudeAt(array, i));
  }
  return fromNumber(greatest);
}

/**
 * How often each nonzero |x| occurs.
 * @param {Iterable<Elements>} arrays
 * @returns {Map<number, number>}
 */
function countMagnitudes(arrays) {
  const counts = new Map();
  for (const array of numbersOf(arrays)) {
    for (let i = 0; i < array.length; i++) {
      const magnitude = magnitudeAt(array, i);
      if (magnitude !== 0) counts.set(magnitude, (counts.get(magnitude) ?? 0) + 1);
    }
  }
  return counts;
}

/** @param {Map<number, number>} map */
function largestKey(map) {
  let greatest = 0;
  for (const key of map.keys()) greatest = Math.max(greatest, key);
  return greatest;
}

/**
 * @param {ArrayLike<number>} array
 * @param {number} index
 */
function magnitudeAt(array, index) {
  const magnitude = Math.abs(array[index]);
  if (!(magnitude < Infinity)) {
    throw new RangeError(`exactNorm: elements must be finite, got ${array[index]} at index ${index}`);
  }
  return magnitude;
}

/** One double, and the same as its 64 bits. */
const doubleValue = new Float64Array(1);
const doubleBits = new BigUint64Array(doubleValue.buffer);
const doubleWords = new Uint32Array(doubleValue.buffer);
const HIGH_WORD = new Uint8Array(Uint32Array.of(1).buffer)[0];

/** Exponents of doubles as exponentOf defines them: from 2^-1074, the subnormals' unit, to 2^971. */
const LEAST_EXPONENT = -1074;
const EXPONENT_COUNT = 971 - LEAST_EXPONENT + 1;

/**
 * The integer m < 2^53 in value = m * 2^exponentOf(value); m >= 2^52 unless value is zero or subnormal.
 * @param {number} value finite and >= 0
 */
function significandOf(value) {
  doubleValue[0] = value;
  const high = doubleWords[HIGH_WORD];
  const leading = high < 0x00100000 ? high : (high & 0x000fffff) | 0x00100000;
  return leading * 2 ** 32 + doubleWords[1 - HIGH_WORD];
}

/** @param {number} value finite and >= 0 */
function exponentOf(value) {
  doubleValue[0] = value;
  return Math.max(doubleWords[HIGH_WORD] >>> 20, 1) + LEAST_EXPONENT - 1;
}

/**
 * base^exponent; the two common exponents are spared the general power, which is five times slower.
 * @param {bigint} base
 * @param {bigint} exponent
 */
function raise(base, exponent) {
  if (exponent === 1n) return base;
  return exponent === 2n ? base * base : base ** exponent;
}

/**
 * The BigFloat of mantissa * 2^exponent, with an odd mantissa.
 * @param {bigint} mantissa >= 0
 * @param {number} exponent
 * @returns {BigFloat}
 */
function bigFloat(mantissa, exponent) {
  if (mantissa === 0n) return ZERO;
  const zeros = bitLength(mantissa & -mantissa) - 1;
  return { mantissa: mantissa >> BigInt(zeros), exponent: exponent + zeros };
}

/**
 * value / 2^shift, rounded to the nearest integer, ties to even.
 * @param {bigint} value
 * @param {number} shift may be negative
 */
function divideByPowerOfTwo(value, shift) {
  if (shift <= 0) return value << BigInt(-shift);
  const floor = value >> BigInt(shift);
  const twiceRest = (value - (floor << BigInt(shift))) * 2n;
  const unit = 1n << BigInt(shift);
  const up = twiceRest > unit || (twiceRest === unit && (floor & 1n) === 1n);
  return up ? floor + 1n : floor;
}

/**
 * Number of bits of an integer >= 0: 0 for 0, 1 for 1, 2 for 2 and 3.
 * @param {bigint} value
 */
function bitLength(value) {
  const digits = value.toString(16);
  return 4 * digits.length - Math.clz32(parseInt(digits[0], 16)) + 28;
}

/** @param {bigint} value */
function absolute(value) {
  return value < 0n ? -value : value;
}

/**
 * @param {number} value
 * @param {number} modulus
 */
function modulo(value, modulus) {
  return ((value % modulus) + modulus) % modulus;
}
