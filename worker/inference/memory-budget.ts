/**
 * The memory of one isolate, accounted for before it is allocated. A Worker that goes over 128 MB is killed with every request
 * in it, so whoever needs much memory takes a lease first: request bodies, decoders, model files in flight. What does not fit
 * waits its turn; what waits too long, or behind too many, is refused and may be sent again.
 *
 * Pure bookkeeping: the clock, the timer and the size of the WASM heap are passed in.
 */
import { RuntimeError } from '../errors.ts';

/** Memory that someone holds. */
export interface Lease {
  readonly bytes: number;
  /** Gives it back; safe to call twice. */
  release(): void;
}

/** What a budget is made of. */
export interface MemoryBudgetOptions {
  /** Everything together: WASM heap, leases, and what JavaScript holds besides. */
  readonly limitBytes: number;
  /** What JavaScript holds besides leases: the bundle, V8's own heap. */
  readonly baselineBytes: number;
  /** Leases that may be held at a time: a bound on requests in flight, however small they are. */
  readonly maxLeases: number;
  /** Requests that may wait at a time. */
  readonly maxWaiting: number;
  /** How long one may wait, in ms. */
  readonly maxWaitMs: number;
  /** A lease older than this, in ms, belongs to a request that is gone; it is taken back. */
  readonly maxLeaseAgeMs: number;
  /** Bytes of the WASM heap now. */
  heapBytes(): number;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls back after `ms`; returns a way to call it off. */
  after(ms: number, call: () => void): () => void;
}

interface Waiter {
  readonly bytes: number;
  readonly headroomBytes: number;
  grant(lease: Lease): void;
}

interface Held extends Lease {
  readonly takenAt: number;
}

/** One isolate's budget. */
export class MemoryBudget {
  readonly #options: MemoryBudgetOptions;
  readonly #held = new Set<Held>();
  readonly #waiting: Waiter[] = [];
  #heldBytes = 0;
  #loadingBytes = 0;

  constructor(options: MemoryBudgetOptions) {
    this.#options = options;
  }

  /** Bytes in use now: heap, baseline and leases. */
  get usedBytes(): number {
    return this.#options.heapBytes() + this.#options.baselineBytes + this.#heldBytes;
  }

  /** Bytes of leases. */
  get leasedBytes(): number {
    return this.#heldBytes;
  }

  /** Bytes of leases that are for loading models. */
  get loadingBytes(): number {
    return this.#loadingBytes;
  }

  /** Takes memory for loading a model, as `acquire` does; counted apart, because bodies leave room for it. */
  async acquireForLoad(bytes: number, what: string): Promise<Lease> {
    const lease = await this.acquire(bytes, what);
    let held = true;
    this.#loadingBytes += bytes;
    return {
      bytes,
      release: () => {
        if (held) this.#loadingBytes -= bytes;
        held = false;
        lease.release();
      },
    };
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** The most that a lease could get with nothing else leased. */
  get capacityBytes(): number {
    return this.#options.limitBytes - this.#options.heapBytes() - this.#options.baselineBytes;
  }

  /**
   * Takes `bytes`, at once or in turn.
   * @param what names the use in errors: `the request body`.
   * @param headroomBytes must stay free beside it, so that those who hold one lease can get the next.
   * @throws RuntimeError `memory_budget_exceeded`: it can never fit, or waited `maxWaitMs`; `overloaded`: too many wait.
   */
  acquire(bytes: number, what: string, headroomBytes = 0): Promise<Lease> {
    const { limitBytes, maxWaiting, maxWaitMs } = this.#options;
    this.#takeBackForgotten();
    // The next step of a lease's holder (no headroom asked for) passes those who wait for a first one: they wait for it.
    const isBehind = this.#waiting.some((waiter) => headroomBytes > 0 || waiter.headroomBytes === 0);
    if (!isBehind && this.#fits(bytes, headroomBytes)) return Promise.resolve(this.#take(bytes));
    if (bytes + headroomBytes > this.capacityBytes) {
      return Promise.reject(
        this.#exceeded(
          `${what} needs ${mib(bytes)} MiB; the isolate has ${mib(Math.max(0, this.capacityBytes - headroomBytes))} of ${mib(limitBytes)} MiB for it`,
          bytes,
        ),
      );
    }
    if (this.#waiting.length >= maxWaiting) {
      return Promise.reject(
        new RuntimeError('overloaded', `${this.#waiting.length} requests wait already; limit ${maxWaiting}`, {
          details: { waiting: this.#waiting.length, limit: maxWaiting },
          retryAfterSeconds: 1,
        }),
      );
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        bytes,
        headroomBytes,
        grant(lease) {
          cancel();
          resolve(lease);
        },
      };
      const cancel = this.#options.after(maxWaitMs, () => {
        const index = this.#waiting.indexOf(waiter);
        if (index < 0) return;
        this.#waiting.splice(index, 1);
        reject(this.#exceeded(`${what} waited ${maxWaitMs} ms for ${mib(bytes)} MiB`, bytes));
        this.#grantWaiting();
      });
      this.#waiting.push(waiter);
    });
  }

  #fits(bytes: number, headroomBytes: number): boolean {
    const { limitBytes, maxLeases } = this.#options;
    return this.#held.size < maxLeases && this.usedBytes + bytes + headroomBytes <= limitBytes;
  }

  #take(bytes: number): Lease {
    const lease: Held = {
      bytes,
      takenAt: this.#options.now(),
      release: () => {
        if (!this.#held.delete(lease)) return;
        this.#heldBytes -= bytes;
        this.#grantWaiting();
      },
    };
    this.#held.add(lease);
    this.#heldBytes += bytes;
    return lease;
  }

  /** Serves those who wait in order, but lets a small lease pass a large one that cannot be served yet. */
  #grantWaiting(): void {
    for (let i = 0; i < this.#waiting.length; ) {
      const waiter = this.#waiting[i]!;
      if (this.#fits(waiter.bytes, waiter.headroomBytes)) {
        this.#waiting.splice(i, 1);
        waiter.grant(this.#take(waiter.bytes));
      } else i++;
    }
  }

  #takeBackForgotten(): void {
    const oldest = this.#options.now() - this.#options.maxLeaseAgeMs;
    for (const lease of this.#held) if (lease.takenAt < oldest) lease.release();
  }

  #exceeded(message: string, bytes: number): RuntimeError {
    return new RuntimeError('memory_budget_exceeded', message, {
      details: { bytes, used_bytes: this.usedBytes, limit_bytes: this.#options.limitBytes },
      retryAfterSeconds: 1,
    });
  }
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
