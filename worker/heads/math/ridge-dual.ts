/** Ridge regression in the dual: a system of examples x examples, for fewer examples than dimensions. Pure. */
import { gramOfRows } from './gram.ts';
import type { RidgeProblem, RidgeSolution } from './ridge-problem.ts';
import {
  quadraticForm,
  rotateRows,
  rotateRowsBack,
  type ShiftedFactor,
  shift,
  solveRow,
  tridiagonalize,
} from './tridiagonal.ts';

/**
 * Solves a problem. With `K` the Gram matrix of the centred, weighted examples, `alpha = (K + lambda I)⁻¹ y`, the residual is
 * `lambda alpha` and `1 - H_ii` is `lambda (K + lambda I)⁻¹_ii` less the intercept's share.
 */
export function fitDual(problem: RidgeProblem): RidgeSolution {
  const { rows, weights, centred, classes, targetMean } = problem;
  const { count, dimensions, data } = rows;
  const { gram, meanSquare, shares } = centredGram(problem);
  const raised = meanSquare > 0 ? meanSquare : 1;
  // The intercept's direction has eigenvalue 0 in K. Raised, it does not drown the others in (K + lambda I)⁻¹_ii; no target has a part in it.
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < count; j++) gram[i * count + j]! += raised * Math.sqrt(shares[i]! * shares[j]!);
  }
  const factorisation = tridiagonalize(gram, count);
  const basis = new Float64Array(count * count);
  for (let i = 0; i < count; i++) basis[i * count + i] = 1;
  rotateRows(factorisation, basis, count);
  // Rows are classes here: each becomes one right-hand side.
  const targets = new Float64Array(classes * count);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < classes; k++) targets[k * count + i] = Math.sqrt(weights[i]!) * centred[i * classes + k]!;
  }
  rotateRows(factorisation, targets, classes);

  const solve = (lambda: number): { alpha: Float64Array; kept: Float64Array } => {
    const factor = shift(factorisation, lambda);
    const alpha = targets.slice();
    for (let k = 0; k < classes; k++) solveRow(factor, alpha, k * count);
    rotateRowsBack(factorisation, alpha, classes);
    return { alpha, kept: keptShares(factor, basis, shares, lambda, raised) };
  };

  let best: { lambda: number; error: number; alpha: Float64Array; kept: Float64Array } | null = null;
  const tried: { value: number; error: number }[] = [];
  for (const lambda of problem.lambdas(meanSquare)) {
    const { alpha, kept } = solve(lambda);
    let error = 0;
    for (let i = 0; i < count; i++) {
      const scale = lambda / (kept[i]! * Math.sqrt(weights[i]!));
      for (let k = 0; k < classes; k++) error += weights[i]! * (scale * alpha[k * count + i]!) ** 2;
    }
    error /= count * classes;
    tried.push({ value: lambda, error });
    if (best === null || error < best.error) best = { lambda, error, alpha, kept };
  }
  const { lambda, alpha, kept } = best!;
  const residuals = new Float64Array(count * classes);
  const mean = new Float64Array(dimensions);
  for (let i = 0; i < count; i++) {
    const scale = lambda / (kept[i]! * Math.sqrt(weights[i]!));
    for (let k = 0; k < classes; k++) residuals[i * classes + k] = scale * alpha[k * count + i]!;
    for (let d = 0; d < dimensions; d++) mean[d]! += shares[i]! * data[i * dimensions + d]!;
  }
  const weight = new Float64Array(classes * dimensions);
  const bias = new Float64Array(classes);
  for (let k = 0; k < classes; k++) {
    const row = k * dimensions;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const coefficient = Math.sqrt(weights[i]!) * alpha[k * count + i]!;
      sum += coefficient;
      for (let d = 0; d < dimensions; d++) weight[row + d]! += coefficient * data[i * dimensions + d]!;
    }
    let offset = 0;
    for (let d = 0; d < dimensions; d++) {
      weight[row + d]! -= sum * mean[d]!;
      offset += weight[row + d]! * mean[d]!;
    }
    bias[k] = targetMean[k]! - offset;
  }
  return { fit: { classes, dimensions, weight, bias }, lambda, tried, residuals };
}

/** The Gram matrix of centred, weighted examples, from that of the examples. `shares`: each one's part of the mean. */
function centredGram({ rows, weights }: RidgeProblem): {
  gram: Float64Array;
  meanSquare: number;
  shares: Float64Array;
} {
  const { count } = rows;
  const gram = gramOfRows(rows);
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
