/** Ridge regression in the primal: a system of dimensions x dimensions, for more examples than dimensions. Pure. */
import { gramOfColumns } from './gram.ts';
import type { RidgeProblem, RidgeSolution } from './ridge-problem.ts';
import { quadraticForm, rotateRows, rotateRowsBack, shift, solveRow, tridiagonalize } from './tridiagonal.ts';

/** Examples that are rotated at a time. */
const BLOCK = 64;

/**
 * Solves a problem. With `G = Q T Qᵀ` the weighted covariance and `z = Qᵀ x` a centred, weighted example,
 * `H_ii = zᵀ (T + lambda I)⁻¹ z` and the intercept's share.
 */
export function fitPrimal(problem: RidgeProblem): RidgeSolution {
  const { rows, weights, centred, classes, targetMean } = problem;
  const { data, count, dimensions } = rows;
  let total = 0;
  for (const weight of weights) total += weight;
  const mean = new Float64Array(dimensions);
  // Xᵀ y, a row a class: what is centred on one side need not be on the other.
  const moments = new Float64Array(classes * dimensions);
  for (let i = 0; i < count; i++) {
    const from = i * dimensions;
    for (let d = 0; d < dimensions; d++) mean[d]! += (weights[i]! / total) * data[from + d]!;
    for (let k = 0; k < classes; k++) {
      const scale = weights[i]! * centred[i * classes + k]!;
      const row = k * dimensions;
      for (let d = 0; d < dimensions; d++) moments[row + d]! += scale * data[from + d]!;
    }
  }
  const gram = gramOfColumns(rows, weights);
  let trace = 0;
  for (let i = 0; i < dimensions; i++) {
    for (let j = 0; j < dimensions; j++) gram[i * dimensions + j]! -= total * mean[i]! * mean[j]!;
    trace += gram[i * dimensions + i]!;
  }
  const factorisation = tridiagonalize(gram, dimensions);
  rotateRows(factorisation, moments, classes);
  const candidates = problem.lambdas(trace / count).map((lambda) => {
    const factor = shift(factorisation, lambda);
    const solution = moments.slice();
    for (let k = 0; k < classes; k++) solveRow(factor, solution, k * dimensions);
    return { lambda, factor, solution, leverages: new Float64Array(count), error: 0 };
  });

  const block = new Float64Array(BLOCK * dimensions);
  for (let start = 0; start < count; start += BLOCK) {
    const size = Math.min(BLOCK, count - start);
    for (let r = 0; r < size; r++) {
      const from = (start + r) * dimensions;
      for (let d = 0; d < dimensions; d++) block[r * dimensions + d] = data[from + d]! - mean[d]!;
    }
    rotateRows(factorisation, block, size);
    for (const candidate of candidates) {
      for (let r = 0; r < size; r++) {
        const i = start + r;
        const leverage = weights[i]! * quadraticForm(candidate.factor, block, r * dimensions) + weights[i]! / total;
        candidate.leverages[i] = leverage;
        for (let k = 0; k < classes; k++) {
          let score = 0;
          const row = k * dimensions;
          for (let d = 0; d < dimensions; d++) score += candidate.solution[row + d]! * block[r * dimensions + d]!;
          candidate.error += weights[i]! * ((centred[i * classes + k]! - score) / (1 - leverage)) ** 2;
        }
      }
    }
  }
  const best = candidates.reduce((a, b) => (b.error < a.error ? b : a));
  const weight = best.solution;
  rotateRowsBack(factorisation, weight, classes);
  const bias = new Float64Array(classes);
  for (let k = 0; k < classes; k++) {
    let offset = 0;
    for (let d = 0; d < dimensions; d++) offset += weight[k * dimensions + d]! * mean[d]!;
    bias[k] = targetMean[k]! - offset;
  }
  const residuals = new Float64Array(count * classes);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < classes; k++) {
      let score = bias[k]! - targetMean[k]!;
      for (let d = 0; d < dimensions; d++) score += weight[k * dimensions + d]! * data[i * dimensions + d]!;
      residuals[i * classes + k] = (centred[i * classes + k]! - score) / (1 - best.leverages[i]!);
    }
  }
  const tried = candidates.map(({ lambda, error }) => ({ value: lambda, error: error / (count * classes) }));
  return { fit: { classes, dimensions, weight, bias }, lambda: best.lambda, tried, residuals };
}
