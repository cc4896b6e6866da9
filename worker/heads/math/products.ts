/** Products of examples, float32, with rows in float64: scores, and combinations of examples. Blocked; pure. */
import type { Rows } from './gram.ts';
import type { LinearAlgebra } from './linear-algebra.ts';

/** Examples that are widened at a time. */
const BLOCK = 64;

/** What to reserve for `productsWithRows`, in values. */
export function productValues(others: number, dimensions: number): number[] {
  return [others * dimensions, BLOCK * dimensions, BLOCK * others];
}

/**
 * Products of examples with other rows: `[count, others]`. Reserves what it needs.
 * @param others float64 `[others, dimensions]`.
 * @param visit is given a block of products, `[size, others]`, of the examples from `start` on; it lives as long as the call.
 */
export function productsWithRows(
  { data, count, dimensions }: Rows,
  others: Float64Array,
  algebra: LinearAlgebra,
  visit: (products: Float64Array, start: number, size: number) => void,
): void {
  const rows = others.length / dimensions;
  algebra.reserve(...productValues(rows, dimensions));
  const b = algebra.float64(others.length);
  b.set(others);
  const block = algebra.float64(BLOCK * dimensions);
  const products = algebra.float64(BLOCK * rows);
  for (let start = 0; start < count; start += BLOCK) {
    const size = Math.min(BLOCK, count - start);
    block.set(data.subarray(start * dimensions, (start + size) * dimensions));
    products.fill(0, 0, size * rows);
    algebra.multiplyRows({ values: block, count: size }, { values: b, count: rows }, dimensions, products);
    visit(products, start, size);
  }
}

/** What to reserve for `combineExamples`, in values: the result's array is the caller's. */
export function combinationValues(dimensions: number): number[] {
  return [BLOCK * dimensions];
}

/**
 * Adds combinations of examples: `out[k] += sum over i of coefficients[k, i] x_i`.
 * @param coefficients `[combinations, count]`, of `algebra`'s memory, as is `out`: `[combinations, dimensions]`.
 */
export function combineExamples(
  { data, count, dimensions }: Rows,
  coefficients: Float64Array,
  combinations: number,
  out: Float64Array,
  algebra: LinearAlgebra,
): void {
  const columns = algebra.float64(BLOCK * dimensions);
  for (let start = 0; start < count; start += BLOCK) {
    const size = Math.min(BLOCK, count - start);
    for (let r = 0; r < size; r++) {
      const from = (start + r) * dimensions;
      for (let d = 0; d < dimensions; d++) columns[d * BLOCK + r] = data[from + d]!;
    }
    const a = { values: coefficients, from: start, count: combinations, stride: count };
    algebra.multiplyRows(a, { values: columns, count: dimensions, stride: BLOCK }, size, out);
  }
}

/** Squared lengths of rows, float64 `[count, dimensions]`. */
export function squaredLengths(rows: Float64Array, dimensions: number): Float64Array {
  const count = rows.length / dimensions;
  return Float64Array.from({ length: count }, (_, k) => squaredLength(rows, k * dimensions, dimensions));
}

/** The squared length of `length` values. */
export function squaredLength(values: ArrayLike<number>, from: number, length: number): number {
  let squares = 0;
  for (let d = 0; d < length; d++) squares += values[from + d]! ** 2;
  return squares;
}
