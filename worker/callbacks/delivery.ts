/** A callback on its way, and how attempts to deliver it end. Plain data. */
import type { Traceparent } from '../observability/trace.ts';
import type { Exchange } from './exchange.ts';

/** Why an attempt to deliver failed; `delivered` if it did not. */
export const ATTEMPT_OUTCOMES = [
  'delivered',
  'status',
  'redirect',
  'gone',
  'timeout',
  'network',
  'not_allowed',
  'no_secret',
  'interrupted',
] as const;
export type AttemptOutcome = (typeof ATTEMPT_OUTCOMES)[number];

/** A callback that is due. */
export interface DueDelivery {
  readonly id: string;
  readonly url: string;
  readonly payload: string;
  /** Number of the attempt to make, from 1; it goes on counting after a replay. */
  readonly attempt: number;
  /** Failures since the schedule began. */
  readonly failures: number;
  readonly traceparent?: Traceparent | null | undefined;
}

/** How an attempt ended. */
export interface AttemptEnd {
  readonly outcome: AttemptOutcome;
  /** Null if there was no response. */
  readonly status: number | null;
  readonly detail: string | null;
  /** What was sent and what came back; null if nothing was sent. */
  readonly exchange: Exchange | null;
}
