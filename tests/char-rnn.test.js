// tests/char-rnn.test.js: the model behind `npm start`, against a second one written from its formulae in
// doubles and plain arrays, whose gradients are central differences. Nothing of gradnorm is loaded here.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { alphabetOf, createBatches, createCharRnn, createRandom } from '../web/demo/char-rnn.js';

/** @typedef {ReturnType<typeof createCharRnn>} Model */

/** One text is empty, one is a single character, and one is longer than the models below may read. */
const TEXTS = ['', 'a', 'abba', 'bacca', 'abcabcabc'];
const SEQUENCE_LENGTH = 6;

/** Sizes that are no multiple of 4 take the kernel's way past the last row; V = 4 here, with a, b and c. */
const SIZES = [1, 2, 3, 4, 5, 7, 8];

/**
 * Bound on |gradient - central difference|, relative to the model's largest gradient (not to its own size:
 * what is left when large terms cancel keeps their errors). Every value that the model stores is rounded to
 * float32 once, by 2^-24 at most. From a weight to its gradient the longest way runs forward and back through
 * 6 rows of at most ceil(8 / 4) + ceil(8 / 4) + 3 stored values (products are stored four terms at a time)
 * and through the sum over 20 rows, stored five times: 2 * 6 * 7 + 5 = 89 < 2^7 roundings, hence 2^-17, and
 * twice that as no term is much larger than the largest sum. The difference quotient itself, with step h,
 * adds h^2 and 2^-53 / h, about 2^-34 each.
 */
const GRADIENT_BOUND = 2 ** -16;
const DIFFERENCE_STEP = 2 ** -17;

/** The loss passes through half as many roundings, forward only. */
const LOSS_BOUND = 2 ** -17;

/** @param {Partial<import('../web/demo/char-rnn.js').CharRnnOptions>} [options] */
function createSmallModel(options) {
  const sizes = { hiddenSize: 8, embeddingSize: 3, batchSize: 5, sequenceLength: SEQUENCE_LENGTH };
  return createCharRnn({ alphabet: alphabetOf(TEXTS), ...sizes, seed: 7, ...options });
}

/** @param {Model} model @returns {[string, { data: Float32Array, grad: Float32Array | null }][]} */
function entriesOf(model) {
  return Object.entries(model.parameters);
}

/** @param {Model} model */
function copyData(model) {
  return Object.fromEntries(entriesOf(model).map(([name, { data }]) => [name, [...data]]));
}

/** @param {Model} model */
function gradientBits(model) {
  return entriesOf(model).map(([name, { grad }]) => [name, grad && [...grad].map(hex)]);
}

/** @param {number} value */
function hex(value) {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return `0x${view.getBigUint64(0).toString(16).padStart(16, '0')}`;
}

/**
 * The loss as createCharRnn states it, in doubles, one text and one character at a time.
 *
 * @param {Record<string, number[]>} weights
 * @param {string} alphabet
 * @param {string[]} texts
 */
function oracleLoss(weights, alphabet, texts) {
  const hiddenSize = weights.hiddenBias.length;
  let loss = 0;
  let characters = 0;
  for (const text of texts) {
    const codes = [0, ...[...text].map((character) => alphabet.indexOf(character) + 1), 0];
    let hidden = new Array(hiddenSize).fill(0);
    for (let t = 1; t < codes.length && t <= SEQUENCE_LENGTH; t++, characters++) {
      hidden = oracleHidden(weights, codes[t - 1], hidden);
      const logits = weights.outputBias.map((bias, j) => bias + column(weights.hiddenToOutput, hidden, j));
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
      loss += Math.log(total) - logits[codes[t]];
    }
  }
  return loss / characters;
}

/** @param {Record<string, number[]>} weights @param {number} code @param {number[]} hidden */
function oracleHidden(weights, code, hidden) {
  const embeddingSize = weights.inputToHidden.length / hidden.length;
  const input = weights.embedding.slice(code * embeddingSize, (code + 1) * embeddingSize);
  return weights.hiddenBias.map((bias, j) =>
    Math.tanh(bias + column(weights.inputToHidden, input, j) + column(weights.hiddenToHidden, hidden, j)),
  );
}

/**
 * Element j of vector times matrix, the matrix stored row by row.
 *
 * @param {number[]} matrix
 * @param {number[]} vector
 * @param {number} j
 */
function column(matrix, vector, j) {
  const columns = matrix.length / vector.length;
  return vector.reduce((sum, value, row) => sum + value * matrix[row * columns + j], 0);
}

/**
 * @param {Record<string, number[]>} weights
 * @param {string} name
 * @param {number} index
 * @param {string} alphabet
 */
