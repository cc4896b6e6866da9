/**
 * Ridge regression on targets of -1 and 1, the intercept not penalised, as scikit-learn's `RidgeClassifier`. The smaller of the
 * two forms is used: the dual, examples x examples, or the primal, dimensions x dimensions. One factorisation gives the exact
 * leave-one-out residuals for every lambda: `r_i / (1 - H_ii)`, H the matrix that takes targets to predictions.
 * Sources: Rifkin and Lippert, "Notes on Regularized Least Squares", 2007; Allen, "PRESS", 1974. Pure, deterministic.
 */
import type { Fitted } from './fit.ts';
import type { Rows } from './gram.ts';
import type { LinearAlgebra } from './linear-algebra.ts';
import { fitDual } from './ridge-dual.ts';
import { fitPrimal } from './ridge-primal.ts';
import type { RidgeProblem } from './ridge-problem.ts';
import type { Targets } from './targets.ts';

/** Values of lambda that are tried, as multiples of the mean squared length of a centred example. */
const RELATIVE_LAMBDAS = [1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1, 3, 10, 30, 100];

/** The same where a try costs more than this many multiplications: every other one. */
const MANY_MULTIPLICATIONS = 2e8;

/**
 * Fits a ridge classifier.
 * @param lambda tried alone where given; else the one with the least squared leave-one-out error is chosen.
 */
export function fitRidge(
  rows: Rows,
  targets: Targets,
  weights: Float64Array,
  lambda: number | null,
  algebra: LinearAlgebra,
): Fitted {
  const { count, dimensions } = rows;
  const { classes, membership } = targets;
  let total = 0;
  for (const weight of weights) total += weight;
  const targetMean = new Float64Array(classes);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < classes; k++) targetMean[k]! += (weights[i]! / total) * (2 * membership[i * classes + k]! - 1);
  }
  const centred = new Float64Array(count * classes);
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < classes; k++) centred[i * classes + k] = 2 * membership[i * classes + k]! - 1 - targetMean[k]!;
  }
  const size = Math.min(count, dimensions);
  const isCostly = count * size * classes > MANY_MULTIPLICATIONS;
  const problem: RidgeProblem = {
    rows,
    weights,
    centred,
    targetMean,
    classes,
    targets,
    algebra,
    lambdas(meanSquare) {
      if (lambda !== null) return [lambda];
      // Examples that are all the same leave nothing to scale by, and nothing to learn.
      const scale = meanSquare > 0 ? meanSquare : 1;
      return RELATIVE_LAMBDAS.filter((_, index) => !isCostly || index % 2 === 0).map((each) => each * scale);
    },
  };
  const solution = count <= dimensions ? fitDual(problem) : fitPrimal(problem);
  const scores = solution.residuals;
  for (let at = 0; at < scores.length; at++) scores[at] = 2 * membership[at]! - 1 - scores[at]!;
  return {
    fit: solution.fit,
    validation: { kind: 'leave_one_out', folds: count, scores },
    regularization: { name: 'lambda', value: solution.lambda, tried: solution.tried },
  };
}
