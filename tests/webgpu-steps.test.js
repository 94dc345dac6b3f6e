// tests/webgpu-steps.test.js: steps on the GPU that decide and do not scale, limits that come from a monitor, kernels that are
// compiled before they are needed, and products on devices that round in their own way.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { clipGradNorm, GradMonitor, gradNorm } from 'gradnorm';
import { GpuGradNorm } from 'gradnorm/webgpu';
import { sgdStep } from '../web/examples/gpu.js';
import { createRandom, hex, makeArray } from './accuracy.js';
import {
  bufferOf,
  bytesOf,
  closeGpu,
  countCalls,
  IS_THOROUGH,
  openGpu,
  requestDevice,
} from './webgpu-device.js';

/** @type {GPUDevice} */
let device;
/** @type {string[]} */
let errors;
/** @type {GpuGradNorm} */
let gpu;

before(async () => ({ device, errors, gpu } = await openGpu()));
after(() => closeGpu({ device, errors, gpu }));

const JOB = 4096;
const POLICIES = /** @type {const} */ (['propagate', 'throw', 'skip', 'zero']);

const tensorOf = (/** @type {Float32Array} */ array, on = device) => ({
  buffer: bufferOf(on, array, 0, 0),
  length: array.length,
});

/** @param {{ buffer: GPUBuffer }} tensor */
const floatsOf = async ({ buffer }) => new Float32Array(await bytesOf(device, buffer));

/** @param {GPUBuffer} buffer */
const wordsOf = async (buffer, on = device) => new Uint32Array(await bytesOf(on, buffer));

describe('clipCoefficient', () => {
  test('the result is that of clipGradNorm bit for bit, for every p and policy, and no gradient changes', async () => {
    const random = createRandom(1);
    const finite = makeArray(Float32Array, JOB + 77, () => random() - 0.5);
    const [nan, infinite] = [NaN, -Infinity].map((bad) => finite.map((x, i) => (i === 4100 ? bad : x)));
    for (const array of [finite, nan, infinite]) {
      for (const normType of IS_THOROUGH ? [1, 2, 3, 4, Infinity, 2.5] : [2, Infinity]) {
        for (const nonfinite of POLICIES) {
          for (const maxNorm of [0, 0.7, 1e9, Infinity]) {
            const [decided, clipped] = [tensorOf(array), tensorOf(array)];
            const plans = [gpu.plan([decided]), gpu.plan([clipped])];
            const steps = [
              plans[0].clipCoefficient(maxNorm, { normType, nonfinite }),
              plans[1].clipGradNorm(maxNorm, { normType, nonfinite }),
            ];
            const norms = await Promise.allSettled(steps.map((step) => step.norm()));
            assert.deepEqual(norms[0], norms[1]);
            const where = `p = ${normType}, ${nonfinite}, ${maxNorm}`;
            const [one, other] = await Promise.all(steps.map(({ result }) => wordsOf(result)));
            assert.deepEqual(one.subarray(0, 4), other.subarray(0, 4), where);
            assert.deepEqual(await wordsOf(decided.buffer), new Uint32Array(array.slice().buffer), where);
            for (const plan of plans) plan.destroy();
          }
        }
      }
    }
  });

  test('takes the dispatches of a norm and one more; tensors that overlap are taken', async () => {
    const { device: own } = await requestDevice();
    const on = await GpuGradNorm.create({ device: own });
    const { buffer } = tensorOf(Float32Array.of(3, 4, 12), own);
    const plan = on.plan([
      { buffer, length: 2 },
      { buffer, offset: 4, length: 2 },
    ]);
    const counts = countCalls(own);
    await plan.gradNorm();
    const norm = counts.dispatchWorkgroups;
    assert.equal(await plan.clipCoefficient(1).norm(), Math.sqrt(9 + 16 + 16 + 144));
    assert.equal(counts.dispatchWorkgroups, 2 * norm + 1);
    assert.throws(() => plan.clipGradNorm(1), { message: /overlaps/ });
    own.destroy();
  });

  test('in the caller’s encoder, beside the kernel that reads it', async () => {
    const plan = gpu.plan([tensorOf(Float32Array.of(30, 40))]);
    const encoder = device.createCommandEncoder();
    const step = plan.clipCoefficient(5, { eps: 0, encoder });
    const copy = device.createBuffer({ size: 16, usage: 0x8 | 0x4 });
    encoder.copyBufferToBuffer(step.result, 0, copy, 0, 16);
    await assert.rejects(step.norm(), { message: /did not run/ });
    device.queue.submit([encoder.finish()]);
    assert.equal(await step.norm(), 50);
    const [, norm, coefficient] = new Float32Array(await bytesOf(device, copy));
    assert.equal(norm, 50);
    assert.ok(coefficient <= 0.1 && coefficient > 0.1 - 1e-6, String(coefficient));
  });

  test('arguments are checked as those of clipGradNorm, under its own name', () => {
    const plan = gpu.plan([tensorOf(Float32Array.of(1))]);
    assert.throws(() => plan.clipCoefficient(-1), { name: 'RangeError', message: /^maxNorm is -1; / });
    assert.throws(() => plan.clipCoefficient(1, /** @type {any} */ ({ epsilon: 1 })), {
      name: 'TypeError',
      message: /^the options of clipCoefficient have an unknown name, "epsilon"; /,
    });
    assert.throws(() => plan.clipCoefficient(1, { normType: 0.1 }), { name: 'RangeError' });
  });

  test('the example: a kernel of gradient descent moves the weights by the clipped gradient, none if it is not finite', async () => {
    const random = createRandom(3);
    const gradient = makeArray(Float32Array, 1000, () => random() * 8 - 4);
    const weight = makeArray(Float32Array, 1000, () => random());
    const [g, w] = [tensorOf(gradient), tensorOf(weight)];
    const plan = gpu.plan([g]);
    const norm = await sgdStep(device, plan, g.buffer, w.buffer);
    const clipped = gradient.slice();
    assert.ok(Math.abs(norm / clipGradNorm(clipped, 1) - 1) <= 2 ** -23);
    const moved = new Float32Array(await bytesOf(device, w.buffer));
    moved.forEach((x, i) => assert.ok(Math.abs(x - (weight[i] - 0.1 * clipped[i])) < 1e-6, `${i}: ${x}`));
    assert.deepEqual(new Float32Array(await bytesOf(device, g.buffer)), gradient);
    device.queue.writeBuffer(g.buffer, 400, Float32Array.of(NaN));
    assert.ok(Number.isNaN(await sgdStep(device, plan, g.buffer, w.buffer)));
    assert.deepEqual(new Float32Array(await bytesOf(device, w.buffer)), moved);
  });
});

