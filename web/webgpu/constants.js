// web/webgpu/constants.js: numbers that the shaders and those who call them agree on. Pure; imports nothing.

/** Invocations of a workgroup: what every device has, one of compatibility mode included. */
export const THREADS = 128;

/** Elements that a workgroup reduces: a job. The same on every device, so that the sums are. */
export const JOB_ELEMENTS = 4096;

/** Vectors of four elements of a job that an invocation has. */
export const CHUNKS_PER_THREAD = JOB_ELEMENTS / (4 * THREADS);

/** Words of a job and of a partial. */
export const JOB_WORDS = 4;

/** A buffer of which no more than this is read may be copied together with others: a job of float32. */
export const GATHERED_BYTES = 4 * JOB_ELEMENTS;

/** Workgroups that rewrite, each job after job: enough to fill a GPU, few enough to cost nothing when nothing is clipped. */
export const REWRITE_WORKGROUPS = 2048;

/** Partials that a workgroup merges, sixteen an invocation; more need two levels. */
export const MERGE_PARTIALS = 2048;

/** A job's sum counts units of 2^-UNIT_BITS of the power of the job's binade. */
export const UNIT_BITS = 42;

/** How far a job's sum is shifted to the left in the 128 bits of a total. */
export const TOTAL_SHIFT = 40;

/** Words from one total to the next: whole vectors. */
export const TOTAL_STRIDE = 12;

/** The bits of Infinity. */
export const FLOAT_INFINITY = 0x7f800000;

/** Flags in the result buffer. */
export const FLAG_NAN = 1;
export const FLAG_INFINITY = 2;
export const FLAG_CLIPPED = 4;

/** What rewriting does, as the result says: nothing, multiply, fill with +0, NaN or zeros of the old signs, or multiply down. */
export const MODE_KEEP = 0;
export const MODE_SCALE = 1;
export const MODE_ZERO = 2;
export const MODE_NAN = 3;
export const MODE_SIGNED_ZERO = 4;
export const MODE_SCALE_DOWN = 5;

/** The policy among the parameters is a sum of these. */
export const POLICY_UNLIMITED = 1;
export const POLICY_SKIP = 2;
export const POLICY_ZERO = 4;
export const POLICY_ROOM = 8;
export const POLICY_TOWARD_ZERO = 16;

/** Flags of WebGPU, which are globals in browsers but not in Node.js. */
export const MAP_READ = 0x1;
export const COPY_SRC = 0x4;
export const COPY_DST = 0x8;
export const UNIFORM = 0x40;
export const STORAGE = 0x80;
export const STAGE_COMPUTE = 0x4;
