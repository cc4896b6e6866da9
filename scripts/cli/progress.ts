/**
 * Progress of long work, on standard error: a bar on a terminal, otherwise a line every few seconds.
 */

/** Least time between two redraws of the bar, and between two lines where there is no terminal. */
const REDRAW_MS = 100;
const LINE_MS = 5_000;
const BAR_CELLS = 24;

/** Somewhere that progress can be shown. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** One piece of long work. */
export class Progress {
  readonly #label: string;
  readonly #total: number;
  readonly #format: (value: number) => string;
  readonly #output: ProgressOutput;
  readonly #now: () => number;
  #shownAt: number;

  /**
   * @param total what `update` counts up to; 0 where it is not known.
   * @param format how a count is shown, for example `formatBytes`.
   */
  constructor(
    label: string,
    total: number,
    format: (value: number) => string = String,
    output: ProgressOutput = process.stderr,
    now: () => number = () => performance.now(),
  ) {
    this.#label = label;
    this.#total = total;
    this.#format = format;
    this.#output = output;
    this.#now = now;
    // A terminal shows the bar at once; elsewhere short work says only that it is done.
    this.#shownAt = output.isTTY === true ? Number.NEGATIVE_INFINITY : now();
  }

  /** Shows how far it is, where it is time to. */
  update(done: number): void {
    const now = this.#now();
    const isTerminal = this.#output.isTTY === true;
    if (now - this.#shownAt < (isTerminal ? REDRAW_MS : LINE_MS)) return;
    this.#shownAt = now;
    this.#output.write(isTerminal ? `\r${this.#line(done)}\x1b[K` : `${this.#line(done)}\n`);
  }

  /** Ends the work with a line of its own. */
  finish(note = 'done'): void {
    this.#output.write(`${this.#output.isTTY === true ? '\r' : ''}${this.#label}: ${note}${this.#end()}`);
  }

  /** Ends the work without a word: the bar disappears. */
  clear(): void {
    if (this.#output.isTTY === true) this.#output.write('\r\x1b[K');
  }

  #end(): string {
    return this.#output.isTTY === true ? '\x1b[K\n' : '\n';
  }

  #line(done: number): string {
    if (this.#total <= 0) return `${this.#label}: ${this.#format(done)}`;
    const fraction = Math.min(1, done / this.#total);
    const cells = Math.round(fraction * BAR_CELLS);
    const bar = `${'#'.repeat(cells)}${'.'.repeat(BAR_CELLS - cells)}`;
    const percent = `${Math.floor(fraction * 100)} %`.padStart(5);
    return `${this.#label} [${bar}] ${percent} ${this.#format(done)} of ${this.#format(this.#total)}`;
  }
}

/** Bytes with a unit: `14.8 MB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const units = ['kB', 'MB', 'GB'];
  let value = bytes;
  let unit = -1;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}
