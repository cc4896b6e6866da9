/**
 * Delivers what is due: several at a time, fairly between receivers, until nothing is due any more. The sending, the
 * clock and random numbers are passed in.
 */

import type { DueDelivery } from '../../callbacks/delivery.ts';
import { nextAttemptMs } from '../../callbacks/retry-schedule.ts';
import type { CallbackResult } from '../../callbacks/send-callback.ts';
import type { DeliveryStore } from './delivery-store.ts';

/** Callbacks in flight at once: a Worker has six connections, and one is left for others. */
const MAX_IN_FLIGHT = 5;

/** To one receiver. */
const MAX_IN_FLIGHT_PER_ENDPOINT = 3;

/** To a receiver whose last answer was a failure: enough to see it recover, too little to hold the others up. */
const MAX_IN_FLIGHT_FAILING = 1;

/** How often a running pump looks for what has become due meanwhile, in ms. */
const LOOK_INTERVAL_MS = 250;

/** After this the pump starts nothing new, and the next alarm goes on: an alarm may run for 15 minutes. */
export const MAX_RUN_MS = 5 * 60_000;

/** What a pump works with. */
export interface PumpOptions {
  readonly store: DeliveryStore;
  send(delivery: DueDelivery): Promise<CallbackResult>;
  now(): number;
  /** In [0, 1). */
  random(): number;
  readonly retryScale: number;
}

/** The pump of one ledger. What is in flight is known in memory alone: after a restart it is simply due again. */
export class DeliveryPump {
  readonly #options: PumpOptions;
  readonly #inFlight = new Map<string, { readonly url: string; readonly done: Promise<void> }>();

  constructor(options: PumpOptions) {
    this.#options = options;
  }

  /** Runs until nothing is due and nothing is in flight. */
  async run(): Promise<void> {
    const startedMs = this.#options.now();
    for (;;) {
      if (this.#options.now() - startedMs < MAX_RUN_MS) this.#startDue();
      if (this.#inFlight.size === 0) return;
      await Promise.race([...[...this.#inFlight.values()].map(({ done }) => done), wait(LOOK_INTERVAL_MS)]);
    }
  }

  #startDue(): void {
    const { store, now } = this.#options;
    for (const { url, failing } of store.dueEndpoints(now())) {
      const there = [...this.#inFlight.values()].filter((each) => each.url === url).length;
      const cap = failing ? MAX_IN_FLIGHT_FAILING : MAX_IN_FLIGHT_PER_ENDPOINT;
      const free = Math.min(cap - there, MAX_IN_FLIGHT - this.#inFlight.size);
      if (free <= 0) continue;
      // What is in flight is still pending in the table, so as many more are read and passed over.
      const due = store.due(url, now(), free + there).filter(({ id }) => !this.#inFlight.has(id));
      for (const delivery of due.slice(0, free)) {
        const done = this.#deliver(delivery).finally(() => this.#inFlight.delete(delivery.id));
        this.#inFlight.set(delivery.id, { url, done });
      }
    }
  }

  async #deliver(delivery: DueDelivery): Promise<void> {
    const { store, send, now, random, retryScale } = this.#options;
    if (!store.begin(delivery, now())) return;
    const result = await send(delivery);
    const nowMs = now();
    if (result.outcome === 'delivered') {
      store.succeed(delivery, result, nowMs);
    } else if (result.outcome === 'gone') {
      store.disable(delivery, result, nowMs);
    } else {
      const { retryAfterMs } = result;
      const attempts = delivery.failures + 1;
      store.fail(
        delivery,
        result,
        nowMs,
        nextAttemptMs({ attempts, nowMs, random: random(), retryAfterMs, scale: retryScale }),
      );
    }
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
