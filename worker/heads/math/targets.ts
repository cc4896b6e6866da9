/** What examples are labelled with, as the trainers take it. Pure. */

/** Labels of `count` examples over `classes` classes. */
export interface Targets {
  readonly count: number;
  readonly classes: number;
  /** True where an example may have several labels or none; then every class is a question of its own. */
  readonly multiLabel: boolean;
  /** 0 or 1, `[count, classes]`, row-major; one 1 a row where `multiLabel` is false. */
  readonly membership: Uint8Array;
}

/** The targets of examples that have one label each. @param labels `[count]`, each below `classes`. */
export function singleLabelTargets(labels: ArrayLike<number>, classes: number): Targets {
  const membership = new Uint8Array(labels.length * classes);
  for (let i = 0; i < labels.length; i++) membership[i * classes + labels[i]!] = 1;
  return { count: labels.length, classes, multiLabel: false, membership };
}

/** The first class that example `i` belongs to, -1 where it belongs to none. */
export function labelOf({ classes, membership }: Targets, i: number): number {
  for (let k = 0; k < classes; k++) if (membership[i * classes + k] === 1) return k;
  return -1;
}

/** Examples of each class, `[classes]`. */
export function classCounts({ count, classes, membership }: Targets): Int32Array {
  const counts = new Int32Array(classes);
  for (let i = 0; i < count; i++) for (let k = 0; k < classes; k++) counts[k]! += membership[i * classes + k]!;
  return counts;
}

/**
 * Weights of the examples, `[count]`: `count / (classes * examples of its class)` where balanced, as scikit-learn's
 * `class_weight="balanced"`; 1 otherwise, and for several labels an example, where no one class is an example's.
 */
export function exampleWeights(targets: Targets, balanced: boolean): Float64Array {
  const weights = new Float64Array(targets.count).fill(1);
  if (!balanced || targets.multiLabel) return weights;
  const counts = classCounts(targets);
  for (let i = 0; i < targets.count; i++) {
    weights[i] = targets.count / (targets.classes * counts[labelOf(targets, i)]!);
  }
  return weights;
}

/** The class of the largest of a row's `classes` scores; the first of equal ones. */
export function argmax(scores: ArrayLike<number>, at: number, classes: number): number {
  let best = 0;
  for (let k = 1; k < classes; k++) if (scores[at + k]! > scores[at + best]!) best = k;
  return best;
}
