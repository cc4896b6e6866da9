/** Heads and their reports: what they promise, and what a hostile set gets. */
import { describe, expect, it } from 'vitest';
import { compileHeadAlgebra } from '../../../scripts/cli/heads/head-algebra.ts';
import type { Rows } from '../../../worker/heads/math/gram.ts';
import { applyHead, headLabels } from '../../../worker/heads/math/head-model.ts';
import { argmax, singleLabelTargets, type Targets } from '../../../worker/heads/math/targets.ts';
import { DEFAULT_TRAINING, type TrainingOptions, trainHead } from '../../../worker/heads/math/train.ts';
import { firstRows, readGoldenSet } from './goldens.ts';

const algebra = await compileHeadAlgebra();
const { golden, raw, targets } = await readGoldenSet('dual');
const train = firstRows(raw, golden.train);
const names = Array.from({ length: golden.classes }, (_, k) => `class ${k}`);

function trained(options: Partial<TrainingOptions> = {}, rows: Rows = train, of: Targets = targets, labels = names) {
  const exampleIds = Array.from({ length: rows.count }, (_, i) => `ex_${i}`);
  return trainHead({ rows, targets: of, labels, exampleIds }, { ...DEFAULT_TRAINING, ...options }, algebra);
}

function pick(indexes: readonly number[]): Rows {
  const data = new Float32Array(indexes.length * raw.dimensions);
  for (const [row, i] of indexes.entries()) {
    data.set(raw.data.subarray(i * raw.dimensions, (i + 1) * raw.dimensions), row * raw.dimensions);
  }
  return { data, count: indexes.length, dimensions: raw.dimensions };
}

describe('a head', () => {
  it('is the same bytes when it is trained again', () => {
    const options = { unknownRate: 0.05 };
    expect(trained(options)).toEqual(trained(options));
  });

  it.each(['ridge', 'logistic', 'nearest_mean'] as const)('tells pictures apart that it has not seen: %s', (method) => {
    const { head } = trained({ method });
    let hits = 0;
    for (let i = golden.train; i < raw.count; i++) {
      const logits = applyHead(head, raw.data.subarray(i * raw.dimensions, (i + 1) * raw.dimensions));
      if (argmax(logits, 0, head.classes.length) === golden.labels[i]) hits++;
    }
    // 20 classes: chance is 1 of 20.
    expect(hits).toBeGreaterThanOrEqual(10);
  });

  it('calls unknown no more of its examples than it says, and most of what is like none of them', () => {
    const known = Array.from({ length: golden.train }, (_, i) => i).filter((i) => golden.labels[i]! < 10);
    const strange = Array.from({ length: golden.train }, (_, i) => i).filter((i) => golden.labels[i]! >= 10);
    const of = singleLabelTargets(
      known.map((i) => golden.labels[i]!),
      10,
    );
    const { head, report } = trained({ unknownRate: 0.2 }, pick(known), of, names.slice(0, 10));
    expect(headLabels(head)).toEqual([...names.slice(0, 10), 'unknown']);
    expect(report.unknown!.rate).toBeLessThanOrEqual(0.2);
    const callsUnknown = (i: number): boolean => {
      const logits = applyHead(head, raw.data.subarray(i * raw.dimensions, (i + 1) * raw.dimensions));
      return argmax(logits, 0, 11) === 10;
    };
    const falseAlarms = known.filter(callsUnknown).length / known.length;
    const found = strange.filter(callsUnknown).length / strange.length;
    expect(falseAlarms).toBeLessThanOrEqual(0.2);
    expect(found).toBeGreaterThan(2 * falseAlarms);
  });

  it('with several labels a picture scores each by itself', () => {
    // Every picture has its class, and one of two more by its class's parity.
    const membership = new Uint8Array(golden.train * 22);
    for (let i = 0; i < golden.train; i++) {
      membership[i * 22 + golden.labels[i]!] = 1;
      membership[i * 22 + 20 + (golden.labels[i]! % 2)] = 1;
    }
    const several = { count: golden.train, classes: 22, multiLabel: true, membership };
    const { head, report } = trained({}, train, several, [...names, 'even', 'odd']);
    const logits = applyHead(head, train.data.subarray(0, raw.dimensions));
    expect(logits[20 + (golden.labels[0]! % 2)]).toBeGreaterThan(0);
    expect(report).toMatchObject({ multi_label: true, confusion: null });
    expect(report.classes.at(-1)!.recall).toBeGreaterThan(0.5);
  });
});

