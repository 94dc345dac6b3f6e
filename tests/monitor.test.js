// tests/monitor.test.js: GradMonitor against a referee that keeps all norms and begins anew at every step, against
// numbers worked out by hand, and resumed from JSON at every cut.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { clipGradNorm, gradNorm } from 'gradnorm';
import { GradMonitor } from '../web/monitor.js';
import { createRandom } from './accuracy.js';

/**
 * @typedef {import('../web/monitor.js').MonitorOptions} MonitorOptions
 * @typedef {import('../web/monitor.js').MonitorStep} MonitorStep
 */

const sum = (/** @type {number[]} */ list) => list.reduce((total, x) => total + x, 0);

/**
 * As the manual of numpy defines it: linear interpolation in a sorted copy.
 * @param {number[]} list
 * @param {number} percent
 */
function percentileOf(list, percent) {
  const sorted = [...list].sort((a, b) => a - b);
  const position = (percent / 100) * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(position)], sorted[Math.ceil(position)]];
  return below + (above - below) * (position % 1);
}

/**
 * ZClip from the formulas of the paper, over all norms from the first on.
 * @param {number[]} norms
 * @param {MonitorOptions} options
 */
function averagesOf(norms, { alpha = 0.97, zThreshold = 2.5, warmUp = 25, dryRun = false }) {
  const first = norms.slice(0, Math.max(1, warmUp));
  let mean = sum(first) / first.length;
  let variance = sum(first.map((g) => (g - mean) ** 2)) / first.length;
  for (const norm of norms.slice(first.length)) {
    const z = (norm - mean) / Math.sqrt(variance);
    const clipped = mean + (zThreshold ** 2 / z) * Math.sqrt(variance);
    const g = z > zThreshold && !dryRun ? clipped : norm;
    mean = alpha * mean + (1 - alpha) * g;
    variance = alpha * variance + (1 - alpha) * (g - mean) ** 2;
  }
  return { mean, deviation: Math.sqrt(variance) };
}

/**
 * What update must return for a finite norm after these.
 * @param {number[]} before
 * @param {number} norm
 * @param {MonitorOptions} options
 * @returns {MonitorStep}
 */
function expectedStep(before, norm, options) {
  const { method, zThreshold = 2.5, warmUp = 25, maxNorm = NaN, percentile = 10, history = 1000 } = options;
  const { mean, deviation } = averagesOf(before, options);
  const zScore = before.length < Math.max(1, warmUp) ? NaN : (norm - mean) / deviation;
  let threshold = Infinity;
  if (method === 'fixed') threshold = maxNorm;
  else if (method === 'percentile') {
    if (before.length >= warmUp) threshold = percentileOf([...before, norm].slice(-history), percentile);
  } else if (zScore > zThreshold) threshold = mean + (zThreshold ** 2 / zScore) * deviation;
  return { norm, mean, deviation, zScore, threshold, spike: norm > threshold };
}

/**
 * @param {MonitorStep} actual
 * @param {MonitorStep} expected
 * @param {string} where
 */
function assertSameStep(actual, expected, where) {
  assert.deepEqual(Object.keys(actual), Object.keys(expected));
  for (const [name, want] of Object.entries(expected)) {
    const got = actual[/** @type {keyof MonitorStep} */ (name)];
    const close = typeof want === 'number' && Math.abs(Number(got) - want) <= 1e-11 * (1 + Math.abs(want));
    assert.ok(Object.is(got, want) || close, `${where}: ${name} is ${got}, expected ${want}`);
  }
}

/**
 * Norms of a training that drifts down, with noise and now and then a spike.
 * @param {number} seed
 * @param {number} length
 */
function trainingNorms(seed, length) {
  const random = createRandom(seed);
  return Array.from({ length }, (_, i) => {
    const noise = 1 + 0.3 * (random() + random() - 1);
    return (noise * (random() < 0.05 ? 1 + 30 * random() : 1)) / (1 + i / 200);
  });
}

/**
 * @param {MonitorOptions} options
 * @param {readonly number[]} norms
 */
function monitorAfter(options, norms) {
  const monitor = new GradMonitor(options);
  for (const norm of norms) monitor.update(norm);
  return monitor;
}

/**
 * @param {GradMonitor} monitor
 * @returns {any}
 */
function savedState(monitor) {
  return JSON.parse(JSON.stringify(monitor));
}

/** @type {MonitorOptions[]} */
const SETTINGS = [
  {},
  { method: 'zscore', alpha: 0.9, zThreshold: 1.5, warmUp: 5 },
  { method: 'zscore', warmUp: 0 },
  { method: 'zscore', warmUp: 10, dryRun: true },
  { method: 'zscore', zThreshold: Infinity, warmUp: 3 },
  { method: 'percentile' },
  { method: 'percentile', percentile: 90, history: 7, warmUp: 0 },
  { method: 'percentile', percentile: 37.5, history: 100, warmUp: 1, dryRun: true },
  { method: 'percentile', percentile: 0, history: 1 },
  { method: 'percentile', percentile: 100, history: 50, alpha: 0.5, zThreshold: 3 },
  { method: 'fixed', maxNorm: 1 },
  { method: 'fixed', maxNorm: 0.5, warmUp: 2, alpha: 0.99 },
  { method: 'fixed', maxNorm: Infinity, maxNonfinite: 3, dryRun: true },
];

const NONFINITE = [NaN, Infinity];

const words = (/** @type {object} */ options) => inspect(options, { breakLength: Infinity });

