/**
 * Dynamic batching: requests that arrive close together run as one batch. No clock and no timer of its own.
 *
 * Requests of one `key` (same input sizes) may share a batch. A batch goes out when it is full, or when its oldest request
 * has waited `maxDelayMs` and nothing runs: while something runs, waiting costs nothing and batches grow. One full batch
 * may wait behind the running one, so that the device never idles while results are taken apart.
 */
import { RequestError, RuntimeError } from '../worker/errors.ts';

/** Limits of a batcher. */
export interface BatchPolicy {
  /** Most rows of a batch, and so of a request. */
  readonly maxBatch: number;
  readonly maxDelayMs: number;
  /** Most rows that wait; at least `maxBatch`. */
  readonly maxQueue: number;
}

/** What a batcher needs from outside. */
export interface BatcherHooks<T, R> {
  readonly now: () => number;
  /** Calls `task` after `ms` milliseconds; returns how to call it off. */
  readonly schedule: (ms: number, task: () => void) => () => void;
  /** Runs one batch; one result a request, in order. */
  readonly run: (batch: readonly Queued<T>[]) => Promise<readonly R[]>;
}

/** A request in the queue. */
export interface Queued<T> {
  readonly request: T;
  readonly rows: number;
  readonly enqueuedMs: number;
}

interface Entry<T, R> extends Queued<T> {
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
}

/** Batches under way at once: one runs, one waits in the device's queue. */
const MAX_UNDERWAY = 2;

/** `T` is a request, `R` its result. */
export class Batcher<T, R> {
  readonly #policy: BatchPolicy;
  readonly #hooks: BatcherHooks<T, R>;
  readonly #queues = new Map<string, Entry<T, R>[]>();
  readonly #idle: (() => void)[] = [];
  #queuedRows = 0;
  #underway = 0;
  #rowsPerMs = 0;
  #maxDelayMs: number;
  #cancelTimer: (() => void) | null = null;

  constructor(policy: BatchPolicy, hooks: BatcherHooks<T, R>) {
    this.#policy = policy;
    this.#maxDelayMs = policy.maxDelayMs;
    this.#hooks = hooks;
  }

  /** Rows that wait. */
  get queuedRows(): number {
    return this.#queuedRows;
  }

  /** Whether a request of `rows` rows would be refused now. */
  isFull(rows = 1): boolean {
    return this.#queuedRows + rows > this.#policy.maxQueue;
  }