describe('the report', () => {
  it('counts what leaving out counts', () => {
    const { report } = trained();
    expect(report.accuracy!.of).toBe(golden.train);
    const cells = report.confusion!;
    expect(cells.reduce((sum, { count }) => sum + count, 0)).toBe(golden.train);
    const right = cells
      .filter(({ label, predicted }) => label === predicted)
      .reduce((sum, { count }) => sum + count, 0);
    expect(right).toBe(report.accuracy!.count);
    expect(report.accuracy!.low).toBeLessThan(report.accuracy!.value);
    expect(report.accuracy!.high).toBeGreaterThan(report.accuracy!.value);
    expect(report.classes[0]).toMatchObject({ label: 'class 0', examples: 5 });
    expect(report.calibration!.ece).toBeLessThan(0.2);
    const { points } = report.learning_curve!;
    expect(points.map((point) => point.examples_per_class)).toEqual([1, 2]);
    expect(points[1]!.accuracy).toBeGreaterThan(points[0]!.accuracy);
  });

  it('finds a picture whose label was swapped, and one that is in two classes', () => {
    // The first example's label is that of another class; and its copy is kept under its own.
    const indexes = [...Array(golden.train).keys(), 0];
    const labels = indexes.map((i) => golden.labels[i]!);
    labels[0] = (labels[0]! + 1) % golden.classes;
    const { report } = trained({}, pick(indexes), singleLabelTargets(labels, golden.classes));
    expect(report.suspects.map(({ example }) => example)).toContain('ex_0');
    expect(report.duplicates[0]).toMatchObject({ examples: ['ex_0', `ex_${golden.train}`], cosine: 1 });
  });

  it('estimates nothing from one example a class, and says so', () => {
    const firsts = names.map((_, k) => golden.labels.indexOf(k));
    const { head, report } = trained(
      {},
      pick(firsts),
      singleLabelTargets(
        firsts.map((i) => golden.labels[i]!),
        golden.classes,
      ),
    );
    expect(report).toMatchObject({ method: 'nearest_mean', accuracy: null, calibration: null });
    expect(report.validation.estimated).toBe(0);
    const logits = applyHead(head, train.data.subarray(0, raw.dimensions));
    expect([...logits].every(Number.isFinite)).toBe(true);
  });
});

describe('a hostile set', () => {
  it.each([
    ['one class', ['only'], [0, 0], 1],
    ['a class without examples', ['a', 'b', 'c'], [0, 1, 0], 1],
    ['NaN', ['a', 'b'], [0, 1], Number.NaN],
    ['infinity', ['a', 'b'], [0, 1], Number.POSITIVE_INFINITY],
  ])('is refused as untrainable: %s', (_, labels, of, value) => {
    const data = Float32Array.from({ length: 4 * of.length }, (_entry, i) => (i === 1 ? value : i));
    const rows = { data, count: of.length, dimensions: 4 };
    expect(() => trained({}, rows, singleLabelTargets(of, labels.length), labels)).toThrow(
      expect.objectContaining({ code: 'head_untrainable' }),
    );
  });

  it.each(['ridge', 'logistic', 'nearest_mean'] as const)('of identical pictures gives finite scores: %s', (method) => {
    for (const value of [0, 1, 1e-30, 1e30]) {
      const rows = { data: new Float32Array(6 * 4).fill(value), count: 6, dimensions: 4 };
      const of = singleLabelTargets([0, 1, 0, 1, 0, 1], 2);
      const { head, report } = trained({ method, unknownRate: 0.05 }, rows, of, ['a', 'b']);
      const logits = applyHead(head, rows.data.subarray(0, 4));
      expect([...logits].every(Number.isFinite), JSON.stringify([value, ...logits])).toBe(true);
      expect(JSON.stringify(report)).not.toContain('null,"low"');
    }
  });
});