describe('the formulas', () => {
  for (const options of SETTINGS) {
    test(`${words(options)}: every step within 1e-11 of the referee, counts exactly`, () => {
      for (const seed of [1, 2, 3]) {
        const norms = trainingNorms(seed, 250);
        const monitor = new GradMonitor(options);
        let spikes = 0;
        norms.forEach((norm, i) => {
          const want = expectedStep(norms.slice(0, i), norm, { method: 'zscore', ...options });
          spikes += Number(want.spike);
          assertSameStep(monitor.update(norm), want, `seed ${seed}, step ${i}`);
          assert.deepEqual([monitor.steps, monitor.spikes, monitor.nonfinite], [i + 1, spikes, 0]);
        });
      }
    });
  }

  test('without options: zscore, alpha 0.97, zThreshold 2.5, warmUp 25, no limit of non-finite norms, no dry run', () => {
    assert.deepEqual(new GradMonitor().toJSON().options, {
      method: 'zscore',
      alpha: 0.97,
      zThreshold: 2.5,
      warmUp: 25,
      maxNonfinite: 'Infinity',
      dryRun: false,
    });
    assert.deepEqual(new GradMonitor({ alpha: undefined, maxNorm: undefined }), new GradMonitor());
    const { options } = new GradMonitor({ method: 'percentile' }).toJSON();
    assert.deepEqual([options.percentile, options.history], [10, 1000]);
  });

  test('ZClip by hand: 1, 3, then 6 is 4 deviations up and is clipped to 3, which enters the averages', () => {
    const monitor = monitorAfter({ alpha: 0.5, zThreshold: 2, warmUp: 2 }, [1, 3]);
    const six = { norm: 6, mean: 2, deviation: 1, zScore: 4, threshold: 3, spike: true };
    assert.deepEqual(monitor.update(6), six);
    // mean (2 + 3) / 2, variance (1 + (3 - 2.5)^2) / 2
    const next = monitor.update(2.5);
    assert.deepEqual([next.mean, next.zScore, next.threshold, next.spike], [2.5, 0, Infinity, false]);
    assertSameStep(next, { ...next, deviation: Math.sqrt(0.625) }, 'after the spike');
  });

  test('exactly zThreshold deviations are no spike, and far below the mean is none either', () => {
    for (const norm of [4, 0]) {
      const step = monitorAfter({ zThreshold: 2, warmUp: 2 }, [1, 3]).update(norm);
      assert.deepEqual([Math.abs(step.zScore), step.threshold, step.spike], [2, Infinity, false]);
    }
  });

  test('AutoClip by hand: the percentile of the history with the new norm in it, as numpy.percentile', () => {
    const monitor = new GradMonitor({ method: 'percentile', percentile: 25, warmUp: 0 });
    const thresholds = [8, 4, 6, 2, 10].map((norm) => monitor.update(norm).threshold);
    assert.deepEqual(thresholds, [8, 5, 5, 3.5, 4]);
    assert.equal(monitor.spikes, 2);
    for (const [percentile, want] of [
      [0, 1],
      [10, 1.3],
      [50, 2.5],
      [90, 3.7],
      [100, 4],
    ]) {
      const of4 = monitorAfter({ method: 'percentile', percentile, warmUp: 0 }, [4, 2, 3]).update(1);
      assertSameStep(of4, { ...of4, threshold: want }, `percentile ${percentile}`);
    }
  });

  test('percentiles have the bits that numpy 1.24 prints', () => {
    const seven = [0.1, 0.7, 0.3, 1.1, 0.9, 2.3, 0.2];
    const eight = [0.72, 0.2, 0.47, 0.27, 0.16, 0.74, 0.28, 0.39];
    for (const [percentile, norms, want] of /** @type {const} */ ([
      [10, seven, 0.16000000000000003],
      [33.3, seven, 0.29979999999999996],
      [90, seven, 1.5800000000000005],
      [99, seven, 2.2279999999999993],
      [70, eight, 0.4619999999999999],
    ])) {
      // The non-finite norm shows the percentile of the norms before it.
      const monitor = monitorAfter({ method: 'percentile', percentile, warmUp: 1 }, norms);
      assert.equal(monitor.update(NaN).threshold, want, `percentile ${percentile}`);
    }
  });

  test('a norm that equals the threshold is no spike', () => {
    assert.equal(new GradMonitor({ method: 'fixed', maxNorm: 2 }).update(2).spike, false);
    assert.equal(new GradMonitor({ method: 'fixed', maxNorm: 0 }).update(0).spike, false);
    assert.equal(new GradMonitor({ method: 'percentile', warmUp: 0 }).update(2).spike, false);
  });

  test('the history keeps the last norms, oldest first, and what has left it no longer counts', () => {
    const monitor = new GradMonitor({ method: 'percentile', percentile: 100, history: 3, warmUp: 0 });
    const largest = [9, 9, 1, 2, 2, 1, 1].map((norm) => monitor.update(norm).threshold);
    assert.deepEqual(largest, [9, 9, 9, 9, 2, 2, 2]);
    assert.deepEqual(monitor.toJSON().history, [2, 1, 1]);
  });

  test('mean, deviation and zScore are the same for every method', () => {
    for (const shared of [{}, { dryRun: true }, { alpha: 0.8, zThreshold: 1, warmUp: 0 }]) {
      const monitors = [
        new GradMonitor(shared),
        new GradMonitor({ ...shared, method: 'percentile', percentile: 5 }),
        new GradMonitor({ ...shared, method: 'fixed', maxNorm: 0.1 }),
      ];
      for (const norm of trainingNorms(9, 200)) {
        const [zscore, ...others] = monitors.map((monitor) => {
          const { mean, deviation, zScore } = monitor.update(norm);
          return { mean, deviation, zScore };
        });
        for (const other of others) assert.deepEqual(other, zscore);
      }
    }
  });

  test('a jump within zThreshold^2 deviations is followed; beyond, the norm is clipped from then on', () => {
    for (const [jump, last] of [
      [5, false],
      [8, true],
    ]) {
      const monitor = new GradMonitor();
      for (let i = 0; i < 300; ++i) monitor.update(10 + (i % 2 === 0 ? 1 : -1));
      let step;
      for (let i = 0; i < 1000; ++i) step = monitor.update(10 + Number(jump) + (i % 2 === 0 ? 1 : -1));
      assert.equal(step?.spike, last, `${jump} deviations`);
    }
  });
});

