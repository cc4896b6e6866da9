/** Ridge regression in the primal: a system of dimensions x dimensions, for more examples than dimensions. Pure. */
import { gramOfColumns, gramValues, type Rows } from './gram.ts';
import { classSums } from './nearest-mean.ts';
import type { RidgeProblem, RidgeSolution } from './ridge-problem.ts';
import {
  quadraticForm,
  rotateRows,
  rotateRowsBack,
  shift,
  solveRow,
  tridiagonalize,
  tridiagonalValues,
} from './tridiagonal.ts';

/** Examples that are rotated at a time. */
const BLOCK = 64;

/**
 * Solves a problem. With `G = Q T Qᵀ` the weighted covariance and `z = Qᵀ x` a centred, weighted example,
 * `H_ii = zᵀ (T + lambda I)⁻¹ z` and the intercept's share.
 */
export function fitPrimal(problem: RidgeProblem): RidgeSolution {
  const { rows, weights, centred, classes, targetMean, algebra } = problem;
  const { count, dimensions } = rows;
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const { mean, moments: given } = momentsOf(problem, total);
  const size = classes * dimensions;
  const tries = problem.lambdas(1).length;
  const own = [...Array<number>(1 + tries).fill(size), BLOCK * dimensions, BLOCK * classes];
  algebra.reserve(...gramValues(dimensions), ...tridiagonalValues(dimensions), ...own);
  const gram = gramOfColumns(rows, weights, algebra);
  let trace = 0;
  for (let i = 0; i < dimensions; i++) {
    for (let j = 0; j < dimensions; j++) gram[i * dimensions + j]! -= total * mean[i]! * mean[j]!;
    trace += gram[i * dimensions + i]!;
  }
  const factorisation = tridiagonalize(gram, dimensions, algebra);
  const moments = algebra.float64(size);
  moments.set(given);
  rotateRows(factorisation, moments, classes);
  const candidates = problem.lambdas(trace / count).map((lambda) => {
    const factor = shift(factorisation, lambda);
    const solution = algebra.float64(size);
    solution.set(moments);
    for (let k = 0; k < classes; k++) solveRow(factor, solution, k * dimensions);
    return { lambda, factor, solution, leverages: new Float64Array(count), error: 0 };
  });

  const block = algebra.float64(BLOCK * dimensions);
  const scores = algebra.float64(BLOCK * classes);
  const scoreBlock = (solution: Float64Array, examples: number): void => {
    scores.fill(0, 0, examples * classes);
    const examplesOfBlock = { values: block, count: examples };
    algebra.multiplyRows(examplesOfBlock, { values: solution, count: classes }, dimensions, scores);
  };
  for (let start = 0; start < count; start += BLOCK) {
    const examples = Math.min(BLOCK, count - start);
    centreBlock(rows, mean, start, examples, block);
    rotateRows(factorisation, block, examples);
    for (const candidate of candidates) {
      scoreBlock(candidate.solution, examples);
      for (let r = 0; r < examples; r++) {
        const i = start + r;
        const leverage = weights[i]! * quadraticForm(candidate.factor, block, r * dimensions) + weights[i]! / total;
        candidate.leverages[i] = leverage;
        let squares = 0;
        for (let k = 0; k < classes; k++) squares += (centred[i * classes + k]! - scores[r * classes + k]!) ** 2;
        candidate.error += (weights[i]! * squares) / (1 - leverage) ** 2;
      }
    }
  }
  const best = candidates.reduce((a, b) => (b.error < a.error ? b : a));
  const weight = best.solution;
  rotateRowsBack(factorisation, weight, classes);
  const residuals = new Float64Array(count * classes);
  for (let start = 0; start < count; start += BLOCK) {
    const examples = Math.min(BLOCK, count - start);
    centreBlock(rows, mean, start, examples, block);
    scoreBlock(weight, examples);
    for (let r = 0; r < examples; r++) {
      const i = start + r;
      for (let k = 0; k < classes; k++) {
        residuals[i * classes + k] = (centred[i * classes + k]! - scores[r * classes + k]!) / (1 - best.leverages[i]!);
      }
    }
  }
  const bias = new Float64Array(classes);
  for (let k = 0; k < classes; k++) {
    let offset = 0;
    for (let d = 0; d < dimensions; d++) offset += weight[k * dimensions + d]! * mean[d]!;
    bias[k] = targetMean[k]! - offset;
  }
  const tried = candidates.map(({ lambda, error }) => ({ value: lambda, error: error / (count * classes) }));
  return { fit: { classes, dimensions, weight: weight.slice(), bias }, lambda: best.lambda, tried, residuals };
}

/**
 * The weighted mean of the examples, and `Xᵀ y`, a row a class: what is centred on one side need not be on the other. Targets are
 * 1 and -1 less their mean, so that a class's row is twice its own sum less its share of everyone's.
 */
function momentsOf({ rows, weights, targets, targetMean, classes }: RidgeProblem, total: number) {
  const { data, count, dimensions } = rows;
  const sums = new Float64Array(dimensions);
  for (let i = 0; i < count; i++) {
    for (let d = 0; d < dimensions; d++) sums[d]! += weights[i]! * data[i * dimensions + d]!;
  }
  const moments = classSums(rows, targets, weights);
  for (let k = 0; k < classes; k++) {
    const row = k * dimensions;
    for (let d = 0; d < dimensions; d++) moments[row + d] = 2 * moments[row + d]! - (1 + targetMean[k]!) * sums[d]!;
  }
  return { mean: sums.map((sum) => sum / total), moments };
}

/** Widens examples and takes the mean off. */
function centreBlock(
  { data, dimensions }: Rows,
  mean: Float64Array,
  start: number,
  examples: number,
  block: Float64Array,
): void {
  for (let r = 0; r < examples; r++) {
    const from = (start + r) * dimensions;
    for (let d = 0; d < dimensions; d++) block[r * dimensions + d] = data[from + d]! - mean[d]!;
  }
}