describe('a GradMonitor in the place of maxNorm', () => {
  /**
   * The limit of a step, by what it leaves of [30, 40].
   * @param {GradMonitor} monitor
   */
  async function limitOf(monitor) {
    const plan = gpu.plan([tensorOf(Float32Array.of(30, 40))]);
    const before = JSON.stringify(monitor);
    const step = plan.clipCoefficient(monitor, { eps: 0 });
    assert.equal(await step.norm(), 50);
    const [, , coefficient] = new Float32Array(await bytesOf(device, step.result));
    assert.equal(JSON.stringify(monitor), before, 'it is told nothing');
    plan.destroy();
    return coefficient === 1 ? Infinity : coefficient * 50;
  }

  /** @type {(limit: number, expected: number) => void} */
  const assertLimit = (limit, expected) => assert.ok(Math.abs(limit / expected - 1) < 2e-6, `${limit}`);

  test('fixed: its maxNorm, from the first step on; in a dry run nothing', async () => {
    assertLimit(await limitOf(new GradMonitor({ method: 'fixed', maxNorm: 10 })), 10);
    assert.equal(await limitOf(new GradMonitor({ method: 'fixed', maxNorm: 10, dryRun: true })), Infinity);
  });

  test('percentile: the threshold of the norm before; none during warm-up', async () => {
    const monitor = new GradMonitor({ method: 'percentile', percentile: 50, warmUp: 2 });
    assert.equal(await limitOf(monitor), Infinity);
    for (const norm of [10, 20]) monitor.update(norm);
    assert.equal(await limitOf(monitor), Infinity);
    monitor.update(30);
    assertLimit(await limitOf(monitor), 20);
  });

  test('zscore: from where a norm is a spike', async () => {
    const monitor = new GradMonitor({ method: 'zscore', warmUp: 2, zThreshold: 3 });
    assert.equal(await limitOf(monitor), Infinity);
    for (const norm of [9, 11]) monitor.update(norm);
    const { mean, deviation } = monitor.toJSON();
    assertLimit(await limitOf(monitor), mean + 3 * deviation);
    const calm = new GradMonitor({ method: 'zscore', warmUp: 1, zThreshold: Infinity });
    calm.update(1);
    assert.equal(await limitOf(calm), Infinity);
  });

  test('what is neither a number nor a monitor is refused', () => {
    const plan = gpu.plan([tensorOf(Float32Array.of(1))]);
    for (const wrong of [null, undefined, '1', {}, { update: 3 }, { update() {}, dryRun: false }]) {
      assert.throws(() => plan.clipGradNorm(/** @type {any} */ (wrong)), {
        name: 'TypeError',
        message: /^maxNorm is .*; expected a number >= 0 or Infinity, or a GradMonitor$/,
      });
    }
  });
});