describe('warm-up', () => {
  test('for warmUp finite norms nothing has a threshold or a zScore, whatever comes; then it has', () => {
    for (const method of /** @type {const} */ (['zscore', 'percentile'])) {
      for (const warmUp of [1, 2, 25]) {
        const monitor = new GradMonitor({ method, warmUp });
        for (let i = 0; i < warmUp; ++i) {
          const { zScore, threshold, spike } = monitor.update(10 ** (i % 7));
          assert.deepEqual([zScore, threshold, spike], [NaN, Infinity, false], `${method}, step ${i}`);
          monitor.update(NaN);
        }
        const { zScore, threshold, spike } = monitor.update(1e9);
        assert.ok(zScore > 2.5 && threshold < 1e9 && spike, `${method}, warmUp ${warmUp}`);
      }
    }
  });

  test('the statistics before the first norm are NaN, after one its value and 0, then those of all norms', () => {
    const monitor = new GradMonitor();
    const steps = [1, 3, 8].map((norm) => monitor.update(norm));
    assert.deepEqual(
      steps.map(({ mean }) => mean),
      [NaN, 1, 2],
    );
    assert.deepEqual(
      steps.map(({ deviation }) => deviation),
      [NaN, 0, 1],
    );
  });

  test('warmUp 0: the first norm starts the averages; a percentile holds from the first norm on', () => {
    const first = new GradMonitor({ warmUp: 0 }).update(5);
    const none = { mean: NaN, deviation: NaN, zScore: NaN };
    assert.deepEqual(first, { norm: 5, ...none, threshold: Infinity, spike: false });
    const auto = new GradMonitor({ method: 'percentile', warmUp: 0 }).update(5);
    assert.deepEqual(auto, { norm: 5, ...none, threshold: 5, spike: false });
  });

  test('fixed: maxNorm holds from the first norm on', () => {
    const step = new GradMonitor({ method: 'fixed', maxNorm: 2 }).update(5);
    assert.deepEqual([step.threshold, step.spike, step.zScore], [2, true, NaN]);
  });
});

describe('a dry run', () => {
  test('tells thresholds and spikes, and the averages take the norms as they are', () => {
    const options = { alpha: 0.5, zThreshold: 2, warmUp: 2 };
    const dry = monitorAfter({ ...options, dryRun: true }, [1, 3]);
    assert.deepEqual(dry.update(6), monitorAfter(options, [1, 3]).update(6));
    assert.equal(dry.spikes, 1);
    assert.equal(dry.update(4).mean, 4);
    assert.equal(dry.dryRun, true);
    assert.equal(new GradMonitor().dryRun, false);
  });
});

describe('zero deviation', () => {
  for (const constant of [0.1, 1, 1 / 3, 1e-300, 1e300, Number.MIN_VALUE, Number.MAX_VALUE]) {
    test(`norms of ${constant} without end have exactly that mean, deviation 0, zScore 0 and no spike`, () => {
      const monitor = new GradMonitor();
      for (let i = 0; i < 200; ++i) {
        const { mean, deviation, zScore, spike } = monitor.update(constant);
        if (i === 0) continue;
        assert.deepEqual([mean, deviation, spike], [constant, 0, false]);
        assert.equal(zScore, i < 25 ? NaN : 0);
      }
    });
  }

  test('what differs from a constant is infinitely many deviations away: above it is clipped to it', () => {
    const constant = Array(30).fill(2);
    const above = monitorAfter({}, constant).update(2.5);
    assert.deepEqual([above.zScore, above.threshold, above.spike], [Infinity, 2, true]);
    const below = monitorAfter({}, constant).update(1.5);
    assert.deepEqual([below.zScore, below.threshold, below.spike], [-Infinity, Infinity, false]);
  });

  test('after nothing but zeros a norm is not clipped to 0: it gives the averages their scale', () => {
    const monitor = monitorAfter({}, Array(30).fill(0));
    assert.deepEqual(monitor.update(-0), {
      norm: 0,
      mean: NaN,
      deviation: NaN,
      zScore: NaN,
      threshold: Infinity,
      spike: false,
    });
    const step = monitor.update(3);
    assert.deepEqual([step.zScore, step.threshold, step.spike], [NaN, Infinity, false]);
    assert.deepEqual([monitor.update(3).mean, monitor.steps], [3, 33]);
  });
});

