// web/demo/page/measure-section.js: the section "Measure": starts the benchmark and shows what it found.
import { formatCount } from '../terminal.js';
import { barCell, byId, create, numberCell, rowHead, setText } from './dom.js';

/** @typedef {import('./measure-worker.js').Reply} Reply */
/** @typedef {import('./measure-worker.js').Row} Row */

const controls = {
  run: byId('run-benchmark', HTMLButtonElement),
  stop: byId('stop-benchmark', HTMLButtonElement),
  copy: byId('copy-markdown', HTMLButtonElement),
};

export class MeasureSection {
  #worker = new Worker(new URL('./measure-worker.js', import.meta.url), { type: 'module' });
  /** @type {{ size: number, rows: Row[] }[]} */
  #results = [];
  #adapter = 'WebGPU: not looked for yet';
  #training;

  /** @param {import('./train-section.js').TrainSection} training rests while we measure: there is one processor for all */
  constructor(training) {
    this.#training = training;
    this.#worker.addEventListener('message', ({ data }) => this.#receive(data));
    controls.run.addEventListener('click', () => this.#run());
    controls.stop.addEventListener('click', () => {
      controls.stop.disabled = true;
      this.#worker.postMessage({ type: 'stop' });
    });
    controls.copy.addEventListener('click', () => this.#copy());
    this.#lookWhenSeen();
  }

  /** Asking for an adapter can start a process: not before somebody comes near. */
  #lookWhenSeen() {
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
        observer.disconnect();
        this.#worker.postMessage({ type: 'look' });
      },
      { rootMargin: '300px' },
    );
    observer.observe(byId('measure', HTMLElement));
  }

  #run() {
    const sizes = [...byId('sizes', HTMLFieldSetElement).querySelectorAll('input')]
      .filter(({ checked }) => checked)
      .map(({ value }) => Number(value));
    if (sizes.length === 0) return this.#show('Choose at least one size.');
    this.#results = [];
    byId('results', HTMLElement).replaceChildren();
    controls.run.disabled = true;
    controls.stop.disabled = false;
    controls.copy.disabled = true;
    this.#show('starting', 0);
    this.#training.rest('measuring');
    this.#worker.postMessage({ type: 'run', sizes });
  }

  /** @param {Reply} reply */
  #receive(reply) {
    switch (reply.type) {
      case 'adapter':
        return this.#showAdapter(reply);
      case 'progress':
        return this.#show(reply.text, reply.share);
      case 'size':
        this.#results.push(reply);
        byId('results', HTMLElement).append(resultTable(reply.size, reply.rows));
        return;
      case 'done':
        return this.#finish(reply.wasStopped ? 'Stopped.' : 'Done.');
      case 'failed':
        return this.#finish(`It failed: ${reply.message}`);
    }
  }

  /** @param {string} text */
  #finish(text) {
    controls.run.disabled = false;
    controls.stop.disabled = true;
    controls.copy.disabled = this.#results.length === 0;
    this.#show(text, this.#results.length > 0 ? 1 : 0);
    this.#training.resume('measuring');
  }

  /** @param {Extract<Reply, { type: 'adapter' }>} reply */
  #showAdapter({ adapter, reason }) {
    const element = byId('adapter', HTMLElement);
    element.classList.toggle('is-warning', adapter === null || adapter.isSoftware);
    if (adapter === null) this.#adapter = `WebGPU: missing (${reason})`;
    else if (adapter.isSoftware) {
      this.#adapter = `WebGPU: ${adapter.name}, in software: its figures are those of the processor, not of a GPU`;
    } else this.#adapter = `WebGPU: ${adapter.name}`;
    setText(element, this.#adapter);
  }

  /**
   * @param {string} text
   * @param {number} [share]
   */
  #show(text, share) {
    setText(byId('benchmark-state', HTMLElement), text);
    if (share !== undefined) byId('benchmark-progress', HTMLProgressElement).value = share;
  }

  async #copy() {
    const text = markdownOf(this.#results, this.#adapter);
    const area = byId('markdown', HTMLTextAreaElement);
    area.value = text;
    try {
      await navigator.clipboard.writeText(text);
      this.#show('Copied as Markdown.');
    } catch {
      byId('markdown-frame', HTMLLabelElement).hidden = false;
      area.select();
      this.#show('Select and copy the text below.');
    }
  }
}

/**
 * @param {number} size
 * @param {Row[]} rows
 */
function resultTable(size, rows) {
  const fastest = Math.max(...rows.map(({ throughput }) => throughput));
  const heads = ['way', 'throughput', 'time', 'spread', 'error'].map((text, column) => {
    const head = create('th', { text, className: ['', 'bar-head', 'number', 'number', 'number'][column] });
    head.setAttribute('scope', 'col');
    return head;
  });
  const table = create(
    'table',
    { className: 'results' },
    create('caption', { text: `${formatCount(size)} elements, ${formatBytes(4 * size)}` }),
    create('thead', {}, create('tr', {}, ...heads)),
    create('tbody', {}, ...rows.map((row) => resultRow(row, fastest))),
  );
  const frame = create('div', { className: 'table-frame' }, table);
  frame.setAttribute('role', 'region');
  frame.setAttribute('aria-label', `Results for ${formatCount(size)} elements`);
  frame.tabIndex = 0;
  return frame;
}

/**
 * @param {Row} row
 * @param {number} fastest
 */
function resultRow({ name, time, spread, throughput, error }, fastest) {
  return create(
    'tr',
    { className: name.startsWith('gradnorm') ? 'is-ours' : '' },
    rowHead(name),
    barCell(throughput / fastest, formatThroughput(throughput)),
    numberCell(formatTime(time)),
    numberCell(formatSpread(spread)),
    numberCell(formatError(error)),
  );
}

/**
 * @param {{ size: number, rows: Row[] }[]} results
 * @param {string} adapter
 */
function markdownOf(results, adapter) {
  const lines = results.flatMap(({ size, rows }) =>
    rows.map(
      ({ name, time, spread, throughput, error }) =>
        `| ${formatCount(size)} | ${name} | ${formatThroughput(throughput)} | ${formatTime(time)} | ` +
        `${formatSpread(spread)} | ${formatError(error)} |`,
    ),
  );
  return [
    '2-norm of one float32 tensor; medians of 7 interleaved rounds, copies included; error against a float64 sum.',
    '',
    '| elements | way | throughput | time | spread | error |',
    '|--:|---|--:|--:|--:|--:|',
    ...lines,
    '',
    `${adapter}. ${navigator.userAgent}`,
    '',
  ].join('\n');
}

/** @param {number} throughput GB/s */
function formatThroughput(throughput) {
  return `${throughput < 0.1 ? throughput.toFixed(3) : throughput < 10 ? throughput.toFixed(2) : throughput.toFixed(1)} GB/s`;
}

/** @param {number} time milliseconds */
function formatTime(time) {
  return time < 1 ? `${(1000 * time).toPrecision(3)} µs` : `${Number(time.toPrecision(3))} ms`;
}

/** @param {number} spread */
function formatSpread(spread) {
  return `${Math.round(100 * spread)}%`;
}

/** @param {number} error */
function formatError(error) {
  return error === 0 ? '0' : error.toExponential(0);
}

/** @param {number} bytes a power of two from 2^14 */
function formatBytes(bytes) {
  return bytes < 2 ** 20 ? `${bytes / 2 ** 10} KiB` : `${bytes / 2 ** 20} MiB`;
}
