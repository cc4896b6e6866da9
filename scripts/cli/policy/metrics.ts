/** Precision and recall of a policy's categories over labelled images. Pure. */
import type { Evaluation } from '../../../worker/moderation/policy/evaluate.ts';

/** One image: what a person says, and what the policy says. */
export interface JudgedImage {
  readonly file: string;
  /** Names of the categories that the image belongs to. */
  readonly expected: ReadonlySet<string>;
  readonly evaluation: Evaluation;
}

/** Precision and recall where everything with at least this score is caught. */
export interface CurvePoint {
  readonly threshold: number;
  /** Null where nothing is caught. */
  readonly precision: number | null;
  readonly recall: number;
}

/** How well a category finds its images, at the threshold of its mildest action. */
export interface CategoryMetrics {
  readonly name: string;
  /** Images that belong to it. */
  readonly positives: number;
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  /** Null where it caught nothing. */
  readonly precision: number | null;
  /** Null where no image belongs to it. */
  readonly recall: number | null;
  /** By falling threshold; empty where no image belongs to it. */
  readonly curve: readonly CurvePoint[];
}

/** Measures one category. An image that the allow list spoke for counts as not caught. */
export function measureCategory(name: string, images: readonly JudgedImage[]): CategoryMetrics {
  const rows = images.map(({ expected, evaluation }) => {
    const result = evaluation.categories.find((category) => category.name === name)!;
    const isOverridden = result.overridden_by !== undefined;
    return { expected: expected.has(name), caught: result.action !== 'allow', score: isOverridden ? 0 : result.score };
  });
  const count = (expected: boolean, caught: boolean) =>
    rows.filter((row) => row.expected === expected && row.caught === caught).length;
  const truePositives = count(true, true);
  const falsePositives = count(false, true);
  const falseNegatives = count(true, false);
  const positives = truePositives + falseNegatives;
  return {
    name,
    positives,
    truePositives,
    falsePositives,
    falseNegatives,
    precision: truePositives + falsePositives === 0 ? null : truePositives / (truePositives + falsePositives),
    recall: positives === 0 ? null : truePositives / positives,
    curve: positives === 0 ? [] : curveOf(rows, positives),
  };
}

/** One point for every distinct score above 0, highest first. */
function curveOf(rows: readonly { expected: boolean; score: number }[], positives: number): CurvePoint[] {
  const sorted = rows.filter(({ score }) => score > 0).sort((a, b) => b.score - a.score);
  const points: CurvePoint[] = [];
  let caught = 0;
  let right = 0;
  for (const [index, row] of sorted.entries()) {
    caught++;
    if (row.expected) right++;
    if (sorted[index + 1]?.score === row.score) continue;
    points.push({ threshold: row.score, precision: right / caught, recall: right / positives });
  }
  return points;
}
