// web/webgpu/layouts.js: structures of words that the shaders and those who call them share: the WGSL of each and where its
// fields stand are made from one list. Pure; imports nothing.

/** @typedef {'u32' | 'i32' | 'f32' | 'vec4<u32>'} FieldType */

/**
 * @template {string} Name
 * @param {string} name
 * @param {Record<Name, FieldType>} fields  in an order in which each stands where WGSL aligns it to
 * @param {string} [last]  the WGSL of a field behind them
 * @returns {{ wgsl: string, words: number, at: Record<Name, number> }}
 */
function layout(name, fields, last = '') {
  const entries = /** @type {[Name, FieldType][]} */ (Object.entries(fields));
  const at = /** @type {Record<Name, number>} */ ({});
  let words = 0;
  for (const [field, type] of entries) {
    at[field] = words;
    words += type === 'vec4<u32>' ? 4 : 1;
  }
  const lines = entries.map(([field, type]) => `  ${field}: ${type},`).join('\n');
  return { wgsl: `struct ${name} {\n${lines}\n${last}}`, words, at };
}

/**
 * A total of partials: the largest magnitude's bits; job, position and bits of the first element that is not finite, the job
 * 0xffffffff if there is none. The sum has 128 bits and counts units of 2^(exponent - 40).
 * @type {Record<'largest' | 'exponent' | 'job' | 'position' | 'bits' | 'sum0' | 'sum1' | 'sum2' | 'sum3', FieldType>}
 */
const TOTAL_FIELDS = {
  largest: 'u32',
  exponent: 'i32',
  job: 'u32',
  position: 'u32',
  bits: 'u32',
  sum0: 'u32',
  sum1: 'u32',
  sum2: 'u32',
  sum3: 'u32',
};
export const TOTAL = layout('Total', TOTAL_FIELDS);

/** The result buffer: what is the user's, the total, and what rewriting does: the mode, and the coefficient as factor * 2^shift. */
export const RESULT = layout('Result', {
  flags: 'u32',
  norm: 'u32',
  coefficient: 'u32',
  step: 'u32',
  ...TOTAL_FIELDS,
  mode: 'u32',
  factor: 'u32',
  shift: 'i32',
});

/** What a dispatch of a shader with jobs works on: the entries of the table of jobs, and where the partials begin. */
export const DISPATCH = layout('Dispatch', { firstEntry: 'u32', jobCount: 'u32', firstPartial: 'u32' });

/** What is merged, and the word that the totals are written from. */
export const MERGE = layout('Merge', { count: 'u32', firstPart: 'u32', firstWord: 'u32' });

/** The table of a real power has a row for every binade from 2^LOWEST_BINADE on; two words each. */
export const LOWEST_BINADE = -280;
export const BINADES = 412;

const PARAMETER_FIELDS = /** @type {const} */ ({
  // mantissa * 2^exponent, the mantissa's top bit set or 0: maxNorm, and with eps once more times lossScale, as what is measured
  // is; and the inverse of lossScale, the mantissa of 24 bits.
  maxNormMantissa: 'u32',
  maxNormExponent: 'i32',
  limitMantissa: 'u32',
  limitExponent: 'i32',
  epsMantissa: 'u32',
  epsExponent: 'i32',
  inverseMantissa: 'u32',
  inverseExponent: 'i32',
  // A sum of the numbers in web/webgpu/constants.js.
  policy: 'u32',
  // p = upper + lower; the upper has few bits, so that its product with a whole number is exact.
  power: 'f32',
  powerUpper: 'f32',
  powerLower: 'f32',
  // clipValue in the bits of each element type, by its code.
  limits: 'vec4<u32>',
  // The number of the step, and three unused.
  step: 'vec4<u32>',
});

/** The parameters of a step. A row of the table of binade k is ceil(p k), and p k - ceil(p k) as the bits of a float. */
export const PARAMETERS = layout(
  'Parameters',
  PARAMETER_FIELDS,
  `  table: array<vec4<u32>, ${BINADES / 2}>,\n`,
);
export const PARAMETER_BYTES = 4 * (PARAMETERS.words + 2 * BINADES);