  /** The error for a request that finds the queue full: it says how long the queue takes at the pace seen so far. */
  overloaded(rows = 1): RuntimeError {
    const seconds = this.#rowsPerMs === 0 ? 1 : this.#queuedRows / this.#rowsPerMs / 1000;
    return new RuntimeError(
      'overloaded',
      `queue is full: ${this.#queuedRows} of ${this.#policy.maxQueue} rows wait, ${rows} more asked for`,
      {
        details: { queued: this.#queuedRows, limit: this.#policy.maxQueue, rows },
        retryAfterSeconds: Math.min(30, Math.max(1, Math.ceil(seconds))),
      },
    );
  }

  /**
   * Queues a request.
   * @param key requests with the same key fit into one batch.
   * @param signal takes the request out of the queue again, as long as it has not gone out.
   * @throws RequestError `invalid_body` for more than `maxBatch` rows or none; RuntimeError `overloaded` where the queue
   *   has no room; what `run` throws; the signal's reason.
   */
  async submit(request: T, rows: number, key: string, signal?: AbortSignal): Promise<R> {
    signal?.throwIfAborted();
    if (rows < 1 || rows > this.#policy.maxBatch) {
      throw new RequestError('invalid_body', `batch of ${rows}; 1 to ${this.#policy.maxBatch} rows may come at once`, {
        details: { rows, limit: this.#policy.maxBatch },
      });
    }
    if (this.isFull(rows)) throw this.overloaded(rows);
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    const entry: Entry<T, R> = { request, rows, enqueuedMs: this.#hooks.now(), resolve, reject };
    const queue = this.#queues.get(key);
    if (queue === undefined) this.#queues.set(key, [entry]);
    else queue.push(entry);
    this.#queuedRows += rows;
    const withdraw = () => this.#withdraw(key, entry, signal?.reason);
    signal?.addEventListener('abort', withdraw, { once: true });
    this.#pump();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', withdraw);
    }
  }

  /** From now on no request waits for others: nothing more will come. */
  hurry(): void {
    this.#maxDelayMs = 0;
    this.#pump();
  }

  /** Resolves when nothing waits and nothing runs. */
  async idle(): Promise<void> {
    if (this.#underway === 0 && this.#queuedRows === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #withdraw(key: string, entry: Entry<T, R>, reason: unknown): void {
    const queue = this.#queues.get(key);
    const index = queue?.indexOf(entry) ?? -1;
    if (queue === undefined || index < 0) return;
    queue.splice(index, 1);
    if (queue.length === 0) this.#queues.delete(key);
    this.#queuedRows -= entry.rows;
    entry.reject(reason);
    this.#settleIdle();
  }

  /** Sends out every batch that is due, and sets the timer for the next. */
  #pump(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    while (this.#underway < MAX_UNDERWAY) {
      const next = this.#oldestDue();
      if (next === null) break;
      this.#dispatch(next.key, next.count);
    }
    if (this.#underway > 0) return;
    let dueMs = Number.POSITIVE_INFINITY;
    for (const queue of this.#queues.values()) dueMs = Math.min(dueMs, queue[0]!.enqueuedMs + this.#maxDelayMs);
    if (dueMs === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer = this.#hooks.schedule(Math.max(0, dueMs - this.#hooks.now()), () => this.#pump());
  }

  #oldestDue(): { key: string; count: number } | null {
    const now = this.#hooks.now();
    let best: { key: string; count: number; enqueuedMs: number } | null = null;
    for (const [key, queue] of this.#queues) {
      const { count, full } = this.#nextBatch(queue);
      const { enqueuedMs } = queue[0]!;
      const due = full || (this.#underway === 0 && now - enqueuedMs >= this.#maxDelayMs);
      if (due && (best === null || enqueuedMs < best.enqueuedMs)) best = { key, count, enqueuedMs };
    }
    return best;
  }

  /** How many requests from the front make the next batch, and whether nothing more fits into it. */
  #nextBatch(queue: readonly Entry<T, R>[]): { count: number; full: boolean } {
    let rows = 0;
    for (let count = 0; count < queue.length; count++) {
      rows += queue[count]!.rows;
      if (rows > this.#policy.maxBatch) return { count, full: true };
      if (rows === this.#policy.maxBatch) return { count: count + 1, full: true };
    }
    return { count: queue.length, full: false };
  }

  #dispatch(key: string, count: number): void {
    const queue = this.#queues.get(key)!;
    const batch = queue.splice(0, count);
    if (queue.length === 0) this.#queues.delete(key);
    const rows = batch.reduce((sum, entry) => sum + entry.rows, 0);
    this.#queuedRows -= rows;
    this.#underway++;
    const startMs = this.#hooks.now();
    this.#hooks.run(batch).then(
      (results) => {
        const pace = rows / Math.max(1, this.#hooks.now() - startMs);
        this.#rowsPerMs = this.#rowsPerMs === 0 ? pace : 0.8 * this.#rowsPerMs + 0.2 * pace;
        batch.forEach((entry, index) => {
          entry.resolve(results[index]!);
        });
        this.#finished();
      },
      (error: unknown) => {
        for (const entry of batch) entry.reject(error);
        this.#finished();
      },
    );
  }

  #finished(): void {
    this.#underway--;
    this.#pump();
    this.#settleIdle();
  }

  #settleIdle(): void {
    if (this.#underway > 0 || this.#queuedRows > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