describe('ready', () => {
  test('after it the steps of p = 2 compile nothing, whatever the tensors are', async () => {
    /** @type {((on: GPUDevice) => any)[]} */
    const shapes = [
      (on) => [tensorOf(new Float32Array(JOB).fill(1), on)],
      (on) => [tensorOf(new Float32Array(2 * JOB + 5).fill(1), on), tensorOf(new Float32Array(7), on)],
      (on) => ({ ...tensorOf(new Float32Array(9), on), dtype: 'bfloat16' }),
      () => [],
    ];
    for (const [i, shape] of shapes.entries()) {
      const { device: own, errors: ownErrors } = await requestDevice();
      const on = await GpuGradNorm.create({ device: own });
      const plan = on.plan(shape(own));
      await plan.ready;
      const counts = countCalls(own);
      await plan.gradNorm();
      await plan.clipCoefficient(1).norm();
      await plan.clipGradNorm(1).norm();
      assert.equal(counts.submit, 3);
      assert.equal(counts.createComputePipeline ?? 0, 0, `shape ${i}`);
      assert.deepEqual(ownErrors, []);
      own.destroy();
    }
  });

  test('nobody has to wait: a step before it is right, and another plan compiles nothing', async () => {
    const { device: own } = await requestDevice();
    const on = await GpuGradNorm.create({ device: own });
    const plan = on.plan([tensorOf(Float32Array.of(3, 4), own)]);
    assert.equal(await plan.gradNorm(), 5);
    await plan.ready;
    const counts = countCalls(own);
    const second = on.plan([tensorOf(Float32Array.of(6, 8), own)]);
    await second.ready;
    assert.equal(await second.gradNorm(), 10);
    assert.equal(counts.createComputePipeline ?? 0, 0);
    assert.equal(counts.createShaderModule ?? 0, 0);
    own.destroy();
  });

  test('rejects once the plan was destroyed or the device lost, and nobody needs to look', async () => {
    const plan = gpu.plan([tensorOf(Float32Array.of(3, 4))]);
    plan.destroy();
    await assert.rejects(plan.ready, { message: 'gradnorm: this plan was destroyed' });
    const { device: own } = await requestDevice();
    const on = await GpuGradNorm.create({ device: own });
    const lost = on.plan([tensorOf(new Float32Array(JOB), own)]);
    own.destroy();
    await own.lost;
    await assert.rejects(lost.ready, { message: /^gradnorm: the GPU device was destroyed/ });
  });
});

describe('products of floats', () => {
  const PRODUCT = 'let product = bitcast<vec4<u32>>(bitcast<vec4<f32>>(x) * factor);';
  /** What is left of the exact product, as the shader finds it. */
  const REST = `
    let given = bitcast<vec4<u32>>(bitcast<vec4<f32>>(x) * factor);
    let given24 = (given & vec4<u32>(0x7fffffu)) | vec4<u32>(0x800000u);
    let givenShift = vec4<u32>(24u) + (given >> vec4<u32>(23u)) - (x >> vec4<u32>(23u));
    let x24 = (x & vec4<u32>(0x7fffffu)) | vec4<u32>(0x800000u);
    let left = bitcast<vec4<i32>>(x24 * vec4<u32>(result.factor) - (given24 << givenShift));`;
  const ROUNDINGS = {
    up: `${REST} let product = given + select(NONE, ONE, left > vec4<i32>(0));`,
    down: `${REST} let product = given - select(NONE, ONE, left < vec4<i32>(0));`,
  };

  for (const [name, replacement] of Object.entries(ROUNDINGS)) {
    test(`a device that rounds magnitudes ${name}: every element is rounded to nearest even all the same`, async () => {
      let replaced = 0;
      const { device: own } = await requestDevice();
      const { createShaderModule } = own;
      own.createShaderModule = (descriptor) => {
        const code = descriptor.code.replace(PRODUCT, () => (++replaced, replacement));
        return createShaderModule.call(own, { ...descriptor, code });
      };
      const on = await GpuGradNorm.create({ device: own });
      const random = createRandom(5);
      // Mantissas of all kinds, powers of two and their neighbours among them, and those that end in a tie.
      const array = makeArray(Float32Array, 4 * JOB, (i) => {
        const mantissa = [1, 1 + 2 ** -23, 2 - 2 ** -23, 1.5][i % 8] ?? 1 + random();
        return mantissa * 2 ** Math.floor(random() * 60 - 30) * (random() < 0.5 ? -1 : 1);
      });
      for (const share of [0.5, 0.75, 1 - 2 ** -24, 0.1, 1 / 3, 0.6180339887]) {
        const tensor = tensorOf(array, own);
        const plan = on.plan([tensor]);
        const step = plan.clipGradNorm(share * (await plan.gradNorm()), { eps: 0 });
        await step.norm();
        const coefficient = new Float32Array(await bytesOf(own, step.result))[2];
        const clipped = new Float32Array(await bytesOf(own, tensor.buffer));
        clipped.forEach((x, i) =>
          assert.equal(x, Math.fround(array[i] * coefficient), `${array[i]} * ${coefficient}`),
        );
        plan.destroy();
      }
      assert.ok(replaced > 0, 'the product is not in the shader');
      own.destroy();
    });
  }
});

