// tests/webgpu-faults.test.js: what goes wrong on the GPU is said, once, to whoever can be told; and what was passed is what
// is measured. tests/webgpu-browser.test.js runs the same in Chromium.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { GradientError, gradNorm, gradReport } from 'gradnorm';
import { GpuGradNorm } from 'gradnorm/webgpu';
import {
  bufferOf,
  bytesOf,
  closeGpu,
  isTooMuchForDeno,
  openGpu,
  requestDevice,
  USAGE,
} from './webgpu-device.js';

/** @typedef {import('gradnorm/webgpu').GpuPlan} GpuPlan */

/** Milliseconds that only a hang takes. */
const LONGEST_WAIT = 60_000;

/** @type {GPUDevice} */
let device;
/** @type {string[]} */
let errors;
/** @type {GpuGradNorm} */
let gpu;

before(async () => ({ device, errors, gpu } = await openGpu()));
after(() => closeGpu({ device, errors, gpu }));

const tensorOf = (/** @type {number[]} */ ...values) => ({
  buffer: bufferOf(device, Float32Array.from(values), 0, 0),
  length: values.length,
});

/** A tensor that WebGPU refuses to use until its buffer is unmapped. */
const mappedTensor = () => ({
  buffer: device.createBuffer({ size: 16, usage: USAGE, mappedAtCreation: true }),
  length: 4,
});

/** One that it refuses for ever. */
function destroyedTensor() {
  const tensor = tensorOf(1, 2);
  tensor.buffer.destroy();
  return tensor;
}

const MAPPED = {
  name: 'TypeError',
  message: 'tensors.b has a buffer that is mapped; expected it to be unmapped while the GPU uses it',
};
const DESTROYED = {
  name: 'TypeError',
  message: /^tensors\.b has a buffer that this device cannot use; expected one of the same device/,
};

/**
 * Runs a body and gives it what the console is told in the meantime.
 * @param {(told: { message: string }[], all: (count: number) => Promise<void>) => Promise<void>} body  all() waits until so
 *   much was told, and then until a fault is told that comes later and takes longer to be found
 */
async function withConsole(body) {
  /** @type {any[]} */
  const told = [];
  const { error } = console;
  console.error = (/** @type {any} */ what) => void told.push(what);
  const isControl = (/** @type {any} */ { message }) => /^tensors\.control/.test(message);
  const all = async (/** @type {number} */ count) => {
    await until(() => told.length >= count, `${count} faults to be told`);
    const good = [1, 2, 3, 4].map((value) => tensorOf(value));
    const control = gpu.plan({ good, control: destroyedTensor() });
    control.clipGradValue(1);
    await until(() => told.some(isControl), 'the fault of the control to be told');
    told.splice(told.findIndex(isControl), 1);
    assert.throws(() => control.clipGradValue(1), { message: /^tensors\.control/ });
    control.destroy();
  };
  try {
    await body(told, all);
  } finally {
    console.error = error;
  }
}

/**
 * @param {string} text
 * @param {RegExp} pattern
 */
function assertMatches(text, pattern) {
  assert.ok(pattern.test(text), text);
}

/**
 * @param {() => boolean} holds
 * @param {string} what
 */
