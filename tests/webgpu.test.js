// tests/webgpu.test.js: the GPU path against the oracle, in Node.js by Dawn. tests/webgpu-browser.test.js runs the same
// in Chromium.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GradientError, gradNorm, gradReport } from 'gradnorm';
import { GpuGradNorm, GpuPlan } from 'gradnorm/webgpu';
import { assertClose, boundOnGpu, createRandom, hex, makeArray, PRODUCT_POWERS } from './accuracy.js';
import { assertDirectionKept, epsBeside, FLOAT32_MAGNITUDES, HARD_FLOAT32_CLIPS } from './cases.js';
import { exactNorm, relativeError } from './oracle.js';
import {
  bufferOf,
  bytesOf,
  closeGpu,
  countCalls,
  IS_THOROUGH,
  isTooMuchForDeno,
  openGpu,
  requestDevice,
  USAGE,
} from './webgpu-device.js';

const JOB = 4096;
const EXACT_POWERS = [...PRODUCT_POWERS, Infinity];
const REAL_POWERS = [0.5, 0.7, 1.5, 2.5, 7, 10, 63.5, 64];
const CPU_POWERS = [0.1, 65, 1000];
const ALL_POWERS = [...EXACT_POWERS, ...REAL_POWERS, ...CPU_POWERS];

/** @type {GPUDevice} */
let device;
/** @type {string[]} */
let errors;
/** @type {GpuGradNorm} */
let gpu;

before(async () => ({ device, errors, gpu } = await openGpu()));
after(() => closeGpu({ device, errors, gpu }));

/** The largest error of each power, told at the end. @type {Map<number, number>} */
const worst = new Map();
after(() => {
  for (const [p, error] of [...worst].sort(([a], [b]) => a - b))
    console.log(`p = ${p}: largest relative error ${error.toExponential(2)}`);
});

/**
 * @param {number} norm
 * @param {readonly Float32Array[]} arrays
 * @param {number} p
 * @param {string} where
 */
function assertNorm(norm, arrays, p, where) {
  const exact = exactNorm(arrays, p);
  worst.set(p, Math.max(worst.get(p) ?? 0, relativeError(norm, exact)));
  assertClose(norm, exact, boundOnGpu(p), `${where}, p = ${p}`);
}

/**
 * A plan of float32 arrays, each in a buffer of its own at an offset.
 * @param {readonly Float32Array[]} arrays
 * @param {number} [offset]  in bytes
 */
function planOf(arrays, offset = 0, on = gpu) {
  return on.plan(
    arrays.map((array) => ({ buffer: bufferOf(on.device, array, offset), offset, length: array.length })),
  );
}

/**
 * All arrays in one buffer, one after the other with poison between.
 * @param {GPUDevice} on
 * @param {readonly Float32Array[]} arrays
 * @param {number} gap  in bytes
 */
function arenaOf(on, arrays, gap) {
  const size = arrays.reduce((sum, { byteLength }) => sum + byteLength + gap, gap);
  const buffer = bufferOf(on, new Float32Array(0), 0, size);
  let offset = gap;
  return arrays.map((array) => {
    on.queue.writeBuffer(buffer, offset, array);
    const tensor = { buffer, offset, length: array.length };
    offset += array.byteLength + gap;
    return tensor;
  });
}