describe('the last bits', () => {
  const planOf = (/** @type {number[][]} */ lists) =>
    gpu.plan(lists.map((list) => tensorOf(Float32Array.from(list))));

  test('p = 1: 2^-70 of a sum decides how it is rounded, in one level of merging and in two', async () => {
    for (const zeros of [0, 2100]) {
      const padding = Array(zeros).fill([0]);
      const tie = [[1], ...padding, [2 ** -53]];
      assert.equal(await planOf(tie).gradNorm(1), 1, `${zeros} zeros`);
      assert.equal(await planOf([...tie, [2 ** -70]]).gradNorm(1), 1 + 2 ** -52, `${zeros} zeros`);
    }
  });

  test('p = 1: a carry goes through a word of ones', async () => {
    // An invocation merges the partials of jobs 1 and 129. In the 128 bits of the sum, the first has ones from bit 31 to 63, the
    // other bit 31 alone.
    const lists = Array.from({ length: 130 }, () => [0]);
    lists[0] = [1];
    lists[1] = [(2 ** 24 - 1) * 2 ** -41, (2 ** 9 - 1) * 2 ** -50];
    lists[129] = [2 ** -50];
    assert.equal(await planOf(lists).gradNorm(1), 1 + 2 ** -17);
  });

  test('of many elements that are not finite, the first in the order of the tensors is told', async () => {
    const lists = Array.from({ length: 300 }, (_, i) => [1, i < 150 ? 2 : i % 2 === 0 ? NaN : Infinity, 3]);
    lists[140] = [1, 2, 3, -Infinity];
    const plan = planOf(lists);
    const offender = { name: 'GradientError', tensor: '140', index: 3, value: -Infinity };
    await assert.rejects(plan.clipGradNorm(1, { nonfinite: 'throw' }).norm(), offender);
    assert.ok(Number.isNaN(await plan.gradNorm()));
  });

  test('the coefficient is at most maxNorm / (norm + eps), however small eps is', async () => {
    // Halves have no room, which would hide it.
    const half = {
      ...tensorOf(/** @type {any} */ (Uint16Array.of(0x4200, 0))),
      dtype: /** @type {const} */ ('float16'),
    };
    const [below, unit] = [0.5 - 2 ** -25, 2 ** -30];
    for (const [maxNorm, eps, coefficient] of [
      [1.5, 0, 0.5],
      [1.5, 2 ** -40, below],
      [1.5 + unit / 2, unit, 0.5],
      [1.5 + unit / 2, unit + 2 ** -40, below],
    ]) {
      const { result } = gpu.plan([half]).clipCoefficient(maxNorm, { eps });
      assert.equal(
        new Float32Array(await bytesOf(device, result))[2],
        coefficient,
        `${maxNorm}, eps = ${eps}`,
      );
    }
  });

  test('the result has norms that are subnormal, and infinite ones beyond the largest float32', async () => {
    for (const [list, norm] of /** @type {[number[], number][]} */ ([
      [[2 ** -140], 2 ** -140],
      [[3 * 2 ** -149, 4 * 2 ** -149], 5 * 2 ** -149],
      [[3e38, 3e38], Infinity],
    ])) {
      const step = planOf([list]).clipCoefficient(1);
      assert.ok((await step.norm()) < Infinity);
      assert.equal(new Float32Array(await bytesOf(device, step.result))[1], norm);
    }
  });
});

describe('what is rare, in whole jobs', () => {
  const ELEMENTS = [3, -4, 2 ** -149, -0, 1e30];
  const array = makeArray(Float32Array, 2 * JOB, (i) => ELEMENTS[i % 5]);
  /** Of which none is rare. */
  const ordinary = makeArray(Float32Array, 2 * JOB, (i) => ELEMENTS[i % 2]);
  const signsOf = (/** @type {Float32Array} */ of) => of.map((x) => (x < 0 || Object.is(x, -0) ? -0 : 0));

  for (const [kind, of] of /** @type {const} */ ([
    ['rare and ordinary elements', array],
    ['ordinary elements', ordinary],
  ])) {
    test(`${kind}: maxNorm 0 leaves zeros of the old signs`, async () => {
      const tensor = tensorOf(of);
      await gpu.plan([tensor]).clipGradNorm(0).norm();
      assert.deepEqual(await floatsOf(tensor), signsOf(of));
    });

    test(`${kind}: an infinite norm under propagate leaves zeros, and NaN where an element was infinite; a NaN leaves NaN, zero zeros`, async () => {
      const at = JOB + 7;
      const [infinite, nan] = [-Infinity, NaN].map((bad) => of.map((x, i) => (i === at ? bad : x)));
      for (const [given, nonfinite, expected] of /** @type {const} */ ([
        [infinite, 'propagate', signsOf(of).map((zero, i) => (i === at ? NaN : zero))],
        [nan, 'propagate', of.map(() => NaN)],
        [nan, 'zero', of.map(() => 0)],
      ])) {
        const tensor = tensorOf(given);
        await gpu.plan([tensor]).clipGradNorm(1, { nonfinite }).norm();
        assert.deepEqual(await floatsOf(tensor), expected);
      }
    });
  }

  test('clipGradValue: NaN stays with its payload, infinities become clipValue', async () => {
    const given = array.slice();
    const bits = new Uint32Array(given.buffer);
    [bits[5], bits[6], bits[7]] = [0xffabcdef, 0x7f800000, 0xff800000];
    const tensor = tensorOf(given);
    gpu.plan([tensor]).clipGradValue(2.5);
    const expected = array.map((x) => Math.max(-2.5, Math.min(2.5, x)));
    const words = new Uint32Array(expected.buffer);
    [words[5], expected[6], expected[7]] = [0xffabcdef, 2.5, -2.5];
    assert.deepEqual(await wordsOf(tensor.buffer), words);
  });

  test('two types that share a word are rewritten one after the other', async () => {
    const { device: own } = await requestDevice();
    const on = await GpuGradNorm.create({ device: own });
    const { buffer } = tensorOf(Float32Array.of(0), own);
    own.queue.writeBuffer(buffer, 0, Uint16Array.of(0x3f80, 0x3c00));
    const counts = countCalls(own);
    const plan = on.plan([
      { buffer, length: 1, dtype: 'bfloat16' },
      { buffer, offset: 2, length: 1, dtype: 'float16' },
    ]);
    plan.clipGradValue(0.5);
    assert.equal(counts.dispatchWorkgroups, 2);
    assert.deepEqual(new Uint16Array(await bytesOf(own, buffer)), Uint16Array.of(0x3f00, 0x3800));
    own.destroy();
  });
});