describe('the range of doubles', () => {
  test('norms scaled by a power of two, up to the largest doubles, give all results scaled, bit for bit', () => {
    // The norms lie between 2^-2 and 2^6.
    for (const settings of SETTINGS) {
      for (const exponent of [-900, -540, -1, 1, 511, 512, 1017]) {
        const scale = 2 ** exponent;
        const { maxNorm } = settings;
        const scaled = { ...settings, ...(maxNorm === undefined ? {} : { maxNorm: maxNorm * scale }) };
        const [small, large] = [new GradMonitor(settings), new GradMonitor(scaled)];
        for (const norm of trainingNorms(4, 300)) {
          const { mean, deviation, threshold, ...same } = small.update(norm);
          assert.deepEqual(large.update(norm * scale), {
            ...same,
            norm: norm * scale,
            mean: mean * scale,
            deviation: deviation * scale,
            threshold: threshold * scale,
          });
        }
      }
    }
  });

  test('0 and the largest double in turns: every statistic is finite', () => {
    for (const settings of SETTINGS) {
      for (const alpha of [0.97, 1e-20, 1 - 2 ** -53]) {
        const monitor = new GradMonitor({ ...settings, alpha });
        for (let i = 0; i < 200; ++i) {
          const norm = [0, Number.MAX_VALUE, Number.MIN_VALUE][(i * i) % 3];
          const { mean, deviation, threshold } = monitor.update(norm);
          if (i > 1) assert.ok(mean >= 0 && mean < Infinity && deviation >= 0 && deviation < Infinity);
          assert.ok(threshold >= 0);
        }
      }
    }
  });

  test('a zThreshold whose square is no double clips as the formula says', () => {
    const step = monitorAfter({ warmUp: 2, zThreshold: 2 ** 600 }, [2 ** -400, 3 * 2 ** -400]).update(
      2 ** 300,
    );
    assert.deepEqual([step.zScore, step.threshold], [2 ** 700, 2 ** 100]);
  });

  test('a spike of 1e308 after small norms is clipped to their mean', () => {
    const monitor = monitorAfter({ warmUp: 2 }, [1e-3, 3e-3]);
    const step = monitor.update(1e308);
    assert.deepEqual([step.zScore, step.threshold, step.spike], [Infinity, step.mean, true]);
    assert.ok(monitor.update(2e-3).deviation < 1e-2);
  });
});

describe('norms that are not finite', () => {
  for (const settings of SETTINGS.filter(({ maxNonfinite }) => maxNonfinite === undefined)) {
    test(`${words(settings)}: they are counted and change no other result`, () => {
      const [clean, dirty] = [new GradMonitor(settings), new GradMonitor(settings)];
      let nonfinite = 0;
      trainingNorms(5, 120).forEach((norm, i) => {
        for (let k = 0; k < i % 3; ++k) {
          const { spike, zScore } = dirty.update(NONFINITE[(i + k) % 2]);
          assert.deepEqual([spike, zScore], [false, NaN]);
          assert.deepEqual([dirty.nonfinite, dirty.consecutiveNonfinite], [++nonfinite, k + 1]);
        }
        assert.deepEqual(dirty.update(norm), clean.update(norm));
        assert.deepEqual([dirty.steps, dirty.consecutiveNonfinite], [i + 1, 0]);
      });
      assert.deepEqual({ ...dirty.toJSON(), nonfinite: 0 }, clean.toJSON());
    });
  }

  test('their threshold is the one in force: maxNorm, the percentile without them, for zscore none', () => {
    for (const norm of NONFINITE) {
      const fixed = new GradMonitor({ method: 'fixed', maxNorm: 2 });
      assert.equal(fixed.update(norm).threshold, 2);
      const auto = new GradMonitor({ method: 'percentile', percentile: 50, warmUp: 2 });
      const thresholds = [norm, 1, 2, norm, 9, norm].map((g) => auto.update(g).threshold);
      assert.deepEqual(thresholds, [Infinity, Infinity, Infinity, 1.5, 2, 2]);
      const empty = new GradMonitor({ method: 'percentile', warmUp: 0 });
      assert.equal(empty.update(norm).threshold, Infinity);
      const z = monitorAfter({ warmUp: 2 }, [1, 3]).update(norm);
      assert.deepEqual(z, { norm, mean: 2, deviation: 1, zScore: NaN, threshold: Infinity, spike: false });
    }
  });

  test('maxNonfinite in a row are allowed; every further one throws and is counted, a finite one ends the row', () => {
    const monitor = new GradMonitor({ maxNonfinite: 2 });
    for (let round = 0; round < 3; ++round) {
      monitor.update(NaN);
      monitor.update(Infinity);
      assert.throws(() => monitor.update(NaN), {
        name: 'Error',
        message:
          'GradMonitor: the gradient norm is NaN; not finite in a row: 3, expected at most 2 (option maxNonfinite)',
      });
      assert.throws(() => monitor.update(Infinity), {
        message:
          'GradMonitor: the gradient norm is Infinity; not finite in a row: 4, expected at most 2 (option maxNonfinite)',
      });
      assert.deepEqual([monitor.nonfinite, monitor.consecutiveNonfinite], [4 * (round + 1), 4]);
      monitor.update(1);
      assert.deepEqual([monitor.steps, monitor.consecutiveNonfinite], [round + 1, 0]);
    }
  });

  test('maxNonfinite 0: the first one throws', () => {
    assert.throws(() => new GradMonitor({ maxNonfinite: 0 }).update(Infinity), {
      message:
        'GradMonitor: the gradient norm is Infinity; not finite in a row: 1, expected at most 0 (option maxNonfinite)',
    });
  });
});

