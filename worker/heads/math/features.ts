/** What is done to embeddings before a head sees them. Pure. */
import type { Rows } from './gram.ts';

/** `l2`: unit length. `standardize`: each dimension to mean 0 and deviation 1 over the examples. */
export const FEATURE_KINDS = ['l2', 'standardize', 'none'] as const;
export type FeatureKind = (typeof FEATURE_KINDS)[number];

/** A fitted transformation. */
export interface FeatureTransform {
  readonly kind: FeatureKind;
  /** Of `standardize`: `[dimensions]`. */
  readonly mean: Float32Array | null;
  /** Of `standardize`: `[dimensions]`, 1 where a dimension does not vary. */
  readonly deviation: Float32Array | null;
}

/** Fits the transformation to examples. */
export function fitFeatures(kind: FeatureKind, { data, count, dimensions }: Rows): FeatureTransform {
  if (kind !== 'standardize') return { kind, mean: null, deviation: null };
  const mean = new Float64Array(dimensions);
  const squares = new Float64Array(dimensions);
  for (let i = 0; i < count; i++) {
    for (let d = 0; d < dimensions; d++) mean[d]! += data[i * dimensions + d]! / count;
  }
  for (let i = 0; i < count; i++) {
    for (let d = 0; d < dimensions; d++) squares[d]! += (data[i * dimensions + d]! - mean[d]!) ** 2 / count;
  }
  const deviation = Float32Array.from(squares, (value) => (value > 0 ? Math.sqrt(value) : 1));
  return { kind, mean: Float32Array.from(mean), deviation };
}

/** Transforms one embedding, `[dimensions]`, into `out` at `at`. A vector of zeros stays one. */
export function applyFeatures(transform: FeatureTransform, embedding: Float32Array, out: Float32Array, at = 0): void {
  const { kind, mean, deviation } = transform;
  const { length } = embedding;
  if (kind === 'l2') {
    let squares = 0;
    for (let d = 0; d < length; d++) squares += embedding[d]! * embedding[d]!;
    const scale = squares > 0 ? 1 / Math.sqrt(squares) : 0;
    for (let d = 0; d < length; d++) out[at + d] = embedding[d]! * scale;
    return;
  }
  if (mean === null || deviation === null) {
    out.set(embedding, at);
    return;
  }
  for (let d = 0; d < length; d++) out[at + d] = (embedding[d]! - mean[d]!) / deviation[d]!;
}

/** Transforms every row. */
export function transformRows(transform: FeatureTransform, { data, count, dimensions }: Rows): Rows {
  const out = new Float32Array(count * dimensions);
  for (let i = 0; i < count; i++) {
    applyFeatures(transform, data.subarray(i * dimensions, (i + 1) * dimensions), out, i * dimensions);
  }
  return { data: out, count, dimensions };
}