describe('jobs that are whole and jobs that are not', () => {
  // A job is whole if it begins at a multiple of 16 bytes; four bytes later every element is rewritten in integers.
  test('are rewritten to the same bits, whatever the elements, the factor, the mode and what is not finite', async () => {
    const random = createRandom(17);
    const pick = (/** @type {any[]} */ list) => list[Math.floor(random() * list.length)];
    const anyBits = () => Math.floor(random() * 2 ** 32);
    const finiteBits = (/** @type {number} */ least, /** @type {number} */ most) =>
      ((pick([0, 1]) << 31) |
        (Math.floor(least + random() * (most - least)) << 23) |
        Math.floor(random() * 2 ** 23)) >>>
      0;
    const KINDS = [
      () => anyBits(),
      () => finiteBits(0, 255),
      () => finiteBits(0, 4),
      () => finiteBits(100, 140),
      () => finiteBits(250, 255),
    ];
    const RARE = [0x7f800000, 0xff800000, 0x7fc00001, 0xff812345, 0, 0x80000000, 1, 0x007fffff, 0x7f7fffff];
    for (let trial = 0; trial < (IS_THOROUGH ? 600 : 60); ++trial) {
      const words = new Uint32Array(JOB);
      const kind = pick(KINDS);
      // Few, so that most invocations have none.
      const rare =
        random() < 0.5 ? [] : Array.from({ length: 3 }, () => [pick([...words.keys()]), pick(RARE)]);
      words.forEach((_, i) => (words[i] = kind()));
      for (const [i, bits] of rare) words[i] = bits;
      const elements = new Float32Array(words.buffer);
      const lossScale = pick([1, 1, 3, 1024, 1 / 8, 1e-3, 2 ** 40, 2 ** -40, 2 ** 126, 2 ** -140]);
      const nonfinite = pick(['propagate', 'propagate', 'skip', 'zero']);
      const norm = gradNorm(elements);
      const maxNorm = pick([Infinity, 0, 1, norm < Infinity ? (norm / lossScale) * random() : 1e-40]);
      const isValue = random() < 0.25;
      const tensors = [0, 4].map((offset) => ({
        buffer: bufferOf(device, elements, offset, 0),
        offset,
        length: JOB,
      }));
      const written = [];
      for (const { buffer, offset, length } of tensors) {
        const plan = gpu.plan([{ buffer, offset, length }]);
        if (isValue) plan.clipGradValue(maxNorm, { lossScale });
        else await plan.clipGradNorm(maxNorm, { lossScale, nonfinite }).norm();
        written.push(new Uint32Array(await bytesOf(device, buffer), offset, JOB));
        plan.destroy();
        buffer.destroy();
      }
      const [whole, other] = written;
      const at = whole.findIndex((bits, i) => bits !== other[i]);
      const call = `trial ${trial}: ${isValue ? 'clipGradValue' : 'clipGradNorm'}(${maxNorm}), ${lossScale}, ${nonfinite}`;
      assert.equal(at, -1, `${call}: of ${[words, whole, other].map((list) => list[at]?.toString(16))}`);
    }
  });
});

describe('calls between a step and its submit', () => {
  test('that read count for nothing: the step clips, and its norm is there', async () => {
    const tensor = tensorOf(Float32Array.of(30, 40));
    const plan = gpu.plan([tensor]);
    const encoder = device.createCommandEncoder();
    const step = plan.clipGradNorm(1, { encoder, eps: 0 });
    for (let i = 0; i < 10; ++i) {
      assert.equal(await plan.gradNorm(), 50);
      assert.equal((await plan.accumulate(1.5)).count, 2);
      assert.equal((await plan.report()).elements, 2);
    }
    device.queue.submit([encoder.finish()]);
    assert.equal(await step.norm(), 50);
    assert.ok((await plan.gradNorm()) <= 1);
  });
});