describe('what update takes', () => {
  test('a report counts by its norm, own or inherited', () => {
    class Report {
      get norm() {
        return 3;
      }
    }
    for (const report of [{ norm: 3, tensors: [] }, new Report()]) {
      const monitor = new GradMonitor();
      assert.equal(monitor.update(report).norm, 3);
      assert.equal(monitor.steps, 1);
    }
    assert.ok(Number.isNaN(new GradMonitor().update({ norm: NaN }).norm));
  });

  test('-0 is 0', () => {
    assert.ok(Object.is(new GradMonitor().update(-0).norm, 0));
  });

  const expected = 'a number >= 0, Infinity or NaN';
  const orReport = `${expected}, or a report with such a norm`;
  /** @type {[unknown, string, string][]} */
  const WRONG = [
    [-1, 'RangeError', `norm is -1 (a number); expected ${orReport}`],
    [-5e-324, 'RangeError', `norm is -5e-324 (a number); expected ${orReport}`],
    [-Infinity, 'RangeError', `norm is -Infinity (a number); expected ${orReport}`],
    ['1', 'TypeError', `norm is "1" (a string); expected ${orReport}`],
    [1n, 'TypeError', `norm is 1n (a bigint); expected ${orReport}`],
    [undefined, 'TypeError', `norm is undefined; expected ${orReport}`],
    [null, 'TypeError', `norm is null; expected ${orReport}`],
    [Float32Array.of(1), 'TypeError', `norm is a Float32Array; expected ${orReport}`],
    [Promise.resolve(1), 'TypeError', `norm is a Promise (await it first); expected ${orReport}`],
    [{}, 'TypeError', `norm is an object; expected ${orReport}`],
    [{ norm: '1' }, 'TypeError', `norm of the report is "1" (a string); expected ${expected}`],
    [{ norm: undefined }, 'TypeError', `norm of the report is undefined; expected ${expected}`],
    [{ norm: -2 }, 'RangeError', `norm of the report is -2 (a number); expected ${expected}`],
  ];

  for (const [value, name, message] of WRONG) {
    test(`${name}: ${message}; the monitor is as before`, () => {
      const monitor = monitorAfter({ method: 'percentile', warmUp: 1 }, [1, 2, NaN]);
      const before = savedState(monitor);
      assert.throws(() => monitor.update(/** @type {any} */ (value)), {
        name,
        message: `GradMonitor.update: ${message}`,
      });
      assert.deepEqual(savedState(monitor), before);
    });
  }
});

describe('options', () => {
  const methods = "expected one of 'fixed', 'percentile', 'zscore'";
  const names = 'method, maxNorm, percentile, history, alpha, zThreshold, warmUp, maxNonfinite, dryRun';
  const history = 'expected an integer from 1 to 1000000';
  /** @type {[any, string, string][]} */
  const WRONG = [
    [null, 'TypeError', 's is null; expected an object'],
    [1, 'TypeError', 's is 1 (a number); expected an object'],
    ['fixed', 'TypeError', 's is "fixed" (a string); expected an object'],
    [[], 'TypeError', 's is an Array; expected an object'],
    [{ warmup: 5 }, 'TypeError', ` warmup is unknown; expected one of ${names}`],
    [{ constructor: 5 }, 'TypeError', ` constructor is unknown; expected one of ${names}`],
    [JSON.parse('{"__proto__": 5}'), 'TypeError', ` __proto__ is unknown; expected one of ${names}`],
    [{ method: 'zclip' }, 'TypeError', ` method is "zclip" (a string); ${methods}`],
    [{ method: null }, 'TypeError', ` method is null; ${methods}`],
    [
      { maxNorm: 1 },
      'TypeError',
      " maxNorm is 1 (a number) with method 'zscore'; expected it only with method 'fixed'",
    ],
    [
      { method: 'fixed', maxNorm: 1, percentile: 5 },
      'TypeError',
      " percentile is 5 (a number) with method 'fixed'; expected it only with method 'percentile'",
    ],
    [
      { history: 9 },
      'TypeError',
      " history is 9 (a number) with method 'zscore'; expected it only with method 'percentile'",
    ],
    [{ method: 'fixed' }, 'TypeError', ' maxNorm is undefined; expected a number >= 0 or Infinity'],
    [
      { method: 'fixed', maxNorm: -1 },
      'RangeError',
      ' maxNorm is -1 (a number); expected a number >= 0 or Infinity',
    ],
    [
      { method: 'fixed', maxNorm: NaN },
      'RangeError',
      ' maxNorm is NaN (a number); expected a number >= 0 or Infinity',
    ],
    [
      { method: 'percentile', percentile: 101 },
      'RangeError',
      ' percentile is 101 (a number); expected a number from 0 to 100',
    ],
    [
      { method: 'percentile', percentile: -1e-9 },
      'RangeError',
      ' percentile is -1e-9 (a number); expected a number from 0 to 100',
    ],
    [{ method: 'percentile', history: 0 }, 'RangeError', ` history is 0 (a number); ${history}`],
    [{ method: 'percentile', history: 2.5 }, 'RangeError', ` history is 2.5 (a number); ${history}`],
    [{ method: 'percentile', history: 1e6 + 1 }, 'RangeError', ` history is 1000001 (a number); ${history}`],
    [{ alpha: 2 }, 'RangeError', ' alpha is 2 (a number); expected a number > 0 and < 1'],
    [{ alpha: 0 }, 'RangeError', ' alpha is 0 (a number); expected a number > 0 and < 1'],
    [{ alpha: 1 }, 'RangeError', ' alpha is 1 (a number); expected a number > 0 and < 1'],
    [{ alpha: '0.9' }, 'TypeError', ' alpha is "0.9" (a string); expected a number > 0 and < 1'],
    [{ zThreshold: 0 }, 'RangeError', ' zThreshold is 0 (a number); expected a number > 0 or Infinity'],
    [{ zThreshold: NaN }, 'RangeError', ' zThreshold is NaN (a number); expected a number > 0 or Infinity'],
    [{ zThreshold: null }, 'TypeError', ' zThreshold is null; expected a number > 0 or Infinity'],
    [{ warmUp: -1 }, 'RangeError', ' warmUp is -1 (a number); expected an integer >= 0'],
    [{ warmUp: 1.5 }, 'RangeError', ' warmUp is 1.5 (a number); expected an integer >= 0'],
    [{ warmUp: Infinity }, 'RangeError', ' warmUp is Infinity (a number); expected an integer >= 0'],
    [
      { maxNonfinite: -1 },
      'RangeError',
      ' maxNonfinite is -1 (a number); expected an integer >= 0 or Infinity',
    ],
    [
      { maxNonfinite: 0.5 },
      'RangeError',
      ' maxNonfinite is 0.5 (a number); expected an integer >= 0 or Infinity',
    ],
    [{ dryRun: 1 }, 'TypeError', ' dryRun is 1 (a number); expected true or false'],
  ];

  for (const [options, name, message] of WRONG) {
    test(`${name}: option${message}`, () => {
      assert.throws(() => new GradMonitor(options), { name, message: `GradMonitor: option${message}` });
    });
  }

  test('the ends of the ranges are taken', () => {
    for (const options of /** @type {MonitorOptions[]} */ ([
      { method: 'fixed', maxNorm: 0 },
      { method: 'percentile', percentile: 0, history: 1e6 },
      { method: 'percentile', percentile: 100, history: 1 },
      { alpha: Number.MIN_VALUE, zThreshold: Number.MIN_VALUE, warmUp: 0, maxNonfinite: 0 },
      { alpha: 1 - 2 ** -53, zThreshold: Infinity, maxNonfinite: Infinity },
    ])) {
      assert.equal(new GradMonitor(options).method, options.method ?? 'zscore');
    }
  });

  test('what is read cannot be written, and changing the options later changes nothing', () => {
    const options = { warmUp: 1 };
    const monitor = new GradMonitor(options);
    options.warmUp = 9;
    assert.equal(monitor.toJSON().options.warmUp, 1);
    for (const name of ['method', 'dryRun', 'steps', 'spikes', 'nonfinite', 'consecutiveNonfinite']) {
      assert.throws(() => Object.assign(monitor, { [name]: 1 }), TypeError, name);
    }
  });
});