describe('norm', () => {
  test('p = 1, 2, 3, 4, Infinity within 2^-23, other p within 4e-6, for n = 0..257 at offsets of 0 to 7 elements', async () => {
    const all = makeArray(Float32Array, 257, (i) => Math.fround(createRandom(i)() - 0.5));
    for (let offset = 0; offset < 8; ++offset) {
      const buffer = bufferOf(device, all, 4 * offset);
      for (let length = offset; length <= 257; length += offset === 0 ? 1 : 31) {
        // The poison stands before the tensor; behind it is what is not counted.
        const plan = gpu.plan({ buffer, offset: 4 * offset, length });
        const array = all.subarray(0, length);
        for (const p of length % 16 === 1 ? EXACT_POWERS : [2]) {
          assertNorm(await plan.gradNorm(p), [array], p, `n = ${length}, offset ${offset}`);
        }
        plan.destroy();
      }
      buffer.destroy();
    }
  });

  test('every p within its bound around the ends of jobs', async () => {
    for (const length of [JOB - 1, JOB, JOB + 1, 2 * JOB, 3 * JOB + 7]) {
      const random = createRandom(length);
      const array = makeArray(Float32Array, length, () => Math.ceil(random() * 500) / 512 - 0.5);
      const plan = planOf([array], 4 * (length % 8));
      for (const p of ALL_POWERS) assertNorm(await plan.gradNorm(p), [array], p, `n = ${length}`);
      plan.destroy();
    }
  });

  for (const [name, element] of Object.entries(FLOAT32_MAGNITUDES)) {
    test(`${name}: every p within its bound`, async () => {
      for (const length of [2, 3, 33, JOB + 5]) {
        const random = createRandom(length + 1);
        const array = makeArray(Float32Array, length, (i) => element(random, i));
        const plan = planOf([array]);
        for (const p of length > JOB ? [...EXACT_POWERS, 0.5, 2.5, 64] : ALL_POWERS) {
          assertNorm(await plan.gradNorm(p), [array], p, `n = ${length}`);
        }
        plan.destroy();
      }
    });
  }

  test('thresholds: binades around the lifts, every p within its bound', async () => {
    for (const exponent of [-127, -126, -64, -63, -62, 22, 23, 24, 127]) {
      const array = makeArray(Float32Array, 100, (i) => 2 ** exponent * (1 + i / 128));
      const plan = planOf([array]);
      for (const p of [...EXACT_POWERS, 0.5, 2.5])
        assertNorm(await plan.gradNorm(p), [array], p, `2^${exponent}`);
      plan.destroy();
    }
  });

  test('a single element is returned exactly; nothing and zeros have norm +0', async () => {
    for (const x of [0.1, -3, 2 ** -149, -3.4028234663852886e38]) {
      const plan = planOf([Float32Array.of(x)]);
      for (const p of ALL_POWERS)
        assert.equal(await plan.gradNorm(p), Math.abs(Math.fround(x)), `${x}, p = ${p}`);
    }
    for (const tensors of [[], {}, new Map(), null, [null, undefined]]) {
      const plan = gpu.plan(tensors);
      for (const p of ALL_POWERS) assert.ok(Object.is(await plan.gradNorm(p), 0), `p = ${p}`);
    }
    const zeros = planOf([new Float32Array(5000).fill(-0), new Float32Array(0)]);
    for (const p of ALL_POWERS) assert.ok(Object.is(await zeros.gradNorm(p), 0), `p = ${p}`);
  });

  test('NaN beats Infinity, Infinity beats every number, wherever they are and for every p', async () => {
    for (const length of [1, 2, 33, JOB + 1]) {
      for (const at of new Set([0, length >> 1, length - 1])) {
        const array = new Float32Array(length).fill(1);
        array[at] = -Infinity;
        const infinite = planOf([Float32Array.of(1, 2), array]);
        const both = planOf([Float32Array.of(1, NaN, 2), array]);
        for (const p of [...EXACT_POWERS, 2.5, 1000]) {
          assert.equal(await infinite.gradNorm(p), Infinity, `p = ${p}, n = ${length}, at ${at}`);
          assert.ok(Number.isNaN(await both.gradNorm(p)), `p = ${p}, n = ${length}, at ${at}`);
        }
        infinite.destroy();
        both.destroy();
      }
    }
    for (const bits of [0x7f800001, 0x7fc00000, 0x7fffffff, 0xff800001, 0xffffffff]) {
      const array = new Float32Array(40);
      new Uint32Array(array.buffer)[39] = bits;
      assert.ok(Number.isNaN(await planOf([array]).gradNorm()), bits.toString(16));
    }
  });

  test('names by list, Map and record, nested, null skipped; pools and arenas, the same tensor twice', async () => {
    const arrays = [Float32Array.of(1, 2), Float32Array.of(3), Float32Array.of(-4, 5, 6)];
    const [a, b, c] = arenaOf(device, arrays, 4);
    const exact = exactNorm(arrays, 2);
    for (const tensors of [
      [a, null, b, c],
      new Map(
        /** @type {[string, any][]} */ ([
          ['a', a],
          ['rest', [b, c]],
        ]),
      ),
      { a, more: { b, c }, none: undefined },
      new Set([a, { grad: b }, c]),
    ]) {
      assertClose(await gpu.plan(tensors).gradNorm(), exact, 2 ** -23, 'forms');
    }
    assertClose(await gpu.plan([a, a]).gradNorm(1), exactNorm([arrays[0], arrays[0]], 1), 2 ** -23, 'twice');
    const overlapping = [
      { ...a, length: 2 },
      { buffer: a.buffer, offset: a.offset + 4, length: 1 },
    ];
    assertClose(
      await gpu.plan(overlapping).gradNorm(1),
      exactNorm([Float32Array.of(1, 2, 2)], 1),
      0,
      'overlapping',
    );
  });

  test('float16 and bfloat16: all 65536 patterns, at even and odd offsets', async () => {
    for (const dtype of /** @type {const} */ (['float16', 'bfloat16'])) {
      const finite = Uint16Array.from({ length: 65536 }, (_, i) => i).filter(
        (bits) => (bits & 0x7fff) < (dtype === 'float16' ? 0x7c00 : 0x7f80),
      );
      for (const offset of [0, 2, 6]) {
        const plan = gpu.plan({
          buffer: bufferOf(device, finite, offset),
          offset,
          length: finite.length,
          dtype,
        });
        for (const p of [1, 2, 3, Infinity]) {
          const cpu = gradNorm({ data: finite, dtype }, p);
          const error = Math.abs((await plan.gradNorm(p)) / cpu - 1);
          assert.ok(error <= 2 ** -22, `${dtype}, offset ${offset}, p = ${p}: ${error}`);
        }
        plan.destroy();
      }
      // One by one: the largest of a single pattern is its value.
      const buffer = bufferOf(device, finite);
      for (let i = 0; i < finite.length; i += IS_THOROUGH ? 641 : 1801) {
        const norm = await gpu.plan({ buffer, offset: 2 * i, length: 1, dtype }).gradNorm();
        assert.equal(
          norm,
          gradNorm({ data: finite.subarray(i, i + 1), dtype }),
          `${dtype} ${finite[i].toString(16)}`,
        );
      }
    }
  });

  test('without subgroups, with default limits, with split bindings: the same bits', async () => {
    const random = createRandom(11);
    const arrays = [3 * JOB + 1, 20, JOB, 1, 300, 77, 5, 9 * JOB, 12, 13].map((length) =>
      makeArray(Float32Array, length, () => (random() - 0.5) * 2 ** (random() * 40 - 20)),
    );
    const norms = await Promise.all(EXACT_POWERS.map((p) => planOf(arrays, 12).gradNorm(p)));
    EXACT_POWERS.forEach((p, i) => assertNorm(norms[i], arrays, p, 'list'));
    /** @type {{ subgroups: boolean, limits: Record<string, number> }[]} */
    const variants = [
      { subgroups: false, limits: {} },
      { subgroups: true, limits: { maxStorageBuffersPerShaderStage: 4, maxStorageBufferBindingSize: 65536 } },
    ];
    for (const options of variants) {
      const other = await requestDevice(options);
      const small = await GpuGradNorm.create({ device: limited(other.device, options.limits) });
      const plans = [planOf(arrays, 12, small), small.plan(arenaOf(other.device, arrays, 4))];
      for (const plan of plans) {
        for (const [i, p] of [
          [0, 1],
          [1, 2],
          [4, Infinity],
        ]) {
          assert.equal(hex(await plan.gradNorm(p)), hex(norms[i]), `${JSON.stringify(options)}, p = ${p}`);
        }
      }
      const step = plans[1].clipGradNorm(1);
      assert.equal(hex(await step.norm()), hex(norms[1]));
      assert.ok((await plans[1].gradNorm()) <= 1);
      assert.deepEqual(other.errors, []);
      other.device.destroy();
    }
  });
});

/**
 * A device that says it has smaller limits: real ones cannot be requested below the defaults.
 * @param {GPUDevice} real
 * @param {Record<string, number>} limits
 * @returns {GPUDevice}
 */