describe('the shape of the kernels', () => {
  /** @type {{ name: string, tensors: (random: () => number) => { array: Float32Array | Uint16Array, offset?: number, dtype?: any }[] }[]} */
  const LISTS = [
    {
      name: 'whole jobs and a tail',
      tensors: (random) => [{ array: makeArray(Float32Array, 3 * JOB + 77, () => random() - 0.5) }],
    },
    {
      name: 'all magnitudes, at an offset',
      tensors: (random) => [
        {
          array: makeArray(
            Float32Array,
            2 * JOB + 5,
            () => (random() - 0.5) * 2 ** Math.floor(random() * 250 - 125),
          ),
          offset: 4,
        },
      ],
    },
    {
      name: 'subnormals in whole jobs',
      tensors: (random) => [
        { array: makeArray(Float32Array, 2 * JOB, () => Math.floor(random() * 900) * 2 ** -149) },
      ],
    },
    {
      name: 'around the lift',
      tensors: (random) => [
        {
          array: makeArray(Float32Array, 2 * JOB, () => (1 + random()) * 2 ** Math.floor(-66 + random() * 6)),
        },
      ],
    },
    {
      name: 'halves of both kinds and floats',
      tensors: (random) => [
        {
          array: Uint16Array.from({ length: 5001 }, () => Math.floor(random() * 0x7c00)),
          offset: 2,
          dtype: 'float16',
        },
        { array: Uint16Array.from({ length: 999 }, () => Math.floor(random() * 0x7f80)), dtype: 'bfloat16' },
        { array: makeArray(Float32Array, JOB, () => random() - 0.5) },
      ],
    },
  ];
  /** What version 0.1 computed, with 256 invocations of 16 elements. @type {Record<string, string[]>} */
  const BITS = {
    'whole jobs and a tail': [
      '0x1.800856f09f600p11 (3072.260612784652)',
      '0x1.feb5027ffd217p4 (31.919191837269036)',
      '0x1.ffeb900000000p-2 (0.4999220371246338)',
      '2f35b05f',
    ],
    'all magnitudes, at an offset': [
      '0x1.061bdcf7f1720p128 (3.4840240868502105e+38)',
      '0x1.d24ac3ec0280ep124 (3.8738028110737263e+37)',
      '0x1.ef454a0000000p122 (1.0286369176485671e+37)',
      '424ede99',
    ],
    'subnormals in whole jobs': [
      '0x1.c023e80000000p-128 (5.144397876783017e-39)',
      '0x1.6e0827d9599acp-134 (6.565374471377962e-41)',
      '0x1.c180000000000p-140 (1.2597673194280105e-42)',
      '442df705',
    ],
    'around the lift': [
      '0x1.f215cdc130000p-50 (1.7280800777030527e-15)',
      '0x1.03bb93e1a4f95p-55 (2.816027849723588e-17)',
      '0x1.ffffa00000000p-61 (8.673592564465659e-19)',
      'e1ecc33a',
    ],
    'halves of both kinds and floats': [
      '0x1.4840c0cc38e00p130 (1.7452920000767586e+39)',
      '0x1.6c81638ed2d88p128 (4.845108160346638e+38)',
      '0x1.4800000000000p127 (2.179933913087262e+38)',
      'a1382214',
    ],
  };

  for (const { name, tensors } of LISTS) {
    test(`${name}: for p = 1, 2 and Infinity the bits of the norms and of the clipped elements are those of version 0.1`, async () => {
      const list = tensors(createRandom(name.length));
      const bound = list.map(({ array, offset = 0, dtype = /** @type {const} */ ('float32') }) => ({
        buffer: bufferOf(device, array, offset),
        offset,
        length: array.length,
        dtype,
      }));
      const plan = gpu.plan(bound);
      const found = [];
      for (const p of [1, 2, Infinity]) found.push(hex(await plan.gradNorm(p)));
      await plan.clipGradNorm((await plan.gradNorm()) / 3).norm();
      let hash = 0x811c9dc5;
      for (const { buffer } of bound) {
        for (const byte of new Uint8Array(await bytesOf(device, buffer)))
          hash = Math.imul(hash ^ byte, 0x01000193);
      }
      found.push((hash >>> 0).toString(16));
      assert.deepEqual(found, BITS[name]);
      plan.destroy();
    });
  }

  test('no shader has more than two barriers, nor code for halves where there are none', async () => {
    const { device: own } = await requestDevice();
    /** @type {Map<string, string>} */
    const shaders = new Map();
    const { createShaderModule } = own;
    own.createShaderModule = (descriptor) => {
      shaders.set(descriptor.label ?? '', descriptor.code);
      return createShaderModule.call(own, descriptor);
    };
    const on = await GpuGradNorm.create({ device: own });
    const floats = on.plan([tensorOf(new Float32Array(JOB + 1).fill(1), own)]);
    for (const p of [1, 2, 3, 4, Infinity, 2.5]) await floats.clipGradNorm(1, { normType: p }).norm();
    await floats.report();
    assert.ok(shaders.size > 15, `${shaders.size} shaders`);
    for (const [label, code] of shaders) {
      const barriers = code.match(/workgroupBarrier|workgroupUniformLoad|storageBarrier/g) ?? [];
      assert.ok(barriers.length <= 2, `${label} has ${barriers.length} barriers`);
      assert.ok(!code.includes('widenHalves'), `${label} knows of halves`);
    }
    own.destroy();
  });
});

