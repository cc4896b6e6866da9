/**
 * Symmetric matrices as `Q T Qᵀ`, T tridiagonal: one factorisation, after which every shift `T + lambda I` is solved in linear
 * time. Golub and Van Loan, "Matrix Computations", 8.3.1. Pure.
 */
import type { LinearAlgebra } from './linear-algebra.ts';

/** A factorisation; Q is kept as its reflections. */
export interface Tridiagonal {
  readonly size: number;
  /** Diagonal of T, `[size]`. */
  readonly diagonal: Float64Array;
  /** Below the diagonal of T, `[size]`, the first entry unused. */
  readonly below: Float64Array;
  /** Row k holds the vector of reflection k, nonzero from k + 1 on: `[size, size]`. */
  readonly reflections: Float64Array;
  /** `[size]`; 0 where there is no reflection. */
  readonly factors: Float64Array;
  readonly work: Float64Array;
  readonly algebra: LinearAlgebra;
}

/** What to reserve for a factorisation besides its matrix, in values. */
export function tridiagonalValues(size: number): number[] {
  return [size, size, size, size, size];
}

/**
 * Factorises a symmetric matrix.
 * @param matrix float64 `[size, size]` of `algebra`'s memory; it is overwritten, and becomes the reflections.
 */
export function tridiagonalize(matrix: Float64Array, size: number, algebra: LinearAlgebra): Tridiagonal {
  const diagonal = algebra.float64(size);
  const below = algebra.float64(size);
  const factors = algebra.float64(size);
  const work = algebra.float64(size);
  algebra.tridiagonalize(matrix, size, diagonal, below, factors, [work, algebra.float64(size)]);
  return { size, diagonal, below, reflections: matrix, factors, work, algebra };
}

/**
 * `rows Q` in place: every row `z` becomes `Qᵀ z`.
 * @param rows float64 `[count, size]` of the same memory.
 */
export function rotateRows(factorisation: Tridiagonal, rows: Float64Array, count: number): void {
  const { size, reflections, factors, work, algebra } = factorisation;
  algebra.reflectRows(reflections, factors, work, size, rows, count, false);
}

/** `rows Qᵀ` in place: every row `z` becomes `Q z`. */
export function rotateRowsBack(factorisation: Tridiagonal, rows: Float64Array, count: number): void {
  const { size, reflections, factors, work, algebra } = factorisation;
  algebra.reflectRows(reflections, factors, work, size, rows, count, true);
}

/** `T + lambda I` as `L D Lᵀ`. */
export interface ShiftedFactor {
  /** Below the diagonal of L, the first entry unused. */
  readonly lower: Float64Array;
  /** 1 / D. */
  readonly inverse: Float64Array;
}

/** Factorises `T + lambda I`, which is positive definite where the matrix has no eigenvalue below 0 and lambda is over 0. */
export function shift({ size, diagonal, below }: Tridiagonal, lambda: number): ShiftedFactor {
  const lower = new Float64Array(size);
  const inverse = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    let pivot = diagonal[i]! + lambda;
    if (i > 0) {
      lower[i] = below[i]! * inverse[i - 1]!;
      pivot -= lower[i]! * below[i]!;
    }
    inverse[i] = 1 / pivot;
  }
  return { lower, inverse };
}

/** `zᵀ (T + lambda I)⁻¹ z` for the row at `at`. */
export function quadraticForm({ lower, inverse }: ShiftedFactor, rows: Float64Array, at: number): number {
  let sum = 0;
  let u = 0;
  for (let i = 0; i < lower.length; i++) {
    u = rows[at + i]! - lower[i]! * u;
    sum += u * u * inverse[i]!;
  }
  return sum;
}

/** `(T + lambda I)⁻¹ z` in place, for the row at `at`. */
export function solveRow({ lower, inverse }: ShiftedFactor, rows: Float64Array, at: number): void {
  const { length } = lower;
  for (let i = 1; i < length; i++) rows[at + i]! -= lower[i]! * rows[at + i - 1]!;
  for (let i = 0; i < length; i++) rows[at + i]! *= inverse[i]!;
  for (let i = length - 2; i >= 0; i--) rows[at + i]! -= lower[i + 1]! * rows[at + i + 1]!;
}
