/** Gram matrices in float64 from float32 rows, a panel at a time so that what is multiplied stays in the cache. Pure. */
import type { LinearAlgebra } from './linear-algebra.ts';

/** Columns (or examples) that are widened at a time. */
const PANEL = 128;

/** Rows of one example each, float32 `[count, dimensions]`, row-major. */
export interface Rows {
  readonly data: Float32Array;
  readonly count: number;
  readonly dimensions: number;
}

/** What to reserve for a Gram matrix of this size, in values. */
export function gramValues(size: number): number[] {
  return [size * size, size * PANEL];
}

/** `X Xᵀ`: float64 `[count, count]`, symmetric, both halves filled. */
export function gramOfRows({ data, count, dimensions }: Rows, algebra: LinearAlgebra): Float64Array {
  const gram = algebra.float64(count * count);
  const panel = algebra.float64(count * PANEL);
  for (let start = 0; start < dimensions; start += PANEL) {
    const width = Math.min(PANEL, dimensions - start);
    for (let row = 0; row < count; row++) {
      const from = row * dimensions + start;
      panel.set(data.subarray(from, from + width), row * PANEL);
    }
    const rows = { values: panel, count, stride: PANEL };
    algebra.multiplyRows(rows, rows, width, gram, true);
  }
  mirror(gram, count);
  return gram;
}

/**
 * `Xᵀ diag(weights) X`: float64 `[dimensions, dimensions]`, symmetric, both halves filled.
 * @param weights `[count]`, none negative.
 */
export function gramOfColumns(
  { data, count, dimensions }: Rows,
  weights: Float64Array,
  algebra: LinearAlgebra,
): Float64Array {
  const gram = algebra.float64(dimensions * dimensions);
  const panel = algebra.float64(dimensions * PANEL);
  for (let start = 0; start < count; start += PANEL) {
    const width = Math.min(PANEL, count - start);
    for (let k = 0; k < width; k++) {
      const from = (start + k) * dimensions;
      const scale = Math.sqrt(weights[start + k]!);
      for (let column = 0; column < dimensions; column++) panel[column * PANEL + k] = scale * data[from + column]!;
    }
    const columns = { values: panel, count: dimensions, stride: PANEL };
    algebra.multiplyRows(columns, columns, width, gram, true);
  }
  mirror(gram, dimensions);
  return gram;
}

function mirror(matrix: Float64Array, size: number): void {
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) matrix[j * size + i] = matrix[i * size + j]!;
}
