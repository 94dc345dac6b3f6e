// tests/bench/reference.test.js: the benchmark's reference norm against the exact oracle.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exactNorm, relativeError } from '../oracle.js';
import { makeTensors } from './data.js';
import { REFERENCE_ERROR, referenceNorm } from './reference.js';

for (const normType of [1, 2, Infinity, 3, 1.5, 2.7]) {
  test(`p=${normType}: within ${REFERENCE_ERROR} of the exact norm of 64k elements in two tensors`, () => {
    const tensors = makeTensors([40000, 25536]);
    const error = relativeError(referenceNorm(tensors, normType), exactNorm(tensors, normType));
    assert.ok(error <= REFERENCE_ERROR, `relative error ${error}`);
  });
}