describe('what is left', () => {
  test('after destroy no buffer, whatever was called; after gradNorm of a mixed list none either', async () => {
    const { device: own } = await requestDevice();
    /** @type {Map<GPUBuffer, string>} */
    const alive = new Map();
    const { createBuffer } = own;
    own.createBuffer = (descriptor) => {
      const buffer = createBuffer.call(own, descriptor);
      const { destroy } = buffer;
      alive.set(buffer, descriptor.label ?? '');
      buffer.destroy = () => {
        alive.delete(buffer);
        return destroy.call(buffer);
      };
      return buffer;
    };
    const left = () => [...alive.values()].filter((label) => label.startsWith('gradnorm')).sort();
    const on = await GpuGradNorm.create({ device: own });
    assert.deepEqual(left(), ['gradnorm placeholder'], 'once a device');
    const tensors = Array.from({ length: 12 }, (_, k) =>
      tensorOf(new Float32Array(300 * k + 1).fill(1), own),
    );
    const plan = on.plan(tensors);
    for (const p of [2, 2.5, 0.1]) {
      await plan.gradNorm(p);
      await plan.report({ normType: p });
    }
    await plan.clipGradNorm(1).norm();
    const encoder = own.createCommandEncoder();
    const step = plan.clipCoefficient(1, { encoder });
    plan.clipGradValue(0.5, { encoder });
    own.queue.submit([encoder.finish()]);
    await step.norm();
    assert.ok(left().length > 20, 'the plan has buffers');
    plan.destroy();
    assert.deepEqual(left(), ['gradnorm placeholder']);
    await on.gradNorm([...tensors, Float32Array.of(1)]);
    assert.deepEqual(left(), ['gradnorm placeholder']);
    own.destroy();
  });
});

