// web/webgpu/reduce-shader.js: the shader that makes partials: a workgroup reduces the elements of a job to
// their largest magnitude and the sum of their p-th powers, an integer and a power of two. Text for
// web/webgpu/context.js.
import { ELEMENTS_PER_THREAD, JOB_ELEMENTS, LOWEST_BINADE, THREADS, UNIT_BITS } from './constants.js';
import { LOGARITHM, PARAMETERS, repeat, switchOver, WIDEN_HALF } from './wgsl.js';

/**
 * What a workgroup computes: the sums for p = 1, 2, 3, 4 or another, none for Infinity.
 * @typedef {'first' | 'square' | 'cube' | 'fourth' | 'real' | 'maximum'} ReduceKind
 */

const HALF_OF_THREAD = ELEMENTS_PER_THREAD / 2;

/**
 * With E the binade of the job's largest magnitude, so that y = |x| / 2^E is in [0, 1), the sum is that of y^p in
 * units of 2^-42, an integer below 2^54:
 *
 * - p = 1, 2: y is taken as a whole number of 2^-42 or 2^-32 and the powers are computed in integers. What is cut
 *   off makes the norm at most 2^-27 and 2^-25 smaller; every device gives the same bits.
 * - p = 3, 4: y is an exact float, its powers are two roundings away: relative 2 * 2^-24, p times less in the
 *   norm; and at most 2^-26 is cut off.
 * - other p: y^p = 2^(p log2 y), see web/webgpu/wgsl.js.
 *
 * Elements smaller than 2^-64 of the largest (2^-150 for real p) may count as zero. If the largest is below 2^-63
 * (2^23), all are multiplied by 2^64 (2^100) first, which makes subnormals normal; if not, those are as small as that.
 *
 * A partial is: largest magnitude's bits, exponent, sum / 2^32, sum % 2^32. With NaN or Infinity: largest bits, 0,
 * position of the first of them, its bits.
 *
 * @param {ReduceKind} kind
 * @param {number} slots  bindings of tensors
 * @param {boolean} subgroups  whether the device has the feature
 * @returns {string}
 */
export function reduceShader(kind, slots, subgroups) {
  const isReal = kind === 'real';
  return `
${jobDeclarations(slots, subgroups, liftOf(kind))}
${isReal ? PARAMETERS + LOGARITHM + POWER : ''}
${elementAt(slots)}
${kind === 'maximum' || kind === 'first' || kind === 'square' ? '' : SCALED_FLOAT}

@compute @workgroup_size(${THREADS})
fn reduce(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) thread: u32,
) {
  ${loadJob(slots)}
  ${findLargest(subgroups)}
  ${FIND_OFFENDER}
  if (largest == 0u) {
    if (thread == 0u) { work[place + 1u] = vec4<u32>(0u); }
    return;
  }
  ${
    kind === 'maximum'
      ? 'if (thread == 0u) { work[place + 1u] = vec4<u32>(largest, 0u, 0u, 0u); }'
      : `${sumOfPowers(kind, subgroups)}
  if (thread == 0u) {
    let sumOfHigh = atomicLoad(&sumHigh);
    let sumOfLow = atomicLoad(&sumLow);
    let lowWord = (sumOfHigh << 24u) + sumOfLow;
    let highWord = (sumOfHigh >> 8u) + select(0u, 1u, lowWord < sumOfLow);
    work[place + 1u] = vec4<u32>(largest, bitcast<u32>(exponent - ${UNIT_BITS}), highWord, lowWord);
  }`
  }
}`;
}

/**
 * What small jobs are multiplied by, 2^by, and the biased exponent below which they are.
 * @param {ReduceKind} kind
 */
function liftOf(kind) {
  return kind === 'real' ? { by: 100, below: 150 } : { by: 64, below: 64 };
}

/**
 * Bindings, the workgroup's variables and functions of a shader with an entry point that reduces jobs.
 * @param {number} slots
 * @param {boolean} subgroups
 * @param {{ by: number }} [lift]
 */
