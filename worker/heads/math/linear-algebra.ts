/**
 * Linear algebra in float64 on one memory of its own, by the kernels of `kernels/`. Arrays that it gives live until the next
 * `reserve`. The same numbers give the same bytes, here and in every other runtime. No I/O.
 */

type Kernel = (...args: number[]) => void;

const KERNEL_NAMES = ['multiplyRows', 'reflectRows', 'reflectRowsBack', 'tridiagonalize'] as const;
type KernelName = (typeof KERNEL_NAMES)[number];

const PAGE_BYTES = 65_536;

/** What the kernels' module keeps for itself. */
const FIRST_ADDRESS = 64;

/** Arrays begin at whole vectors. */
const ALIGNMENT_BYTES = 16;

const BYTES = Float64Array.BYTES_PER_ELEMENT;

/** Rows in memory: `count` of them, `width` values each, `stride` values apart. */
export interface RowsView {
  readonly values: Float64Array;
  /** Where the first row begins. Default 0. */
  readonly from?: number;
  readonly count: number;
  /** Default: as many values as are multiplied. */
  readonly stride?: number;
}

/** See the file's header. */
export class LinearAlgebra {
  readonly #memory = new WebAssembly.Memory({ initial: 1 });
  readonly #kernels: Readonly<Record<KernelName, Kernel>>;
  #top = FIRST_ADDRESS;

  /** @param module the compiled `kernels/heads.wasm`. */
  constructor(module: WebAssembly.Module) {
    const { exports } = new WebAssembly.Instance(module, { env: { memory: this.#memory } });
    const kernel = (name: KernelName): Kernel => {
      const value = exports[name];
      if (typeof value !== 'function') throw new TypeError(`the module has no kernel "${name}"`);
      return value as Kernel;
    };
    this.#kernels = {
      multiplyRows: kernel('multiplyRows'),
      reflectRows: kernel('reflectRows'),
      reflectRowsBack: kernel('reflectRowsBack'),
      tridiagonalize: kernel('tridiagonalize'),
    };
  }

  /** Bytes of the memory. */
  get bytes(): number {
    return this.#memory.buffer.byteLength;
  }

  /** Makes room for arrays of so many values in all; those that were given before are gone. */
  reserve(...lengths: number[]): void {
    const needed = lengths.reduce((bytes, length) => bytes + length * BYTES + ALIGNMENT_BYTES, FIRST_ADDRESS);
    const missing = needed - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    this.#top = FIRST_ADDRESS;
  }

  /** An array of zeros. @throws RangeError where it was not reserved. */
  float64(length: number): Float64Array {
    const array = new Float64Array(this.#memory.buffer, this.#top, length);
    this.#top += Math.ceil((length * BYTES) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    return array.fill(0);
  }

  /**
   * `C += A Bᵀ`.
   * @param depth values of a row of A and of B.
   * @param c float64 `[a.count, b.count]`.
   * @param half of a symmetric C: only what is on and below the diagonal is sure to be written.
   */
  multiplyRows(a: RowsView, b: RowsView, depth: number, c: Float64Array, half = false): void {
    this.#kernels.multiplyRows(
      this.#addressOf(a.values, a.from),
      (a.stride ?? depth) * BYTES,
      a.count,
      this.#addressOf(b.values, b.from),
      (b.stride ?? depth) * BYTES,
      b.count,
      depth,
      this.#addressOf(c),
      b.count * BYTES,
      half ? 1 : 0,
    );
  }

  /** See `tridiagonalize` in `kernels/tridiagonal.ts`. */
  tridiagonalize(
    matrix: Float64Array,
    size: number,
    diagonal: Float64Array,
    below: Float64Array,
    factors: Float64Array,
    work: readonly [Float64Array, Float64Array],
  ): void {
    const [v, w] = [this.#addressOf(work[0]), this.#addressOf(work[1])];
    const [d, b, f] = [this.#addressOf(diagonal), this.#addressOf(below), this.#addressOf(factors)];
    this.#kernels.tridiagonalize(this.#addressOf(matrix), size, d, b, f, v, w);
  }

  /** `rows Q` in place, or `rows Qᵀ`: see `kernels/reflections.ts`. */
  reflectRows(
    reflections: Float64Array,
    factors: Float64Array,
    work: Float64Array,
    size: number,
    rows: Float64Array,
    count: number,
    back: boolean,
  ): void {
    const kernel = back ? this.#kernels.reflectRowsBack : this.#kernels.reflectRows;
    const [v, f, inner] = [this.#addressOf(reflections), this.#addressOf(factors), this.#addressOf(work)];
    kernel(v, f, inner, size, this.#addressOf(rows), count);
  }

  #addressOf(array: Float64Array, from = 0): number {
    if (array.buffer === this.#memory.buffer) return array.byteOffset + from * BYTES;
    throw new TypeError('the array is not in this memory, or the memory has grown since');
  }
}
