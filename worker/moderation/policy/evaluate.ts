/**
 * Scores -> categories -> verdict. Pure: no I/O, no clock.
 */
import { type HeadLabels, type LabelSource, labelResolver, labelSources } from './label-sources.ts';
import { type Action, moreSevere, type Policy, type PolicyCategory } from './schema.ts';

/** Most labels that a category's result names. */
export const MAX_LABELS_PER_CATEGORY = 5;

/** A source of a category's score: a label of the model or of a head, or a prototype in embedding space. */
export interface ScoredLabel extends LabelSource {
  /** 0 to 1. */
  readonly score: number;
}

/** What one category says about an image. */
export interface CategoryResult {
  readonly name: string;
  /** 0 to 1. */
  readonly score: number;
  /** The threshold that was reached; where none was, the lowest. */
  readonly threshold: number;
  readonly action: Action;
  /** Strongest first, at most `MAX_LABELS_PER_CATEGORY`. */
  readonly labels: readonly ScoredLabel[];
  /** The label or hash on the allow list that turned the action into `allow`. */
  readonly overridden_by?: string;
}

/** What a policy says about an image. */
export interface Evaluation {
  readonly verdict: Action;
  /** The first category, in the policy's order, whose action is the verdict; null where all allow. */
  readonly reason: string | null;
  readonly categories: readonly CategoryResult[];
}

/** What the network said about an image. */
export interface ImageScores {
  /** `[sources]`: the model's after the policy's activation, then each head's after its own, in the policy's order. */
  readonly scores: ArrayLike<number>;
  /** `[embeddingLength]`; null where no category has prototypes. */
  readonly embedding: Float32Array | null;
  /** SHA-256 of the file, in hex. */
  readonly sha256: string;
}

/** A policy whose labels have become indexes into the scores of one model and its heads. */
export interface CompiledPolicy {
  readonly policy: Policy;
  readonly needsEmbedding: boolean;
  evaluate(image: ImageScores): Evaluation;
}

interface CompiledCategory {
  readonly category: PolicyCategory;
  readonly indexes: readonly number[];
  readonly prototypes: readonly { readonly name: string; readonly vector: Float32Array }[];
  readonly combine: 'max' | 'sum';
  readonly thresholds: { readonly review?: number | undefined; readonly block?: number | undefined };
}

interface CompiledAllowance {
  readonly indexes: readonly number[];
  readonly threshold: number;
  readonly categories: ReadonlySet<string> | null;
}

/**
 * Binds a policy to the labels of a model version, and of versions of its heads.
 * @throws ModerationError `invalid_policy` if a version lacks a label: an alias has moved since the policy was published.
 */
export function compilePolicy(
  policy: Policy,
  labels: readonly string[],
  heads: readonly HeadLabels[] = [],
): CompiledPolicy {
  const sources = labelSources(labels, heads);
  const resolve = labelResolver(policy, sources);
  const categories = policy.categories.map(
    (category): CompiledCategory => ({
      category,
      indexes: resolve(category),
      prototypes: (category.prototypes ?? []).map(({ name, vector }) => ({ name, vector: unitVector(vector) })),
      combine: category.combine ?? policy.defaults.combine ?? 'max',
      thresholds: category.thresholds ?? policy.defaults.thresholds ?? {},
    }),
  );
  const allowances = policy.allow_list.allowances.map(
    (allowance): CompiledAllowance => ({
      indexes: resolve(allowance),
      threshold: allowance.threshold,
      categories: allowance.categories === undefined ? null : new Set(allowance.categories),
    }),
  );
  const hashes = new Set(policy.allow_list.sha256);
  return {
    policy,
    needsEmbedding: categories.some(({ prototypes }) => prototypes.length > 0),
    evaluate(image) {
      const results = categories.map((category) => {
        const result = evaluateCategory(category, image, sources);
        if (result.action === 'allow') return result;
        const override = findOverride(category.category.name, allowances, hashes, image, sources);
        return override === null ? result : { ...result, action: 'allow' as const, overridden_by: override };
      });
      let verdict: Action = 'allow';
      for (const { action } of results) verdict = moreSevere(verdict, action);
      const reason = verdict === 'allow' ? null : (results.find(({ action }) => action === verdict)?.name ?? null);
      return { verdict, reason, categories: results };
    },
  };
}

function evaluateCategory(
  compiled: CompiledCategory,
  image: ImageScores,
  named: readonly LabelSource[],
): CategoryResult {
  const { category, indexes, prototypes, combine, thresholds } = compiled;
  const sources: ScoredLabel[] = indexes.map((index) => ({ ...named[index]!, score: image.scores[index]! }));
  for (const { name, vector } of prototypes) {
    if (image.embedding !== null) sources.push({ label: name, score: cosine(image.embedding, vector) });
  }
  sources.sort((a, b) => b.score - a.score);
  let score = 0;
  for (const source of sources) score = combine === 'max' ? Math.max(score, source.score) : score + source.score;
  score = Math.min(1, score);
  const { review, block } = thresholds;
  let action: Action = 'allow';
  let threshold = review ?? block ?? 1;
  if (review !== undefined && score >= review) action = 'review';
  if (block !== undefined && score >= block) {
    action = 'block';
    threshold = block;
  }
  return {
    name: category.name,
    score: round(score),
    threshold,
    action,
    labels: sources.slice(0, MAX_LABELS_PER_CATEGORY).map((source) => ({ ...source, score: round(source.score) })),
  };
}

function findOverride(
  category: string,
  allowances: readonly CompiledAllowance[],
  hashes: ReadonlySet<string>,
  image: ImageScores,
  sources: readonly LabelSource[],
): string | null {
  if (hashes.has(image.sha256)) return `sha256:${image.sha256}`;
  for (const { indexes, threshold, categories } of allowances) {
    if (categories !== null && !categories.has(category)) continue;
    const index = indexes.find((each) => image.scores[each]! >= threshold);
    if (index !== undefined) return sources[index]!.label;
  }
  return null;
}

/** base64 of little-endian float32 -> a vector of length 1. */
function unitVector(base64: string): Float32Array {
  const binary = atob(base64);
  const view = new DataView(new ArrayBuffer(binary.length));
  for (let index = 0; index < binary.length; index++) view.setUint8(index, binary.charCodeAt(index));
  const vector = new Float32Array(binary.length >> 2);
  let squares = 0;
  for (let index = 0; index < vector.length; index++) {
    const value = view.getFloat32(index * 4, true);
    vector[index] = value;
    squares += value * value;
  }
  const norm = Math.sqrt(squares);
  if (norm > 0) for (let index = 0; index < vector.length; index++) vector[index]! /= norm;
  return vector;
}

/** Cosine of an embedding and a unit vector, 0 where negative or where the embedding is zero. */
function cosine(embedding: Float32Array, unit: Float32Array): number {
  let dot = 0;
  let squares = 0;
  for (let index = 0; index < embedding.length; index++) {
    dot += embedding[index]! * unit[index]!;
    squares += embedding[index]! * embedding[index]!;
  }
  return squares === 0 ? 0 : Math.max(0, Math.min(1, dot / Math.sqrt(squares)));
}

/** Six decimals: more is noise of float32, and longer on the wire. */
function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
