// tests/bench/gpu/cases.js: the shapes of the gradients of the GPU benchmark, and what is promised about them.
import { gpt2Lengths } from '../../../web/demo/measure/data.js';

/**
 * @typedef {object} Shape
 * @property {string} name
 * @property {number[]} lengths   of the tensors
 */

const MEBIBYTE = 2 ** 20;
export const SIZES = [1, 64, 1000];

/** What takes a minute a sample on software is smaller there. */
const SOFTWARE = { sizes: [1, 8], list: 200, width: 48 };
const USUAL = { sizes: SIZES, list: 2000, width: 768 };

/**
 * @param {{ sizes: number[] | null, full: boolean }} options
 * @param {boolean} isSoftware
 * @returns {{ shapes: Shape[], notes: string[] }}  and why they are smaller than usual
 */
export function makeShapes({ sizes, full }, isSoftware) {
  const isReduced = isSoftware && !full;
  const scale = isReduced ? SOFTWARE : USUAL;
  const shapes = [
    ...(sizes ?? scale.sizes).map((size) => ({ name: `${size} MiB`, lengths: [(size * MEBIBYTE) / 4] })),
    { name: `${scale.list} x 512`, lengths: Array(scale.list).fill(512) },
    {
      name: isReduced ? `GPT-2 of width ${scale.width}` : 'GPT-2 small',
      lengths: gpt2Lengths(scale.width),
    },
  ];
  const notes = isReduced
    ? [
        `sizes are reduced, as software takes minutes for the usual ${SIZES.join(', ')} MiB, ${USUAL.list} x 512 and ` +
          `GPT-2 small (width ${USUAL.width}); --full has them all`,
      ]
    : [];
  return { shapes, notes };
}

/** On a real GPU, for p = 2 of the largest of SIZES. */
export const LEAST_SHARE = 0.8;
export const LEAST_RATIO = 10;