describe('JSON', () => {
  for (const settings of SETTINGS) {
    test(`${words(settings)}: cut anywhere and resumed, every later result has the same bits`, () => {
      const norms = trainingNorms(6, 130).flatMap((norm, i) => (i % 11 === 3 ? [NaN, Infinity, norm] : norm));
      const whole = new GradMonitor(settings);
      const steps = norms.map((norm) => whole.update(norm));
      for (let cut = 0; cut <= norms.length; ++cut) {
        const saved = JSON.stringify(monitorAfter(settings, norms.slice(0, cut)));
        const resumed = GradMonitor.fromJSON(JSON.parse(saved));
        assert.equal(JSON.stringify(resumed), saved, `cut ${cut}`);
        const rest = norms.slice(cut).map((norm) => resumed.update(norm));
        assert.deepEqual(rest, steps.slice(cut), `cut ${cut}`);
        assert.deepEqual(savedState(resumed), savedState(whole), `cut ${cut}`);
      }
    });
  }

  test('the state is plain and complete, with Infinity as a word', () => {
    const monitor = monitorAfter({ method: 'percentile', percentile: 50, history: 2, warmUp: 1 }, [
      1,
      3,
      NaN,
    ]);
    assert.deepEqual(savedState(monitor), {
      gradnorm: 'monitor',
      version: 1,
      options: {
        method: 'percentile',
        percentile: 50,
        history: 2,
        alpha: 0.97,
        zThreshold: 2.5,
        warmUp: 1,
        maxNonfinite: 'Infinity',
        dryRun: false,
      },
      steps: 2,
      averaged: 2,
      spikes: 1,
      nonfinite: 1,
      consecutiveNonfinite: 1,
      mean: 1,
      deviation: 0,
      history: [1, 3],
    });
    assert.deepEqual(monitor.toJSON(), savedState(monitor));
    const fixed = savedState(new GradMonitor({ method: 'fixed', maxNorm: Infinity, zThreshold: Infinity }));
    assert.deepEqual([fixed.options.maxNorm, fixed.options.zThreshold], ['Infinity', 'Infinity']);
  });

  test('the streak of non-finite norms goes on after a resumption', () => {
    const monitor = monitorAfter({ maxNonfinite: 2 }, [NaN, NaN]);
    assert.throws(() => GradMonitor.fromJSON(savedState(monitor)).update(NaN), /not finite in a row: 3,/);
  });

  for (const [name, state] of /** @type {[string, unknown][]} */ ([
    ['null', null],
    ['a string', '{}'],
    ['a list', []],
    ['a number', 1],
  ])) {
    test(`${name} is no state: a TypeError that says so`, () => {
      const message = /^GradMonitor\.fromJSON: state is .+; expected ./;
      assert.throws(() => GradMonitor.fromJSON(state), { name: 'TypeError', message });
    });
  }

  /**
   * What is wrong, how it came about, and the field that the message must name; a number that is out of its range is a
   * RangeError, everything else a TypeError.
   * @type {[string, (state: any) => void, field: string, got?: number][]}
   */
  const DAMAGED = [
    ['an empty object', (s) => Object.keys(s).forEach((name) => delete s[name]), 'gradnorm'],
    ['another kind', (s) => (s.gradnorm = 'norm'), 'gradnorm'],
    ['a later version', (s) => (s.version = 2), 'version', 2],
    ['a mistyped version', (s) => (s.version = '1'), 'version'],
    ['no options', (s) => delete s.options, 'options'],
    ['null options', (s) => (s.options = null), 'options'],
    ['no method', (s) => delete s.options.method, 'options.method'],
    ['an unknown method', (s) => (s.options.method = 'zclip'), 'options.method'],
    ['another method', (s) => (s.options.method = 'zscore'), 'options.percentile'],
    ['an unknown option', (s) => (s.options.beta = 1), 'options.beta'],
    ['no alpha', (s) => delete s.options.alpha, 'options.alpha'],
    ['no history bound', (s) => delete s.options.history, 'options.history'],
    ['an infinite alpha', (s) => (s.options.alpha = 'Infinity'), 'options.alpha', Infinity],
    ['a huge history bound', (s) => (s.options.history = 1e12), 'options.history', 1e12],
    ['no steps', (s) => delete s.steps, 'steps'],
    ['half steps', (s) => (s.steps = 4.5), 'steps', 4.5],
    ['more averaged than steps', (s) => (s.averaged = 6), 'averaged', 6],
    ['no mean', (s) => delete s.mean, 'mean'],
    ['a NaN mean, which JSON makes null', (s) => (s.mean = null), 'mean'],
    ['a NaN mean', (s) => (s.mean = NaN), 'mean', NaN],
    ['an infinite mean', (s) => (s.mean = Infinity), 'mean', Infinity],
    ['a negative deviation', (s) => (s.deviation = -1), 'deviation', -1],
    ['too many spikes', (s) => (s.spikes = 6), 'spikes', 6],
    ['no count of non-finite norms', (s) => delete s.nonfinite, 'nonfinite'],
    ['too long a streak', (s) => (s.consecutiveNonfinite = 3), 'consecutiveNonfinite', 3],
    ['no history', (s) => delete s.history, 'history'],
    ['a history of another kind', (s) => (s.history = { length: 3 }), 'history'],
    ['a history beyond its bound', (s) => s.history.push(1), 'history.length', 4],
    ['a history too short', (s) => s.history.pop(), 'history.length', 2],
    ['a word in the history', (s) => (s.history[1] = '2'), 'history[1]'],
    ['a hole in the history', (s) => delete s.history[1], 'history[1]'],
    ['a negative norm in the history', (s) => (s.history[2] = -2), 'history[2]', -2],
  ];

  for (const [what, damage, field, got] of DAMAGED) {
    const name = got === undefined ? 'TypeError' : 'RangeError';
    test(`a state with ${what}: a ${name} that names ${field}`, () => {
      const state = savedState(monitorAfter({ method: 'percentile', history: 3 }, [1, 2, 3, 4, 5, NaN, NaN]));
      GradMonitor.fromJSON(state);
      damage(state);
      const start = `GradMonitor.fromJSON: ${field} is ${got ?? ''}`;
      assert.throws(
        () => GradMonitor.fromJSON(state),
        (/** @type {Error} */ error) =>
          error.name === name && error.message.startsWith(start) && error.message.includes('; expected '),
      );
    });
  }

  test('the largest history comes back, and goes on', { timeout: 60_000 }, () => {
    const norms = trainingNorms(9, 1e6);
    const monitor = new GradMonitor({ method: 'percentile', history: 1e6, warmUp: 0 });
    const last = norms.slice(-3);
    const state = {
      ...savedState(monitor),
      steps: 1e6,
      averaged: 1e6,
      mean: 1,
      deviation: 1,
      history: norms,
    };
    const again = GradMonitor.fromJSON(state);
    assert.deepEqual(savedState(again).history, norms);
    assert.equal(again.update(2).threshold, percentileOf([...norms.slice(1), 2], 10));
    assert.deepEqual(savedState(again).history.slice(-4), [...last, 2]);
  });

  test('before the first norm there are no statistics, and other methods keep no history', () => {
    const fresh = savedState(new GradMonitor());
    for (const name of ['mean', 'deviation']) {
      const message = `GradMonitor.fromJSON: ${name} is 1 (a number); expected 0`;
      assert.throws(() => GradMonitor.fromJSON({ ...fresh, [name]: 1 }), { name: 'RangeError', message });
    }
    const message = 'GradMonitor.fromJSON: history.length is 1 (a number); expected 0';
    assert.throws(() => GradMonitor.fromJSON({ ...fresh, history: [1] }), { name: 'RangeError', message });
  });
});

