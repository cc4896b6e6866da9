/** Tells a job's end to the URL that asked for it: signed as every callback, on the standard's retry schedule, kept by the job's alarm. */
import type { Bindings } from '../bindings.ts';
import { findReceiver } from '../callbacks/callback-settings.ts';
import { nextAttemptMs } from '../callbacks/retry-schedule.ts';
import { sendCallback } from '../callbacks/send-callback.ts';
import type { Traceparent } from '../observability/trace.ts';
import { readJobSettings } from './job-settings.ts';

const KEY = 'notification';

interface Notification {
  readonly id: string;
  readonly url: string;
  readonly payload: string;
  readonly traceparent?: Traceparent | undefined;
  readonly attempts: number;
  /** Null once it was delivered or given up. */
  readonly dueAtMs: number | null;
}

/** The one notification of a job. */
export class JobNotifier {
  readonly #storage: DurableObjectStorage;
  readonly #bindings: Bindings;

  constructor(storage: DurableObjectStorage, bindings: Bindings) {
    this.#storage = storage;
    this.#bindings = bindings;
  }

  /** Notes what is to be told; a job that ends again after a retry tells it again. */
  async begin(
    url: string,
    data: Readonly<Record<string, unknown>>,
    traceparent: Traceparent | undefined,
  ): Promise<void> {
    const now = Date.now();
    const payload = JSON.stringify({ type: 'job.finished', timestamp: new Date(now).toISOString(), data });
    const id = `msg_${crypto.randomUUID()}`;
    const notification: Notification = { id, url, payload, traceparent, attempts: 0, dueAtMs: now };
    await this.#storage.put(KEY, notification);
  }

  /** Sends what is due. @returns when the next attempt is due; null where there is none. */
  async deliver(nowMs: number): Promise<number | null> {
    const notification = await this.#storage.get<Notification>(KEY);
    if (notification === undefined || notification.dueAtMs === null) return null;
    if (notification.dueAtMs > nowMs) return notification.dueAtMs;
    const { callbacks, urlPolicy } = readJobSettings(this.#bindings);
    const { id, url: target, payload, traceparent, attempts: made } = notification;
    const result = await sendCallback(
      { id, url: target, payload, attempt: made + 1, failures: made, traceparent },
      {
        fetch: (url, init) => fetch(url, init),
        urlPolicy,
        secretsFor: (url) => findReceiver(callbacks, url)?.secrets ?? [],
        timeoutMs: callbacks.callbackTimeoutMs,
        now: () => Date.now(),
      },
    );
    const attempts = made + 1;
    const over = result.outcome === 'delivered' || result.status === 410;
    const dueAtMs = over
      ? null
      : nextAttemptMs({
          attempts,
          nowMs: Date.now(),
          random: Math.random(),
          retryAfterMs: result.retryAfterMs,
          scale: callbacks.retryScale,
        });
    await this.#storage.put(KEY, { ...notification, attempts, dueAtMs } satisfies Notification);
    return dueAtMs;
  }
}
