/**
 * From logits to an answer: the activation and the best labels. Pure.
 * Equal to the post-processing of transformers' `ImageClassificationPipeline` (pipelines/image_classification.py).
 */
import type { FunctionToApply } from '../../model-store/bit-config.ts';

/** One answer. */
export interface Prediction {
  readonly label: string;
  readonly score: number;
  /** Position of the label in the model's head. */
  readonly index: number;
}

/** Applies `apply` to `[labels]` logits, in float64. */
export function activate(logits: Float32Array, apply: FunctionToApply): Float64Array {
  const scores = Float64Array.from(logits);
  if (apply === 'sigmoid') {
    for (let i = 0; i < scores.length; i++) scores[i] = 1 / (1 + Math.exp(-scores[i]!));
  } else if (apply === 'softmax') {
    let max = Number.NEGATIVE_INFINITY;
    for (const score of scores) if (score > max) max = score;
    let sum = 0;
    for (let i = 0; i < scores.length; i++) {
      const exponential = Math.exp(scores[i]! - max);
      scores[i] = exponential;
      sum += exponential;
    }
    for (let i = 0; i < scores.length; i++) scores[i] = scores[i]! / sum;
  }
  return scores;
}

/** The `k` largest scores, best first; equal scores in the order of their index. At most `labels.length` come back. */
export function topK(scores: Float64Array, labels: readonly string[], k: number): Prediction[] {
  const order = Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return order.slice(0, k).map((index) => ({ label: labels[index] ?? `LABEL_${index}`, score: scores[index]!, index }));
}
