// web/webgpu/shaders/wgsl.js: WGSL that several shaders share, as text. WGSL lets an implementation reassociate, fuse, flush
// subnormals, round either way and assume that NaN and Infinity do not occur, so elements are taken apart and put together
// as integers; floating point is only computed with where it is exact, or where a last bit more or less is within the bound.
import { THREADS } from '../constants.js';
import { DISPATCH, PARAMETERS as STEP } from '../layouts.js';

/**
 * @param {number} count
 * @param {(index: number) => string} line
 * @returns {string}
 */
export function repeat(count, line) {
  return Array.from({ length: count }, (_, index) => line(index)).join('\n');
}

/**
 * A switch over the tensors' bindings, which WGSL cannot index.
 * @param {number} slots
 * @param {(tensor: string) => string} body
 */
export function switchOver(slots, body) {
  if (slots === 1) return body('tensor0');
  return `switch job.slot {
    ${repeat(slots, (slot) => `case ${slot}u${slot === slots - 1 ? ', default' : ''}: { ${body(`tensor${slot}`)} }`)}
  }`;
}

/**
 * The bindings of a shader whose workgroups take a job each, and how four elements of one are read: a chunk. The elements of a
 * job are counted from the word of the buffer in which they begin; those that it has are from start up to end.
 *
 * Jobs that are whole are 4096 float32 that begin at a multiple of 16 bytes: their bindings hold vectors.
 * @param {object} options
 * @param {number} options.slots      bindings of tensors
 * @param {boolean} options.isWhole   whether all jobs are whole
 * @param {boolean} options.hasHalves
 * @param {'read' | 'read_write'} options.access  to the tensors; the table of jobs gets the other
 */
export function jobShader({ slots, isWhole, hasHalves, access }) {
  const element = isWhole ? 'vec4<u32>' : 'u32';
  return `
${DISPATCH.wgsl}
@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, ${access === 'read' ? 'read_write' : 'read'}> work: array<vec4<u32>>;
${repeat(slots, (slot) => `@group(0) @binding(${slot + 2}) var<storage, ${access}> tensor${slot}: array<${element}>;`)}

const THREADS = ${THREADS}u;
const MAGNITUDE = vec4<u32>(0x7fffffffu);
const INFINITY = 0x7f800000u;

struct Job { slot: u32, dtype: u32, start: u32, end: u32, word: u32, number: u32 }
fn jobAt(index: u32) -> Job {
  let entry = work[dispatch.firstEntry + index];
  return Job(entry.x & 0xffu, (entry.x >> 8u) & 0xffu, (entry.x >> 16u) & 1u, entry.z, entry.y, entry.w);
}
${isWhole ? '' : POSITIONS}
${hasHalves ? WIDEN_HALVES : ''}
`;
}

// Where the elements of a chunk are.
const POSITIONS = `
fn positionsIn(chunk: u32) -> vec4<u32> {
  return vec4<u32>(4u * chunk) + vec4<u32>(0u, 1u, 2u, 3u);
}
fn isIn(job: Job, positions: vec4<u32>) -> vec4<bool> {
  return (positions >= vec4<u32>(job.start)) & (positions < vec4<u32>(job.end));
}
`;

/**
 * fn chunkOf: the bits of a chunk's elements, widened to float32; 0 where the job has none.
 * @param {Pick<Parameters<typeof jobShader>[0], 'slots' | 'isWhole' | 'hasHalves'>} options
 */
export function chunkShader({ slots, isWhole, hasHalves }) {
  if (isWhole) {
    return `
fn chunkOf(job: Job, chunk: u32) -> vec4<u32> {
  ${switchOver(slots, (tensor) => `return ${tensor}[(job.word >> 2u) + chunk];`)}
}`;
  }
  return `
fn wordsOf(job: Job, at: vec4<u32>) -> vec4<u32> {
  ${switchOver(slots, (tensor) => `return vec4<u32>(${tensor}[at.x], ${tensor}[at.y], ${tensor}[at.z], ${tensor}[at.w]);`)}
}
fn chunkOf(job: Job, chunk: u32) -> vec4<u32> {
  let positions = positionsIn(chunk);
  ${
    hasHalves
      ? `let isHalf = select(0u, 1u, job.dtype != 0u);
  var elements = wordsOf(job, vec4<u32>(job.word) + (positions >> vec4<u32>(isHalf)));
  if (isHalf == 1u) {
    elements = widenHalves((elements >> vec4<u32>(0u, 16u, 0u, 16u)) & vec4<u32>(0xffffu), job.dtype == 2u);
  }`
      : 'let elements = wordsOf(job, vec4<u32>(job.word) + positions);'
  }
  return select(vec4<u32>(0u), elements, isIn(job, positions));
}`;
}

/** The parameters of a step: a uniform buffer. */
export const PARAMETERS = `
${STEP.wgsl}
@group(1) @binding(0) var<uniform> parameters: Parameters;
`;

/** The bits of halves to those of the same float32. Subnormal halves become normal floats: the conversion is exact. */
const WIDEN_HALVES = `
fn widenHalves(halves: vec4<u32>, isBFloat: bool) -> vec4<u32> {
  if (isBFloat) { return halves << vec4<u32>(16u); }
  let rest = halves & vec4<u32>(0x7fffu);
  let shifted = rest << vec4<u32>(13u);
  let normal = select(shifted + vec4<u32>(0x38000000u), shifted + vec4<u32>(0x70000000u), rest >= vec4<u32>(0x7c00u));
  let converted = bitcast<vec4<u32>>(vec4<f32>(rest)) - vec4<u32>(24u << 23u);
  let small = select(converted, vec4<u32>(0u), rest == vec4<u32>(0u));
  return ((halves & vec4<u32>(0x8000u)) << vec4<u32>(16u)) | select(normal, small, rest < vec4<u32>(0x400u));
}
`;

/**
 * log2 and exp2 for the powers that are not products.
 *
 * logarithm2: within 2^-22 of log2(x) * max(1, |log2 x|), for normal x. With m = x / 2^k in [0.707, 1.414] and
 * s = (m - 1) / (m + 1), log2 m = 2 / ln 2 * (s + s^3/3 + s^5/5 + s^7/7 + s^9/9 + ...); the rest is below 2^-29.
 *
 * exponential2: 2^x within a relative 2^-22 for x in [-100, 100], 0 below. The Taylor series of e^(r ln 2),
 * |r| <= 1/2, to the seventh power leaves 2^-27.
 */
export const LOGARITHM = `
fn logarithm2Fraction(bits: u32) -> f32 {
  let m = bitcast<f32>(((bits - 0x3f3504f3u) & 0x7fffffu) + 0x3f3504f3u);
  let s = (m - 1.0) / (m + 1.0);
  let q = s * s;
  return s * (2.885390082 + q * (0.961796694 + q * (0.577078016 + q * (0.412198583 + q * 0.320598898))));
}
fn logarithm2Whole(bits: u32) -> i32 {
  return bitcast<i32>(bits - 0x3f3504f3u) >> 23u;
}
fn exponential2(x: f32) -> f32 {
  if (x < -100.0) { return 0.0; }
  let whole = floor(x + 0.5);
  let r = x - whole;
  let series = 1.0 + r * (0.693147181 + r * (0.240226507 + r * (0.0555041087 + r * (0.00961812911 +
    r * (0.00133335581 + r * (0.000154035304 + r * 0.0000152527338))))));
  return bitcast<f32>(bitcast<u32>(series) + bitcast<u32>(i32(whole) << 23u));
}
`;
