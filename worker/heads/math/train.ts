/**
 * Embeddings and labels -> a head and its report. Deterministic: the same examples in the same order give the same bytes. Pure: no
 * I/O, no clock.
 */
import { HeadError } from '../../errors.ts';
import { duplicatesAcrossClasses } from './duplicates.ts';
import { FEATURE_KINDS, type FeatureKind, fitFeatures, transformRows } from './features.ts';
import type { Fitted } from './fit.ts';
import type { Rows } from './gram.ts';
import type { HeadModel } from './head-model.ts';
import { learningCurve } from './learning-curve.ts';
import type { LinearAlgebra } from './linear-algebra.ts';
import { fitLogistic } from './logistic.ts';
import { fitNearestMean } from './nearest-mean.ts';
import { fitNovelty } from './novelty.ts';
import { type HeadReport, makeReport } from './report.ts';
import { fitRidge } from './ridge.ts';
import { classCounts, exampleWeights, type Targets } from './targets.ts';
import { fitTemperature } from './temperature.ts';

export { FEATURE_KINDS };

/** `auto`: ridge, or the nearest class mean where no class has two examples. */
export const METHODS = ['auto', 'ridge', 'logistic', 'nearest_mean'] as const;
export type Method = (typeof METHODS)[number];

/** How a head is trained. */
export interface TrainingOptions {
  readonly method: Method;
  readonly features: FeatureKind;
  /** Of ridge; null: chosen. */
  readonly lambda: number | null;
  /** Of logistic regression; null: chosen. */
  readonly c: number | null;
  /** True: classes count the same however many examples each has. */
  readonly balanced: boolean;
  /** The share of known pictures that may be called `unknown`; null: none is. */
  readonly unknownRate: number | null;
}

/** What a head is trained where nothing else is asked. */
export const DEFAULT_TRAINING: TrainingOptions = {
  method: 'auto',
  features: 'l2',
  lambda: null,
  c: null,
  balanced: true,
  unknownRate: null,
};

/** The examples, and what they are called. */
export interface TrainingSet {
  /** Pooled outputs of the backbone, as it gave them. */
  readonly rows: Rows;
  readonly targets: Targets;
  /** Of the classes. */
  readonly labels: readonly string[];
  /** Of the examples, for the report. */
  readonly exampleIds: readonly string[];
}

/**
 * Trains a head.
 * @throws HeadError `head_untrainable` where there are fewer than two classes with examples, a class has none, or a number is not
 * finite, or of the head's own would not be.
 */
export function trainHead(
  set: TrainingSet,
  options: TrainingOptions,
  algebra: LinearAlgebra,
): { head: HeadModel; report: HeadReport } {
  const { targets, labels } = set;
  checkTrainable(set);
  const features = fitFeatures(options.features, set.rows);
  const rows = transformRows(features, set.rows);
  const method = resolveMethod(options.method, targets);
  const fitted = fitBy(method, rows, targets, options, algebra);
  const temperature = fitTemperature(fitted.validation.scores, targets);
  const novelty = options.unknownRate === null ? null : fitNovelty(rows, targets, options.unknownRate, algebra);
  const report = makeReport({
    labels,
    exampleIds: set.exampleIds,
    dimensions: rows.dimensions,
    method,
    features: options.features,
    targets,
    fitted,
    temperature,
    novelty,
    duplicates: duplicatesAcrossClasses(rows, targets),
    learningCurve: learningCurve(rows, targets, method === 'nearest_mean' ? 'nearest_mean' : 'ridge', algebra),
  });
  const head: HeadModel = {
    classes: labels,
    dimensions: rows.dimensions,
    multiLabel: targets.multiLabel,
    features,
    weight: Float32Array.from(fitted.fit.weight, (value) => value / temperature),
    bias: Float32Array.from(fitted.fit.bias, (value) => value / temperature),
    unknown: novelty === null ? null : { means: novelty.means, threshold: novelty.threshold, slope: novelty.slope },
  };
  checkFinite(head);
  return { head, report };
}

/** Features may be finite and too large to work with. */
function checkFinite({ weight, bias, features }: HeadModel): void {
  const numbers = [weight, bias, features.mean ?? bias, features.deviation ?? bias];
  if (numbers.every((values) => values.every(Number.isFinite))) return;
  throw untrainable('the embeddings are so large that the head is not of finite numbers', {});
}

function resolveMethod(method: Method, targets: Targets): Exclude<Method, 'auto'> {
  if (method !== 'auto') return method;
  return !targets.multiLabel && Math.max(...classCounts(targets)) < 2 ? 'nearest_mean' : 'ridge';
}

function fitBy(
  method: Exclude<Method, 'auto'>,
  rows: Rows,
  targets: Targets,
  options: TrainingOptions,
  algebra: LinearAlgebra,
): Fitted {
  if (method === 'nearest_mean') return fitNearestMean(rows, targets, algebra);
  const weights = exampleWeights(targets, options.balanced);
  if (method === 'logistic') return fitLogistic(rows, targets, weights, options.c, algebra);
  return fitRidge(rows, targets, weights, options.lambda, algebra);
}

function checkTrainable({ rows, targets, labels, exampleIds }: TrainingSet): void {
  const empty = [...classCounts(targets)].indexOf(0);
  if (labels.length < (targets.multiLabel ? 1 : 2)) {
    throw untrainable(`the head has ${labels.length} classes with examples; it needs 2`, { classes: labels.length });
  }
  if (empty >= 0) throw untrainable(`class "${labels[empty]!.slice(0, 80)}" has no example`, { class: labels[empty]! });
  const bad = rows.data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    const example = exampleIds[Math.floor(bad / rows.dimensions)]!;
    throw untrainable(`the embedding of ${example} has a value that is not finite`, { example });
  }
}

function untrainable(message: string, details: Readonly<Record<string, string | number>>): HeadError {
  return new HeadError('head_untrainable', message, { details });
}
