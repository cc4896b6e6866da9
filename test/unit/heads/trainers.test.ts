/** The trainers against scikit-learn, on embeddings of the default model, and against leaving out one example after the other. */
import { describe, expect, it } from 'vitest';
import { compileHeadAlgebra } from '../../../scripts/cli/heads/head-algebra.ts';
import type { LinearFit } from '../../../worker/heads/math/fit.ts';
import type { Rows } from '../../../worker/heads/math/gram.ts';
import { fitLogistic } from '../../../worker/heads/math/logistic.ts';
import { fitNearestMean } from '../../../worker/heads/math/nearest-mean.ts';
import { fitRidge } from '../../../worker/heads/math/ridge.ts';
import {
  argmax,
  exampleWeights,
  labelOf,
  singleLabelTargets,
  type Targets,
} from '../../../worker/heads/math/targets.ts';
import { agreement, firstRows, readGoldenSet, scoreRow } from './goldens.ts';

const algebra = await compileHeadAlgebra();
const SETS = ['dual', 'primal'] as const;
const PARITY = 0.995;

function predict(fit: LinearFit, { data, count, dimensions }: Rows): number[] {
  const scores = new Float64Array(fit.classes);
  return Array.from({ length: count }, (_, i) => {
    scoreRow(fit, data, i * dimensions, scores, 0);
    return argmax(scores, 0, fit.classes);
  });
}

const equalWeights = (targets: Targets): Float64Array => exampleWeights(targets, false);

describe.each(SETS)('ridge, %s form', (name) => {
  it('chooses the lambda of RidgeClassifierCV and predicts as it does', async () => {
    const { golden, all, train, targets } = await readGoldenSet(name);
    const { fit, regularization } = fitRidge(train, targets, equalWeights(targets), null, algebra);
    expect(regularization!.value / golden.ridge.lambda).toBeCloseTo(1, 5);
    expect(agreement(predict(fit, all), golden.ridge.predictions)).toBeGreaterThanOrEqual(PARITY);
  });

  it('predicts as RidgeClassifier does with balanced classes of unequal size', async () => {
    const { golden, all, train, targets } = await readGoldenSet(name);
    const rows = firstRows(train, train.count - 3);
    const labels = Array.from({ length: rows.count }, (_, i) => labelOf(targets, i));
    const fewer = singleLabelTargets(labels, golden.classes);
    const { fit } = fitRidge(rows, fewer, exampleWeights(fewer, true), golden.ridge.lambda, algebra);
    expect(agreement(predict(fit, all), golden.balanced.predictions)).toBeGreaterThanOrEqual(PARITY);
  });

  it("gives the scores of scikit-learn's Ridge fitted without the example", async () => {
    const { golden, train, targets } = await readGoldenSet(name);
    const { validation } = fitRidge(train, targets, equalWeights(targets), golden.ridge.lambda, algebra);
    for (const [i, scores] of golden.left_out.entries()) {
      for (const [k, score] of scores.entries()) {
        expect(Math.abs(validation.scores[i * golden.classes + k]! - score)).toBeLessThan(1e-9);
      }
    }
  });
});

describe('leave-one-out scores', () => {
  it.each([
    ['fewer examples than dimensions', 24, 40],
    ['more examples than dimensions', 60, 20],
  ])('equal those of models fitted without each example: %s', (_, count, dimensions) => {
    const { rows, labels } = clusters(count, dimensions, 4);
    const targets = singleLabelTargets(labels, 4);
    const weights = exampleWeights(targets, true);
    const { validation, regularization } = fitRidge(rows, targets, weights, null, algebra);
    const scores = new Float64Array(4);
    for (let left = 0; left < count; left++) {
      const kept = labels.flatMap((_label, i) => (i === left ? [] : [i]));
      const without = singleLabelTargets(
        kept.map((i) => labels[i]!),
        4,
      );
      const own = Float64Array.from(kept, (i) => weights[i]!);
      scoreRow(
        fitRidge(pick(rows, kept), without, own, regularization!.value, algebra).fit,
        rows.data,
        left * dimensions,
        scores,
        0,
      );
      for (let k = 0; k < 4; k++) expect(Math.abs(scores[k]! - validation.scores[left * 4 + k]!)).toBeLessThan(1e-9);
    }
  });

  it('of the nearest mean equal those of means without each example', () => {
    const { rows, labels } = clusters(12, 8, 3);
    const { validation } = fitNearestMean(rows, singleLabelTargets(labels, 3), algebra);
    const scores = new Float64Array(3);
    for (let left = 0; left < 12; left++) {
      const kept = labels.flatMap((_label, i) => (i === left ? [] : [i]));
      const without = singleLabelTargets(
        kept.map((i) => labels[i]!),
        3,
      );
      scoreRow(fitNearestMean(pick(rows, kept), without, algebra).fit, rows.data, left * 8, scores, 0);
      for (let k = 0; k < 3; k++) expect(scores[k]).toBeCloseTo(validation.scores[left * 3 + k]!, 9);
    }
  });
});

describe.each(SETS)('logistic regression, %s set', (name) => {
  it('predicts as LogisticRegression does, with its probabilities', async () => {
    const { golden, all, train, targets } = await readGoldenSet(name);
    for (const [c, expected] of Object.entries(golden.logistic)) {
      const { fit } = fitLogistic(train, targets, equalWeights(targets), Number(c), algebra);
      expect(agreement(predict(fit, all), expected.predictions)).toBeGreaterThanOrEqual(PARITY);
      const scores = new Float64Array(fit.classes);
      for (const [i, probabilities] of expected.probabilities.entries()) {
        scoreRow(fit, all.data, i * all.dimensions, scores, 0);
        const total = scores.reduce((sum, score) => sum + Math.exp(score), 0);
        for (const [k, p] of probabilities.entries()) expect(Math.exp(scores[k]!) / total).toBeCloseTo(p, 4);
      }
    }
  }, 60_000);
});

it.each(SETS)('the nearest mean predicts as NearestCentroid does: %s set', async (name) => {
  const { golden, all, train, targets } = await readGoldenSet(name);
  const { fit } = fitNearestMean(train, targets, algebra);
  expect(agreement(predict(fit, all), golden.nearest_mean.predictions)).toBeGreaterThanOrEqual(PARITY);
});

/** Noise about one corner a class. */
function clusters(count: number, dimensions: number, classes: number): { rows: Rows; labels: number[] } {
  let state = 7;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  const labels = Array.from({ length: count }, (_, i) => (i % 7) % classes);
  const data = Float32Array.from({ length: count * dimensions }, (_, at) => {
    return random() + (at % dimensions === labels[Math.floor(at / dimensions)] ? 0.8 : 0);
  });
  return { rows: { data, count, dimensions }, labels };
}

function pick({ data, dimensions }: Rows, indexes: readonly number[]): Rows {
  const chosen = new Float32Array(indexes.length * dimensions);
  for (const [row, i] of indexes.entries()) {
    chosen.set(data.subarray(i * dimensions, (i + 1) * dimensions), row * dimensions);
  }
  return { data: chosen, count: indexes.length, dimensions };
}
