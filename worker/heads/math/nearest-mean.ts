/**
 * The nearest class mean, as a linear classifier: `2 m x - |m|²` is largest for the mean m with the least distance to x. What one
 * example a class can be asked for. Mensink et al., "Distance-Based Image Classification", 2013. Pure.
 */
import type { Fitted } from './fit.ts';
import type { Rows } from './gram.ts';
import { classCounts, type Targets } from './targets.ts';

/** Sums of the features of each class, float64 `[classes, dimensions]`. */
export function classSums({ data, dimensions }: Rows, { count, classes, membership }: Targets): Float64Array {
  const sums = new Float64Array(classes * dimensions);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < classes; k++) {
      if (membership[i * classes + k] === 0) continue;
      for (let d = 0; d < dimensions; d++) sums[k * dimensions + d]! += data[i * dimensions + d]!;
    }
  }
  return sums;
}

/** Fits the means; an example that is left out is left out of its own class's mean alone. */
export function fitNearestMean(rows: Rows, targets: Targets): Fitted {
  const { data, count, dimensions } = rows;
  const { classes, membership } = targets;
  const counts = classCounts(targets);
  const sums = classSums(rows, targets);
  const weight = new Float64Array(classes * dimensions);
  const bias = new Float64Array(classes);
  for (let k = 0; k < classes; k++) {
    let square = 0;
    for (let d = 0; d < dimensions; d++) {
      const mean = sums[k * dimensions + d]! / counts[k]!;
      weight[k * dimensions + d] = 2 * mean;
      square += mean * mean;
    }
    bias[k] = -square;
  }
  const scores = new Float64Array(count * classes);
  for (let i = 0; i < count; i++) {
    const from = i * dimensions;
    for (let k = 0; k < classes; k++) {
      const isOwn = membership[i * classes + k] === 1;
      const others = counts[k]! - (isOwn ? 1 : 0);
      let score = 0;
      for (let d = 0; d < dimensions; d++) {
        const x = data[from + d]!;
        const mean = (sums[k * dimensions + d]! - (isOwn ? x : 0)) / others;
        score += mean * (2 * x - mean);
      }
      scores[i * classes + k] = others === 0 ? Number.NaN : score;
    }
    if (scores.subarray(i * classes, (i + 1) * classes).some(Number.isNaN)) {
      scores.fill(Number.NaN, i * classes, (i + 1) * classes);
    }
  }
  return {
    fit: { classes, dimensions, weight, bias },
    validation: { kind: 'leave_one_out', folds: count, scores },
    regularization: null,
  };
}
