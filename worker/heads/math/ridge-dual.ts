/** Ridge regression in the dual: a system of examples x examples, for fewer examples than dimensions. Pure. */
import { gramOfRows, gramValues } from './gram.ts';
import { combinationValues, combineExamples } from './products.ts';
import type { RidgeProblem, RidgeSolution } from './ridge-problem.ts';
import {
  quadraticForm,
  rotateRows,
  rotateRowsBack,
  type ShiftedFactor,
  shift,
  solveRow,
  tridiagonalize,
  tridiagonalValues,
} from './tridiagonal.ts';

/**
 * Solves a problem. With `K` the Gram matrix of the centred, weighted examples, `alpha = (K + lambda I)⁻¹ y`, the residual is
 * `lambda alpha` and `1 - H_ii` is `lambda (K + lambda I)⁻¹_ii` less the intercept's share.
 */
export function fitDual(problem: RidgeProblem): RidgeSolution {
  const { rows, weights, centred, classes, algebra } = problem;
  const { count, dimensions } = rows;
  const own = [count * count, classes * count, classes * count, classes * dimensions];
  algebra.reserve(...gramValues(count), ...tridiagonalValues(count), ...own, ...combinationValues(dimensions));
  const { gram, meanSquare, shares } = centredGram(problem);
  const raised = meanSquare > 0 ? meanSquare : 1;
  // The intercept's direction has eigenvalue 0 in K. Raised, it does not drown the others in (K + lambda I)⁻¹_ii; no target has a part in it.
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) gram[i * count + j]! += raised * Math.sqrt(shares[i]! * shares[j]!);
  }
  const factorisation = tridiagonalize(gram, count, algebra);
  const basis = algebra.float64(count * count);
  for (let i = 0; i < count; i++) basis[i * count + i] = 1;
  rotateRows(factorisation, basis, count);
  // Rows are classes here: each becomes one right-hand side.
  const targets = algebra.float64(classes * count);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < classes; k++) targets[k * count + i] = Math.sqrt(weights[i]!) * centred[i * classes + k]!;
  }
  rotateRows(factorisation, targets, classes);

  const alpha = algebra.float64(classes * count);
  let best: { lambda: number; error: number; alpha: Float64Array; kept: Float64Array } | null = null;
  const tried: { value: number; error: number }[] = [];
  for (const lambda of problem.lambdas(meanSquare)) {
    const factor = shift(factorisation, lambda);
    alpha.set(targets);
    for (let k = 0; k < classes; k++) solveRow(factor, alpha, k * count);
    rotateRowsBack(factorisation, alpha, classes);
    const kept = keptShares(factor, basis, shares, lambda, raised);
    let error = 0;
    for (let i = 0; i < count; i++) {
      const scale = lambda / (kept[i]! * Math.sqrt(weights[i]!));
      for (let k = 0; k < classes; k++) error += weights[i]! * (scale * alpha[k * count + i]!) ** 2;
    }
    error /= count * classes;
    tried.push({ value: lambda, error });
    if (best === null || error < best.error) best = { lambda, error, alpha: alpha.slice(), kept };
  }
  const { lambda, kept } = best!;
  alpha.set(best!.alpha);
  const residuals = new Float64Array(count * classes);
  for (let i = 0; i < count; i++) {
    const scale = lambda / (kept[i]! * Math.sqrt(weights[i]!));
    for (let k = 0; k < classes; k++) residuals[i * classes + k] = scale * alpha[k * count + i]!;
  }
  return { fit: fitOf(problem, alpha, shares), lambda, tried, residuals };
}

/** The weights that `alpha`, `[classes, count]`, stands for; it is overwritten. */
function fitOf(
  { rows, weights, classes, targetMean, algebra }: RidgeProblem,
  alpha: Float64Array,
  shares: Float64Array,
): RidgeSolution['fit'] {
  const { count, dimensions, data } = rows;
  const mean = new Float64Array(dimensions);
  for (let i = 0; i < count; i++) {
    for (let d = 0; d < dimensions; d++) mean[d]! += shares[i]! * data[i * dimensions + d]!;
    for (let k = 0; k < classes; k++) alpha[k * count + i]! *= Math.sqrt(weights[i]!);
  }
  const combined = algebra.float64(classes * dimensions);
  combineExamples(rows, alpha, classes, combined, algebra);
  const weight = combined.slice();
  const bias = new Float64Array(classes);
  for (let k = 0; k < classes; k++) {
    const row = k * dimensions;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += alpha[k * count + i]!;
    let offset = 0;
    for (let d = 0; d < dimensions; d++) {
      weight[row + d]! -= sum * mean[d]!;
      offset += weight[row + d]! * mean[d]!;
    }
    bias[k] = targetMean[k]! - offset;
  }
  return { classes, dimensions, weight, bias };
}

/** The Gram matrix of centred, weighted examples, from that of the examples. `shares`: each one's part of the mean. */
function centredGram({ rows, weights, algebra }: RidgeProblem): {
  gram: Float64Array;
  meanSquare: number;
  shares: Float64Array;
} {
  const { count } = rows;
  const gram = gramOfRows(rows, algebra);
  let total = 0;
  for (const weight of weights) total += weight;
  const shares = weights.map((weight) => weight / total);
  const products = new Float64Array(count);
  let square = 0;
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let j = 0; j < count; j++) sum += shares[j]! * gram[i * count + j]!;
    products[i] = sum;
    square += shares[i]! * sum;
  }
  let trace = 0;
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) {
      const inner = gram[i * count + j]! - products[i]! - products[j]! + square;
      gram[i * count + j] = Math.sqrt(weights[i]! * weights[j]!) * inner;
    }
    trace += gram[i * count + i]!;
  }
  return { gram, meanSquare: trace / count, shares };
}

/** `1 - H_ii` of every example. */
function keptShares(
  factor: ShiftedFactor,
  basis: Float64Array,
  shares: Float64Array,
  lambda: number,
  raised: number,
): Float64Array {
  const count = shares.length;
  const kept = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    kept[i] = lambda * (quadraticForm(factor, basis, i * count) - shares[i]! / (lambda + raised));
  }
  return kept;
}