function limited(real, limits) {
  const merged = new Proxy(real.limits, {
    get: (target, name) => limits[/** @type {string} */ (name)] ?? Reflect.get(target, name, target),
  });
  return new Proxy(real, {
    get(target, name) {
      if (name === 'limits') return merged;
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe('many tensors', () => {
  /** Many times what a plan has in its ring. */
  const STEPS = IS_THOROUGH ? 1000 : 100;

  test(`2000 tensors in 2000 buffers: at most 300 dispatches, one pass, one submit, nothing allocated by ${STEPS} steps`, async () => {
    const { device: own, errors: ownErrors } = await requestDevice({ limits: {} });
    const on = await GpuGradNorm.create({ device: own });
    const random = createRandom(5);
    const arrays = Array.from({ length: 2000 }, () => makeArray(Float32Array, 16, () => random() - 0.5));
    const plan = planOf(arrays, 0, on);
    const counts = countCalls(own);
    assertNorm(await plan.gradNorm(), arrays, 2, '2000 tensors');
    console.log(
      `2000 tensors, ${own.limits.maxStorageBuffersPerShaderStage} storage buffers: ${JSON.stringify(counts)}`,
    );
    assert.deepEqual([counts.beginComputePass, counts.submit, counts.createCommandEncoder], [1, 1, 1]);
    assert.equal(counts.dispatchWorkgroups, 2);
    await plan.clipGradNorm(1).norm();
    assert.deepEqual([counts.beginComputePass, counts.submit, counts.createCommandEncoder], [2, 2, 2]);
    assert.equal(counts.dispatchWorkgroups - 2, 289);
    const few = planOf(arrays.slice(0, 3), 0, on);
    few.clipGradNorm(1e9);
    const before = { ...counts };
    for (let i = 0; i < STEPS; ++i) {
      const step = few.clipGradNorm(1e9);
      if (i % 10 === 0) await step.norm();
    }
    for (const name of Object.keys(counts).filter((key) => /^create(?!Command)/.test(key))) {
      assert.equal(counts[name], before[name], name);
    }
    assert.deepEqual(ownErrors, []);
    on.destroy();
    own.destroy();
  });

  test('small tensors are gathered where their buffers can be copied: the same bits and the same report as where they cannot', async () => {
    const random = createRandom(41);
    const tensors = Array.from({ length: 60 }, (_, k) => {
      const isHalf = k % 3 === 1;
      const length = [1, 3, 100, 4096, 5000][k % 5];
      const data = isHalf
        ? Uint16Array.from({ length }, () => Math.floor(random() * 0x7800))
        : makeArray(Float32Array, length, () => random() - 0.5);
      if (k === 47) data[0] = isHalf ? 0x7c00 : NaN;
      const offset = isHalf ? 2 * (k % 4) : 4 * (k % 4);
      return {
        data,
        offset,
        length,
        dtype: /** @type {'float16' | 'float32'} */ (isHalf ? 'float16' : 'float32'),
      };
    });
    const poisoned = (/** @type {typeof tensors[0]} */ { data, offset }, usage = USAGE) => {
      const copyable = bufferOf(device, data, offset);
      if (usage === USAGE) return copyable;
      const buffer = device.createBuffer({ size: copyable.size, usage });
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(copyable, 0, buffer, 0, buffer.size);
      device.queue.submit([encoder.finish()]);
      return buffer;
    };
    const planWith = (/** @type {number} */ usage, /** @type {number} */ count) =>
      gpu.plan(
        tensors
          .slice(0, count)
          .map(({ data, ...tensor }) => ({ ...tensor, buffer: poisoned({ data, ...tensor }, usage) })),
      );
    /** @type {[number, number[]][]} */
    const powers = [
      [47, [1, 2, Infinity, 2.5]],
      [60, IS_THOROUGH ? [1, 2, Infinity, 2.5] : [2]],
    ];
    for (const [count, all] of powers) {
      const gathered = planWith(USAGE, count);
      const bound = planWith(0x80 | 8, count);
      for (const p of all) {
        assert.equal(hex(await gathered.gradNorm(p)), hex(await bound.gradNorm(p)), `${count}, p = ${p}`);
      }
      assert.deepEqual((await gathered.report()).toJSON(), (await bound.report()).toJSON());
    }
    const step = planWith(USAGE, 60).clipGradNorm(1, { nonfinite: 'throw' });
    await assert.rejects(step.norm(), { name: 'GradientError', tensor: '47', index: 0 });
  });

  test('an arena of 2000 tensors is a single dispatch and one more, two and two more to clip', async () => {
    const { device: own } = await requestDevice();
    const on = await GpuGradNorm.create({ device: own });
    const arrays = Array.from({ length: 2000 }, (_, k) => Float32Array.of(k, 1));
    const plan = on.plan(arenaOf(own, arrays, 4));
    const counts = countCalls(own);
    assertNorm(await plan.gradNorm(1), arrays, 1, 'arena');
    assert.equal(counts.dispatchWorkgroups, 2);
    await plan.clipGradNorm(1).norm();
    assert.equal(counts.dispatchWorkgroups, 2 + 4);
    own.destroy();
  });

  test('two levels of merging: more than 4096 jobs, within the bound', async () => {
    const arrays = Array.from({ length: 4100 }, (_, k) => Float32Array.of((k % 977) / 977, 2 ** -(k % 50)));
    const plan = gpu.plan(arenaOf(device, arrays, 0));
    const norm = await plan.gradNorm();
    assertNorm(norm, arrays, 2, '4100 jobs');
    if (IS_THOROUGH) assert.equal(hex(await plan.gradNorm()), hex(norm));
  });
});

/** @param {number} x  a product, cut toward zero to a float32 */
function cutToFloat(x) {
  const value = Float32Array.of(x);
  if (Math.abs(value[0]) > Math.abs(x)) --new Uint32Array(value.buffer)[0];
  return value[0];
}

describe('clip', () => {
  /**
   * @param {Float32Array} array
   * @param {number} maxNorm
   * @param {object} [options]
   */
  async function clip(array, maxNorm, options = {}) {
    const buffer = bufferOf(device, array, 4);
    const plan = gpu.plan([{ buffer, offset: 4, length: array.length }]);
    const step = plan.clipGradNorm(maxNorm, options);
    const norm = await step.norm();
    const words = new Uint32Array(await bytesOf(device, step.result));
    const bytes = await bytesOf(device, buffer);
    const [before] = new Uint32Array(bytes);
    assert.equal(before, 0x7fc17fc1, 'the poison is untouched');
    return {
      plan,
      norm,
      flags: words[0],
      floats: new Float32Array(words.buffer),
      clipped: new Float32Array(bytes, 4, array.length),
    };
  }

  test('g * coefficient rounded once, bit for bit, for all magnitudes; the norm is then at most maxNorm', async () => {
    for (const p of [...EXACT_POWERS, 0.5, 2.5, 64]) {
      for (const scale of [1, 1e-38, 1e30]) {
        const random = createRandom(p === Infinity ? 99 : p * 10);
        const array = makeArray(
          Float32Array,
          JOB + 77,
          () => (random() - 0.5) * 2 ** (random() * 30 - 25) * scale,
        );
        const before = gradNorm(array, p);
        for (const ratio of [0.999, 1 / 3, 1e-5]) {
          const maxNorm = before * ratio;
          const { plan, norm, floats, flags, clipped } = await clip(array, maxNorm, { normType: p, eps: 0 });
          const bound = boundOnGpu(p);
          assert.ok(Math.abs(norm / before - 1) <= 2 * bound, `p = ${p}`);
          assert.equal(flags, 4);
          const coefficient = floats[2];
          const slack = p === 2.5 || p === 0.5 || p === 64 ? 4e-6 : 2 ** -22;
          const room = slack > 1e-6 ? 2 ** -15 : 2 ** -20;
          assert.ok(
            coefficient <= ratio * (1 + slack) && coefficient >= ratio * (1 - slack - room),
            `p = ${p}: ${coefficient} of ${ratio}`,
          );
          if (scale !== 1e30)
            assert.ok(Math.abs(floats[1] / before - 1) <= slack || before < 1e-37, `p = ${p}: ${floats[1]}`);
          // Where the limit is so small that roundings of subnormal elements count, all are cut toward zero.
          const nearest = new Uint32Array(array.map((x) => Math.fround(x * coefficient)).buffer);
          const cut = new Uint32Array(array.map((x) => cutToFloat(x * coefficient)).buffer);
          const bits = new Uint32Array(clipped.slice().buffer);
          assert.ok(
            bits.every((word, i) => word === nearest[i] || (scale === 1e-38 && word === cut[i])),
            `p = ${p}`,
          );
          if (scale === 1) assert.ok(gradNorm(clipped, p) <= maxNorm, `p = ${p}`);
          plan.destroy();
        }
      }
    }
  });

  test('float32: never above maxNorm as the plan measures it, and a second time writes nothing', async () => {
    const random = createRandom(777);
    const trials = IS_THOROUGH ? 600 : 60;
    let clipped = 0;
    for (let trial = 0; trial < trials; ++trial) {
      const p = [1, 2, 3, 4, Infinity, 1.5, 0.5, 2.7, 0.7, 60][trial % 10];
      const exponents = [random() * 20 - 20, random() * 6 - 149, random() * 20 - 130, random() * 60 + 60];
      const exponent = exponents[Math.floor(random() * 4)];
      const length = 1 + Math.floor(random() ** 4 * 3000);
      const element = () => (random() - 0.5) * 2 ** (exponent + random() * 3);
      const buffer = bufferOf(device, makeArray(Float32Array, length, element));
      const plan = gpu.plan([{ buffer, length }]);
      const norm = await plan.gradNorm(p);
      const share =
        random() < 0.3 ? random() : random() < 0.5 ? 2 ** (-random() * 120) : 1 - random() * 2 ** -20;
      const maxNorm = norm * share;
      if (maxNorm < norm) {
        const options = { normType: p, eps: random() < 0.5 ? 0 : 1e-6 };
        await plan.clipGradNorm(maxNorm, options).norm();
        const after = await plan.gradNorm(p);
        const where = `trial ${trial}, p = ${p}, ${hex(norm)} to ${hex(maxNorm)}: ${hex(after)}`;
        assert.ok(after <= maxNorm, where);
        const once = new Uint32Array(await bytesOf(device, buffer));
        await plan.clipGradNorm(maxNorm, options).norm();
        assert.deepEqual(new Uint32Array(await bytesOf(device, buffer)), once, where);
        ++clipped;
      }
      plan.destroy();
      buffer.destroy();
    }
    assert.ok(clipped > trials / 2, `${clipped} clipped`);
  });

  for (const [name, list, maxNorm, p] of HARD_FLOAT32_CLIPS.filter(([, , , p]) => p >= 0.5 && p <= 64)) {
    test(`${name} clipped to ${maxNorm}: the norm is that within 1e-6, and the direction is kept within 1e-6`, async () => {
      const tensors = list.map((array) => ({ buffer: bufferOf(device, array), length: array.length }));
      const plan = gpu.plan(tensors);
      const norm = await plan.clipGradNorm(maxNorm, { normType: p, eps: epsBeside(maxNorm) }).norm();
      const clipped = await Promise.all(
        tensors.map(async ({ buffer, length }) => new Float32Array(await bytesOf(device, buffer), 0, length)),
      );
      assert.ok(norm > maxNorm, hex(norm));
      const after = await plan.gradNorm(p);
      assert.ok(Math.abs(after / maxNorm - 1) <= 1e-6, `${hex(norm)}, then ${hex(after)}`);
      assertDirectionKept(clipped, list, after, norm);
      plan.destroy();
    });
  }

  test('coefficients that are subnormal as a float32 scale all the same', async () => {
    const array = Float32Array.of(3e38, -2e38, 1e30);
    const { clipped } = await clip(array, 1e-5, { eps: 0 });
    const factor = 1e-5 / gradNorm(array);
    array.forEach((x, i) =>
      assert.ok(Math.abs(clipped[i] - x * factor) <= 2 ** -20 * Math.abs(x * factor) + 2 ** -149),
    );
  });

  test('eps as in PyTorch, 0 as in optax; maxNorm 0 leaves zeros, Infinity and larger ones write nothing', async () => {
    const array = Float32Array.of(3, -4);
    const room = 5 * 2 ** -21;
    assert.equal((await clip(array, 1)).floats[2], roundDown(1 / (5 + room)));
    assert.equal((await clip(array, 1, { eps: 0 })).floats[2], roundDown(1 / (5 + room)));
    assert.equal((await clip(array, 1, { eps: 1e-5 })).floats[2], roundDown(1 / (5 + 1e-5)));
    assert.equal((await clip(array, 1, { eps: 3 })).floats[2], roundDown(1 / 8));
    assert.deepEqual([...(await clip(array, 0)).clipped], [0, -0]);
    for (const maxNorm of [5, 5.0000001, 1e300, Infinity]) {
      const { clipped, flags, floats } = await clip(array, maxNorm);
      assert.deepEqual([[...clipped], flags, floats[1], floats[2]], [[3, -4], 0, 5, 1]);
    }
    const payload = Float32Array.of(1, 0);
    new Uint32Array(payload.buffer)[1] = 0xffabcdef;
    const { clipped } = await clip(payload, Infinity);
    assert.equal(new Uint32Array(clipped.slice().buffer)[1], 0xffabcdef);
  });

  test('nonfinite: propagate, skip, zero and throw', async () => {
    const nan = Float32Array.of(1, NaN, -2);
    const infinite = Float32Array.of(1, -Infinity, -2);
    assert.deepEqual([...(await clip(nan, 1)).clipped], [NaN, NaN, NaN]);
    assert.deepEqual([...(await clip(infinite, 1)).clipped], [0, NaN, -0]);
    for (const array of [nan, infinite]) {
      assert.deepEqual([...(await clip(array, 1, { nonfinite: 'skip' })).clipped], [...array]);
      assert.deepEqual([...(await clip(array, 1, { nonfinite: 'zero' })).clipped], [0, 0, 0]);
      assert.deepEqual([...(await clip(array, Infinity, { nonfinite: 'zero' })).clipped], [0, 0, 0]);
    }
    assert.equal((await clip(infinite, 1, { nonfinite: 'zero' })).flags, 2 | 4);
    assert.equal((await clip(nan, 1, { nonfinite: 'skip' })).flags, 1);
    const array = new Float32Array(2 * JOB).fill(1);
    array[JOB + 9] = -Infinity;
    array[JOB + 10] = NaN;
    const buffer = bufferOf(device, array);
    const other = bufferOf(device, Float32Array.of(1));
    const plan = gpu.plan({
      first: { buffer: other, length: 1 },
      fc1: { weight: { buffer, length: array.length } },
    });
    const step = plan.clipGradNorm(1, { nonfinite: 'throw' });
    await assert.rejects(step.norm(), (error) => {
      assert.ok(error instanceof GradientError);
      assert.deepEqual([error.tensor, error.index, error.value], ['fc1.weight', JOB + 9, -Infinity]);
      assert.equal(
        error.message,
        `tensors.fc1.weight has the value -Infinity at index ${JOB + 9}; expected finite gradients; nothing was clipped`,
      );
      return true;
    });
    assert.deepEqual(new Float32Array(await bytesOf(device, buffer), 0, 3), Float32Array.of(1, 1, 1));
  });

  test('float16 and bfloat16 in place, as the CPU does; neighbours in a shared word', async () => {
    for (const dtype of /** @type {const} */ (['float16', 'bfloat16'])) {
      const random = createRandom(8);
      const data = Uint16Array.from({ length: 999 }, () => Math.floor(random() * 65536)).map((bits) =>
        (bits & 0x7fff) < (dtype === 'float16' ? 0x7c00 : 0x7f80) ? bits : bits & 0x8fff,
      );
      const norm = gradNorm({ data, dtype });
      const buffer = bufferOf(device, data, 2);
      // Two tensors that touch in the middle of a word, and the first a second time.
      const plan = gpu.plan([
        { buffer, offset: 2, length: 400, dtype },
        { buffer, offset: 802, length: 599, dtype },
      ]);
      const step = plan.clipGradNorm(norm / 7, { eps: 0 });
      await step.norm();
      const coefficient = new Float32Array(await bytesOf(device, step.result))[2];
      const bytes = await bytesOf(device, buffer);
      const clipped = new Uint16Array(bytes, 2, data.length);
      const poison = new Uint16Array(bytes);
      assert.deepEqual([poison[0], poison[1000], poison[1001]], [0x7fc1, 0x7fc1, 0x7fc1]);
      const { clipGradsWithNorm } = await import('gradnorm');
      const expected = data.slice();
      // norm / maxNorm such that the CPU multiplies by the same coefficient.
      clipGradsWithNorm({ data: expected, dtype }, coefficient, 1, { eps: 0 });
      assert.deepEqual(clipped, expected, dtype);
    }
  });

  test('clipGradValue: clamps, NaN stays, infinities become clipValue, half types round it', async () => {
    const array = Float32Array.of(3, -4, 0.5, NaN, Infinity, -Infinity, 2 ** -149, -0);
    const buffer = bufferOf(device, array);
    const plan = gpu.plan([{ buffer, length: array.length }]);
    plan.clipGradValue(Infinity);
    plan.clipGradValue(1.1);
    const limit = Math.fround(1.1);
    const expected = Float32Array.of(limit, -limit, 0.5, NaN, limit, -limit, 2 ** -149, -0);
    assert.deepEqual(new Float32Array(await bytesOf(device, buffer), 0, array.length), expected);
    for (const dtype of /** @type {const} */ (['float16', 'bfloat16'])) {
      const { clipGradValue } = await import('gradnorm');
      // Ties of both types, to the even neighbour below and above, among them.
      for (const clipValue of [
        0,
        1.1,
        1e-7,
        65520,
        1e39,
        1 + 2 ** -11,
        1 + 3 * 2 ** -11,
        1 + 2 ** -8,
        1 + 3 * 2 ** -8,
      ]) {
        // The CPU quiets NaNs, the GPU leaves them: up to Infinity.
        const infinity = dtype === 'float16' ? 0x7c00 : 0x7f80;
        const data = Uint16Array.from(
          { length: 1000 },
          (_, i) => Math.min(infinity, i * 65) + (i % 2) * 0x8000,
        );
        const half = bufferOf(device, data);
        gpu.plan([{ buffer: half, length: data.length, dtype }]).clipGradValue(clipValue);
        clipGradValue({ data, dtype }, clipValue);
        assert.deepEqual(
          new Uint16Array(await bytesOf(device, half), 0, data.length),
          data,
          `${dtype}, ${clipValue}`,
        );
      }
    }
  });

  test('the caller\u2019s encoder: nothing is submitted until the caller does', async () => {
    const buffer = bufferOf(device, Float32Array.of(30, 40));
    const plan = gpu.plan([{ buffer, length: 2 }]);
    const encoder = device.createCommandEncoder();
    const step = plan.clipGradNorm(5, { eps: 0, encoder });
    plan.clipGradValue(3.5, { encoder });
    assert.deepEqual(new Float32Array(await bytesOf(device, buffer), 0, 2), Float32Array.of(30, 40));
    device.queue.submit([encoder.finish()]);
    assert.equal(await step.norm(), 50);
    const [x, y] = new Float32Array(await bytesOf(device, buffer), 0, 2);
    assert.ok(x <= 3 && x > 3 - 3e-6 && y === 3.5, `${x}, ${y}`);
  });

  test('the same tensor twice counts twice and is scaled once; partly overlapping tensors are refused', async () => {
    const buffer = bufferOf(device, Float32Array.of(3, 4, 0, 0));
    const tensor = { buffer, length: 2 };
    const plan = gpu.plan([tensor, tensor]);
    const step = plan.clipGradNorm(1, { eps: 0 });
    assert.equal(await step.norm(), Math.sqrt(50));
    const [x] = new Float32Array(await bytesOf(device, buffer));
    assert.ok(Math.abs(x - 3 / Math.sqrt(50)) < 1e-6);
    const overlapping = gpu.plan({ a: tensor, b: { buffer, offset: 4, length: 3 } });
    assert.throws(() => overlapping.clipGradNorm(1), {
      name: 'TypeError',
      message:
        'tensors.b overlaps tensors.a in its buffer; to be clipped, expected tensors that share all of their bytes or none',
    });
  });

  test('steps in the caller’s encoders while their norms are still being read do not disturb each other', async () => {
    const buffer = bufferOf(device, Float32Array.of(30, 40));
    const archive = bufferOf(device, new Float32Array(80));
    const plan = gpu.plan([{ buffer, length: 2 }]);
    const norms = Array.from({ length: 40 }, (_, i) => {
      device.queue.writeBuffer(buffer, 0, Float32Array.of(30, 40));
      const encoder = device.createCommandEncoder();
      const step = plan.clipGradNorm(5, { eps: 0, encoder });
      plan.clipGradValue(3.5, { encoder });
      encoder.copyBufferToBuffer(buffer, 0, archive, 8 * i, 8);
      device.queue.submit([encoder.finish()]);
      return step.norm();
    });
    assert.deepEqual(await Promise.all(norms), Array(40).fill(50));
    const clipped = new Float32Array(await bytesOf(device, archive), 0, 80);
    clipped.forEach((x, i) => {
      const isRight = i % 2 === 0 ? x <= 3 && x > 3 - 3e-6 : x === 3.5;
      assert.ok(isRight, `step ${i >> 1}: ${x}`);
    });
  });

  test('norm() of a step that did not run rejects: never submitted, or submitted too late', async () => {
    const plan = planOf([Float32Array.of(30, 40)]);
    assert.equal(await plan.clipGradNorm(100).norm(), 50);
    const didNotRun = { message: /^gradnorm: this step did not run; expected its encoder to be submitted/ };
    const encoder = device.createCommandEncoder();
    const step = plan.clipGradNorm(5, { encoder });
    await assert.rejects(step.norm(), didNotRun);
    for (let i = 0; i < 8; ++i) plan.clipGradNorm(100);
    device.queue.submit([encoder.finish()]);
    await assert.rejects(step.norm(), didNotRun);
    assert.equal(await plan.gradNorm(), 50, 'what came too late had the parameters of a later step');
    if (isTooMuchForDeno('the buffer of a step is destroyed before its encoder is submitted')) return;
    const doomed = bufferOf(device, Float32Array.of(3, 4));
    const second = gpu.plan([{ buffer: doomed, length: 2 }]);
    assert.equal(await second.clipGradNorm(100).norm(), 5);
    const late = device.createCommandEncoder();
    const failed = second.clipGradNorm(1, { encoder: late });
    doomed.destroy();
    device.pushErrorScope('validation');
    device.queue.submit([late.finish()]);
    assert.ok((await device.popErrorScope())?.message.includes('destroyed'));
    await assert.rejects(failed.norm(), didNotRun);
  });

  test('the norm in the result is within 2^-24 for p = 1, 2, 3, 4 and Infinity, within 2^-18 for other p', async () => {
    const random = createRandom(77);
    const arrays = [makeArray(Float32Array, 9000, () => (random() - 0.5) * 2 ** (random() * 20))];
    const plan = planOf(arrays);
    for (const p of [...PRODUCT_POWERS, Infinity, 0.5, 1.5, 2.5, 7, 63.5]) {
      const step = plan.clipGradNorm(1e30, { normType: p });
      await step.norm();
      const norm = new Float32Array(await bytesOf(device, step.result))[1];
      // The float itself is cut off at 2^-23.
      const bound = (PRODUCT_POWERS.includes(p) || p === Infinity ? 2 ** -24 : 2 ** -18) + 2 ** -23;
      assertClose(norm, exactNorm(arrays, p), bound, `p = ${p}`);
    }
  });

  test('a result that nobody asked for in time is given up', async () => {
    const plan = planOf([Float32Array.of(3, 4)]);
    const first = plan.clipGradNorm(10);
    for (let i = 0; i < 8; ++i) plan.clipGradNorm(10);
    await assert.rejects(first.norm(), { message: /overwritten; expected norm\(\) to be called before/ });
    const steps = Array.from({ length: 20 }, () => plan.clipGradNorm(10).norm());
    assert.deepEqual(await Promise.all(steps), Array(20).fill(5));
  });
});

/** @param {number} value */
function roundDown(value) {
  const nearest = Math.fround(value);
  return nearest <= value ? nearest : Math.fround(nearest * (1 - 2 ** -24));
}

describe('arrays and buffers', () => {
  test('mixed lists: the norm of both, exactly merged', async () => {
    const random = createRandom(3);
    const arrays = [5, 5000, 300].map((length) => makeArray(Float32Array, length, () => random() - 0.5));
    const [a, b, c] = arrays;
    const onGpu = { buffer: bufferOf(device, b), length: b.length };
    for (const p of [1, 2, 3, Infinity, 2.5, 0.1]) {
      for (const gradients of [
        [a, onGpu, c],
        {
          a,
          more: new Map(
            /** @type {any} */ ([
              ['b', onGpu],
              ['c', c],
            ]),
          ),
        },
        [a, { grad: onGpu }, { grad: c }],
      ]) {
        assertClose(await gpu.gradNorm(gradients, p), exactNorm(arrays, p), boundOnGpu(p), `p = ${p}`);
      }
    }
    assert.equal(await gpu.gradNorm(new Set([a, c])), gradNorm([a, c]));
    await assert.rejects(gpu.gradNorm(/** @type {any} */ ({ fc1: { w: [1, 2] }, b: onGpu })), {
      name: 'TypeError',
      message:
        'gradients.fc1.w is an Array of numbers (wrap it: Float32Array.from(values)); expected ' +
        '{ buffer, offset, length, dtype } on the GPU, a Float32Array, Float64Array, Float16Array or array of 8- to ' +
        "32-bit integers, { data: Uint16Array, dtype: 'float16' or 'bfloat16' }, an object whose grad is one, a list, " +
        'Map or plain record of these, or null',
    });
  });
});

describe('report', () => {
  /** @param {import('gradnorm').GradReport} report */
  const countsOf = ({ tensors, nonfinite, elements, max, zeros, nan, inf }) => ({
    tensors: tensors.map((row) => ({ ...row, norm: 0, share: 0, meanAbs: 0 })),
    nonfinite,
    totals: [elements, max, zeros, nan, inf],
  });

  /**
   * @param {number} actual
   * @param {number} expected
   * @param {number} bound  relative
   * @param {string} where
   */
  function assertNear(actual, expected, bound, where) {
    const isNear = Object.is(actual, expected) || Math.abs(actual / expected - 1) <= bound;
    assert.ok(isNear, `${where}: ${actual}, not ${expected}`);
  }

  /**
   * @param {import('gradnorm').GradReport} report
   * @param {import('gradnorm').GradReport} expected  of the same elements in arrays
   * @param {string} where
   */
  function assertReport(report, expected, where) {
    assert.deepEqual(countsOf(report), countsOf(expected), where);
    const bound = boundOnGpu(expected.normType);
    const rows = [[report, expected], ...report.tensors.map((row, i) => [row, expected.tensors[i]])];
    for (const [row, other] of /** @type {any[]} */ (rows)) {
      const place = `${where}, ${row.name ?? 'total'}, p = ${expected.normType}`;
      assertNear(row.norm, other.norm, 2 * bound, `${place}: norm`);
      assertNear(row.meanAbs, other.meanAbs, 2 ** -21, `${place}: meanAbs`);
      if (row.share === undefined || Number.isNaN(other.share)) {
        assert.ok(Number.isNaN(row.share ?? NaN), `${place}: share ${row.share}`);
      } else {
        assert.ok(Math.abs(row.share - other.share) <= 2e-4, `${place}: ${row.share}, not ${other.share}`);
      }
    }
  }

  /** @param {(i: number) => number} element */
  const halves = (/** @type {number} */ length, element) =>
    Uint16Array.from({ length }, (_, i) => element(i));

  test('as gradReport of the same elements under the same names, for every p; norm is gradNorm bit for bit', async () => {
    const random = createRandom(21);
    const value = () => (random() < 0.1 ? 0 : (random() - 0.5) * 2 ** (random() * 30));
    const long = makeArray(Float32Array, 3 * JOB + 100, value);
    const tiny = makeArray(Float32Array, 40, () => Math.floor(random() * 9) * 2 ** -149);
    const f16 = halves(JOB + 77, (i) => (i % 3 === 0 ? 0 : (i * 7) % 0x7c00));
    const bf16 = halves(300, (i) => 0x3f80 + i);
    const onGpu = (
      /** @type {any} */ data,
      /** @type {number} */ offset,
      /** @type {any} */ dtype = 'float32',
    ) => {
      const buffer = bufferOf(device, data, offset);
      return { buffer, offset, length: /** @type {number} */ (data.length), dtype };
    };
    const plan = gpu.plan({
      fc1: { long: onGpu(long, 12), none: null, empty: onGpu(new Uint16Array(0), 2, 'float16') },
      tiny: onGpu(tiny, 0),
      f16: onGpu(f16, 2, 'float16'),
      bf16: onGpu(bf16, 4, 'bfloat16'),
      zeros: onGpu(new Float32Array(10).fill(-0), 4),
    });
    const empty = new Uint16Array(0);
    const gradients = {
      fc1: { long, none: null, empty: { data: empty, dtype: /** @type {const} */ ('float16') } },
      tiny,
      f16: { data: f16, dtype: /** @type {const} */ ('float16') },
      bf16: { data: bf16, dtype: /** @type {const} */ ('bfloat16') },
      zeros: new Float32Array(10),
    };
    for (const p of ALL_POWERS) {
      const report = await plan.report({ normType: p });
      assertReport(report, gradReport(gradients, { normType: p }), 'mixed');
      assert.equal(hex(report.norm), hex(await plan.gradNorm(p)), `p = ${p}`);
    }
    assert.equal((await gpu.plan([]).report()).norm, 0);
  });

  test('NaN and infinities: how many, and the first of each tensor, wherever it is', async () => {
    for (const [length, ats] of /** @type {[number, number[]][]} */ ([
      [1, [0]],
      [33, [0, 7, 32]],
      [2 * JOB + 5, [0, 255, 256, JOB - 1, JOB, JOB + 1, 2 * JOB + 4]],
    ])) {
      for (const at of ats) {
        for (const bad of [NaN, Infinity, -Infinity]) {
          const array = new Float32Array(length).fill(0.5);
          array[length - 1] = NaN;
          array[at] = bad;
          const half = halves(length + 1, (i) => (i === at ? 0xfc00 : 0x3800));
          const plan = gpu.plan({
            array: { buffer: bufferOf(device, array, 4), offset: 4, length },
            half: { buffer: bufferOf(device, half, 2), offset: 2, length: length + 1, dtype: 'float16' },
            good: { buffer: bufferOf(device, Float32Array.of(1, 2)), length: 2 },
          });
          const expected = gradReport({
            array,
            half: { data: half, dtype: 'float16' },
            good: Float32Array.of(1, 2),
          });
          assertReport(await plan.report(), expected, `n = ${length}, ${bad} at ${at}`);
          plan.destroy();
        }
      }
    }
  });

  test('reads no tensor back, unless p is one that the GPU has no kernel for', async () => {
    const noCopy = device.createBuffer({ size: 16, usage: 0x80 });
    const plan = gpu.plan([{ buffer: noCopy, length: 4 }]);
    assert.equal((await plan.report()).zeros, 4);
    await assert.rejects(plan.report({ normType: 0.1 }), {
      name: 'TypeError',
      message: /^tensors\[0\] has a buffer without usage COPY_SRC/,
    });
    assert.equal((await plan.report()).zeros, 4);
    const pending = plan.report();
    plan.destroy();
    await assert.rejects(pending, { message: 'gradnorm: this plan was destroyed' });
  });
});

describe('errors', () => {
  const buffer = () => bufferOf(device, Float32Array.of(1, 2, 3, 4), 0, 0);

  test('name the tensor, the value and the expectation', () => {
    /** @type {[any, string][]} */
    const cases = [
      [
        { fc1: { weight: { buffer: buffer(), offset: 3, length: 1 } } },
        'tensors.fc1.weight has offset 3 (a number); expected bytes, a multiple of 4',
      ],
      [
        [{ buffer: buffer(), offset: 1, length: 1, dtype: 'float16' }],
        'tensors[0] has offset 1 (a number); expected bytes, a multiple of 2',
      ],
      [[{ buffer: buffer() }], 'tensors[0] has length undefined; expected a whole number of elements >= 0'],
      [
        [{ buffer: buffer(), length: 5 }],
        'tensors[0] has 5 elements of float32 from offset 0, up to byte 20; expected at most the 16 bytes of its buffer',
      ],
      [
        { 'a/b': { buffer: buffer(), offset: 8, length: 3 } },
        'tensors["a/b"] has 3 elements of float32 from offset 8, up to byte 20; expected at most the 16 bytes of its buffer',
      ],
      [
        [{ buffer: buffer(), length: 1, dtype: 'float64' }],
        "tensors[0] has dtype \"float64\" (a string); expected 'float32', 'float16' or 'bfloat16'",
      ],
      [
        new Map([['w', { buffer: new ArrayBuffer(8), length: 1 }]]),
        'tensors.w has buffer an ArrayBuffer; expected a GPUBuffer',
      ],
      [
        [Float32Array.of(1)],
        'tensors[0] is a Float32Array; expected { buffer, offset, length, dtype }, an object whose grad is one, a list, Map or plain record of these, or null',
      ],
      [
        3,
        'tensors is 3 (a number); expected { buffer, offset, length, dtype }, an object whose grad is one, a list, Map or plain record of these, or null',
      ],
      [
        [{ buffer: device.createBuffer({ size: 16, usage: 0x8 }), length: 1 }],
        'tensors[0] has a buffer without usage STORAGE; expected one made with GPUBufferUsage.STORAGE',
      ],
    ];
    for (const [tensors, message] of cases)
      assert.throws(() => gpu.plan(tensors), { name: 'TypeError', message });
  });

  test('arguments', async () => {
    const plan = gpu.plan([{ buffer: buffer(), length: 4 }]);
    await assert.rejects(plan.gradNorm(0), {
      name: 'RangeError',
      message: 'normType is 0; expected a number > 0 or Infinity',
    });
    assert.throws(() => plan.clipGradNorm(-1), { name: 'RangeError' });
    assert.throws(() => plan.clipGradNorm(1, { normType: 0.1 }), {
      name: 'RangeError',
      message: 'normType is 0.1; to clip on the GPU, expected a number from 0.5 to 64, or Infinity',
    });
    assert.throws(() => plan.clipGradNorm(1, /** @type {any} */ ({ encoder: 3 })), {
      message: 'encoder is 3 (a number); expected a GPUCommandEncoder',
    });
    await assert.rejects(GpuGradNorm.create(/** @type {any} */ ({ device: {} })), {
      message: 'device is an object; expected a GPUDevice',
    });
    const noCopy = device.createBuffer({ size: 16, usage: 0x80 });
    await assert.rejects(gpu.plan([{ buffer: noCopy, length: 4 }]).gradNorm(1000), {
      message: /^tensors\[0\] has a buffer without usage COPY_SRC/,
    });
  });

  test('a buffer that is mapped, destroyed or of another device: named, and the plan works again once it is unmapped', async () => {
    const good = { buffer: buffer(), length: 4 };
    const mapped = device.createBuffer({ size: 16, usage: USAGE, mappedAtCreation: true });
    const plan = gpu.plan({ good, bad: { buffer: mapped, length: 4 } });
    await assert.rejects(plan.gradNorm(), {
      name: 'TypeError',
      message: 'tensors.bad has a buffer that is mapped; expected it to be unmapped while the GPU uses it',
    });
    mapped.unmap();
    assert.equal(await plan.gradNorm(1), 10);
    mapped.destroy();
    const refused = {
      name: 'TypeError',
      message: /^tensors\.bad has a buffer that this device cannot use; expected one of the same device/,
    };
    await assert.rejects(plan.gradNorm(), refused);
    const other = await requestDevice();
    const foreign = bufferOf(other.device, Float32Array.of(1));
    await assert.rejects(gpu.plan({ good, bad: { buffer: foreign, length: 1 } }).gradNorm(), refused);
    other.device.destroy();
  });

  test('a step that WebGPU refused and whose norm nobody reads: the next who reads is told, and then all is well', async () => {
    for (const clip of /** @type {const} */ (['clipGradValue', 'clipGradNorm'])) {
      const mapped = device.createBuffer({ size: 16, usage: USAGE, mappedAtCreation: true });
      const plan = gpu.plan({ good: { buffer: buffer(), length: 4 }, bad: { buffer: mapped, length: 4 } });
      plan[clip](1);
      await assert.rejects(plan.gradNorm(), {
        name: 'TypeError',
        message: 'tensors.bad has a buffer that is mapped; expected it to be unmapped while the GPU uses it',
      });
      plan[clip](1);
      // The scope of the refused step is read before the buffer is unmapped.
      await device.queue.onSubmittedWorkDone();
      mapped.unmap();
      await assert.rejects(plan.gradNorm());
      assert.equal(await plan.gradNorm(1), 10);
      await plan.clipGradNorm(1).norm();
      assert.ok((await plan.gradNorm()) <= 1);
    }
  });

  test('powers that the CPU computes: a buffer that cannot be read is named, and destroy rejects what is under way', async () => {
    const mapped = device.createBuffer({ size: 16, usage: USAGE, mappedAtCreation: true });
    const plan = gpu.plan({ good: { buffer: buffer(), length: 4 }, bad: { buffer: mapped, length: 4 } });
    for (const read of [
      () => plan.gradNorm(0.1),
      () => plan.gradNorm(100),
      () => plan.report({ normType: 0.1 }),
    ]) {
      await assert.rejects(read(), {
        name: 'TypeError',
        message: /^tensors\.bad has a buffer that is mapped/,
      });
    }
    mapped.unmap();
    assert.equal(await plan.gradNorm(1000), 4);
    const pending = plan.gradNorm(0.1);
    plan.destroy();
    await assert.rejects(pending, { message: 'gradnorm: this plan was destroyed' });
    const odd = device.createBuffer({ size: 6, usage: USAGE });
    const gone = bufferOf(device, Float32Array.of(1));
    gone.destroy();
    const two = gpu.plan({ odd: { buffer: odd, length: 1 }, gone: { buffer: gone, length: 1 } });
    await assert.rejects(two.gradNorm(), {
      message: /^tensors\.gone has a buffer that this device cannot use/,
    });
  });

  test('a parameter in a buffer of its own stands for its gradient', async () => {
    const grad = { buffer: bufferOf(device, Float32Array.of(3, 4)), length: 2 };
    const weight = { buffer: bufferOf(device, Float32Array.of(300, 400)), length: 2 };
    assert.equal(await gpu.plan([{ ...weight, grad }]).gradNorm(), 5);
    assert.equal(await gpu.plan([{ ...weight, grad: null }]).gradNorm(), 0);
  });

  test('misspelt names, options that are none, and a constructor that is not for users', async () => {
    const tensor = { buffer: buffer(), length: 1 };
    assert.throws(() => gpu.plan([/** @type {any} */ ({ ...tensor, byteOffset: 4 })]), {
      name: 'TypeError',
      message: 'tensors[0] has an unknown name, "byteOffset"; expected any of buffer, offset, length, dtype',
    });
    class Tensor {
      buffer = tensor.buffer;
      length = 4;
      shape = [2, 2];
    }
    const plan = gpu.plan([new Tensor()]);
    assert.equal(await plan.gradNorm(1), 10);
    const encoder = device.createCommandEncoder();
    assert.throws(() => plan.clipGradNorm(1, /** @type {any} */ (encoder)), {
      name: 'TypeError',
      message:
        /^the options of clipGradNorm are a GPUCommandEncoder; expected an object with any of normType, eps/,
    });
    await assert.rejects(GpuGradNorm.create(/** @type {any} */ (device)), {
      message: /^the options of GpuGradNorm\.create are a GPUDevice; expected an object with any of device/,
    });
    assert.throws(() => new GpuGradNorm(/** @type {any} */ ({ device }), false), {
      message: 'GpuGradNorm has no public constructor; expected await GpuGradNorm.create({ device })',
    });
    assert.throws(() => new /** @type {any} */ (GpuPlan)(), {
      name: 'TypeError',
      message: 'GpuPlan has no public constructor; expected gpu.plan(tensors)',
    });
    assert.equal(await plan.gradNorm(1), 10);
  });

  test('halves of another realm are halves', async () => {
    const data = Uint16Array.of(0x4200, 0x4400);
    Object.setPrototypeOf(data, Object.create(Object.getPrototypeOf(Uint16Array.prototype)));
    assert.ok(!(data instanceof Uint16Array));
    assert.equal(await gpu.gradNorm({ data, dtype: 'float16' }), 5);
  });

  test('destroy and the loss of the device reject what is under way and what comes later', async () => {
    const plan = planOf([Float32Array.of(1)]);
    const pending = plan.gradNorm();
    plan.destroy();
    await assert.rejects(pending, { message: 'gradnorm: this plan was destroyed' });
    await assert.rejects(plan.gradNorm(), { message: 'gradnorm: this plan was destroyed' });
    assert.throws(() => plan.clipGradNorm(1), { message: 'gradnorm: this plan was destroyed' });
    const { device: own } = await requestDevice();
    const on = await GpuGradNorm.create({ device: own });
    const lost = planOf([Float32Array.of(1)], 0, on);
    await lost.gradNorm(Infinity);
    const both = [lost.gradNorm(Infinity), lost.clipGradNorm(1, { normType: Infinity }).norm()];
    own.destroy();
    for (const promise of both)
      await assert.rejects(promise, { message: /^gradnorm: the GPU device was destroyed/ });
    await assert.rejects(lost.gradNorm(), { message: /^gradnorm: the GPU device was destroyed/ });
    on.destroy();
    assert.throws(() => on.plan([]), { message: 'gradnorm: this GpuGradNorm was destroyed' });
  });
});
