/** Accuracy by the number of examples a class: whether more pictures would help. Pure, deterministic. */
import type { LinearFit } from './fit.ts';
import type { Rows } from './gram.ts';
import type { LinearAlgebra } from './linear-algebra.ts';
import { fitNearestMean } from './nearest-mean.ts';
import { productsWithRows } from './products.ts';
import { permutation, seededRandom } from './random.ts';
import { fitRidge } from './ridge.ts';
import { argmax, classCounts, exampleWeights, labelOf, singleLabelTargets, type Targets } from './targets.ts';

/** Examples a class that are tried, where there are more. */
const SIZES = [1, 2, 5, 10, 20, 50];

/** Examples that are trained on at most: what a point costs grows with their cube. */
const MAX_TRAINED = 400;

/** Examples that a point is tested on at most. */
const MAX_TESTED = 500;

/** Draws that a point is the mean of. */
const DRAWS = 5;
const DRAWS_OF_MANY = 2;
const MANY = 150;

/** Tested on examples that were not drawn. */
export interface LearningCurve {
  readonly method: 'ridge' | 'nearest_mean';
  readonly points: readonly {
    readonly examples_per_class: number;
    readonly accuracy: number;
    readonly draws: number;
    readonly tested: number;
  }[];
}

/** Draws examples of every class, trains on them and tests on others. Null where an example may have several labels. */
export function learningCurve(
  rows: Rows,
  targets: Targets,
  method: LearningCurve['method'],
  algebra: LinearAlgebra,
): LearningCurve | null {
  if (targets.multiLabel) return null;
  const { classes, count } = targets;
  const counts = classCounts(targets);
  const labels = Int32Array.from({ length: count }, (_, i) => labelOf(targets, i));
  const smallest = Math.min(...counts);
  const random = seededRandom(0x9e3779b9);
  const points: LearningCurve['points'][number][] = [];
  for (const size of SIZES) {
    if (size >= smallest || size * classes > MAX_TRAINED) break;
    const draws = size * classes > MANY ? DRAWS_OF_MANY : DRAWS;
    let hits = 0;
    let tested = 0;
    for (let draw = 0; draw < draws; draw++) {
      const taken = new Int32Array(classes);
      const train: number[] = [];
      const test: number[] = [];
      for (const i of permutation(count, random)) {
        if (taken[labels[i]!]! < size) {
          taken[labels[i]!]!++;
          train.push(i);
        } else if (test.length < MAX_TESTED) test.push(i);
      }
      hits += countHits(rows, labels, classes, train, test, method, algebra);
      tested += test.length;
    }
    points.push({
      examples_per_class: size,
      accuracy: Math.round((1e6 * hits) / tested) / 1e6,
      draws,
      tested,
    });
  }
  return { method, points };
}

function countHits(
  rows: Rows,
  labels: Int32Array,
  classes: number,
  train: readonly number[],
  test: readonly number[],
  method: LearningCurve['method'],
  algebra: LinearAlgebra,
): number {
  const chosen = pick(rows, train);
  const targets = singleLabelTargets(
    train.map((i) => labels[i]!),
    classes,
  );
  const isSingle = train.length === classes;
  const { weight, bias }: LinearFit =
    method === 'ridge' && !isSingle
      ? fitRidge(chosen, targets, exampleWeights(targets, true), null, algebra).fit
      : fitNearestMean(chosen, targets, algebra).fit;
  let hits = 0;
  productsWithRows(pick(rows, test), weight, algebra, (products, start, size) => {
    for (let r = 0; r < size; r++) {
      for (let k = 0; k < classes; k++) products[r * classes + k]! += bias[k]!;
      if (argmax(products, r * classes, classes) === labels[test[start + r]!]) hits++;
    }
  });
  return hits;
}

/** Some of the rows. */
function pick({ data, dimensions }: Rows, indexes: readonly number[]): Rows {
  const picked = new Float32Array(indexes.length * dimensions);
  for (const [row, i] of indexes.entries()) {
    picked.set(data.subarray(i * dimensions, (i + 1) * dimensions), row * dimensions);
  }
  return { data: picked, count: indexes.length, dimensions };
}
