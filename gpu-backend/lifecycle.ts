/** Whether the process accepts requests: starting, then ready, then draining. */
import { RuntimeError } from '../worker/errors.ts';

/** A moment of a process's life. */
export type Phase = 'starting' | 'ready' | 'draining';

export class Lifecycle {
  #phase: Phase = 'starting';
  #accepted = 0;
  readonly #waiting: (() => void)[] = [];

  /** The phase it is in. */
  get phase(): Phase {
    return this.#phase;
  }

  /** Models are loaded and warm. Does nothing once draining. */
  markReady(): void {
    if (this.#phase === 'starting') this.#phase = 'ready';
  }

  /** No new requests from here on. */
  markDraining(): void {
    this.#phase = 'draining';
  }

  /**
   * Runs an accepted request to its end, which draining waits for.
   * @throws RuntimeError `not_ready` where requests are not accepted.
   */
  async accept<T>(task: () => Promise<T>): Promise<T> {
    if (this.#phase !== 'ready') {
      const retryAfterSeconds = this.#phase === 'starting' ? 5 : 1;
      throw new RuntimeError('not_ready', `the backend is ${this.#phase}`, { retryAfterSeconds });
    }
    this.#accepted++;
    try {
      return await task();
    } finally {
      this.#accepted--;
      if (this.#accepted === 0) for (const resolve of this.#waiting.splice(0)) resolve();
    }
  }

  /** Resolves when every accepted request has ended. */
  async idle(): Promise<void> {
    if (this.#accepted > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }
}
