/**
 * How unlike every class a picture is: 1 less its largest cosine to a class mean. The threshold is a quantile of the examples'
 * own distances, each to means that it is not in, so that the share of known pictures above it is stated. Pure.
 */
import type { Rows } from './gram.ts';
import { classSums } from './nearest-mean.ts';
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
export function fitNovelty(rows: Rows, targets: Targets, targetRate: number): Novelty | null {
  const { data, count, dimensions } = rows;
  const { classes, membership } = targets;
  const counts = classCounts(targets);
  const sums = classSums(rows, targets);
  const means = new Float32Array(classes * dimensions);
  for (let k = 0; k < classes; k++) {
    const row = sums.subarray(k * dimensions, (k + 1) * dimensions);
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    for (let d = 0; d < dimensions; d++) means[k * dimensions + d] = length > 0 ? row[d]! / length : 0;
  }
  const distances: number[] = [];
  for (let i = 0; i < count; i++) {
    let best = -1;
    let estimable = true;
    for (let k = 0; k < classes; k++) {
      const isOwn = membership[i * classes + k] === 1;
      if (isOwn && counts[k]! < 2) estimable = false;
      best = Math.max(best, cosineToMean(data, i * dimensions, sums, k * dimensions, dimensions, isOwn ? 1 : 0));
    }
    if (estimable) distances.push(1 - best);
  }
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

/** Cosine of a row and a class's sum without `leave` times the row. */
function cosineToMean(
  data: Float32Array,
  from: number,
  sums: Float64Array,
  row: number,
  dimensions: number,
  leave: number,
): number {
  let product = 0;
  let own = 0;
  let length = 0;
  for (let d = 0; d < dimensions; d++) {
    const x = data[from + d]!;
    const mean = sums[row + d]! - leave * x;
    product += x * mean;
    own += x * x;
    length += mean * mean;
  }
  return own > 0 && length > 0 ? product / Math.sqrt(own * length) : 0;
}

/** The distance of transformed features `[dimensions]` to the nearest mean. */
export function noveltyDistance(means: Float32Array, features: Float32Array): number {
  const dimensions = features.length;
  let own = 0;
  for (const x of features) own += x * x;
  if (own === 0) return 1;
  // Not -1: the products are of features of any length.
  let best = Number.NEGATIVE_INFINITY;
  for (let row = 0; row < means.length; row += dimensions) {
    let product = 0;
    for (let d = 0; d < dimensions; d++) product += means[row + d]! * features[d]!;
    best = Math.max(best, product);
  }
  return 1 - best / Math.sqrt(own);
}
