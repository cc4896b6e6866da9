import { expect, it } from 'vitest';
import { compareAnswers, summarize } from '../../../console/src/pages/try/comparison.ts';

const list = (...pairs: readonly [string, number][]) => pairs.map(([label, score], index) => ({ label, score, index }));

it('finds the largest change among labels that both name, whatever its sign', () => {
  const difference = compareAnswers(
    list(['a', 0.6], ['b', 0.3], ['c', 0.1]),
    list(['a', 0.55], ['b', 0.1], ['d', 0.3]),
  );
  expect(difference).toMatchObject({ sameBest: true, onlyFirst: ['c'], onlySecond: ['d'] });
  expect(difference.largest?.label).toBe('b');
  expect(difference.largest?.change).toBeCloseTo(-0.2);
});

it('says that versions share nothing where they do not', () => {
  const difference = compareAnswers(list(['a', 1]), list(['b', 1]));
  expect(difference).toEqual({ sameBest: false, largest: null, onlyFirst: ['a'], onlySecond: ['b'] });
});

it('counts agreement and averages the size of changes', () => {
  const same = compareAnswers(list(['a', 0.5]), list(['a', 0.7]));
  const other = compareAnswers(list(['a', 0.5]), list(['b', 0.6], ['a', 0.1]));
  const agreement = summarize([same, other])!;
  expect(agreement).toMatchObject({ pictures: 2, sameBest: 1 });
  expect(agreement.meanLargest).toBeCloseTo(0.3);
  expect(summarize([])).toBeNull();
});
