// web/demo/char-rnn.js: the model behind `npm start` and the demo page: it makes the gradients that gradNorm
// measures. Plain JavaScript without Node or DOM, so that it also runs in a Worker; forward and backward pass
// are written by hand over Float32Array. It knows nothing of gradnorm; `parameters` is a record as that takes.
//
// A text becomes a run of rows, one for each predicted character, and a batch is its texts' rows one after
// another. Hence no padding and no masks, and the gradient of a weight is one product over all the rows.

/**
 * @typedef {object} CharRnnOptions
 * @property {string} alphabet characters the texts may hold, see {@link alphabetOf}
 * @property {number} [hiddenSize] H, 128 by default
 * @property {number} [embeddingSize] E, 32 by default
 * @property {number} [batchSize] most texts in a batch, 16 by default
 * @property {number} [sequenceLength] characters predicted per text, its end included; the rest of a longer
 *   text is not read; 16 by default
 * @property {number} [learningRate] 0.1 by default
 * @property {number} [momentum] 0.9 by default
 * @property {number} [seed] of the initial weights and of `generate`, 0 .. 2^32 - 1; 1 by default
 * @property {Allocate} [allocate] where the gradients lie; arrays of their own if left out
 */

/** @typedef {{ data: Float32Array, grad: Float32Array }} TrainedParameter */
/** @typedef {{ data: Float32Array, grad: null }} FrozenParameter */

/**
 * How many elements the gradient of each parameter has; null if it has none.
 * @typedef {{ embedding: null, inputToHidden: number, hiddenToHidden: number, hiddenBias: number,
 *   hiddenToOutput: number, outputBias: number }} GradientLengths
 */

/** @typedef {{ readonly [Name in keyof GradientLengths]: Name extends 'embedding' ? null : Float32Array }} Gradients */

/** @typedef {(lengths: GradientLengths) => Gradients} Allocate  makes the arrays that gradients are written to */

/** The code for "no character": what comes before the first and after the last one of every text. */
const BOUNDARY = 0;

/** A vector of one, read with stride 0: the sum of a matrix's rows is this "vector" times the matrix. */
const ONE = Float32Array.of(1);

/**
 * Random numbers in [0, 1), 32 bits each: sfc32 by Chris Doty-Humphrey, of his PractRand
 * (https://pracrand.sourceforge.net), with its way of seeding and its 12 rounds of warming up.
 *
 * @param {number} seed 0 .. 2^32 - 1
 * @param {number} [stream] 0 .. 2^32 - 1: streams of one seed are unrelated
 * @returns {() => number}
 */
export function createRandom(seed, stream = 0) {
  let a = 0;
  let b = seed | 0;
  let c = stream | 0;
  let counter = 1;
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let round = 0; round < 12; round++) next();
  return next;
}

/**
 * The distinct characters (UTF-16 code units) of the texts, sorted.
 *
 * @param {string[]} texts
 */
export function alphabetOf(texts) {
  return [...new Set(texts.join('').split(''))].sort().join('');
}

/**
 * Batches without end: the texts in random order, then again in a new order, cut every `batchSize` texts.
 *
 * @param {string[]} texts
 * @param {number} batchSize
 * @param {number} [seed] 0 .. 2^32 - 1
 * @returns {() => string[]} fills and returns the same array at every call
 * @throws {RangeError} no texts
 */
export function createBatches(texts, batchSize, seed = 1) {
  if (texts.length === 0) throw new RangeError('texts: got an empty list, expected at least one text');
  const random = createRandom(seed, 1);
  const order = [...texts];
  const batch = new Array(requireSize('batchSize', batchSize)).fill('');
  let position = order.length;
  return () => {
    for (let index = 0; index < batchSize; index++) {
      if (position === order.length) {
        shuffle(order, random);
        position = 0;
      }
      batch[index] = order[position++];
    }
    return batch;
  };
}

/**
 * Creates a character-level recurrent network with random weights. With c_t the t-th character's code
 * (c_0 = c_end = 0), row vectors, and h_0 = 0:
 *
 *     h_t    = tanh(embedding[c_(t-1)] inputToHidden + h_(t-1) hiddenToHidden + hiddenBias)
 *     p_t    = softmax(h_t hiddenToOutput + outputBias)
 *     loss   = mean over all t and texts of -log p_t[c_t]                       (nats a character)
 *
 * @param {CharRnnOptions} options
 * @returns {CharRnn}
 * @throws {RangeError} an option is out of its range
 */
export function createCharRnn(options) {
  return new CharRnn(options);
}

