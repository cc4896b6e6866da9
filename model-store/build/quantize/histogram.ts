/**
 * A histogram of a stream of values whose range is not known beforehand. Pure arithmetic.
 */

/** Bins on each side of zero. */
const HALF_BINS = 2048;

/** Counts values in equal bins from `-limit` to `limit`; `limit` doubles as larger values come. */
export class Histogram {
  /** Counts of 2 * HALF_BINS bins, the first beginning at `-limit`. */
  counts = new Float64Array(2 * HALF_BINS);
  /** A power of two, or 0 before the first value that is not zero. */
  limit = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  #zeros = 0;

  /** How many values have been counted. */
  get total(): number {
    return this.counts.reduce((sum, count) => sum + count, 0) + (this.limit === 0 ? this.#zeros : 0);
  }

  /** Width of one bin. */
  get binWidth(): number {
    return this.limit / HALF_BINS;
  }

  /** Counts every value of an array; values must be finite. */
  add(values: Float32Array): void {
    let min = this.min;
    let max = this.max;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    this.min = min;
    this.max = max;
    const magnitude = Math.max(-min, max);
    if (magnitude === 0) {
      this.#zeros += values.length;
      return;
    }
    this.#widen(magnitude);
    const { counts } = this;
    const perUnit = HALF_BINS / this.limit;
    for (let i = 0; i < values.length; i++) {
      const bin = Math.floor(values[i]! * perUnit) + HALF_BINS;
      counts[bin === 2 * HALF_BINS ? bin - 1 : bin]!++;
    }
  }

  #widen(magnitude: number): void {
    if (this.limit === 0) {
      this.limit = 2 ** Math.ceil(Math.log2(magnitude));
      this.counts[HALF_BINS] = this.#zeros;
      return;
    }
    while (this.limit < magnitude) {
      const wider = new Float64Array(2 * HALF_BINS);
      for (let bin = 0; bin < 2 * HALF_BINS; bin++) wider[(HALF_BINS + bin) >> 1]! += this.counts[bin]!;
      this.counts = wider;
      this.limit *= 2;
    }
  }
}
