/** What a trainer gives. */

/** A linear classifier on transformed features: `scores = weight x + bias`. */
export interface LinearFit {
  readonly classes: number;
  readonly dimensions: number;
  /** `[classes, dimensions]`, row-major. */
  readonly weight: Float64Array;
  /** `[classes]`. */
  readonly bias: Float64Array;
}

/** How an estimate for unseen pictures was made: every score below is of an example that its model has not seen. */
export interface Validation {
  readonly kind: 'leave_one_out' | 'k_fold';
  /** Models that were fitted, in effect: the examples, or the folds. */
  readonly folds: number;
  /** `[count, classes]`; NaN in a row that could not be estimated: no other example has its label. */
  readonly scores: Float64Array;
}

/** A fit and its estimate. */
export interface Fitted {
  readonly fit: LinearFit;
  readonly validation: Validation;
  /** What was chosen: `lambda`, `c`; with the error at each value that was tried, per example and class. */
  readonly regularization: {
    readonly name: 'lambda' | 'c';
    readonly value: number;
    readonly tried: readonly { readonly value: number; readonly error: number }[];
  } | null;
}