function centralDifference(weights, name, index, alphabet) {
  const [value, losses] = [weights[name][index], [0, 0]];
  [1, -1].forEach((sign, side) => {
    weights[name][index] = value + sign * DIFFERENCE_STEP;
    losses[side] = oracleLoss(weights, alphabet, TEXTS);
  });
  weights[name][index] = value;
  return (losses[0] - losses[1]) / (2 * DIFFERENCE_STEP);
}

for (const size of SIZES) {
  test(`hidden size ${size}: loss within 2^-17, gradients within 2^-16 of the oracle's`, () => {
    const model = createSmallModel({ hiddenSize: size, embeddingSize: 9 - size });
    // A few steps of learning first: biases start at zero, where mistakes could hide.
    for (let step = 0; step < 3; step++) {
      model.computeGradients(TEXTS);
      model.applyGradients();
    }
    const weights = copyData(model);
    const expectedLoss = oracleLoss(weights, model.alphabet, TEXTS);
    const loss = model.computeGradients(TEXTS);
    assert.ok(
      Math.abs(loss - expectedLoss) <= LOSS_BOUND * expectedLoss,
      `${hex(loss)} ${hex(expectedLoss)}`,
    );

    const pairs = entriesOf(model).flatMap(([name, { grad }]) =>
      [...(grad ?? [])].map((actual, index) => {
        const expected = centralDifference(weights, name, index, model.alphabet);
        return { place: `${name}[${index}]`, actual, expected };
      }),
    );
    const bound = GRADIENT_BOUND * Math.max(...pairs.map(({ expected }) => Math.abs(expected)));
    for (const { place, actual, expected } of pairs) {
      const message = `${place}: ${hex(actual)}, expected ${hex(expected)} within ${bound}`;
      assert.ok(Math.abs(actual - expected) <= bound, message);
    }
  });
}

test('gradients depend on the batch alone: no step leaves anything to the next', () => {
  const [used, fresh] = [createSmallModel(), createSmallModel()];
  used.computeGradients(TEXTS);
  used.generate(3);
  assert.equal(used.computeGradients(['cab', 'bc']), fresh.computeGradients(['cab', 'bc']));
  assert.deepEqual(gradientBits(used), gradientBits(fresh));
});

test('same seed, same bits: losses, gradients and texts; another seed, others', () => {
  const run = (/** @type {number} */ seed) => {
    const model = createSmallModel({ seed });
    const nextBatch = createBatches(TEXTS, 3, seed);
    const losses = Array.from({ length: 20 }, () => {
      const loss = model.computeGradients(nextBatch());
      model.applyGradients();
      return hex(loss);
    });
    return { losses, gradients: gradientBits(model), texts: model.generate(10) };
  };
  assert.deepEqual(run(3), run(3));
  assert.notDeepEqual(run(3).losses, run(4).losses);
});

test('gradients lie where the caller says, in one structure, with the bits that they have elsewhere', () => {
  const run = (/** @type {Model} */ model) => {
    const losses = Array.from({ length: 5 }, () => {
      const loss = model.computeGradients(TEXTS);
      model.applyGradients();
      return loss;
    });
    return { losses: losses.map(hex), gradients: gradientBits(model), data: copyData(model) };
  };
  const buffer = new ArrayBuffer(1 << 16);
  let end = 0;
  /** @type {import('../web/demo/char-rnn.js').Allocate} */
  const allocate = ({ embedding, ...lengths }) => {
    const take = (/** @type {number} */ length) =>
      new Float32Array(buffer, (end += 4 * length) - 4 * length, length);
    const arrays = Object.entries(lengths).map(([name, length]) => [name, take(length)]);
    return { embedding, ...Object.fromEntries(arrays) };
  };
  const model = createSmallModel({ allocate });
  assert.deepEqual(run(model), run(createSmallModel()));
  const grads = entriesOf(model).map(([name, { grad }]) => [name, grad]);
  assert.deepEqual(
    Object.entries(model.gradients).map(([name]) => name),
    grads.map(([name]) => name),
  );
  for (const [name, grad] of Object.entries(model.gradients)) {
    assert.equal(grad, Object.fromEntries(grads)[name], name);
    if (grad !== null) assert.equal(grad.buffer, buffer, name);
  }
});

test('the embedding is frozen: null gradient, same bits after a step; all else moves', () => {
  const model = createSmallModel();
  const before = copyData(model);
  model.computeGradients(TEXTS);
  model.applyGradients();
  const after = copyData(model);
  const frozen = entriesOf(model).filter(([, { grad }]) => grad === null);
  assert.deepEqual(
    frozen.map(([name]) => name),
    ['embedding'],
  );
  for (const [name, { data, grad }] of entriesOf(model)) {
    if (grad === null) assert.deepEqual(after[name], before[name]);
    else assert.notDeepEqual(after[name], before[name], name);
    assert.equal(grad?.length ?? data.length, data.length, name);
  }
});

