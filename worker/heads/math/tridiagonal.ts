/**
 * Symmetric matrices as `Q T Qᵀ`, T tridiagonal: one factorisation, after which every shift `T + lambda I` is solved in linear
 * time. Householder reflections as in LAPACK's `dsytd2` (lower); Golub and Van Loan, "Matrix Computations", 8.3.1. Pure.
 */

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
}

/**
 * Factorises a symmetric matrix.
 * @param matrix float64 `[size, size]`, both halves filled; it is overwritten, and becomes the reflections.
 */
export function tridiagonalize(matrix: Float64Array, size: number): Tridiagonal {
  const diagonal = new Float64Array(size);
  const below = new Float64Array(size);
  const factors = new Float64Array(size);
  const v = new Float64Array(size);
  const w = new Float64Array(size);
  for (let k = 0; k < size; k++) {
    const row = k * size;
    diagonal[k] = matrix[row + k]!;
    if (k === size - 1) break;
    // The column below the diagonal is the row behind it: the matrix is symmetric.
    let squares = 0;
    for (let j = k + 2; j < size; j++) squares += matrix[row + j]! * matrix[row + j]!;
    const first = matrix[row + k + 1]!;
    if (squares === 0) {
      below[k + 1] = first;
      continue;
    }
    const norm = Math.sqrt(first * first + squares);
    const beta = first >= 0 ? -norm : norm;
    below[k + 1] = beta;
    const factor = (beta - first) / beta;
    factors[k] = factor;
    const scale = 1 / (first - beta);
    v[k + 1] = 1;
    for (let j = k + 2; j < size; j++) v[j] = matrix[row + j]! * scale;
    for (let j = k + 1; j < size; j++) matrix[row + j] = v[j]!;
    multiplySymmetric(matrix, size, k + 1, v, w);
    let product = 0;
    for (let j = k + 1; j < size; j++) {
      w[j] = factor * w[j]!;
      product += w[j]! * v[j]!;
    }
    const half = 0.5 * factor * product;
    for (let j = k + 1; j < size; j++) w[j] = w[j]! - half * v[j]!;
    subtractRankTwo(matrix, size, k + 1, v, w);
  }
  return { size, diagonal, below, reflections: matrix, factors };
}

/** `w = A v` from `start` on, from the upper half of A. */
function multiplySymmetric(a: Float64Array, size: number, start: number, v: Float64Array, w: Float64Array): void {
  for (let i = start; i < size; i++) w[i] = 0;
  for (let i = start; i < size; i++) {
    const row = i * size;
    const vi = v[i]!;
    let sum = a[row + i]! * vi;
    for (let j = i + 1; j < size; j++) {
      const value = a[row + j]!;
      sum += value * v[j]!;
      w[j]! += value * vi;
    }
    w[i]! += sum;
  }
}

/** `A -= v wᵀ + w vᵀ` from `start` on, in the upper half of A. */
function subtractRankTwo(a: Float64Array, size: number, start: number, v: Float64Array, w: Float64Array): void {
  for (let i = start; i < size; i++) {
    const row = i * size;
    const vi = v[i]!;
    const wi = w[i]!;
    for (let j = i; j < size; j++) a[row + j]! -= vi * w[j]! + wi * v[j]!;
  }
}

/**
 * `rows Q` in place: every row `z` becomes `Qᵀ z`.
 * @param rows float64 `[count, size]`.
 */
export function rotateRows({ size, reflections, factors }: Tridiagonal, rows: Float64Array, count: number): void {
  let start = 0;
  for (; start + 4 <= count; start += 4) rotateFour(reflections, factors, size, rows, start * size);
  for (; start < count; start++) {
    const at = start * size;
    for (let k = 0; k < size - 1; k++) reflect(reflections, factors[k]!, size, k, rows, at);
  }
}

/** `rows Qᵀ` in place: every row `z` becomes `Q z`. */
export function rotateRowsBack({ size, reflections, factors }: Tridiagonal, rows: Float64Array, count: number): void {
  for (let row = 0; row < count; row++) {
    for (let k = size - 2; k >= 0; k--) reflect(reflections, factors[k]!, size, k, rows, row * size);
  }
}

function reflect(v: Float64Array, factor: number, size: number, k: number, rows: Float64Array, at: number): void {
  if (factor === 0) return;
  const from = k * size;
  let product = 0;
  for (let j = k + 1; j < size; j++) product += v[from + j]! * rows[at + j]!;
  product *= factor;
  for (let j = k + 1; j < size; j++) rows[at + j]! -= product * v[from + j]!;
}

/** Four rows at a time: each reflection is read once for all of them. */
function rotateFour(v: Float64Array, factors: Float64Array, size: number, rows: Float64Array, at: number): void {
  const r0 = at;
  const r1 = at + size;
  const r2 = r1 + size;
  const r3 = r2 + size;
  for (let k = 0; k < size - 1; k++) {
    const factor = factors[k]!;
    if (factor === 0) continue;
    const from = k * size;
    let p0 = 0;
    let p1 = 0;
    let p2 = 0;
    let p3 = 0;
    for (let j = k + 1; j < size; j++) {
      const value = v[from + j]!;
      p0 += value * rows[r0 + j]!;
      p1 += value * rows[r1 + j]!;
      p2 += value * rows[r2 + j]!;
      p3 += value * rows[r3 + j]!;
    }
    p0 *= factor;
    p1 *= factor;
    p2 *= factor;
    p3 *= factor;
    for (let j = k + 1; j < size; j++) {
      const value = v[from + j]!;
      rows[r0 + j]! -= p0 * value;
      rows[r1 + j]! -= p1 * value;
      rows[r2 + j]! -= p2 * value;
      rows[r3 + j]! -= p3 * value;
    }
  }
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
