/**
 * How unlike every class a picture is: 1 less its largest cosine to a class mean. The threshold is a quantile of the examples'
 * own distances, each to means that it is not in, so that the share of known pictures above it is stated. Pure.
 */
import type { Rows } from './gram.ts';
import type { LinearAlgebra } from './linear-algebra.ts';
import { classSums } from './nearest-mean.ts';
import { productsWithRows, squaredLength, squaredLengths } from './products.ts';
import { rowProducts } from './row-products.ts';
import { classCounts, type Targets } from './targets.ts';

/** What tells known from unknown. */
export interface Novelty {
  /** Class means of unit length, float32 `[classes, dimensions]`. */
  readonly means: Float32Array;
  /** Distances above it are unknown. */
  readonly threshold: number;
  /** How fast the score of `unknown` rises with the distance: 4 over one deviation of the distances. */
  readonly slope: number;
  /** The share of known pictures that may be called unknown, as asked. */
  readonly targetRate: number;
  /** The share of the examples that are, each left out. */
  readonly rate: number;
  /** Examples that the threshold was taken from: those whose class has others. */
  readonly examples: number;
}

/**
 * Fits the threshold.
 * @param targetRate over 0, below 1.
 * @returns null where no class has two examples.
 */
export function fitNovelty(rows: Rows, targets: Targets, targetRate: number, algebra: LinearAlgebra): Novelty | null {
  const { data, dimensions } = rows;
  const { classes, membership } = targets;
  const counts = classCounts(targets);
  const sums = classSums(rows, targets);
  const means = new Float32Array(classes * dimensions);
  for (let k = 0; k < classes; k++) {
    const row = sums.subarray(k * dimensions, (k + 1) * dimensions);
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    for (let d = 0; d < dimensions; d++) means[k * dimensions + d] = length > 0 ? row[d]! / length : 0;
  }
  const lengths = squaredLengths(sums, dimensions);
  const distances: number[] = [];
  productsWithRows(rows, sums, algebra, (products, start, size) => {
    for (let r = 0; r < size; r++) {
      const i = start + r;
      const own = squaredLength(data, i * dimensions, dimensions);
      let best = -1;
      let estimable = true;
      for (let k = 0; k < classes; k++) {
        const isOwn = membership[i * classes + k] === 1;
        if (isOwn && counts[k]! < 2) estimable = false;
        const product = products[r * classes + k]!;
        // Without the example itself: the sum s becomes s - x.
        const cosine = isOwn
          ? cosineOf(product - own, own, lengths[k]! - 2 * product + own)
          : cosineOf(product, own, lengths[k]!);
        best = Math.max(best, cosine);
      }
      if (estimable) distances.push(1 - best);
    }
  });
  if (distances.length === 0) return null;
  const sorted = Float64Array.from(distances).sort();
  const rank = Math.min(sorted.length, Math.ceil((sorted.length + 1) * (1 - targetRate)));
  const threshold = sorted[rank - 1]!;
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const deviation = Math.sqrt(sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / sorted.length);
  return {
    means,
    threshold,
    slope: 4 / Math.max(deviation, 1e-4),
    targetRate,
    rate: distances.filter((distance) => distance > threshold).length / distances.length,
    examples: distances.length,
  };
}

function cosineOf(product: number, first: number, second: number): number {
  return first > 0 && second > 0 ? Math.max(-1, Math.min(1, product / Math.sqrt(first * second))) : 0;
}

/** The distance of transformed features `[dimensions]` to the nearest mean. */
export function noveltyDistance(means: Float32Array, features: Float32Array): number {
  const own = squaredLength(features, 0, features.length);
  if (own === 0) return 1;
  const count = means.length / features.length;
  const products = new Float32Array(count);
  rowProducts(means, count, features, products);
  // Not -1: the products are of features of any length.
  let best = Number.NEGATIVE_INFINITY;
  for (const product of products) best = Math.max(best, product);
  return 1 - best / Math.sqrt(own);
}
