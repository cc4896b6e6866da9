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
  /** Gives back all but `bytes` of it; a lease does not grow. */
  shrink(bytes: number): void;
  /** Gives it back; safe to call twice. */
  release(): void;
}

/** A lease that is taken step by step. It does not count as a request in flight: its request is still arriving. */
export interface GrowingLease extends Lease {
  /**
   * Makes it `bytes` at least, at once or in turn.
   * @throws RuntimeError as `MemoryBudget.acquire`.
   */
  grow(bytes: number, what: string, headroom: () => number): Promise<void>;
}

/** What a budget is made of. */
export interface MemoryBudgetOptions {
  /** Everything together: WASM heap, leases, and what JavaScript holds besides. */
  readonly limitBytes: number;
  /** What JavaScript holds besides leases: the bundle, V8's own heap. */
  readonly baselineBytes: number;
  /** Leases that may be held at a time: a bound on requests in flight, however small they are. */
  readonly maxLeases: number;
  /** Wants of at most this many bytes do not wait behind larger ones. */
  readonly smallBytes: number;
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

/** What someone wants. */
interface Want {
  readonly bytes: number;
  /** What must stay free beside it, by the time it is granted; null for the next step of someone who holds a lease already. */
  readonly headroom: (() => number) | null;
  readonly growthBytes: number;
  /** What the same lease holds already. */
  readonly ownBytes: number;
  /** Whether it counts as a request in flight. */
  readonly isCounted: boolean;
}

interface Waiter extends Want {
  refuse(): void;
  grant(lease: Held): void;
}

interface Held extends Lease {
  bytes: number;
  takenAt: number;
}

/** One isolate's budget. */
export class MemoryBudget {
  readonly #options: MemoryBudgetOptions;
  readonly #held = new Set<Held>();
  readonly #waiting: Waiter[] = [];
  #heldBytes = 0;
  #growthBytes = 0;
  #counted = 0;

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

  /** Bytes by which the heap will have grown once the loads that hold a lease are done. */
  get growthBytes(): number {
    return this.#growthBytes;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** The most that a lease could get with nothing else leased, once the loads under way are done. */
  get capacityBytes(): number {
    const { limitBytes, baselineBytes } = this.#options;
    return limitBytes - this.#options.heapBytes() - baselineBytes - this.#growthBytes;
  }

  /**
   * Takes memory for loading a model, as `acquire` does.
   * @param growthBytes what the heap will keep of it.
   */
  acquireForLoad(bytes: number, growthBytes: number, what: string): Promise<Lease> {
    return this.#acquire({ bytes, headroom: null, growthBytes, ownBytes: 0, isCounted: true }, what);
  }

  /**
   * Takes `bytes`, at once or in turn.
   * @param what names the use in errors: `the request body`.
   * @param headroom what must stay free beside it, so that those who hold one lease can get the next; asked for anew as long as
   * it waits. Without one it is itself such a next step.
   * @throws RuntimeError `memory_budget_exceeded`: it can never fit, or waited `maxWaitMs`; `overloaded`: too many wait.
   */
  acquire(bytes: number, what: string, headroom: (() => number) | null = null): Promise<Lease> {
    return this.#acquire({ bytes, headroom, growthBytes: 0, ownBytes: 0, isCounted: true }, what);
  }

  /** A lease of nothing, to be grown. */
  open(): GrowingLease {
    const want = { bytes: 0, headroom: null, growthBytes: 0, ownBytes: 0, isCounted: false };
    const lease = this.#take(want);
    return Object.assign(lease, {
      grow: async (bytes: number, what: string, headroom: () => number): Promise<void> => {
        const more = bytes - lease.bytes;
        lease.takenAt = this.#options.now();
        if (more <= 0) return;
        const granted = await this.#acquire({ ...want, bytes: more, headroom, ownBytes: lease.bytes }, what);
        if (!this.#held.has(lease)) {
          granted.release();
          throw new RuntimeError('client_gone', `${what} was given up while it waited for memory`);
        }
        // Two leases become one.
        this.#held.delete(granted);
        lease.bytes += granted.bytes;
        lease.takenAt = this.#options.now();
      },
    });
  }

  #acquire(want: Want, what: string): Promise<Held> {
    const { maxWaiting, maxWaitMs, smallBytes } = this.#options;
    const { bytes, headroom } = want;
    this.#takeBackForgotten();
    // The next step of a lease's holder passes all who wait: some of them wait for it.
    const isBehind = headroom !== null && bytes > smallBytes && this.#waiting.length > 0;
    if (!isBehind && this.#fits(want)) return Promise.resolve(this.#take(want));
    if (!this.#canEverFit(want)) return Promise.reject(this.#neverFits(want, what));
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
        ...want,
        grant(lease) {
          cancel();
          resolve(lease);
        },
        refuse: () => {
          cancel();
          reject(this.#neverFits(want, what));
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

  #fits({ bytes, headroom, isCounted }: Want): boolean {
    const { limitBytes, maxLeases } = this.#options;
    const hasTurn = !isCounted || this.#counted < maxLeases;
    return hasTurn && this.usedBytes + bytes + (headroom?.() ?? 0) <= limitBytes;
  }

  #canEverFit({ bytes, headroom, ownBytes }: Want): boolean {
    return ownBytes + bytes + (headroom?.() ?? 0) <= this.capacityBytes;
  }

  #take({ bytes, growthBytes, isCounted }: Want): Held {
    const lease: Held = {
      bytes,
      takenAt: this.#options.now(),
      shrink: (left) => {
        if (!this.#held.has(lease) || left >= lease.bytes) return;
        this.#heldBytes -= lease.bytes - left;
        lease.bytes = left;
        this.#grantWaiting();
      },
      release: () => {
        if (!this.#held.delete(lease)) return;
        if (isCounted) this.#counted--;
        this.#heldBytes -= lease.bytes;
        this.#growthBytes -= growthBytes;
        this.#grantWaiting();
      },
    };
    this.#held.add(lease);
    if (isCounted) this.#counted++;
    this.#heldBytes += bytes;
    this.#growthBytes += growthBytes;
    return lease;
  }

  /**
   * Serves those who wait in order, but lets a small lease pass a large one that cannot be served yet. What can never fit any more,
   * because a model has been loaded meanwhile, need not wait longer.
   */
  #grantWaiting(): void {
    for (let i = 0; i < this.#waiting.length; ) {
      const waiter = this.#waiting[i]!;
      if (this.#fits(waiter)) {
        this.#waiting.splice(i, 1);
        waiter.grant(this.#take(waiter));
      } else if (!this.#canEverFit(waiter)) {
        this.#waiting.splice(i, 1);
        waiter.refuse();
      } else i++;
    }
  }

  #takeBackForgotten(): void {
    const oldest = this.#options.now() - this.#options.maxLeaseAgeMs;
    for (const lease of this.#held) if (lease.takenAt < oldest) lease.release();
  }

  #neverFits({ bytes, headroom }: Want, what: string): RuntimeError {
    const room = Math.max(0, this.capacityBytes - (headroom?.() ?? 0));
    const limit = mib(this.#options.limitBytes);
    return this.#exceeded(
      `${what} needs ${mib(bytes)} MiB; the isolate has ${mib(room)} of ${limit} MiB for it`,
      bytes,
    );
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
