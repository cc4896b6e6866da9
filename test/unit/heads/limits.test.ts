/** Limits of heads: one less and as many pass, one more is refused with the numbers. */
import { describe, expect, it } from 'vitest';
import {
  checkHeadLimit,
  HEAD_LIMITS,
  type HeadLimit,
  trainingBytes,
  trainingCost,
} from '../../../worker/heads/limits.ts';

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