describe('lossScale', () => {
  const random = createRandom(11);
  /** Whole jobs, a part of one, and halves: elements that every type has, with the scale and without. */
  const values = [2 * JOB + 77, 5, 300].map((length) =>
    Float64Array.from({ length }, () => Math.round(random() * 255 - 128) / 64),
  );
  const halfBits = (/** @type {number} */ value) => {
    // Of whole multiples of 2^-6 below 2^12 times a power of two, all of which are normal.
    if (value === 0) return 0;
    const exponent = Math.floor(Math.log2(Math.abs(value)));
    return (
      (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | (Math.abs(value) * 2 ** (10 - exponent) - 1024)
    );
  };
  /** @param {number} scale */
  const tensorsTimes = (scale) => {
    const [large, small, half] = values.map((list) => list.map((value) => value * scale));
    const halves = Uint16Array.from(half, halfBits);
    return {
      large: tensorOf(Float32Array.from(large)),
      small: tensorOf(Float32Array.from(small)),
      half: { ...tensorOf(/** @type {any} */ (halves)), dtype: /** @type {const} */ ('float16') },
    };
  };
  const readAll = (/** @type {Record<string, { buffer: GPUBuffer }>} */ tensors) =>
    Promise.all(Object.values(tensors).map(({ buffer }) => wordsOf(buffer)));

  test('by a power of two: the bits are those of gradients that were divided before, clipped or not', async () => {
    for (const lossScale of [64, 2 ** -3]) {
      for (const normType of [1, 2, Infinity]) {
        for (const maxNorm of [0, 0.7, 1e9, Infinity]) {
          const [scaled, divided] = [tensorsTimes(lossScale), tensorsTimes(1)];
          const [one, other] = [gpu.plan(scaled), gpu.plan(divided)];
          const before = await other.gradNorm(normType);
          const clip = one.clipGradNorm(maxNorm, { normType, lossScale });
          const expected = other.clipGradNorm(maxNorm, { normType });
          const where = `${lossScale}, p = ${normType}, maxNorm ${maxNorm}`;
          assert.deepEqual([await clip.norm(), await expected.norm()], [before, before], where);
          assert.deepEqual(await readAll(scaled), await readAll(divided), where);
          const [own, others] = [await wordsOf(clip.result), await wordsOf(expected.result)];
          assert.equal(own[1], others[1], where);
          const [coefficient, theirs] = [own, others].map((words) => new Float32Array(words.buffer)[2]);
          assert.equal(coefficient, theirs / lossScale, where);
          one.destroy();
          other.destroy();
        }
      }
    }
  });

  test('clipCoefficient has the division in its coefficient, and leaves the gradients alone', async () => {
    const tensor = tensorOf(Float32Array.of(3 * 256, 4 * 256));
    const plan = gpu.plan([tensor]);
    const step = plan.clipCoefficient(10, { lossScale: 256 });
    assert.equal(await step.norm(), 5);
    const words = await wordsOf(step.result);
    assert.equal(words[0], 4, 'to be rewritten');
    assert.deepEqual([...new Float32Array(words.buffer).subarray(1, 3)], [5, 1 / 256]);
    assert.deepEqual([...new Float32Array((await wordsOf(tensor.buffer)).buffer)], [768, 1024]);
  });

  test('of any number: quotients within 2^-23, and the norm of gradNorm divided', async () => {
    for (const lossScale of [1000, 0.1, 3]) {
      const scaled = values[0].map((value) => value * lossScale);
      const tensor = tensorOf(Float32Array.from(scaled));
      const plan = gpu.plan([tensor]);
      const norm = await plan.gradNorm();
      assert.equal(await plan.clipGradNorm(1e9, { lossScale }).norm(), norm / lossScale);
      const written = new Float32Array((await wordsOf(tensor.buffer)).buffer);
      Float32Array.from(scaled).forEach((element, i) => {
        const quotient = element / lossScale;
        assert.ok(
          Math.abs(written[i] - quotient) <= 2 ** -23 * Math.abs(quotient),
          `${element} / ${lossScale}`,
        );
      });
    }
  });

  test('quotients beyond the largest float32 and float16 are infinite, as on the CPU', async () => {
    const elements = Float32Array.from({ length: JOB + 3 }, (_, i) => (i % 2 === 0 ? 2 ** -10 : -(2 ** -20)));
    const tensor = tensorOf(elements);
    const halves = Uint16Array.of(halfBits(0.5), halfBits(-0.5), halfBits(2 ** -9), 0);
    const half = { ...tensorOf(/** @type {any} */ (halves)), dtype: /** @type {const} */ ('float16') };
    const lossScale = 2 ** -140;
    for (const [gradient, gradients] of /** @type {const} */ ([
      [tensor, elements],
      [half, { data: halves, dtype: 'float16' }],
    ])) {
      const plan = gpu.plan([gradient]);
      await plan.clipGradNorm(Infinity, { lossScale }).norm();
      clipGradNorm(gradients, Infinity, { lossScale });
      const expected = gradient === tensor ? elements : halves;
      assert.deepEqual(await wordsOf(gradient.buffer), new Uint32Array(expected.buffer));
    }
  });

  test('what is not finite: nothing is written under skip and throw; without a limit the others are divided', async () => {
    for (const bad of [NaN, -Infinity]) {
      for (const nonfinite of POLICIES) {
        for (const length of [3, JOB]) {
          for (const lossScale of [1 / 8, 8, 1024]) {
            const elements = makeArray(Float32Array, length, (i) => (i === 1 ? bad : 8 * (i + 1)));
            const tensor = tensorOf(elements);
            const step = gpu.plan([tensor]).clipGradNorm(Infinity, { lossScale, nonfinite });
            if (nonfinite === 'throw')
              await assert.rejects(step.norm(), /\[0\] has the value .* at index 1;/);
            else assert.equal(await step.norm(), Math.abs(bad));
            const isKept = nonfinite === 'skip' || nonfinite === 'throw';
            const written = (/** @type {number} */ x) =>
              nonfinite === 'zero' ? 0 : Number.isNaN(x) ? x : x / lossScale;
            const expected = isKept ? elements : elements.map(written);
            const where = `${bad}, ${nonfinite}, ${length}, ${lossScale}`;
            assert.deepEqual(await floatsOf(tensor), expected, where);
          }
        }
      }
    }
  });

  test('clipGradValue: NaN stays, infinities become clipValue, in jobs of every kind', async () => {
    for (const length of [5, JOB]) {
      const elements = makeArray(Float32Array, length, (i) => [NaN, Infinity, -Infinity, 3, -4000][i % 5]);
      const tensor = tensorOf(elements);
      gpu.plan([tensor]).clipGradValue(2, { lossScale: 1024 });
      const expected = elements.map((x) => (Number.isNaN(x) ? x : Math.max(-2, Math.min(2, x / 1024))));
      assert.deepEqual(await floatsOf(tensor), expected);
    }
  });

  test('clipGradValue clamps the quotients', async () => {
    for (const clipValue of [1, Infinity]) {
      const [scaled, divided] = [tensorsTimes(16), tensorsTimes(1)];
      gpu.plan(scaled).clipGradValue(clipValue, { lossScale: 16 });
      gpu.plan(divided).clipGradValue(clipValue);
      assert.deepEqual(await readAll(scaled), await readAll(divided));
    }
  });

  test('another than a finite number > 0 is refused, and the next call works', async () => {
    const plan = gpu.plan([tensorOf(Float32Array.of(3, 4))]);
    for (const lossScale of /** @type {any[]} */ ([0, -1, NaN, Infinity, '2']))
      for (const verb of /** @type {const} */ (['clipGradNorm', 'clipCoefficient', 'clipGradValue']))
        assert.throws(
          () => plan[verb](1, { lossScale }),
          /^(Range|Type)Error: lossScale is .*; expected a finite number > 0$/,
        );
    assert.equal(await plan.gradNorm(), 5);
  });
});
