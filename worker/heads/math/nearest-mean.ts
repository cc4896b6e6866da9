/**
 * The nearest class mean, as a linear classifier: `2 m x - |m|²` is largest for the mean m with the least distance to x. What one
 * example a class can be asked for. Mensink et al., "Distance-Based Image Classification", 2013. Pure.
 */
import type { Fitted } from './fit.ts';
import type { Rows } from './gram.ts';
import type { LinearAlgebra } from './linear-algebra.ts';
import { productsWithRows, squaredLength, squaredLengths } from './products.ts';
import { classCounts, type Targets } from './targets.ts';

/**
 * Sums of the features of each class, float64 `[classes, dimensions]`.
 * @param weights of the examples; absent: 1 each.
 */
export function classSums(
  { data, dimensions }: Rows,
  { count, classes, membership }: Targets,
  weights: Float64Array | null = null,
): Float64Array {
  const sums = new Float64Array(classes * dimensions);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < classes; k++) {
      if (membership[i * classes + k] === 0) continue;
      const weight = weights === null ? 1 : weights[i]!;
      for (let d = 0; d < dimensions; d++) sums[k * dimensions + d]! += weight * data[i * dimensions + d]!;
    }
  }
  return sums;
}

/** Fits the means; an example that is left out is left out of its own class's mean alone. */
export function fitNearestMean(rows: Rows, targets: Targets, algebra: LinearAlgebra): Fitted {
  const { data, count, dimensions } = rows;
  const { classes, membership } = targets;
  const counts = classCounts(targets);
  const sums = classSums(rows, targets);
  const lengths = squaredLengths(sums, dimensions);
  const weight = new Float64Array(classes * dimensions);
  const bias = new Float64Array(classes);
  for (let k = 0; k < classes; k++) {
    for (let d = 0; d < dimensions; d++) weight[k * dimensions + d] = (2 * sums[k * dimensions + d]!) / counts[k]!;
    bias[k] = -lengths[k]! / counts[k]! ** 2;
  }
  const scores = new Float64Array(count * classes);
  productsWithRows(rows, sums, algebra, (products, start, size) => {
    for (let r = 0; r < size; r++) {
      const i = start + r;
      const own = squaredLength(data, i * dimensions, dimensions);
      let estimable = true;
      for (let k = 0; k < classes; k++) {
        const isOwn = membership[i * classes + k] === 1;
        const others = counts[k]! - (isOwn ? 1 : 0);
        if (others === 0) estimable = false;
        // Without the example itself: the sum s becomes s - x.
        const product = products[r * classes + k]! - (isOwn ? own : 0);
        const square = isOwn ? lengths[k]! - 2 * product - own : lengths[k]!;
        scores[i * classes + k] = (2 * product - square / others) / others;
      }
      if (!estimable) scores.fill(Number.NaN, i * classes, (i + 1) * classes);
    }
  });
  return {
    fit: { classes, dimensions, weight, bias },
    validation: { kind: 'leave_one_out', folds: count, scores },
    regularization: null,
  };
}