test('applyGradients: velocity = momentum * velocity + grad, data -= rate * velocity, in float32', () => {
  const model = createSmallModel({ momentum: 0.5 });
  const { data, grad } = model.parameters.hiddenBias;
  grad.fill(1);
  model.applyGradients(0.25);
  assert.deepEqual([...data], new Array(8).fill(-0.25));
  model.applyGradients(0.25);
  assert.deepEqual([...data], new Array(8).fill(-0.25 - 0.25 * 1.5));
});

test('learns: after 300 steps on five names the loss is below 1/4 of the first', () => {
  const names = ['Ada', 'Grace', 'Sofja', 'Emmy', 'Hypatia'];
  const model = createCharRnn({ alphabet: alphabetOf(names), hiddenSize: 16, batchSize: 5 });
  const first = model.computeGradients(names);
  for (let step = 0; step < 300; step++) {
    model.computeGradients(names);
    model.applyGradients();
  }
  const last = model.computeGradients(names);
  assert.ok(last < first / 4, `${first} then ${last}`);
  const made = model.generate(20, 0.1);
  assert.ok(made.filter((name) => names.includes(name)).length >= 15, made.join(' '));
});

test('logits near 1e4 give a finite loss and finite gradients', () => {
  const model = createSmallModel();
  model.parameters.hiddenToOutput.data.forEach((value, index, data) => (data[index] = value * 1e4));
  assert.ok(Number.isFinite(model.computeGradients(TEXTS)));
  for (const [name, { grad }] of entriesOf(model))
    assert.ok(grad === null || grad.every(Number.isFinite), name);
});

test('generate: as many texts as asked for, [abc]{0,sequenceLength}, even from NaN', () => {
  const model = createSmallModel();
  assert.deepEqual(model.generate(0), []);
  const check = () => {
    const texts = model.generate(50, 5);
    assert.equal(texts.length, 50);
    for (const text of texts) assert.match(text, /^[abc]{0,6}$/);
  };
  check();
  model.parameters.outputBias.data.fill(NaN);
  check();
});

test('createBatches: every text once before any comes again, across batches, in changing order', () => {
  const texts = Array.from('abcdefghij');
  const nextBatch = createBatches(texts, 4, 1);
  const seen = Array.from({ length: 5 }, () => [...nextBatch()]).flat();
  assert.deepEqual(seen.slice(0, 10).sort(), texts);
  assert.deepEqual(seen.slice(10).sort(), texts);
  assert.notDeepEqual(seen.slice(0, 10), seen.slice(10));
  assert.equal(nextBatch(), nextBatch());
});

test('createRandom: in [0, 1), mean and variance those of the uniform law, streams differ', () => {
  const random = createRandom(1);
  const values = Array.from({ length: 1e5 }, random);
  assert.ok(values.every((value) => value >= 0 && value < 1));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  // Five standard errors: sqrt(1 / 12 / 1e5) and sqrt(1 / 180 / 1e5).
  assert.ok(Math.abs(mean - 1 / 2) < 5 * 9.2e-4, `mean ${mean}`);
  assert.ok(Math.abs(variance - 1 / 12) < 5 * 2.4e-4, `variance ${variance}`);
  assert.notEqual(createRandom(1, 0)(), createRandom(1, 1)());
});

test('errors name what they got and what is expected', () => {
  const model = createSmallModel();
  /** @type {[() => unknown, string][]} */
  const cases = [
    [
      () => createSmallModel({ alphabet: 'aba' }),
      'alphabet: got "aba", expected distinct characters, at least one',
    ],
    [
      () => createSmallModel({ alphabet: '' }),
      'alphabet: got "", expected distinct characters, at least one',
    ],
    [
      () => createSmallModel({ hiddenSize: 0 }),
      'hiddenSize: got 0, expected an integer from 1 to 1073741824',
    ],
    [
      () => createSmallModel({ batchSize: 1.5 }),
      'batchSize: got 1.5, expected an integer from 1 to 1073741824',
    ],
    [() => createSmallModel({ seed: -1 }), 'seed: got -1, expected an integer from 0 to 4294967295'],
    [() => createSmallModel({ momentum: 1 }), 'momentum: got 1, expected a number from 0 to below 1'],
    [
      () => createSmallModel({ learningRate: NaN }),
      'learningRate: got NaN, expected a number from 0 to below Infinity',
    ],
    [() => model.computeGradients([]), 'batch: got 0 texts, expected 1 to 5'],
    [() => model.computeGradients(new Array(6).fill('a')), 'batch: got 6 texts, expected 1 to 5'],
    [() => model.computeGradients(['abz']), '"abz": character 2 is not in the alphabet'],
    [() => model.generate(-1), 'count: got -1, expected an integer of at least 0'],
    [() => model.generate(1, 0), 'temperature: got 0, expected a number above 0'],
    [() => createBatches([], 4), 'texts: got an empty list, expected at least one text'],
  ];
  for (const [run, message] of cases) assert.throws(run, { name: 'RangeError', message });
});
