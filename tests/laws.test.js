// tests/laws.test.js: the laws of norms, of gradNorm.
import { gradNorm } from 'gradnorm';
import { NORM_TYPES, promisedBound } from './accuracy.js';
import { testLaws } from './laws.js';

testLaws({
  norm: gradNorm,
  normTypes: [...NORM_TYPES, 0.3, 2.7, 66.6, 12345.678],
  bound: (gradients, p) => promisedBound(/** @type {any} */ (gradients), p),
  isProduct: (p) => Number.isInteger(2 * p) && p <= 10,
  sameBitsWhenCut: () => true,
  isNarrow: false,
  trials: 10,
});