test('100,000 updates: the state stays as long as its bound and the heap grows by less than 256 kB', () => {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc');
  const memory = () => {
    collectGarbage();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return { heapUsed, arrayBuffers };
  };
  const monitors = SETTINGS.map((settings) => new GradMonitor(settings));
  const random = createRandom(8);
  const run = (/** @type {number} */ steps) => {
    for (let i = 0; i < steps; ++i) {
      const norm = random();
      for (const monitor of monitors) monitor.update(norm);
    }
  };
  run(2000);
  const before = memory();
  run(100_000);
  const after = memory();
  // What earlier tests left may be freed only now.
  assert.ok(after.arrayBuffers <= before.arrayBuffers);
  assert.ok(after.heapUsed - before.heapUsed < 2 ** 18, `${after.heapUsed - before.heapUsed} bytes`);
  monitors.forEach((monitor, k) => {
    const { method, history = 1000 } = SETTINGS[k];
    assert.equal(monitor.steps, 102_000);
    assert.equal(monitor.toJSON().history.length, method === 'percentile' ? history : 0);
  });
});

describe('a monitor never ends a training', () => {
  const METHODS = /** @type {MonitorOptions[]} */ ([
    { method: 'zscore' },
    { method: 'percentile' },
    { method: 'percentile', percentile: 0 },
    { method: 'zscore', zThreshold: 0.5, alpha: 0.5 },
  ]);
  /** How norms may begin that tell nothing of those that follow. */
  const BEGINNINGS = {
    'nothing but zeros': Array(40).fill(0),
    'two zeros among ones': [0, 0, ...Array(8).fill(1)],
    'zeros in turns': Array.from({ length: 60 }, (_, i) => i % 2),
    'zeros at the end': [...Array(30).fill(1), ...Array(30).fill(0)],
    subnormal: Array(40).fill(5e-324),
    'zero and almost zero': [0, 1e-12, 0, 1e-12],
    'near zero, then a rise by 1e12': Array.from({ length: 40 }, (_, i) => (1 + (i % 3)) * 1e-12),
  };
  for (const options of METHODS) {
    for (const [name, norms] of Object.entries(BEGINNINGS)) {
      for (const warmUp of [0, 10, 25]) {
        test(`${words({ ...options, warmUp })} after ${name}: healthy gradients keep a part of their norm`, () => {
          const monitor = monitorAfter({ ...options, warmUp }, norms);
          for (let step = 0; step < 200; ++step) {
            const gradient = Float32Array.of(3, 4);
            clipGradNorm(gradient, monitor);
            assert.ok(gradNorm(gradient) >= 0.1, `step ${step}: ${gradNorm(gradient)}`);
          }
          const again = GradMonitor.fromJSON(savedState(monitor));
          assert.deepEqual(again.update(4), monitor.update(4));
        });
      }
    }
  }

  test('a norm of 0 is counted, and changes neither averages nor history', () => {
    for (const options of SETTINGS) {
      const [with0, without] = [new GradMonitor(options), new GradMonitor(options)];
      for (const norm of trainingNorms(7, 100)) {
        const zero = with0.update(0);
        assert.equal(zero.spike, false);
        assert.deepEqual(with0.update(norm), without.update(norm));
      }
      assert.deepEqual([with0.steps, without.steps], [200, 100]);
    }
  });

  test('a threshold of 0 that the user asks for is one', () => {
    const gradient = Float32Array.of(3, 4);
    clipGradNorm(gradient, new GradMonitor({ method: 'fixed', maxNorm: 0 }));
    assert.deepEqual([...gradient], [0, 0]);
  });

  test('a state of an earlier release, which does not say how many norms were averaged, goes on', () => {
    const monitor = monitorAfter({ warmUp: 2 }, [1, 2, 3]);
    const { averaged, ...earlier } = savedState(monitor);
    assert.equal(averaged, 3);
    assert.deepEqual(GradMonitor.fromJSON(earlier).update(2), monitor.update(2));
  });
});

