// web/cli/progress.js: a bar on the terminal, for files that take their time.

const WIDTH = 30;
const FIRST_AFTER_MILLISECONDS = 500;
const INTERVAL_MILLISECONDS = 100;
const CLEAR_LINE = '\r\x1b[K';

export class Progress {
  /**
   * @param {{ isTTY?: boolean, write(text: string): unknown }} stream  nothing is written to one that is no terminal
   * @param {number} total  bytes
   * @param {() => number} [now]  milliseconds
   */
  constructor(stream, total, now = () => performance.now()) {
    this.stream = stream;
    this.total = total;
    this.now = now;
    this.done = 0;
    this.next = now() + FIRST_AFTER_MILLISECONDS;
    this.isDrawn = false;
  }

  /** @param {number} bytes  that were measured since */
  add(bytes) {
    this.done += bytes;
    if (!this.stream.isTTY || this.now() < this.next) return;
    this.next = this.now() + INTERVAL_MILLISECONDS;
    this.isDrawn = true;
    this.stream.write(CLEAR_LINE + this.line());
  }

  line() {
    // What threads could not measure is read again.
    const share = Math.min(1, this.done / this.total);
    const bar = '█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░');
    const [done, total] = [this.done, this.total].map((bytes) => (bytes / 1e9).toFixed(2));
    return `${bar} ${Math.floor(100 * share)} % of ${total} GB (${done})`;
  }

  /** Before anything else is written to the terminal. */
  clear() {
    if (this.isDrawn) this.stream.write(CLEAR_LINE);
    this.isDrawn = false;
  }
}
