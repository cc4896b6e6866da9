/** What two versions say of the same pictures. Pure. */
import type { Classification } from '../../../../client/index.ts';

type Predictions = Classification['predictions'];

/** Two answers to one picture. */
export interface Difference {
  readonly sameBest: boolean;
  /** Of the labels that both name: the largest change of a score, from the first to the second; null where they share none. */
  readonly largest: { readonly label: string; readonly change: number } | null;
  /** Labels that only one of them names. */
  readonly onlyFirst: readonly string[];
  readonly onlySecond: readonly string[];
}

/** Compares two lists of labels. */
export function compareAnswers(first: Predictions, second: Predictions): Difference {
  const scores = new Map(first.map(({ label, score }) => [label, score]));
  const changes = second.flatMap(({ label, score }) => {
    const before = scores.get(label);
    return before === undefined ? [] : [{ label, change: score - before }];
  });
  const largest = changes.sort((a, b) => Math.abs(b.change) - Math.abs(a.change))[0] ?? null;
  const labels = (list: Predictions): string[] => list.map(({ label }) => label);
  return {
    sameBest: first[0]?.label === second[0]?.label,
    largest,
    onlyFirst: labels(first).filter((label) => !labels(second).includes(label)),
    onlySecond: labels(second).filter((label) => !scores.has(label)),
  };
}

/** Of several pictures. */
export interface Agreement {
  readonly pictures: number;
  readonly sameBest: number;
  /** Mean of the pictures' largest changes, in shares of one. */
  readonly meanLargest: number;
}

/** Sums up comparisons; null where there is none. */
export function summarize(differences: readonly Difference[]): Agreement | null {
  if (differences.length === 0) return null;
  const total = differences.reduce((sum, { largest }) => sum + Math.abs(largest?.change ?? 0), 0);
  return {
    pictures: differences.length,
    sameBest: differences.filter(({ sameBest }) => sameBest).length,
    meanLargest: total / differences.length,
  };
}