export function jobDeclarations(slots, subgroups, { by } = liftOf('first')) {
  return `
${subgroups ? 'enable subgroups;' : ''}
struct Dispatch { firstJob: u32 }
@group(0) @binding(0) var<uniform> dispatch: Dispatch;
// Job, partial, job, partial, ...
@group(0) @binding(1) var<storage, read_write> work: array<vec4<u32>>;
${repeat(slots, (slot) => `@group(0) @binding(${slot + 2}) var<storage, read> tensor${slot}: array<u32>;`)}
var<workgroup> sharedJob: vec4<u32>;
var<workgroup> largestOfAll: atomic<u32>;
var<workgroup> sharedLargest: u32;
var<workgroup> sumHigh: atomic<u32>;
var<workgroup> sumLow: atomic<u32>;
var<workgroup> firstOffender: atomic<u32>;
${WIDEN_HALF}

// bits times 2^${by}, for those where it is no more than 2^127.
fn lifted(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  if (magnitude >= 0x800000u) { return magnitude + ${by << 23}u; }
  // magnitude * 2^-149: the conversion is exact and normal.
  return select(bitcast<u32>(f32(magnitude)) - ${(149 - by) >>> 0}u * 0x800000u, 0u, magnitude == 0u);
}`;
}

/**
 * The elements of the workgroup's job as float32 bits into x0, x1, ... of its invocations, 0 where there is none.
 * @param {number} slots
 */
export function loadJob(slots) {
  return `
  let place = 2u * (dispatch.firstJob + group.x);
  if (thread == 0u) {
    sharedJob = work[place];
    atomicStore(&firstOffender, 0xffffffffu);
  }
  let job = workgroupUniformLoad(&sharedJob);
  let slot = job.x & 0xffu;
  let dtype = (job.x >> 8u) & 0xffu;
  let start = (job.x >> 16u) & 1u;
  let end = job.z;
  let isHalf = dtype != 0u;
  let lastWord = select(end, (end + 1u) >> 1u, isHalf) - 1u;
  ${repeat(ELEMENTS_PER_THREAD, (j) => `let at${j} = job.y + min(thread + ${j * THREADS}u, lastWord); var x${j} = 0u;`)}
  ${switchOver(slots, 'slot', (slot) => repeat(ELEMENTS_PER_THREAD, (j) => `x${j} = tensor${slot}[at${j}];`))}
  if (isHalf) {
    let isBFloat = dtype == 2u;
    ${repeat(HALF_OF_THREAD, (j) => {
      const element = `2u * (thread + ${j * THREADS}u)`;
      const odd = j + HALF_OF_THREAD;
      return `x${odd} = select(0u, widenHalf(x${j} >> 16u, isBFloat), ${element} + 1u < end);
      x${j} = select(0u, widenHalf(x${j} & 0xffffu, isBFloat), ${element} >= start && ${element} < end);`;
    })}
  } else {
    ${repeat(ELEMENTS_PER_THREAD, (j) => `x${j} = select(0u, x${j}, thread + ${j * THREADS}u < end);`)}
  }`;
}

/**
 * The position in the job of what loadJob puts into an invocation's xj.
 * @param {number} j
 */
export function positionOf(j) {
  const odd = j >= HALF_OF_THREAD;
  const word = `(thread + ${(odd ? j - HALF_OF_THREAD : j) * THREADS}u)`;
  return `select(thread + ${j * THREADS}u, 2u * ${word} + ${odd ? 1 : 0}u, isHalf)`;
}

/**
 * The largest magnitude's bits of the job, the same for all of the workgroup.
 * @param {boolean} subgroups
 */
