// web/webgpu/constants.js: numbers that the shaders and those who call them agree on. Pure; imports nothing.

/** Invocations of a workgroup. */
export const THREADS = 256;

/** Elements that a workgroup reduces: a job. The same on every device, so that the sums are. */
export const JOB_ELEMENTS = 4096;

/** Elements of a job that an invocation holds in registers. */
export const ELEMENTS_PER_THREAD = JOB_ELEMENTS / THREADS;

/** Words of a job and of the partial that takes its place beside it. */
export const JOB_WORDS = 4;

/** A buffer of which no more than this is read may be copied together with others: a job of float32. */
export const GATHERED_BYTES = 4 * JOB_ELEMENTS;

/** Workgroups that rewrite, each job after job: enough to fill a GPU, few enough to cost nothing when nothing is clipped. */
export const REWRITE_WORKGROUPS = 1024;

/** The element types that buffers can hold; the numbers are those in a job. */
export const JOB_FLOAT32 = 0;
export const JOB_FLOAT16 = 1;
export const JOB_BFLOAT16 = 2;

/** Partials that a workgroup merges; more need two levels. */
export const MERGE_PARTIALS = 4096;

/** A job's sum counts units of 2^-UNIT_BITS of the power of the job's binade. */
export const UNIT_BITS = 42;

/** How far a job's sum is shifted to the left in the 128 bits of a total. */
export const TOTAL_SHIFT = 40;

/** Words of a total: see the shader in merge-shader.js. */
export const TOTAL_WORDS = 12;

/** Words of the result buffer: four for the user, then the total. */
export const RESULT_WORDS = 16;
export const TOTAL_AT = 4;

/** Flags in the result buffer. */
export const FLAG_NAN = 1;
export const FLAG_INFINITY = 2;
export const FLAG_CLIPPED = 4;

/** Words of the parameters of a step, before the table of a real power. */
export const PARAMETER_WORDS = 16;
/** The table has a row for every binade from 2^LOWEST_BINADE on; two words each. */
export const LOWEST_BINADE = -280;
export const BINADES = 412;
export const PARAMETER_BYTES = 4 * (PARAMETER_WORDS + 2 * BINADES);

/** Bits of the NaN that 'propagate' writes, by element type. */
export const QUIET_NAN = [0x7fc00000, 0x7e00, 0x7fc0];

/** Flags of WebGPU, which are globals in browsers but not in Node.js. */
export const MAP_READ = 0x1;
export const COPY_SRC = 0x4;
export const COPY_DST = 0x8;
export const UNIFORM = 0x40;
export const STORAGE = 0x80;
export const STAGE_COMPUTE = 0x4;
