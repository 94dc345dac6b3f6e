// tests/bench/reference.test.js: the benchmark's reference norm against the exact oracle.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exactNorm, relativeError } from '../oracle.js';
import { makeTensors } from '../../web/demo/measure/data.js';
import { REFERENCE_ERROR, referenceNorm } from '../../web/demo/measure/reference.js';

for (const normType of [1, 2, Infinity, 3, 1.5, 2.7]) {
  test(`p=${normType}: within ${REFERENCE_ERROR} of the exact norm of 64k elements in two tensors`, () => {
    const tensors = makeTensors([40000, 25536]);
    const error = relativeError(referenceNorm(tensors, normType), exactNorm(tensors, normType));
    assert.ok(error <= REFERENCE_ERROR, `relative error ${error}`);
  });
}

for (const dtype of /** @type {const} */ (['float16', 'bfloat16'])) {
  test(`${dtype}: within ${REFERENCE_ERROR} of the exact norm, of the benchmark's data and of every finite half`, () => {
    const largest = dtype === 'float16' ? 0x7bff : 0x7f7f;
    const everyFinite = Uint16Array.from({ length: 2 * largest + 2 }, (_, i) =>
      i <= largest ? i : 0x8000 + i - largest - 1,
    );
    for (const data of [...makeTensors([40000], dtype), everyFinite]) {
      const error = relativeError(referenceNorm([data], 2, dtype), exactNorm([{ data, dtype }], 2));
      assert.ok(error <= REFERENCE_ERROR, `relative error ${error}`);
    }
  });
}
