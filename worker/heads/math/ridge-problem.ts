/** What both forms of ridge regression, primal and dual, are given and give. */
import type { LinearFit } from './fit.ts';
import type { Rows } from './gram.ts';
import type { LinearAlgebra } from './linear-algebra.ts';
import type { Targets } from './targets.ts';

/** What both forms are given. */
export interface RidgeProblem {
  readonly rows: Rows;
  /** Of the examples, none 0. */
  readonly weights: Float64Array;
  /** -1 and 1 about their weighted mean, `[count, classes]`. */
  readonly centred: Float64Array;
  /** `[classes]`. */
  readonly targetMean: Float64Array;
  readonly classes: number;
  readonly targets: Targets;
  readonly algebra: LinearAlgebra;
  /** Tried in turn; the first of the best is taken. */
  lambdas(meanSquare: number): readonly number[];
}

/** What a form gives: the best lambda's fit, and what each example's score differs from its target when it is left out. */
export interface RidgeSolution {
  readonly fit: LinearFit;
  readonly lambda: number;
  readonly tried: readonly { readonly value: number; readonly error: number }[];
  /** Target minus the score without the example, `[count, classes]`. */
  readonly residuals: Float64Array;
}
