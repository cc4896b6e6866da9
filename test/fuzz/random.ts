/** A deterministic source of random numbers (mulberry32): one seed, one sequence, on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A 32-bit unsigned number. */
  uint32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** `0 .. bound - 1`; 0 where `bound` is below 1. */
  below(bound: number): number {
    return bound < 1 ? 0 : this.uint32() % bound;
  }

  /** `low .. high`, both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** True with probability `p`. */
  chance(p: number): boolean {
    return this.uint32() < p * 2 ** 32;
  }

  /** One of a non-empty list. */
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }

  /** A number that tends to sit at a border: of bytes, of words, of signs, or near `near`. */
  border(bits: 8 | 16 | 32, near: number): number {
    const max = 2 ** bits - 1;
    const value = this.pick([
      0,
      1,
      2,
      near - 1,
      near + 1,
      near * 2,
      near >>> 1,
      this.below(64),
      max >>> 1,
      (max >>> 1) + 1,
      max - 1,
      max,
      this.uint32(),
    ]);
    return (value >>> 0) % (max + 1);
  }

  /** An edge of a picture in px: mostly small, so that decoding gets somewhere; now and then large, or at a border. */
  edge(bits: 16 | 32, near: number): number {
    const roll = this.below(10);
    if (roll < 6) return this.below(300);
    return roll < 8 ? this.between(3000, 8000) : this.border(bits, near);
  }
}
