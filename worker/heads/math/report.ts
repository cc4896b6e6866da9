/** The honest report of a head: what is to be expected of pictures that it has not seen, and what to look at. JSON-safe. Pure. */

import type { DuplicatePair } from './duplicates.ts';
import type { Fitted } from './fit.ts';
import type { LearningCurve } from './learning-curve.ts';
import type { Novelty } from './novelty.ts';
import { type Calibration, calibrationOf } from './reliability.ts';
import { argmax, classCounts, labelOf, type Targets } from './targets.ts';

/** Examples that are shown as possibly mislabelled at most. */
const MAX_SUSPECTS = 20;

/** Pairs that are shown at most. */
const MAX_DUPLICATES = 50;

/** A share with its 95 % confidence interval: Wilson, "Probable Inference", 1927. */
export interface Share {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
  readonly of: number;
}

export interface HeadReport {
  readonly examples: number;
  readonly dimensions: number;
  readonly method: string;
  readonly features: string;
  readonly multi_label: boolean;
  readonly regularization: {
    readonly name: string;
    readonly value: number;
    readonly tried: readonly TriedValue[];
  } | null;
  /** How the estimate was made; `estimated`: examples that count in it. */
  readonly validation: {
    readonly kind: 'leave_one_out' | 'k_fold';
    readonly folds: number;
    readonly estimated: number;
  };
  /** Examples whose labels are all predicted right when they are left out; null where none could be left out. */
  readonly accuracy: Share | null;
  readonly classes: readonly ClassReport[];
  /** What was predicted for what, where any was; null where an example may have several labels. */
  readonly confusion: readonly { readonly label: string; readonly predicted: string; readonly count: number }[] | null;
  readonly suspects: readonly Suspect[];
  readonly duplicates: readonly {
    readonly examples: readonly [string, string];
    readonly labels: readonly [string, string];
    readonly cosine: number;
  }[];
  readonly calibration: Calibration | null;
  readonly learning_curve: LearningCurve | null;
  readonly unknown: {
    readonly target_rate: number;
    readonly rate: number;
    readonly threshold: number;
    readonly examples: number;
  } | null;
}

interface TriedValue {
  readonly value: number;
  readonly error: number;
}

/** One class, each of its examples left out in turn. */
export interface ClassReport {
  readonly label: string;
  readonly examples: number;
  /** Null where nothing was predicted as it. */
  readonly precision: number | null;
  /** Null where none of its examples could be estimated. */
  readonly recall: number | null;
  readonly f1: number | null;
}

/** An example that the others speak against. */
export interface Suspect {
  readonly example: string;
  readonly label: string;
  readonly predicted: string;
  /** -log of the probability of its label. */
  readonly loss: number;
}

/** What a report is made of. */
export interface ReportInput {
  readonly labels: readonly string[];
  readonly exampleIds: readonly string[];
  readonly dimensions: number;
  readonly method: string;
  readonly features: string;
  readonly targets: Targets;
  readonly fitted: Fitted;
  readonly temperature: number;
  readonly novelty: Novelty | null;
  readonly duplicates: readonly DuplicatePair[];
  readonly learningCurve: LearningCurve | null;
}

