/** Limits of heads: one less and as many pass, one more is refused with the numbers. */
import { describe, expect, it } from 'vitest';
import { compileHeadAlgebra } from '../../../scripts/cli/heads/head-algebra.ts';
import {
  checkHeadLimit,
  HEAD_LIMITS,
  type HeadLimit,
  trainingBytes,
  trainingCost,
} from '../../../worker/heads/limits.ts';
import { seededRandom } from '../../../worker/heads/math/random.ts';
import { singleLabelTargets } from '../../../worker/heads/math/targets.ts';
import { DEFAULT_TRAINING, trainHead } from '../../../worker/heads/math/train.ts';

it.each(Object.keys(HEAD_LIMITS) as HeadLimit[])('%s', (limit) => {
  const most = HEAD_LIMITS[limit];
  expect(() => checkHeadLimit(limit, most - 1, 'it')).not.toThrow();
  expect(() => checkHeadLimit(limit, most, 'it')).not.toThrow();
  expect(() => checkHeadLimit(limit, most + 1, 'it')).toThrow(
    expect.objectContaining({
      code: 'head_limit_exceeded',
      details: { limit_name: limit, value: most + 1, limit: most },
    }),
  );
});

describe('what training takes', () => {
  it('is within the limits for 100 classes of 50 examples with 1024 dimensions', () => {
    expect(trainingCost('ridge', 5000, 1024, 100)).toBeLessThan(HEAD_LIMITS.multiplications);
    expect(trainingBytes('ridge', 5000, 1024, 100)).toBeLessThan(HEAD_LIMITS.trainingBytes);
  });

  it.each(['ridge', 'logistic', 'nearest_mean'] as const)('grows with everything: %s', (method) => {
    for (const measure of [trainingCost, trainingBytes]) {
      const small = measure(method, 100, 1024, 20);
      expect(measure(method, 200, 1024, 20)).toBeGreaterThan(small);
      expect(measure(method, 100, 2048, 20)).toBeGreaterThan(small);
      expect(measure(method, 100, 1024, 40)).toBeGreaterThan(small);
    }
  });
});

describe.each([
  ['more dimensions than examples', 150, 300],
  ['more examples than dimensions', 600, 128],
])('the estimate for %s', (_, count, dimensions) => {
  it.each(['ridge', 'nearest_mean'] as const)('covers what %s really takes', async (method) => {
    const algebra = await compileHeadAlgebra();
    const empty = algebra.bytes;
    const classes = 10;
    const random = seededRandom(3);
    const set = {
      rows: { data: Float32Array.from({ length: count * dimensions }, random), count, dimensions },
      targets: singleLabelTargets(
        Array.from({ length: count }, (_, i) => i % classes),
        classes,
      ),
      labels: Array.from({ length: classes }, (_, k) => `class ${k}`),
      exampleIds: Array.from({ length: count }, (_, i) => `ex_${i}`),
    };
    trainHead(set, { ...DEFAULT_TRAINING, method, unknownRate: 0.05 }, algebra);
    // Embeddings and features, as float32, are beside the kernels' memory.
    const taken = algebra.bytes - empty + 8 * count * dimensions;
    expect(taken).toBeLessThanOrEqual(trainingBytes(method, count, dimensions, classes));
  });
});
