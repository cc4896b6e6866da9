/** A trained head: pooled features in, logits out. Pure. */
import { ModelError } from '../../errors.ts';
import { applyFeatures, type FeatureTransform } from './features.ts';
import { noveltyDistance } from './novelty.ts';
import { rowProducts } from './row-products.ts';

/** The label of pictures that are like none of the classes. */
export const UNKNOWN_LABEL = 'unknown';

/** What tells known from unknown at inference. */
export interface UnknownRule {
  /** Class means of unit length, float32 `[classes, dimensions]`. */
  readonly means: Float32Array;
  readonly threshold: number;
  readonly slope: number;
}

/** A head; its logits are calibrated: softmax (or sigmoid, for several labels a picture) gives probabilities. */
export interface HeadModel {
  /** Of the classes, without `unknown`. */
  readonly classes: readonly string[];
  readonly dimensions: number;
  readonly multiLabel: boolean;
  readonly features: FeatureTransform;
  /** `[classes, dimensions]`, row-major. */
  readonly weight: Float32Array;
  /** `[classes]`. */
  readonly bias: Float32Array;
  readonly unknown: UnknownRule | null;
}

/** The labels of a head's logits. */
export function headLabels({ classes, unknown }: HeadModel): readonly string[] {
  return unknown === null ? classes : [...classes, UNKNOWN_LABEL];
}

/**
 * Applies a head. With a rule for unknown pictures the last logit is theirs: the largest of the others, more by `slope` for every
 * unit of distance beyond the threshold, so that `unknown` is the best label exactly where the distance is over it.
 * @param embedding float32 `[dimensions]`.
 * @returns float32 `[labels]`.
 * @throws ModelError `model_failed` where a logit is not finite.
 */
export function applyHead(head: HeadModel, embedding: Float32Array): Float32Array {
  const { classes, dimensions, weight, bias, unknown } = head;
  const features = new Float32Array(dimensions);
  applyFeatures(head.features, embedding, features);
  const logits = new Float32Array(classes.length + (unknown === null ? 0 : 1));
  rowProducts(weight, classes.length, features, logits);
  let max = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < classes.length; k++) {
    logits[k] = logits[k]! + bias[k]!;
    max = Math.max(max, logits[k]!);
  }
  if (unknown !== null) {
    logits[classes.length] = max + unknown.slope * (noveltyDistance(unknown.means, features) - unknown.threshold);
  }
  const bad = logits.findIndex((value) => !Number.isFinite(value));
  if (bad < 0) return logits;
  // Numbers that overflow are no answer, and no verdict.
  throw new ModelError('model_failed', `the head gave ${logits[bad]} for label ${bad}`);
}