export function findLargest(subgroups) {
  return `
  var own = 0u;
  ${repeat(ELEMENTS_PER_THREAD, (j) => `own = max(own, x${j} & 0x7fffffffu);`)}
  ${reduceOver(subgroups, 'Max', 'own', 'largestOfAll')}
  workgroupBarrier();
  if (thread == 0u) { sharedLargest = atomicLoad(&largestOfAll); }
  let largest = workgroupUniformLoad(&sharedLargest);`;
}

/**
 * Every invocation's value into a variable of the workgroup.
 * @param {boolean} subgroups
 * @param {'Max' | 'Add'} operation
 * @param {string} value
 * @param {string} target
 */
export function reduceOver(subgroups, operation, value, target) {
  if (!subgroups) return `atomic${operation}(&${target}, ${value});`;
  return `{
    let all = subgroup${operation}(${value});
    if (subgroupElect()) { atomic${operation}(&${target}, all); }
  }`;
}

/**
 * The first NaN or Infinity of the job, and an end to it. Elements are read again: this is rare, and a loop is
 * little code.
 */
const FIND_OFFENDER = `
  if (largest >= 0x7f800000u) {
    var offender = 0xffffffffu;
    var bits = 0u;
    for (var at = thread; at < end; at += ${THREADS}u) {
      let x = elementAt(slot, dtype, job.y, at);
      if (at >= start && (x & 0x7fffffffu) >= 0x7f800000u && at < offender) {
        offender = at;
        bits = x;
      }
    }
    atomicMin(&firstOffender, offender);
    workgroupBarrier();
    if (bits != 0u && atomicLoad(&firstOffender) == offender) {
      work[place + 1u] = vec4<u32>(largest, 0u, offender - start, bits);
    }
    return;
  }`;

/** @param {number} slots */
function elementAt(slots) {
  return `
fn wordAt(slot: u32, at: u32) -> u32 {
  ${switchOver(slots, 'slot', (slot) => `return tensor${slot}[at];`)}
}
fn elementAt(slot: u32, dtype: u32, firstWord: u32, at: u32) -> u32 {
  if (dtype == 0u) { return wordAt(slot, firstWord + at); }
  let word = wordAt(slot, firstWord + (at >> 1u));
  return widenHalf((word >> (16u * (at & 1u))) & 0xffffu, dtype == 2u);
}`;
}

/**
 * The sum of the powers of the job's elements, sumHigh * 2^24 + sumLow units of 2^(exponent - 42). None of them
 * is NaN or infinite, and one is not zero.
 * @param {Exclude<ReduceKind, 'maximum'>} kind
 * @param {boolean} subgroups
 */
export function sumOfPowers(kind, subgroups) {
  const { by, below } = liftOf(kind);
  return `
  var top = largest;
  var isLifted = 0;
  if (largest < ${(below << 23) >>> 0}u) {
    top = lifted(largest);
    isLifted = 1;
    ${repeat(ELEMENTS_PER_THREAD, (j) => `x${j} = lifted(x${j});`)}
  }
  let binade = top >> 23u;
  let exponentOfBinade = i32(binade) - 126 - isLifted * ${by};
  var high = 0u;
  var low = 0u;
  ${SUMS[kind]()}
  high += low >> 24u;
  low &= 0xffffffu;
  ${reduceOver(subgroups, 'Add', 'high', 'sumHigh')}
  ${reduceOver(subgroups, 'Add', 'low', 'sumLow')}
  workgroupBarrier();`;
}

