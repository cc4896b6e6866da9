/**
 * When a callback that failed is tried again. Pure: random numbers and now are passed in.
 * Schedule: Standard Webhooks 1.0.0, "Deliverability and reliability". The delays are kept by alarms, so no queue's
 * limit on delays applies.
 */

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Delay before attempt 1, 2, ... 10, in milliseconds: 75 h 35 min from first to last. */
export const RETRY_DELAYS_MS: readonly number[] = [
  0,
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];

/** Share of a delay by which it is lengthened at random, so that receivers do not see all retries in one second. */
export const JITTER_FRACTION = 0.2;

/** Longest wait that a `Retry-After` can ask for, in milliseconds. */
export const MAX_RETRY_AFTER_MS = 24 * HOUR_MS;

/** What the next attempt depends on. */
export interface RetryInput {
  /** Attempts made so far, at least 1. */
  readonly attempts: number;
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: number;
  /** What the receiver asked for, in milliseconds from now; null where it did not. */
  readonly retryAfterMs: number | null;
  /** Multiplies every delay, the receiver's too. 1 in production; tests and soaks compress days into seconds. */
  readonly scale: number;
}

/** The time of the next attempt in milliseconds since 1970, or null where the schedule is used up. */
export function nextAttemptMs(input: RetryInput): number | null {
  const delay = RETRY_DELAYS_MS[input.attempts];
  if (delay === undefined) return null;
  const jittered = delay * (1 + JITTER_FRACTION * input.random);
  const asked = Math.min(input.retryAfterMs ?? 0, MAX_RETRY_AFTER_MS);
  return input.nowMs + Math.round(Math.max(jittered, asked) * input.scale);
}

/**
 * Reads `Retry-After` (RFC 9110 section 10.2.3): seconds, or an HTTP date.
 * @returns Milliseconds from now, at least 0; null where the header is absent or neither.
 */
export function parseRetryAfter(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  if (/^[0-9]{1,10}$/.test(header)) return Number(header) * SECOND_MS;
  if (!/^[A-Za-z]{3,9},? /.test(header)) return null;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - nowMs);
}
