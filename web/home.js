// web/home.js: the contract of homes, the places where gradients live. No code: tests/homes.js is its conformance suite, which
// runs on JavaScript's arrays, on those of allocGradients, and on buffers of a GPU.

/**
 * @template T
 * @typedef {T | Promise<T>} Eventually  a home on another device answers later
 */

/**
 * What every home does with gradients that live there, and all that it does. None of it moves them elsewhere, but for what the home
 * itself needs: a copy through the staging area, 64 bytes from a GPU, nothing.
 *
 * @template Gradients  as the home knows them
 * @typedef {object} Home
 * @property {(gradients: Gradients, normType: number) => Eventually<Pick<import('./accumulator.js').NormAccumulator, 'norm' | 'count' | 'toJSON'>>} reduce
 *   The exact sum of all powers as a partial: whichever home it comes from, it can be merged with any other. Writes nothing.
 * @property {(gradients: Gradients, normType: number) => Eventually<import('./report.js').GradReport>} inspect
 *   The health of all and of each: counts, largest and mean magnitude, the first element that is not finite. Writes nothing.
 * @property {(gradients: Gradients, maxNorm: number, options?: import('./door/clip-options.js').ClipOptions) => Eventually<number>} scale
 *   Rewrites every element by the factor that brings the norm to maxNorm, and nothing else; writes nothing if the norm is not above
 *   it. Returns the norm before.
 * @property {(gradients: Gradients, limit: number) => Eventually<void>} clamp
 *   Rewrites every element to the nearest one in [-limit, limit], and nothing else.
 */

export {};