/** The network. Usage: `loss = computeGradients(batch)`, look at `parameters`, `applyGradients()`, repeat. */
class CharRnn {
  #random;
  #workspace;
  #velocities;
  #codes;

  /** @param {CharRnnOptions} options see {@link createCharRnn} */
  constructor({
    alphabet,
    hiddenSize = 128,
    embeddingSize = 32,
    batchSize = 16,
    sequenceLength = 16,
    learningRate = 0.1,
    momentum = 0.9,
    seed = 1,
    allocate = allocateAnywhere,
  }) {
    this.alphabet = requireAlphabet(alphabet);
    this.hiddenSize = requireSize('hiddenSize', hiddenSize);
    this.embeddingSize = requireSize('embeddingSize', embeddingSize);
    this.batchSize = requireSize('batchSize', batchSize);
    this.sequenceLength = requireSize('sequenceLength', sequenceLength);
    this.learningRate = requireInside('learningRate', learningRate, 0, Infinity);
    this.momentum = requireInside('momentum', momentum, 0, 1);
    this.#random = createRandom(requireInteger('seed', seed, 0, 2 ** 32 - 1));

    /** V, the alphabet and the boundary. */
    this.outputSize = alphabet.length + 1;
    const { embeddingSize: E, hiddenSize: H, outputSize: V } = this;

    /** What `parameters` have as their `grad`, made in one go: null for the embedding, which is frozen. */
    this.gradients = allocate({
      embedding: null,
      inputToHidden: E * H,
      hiddenToHidden: H * H,
      hiddenBias: H,
      hiddenToOutput: H * V,
      outputBias: V,
    });
    const trained = (
      /** @type {Exclude<keyof GradientLengths, 'embedding'>} */ name,
      /** @type {Float32Array} */ data,
    ) => ({
      data,
      grad: this.gradients[name],
    });

    /**
     * Matrices are stored row by row. The embedding is frozen: random codes tell the characters apart, and
     * inputToHidden learns what to make of them. Its gradient is null, which `gradNorm` skips.
     */
    this.parameters = {
      /** @type {FrozenParameter} V x E */
      embedding: { data: randomArray(V * E, 1, this.#random), grad: null },
      /** @type {TrainedParameter} E x H */
      inputToHidden: trained('inputToHidden', randomArray(E * H, 1 / E, this.#random)),
      /** @type {TrainedParameter} H x H */
      hiddenToHidden: trained('hiddenToHidden', randomArray(H * H, 1 / H, this.#random)),
      /** @type {TrainedParameter} H */
      hiddenBias: trained('hiddenBias', new Float32Array(H)),
      /** @type {TrainedParameter} H x V */
      hiddenToOutput: trained('hiddenToOutput', randomArray(H * V, 1 / H, this.#random)),
      /** @type {TrainedParameter} V */
      outputBias: trained('outputBias', new Float32Array(V)),
    };
    this.#workspace = createWorkspace(this.batchSize * this.sequenceLength, E, H, V);
    this.#velocities = Object.values(this.parameters).map(({ data }) => new Float32Array(data.length));
    this.#codes = new Map(alphabet.split('').map((character, index) => [character.charCodeAt(0), index + 1]));
  }

  /**
   * Forward and backward pass: writes every `grad` anew and changes no weight. Allocates no arrays.
   *
   * @param {string[]} batch 1 .. batchSize texts
   * @returns {number} the loss, in nats a character
   * @throws {RangeError} too few or too many texts, or a character outside the alphabet
   */
  computeGradients(batch) {
    const rows = this.#encode(batch);
    const { outputs, inputCodes, targetCodes } = this.#workspace;
    let loss = 0;
    for (let row = 0; row < rows; row++) {
      this.#forward(row, inputCodes[row]);
      const start = row * this.outputSize;
      const logit = outputs[start + targetCodes[row]];
      loss += softmax(outputs, start, this.outputSize) - logit;
    }
    this.#backward(rows);
    return loss / rows;
  }

  /**
   * Gradient descent with momentum: velocity = momentum * velocity + grad, data -= learningRate * velocity.
   *
   * @param {number} [learningRate] instead of the model's own, for schedules
   */
  applyGradients(learningRate = this.learningRate) {
    Object.values(this.parameters).forEach(({ data, grad }, index) => {
      if (grad !== null) descend(data, grad, this.#velocities[index], learningRate, this.momentum);
    });
  }

  /**
   * Samples texts of at most sequenceLength characters. A call continues the random stream of the last one.
   *
   * @param {number} count
   * @param {number} [temperature] divides the logits; below 1, safer texts
   * @returns {string[]}
   * @throws {RangeError} count or temperature out of range
   */
  generate(count, temperature = 0.8) {
    requireInteger('count', count, 0);
    if (!(temperature > 0)) {
      throw new RangeError(`temperature: got ${temperature}, expected a number above 0`);
    }
    return Array.from({ length: count }, () => this.#generateOne(temperature));
  }

  /** @param {number} temperature */
  #generateOne(temperature) {
    const { outputs } = this.#workspace;
    let text = '';
    let code = BOUNDARY;
    for (let row = 0; row < this.sequenceLength; row++) {
      this.#forward(row, code);
      softmax(outputs, row * this.outputSize, this.outputSize, temperature);
      code = drawIndex(outputs, row * this.outputSize, this.outputSize, this.#random());
      if (code === BOUNDARY) break;
      text += this.alphabet[code - 1];
    }
    return text;
  }

  /**
   * Writes the batch into inputCodes and targetCodes. A text's first row is the one whose input is BOUNDARY.
   *
   * @param {string[]} batch
   * @returns {number} rows written
   */
  #encode(batch) {
    if (batch.length < 1 || batch.length > this.batchSize) {
      throw new RangeError(`batch: got ${batch.length} texts, expected 1 to ${this.batchSize}`);
    }
    const { inputCodes, targetCodes } = this.#workspace;
    let row = 0;
    for (const text of batch) {
      let code = BOUNDARY;
      const length = Math.min(text.length + 1, this.sequenceLength);
      for (let index = 0; index < length; index++, row++) {
        inputCodes[row] = code;
        code = index === text.length ? BOUNDARY : this.#codeAt(text, index);
        targetCodes[row] = code;
      }
    }
    return row;
  }

  /** @param {string} text @param {number} index */
  #codeAt(text, index) {
    const code = this.#codes.get(text.charCodeAt(index));
    if (code !== undefined) return code;
    throw new RangeError(`${JSON.stringify(text)}: character ${index} is not in the alphabet`);
  }

  /**
   * One row: hidden state and logits after reading `code`. Reads the row before, unless a text starts here.
   *
   * @param {number} row
   * @param {number} code
   */
  #forward(row, code) {
    const { embeddingSize: E, hiddenSize: H, outputSize: V } = this;
    const { embedding, inputToHidden, hiddenToHidden, hiddenBias, hiddenToOutput, outputBias } =
      this.parameters;
    const { inputs, previous, hidden, outputs } = this.#workspace;
    copy(inputs, row * E, embedding.data, code * E, E);
    copy(hidden, row * H, hiddenBias.data, 0, H);
    addVectorMatrix(hidden, row * H, inputs, row * E, 1, inputToHidden.data, E, H);
    if (code === BOUNDARY) {
      previous.fill(0, row * H, (row + 1) * H);
    } else {
      copy(previous, row * H, hidden, (row - 1) * H, H);
      addVectorMatrix(hidden, row * H, previous, row * H, 1, hiddenToHidden.data, H, H);
    }
    for (let index = row * H; index < (row + 1) * H; index++) hidden[index] = Math.tanh(hidden[index]);

    copy(outputs, row * V, outputBias.data, 0, V);
    addVectorMatrix(outputs, row * V, hidden, row * H, 1, hiddenToOutput.data, H, V);
  }

  /**
   * The gradients of all rows. On entry `outputs` holds probabilities; it becomes d loss / d logits.
   *
   * @param {number} rows
   */
  #backward(rows) {
    const { embeddingSize: E, hiddenSize: H, outputSize: V } = this;
    const { inputToHidden, hiddenToHidden, hiddenBias, hiddenToOutput, outputBias } = this.parameters;
    const { inputs, previous, hidden, outputs, hiddenDeltas, targetCodes } = this.#workspace;
    for (let row = 0; row < rows; row++) outputs[row * V + targetCodes[row]] -= 1;
    for (let index = 0; index < rows * V; index++) outputs[index] /= rows;
    this.#backwardThroughTime(rows);

    setTransposedProduct(inputToHidden.grad, inputs, E, hiddenDeltas, H, rows);
    setTransposedProduct(hiddenToHidden.grad, previous, H, hiddenDeltas, H, rows);
    setTransposedProduct(hiddenToOutput.grad, hidden, H, outputs, V, rows);
    setRowSum(hiddenBias.grad, hiddenDeltas, H, rows);
    setRowSum(outputBias.grad, outputs, V, rows);
  }

  /**
   * Fills hiddenDeltas, d loss / d (argument of tanh), from the last row to the first:
   * delta_t = (outputDelta_t hiddenToOutput^T + delta_(t+1) hiddenToHidden^T) * (1 - h_t^2).
   *
   * @param {number} rows
   */
  #backwardThroughTime(rows) {
    const { hiddenSize: H, outputSize: V } = this;
    const { hidden, outputs, hiddenDeltas, inputCodes, outputToHidden, hiddenToPrevious } = this.#workspace;
    transpose(outputToHidden, this.parameters.hiddenToOutput.data, H, V);
    transpose(hiddenToPrevious, this.parameters.hiddenToHidden.data, H, H);
    hiddenDeltas.fill(0, 0, rows * H);
    for (let row = rows - 1; row >= 0; row--) {
      addVectorMatrix(hiddenDeltas, row * H, outputs, row * V, 1, outputToHidden, V, H);
      for (let index = row * H; index < (row + 1) * H; index++) {
        hiddenDeltas[index] *= 1 - hidden[index] * hidden[index];
      }
      if (inputCodes[row] === BOUNDARY) continue;
      addVectorMatrix(hiddenDeltas, (row - 1) * H, hiddenDeltas, row * H, 1, hiddenToPrevious, H, H);
    }
  }
}

/**
 * Everything a step writes besides gradients, made once.
 *
 * @param {number} rows most rows in a batch
 * @param {number} E
 * @param {number} H
 * @param {number} V
 */
function createWorkspace(rows, E, H, V) {
  return {
    inputCodes: new Int32Array(rows),
    targetCodes: new Int32Array(rows),
    /** rows x E */
    inputs: new Float32Array(rows * E),
    /** rows x H, the state before the row */
    previous: new Float32Array(rows * H),
    /** rows x H, the state after the row */
    hidden: new Float32Array(rows * H),
    /** rows x V: logits, then probabilities, then their gradient */
    outputs: new Float32Array(rows * V),
    /** rows x H */
    hiddenDeltas: new Float32Array(rows * H),
    /** V x H, transposed weights: see addVectorMatrix */
    outputToHidden: new Float32Array(V * H),
    /** H x H */
    hiddenToPrevious: new Float32Array(H * H),
  };
}

/**
 * The one kernel: out[j] += sum_k vector[k] * matrix[k][j], k < rows, j < columns. All products come down to
 * it, with a column of a matrix as the vector (stride > 1) or with transposed weights: it reads the matrix in
 * order, and four of its rows at a time, which is twice as fast as one.
 *
 * @param {Float32Array} out
 * @param {number} outStart
 * @param {Float32Array} vector
 * @param {number} vectorStart
 * @param {number} vectorStride
 * @param {Float32Array} matrix rows x columns
 * @param {number} rows
 * @param {number} columns
 */
function addVectorMatrix(out, outStart, vector, vectorStart, vectorStride, matrix, rows, columns) {
  for (let row = 0; row < rows; row += 4) {
    // Past the last row: the last row once more, times zero.
    const step1 = row + 1 < rows ? 1 : 0;
    const step2 = row + 2 < rows ? 2 : 0;
    const step3 = row + 3 < rows ? 3 : 0;
    const at = vectorStart + row * vectorStride;
    const v0 = vector[at];
    const v1 = step1 && vector[at + step1 * vectorStride];
    const v2 = step2 && vector[at + step2 * vectorStride];
    const v3 = step3 && vector[at + step3 * vectorStride];
    const row0 = row * columns;
    const row1 = row0 + step1 * columns;
    const row2 = row0 + step2 * columns;
    const row3 = row0 + step3 * columns;
    for (let j = 0; j < columns; j++) {
      const low = v0 * matrix[row0 + j] + v1 * matrix[row1 + j];
      const high = v2 * matrix[row2 + j] + v3 * matrix[row3 + j];
      out[outStart + j] += low + high;
    }
  }
}

/**
 * out = activations^T deltas, the gradient of the weight that led from the one to the other.
 *
 * @param {Float32Array} out width x columns
 * @param {Float32Array} activations rows x width
 * @param {number} width
 * @param {Float32Array} deltas rows x columns
 * @param {number} columns
 * @param {number} rows
 */
function setTransposedProduct(out, activations, width, deltas, columns, rows) {
  out.fill(0);
  for (let index = 0; index < width; index++) {
    addVectorMatrix(out, index * columns, activations, index, width, deltas, rows, columns);
  }
}

/**
 * out = sum of the rows, the gradient of a bias.
 *
 * @param {Float32Array} out columns
 * @param {Float32Array} matrix rows x columns
 * @param {number} columns
 * @param {number} rows
 */
function setRowSum(out, matrix, columns, rows) {
  out.fill(0);
  addVectorMatrix(out, 0, ONE, 0, 0, matrix, rows, columns);
}

/**
 * @param {Float32Array} out columns x rows
 * @param {Float32Array} matrix rows x columns
 * @param {number} rows
 * @param {number} columns
 */
function transpose(out, matrix, rows, columns) {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++)
      out[column * rows + row] = matrix[row * columns + column];
  }
}

/**
 * A loop, as `out.set(source.subarray(...))` would allocate a view each time.
 *
 * @param {Float32Array} out
 * @param {number} outStart
 * @param {Float32Array} source
 * @param {number} sourceStart
 * @param {number} count
 */
function copy(out, outStart, source, sourceStart, count) {
  for (let index = 0; index < count; index++) out[outStart + index] = source[sourceStart + index];
}

/**
 * Turns logits into probabilities in place. The maximum is subtracted first, so that exp cannot overflow.
 *
 * @param {Float32Array} values
 * @param {number} start
 * @param {number} count
 * @param {number} [temperature] divides the logits
 * @returns {number} log sum exp of the divided logits
 */
function softmax(values, start, count, temperature = 1) {
  let maximum = -Infinity;
  for (let index = start; index < start + count; index++) maximum = Math.max(maximum, values[index]);
  let sum = 0;
  for (let index = start; index < start + count; index++) {
    const weight = Math.exp((values[index] - maximum) / temperature);
    values[index] = weight;
    sum += weight;
  }
  for (let index = start; index < start + count; index++) values[index] /= sum;
  return maximum / temperature + Math.log(sum);
}

/**
 * The index at which the running sum of the probabilities passes `uniform`; the last one if rounding, or NaN,
 * keeps the sum below it.
 *
 * @param {Float32Array} probabilities
 * @param {number} start
 * @param {number} count
 * @param {number} uniform in [0, 1)
 */
function drawIndex(probabilities, start, count, uniform) {
  let sum = 0;
  for (let index = 0; index < count - 1; index++) {
    sum += probabilities[start + index];
    if (uniform < sum) return index;
  }
  return count - 1;
}

/**
 * See applyGradients.
 *
 * @param {Float32Array} data
 * @param {Float32Array} grad
 * @param {Float32Array} velocity
 * @param {number} learningRate
 * @param {number} momentum
 */
function descend(data, grad, velocity, learningRate, momentum) {
  for (let index = 0; index < data.length; index++) {
    velocity[index] = momentum * velocity[index] + grad[index];
    data[index] -= learningRate * velocity[index];
  }
}

/** @type {Allocate} */
function allocateAnywhere({ embedding, ...lengths }) {
  const arrays = Object.entries(lengths).map(([name, length]) => [name, new Float32Array(length)]);
  return { embedding, ...Object.fromEntries(arrays) };
}

/**
 * Uniform around 0. A variance of 1 / (number of inputs) keeps the size of a signal through a weight matrix.
 *
 * @param {number} count
 * @param {number} variance
 * @param {() => number} random
 */
function randomArray(count, variance, random) {
  const limit = Math.sqrt(3 * variance);
  return Float32Array.from({ length: count }, () => (2 * random() - 1) * limit);
}

/**
 * Fisher and Yates' shuffle, in place.
 *
 * @param {string[]} list
 * @param {() => number} random
 */
function shuffle(list, random) {
  for (let last = list.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [list[last], list[other]] = [list[other], list[last]];
  }
}

/** @param {string} alphabet */
function requireAlphabet(alphabet) {
  if (alphabet.length > 0 && new Set(alphabet.split('')).size === alphabet.length) return alphabet;
  throw new RangeError(
    `alphabet: got ${JSON.stringify(alphabet)}, expected distinct characters, at least one`,
  );
}

/**
 * `| 0` because engines may hold an integer as a double, say one from an object that also holds 0.1. As a
 * size in the kernel, it would make every index there a double and a step take 1.6 times as long.
 *
 * @param {string} name
 * @param {number} value
 */
function requireSize(name, value) {
  return requireInteger(name, value, 1, 2 ** 30) | 0;
}

/** @param {string} name @param {number} value @param {number} lowest @param {number} [highest] */
function requireInteger(name, value, lowest, highest = Infinity) {
  if (Number.isInteger(value) && value >= lowest && value <= highest) return value;
  const range = highest === Infinity ? `of at least ${lowest}` : `from ${lowest} to ${highest}`;
  throw new RangeError(`${name}: got ${value}, expected an integer ${range}`);
}

/** @param {string} name @param {number} value @param {number} lowest @param {number} limit not reached */
function requireInside(name, value, lowest, limit) {
  if (value >= lowest && value < limit) return value;
  throw new RangeError(`${name}: got ${value}, expected a number from ${lowest} to below ${limit}`);
}
