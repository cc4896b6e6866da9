/** How far one tensor is from another. Pure, no I/O. */

/** The difference of two tensors. */
export interface TensorDifference {
  readonly shape: readonly number[];
  /** Largest absolute difference. */
  readonly max_abs: number;
  /** The same over the reference's largest magnitude. */
  readonly relative: number;
  /** The reference's largest magnitude. */
  readonly magnitude: number;
}

/** Whether two shapes hold the same values in the same order: equal but for axes of one. */
export function sameExtent(a: readonly number[], b: readonly number[]): boolean {
  const squeeze = (shape: readonly number[]): string => shape.filter((size) => size !== 1).join();
  return squeeze(a) === squeeze(b);
}

/** Compares values; anything that is not a number where the reference has one is infinitely far. */
export function compareTensors(
  actual: Float32Array,
  reference: Float32Array,
  shape: readonly number[],
): TensorDifference {
  let maxAbs = 0;
  let magnitude = 0;
  for (let i = 0; i < reference.length; i++) {
    const expected = reference[i]!;
    const difference = Math.abs(actual[i]! - expected);
    if (!(difference <= maxAbs) && !Object.is(actual[i], expected)) {
      maxAbs = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
    }
    magnitude = Math.max(magnitude, Math.abs(expected));
  }
  return { shape, max_abs: maxAbs, relative: maxAbs === 0 ? 0 : maxAbs / magnitude, magnitude };
}