/** Writes a report. */
export function makeReport(input: ReportInput): HeadReport {
  const { labels, exampleIds, targets, fitted, novelty } = input;
  const { scores } = fitted.validation;
  const { classes, count, membership, multiLabel } = targets;
  const predicted = new Uint8Array(count * classes);
  const estimated: number[] = [];
  let correct = 0;
  for (let i = 0; i < count; i++) {
    const at = i * classes;
    if (Number.isNaN(scores[at])) continue;
    estimated.push(i);
    if (multiLabel) for (let k = 0; k < classes; k++) predicted[at + k] = scores[at + k]! > 0 ? 1 : 0;
    else predicted[at + argmax(scores, at, classes)] = 1;
    let right = true;
    for (let k = 0; k < classes; k++) right &&= predicted[at + k] === membership[at + k];
    if (right) correct++;
  }
  const probabilities = calibrationOf(scores, targets, input.temperature);
  return {
    examples: count,
    dimensions: input.dimensions,
    method: input.method,
    features: input.features,
    multi_label: multiLabel,
    regularization: fitted.regularization,
    validation: { kind: fitted.validation.kind, folds: fitted.validation.folds, estimated: estimated.length },
    accuracy: estimated.length === 0 ? null : wilson(correct, estimated.length),
    classes: classReports(labels, targets, predicted, estimated),
    confusion: multiLabel ? null : confusion(labels, targets, predicted, estimated),
    suspects: suspects(input, predicted, estimated, probabilities.losses),
    duplicates: input.duplicates.slice(0, MAX_DUPLICATES).map(({ first, second, cosine }) => ({
      examples: [exampleIds[first]!, exampleIds[second]!],
      labels: [labelsOf(input, first), labelsOf(input, second)],
      cosine: round(cosine),
    })),
    calibration: probabilities.calibration,
    learning_curve: input.learningCurve,
    unknown:
      novelty === null
        ? null
        : {
            target_rate: novelty.targetRate,
            rate: round(novelty.rate),
            threshold: round(novelty.threshold),
            examples: novelty.examples,
          },
  };
}

/** The 95 % Wilson interval of `count` of `of`. */
export function wilson(count: number, of: number): Share {
  const z = 1.959963984540054;
  const p = count / of;
  const middle = (p + (z * z) / (2 * of)) / (1 + (z * z) / of);
  const half = (z / (1 + (z * z) / of)) * Math.sqrt((p * (1 - p)) / of + (z * z) / (4 * of * of));
  return {
    value: round(p),
    low: round(Math.max(0, middle - half)),
    high: round(Math.min(1, middle + half)),
    count,
    of,
  };
}

function classReports(
  labels: readonly string[],
  targets: Targets,
  predicted: Uint8Array,
  estimated: readonly number[],
): ClassReport[] {
  const { classes, membership } = targets;
  const counts = classCounts(targets);
  return labels.map((label, k) => {
    let hits = 0;
    let claimed = 0;
    let actual = 0;
    for (const i of estimated) {
      const is = membership[i * classes + k]!;
      const says = predicted[i * classes + k]!;
      hits += is & says;
      claimed += says;
      actual += is;
    }
    const precision = claimed === 0 ? null : round(hits / claimed);
    const recall = actual === 0 ? null : round(hits / actual);
    const f1 = actual === 0 ? null : round((2 * hits) / (claimed + actual));
    return { label, examples: counts[k]!, precision, recall, f1 };
  });
}

function confusion(
  labels: readonly string[],
  targets: Targets,
  predicted: Uint8Array,
  estimated: readonly number[],
): { label: string; predicted: string; count: number }[] {
  const { classes } = targets;
  const cells = new Map<number, number>();
  for (const i of estimated) {
    const cell = labelOf(targets, i) * classes + argmax(predicted, i * classes, classes);
    cells.set(cell, (cells.get(cell) ?? 0) + 1);
  }
  return [...cells]
    .sort(([a], [b]) => a - b)
    .map(([cell, count]) => ({
      label: labels[Math.floor(cell / classes)]!,
      predicted: labels[cell % classes]!,
      count,
    }));
}

function suspects(
  input: ReportInput,
  predicted: Uint8Array,
  estimated: readonly number[],
  losses: Float64Array,
): Suspect[] {
  const { classes, membership } = input.targets;
  const wrong = estimated.filter((i) => {
    for (let k = 0; k < classes; k++) {
      if (predicted[i * classes + k] !== membership[i * classes + k]) return true;
    }
    return false;
  });
  return wrong
    .sort((a, b) => losses[b]! - losses[a]! || a - b)
    .slice(0, MAX_SUSPECTS)
    .map((i) => ({
      example: input.exampleIds[i]!,
      label: labelsOf(input, i),
      predicted: joined(input.labels, predicted, i * classes),
      loss: round(losses[i]!),
    }));
}

function labelsOf({ labels, targets }: ReportInput, i: number): string {
  return joined(labels, targets.membership, i * targets.classes);
}

function joined(labels: readonly string[], membership: Uint8Array, at: number): string {
  return labels.filter((_, k) => membership[at + k] === 1).join(', ');
}

/** Six decimals: more is noise. */
export function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
