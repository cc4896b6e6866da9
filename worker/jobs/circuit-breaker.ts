/**
 * A circuit breaker: after several failures in a row calls are refused for a while, then a few probes decide.
 * Pure: the state is plain JSON, the time is passed in (any clock in milliseconds that only goes forward).
 */

/** When the breaker trips, and how it recovers. */
export interface BreakerPolicy {
  /** Failures in a row that open it. */
  readonly failureThreshold: number;
  /** How long it stays open the first time; doubled each time the probes fail. */
  readonly openMs: number;
  /** The longest it stays open. */
  readonly maxOpenMs: number;
  /** Probes under way at once while half open; as many successes close it. */
  readonly probes: number;
  /** After this time without a result a probe counts as lost, and another may start. */
  readonly probeTimeoutMs: number;
}

/** Refuses after 5 failures in a row, for 5 s to 2 min; one probe decides. */
export const DEFAULT_BREAKER_POLICY: BreakerPolicy = {
  failureThreshold: 5,
  openMs: 5_000,
  maxOpenMs: 120_000,
  probes: 1,
  probeTimeoutMs: 60_000,
};

/** The breaker's state; `epoch` grows with every change of kind, so that results of earlier calls can be told apart. */
export type BreakerState =
  | { readonly kind: 'closed'; readonly epoch: number; readonly failures: number }
  | { readonly kind: 'open'; readonly epoch: number; readonly trips: number; readonly untilMs: number }
  | {
      readonly kind: 'half-open';
      readonly epoch: number;
      readonly trips: number;
      readonly underway: number;
      readonly successes: number;
      readonly lastProbeMs: number;
    };

/** A breaker that has seen nothing. */
export const CLOSED: BreakerState = { kind: 'closed', epoch: 0, failures: 0 };

/** The answer to a call that wants to go out: a ticket to hand back with its result, or how long to wait. */
export type Admission =
  | { readonly admitted: true; readonly state: BreakerState; readonly ticket: number }
  | { readonly admitted: false; readonly state: BreakerState; readonly waitMs: number };

/** How a call ended; `cancelled`: by its caller, before it said anything about the backend. */
export type Outcome = 'success' | 'failure' | 'cancelled';

/** Asks whether a call may go out at `nowMs`. The caller keeps the returned state. */
export function admit(state: BreakerState, policy: BreakerPolicy, nowMs: number): Admission {
  if (state.kind === 'closed') return { admitted: true, state, ticket: state.epoch };
  if (state.kind === 'open') {
    if (nowMs < state.untilMs) return { admitted: false, state, waitMs: state.untilMs - nowMs };
    const { epoch, trips } = state;
    return admitProbe(
      { kind: 'half-open', epoch: epoch + 1, trips, underway: 0, successes: 0, lastProbeMs: nowMs },
      nowMs,
    );
  }
  if (state.underway < policy.probes) return admitProbe(state, nowMs);
  const lostAtMs = state.lastProbeMs + policy.probeTimeoutMs;
  if (nowMs >= lostAtMs) return admitProbe({ ...state, underway: 0 }, nowMs);
  return { admitted: false, state, waitMs: lostAtMs - nowMs };
}

function admitProbe(state: BreakerState & { kind: 'half-open' }, nowMs: number): Admission {
  return {
    admitted: true,
    state: { ...state, underway: state.underway + 1, lastProbeMs: nowMs },
    ticket: state.epoch,
  };
}

/**
 * Takes note of a call's result. A result of an earlier epoch changes nothing.
 * @param ticket what `admit` gave the call.
 */
export function settle(
  state: BreakerState,
  policy: BreakerPolicy,
  ticket: number,
  outcome: Outcome,
  nowMs: number,
): BreakerState {
  if (ticket !== state.epoch || state.kind === 'open') return state;
  if (outcome === 'cancelled') {
    return state.kind === 'closed' ? state : { ...state, underway: Math.max(0, state.underway - 1) };
  }
  if (state.kind === 'closed') {
    if (outcome === 'success') return state.failures === 0 ? state : { ...state, failures: 0 };
    const failures = state.failures + 1;
    return failures < policy.failureThreshold ? { ...state, failures } : open(state.epoch, 1, policy, nowMs);
  }
  if (outcome === 'failure') return open(state.epoch, state.trips + 1, policy, nowMs);
  const successes = state.successes + 1;
  if (successes >= policy.probes) return { kind: 'closed', epoch: state.epoch + 1, failures: 0 };
  return { ...state, successes, underway: Math.max(0, state.underway - 1) };
}

function open(epoch: number, trips: number, policy: BreakerPolicy, nowMs: number): BreakerState {
  const openMs = Math.min(policy.maxOpenMs, policy.openMs * 2 ** (trips - 1));
  return { kind: 'open', epoch: epoch + 1, trips, untilMs: nowMs + openMs };
}
