/**
 * Logistic regression as scikit-learn's `LogisticRegression(solver="lbfgs")`: `|W|² / 2 + C sum(weight loss)`, the intercept not
 * penalised; multinomial, or one question a class where an example may have several labels. The estimate is by folds, because
 * leaving one out has no closed form here. Pure, deterministic.
 */
import type { Fitted } from './fit.ts';
import type { Rows } from './gram.ts';
import { minimize } from './lbfgs.ts';
import type { LinearAlgebra } from './linear-algebra.ts';
import { type Span, spanOf, toFeatures } from './span.ts';
import { classCounts, labelOf, type Targets } from './targets.ts';

/** Values of C that are tried; features of unit length want large ones. */
const CS = [1, 10, 100, 1000];

const FOLDS = 5;

const FINAL = { maxIterations: 2000, gradientTolerance: 1e-7 };
const FOLD = { maxIterations: 200, gradientTolerance: 1e-3 };

/**
 * Fits a logistic classifier.
 * @param c tried alone where given; else the one with the least held-out loss is chosen.
 */
export function fitLogistic(
  rows: Rows,
  targets: Targets,
  weights: Float64Array,
  c: number | null,
  algebra: LinearAlgebra,
): Fitted {
  const { count, dimensions, data } = rows;
  const { classes } = targets;
  const span: Span | null = count <= dimensions ? spanOf(rows, algebra) : null;
  const size = span?.rank ?? dimensions;
  const features = span?.coordinates ?? Float64Array.from(data);
  const problem: Problem = { features, size, targets, weights };
  const folds = foldsOf(targets);
  let best: { c: number; error: number; scores: Float64Array } | null = null;
  const tried: { value: number; error: number }[] = [];
  for (const value of c === null ? CS : [c]) {
    const scores = new Float64Array(count * classes).fill(Number.NaN);
    for (let fold = 0; fold < FOLDS; fold++) {
      const parameters = solve(problem, value, (i) => folds[i] !== fold, FOLD);
      for (let i = 0; i < count; i++) {
        if (folds[i] === fold) scoreExample(problem, parameters, i, scores.subarray(i * classes, (i + 1) * classes));
      }
    }
    const error = meanLoss(targets, weights, scores);
    tried.push({ value, error });
    if (best === null || error < best.error) best = { c: value, error, scores };
  }
  const parameters = solve(problem, best!.c, () => true, FINAL);
  const theta = parameters.subarray(0, classes * size);
  return {
    fit: {
      classes,
      dimensions,
      weight: span === null ? theta.slice() : toFeatures(span, theta, classes, rows),
      bias: parameters.slice(classes * size),
    },
    validation: { kind: 'k_fold', folds: FOLDS, scores: best!.scores },
    regularization: { name: 'c', value: best!.c, tried },
  };
}

interface Problem {
  /** `[count, size]`. */
  readonly features: Float64Array;
  readonly size: number;
  readonly targets: Targets;
  readonly weights: Float64Array;
}

/** Folds of the examples: each class dealt out in turn. -1 for the only example of a class, which is never held out. */
function foldsOf(targets: Targets): Int32Array {
  const counts = classCounts(targets);
  const dealt = new Int32Array(targets.classes);
  return Int32Array.from({ length: targets.count }, (_, i) => {
    const label = labelOf(targets, i);
    if (targets.multiLabel || label < 0) return i % FOLDS;
    return counts[label]! < 2 ? -1 : dealt[label]!++ % FOLDS;
  });
}

/** The minimum over the examples that are used: weights `[classes, size]`, then intercepts `[classes]`. */
function solve(
  problem: Problem,
  c: number,
  uses: (example: number) => boolean,
  options: { readonly maxIterations: number; readonly gradientTolerance: number },
): Float64Array {
  const { features, size, targets, weights } = problem;
  const { classes, count, membership, multiLabel } = targets;
  const scores = new Float64Array(classes);
  const start = new Float64Array(classes * (size + 1));
  return minimize(
    (x, gradient) => {
      let value = 0;
      gradient.fill(0);
      for (let at = 0; at < classes * size; at++) {
        value += 0.5 * x[at]! * x[at]!;
        gradient[at] = x[at]!;
      }
      for (let i = 0; i < count; i++) {
        if (!uses(i)) continue;
        scoreExample(problem, x, i, scores);
        const scale = c * weights[i]!;
        value += scale * lossAndSlopes(scores, membership, i * classes, multiLabel);
        for (let k = 0; k < classes; k++) {
          const slope = scale * scores[k]!;
          gradient[classes * size + k]! += slope;
          const row = k * size;
          for (let d = 0; d < size; d++) gradient[row + d]! += slope * features[i * size + d]!;
        }
      }
      return value;
    },
    start,
    options,
  );
}

function scoreExample({ features, size, targets }: Problem, x: Float64Array, i: number, out: Float64Array): void {
  const { classes } = targets;
  for (let k = 0; k < classes; k++) {
    let sum = x[classes * size + k]!;
    const row = k * size;
    for (let d = 0; d < size; d++) sum += x[row + d]! * features[i * size + d]!;
    out[k] = sum;
  }
}

/** The loss of one example's scores; they become its derivatives. */
function lossAndSlopes(scores: Float64Array, membership: Uint8Array, at: number, multiLabel: boolean): number {
  const classes = scores.length;
  let loss = 0;
  if (multiLabel) {
    for (let k = 0; k < classes; k++) {
      const score = scores[k]!;
      const y = membership[at + k]!;
      loss += Math.max(score, 0) - y * score + Math.log1p(Math.exp(-Math.abs(score)));
      scores[k] = 1 / (1 + Math.exp(-score)) - y;
    }
    return loss;
  }
  let max = Number.NEGATIVE_INFINITY;
  for (const score of scores) max = Math.max(max, score);
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - max);
  const logSum = max + Math.log(sum);
  for (let k = 0; k < classes; k++) {
    const y = membership[at + k]!;
    if (y === 1) loss = logSum - scores[k]!;
    scores[k] = Math.exp(scores[k]! - logSum) - y;
  }
  return loss;
}

function meanLoss(
  { count, classes, membership, multiLabel }: Targets,
  weights: Float64Array,
  all: Float64Array,
): number {
  let sum = 0;
  let total = 0;
  for (let i = 0; i < count; i++) {
    const scores = all.slice(i * classes, (i + 1) * classes);
    if (Number.isNaN(scores[0])) continue;
    sum += weights[i]! * lossAndSlopes(scores, membership, i * classes, multiLabel);
    total += weights[i]!;
  }
  return total === 0 ? 0 : sum / total;
}
