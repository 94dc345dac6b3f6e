// web/webgpu/layouts.js: what the shaders and those who call them agree on: numbers, and structures of words, each written once in
// WGSL. Pure; imports nothing.

/** Invocations of a workgroup: what every device has, one of compatibility mode included. */
export const THREADS = 128;

/** Elements that a workgroup reduces: a job. The same on every device, so that the sums are. */
export const JOB_ELEMENTS = 4096;

/** Vectors of four elements of a job that an invocation has. */
export const CHUNKS_PER_THREAD = JOB_ELEMENTS / (4 * THREADS);

/** Bytes of an entry of the table of jobs, of a partial, and of the counts of a job. */
export const JOB_BYTES = 16;

/** Workgroups that rewrite, each job after job: enough to fill a GPU, few enough to cost nothing when nothing is clipped. */
export const REWRITE_WORKGROUPS = 2048;

/** Partials that a workgroup merges, sixteen an invocation; more need two levels. */
export const MERGE_PARTIALS = 2048;

/** A job's sum counts units of 2^-UNIT_BITS of the power of the job's binade. */
export const UNIT_BITS = 42;

/** The bits of Infinity, and of a NaN. */
export const FLOAT_INFINITY = 0x7f800000;
export const FLOAT_NAN = 0x7fc00000;

/** Flags in the result buffer. */
export const FLAG_NAN = 1;
export const FLAG_INFINITY = 2;
export const FLAG_CLIPPED = 4;

/** How to rewrite: not at all; multiply, rounding to nearest or toward zero; fill with 0 or NaN. */
export const KEEP = 0;
export const SCALE = 1;
export const SCALE_DOWN = 2;
export const FILL = 3;

/**
 * @param {string} wgsl  a structure of words and vectors, in an order in which each stands where WGSL aligns it to
 * @returns {{ wgsl: string, words: number, at: Record<string, number> }}  with the place of each field, in words
 */
function layout(wgsl) {
  /** @type {Record<string, number>} */
  const at = {};
  let words = 0;
  for (const [, field, lanes] of wgsl.matchAll(/(\w+): (?:vec(\d))?/g)) {
    at[field] = words;
    words += Number(lanes ?? 1);
  }
  // Uniform buffers are of whole vectors.
  return { wgsl, words: 4 * Math.ceil(words / 4), at };
}

/**
 * The result buffer: what is the user's, flags, norm, coefficient and the number of the step; the total; and how to rewrite: a mode;
 * factor * 2^shift with a factor of 24 bits, or 1 to fill with NaN, or the limit of float32 and those of float16 and bfloat16.
 *
 * A partial is the largest magnitude's bits, an exponent, and a sum of 64 bits in units of 2^exponent, the upper word first. With
 * NaN or Infinity it is the largest magnitude's bits, a job, and the position and the bits of the first of them in that job. A total is
 * two, the sum of 128 bits so cut that its top bit is set.
 */
export const RESULT = /* @__PURE__ */ layout(`
struct Result {
  head: vec4<u32>,
  upper: vec4<u32>,
  lower: vec4<u32>,
  mode: u32, factor: u32, shift: u32,
}`);

/** What a dispatch of a shader with jobs works on: the entries of the table of jobs, and how many there are in all dispatches. */
export const DISPATCH = /* @__PURE__ */ layout(`
struct Dispatch { firstEntry: u32, count: u32, jobs: u32, }`);

/** What is merged: how many partials, from which on, how many a workgroup; and where the totals are written. */
export const MERGE = /* @__PURE__ */ layout(`
struct Merge { count: u32, first: u32, each: u32, firstTotal: u32, }`);

/**
 * The parameters of a step. Numbers are a mantissa, its top bit set or 0, times 2^exponent: maxNorm; maxNorm and eps times
 * lossScale, since gradients are measured before they are divided; the inverse of lossScale. Three times the mode, factor and
 * shift of a result and the coefficient: if the norm is at most the limit, if it is NaN, if it is infinite. The clamp is what stands
 * in their place when clipGradValue rewrites. p = powerUpper * 2^-16 + powerLower. The room is 2^-room of the norm, none if 0.
 */
export const PARAMETERS = /* @__PURE__ */ layout(`
struct Parameters {
  maxNorm: vec2<u32>, limit: vec2<u32>, eps: vec2<u32>, inverse: vec2<u32>,
  ifSmall: vec4<u32>,
  clamp: vec4<u32>,
  ifNan: vec4<u32>,
  ifInfinite: vec4<u32>,
  power: f32, powerUpper: i32, powerLower: f32,
  room: i32, scaleMode: u32, step: u32,
}`);

/** Flags of WebGPU, which are globals in browsers but not in Node.js. */
export const MAP_READ = 0x1;
export const COPY_SRC = 0x4;
export const COPY_DST = 0x8;
export const UNIFORM = 0x40;
export const STORAGE = 0x80;
