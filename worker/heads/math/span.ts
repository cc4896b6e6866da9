/**
 * Coordinates of examples in the space that they span: products of rows stay what they are, and a model that depends on products
 * alone is fitted in as many dimensions as there are independent examples. Pivoted Cholesky decomposition of the Gram matrix;
 * Higham, "Accuracy and Stability of Numerical Algorithms", 10.3. Pure.
 */
import { gramOfRows, gramValues, type Rows } from './gram.ts';
import type { LinearAlgebra } from './linear-algebra.ts';

/** What is left of an example's squared length, relative to the largest, below which it depends on those before it. */
const TOLERANCE = 1e-10;

/** Examples in coordinates. */
export interface Span {
  readonly rank: number;
  /** `[count, rank]`, row-major. */
  readonly coordinates: Float64Array;
  /** The examples that the others depend on, `[rank]`. */
  readonly pivots: readonly number[];
}

/** Finds the coordinates. */
export function spanOf(rows: Rows, algebra: LinearAlgebra): Span {
  const { count } = rows;
  algebra.reserve(...gramValues(count));
  const gram = gramOfRows(rows, algebra);
  const left = Float64Array.from({ length: count }, (_, i) => gram[i * count + i]!);
  const limit = TOLERANCE * Math.max(...left);
  const columns: Float64Array[] = [];
  const pivots: number[] = [];
  while (columns.length < count) {
    let pivot = 0;
    for (let i = 1; i < count; i++) if (left[i]! > left[pivot]!) pivot = i;
    if (!(left[pivot]! > limit)) break;
    const root = Math.sqrt(left[pivot]!);
    const column = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      let value = gram[i * count + pivot]!;
      for (const before of columns) value -= before[i]! * before[pivot]!;
      column[i] = value / root;
      left[i]! -= column[i]! * column[i]!;
    }
    left[pivot] = 0;
    columns.push(column);
    pivots.push(pivot);
  }
  const rank = columns.length;
  const coordinates = new Float64Array(count * rank);
  for (const [j, column] of columns.entries()) for (let i = 0; i < count; i++) coordinates[i * rank + j] = column[i]!;
  return { rank, coordinates, pivots };
}

/**
 * A weight vector in coordinates as one in features: the combination of pivot examples with the same products.
 * @param theta `[classes, rank]`.
 * @returns `[classes, dimensions]`.
 */
export function toFeatures(span: Span, theta: Float64Array, classes: number, { data, dimensions }: Rows): Float64Array {
  const { rank, coordinates, pivots } = span;
  const weight = new Float64Array(classes * dimensions);
  const coefficients = new Float64Array(rank);
  for (let k = 0; k < classes; k++) {
    // theta = coefficients L, L the pivots' own coordinates, which are lower triangular.
    for (let j = rank - 1; j >= 0; j--) {
      let value = theta[k * rank + j]!;
      for (let i = j + 1; i < rank; i++) value -= coefficients[i]! * coordinates[pivots[i]! * rank + j]!;
      coefficients[j] = value / coordinates[pivots[j]! * rank + j]!;
    }
    for (let j = 0; j < rank; j++) {
      const from = pivots[j]! * dimensions;
      for (let d = 0; d < dimensions; d++) weight[k * dimensions + d]! += coefficients[j]! * data[from + d]!;
    }
  }
  return weight;
}
