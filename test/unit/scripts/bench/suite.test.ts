import { expect, it } from 'vitest';
import { compare, median, tableOf } from '../../../../scripts/bench/suite.ts';

it('takes the middle of an odd number of values, and the mean of the middle two of an even number', () => {
  expect(median([9, 1, 5])).toBe(5);
  expect(median([9, 1, 5, 7])).toBe(6);
});

it('runs the sides in turn, every side as often, beginning with another one each round', async () => {
  const order: string[] = [];
  const side = (name: string): { name: string; run(): void } => ({ name, run: () => void order.push(name) });
  const results = await compare({ name: 'x', sides: [side('a'), side('b'), side('c')] }, 4);
  expect(order.slice(-12).join('')).toBe('abcbcacababc');
  expect(results.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
});

it('divides our median by theirs', async () => {
  const busy = (ms: number) => () => {
    const end = performance.now() + ms;
    while (performance.now() < end);
  };
  const sides = [
    { name: 'ours', run: busy(20) },
    { name: 'theirs', run: busy(2) },
  ];
  const results = await compare({ name: 'x', sides }, 3);
  expect(results[0]?.ratio).toBe(1);
  expect(results[1]?.ratio).toBe(results[0]!.medianMs / results[1]!.medianMs);
  expect(results[1]?.ratio).toBeGreaterThan(1);
  const table = tableOf({ name: 'x', sides }, results);
  expect(table[0]).toBe('x');
  expect(table[3]).toContain('theirs');
});
