/** What a job's line says of one image's outputs: the same code at the edge and on a GPU worker. Pure. */
import type { FunctionToApply } from '../../model-store/bit-config.ts';
import { type Manifest, manifestFunction } from '../../model-store/manifest.ts';
import { encodeFloats } from '../float-encoding.ts';
import { activate, type Prediction, topK } from '../inference/scores.ts';
import type { JobSpecification } from './records.ts';

/** The best labels of `[labels]` logits, by a job's parameters. */
export function predictionsOf(
  logits: Float32Array,
  { manifest, labels }: { readonly manifest: Manifest; readonly labels: readonly string[] },
  parameters: JobSpecification['parameters'],
): { readonly predictions: Prediction[] } {
  const asked = parameters.function_to_apply as FunctionToApply | undefined;
  const scores = activate(logits, asked ?? manifestFunction(manifest));
  return { predictions: topK(scores, labels, Number(parameters.top_k)) };
}

/** Pooled features as a job gives them: base64 of little-endian float32. */
export function embeddingOf(pooled: Float32Array): { readonly embedding: string; readonly dimensions: number } {
  return { embedding: String(encodeFloats(pooled, 'base64')), dimensions: pooled.length };
}
