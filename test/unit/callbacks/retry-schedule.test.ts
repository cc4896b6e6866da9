import { describe, expect, it } from 'vitest';
import { nextAttemptMs, parseRetryAfter, RETRY_DELAYS_MS } from '../../../worker/callbacks/retry-schedule.ts';

const NOW = 1_700_000_000_000;
const at = (attempts: number, random: number, retryAfterMs: number | null = null, scale = 1) =>
  nextAttemptMs({ attempts, nowMs: NOW, random, retryAfterMs, scale });

describe('retry schedule', () => {
  it('is the one of the specification: ten attempts in 75 h 35 min 5 s', () => {
    expect(RETRY_DELAYS_MS).toHaveLength(10);
    expect(RETRY_DELAYS_MS.reduce((sum, delay) => sum + delay, 0)).toBe(((75 * 60 + 35) * 60 + 5) * 1000);
  });

  it('waits at least the delay, and a fifth longer at most', () => {
    for (let attempts = 1; attempts <= 9; attempts++) {
      const delay = RETRY_DELAYS_MS[attempts]!;
      expect(at(attempts, 0)).toBe(NOW + delay);
      expect(at(attempts, 0.999_999)!).toBeLessThanOrEqual(NOW + delay * 1.2);
      expect(at(attempts, 0.5)).toBe(NOW + delay * 1.1);
    }
  });

  it('ends after the tenth attempt', () => {
    expect(at(9, 0)).not.toBeNull();
    expect(at(10, 0)).toBeNull();
    expect(at(11, 0)).toBeNull();
    expect(at(10, 0, 1000)).toBeNull();
  });

  it('honours Retry-After where it is later, up to a day', () => {
    expect(at(1, 0, 1_000)).toBe(NOW + 5_000);
    expect(at(1, 0, 60_000)).toBe(NOW + 60_000);
    expect(at(1, 0, 10 * 86_400_000)).toBe(NOW + 86_400_000);
  });

  it('scales both', () => {
    expect(at(2, 0, null, 0.001)).toBe(NOW + 300);
    expect(at(1, 0, 60_000, 0.001)).toBe(NOW + 60);
  });
});

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    ['120', 120_000],
    ['Tue, 14 Nov 2023 22:14:20 GMT', 60_000],
    ['Tue, 14 Nov 2023 22:12:20 GMT', 0],
    ['-5', null],
    ['1.5', null],
    ['soon', null],
    ['', null],
    ['2023', 2_023_000],
    [null, null],
  ])('reads %j as %j', (header, expected) => {
    expect(parseRetryAfter(header, NOW)).toBe(expected);
  });
});
