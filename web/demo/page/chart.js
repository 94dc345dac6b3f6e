// web/demo/page/chart.js: charts over the steps of a run, logarithmic from top to bottom, in the colours of the style
// sheet.
import uPlot from 'uplot';

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {string} color name of a custom property of the style sheet
 * @property {number} [width] 1.5 pixels by default
 * @property {number[]} [dash]
 */

/**
 * @typedef {object} ChartOptions
 * @property {string} yLabel
 * @property {number} steps the right end
 * @property {number} height in pixels
 * @property {Line[]} lines
 * @property {[number, number]} range that is always shown
 * @property {{ color: string, isMarked: (index: number) => boolean }} [marks] ticks at the foot
 */

/** Milliseconds: 25 pictures a second are fluent, and leave time to a slow machine. */
const FRAME_INTERVAL = 40;

const MARK_HEIGHT = 7;
const FONT = '12px system-ui, sans-serif';

export class Chart {
  /** @type {uPlot | null} */
  #plot = null;
  #columns;
  #options;
  #isDue = false;
  #drawnAt = 0;

  /**
   * @param {HTMLElement} parent
   * @param {ChartOptions} options
   */
  constructor(parent, options) {
    this.#columns = options.lines.map(() => /** @type {(number | null)[]} */ ([]));
    this.#options = options;
    // Each in a task of its own, so that the page never stands still for long while it starts.
    setTimeout(() => this.#create(parent));
  }

  /** @param {HTMLElement} parent */
  #create(parent) {
    this.#plot = new uPlot(plotOptions(this.#options, parent.clientWidth), this.#data(), parent);
    new ResizeObserver(() => this.#resize(parent.clientWidth)).observe(parent);
    // The colours are read whenever the canvas is drawn.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#plot?.redraw());
  }

  /**
   * A step more; shown at the next frame.
   *
   * @param {number[]} values one for each line
   */
  add(values) {
    // A logarithmic axis has no place for 0, NaN and Infinity.
    values.forEach((value, line) => this.#columns[line].push(value > 0 && value < Infinity ? value : null));
    this.#draw();
  }

  clear() {
    for (const column of this.#columns) column.length = 0;
    this.#draw();
  }

  /** @param {string} text */
  set yLabel(text) {
    this.#options.yLabel = text;
    if (this.#plot !== null) this.#plot.axes[1].label = text;
    this.#draw();
  }

  /** Shows every step now. */
  drawNow() {
    this.#isDue = false;
    this.#plot?.setData(this.#data());
  }

  #draw() {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame((time) => this.#drawAt(time));
  }

  /** @param {number} time of the frame */
  #drawAt(time) {
    if (!this.#isDue) return;
    if (time - this.#drawnAt < FRAME_INTERVAL) {
      requestAnimationFrame((next) => this.#drawAt(next));
      return;
    }
    this.#drawnAt = time;
    this.drawNow();
  }

  /** @returns {uPlot.AlignedData} */
  #data() {
    const steps = this.#columns[0].map((_, index) => index + 1);
    return [steps, ...this.#columns];
  }

  /** @param {number} width */
  #resize(width) {
    if (width > 0 && width !== this.#plot?.width)
      this.#plot?.setSize({ width, height: this.#options.height });
  }
}

/**
 * @param {ChartOptions} options
 * @param {number} width
 * @returns {uPlot.Options}
 */
function plotOptions({ yLabel, steps, height, lines, range, marks }, width) {
  const axis = {
    stroke: () => colorOf('--muted'),
    font: FONT,
    labelFont: FONT,
    labelSize: 18,
    grid: { stroke: () => colorOf('--grid'), width: 1 },
    ticks: { stroke: () => colorOf('--grid'), width: 1, size: 4 },
  };
  return {
    width: Math.max(width, 1),
    height,
    // On the right there is room for half of the last number.
    padding: [8, 22, 0, 0],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: [0, steps] },
      y: { distr: 3, range: (_, low, high) => decades(low, high, range) },
    },
    axes: [
      {
        ...axis,
        label: 'step',
        size: 30,
        values: (_, splits) => splits.map((step) => step.toLocaleString('en')),
      },
      {
        ...axis,
        grid: { ...axis.grid, filter: decadesOfMany },
        label: yLabel,
        size: 46,
        values: (_, splits) => splits.map(powerText),
      },
    ],
    series: [
      {},
      ...lines.map(({ label, color, width = 1.5, dash }) => ({
        label,
        stroke: () => colorOf(color),
        width,
        dash,
        points: { show: false },
      })),
    ],
    hooks: { draw: marks === undefined ? [] : [(plot) => drawMarks(plot, marks)] },
  };
}

/**
 * Ticks along the step axis.
 *
 * @param {uPlot} plot
 * @param {{ color: string, isMarked: (index: number) => boolean }} marks
 */
function drawMarks(plot, { color, isMarked }) {
  const { ctx, bbox } = plot;
  const pixel = devicePixelRatio;
  ctx.fillStyle = colorOf(color);
  const top = bbox.top + bbox.height - MARK_HEIGHT * pixel;
  for (let index = 0; index < plot.data[0].length; index++) {
    if (isMarked(index)) {
      ctx.fillRect(plot.valToPos(index + 1, 'x', true), top, Math.max(1, pixel / 2), MARK_HEIGHT * pixel);
    }
  }
}

/**
 * @param {number | null} low
 * @param {number | null} high
 * @param {[number, number]} always
 * @returns {[number, number]}
 */
function decades(low, high, [lowest, highest]) {
  const bottom = Math.min(low ?? lowest, lowest);
  const top = Math.max(high ?? highest, highest);
  return [bottom < lowest ? 10 ** Math.floor(Math.log10(bottom)) : bottom, top > highest ? top * 1.3 : top];
}

/**
 * Over many decades, lines at their ends only.
 *
 * @param {uPlot} plot
 * @param {number[]} splits
 */
function decadesOfMany({ scales: { y } }, splits) {
  const isMany = (y.max ?? 1) / (y.min ?? 1) > 1000;
  return splits.map((value) =>
    isMany && !Number.isInteger(Number(Math.log10(value).toFixed(9))) ? null : value,
  );
}

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/**
 * @param {number | null} value null: too close to another one to be written
 * @returns {string} '0.1', '20', '10⁴'
 */
function powerText(value) {
  if (value === null) return '';
  const exponent = Math.round(Math.log10(value));
  if (Math.abs(exponent) < 4) return String(Number(value.toPrecision(3)));
  const sign = exponent < 0 ? '⁻' : '';
  return `10${sign}${[...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[Number(digit)]).join('')}`;
}

/** @param {string} property */
function colorOf(property) {
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}
