import { expect, it } from 'vitest';
import {
  formatAge,
  formatBytes,
  formatChange,
  formatCount,
  formatDuration,
  formatMs,
  formatPercent,
  splitLabel,
} from '../../../console/src/format.ts';

it.each([
  [formatPercent(0.873), '87.3 %'],
  [formatPercent(0), '0.0 %'],
  [formatPercent(0.0004), '< 0.1 %'],
  [formatChange(-0.021), '−2.1'],
  [formatChange(0.5), '+50.0'],
  [formatMs(3.21), '3.2 ms'],
  [formatMs(1234), '1.23 s'],
  [formatBytes(999), '999 B'],
  [formatBytes(4_321), '4.3 kB'],
  [formatBytes(18_723_937), '18.7 MB'],
  [formatCount(1_234_567), '1\u202f234\u202f567'],
  [formatDuration(89), '89 s'],
  [formatDuration(200_000), '2 days'],
  [formatAge('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:02:00Z')), '2 min ago'],
  [formatAge('2026-01-01T00:02:00Z', Date.parse('2026-01-01T00:00:00Z')), 'in 2 min'],
])('writes %s', (written, expected) => {
  expect(written).toBe(expected);
});

it('splits a label into its first name and the others', () => {
  expect(splitLabel('bullfrog, Rana catesbeiana')).toEqual({ first: 'bullfrog', rest: 'Rana catesbeiana' });
  expect(splitLabel('lemon')).toEqual({ first: 'lemon', rest: '' });
});