async function until(holds, what) {
  const end = Date.now() + LONGEST_WAIT;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** @type {[string, (plan: GpuPlan) => unknown][]} */
const WRITES = [
  ['clipGradNorm', (plan) => plan.clipGradNorm(1)],
  ['clipGradNorm under throw', (plan) => plan.clipGradNorm(1, { nonfinite: 'throw' })],
  ['clipGradValue', (plan) => plan.clipGradValue(1)],
];

/** @type {[string, (plan: GpuPlan) => Promise<unknown>][]} */
const VERBS = [
  ...WRITES.map(
    ([name, write]) =>
      /** @type {[string, (plan: GpuPlan) => Promise<unknown>]} */ ([name, async (plan) => write(plan)]),
  ),
  ['clipGradValue(Infinity)', async (plan) => plan.clipGradValue(Infinity)],
  ['gradNorm', (plan) => plan.gradNorm()],
  ['gradNorm on the CPU', (plan) => plan.gradNorm(0.1)],
  ['report', (plan) => plan.report()],
];

describe('a fault that nobody claims', () => {
  for (const [name, write] of WRITES) {
    test(`${name} of a destroyed buffer, five times: the console has it once, the next call throws it, the one after works`, () =>
      withConsole(async (told, all) => {
        const a = tensorOf(3, 4);
        const b = tensorOf(1, 2);
        const plan = gpu.plan({ a, b });
        b.buffer.destroy();
        for (let i = 0; i < 5; ++i) write(plan);
        await all(1);
        assert.equal(told.length, 1);
        assertMatches(told[0].message, DESTROYED.message);
        assert.throws(() => write(plan), DESTROYED);
        write(plan);
        await assert.rejects(plan.gradNorm(), DESTROYED);
        await all(1);
        assert.equal(told.length, 1);
        plan.destroy();
      }));

    test(`${name} of a mapped buffer: the next call of whatever verb throws it, writes nothing, and once it is unmapped all is well`, () =>
      withConsole(async (told, all) => {
        for (const [verb, call] of VERBS) {
          const b = mappedTensor();
          const a = tensorOf(3, 4);
          const plan = gpu.plan({ a, b });
          write(plan);
          write(plan);
          await all(1);
          assert.deepEqual([told.length, told[0]?.message], [1, MAPPED.message], verb);
          told.length = 0;
          b.buffer.unmap();
          await assert.rejects(call(plan), MAPPED, verb);
          assert.equal(await plan.gradNorm(), 5, verb);
          await plan.clipGradNorm(1).norm();
          assert.ok((await plan.gradNorm()) <= 1, verb);
          await all(0);
          assert.deepEqual(told, [], verb);
          plan.destroy();
        }
      }));
  }

  test('whoever reads is told, and the console is not: norm(), gradNorm and report', () =>
    withConsole(async (told, all) => {
      const b = mappedTensor();
      const plan = gpu.plan({ a: tensorOf(3, 4), b });
      for (const read of [
        () => plan.clipGradNorm(1).norm(),
        () => plan.clipGradNorm(1, { nonfinite: 'throw' }).norm(),
        () => plan.gradNorm(),
        () => plan.gradNorm(0.1),
        () => plan.report(),
        () => (plan.clipGradValue(1), plan.gradNorm()),
        () => (plan.clipGradNorm(1), plan.clipGradNorm(1), plan.report()),
      ]) {
        await assert.rejects(read(), MAPPED, String(read));
      }
      await all(0);
      assert.deepEqual(told, []);
      b.buffer.unmap();
      plan.clipGradNorm(1);
      assert.ok((await plan.gradNorm()) <= 1);
      plan.destroy();
    }));

  test('norm() that is asked when the console had it already claims it: the next call does not throw', () =>
    withConsole(async (told, all) => {
      const b = mappedTensor();
      const plan = gpu.plan({ a: tensorOf(3, 4), b });
      const steps = [plan.clipGradNorm(1), plan.clipGradNorm(1)];
      await all(1);
      assert.equal(told.length, 1);
      b.buffer.unmap();
      for (const step of steps) await assert.rejects(step.norm(), MAPPED);
      assert.equal(await plan.clipGradNorm(1).norm(), 5);
      await all(1);
      assert.equal(told.length, 1);
      plan.destroy();
    }));

  test('norm() tells of its own step: not of later ones, and not of earlier ones, which the next call of the plan throws', () =>
    withConsole(async (told, all) => {
      const a = tensorOf(3, 4);
      const plan = gpu.plan({ a });
      const offender = (/** @type {number} */ index, /** @type {number} */ value) => ({
        name: 'GradientError',
        tensor: 'a',
        index,
        value,
      });
      /** @type {(...values: number[]) => import('gradnorm/webgpu').GpuClipStep} */
      const step = (...values) => {
        device.queue.writeBuffer(a.buffer, 0, Float32Array.from(values));
        return plan.clipGradNorm(1, { nonfinite: 'throw' });
      };
      const [healthy, nan, infinite, large] = [step(3, 4), step(NaN, 4), step(0, -Infinity), step(6, 8)];
      await Promise.all([
        healthy.norm().then((norm) => assert.equal(norm, 5)),
        assert.rejects(nan.norm(), offender(0, NaN)),
        assert.rejects(infinite.norm(), offender(1, -Infinity)),
        large.norm().then((norm) => assert.equal(norm, 10)),
      ]);
      await all(0);
      assert.deepEqual(told, []);
      const [before, unasked, behind] = [step(3, 4), step(NaN, 4), step(6, 8)];
      assert.equal(await before.norm(), 5);
      assert.equal(await behind.norm(), 10);
      await all(1);
      assert.equal(told.length, 1);
      assert.throws(() => step(3, 4), offender(0, NaN));
      await assert.rejects(unasked.norm(), offender(0, NaN));
      assert.equal(await step(3, 4).norm(), 5);
      plan.destroy();
    }));

  test('the norm of a step is there, though the buffer was destroyed since and the next step refused', async () => {
    if (isTooMuchForDeno('a buffer is destroyed that a step under way uses')) return;
    const a = tensorOf(3, 4);
    const plan = gpu.plan({ a });
    const step = plan.clipGradNorm(10);
    a.buffer.destroy();
    const refused = plan.clipGradNorm(10);
    assert.equal(await step.norm(), 5);
    await assert.rejects(refused.norm(), {
      message: /^tensors\.a has a buffer that this device cannot use; /,
    });
    plan.destroy();
  });

  test('destroy() of a plan does not silence it', () =>
    withConsole(async (told, all) => {
      const plan = gpu.plan({ a: tensorOf(3, 4), b: mappedTensor() });
      plan.clipGradNorm(1);
      plan.destroy();
      await all(1);
      assert.deepEqual([told.length, told[0]?.message], [1, MAPPED.message]);
      assert.throws(() => plan.clipGradNorm(1), { message: 'gradnorm: this plan was destroyed' });
    }));

  test('each plan has its own', () =>
    withConsole(async (told, all) => {
      const b = mappedTensor();
      const [one, two, three] = [0, 1, 2].map((i) => gpu.plan({ a: tensorOf(3, 4), b: i < 2 ? b : null }));
      for (const plan of [one, two, three]) plan.clipGradNorm(1);
      await all(2);
      assert.deepEqual(
        told.map(({ message }) => message),
        [MAPPED.message, MAPPED.message],
      );
      b.buffer.unmap();
      three.clipGradNorm(1);
      assert.throws(() => one.clipGradNorm(1), MAPPED);
      assert.throws(() => two.clipGradNorm(1), MAPPED);
      for (const plan of [one, two, three]) {
        plan.clipGradNorm(1);
        plan.destroy();
      }
    }));

  test('a plan that could not be made: told without any call, and by every one', () =>
    withConsole(async (told, all) => {
      const other = await requestDevice();
      const foreign = bufferOf(other.device, Float32Array.of(1));
      const plan = gpu.plan({ a: tensorOf(3, 4), b: { buffer: foreign, length: 1 } });
      await all(1);
      assert.equal(told.length, 1);
      assertMatches(told[0].message, DESTROYED.message);
      for (const [verb, call] of VERBS) await assert.rejects(call(plan), DESTROYED, verb);
      await all(1);
      assert.equal(told.length, 1);
      plan.destroy();
      other.device.destroy();
    }));

  test('in the caller’s encoder: WebGPU tells the caller’s submit, and nothing else is told', () =>
    withConsole(async (told, all) => {
      if (isTooMuchForDeno('a destroyed buffer in the caller’s encoder')) return;
      const b = tensorOf(1, 2);
      const plan = gpu.plan({ a: tensorOf(3, 4), b });
      b.buffer.destroy();
      const encoder = device.createCommandEncoder();
      plan.clipGradNorm(1, { encoder });
      plan.clipGradValue(1, { encoder });
      device.pushErrorScope('validation');
      device.queue.submit([encoder.finish()]);
      assertMatches((await device.popErrorScope())?.message ?? '', /destroyed|invalid/);
      await all(0);
      assert.deepEqual(told, []);
      plan.destroy();
    }));

  test('the loss of the device is thrown by the next call, whatever was under way', () =>
    withConsole(async (told, all) => {
      const { device: own } = await requestDevice();
      const on = await GpuGradNorm.create({ device: own });
      const plan = on.plan({ a: { buffer: bufferOf(own, Float32Array.of(3, 4)), length: 2 } });
      plan.clipGradNorm(1);
      plan.clipGradNorm(1, { nonfinite: 'throw' });
      own.destroy();
      plan.clipGradValue(1);
      await own.lost;
      for (const [verb, call] of VERBS)
        await assert.rejects(call(plan), { message: /^gradnorm: the GPU device was destroyed/ }, verb);
      await all(0);
      assert.deepEqual(told, []);
    }));

  test('gradients that are not finite under throw: as any fault, with the name, and nothing is written', () =>
    withConsole(async (told, all) => {
      const b = tensorOf(1, 2, NaN, 4);
      const plan = gpu.plan({ a: tensorOf(3, 4), b });
      const offender = { name: 'GradientError', tensor: 'b', index: 2, value: NaN };
      for (let i = 0; i < 5; ++i) plan.clipGradNorm(1, { nonfinite: 'throw' });
      await until(() => told.length > 0, 'the value that is not finite to be told');
      assert.throws(() => plan.clipGradNorm(1, { nonfinite: 'throw' }), offender);
      plan.clipGradNorm(1, { nonfinite: 'throw' });
      await assert.rejects(plan.gradNorm(), offender);
      const step = plan.clipGradNorm(1, { nonfinite: 'throw' });
      await assert.rejects(step.norm(), offender);
      await assert.rejects(step.norm(), offender);
      assert.ok(Number.isNaN(await plan.gradNorm()));
      await all(1);
      assert.equal(told.length, 1);
      assert.ok(told[0] instanceof GradientError);
      assert.deepEqual(
        new Float32Array(await bytesOf(device, b.buffer)).slice(0, 4),
        Float32Array.of(1, 2, NaN, 4),
      );
      plan.destroy();
    }));
});

describe('names that join alike', () => {
  for (const p of [0.1, 65, 2, Infinity]) {
    test(`the report of p = ${p} has every tensor`, async () => {
      const plan = gpu.plan({
        a: { b: tensorOf(3), 'c.d': tensorOf(0) },
        'a.b': tensorOf(4),
        'a.c': { d: { grad: tensorOf(NaN) } },
        more: [tensorOf(1), { 0: tensorOf(2) }],
        'more.0': tensorOf(5),
      });
      const expected = gradReport(
        {
          a: { b: Float32Array.of(3), 'c.d': Float32Array.of(0) },
          'a.b': Float32Array.of(4),
          'a.c': { d: { grad: Float32Array.of(NaN) } },
          more: [Float32Array.of(1), { 0: Float32Array.of(2) }],
          'more.0': Float32Array.of(5),
        },
        { normType: p },
      );
      const report = await plan.report({ normType: p });
      assert.deepEqual(
        report.tensors.map(({ name, norm }) => [name, norm]),
        expected.tensors.map(({ name, norm }) => [name, norm]),
      );
      assert.deepEqual([...report.nonfinite], [...expected.nonfinite]);
      assert.equal(report.elements, 7);
      assert.equal(
        (await gpu.plan({ a: { b: tensorOf(3) }, 'a.b': tensorOf(4) }).report({ normType: p })).norm,
        await gpu.plan([tensorOf(3), tensorOf(4)]).gradNorm(p),
      );
    });
  }
});

describe('what was passed is what is measured', () => {
  for (const p of [2, 0.3, Infinity, 1000]) {
    test(`p = ${p}: arrays and buffers that change right after the call`, async () => {
      const expected = gradNorm([Float32Array.of(3, 4), Float64Array.of(5, 6)], p);
      const array = Float32Array.of(3, 4);
      const other = Float64Array.of(5, 6);
      const alone = gpu.gradNorm([array, other], p);
      array.fill(0);
      other.fill(0);
      assert.equal(await alone, expected);
      const tensor = tensorOf(3, 4);
      const rest = Float64Array.of(5, 6);
      const mixed = gpu.gradNorm({ tensor, rest }, p);
      rest.fill(NaN);
      device.queue.writeBuffer(tensor.buffer, 0, new Float32Array(2));
      tensor.buffer.destroy();
      assert.equal(await mixed, expected, 'mixed');
      const detached = Float32Array.of(3, 4);
      const transferred = gpu.gradNorm(detached, p);
      structuredClone(detached, { transfer: [detached.buffer] });
      assert.equal(detached.length, 0);
      assert.equal(await transferred, gradNorm(Float32Array.of(3, 4), p), 'detached');
    });

    test(`p = ${p}: a plan whose buffers are overwritten and destroyed right after the call`, async () => {
      const tensors = { a: tensorOf(3, 4), b: tensorOf(5, 6) };
      const plan = gpu.plan(tensors);
      const norm = plan.gradNorm(p);
      const report = plan.report({ normType: p });
      for (const { buffer } of Object.values(tensors)) {
        device.queue.writeBuffer(buffer, 0, new Float32Array(2));
        buffer.destroy();
      }
      const expected = gradNorm([Float32Array.of(3, 4), Float32Array.of(5, 6)], p);
      assert.ok(Math.abs((await norm) / expected - 1) <= 2 ** -23);
      assert.ok(Math.abs((await report).norm / expected - 1) <= 2 ** -23);
      plan.destroy();
    });
  }
});

describe('a step in the caller’s encoder', () => {
  const didNotRun = { message: /^gradnorm: this step did not run; expected its encoder to be submitted/ };

  test('norm() fails before the submit and works after it, as often as it is asked', async () => {
    const plan = gpu.plan([tensorOf(30, 40)]);
    const encoder = device.createCommandEncoder();
    const step = plan.clipGradNorm(5, { encoder });
    await assert.rejects(step.norm(), didNotRun);
    await assert.rejects(step.norm(), didNotRun);
    device.queue.submit([encoder.finish()]);
    assert.equal(await step.norm(), 50);
    assert.equal(await step.norm(), 50);
    assert.ok((await plan.gradNorm()) <= 5 * (1 + 2 ** -23));
    plan.destroy();
  });

  test('norm() that is pending does not get in the way of the submit', async () => {
    const plan = gpu.plan([tensorOf(30, 40)]);
    for (let i = 0; i < 12; ++i) {
      const encoder = device.createCommandEncoder();
      const step = plan.clipGradNorm(100, { encoder });
      const early = step.norm();
      device.queue.submit([encoder.finish()]);
      await assert.rejects(early, didNotRun);
      assert.equal(await step.norm(), 50, `step ${i}`);
    }
    plan.destroy();
  });

  test('under throw norm() fails early, and then names what is not finite', async () => {
    const plan = gpu.plan({ w: tensorOf(1, -Infinity) });
    const encoder = device.createCommandEncoder();
    const step = plan.clipGradNorm(5, { encoder, nonfinite: 'throw' });
    await assert.rejects(step.norm(), didNotRun);
    device.queue.submit([encoder.finish()]);
    await assert.rejects(step.norm(), { name: 'GradientError', tensor: 'w', index: 1, value: -Infinity });
    plan.destroy();
  });

  test('that had a pass open: norm() says what is expected of it, and WebGPU tells finish()', async () => {
    const plan = gpu.plan([tensorOf(30, 40)]);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    const step = plan.clipGradNorm(5, { encoder });
    pass.end();
    device.pushErrorScope('validation');
    device.queue.submit([encoder.finish()]);
    const told = await device.popErrorScope();
    // Firefox tells it when the step is added, to whoever does that, and not to finish().
    assert.equal(told === null, /Firefox/.test(globalThis.navigator?.userAgent ?? ''));
    await assert.rejects(step.norm(), {
      message:
        'gradnorm: this step did not run; expected its encoder to be submitted before norm(), ' +
        'and before seven more steps, and to have had no pass open when the step was added',
    });
    assert.equal(await plan.clipGradNorm(100).norm(), 50);
    plan.destroy();
  });

  test('that is finished already: told as any fault, to norm() or else to the console, and the next call works', () =>
    withConsole(async (told, all) => {
      const plan = gpu.plan({ a: tensorOf(30, 40) });
      const encoder = device.createCommandEncoder();
      device.queue.submit([encoder.finish()]);
      const refused = { message: /^gradnorm: WebGPU refused the step: / };
      await assert.rejects(plan.clipGradNorm(5, { encoder }).norm(), refused);
      await all(0);
      for (const clip of [
        () => plan.clipGradNorm(5, { encoder }),
        () => plan.clipGradValue(5, { encoder }),
      ]) {
        clip();
        await all(1);
        assertMatches(told[0].message, refused.message);
        told.length = 0;
        assert.throws(() => plan.clipGradValue(5), refused);
      }
      assert.equal(await plan.gradNorm(), 50);
      plan.destroy();
    }));

  test('norm() after destroy() says so, and WebGPU has nothing to complain of', async () => {
    const plan = gpu.plan([tensorOf(30, 40)]);
    const encoder = device.createCommandEncoder();
    const step = plan.clipGradNorm(5, { encoder });
    device.queue.submit([encoder.finish()]);
    plan.destroy();
    await assert.rejects(step.norm(), { message: 'gradnorm: this plan was destroyed' });
    await device.queue.onSubmittedWorkDone();
    assert.deepEqual(errors, []);
  });
});

describe('the door', () => {
  /** @param {object} tensor */
  const refuses = (tensor, name = 'byteOffset') =>
    assert.throws(() => gpu.plan([/** @type {any} */ (tensor)]), {
      name: 'TypeError',
      message: `tensors[0] has an unknown name, "${name}"; expected any of buffer, offset, length, dtype`,
    });

  test('a name that seems to say where the elements are or what they are is refused, whoever has it', () => {
    const { buffer } = tensorOf(1, 2, 3, 4);
    const own = { buffer, byteOffset: 4, length: 2 };
    class Own {
      buffer = buffer;
      byteOffset = 4;
      length = 2;
    }
    class Getter {
      get buffer() {
        return buffer;
      }
      get byteOffset() {
        return 4;
      }
      get length() {
        return 2;
      }
    }
    class Derived extends Getter {}
    const bare = Object.assign(Object.create(null), own);
    for (const tensor of [own, Object.freeze(own), bare, new Own(), new Getter(), new Derived()]) {
      refuses(tensor);
    }
    for (const name of ['byte_offset', 'start', 'elementOffset', 'begin']) {
      refuses(Object.assign(new (class {})(), { buffer, length: 2, [name]: 1 }), name);
      refuses({ buffer, length: 2, [name]: 1 }, name);
    }
    for (const [name, value] of [
      ['type', 'float16'],
      ['dataType', 'bf16'],
      ['format', 'half'],
    ]) {
      refuses(Object.assign(new (class {})(), { buffer, length: 2, [name]: value }), name);
    }
    refuses({ buffer, length: 2, size: 8 }, 'size');
    assert.throws(() => gpu.plan(/** @type {any} */ ({ buffer, offset: '4', length: 2 })), {
      message: 'tensors has offset "4" (a string); expected bytes, a multiple of 4',
    });
  });

  test('objects of the caller’s classes may have other names, and those too where offset and dtype say it', async () => {
    class Parameter {
      buffer = tensorOf(1, 2, 3, 4).buffer;
      length = 2;
      shape = [2, 1];
      type = 'weight';
      name = 'w';
      size = 16;
      startTraining() {}
    }
    assert.equal(await gpu.plan([new Parameter()]).gradNorm(1), 3);
    const said = Object.assign(new Parameter(), {
      offset: 4,
      byteOffset: 4,
      dtype: /** @type {const} */ ('float32'),
      type: 'float32',
    });
    assert.equal(await gpu.plan([said]).gradNorm(1), 5);
  });

  test('a tensor of TensorFlow.js has a method buffer: the entry that takes it is named', async () => {
    class Tensor {
      dataSync() {}
      buffer() {}
    }
    const message = /^(tensors|gradients)\.w is a Tensor \(gradnorm\/tfjs takes it\); expected /;
    assert.throws(() => gpu.plan(/** @type {any} */ ({ w: new Tensor() })), { name: 'TypeError', message });
    await assert.rejects(gpu.gradNorm(/** @type {any} */ ({ w: new Tensor() })), {
      name: 'TypeError',
      message,
    });
  });

  test('undefined in the place of gradients is a mistake, null is nothing', async () => {
    const message = /^(tensors|gradients) is undefined; expected /;
    assert.throws(() => gpu.plan(undefined), { name: 'TypeError', message });
    assert.throws(() => /** @type {any} */ (gpu).plan(), { name: 'TypeError' });
    await assert.rejects(gpu.gradNorm(undefined), { name: 'TypeError', message });
    await assert.rejects(/** @type {any} */ (gpu).gradNorm(), { name: 'TypeError' });
    assert.equal(await gpu.plan(null).gradNorm(), 0);
    assert.equal(await gpu.gradNorm([null, undefined]), 0);
  });

  test('integers beside a buffer under names are the indices of something: refused, as beside floats in arrays', async () => {
    const values = { buffer: device.createBuffer({ size: 16, usage: 0x80 }), length: 4 };
    const indices = Int32Array.of(5);
    const message = /^gradients\.w\.indices is an Int32Array beside floating-point gradients in one record; /;
    await assert.rejects(gpu.gradNorm({ w: { indices, values } }), { name: 'TypeError', message });
    await assert.rejects(gpu.gradNorm({ w: new Map(Object.entries({ values, indices })) }), {
      name: 'TypeError',
      message,
    });
    assert.equal(await gpu.gradNorm({ a: Int32Array.of(3), b: Int8Array.of(4) }), 5);
    assert.equal(await gpu.gradNorm([indices, values]), 5);
  });

  test('an empty tensor needs no COPY_SRC: nothing of it is read back', async () => {
    const noCopy = device.createBuffer({ size: 16, usage: 0x80 });
    const plan = gpu.plan({
      none: { buffer: noCopy, length: 0 },
      half: { buffer: noCopy, offset: 2, length: 0, dtype: 'float16' },
      some: tensorOf(3),
    });
    assert.equal(await plan.gradNorm(0.3), 3);
    assert.deepEqual(
      (await plan.report({ normType: 0.3 })).tensors.map(({ name, dtype, elements }) => [
        name,
        dtype,
        elements,
      ]),
      [
        ['none', 'float32', 0],
        ['half', 'float16', 0],
        ['some', 'float32', 1],
      ],
    );
  });

  test('every option of create is checked, whichever others are there', async () => {
    for (const powerPreference of ['high', 3, null, 'LOW-POWER']) {
      for (const options of [{ powerPreference }, { powerPreference, device }]) {
        await assert.rejects(GpuGradNorm.create(/** @type {any} */ (options)), {
          name: 'TypeError',
          message: /^powerPreference is .*; expected one of 'low-power', 'high-performance'$/,
        });
      }
    }
    for (const wrong of [null, 3, 'gpu', {}, []]) {
      await assert.rejects(GpuGradNorm.create(/** @type {any} */ ({ device: wrong })), {
        name: 'TypeError',
        message: /^device is .*; expected a GPUDevice$/,
      });
    }
    await GpuGradNorm.create({ device, powerPreference: 'low-power' });
  });

  test('a device of compatibility mode measures and clips; one with less is refused with the limits that it lacks', async () => {
    const withInvocations = (/** @type {number} */ count) => {
      const limits = /** @type {Record<string, number>} */ ({
        maxComputeInvocationsPerWorkgroup: count,
        maxComputeWorkgroupSizeX: count,
        maxStorageBuffersPerShaderStage: 4,
      });
      return disguised(device, {
        limits: new Proxy(device.limits, {
          get: (target, name) => limits[/** @type {string} */ (name)] ?? Reflect.get(target, name, target),
        }),
        createShaderModule: (/** @type {GPUShaderModuleDescriptor} */ descriptor) => {
          for (const [, size] of descriptor.code.matchAll(/@workgroup_size\((\d+)\)/g))
            assert.ok(Number(size) <= count, `${size} invocations`);
          return device.createShaderModule(descriptor);
        },
      });
    };
    const compatible = await GpuGradNorm.create({ device: withInvocations(128) });
    const plan = compatible.plan([tensorOf(3, 4), tensorOf(12)]);
    assert.equal(await plan.gradNorm(), 13);
    await plan.clipGradNorm(1).norm();
    assert.ok((await plan.gradNorm()) <= 1);
    assert.equal((await plan.report()).zeros, 0);
    await assert.rejects(GpuGradNorm.create({ device: withInvocations(64) }), {
      name: 'TypeError',
      message:
        'device has maxComputeInvocationsPerWorkgroup 64, maxComputeWorkgroupSizeX 64; expected at least ' +
        'maxComputeInvocationsPerWorkgroup 128, maxComputeWorkgroupSizeX 128, as every device has',
    });
  });
});

/**
 * A device of which some things are otherwise.
 * @param {GPUDevice} real
 * @param {Record<string, unknown>} other
 * @returns {GPUDevice}
 */
function disguised(real, other) {
  return new Proxy(real, {
    get(target, name) {
      if (typeof name === 'string' && name in other) return other[name];
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

describe('other implementations', () => {
  test('a loss that is told long after what failed by it, by a device whose buffers throw: the loss is what is said', async () => {
    const { device: real } = await requestDevice();
    let isLost = false;
    const own = disguised(real, {
      // Later than everything that fails by it, as in Firefox.
      lost: real.lost.then(async (info) => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        return info;
      }),
      createBuffer: (/** @type {GPUBufferDescriptor} */ descriptor) => {
        const buffer = real.createBuffer(descriptor);
        const unmap = buffer.unmap.bind(buffer);
        // As in wgpu.
        buffer.unmap = () => {
          if (isLost) throw new DOMException('Parent device is lost', 'OperationError');
          return unmap();
        };
        return buffer;
      },
    });
    const on = await GpuGradNorm.create({ device: own });
    const plan = on.plan([{ buffer: bufferOf(real, Float32Array.of(3, 4)), length: 2 }]);
    assert.equal(await plan.gradNorm(), 5);
    const pending = [
      plan.gradNorm(),
      plan.gradNorm(0.1),
      plan.report(),
      plan.report({ normType: 0.1 }),
      plan.clipGradNorm(1).norm(),
      plan.clipGradNorm(1, { nonfinite: 'throw' }).norm(),
      on.gradNorm([Float32Array.of(1), { buffer: bufferOf(real, Float32Array.of(3)), length: 1 }]),
    ];
    isLost = true;
    real.destroy();
    for (const [i, outcome] of (await Promise.allSettled(pending)).entries()) {
      // In Deno what is read is there at once.
      if (outcome.status === 'fulfilled' && 'Deno' in globalThis) continue;
      assert.equal(outcome.status, 'rejected', `pending ${i}`);
      assertMatches(outcome.reason.message, /^gradnorm: the GPU device was destroyed/);
    }
  });

  test('an encoder, a device or an adapter that has neither tag nor keys is not taken for options', async () => {
    class GPUObjectBase {
      get label() {
        return '';
      }
    }
    class GPUCommandEncoder extends GPUObjectBase {
      beginComputePass() {}
    }
    class GPUDevice extends GPUObjectBase {
      createComputePipeline() {}
    }
    class GPUAdapter {
      requestDevice() {}
    }
    const plan = gpu.plan([tensorOf(3, 4)]);
    const encoder = /** @type {any} */ (new GPUCommandEncoder());
    assert.throws(() => plan.clipGradNorm(1, encoder), {
      name: 'TypeError',
      message:
        /^the options of clipGradNorm are a GPUCommandEncoder; expected an object with any of normType/,
    });
    assert.throws(() => plan.clipGradValue(1, encoder), { name: 'TypeError' });
    await assert.rejects(plan.report(encoder), { name: 'TypeError' });
    for (const wrong of [new GPUDevice(), new GPUAdapter()]) {
      await assert.rejects(GpuGradNorm.create(/** @type {any} */ (wrong)), {
        name: 'TypeError',
        message: `the options of GpuGradNorm.create are a ${wrong.constructor.name}; expected an object with any of device, powerPreference`,
      });
    }
    assert.equal(await plan.gradNorm(), 5);
  });
});