test('a percentile has the roundings of numpy on either side of the middle, and on it', () => {
  const random = createRandom(11);
  let differing = 0;
  for (let trial = 0; trial < 3000; ++trial) {
    const [below, above] = [random() / 3, random() / 7].sort((a, b) => a - b);
    const percentile = [50, 49, 51, 10, 90][trial % 5];
    const monitor = monitorAfter({ method: 'percentile', percentile, warmUp: 0 }, [below]);
    const fraction = percentile / 100;
    const fromBelow = below + (above - below) * fraction;
    const fromAbove = above - (above - below) * (1 - fraction);
    if (fromBelow !== fromAbove) ++differing;
    assert.equal(monitor.update(above).threshold, fraction < 0.5 ? fromBelow : fromAbove);
  }
  assert.ok(differing > 100, `${differing} tell`);
});

describe('a monitor elsewhere', () => {
  test('behind a Proxy, as frameworks make to watch objects', () => {
    for (const options of SETTINGS) {
      const [plain, proxy] = [new GradMonitor(options), new Proxy(new GradMonitor(options), {})];
      for (const norm of trainingNorms(8, 60)) assert.deepEqual(proxy.update(norm), plain.update(norm));
      assert.deepEqual(savedState(proxy), savedState(plain));
      assert.deepEqual([proxy.steps, proxy.last, proxy.method], [plain.steps, plain.last, plain.method]);
    }
  });

  test('last in JSON has words for Infinity and NaN, and is a plain object otherwise', () => {
    const monitor = monitorAfter({}, [5]);
    const last = {
      norm: 5,
      mean: NaN,
      deviation: NaN,
      zScore: NaN,
      threshold: Infinity,
      spike: false,
    };
    assert.deepEqual({ ...monitor.last }, last);
    assert.deepEqual(structuredClone({ ...monitor.last }), last);
    const json = { ...last, mean: 'NaN', deviation: 'NaN', zScore: 'NaN', threshold: 'Infinity' };
    assert.deepEqual(JSON.parse(JSON.stringify(monitor.last)), json);
    assert.deepEqual(JSON.parse(JSON.stringify({ step: monitor.update(NaN) })).step.norm, 'NaN');
    assert.deepEqual(structuredClone(monitor.last), { ...monitor.last });
  });
});
