import { describe, expect, test } from 'vitest';
import {
  admit,
  type BreakerPolicy,
  type BreakerState,
  CLOSED,
  type Outcome,
  settle,
} from '../../../worker/jobs/circuit-breaker.ts';

const POLICY: BreakerPolicy = { failureThreshold: 3, openMs: 1000, maxOpenMs: 4000, probes: 1, probeTimeoutMs: 500 };

/** Admits and settles one call, and returns the state behind it. */
function call(state: BreakerState, outcome: Outcome, nowMs: number, policy = POLICY): BreakerState {
  const admission = admit(state, policy, nowMs);
  if (!admission.admitted) throw new Error(`refused for ${admission.waitMs} ms`);
  return settle(admission.state, policy, admission.ticket, outcome, nowMs);
}

function fail(times: number, state = CLOSED, nowMs = 0): BreakerState {
  let next = state;
  for (let i = 0; i < times; i++) next = call(next, 'failure', nowMs);
  return next;
}

describe('circuit breaker', () => {
  test('opens at the threshold, not one failure earlier', () => {
    expect(fail(2).kind).toBe('closed');
    expect(fail(3)).toMatchObject({ kind: 'open', untilMs: 1000 });
  });

  test('a success between failures starts the count again', () => {
    expect(fail(2, call(fail(2), 'success', 0)).kind).toBe('closed');
  });

  test('refuses while open and says how long, then lets one probe out', () => {
    const open = fail(3);
    expect(admit(open, POLICY, 999)).toMatchObject({ admitted: false, waitMs: 1 });
    const probe = admit(open, POLICY, 1000);
    expect(probe).toMatchObject({ admitted: true, state: { kind: 'half-open', underway: 1 } });
    expect(admit(probe.state, POLICY, 1001)).toMatchObject({ admitted: false, waitMs: 499 });
  });

  test('a good probe closes it; the next failures count from zero', () => {
    const closed = call(fail(3), 'success', 1000);
    expect(closed).toMatchObject({ kind: 'closed', failures: 0 });
    expect(fail(2, closed).kind).toBe('closed');
  });

  test('each bad probe doubles the wait, up to the most', () => {
    let state = fail(3);
    for (const expected of [2000, 4000, 4000]) {
      const nowMs = state.kind === 'open' ? state.untilMs : Number.NaN;
      state = call(state, 'failure', nowMs);
      expect(state).toMatchObject({ kind: 'open', untilMs: nowMs + expected });
    }
  });

  test('results of calls that went out before it opened change nothing', () => {
    const early = admit(CLOSED, POLICY, 0);
    if (!early.admitted) throw new Error('refused');
    const open = fail(3);
    expect(settle(open, POLICY, early.ticket, 'success', 10)).toBe(open);
    const { state } = admit(open, POLICY, 1000);
    expect(settle(state, POLICY, early.ticket, 'failure', 1001)).toBe(state);
    expect(settle(state, POLICY, early.ticket, 'success', 1001)).toBe(state);
  });

  test('a probe that never reports is given up after its time', () => {
    const lost = admit(fail(3), POLICY, 1000);
    expect(admit(lost.state, POLICY, 1499).admitted).toBe(false);
    expect(call(lost.state, 'success', 1500).kind).toBe('closed');
  });

  test('a cancelled probe says nothing and frees its place', () => {
    const half = call(fail(3), 'cancelled', 1000);
    expect(half).toMatchObject({ kind: 'half-open', underway: 0, successes: 0 });
    expect(call(half, 'success', 1001).kind).toBe('closed');
    expect(call(fail(2), 'cancelled', 0)).toMatchObject({ kind: 'closed', failures: 2 });
  });

  test('with two probes it takes two successes', () => {
    const policy = { ...POLICY, probes: 2 };
    const first = admit(fail(3), policy, 1000);
    const second = admit(first.state, policy, 1000);
    expect(admit(second.state, policy, 1000).admitted).toBe(false);
    if (!first.admitted || !second.admitted) throw new Error('refused');
    const half = settle(second.state, policy, first.ticket, 'success', 1001);
    expect(half.kind).toBe('half-open');
    expect(settle(half, policy, second.ticket, 'success', 1002).kind).toBe('closed');
  });

  test('the state survives JSON', () => {
    const state = admit(fail(3), POLICY, 1000).state;
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });
});