// Each adds the powers of the invocation's elements, as high * 2^24 + low units.
const SUMS = {
  /** y in units of 2^-42: its upper 32 bits and 10 more. */
  first: () =>
    sumOfDigits(
      'exponentOfBinade',
      (j) => `
    let distance = binade - ((x${j} >> 23u) & 0xffu);
    let mantissa = (x${j} & 0x7fffffu) | 0x800000u;
    let upper = select((mantissa << 8u) >> (distance & 31u), 0u, distance > 31u);
    let finer = select(mantissa << (18u - min(distance, 18u)), mantissa >> min(distance - 18u, 31u), distance >= 18u);
    let lower = finer & 0x3ffu;`,
    ),

  /** y = (a 2^16 + b) 2^-32; a a 2^32 + a b 2^17 + b b in units of 2^22. */
  square: () =>
    sumOfDigits(
      '2 * exponentOfBinade',
      (j) => `
    let y = ((x${j} << 8u) | 0x80000000u) >> min(binade - ((x${j} >> 23u) & 0xffu), 31u);
    let a = y >> 16u;
    let b = y & 0xffffu;
    let upper = a * a;
    let lower = ((a * b) >> 5u) + ((b * b) >> 22u);`,
    ),

  cube: () => sumOfFloats('3 * exponentOfBinade', (j) => `y${j} * y${j} * y${j}`),
  fourth: () => sumOfFloats('4 * exponentOfBinade', (j) => `(y${j} * y${j}) * (y${j} * y${j})`),

  /** 2^(p log2 y + fraction - headroom), with headroom such that the largest is in (1/2, 1]. */
  real: () => `
  let row = u32(exponentOfBinade - ${LOWEST_BINADE});
  let pair = parameters.table[row >> 1u];
  let entry = select(pair.xy, pair.zw, (row & 1u) == 1u);
  let fraction = bitcast<f32>(entry.y);
  let topBits = bitcast<u32>(scaledFloat(top, binade));
  let topPower = parameters.power * (f32(logarithm2Whole(topBits)) + logarithm2Fraction(topBits)) + fraction;
  let headroom = ceil(topPower);
  ${sumOfFloats(
    'bitcast<i32>(entry.x) + i32(headroom)',
    (j) => `power(bitcast<u32>(y${j}), fraction - headroom)`,
  )}`,
};

/**
 * The sum of upper * 2^10 + lower units, which a term declares.
 * @param {string} exponent
 * @param {(index: number) => string} term
 */
function sumOfDigits(exponent, term) {
  return `
  let exponent = ${exponent};
  var digit1 = 0u;
  var digit0 = 0u;
  var rest = 0u;
  ${repeat(
    ELEMENTS_PER_THREAD,
    (j) => `{${term(j)}
    digit1 += upper >> 16u;
    digit0 += upper & 0xffffu;
    rest += lower;
  }`,
  )}
  high = (digit1 << 2u) + (digit0 >> 14u) + (rest >> 24u);
  low = ((digit0 << 10u) & 0xffffffu) + (rest & 0xffffffu);`;
}

/**
 * @param {string} exponent
 * @param {(index: number) => string} term  at most 1, up to rounding
 */
function sumOfFloats(exponent, term) {
  return `
  let exponent = ${exponent};
  ${repeat(
    ELEMENTS_PER_THREAD,
    (j) => `{
    let y${j} = scaledFloat(x${j}, binade);
    let scaled = (${term(j)}) * ${2 ** (UNIT_BITS - 24)}.0;
    let whole = u32(scaled);
    high += whole;
    low += u32(max(scaled - f32(whole), 0.0) * 16777216.0);
  }`,
  )}`;
}

/** y as a float; 0 where it is below 2^-100. */
const SCALED_FLOAT = `
fn scaledFloat(bits: u32, binade: u32) -> f32 {
  let magnitude = bits & 0x7fffffffu;
  let exponent = magnitude >> 23u;
  let scaled = magnitude + (126u << 23u) - (binade << 23u);
  return bitcast<f32>(select(0u, scaled, exponent > 0u && exponent + 100u > binade));
}
`;

/** y^p * 2^offset, 0 for 0. */
const POWER = `
fn power(bits: u32, offset: f32) -> f32 {
  if (bits == 0u) { return 0.0; }
  let logarithm = f32(logarithm2Whole(bits)) + logarithm2Fraction(bits);
  return exponential2(parameters.power * logarithm + offset);
}
`;
if (JOB_ELEMENTS !== THREADS * ELEMENTS_PER_THREAD) throw new Error('a job is a workgroup of registers');
