// web/webgpu/shaders/wgsl.js: WGSL that several shaders share, as text. WGSL lets an implementation reassociate, fuse, flush
// subnormals, round either way and assume that NaN and Infinity do not occur, so elements are taken apart and put together
// as integers; floating point is only computed with where it is exact, or where a last bit more or less is within the bound.
import { BFLOAT16 } from '../../core/dtypes.js';
import { DISPATCH, FLOAT_INFINITY, PARAMETERS as STEP, THREADS } from '../layouts.js';

/** @type {(count: number, line: (index: number) => string) => string} */
export function repeat(count, line) {
  return Array.from({ length: count }, (_, index) => line(index)).join('\n');
}

/**
 * A switch over the tensors' bindings, which WGSL cannot index.
 * @type {(slots: number, body: (tensor: string) => string) => string}
 */
export function switchOver(slots, body) {
  if (slots === 1) return body('tensor0');
  const label = (/** @type {number} */ slot) => (slot === slots - 1 ? 'default' : `case ${slot}u`);
  return `switch job.slot {\n${repeat(slots, (slot) => `${label(slot)}: { ${body(`tensor${slot}`)} }`)}\n}`;
}

/**
 * The bindings of a shader whose workgroups take a job each. The elements of a job are counted from the word of the buffer in
 * which they begin; those that it has are from start up to end. The bindings of whole jobs, see web/webgpu/jobs.js, hold
 * vectors of four elements.
 * @param {import('../jobs.js').DispatchKind & { access: 'read' | 'read_write' }} options  access to the tensors; the table of jobs,
 *   behind which what is found of them goes, is written where they are read, and read where they are written
 */
export function jobShader({ slots, isWhole, hasHalves, access }) {
  const unit = isWhole ? 'vec4<u32>' : 'u32';
  const isWritten = access === 'read_write';
  return `
${DISPATCH.wgsl}
@group(0) @binding(0) var<uniform> dispatch: Dispatch;
@group(0) @binding(1) var<storage, ${isWritten ? 'read' : 'read_write'}> work: array<vec4<u32>>;
${repeat(slots, (slot) => `@group(0) @binding(${slot + 2}) var<storage, ${access}> tensor${slot}: array<${unit}>;`)}

const THREADS = ${THREADS}u;
const MAGNITUDE = vec4<u32>(0x7fffffffu);
const INFINITY = ${FLOAT_INFINITY}u;
const NONE = vec4<u32>(0u);
const ONE = vec4<u32>(1u);

struct Job { slot: u32, dtype: u32, start: u32, end: u32, word: u32, number: u32 }

fn jobAt(index: u32) -> Job {
  let entry = work[dispatch.firstEntry + index];
  return Job(entry.x & 0xffu, (entry.x >> 8u) & 0xffu, (entry.x >> 16u) & 1u, entry.z, entry.y, entry.w);
}
fn load(job: Job, at: u32) -> ${unit} {
  var value: ${unit};
  ${switchOver(slots, (tensor) => `value = ${tensor}[at];`)}
  return value;
}
${isWritten ? `fn store(job: Job, at: u32, value: ${unit}) {\n  ${switchOver(slots, (tensor) => `${tensor}[at] = value;`)}\n}` : ''}
${hasHalves ? WIDEN_HALVES : ''}
`;
}

/**
 * fn chunkOf: the bits of four elements of a job, widened to float32; 0 where the job has none.
 * @param {import('../jobs.js').DispatchKind} kind
 */
export function chunkShader({ isWhole, hasHalves }) {
  if (isWhole) return WHOLE_CHUNK;
  return `
fn chunkOf(job: Job, chunk: u32) -> vec4<u32> {
  let position = vec4<u32>(4u * chunk) + vec4<u32>(0u, 1u, 2u, 3u);
  let at = vec4<u32>(job.word) + ${hasHalves ? 'select(position, position >> ONE, vec4<bool>(job.dtype != 0u))' : 'position'};
  var elements = vec4<u32>(load(job, at.x), load(job, at.y), load(job, at.z), load(job, at.w));
  ${hasHalves ? HALVES_OF_WORDS : ''}
  return select(NONE, elements, (position >= vec4<u32>(job.start)) & (position < vec4<u32>(job.end)));
}`;
}

const WHOLE_CHUNK = `
fn chunkOf(job: Job, chunk: u32) -> vec4<u32> {
  return load(job, (job.word >> 2u) + chunk);
}`;

const HALVES_OF_WORDS = `if (job.dtype != 0u) {
    let halves = elements >> vec4<u32>(0u, 16u, 0u, 16u);
    elements = widenHalves(halves & vec4<u32>(0xffffu), job.dtype);
  }`;

/** The bits of halves to those of the same float32. Subnormal halves become normal floats: the conversion is exact. */
const WIDEN_HALVES = `
fn widenHalves(halves: vec4<u32>, dtype: u32) -> vec4<u32> {
  if (dtype == ${BFLOAT16}u) { return halves << vec4<u32>(16u); }
  let rest = halves & vec4<u32>(0x7fffu);
  let shifted = rest << vec4<u32>(13u);
  let normal = select(shifted + vec4<u32>(0x38000000u), shifted + vec4<u32>(0x70000000u), rest >= vec4<u32>(0x7c00u));
  let converted = bitcast<vec4<u32>>(vec4<f32>(rest)) - vec4<u32>(24u << 23u);
  let small = select(converted, NONE, rest == NONE);
  return ((halves & vec4<u32>(0x8000u)) << vec4<u32>(16u)) | select(normal, small, rest < vec4<u32>(0x400u));
}
`;

/** The parameters of a step: a uniform buffer. */
export const PARAMETERS = `
${STEP.wgsl}
@group(1) @binding(0) var<uniform> parameters: Parameters;
`;

/** All bits of a product, the upper word first. */
export const PRODUCT = `
fn product(a: u32, b: u32) -> vec2<u32> {
  let a1 = a >> 16u;
  let a0 = a & 0xffffu;
  let b1 = b >> 16u;
  let b0 = b & 0xffffu;
  let low = a0 * b0;
  let middle = a1 * b0 + (low >> 16u);
  let other = a0 * b1 + (middle & 0xffffu);
  return vec2<u32>(a1 * b1 + (middle >> 16u) + (other >> 16u), (other << 16u) | (low & 0xffffu));
}
`;

/**
 * log2 and exp2 for the powers that are not products.
 *
 * logarithm2: of normal x, within 2^-22 of log2(x) * max(1, |log2 x|). With m = x / 2^k in [0.707, 1.414] and
 * s = (m - 1) / (m + 1), log2 m = 2 / ln 2 * (s + s^3/3 + s^5/5 + s^7/7 + s^9/9 + ...); the rest is below 2^-29.
 *
 * exponential2: 2^x within a relative 2^-22 for x in [-100, 100], 0 below. The Taylor series of e^(r ln 2),
 * |r| <= 1/2, to the seventh power leaves 2^-27.
 */
export const LOGARITHM = `
fn logarithm2(bits: u32) -> f32 {
  let offset = bits - 0x3f3504f3u;
  let m = bitcast<f32>((offset & 0x7fffffu) + 0x3f3504f3u);
  let s = (m - 1.0) / (m + 1.0);
  let q = s * s;
  return f32(bitcast<i32>(offset) >> 23u) +
    s * (2.885390082 + q * (0.961796694 + q * (0.577078016 + q * (0.412198583 + q * 0.320598898))));
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
