/** Labelled images under a policy that is being changed: scores are asked for once, verdicts are worked out here. Pure. */
import type { CategoryMetrics } from '../../../../scripts/cli/policy/metrics.ts';
import { measureCategory } from '../../../../scripts/cli/policy/metrics.ts';
import { compilePolicy, type Evaluation } from '../../../../worker/moderation/policy/evaluate.ts';
import { namedHeadLabels } from '../../../../worker/moderation/policy/label-sources.ts';
import type { Action, Policy } from '../../../../worker/moderation/policy/schema.ts';

/** The folder of images that no category should catch. */
const NONE = 'none';

/** An image and what the network said about it. */
export interface TrialImage {
  readonly name: string;
  /** Category that it belongs to; null: none. */
  readonly expected: string | null;
  /** Of every label, after the policy's activation, by the label's index. */
  readonly scores: Float32Array;
  /** Of the policy's heads: by head, then by label. */
  readonly headScores: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly embedding: Float32Array | null;
  readonly sha256: string;
}

/** What a policy makes of the images. */
export interface TrialResult {
  readonly evaluations: readonly Evaluation[];
  readonly counts: Readonly<Record<Action, number>>;
  readonly metrics: readonly CategoryMetrics[];
}

/**
 * The category that a file's folder names: what is between the chosen folder and the file.
 * @param path `chosen/weapons/1.jpg`, as a browser gives it; a file without a folder has none.
 */
export function expectedOf(path: string, categories: readonly string[]): string | null {
  const parts = path.split('/').slice(0, -1);
  for (let from = 0; from < parts.length; from++) {
    const name = parts.slice(from).join('/');
    if (name === NONE) return null;
    if (categories.includes(name)) return name;
  }
  return null;
}

/**
 * Judges every image with the worker's own code.
 * @throws ModerationError `invalid_policy` where the model has no such label.
 */
export function tryPolicy(policy: Policy, labels: readonly string[], images: readonly TrialImage[]): TrialResult {
  const heads = namedHeadLabels(policy);
  const compiled = compilePolicy(policy, labels, heads);
  const evaluations = images.map((image) => {
    const ofHeads = heads.flatMap(({ name, labels: own }) =>
      own.map((label) => image.headScores.get(name)?.get(label) ?? 0),
    );
    return compiled.evaluate({ ...image, scores: [...image.scores, ...ofHeads] });
  });
  const counts = { allow: 0, review: 0, block: 0 };
  for (const { verdict } of evaluations) counts[verdict]++;
  const judged = images.map(({ name, expected }, index) => ({
    file: name,
    expected: new Set(expected === null ? [] : [expected]),
    evaluation: evaluations[index]!,
  }));
  return { evaluations, counts, metrics: policy.categories.map(({ name }) => measureCategory(name, judged)) };
}

/** The policy with another threshold of a category; the other one is moved out of the way, so that review stays below block. */
export function withThreshold(policy: Policy, category: string, action: 'review' | 'block', value: number): Policy {
  const categories = policy.categories.map((each) => {
    if (each.name !== category) return each;
    const before = each.thresholds ?? policy.defaults.thresholds ?? {};
    const thresholds = { ...before, [action]: value };
    const { review, block } = thresholds;
    if (review !== undefined && block !== undefined && review >= block) {
      if (action === 'review') thresholds.block = Math.min(1, value + STEP);
      else thresholds.review = Math.max(STEP, value - STEP);
    }
    return { ...each, thresholds };
  });
  return { ...policy, categories };
}

/** Smallest change of a threshold. */
export const STEP = 0.005;
