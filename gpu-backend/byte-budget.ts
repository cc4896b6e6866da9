/** Memory for request bodies: what is being read or waits may not exceed a limit. Pure. */
import { RuntimeError } from '../worker/errors.ts';

export class ByteBudget {
  readonly #limit: number;
  #taken = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes that are taken now. */
  get taken(): number {
    return this.#taken;
  }

  /**
   * Takes bytes for as long as a task runs.
   * @throws RuntimeError `overloaded` where they are not there; what the task throws.
   */
  async use<T>(bytes: number, task: () => Promise<T>): Promise<T> {
    if (this.#taken + bytes > this.#limit) {
      throw new RuntimeError(
        'overloaded',
        `requests under way hold ${this.#taken} of ${this.#limit} bytes, ${bytes} more asked for (GPU_MAX_BODY_MEMORY_BYTES)`,
        { details: { taken: this.#taken, limit: this.#limit, bytes }, retryAfterSeconds: 1 },
      );
    }
    this.#taken += bytes;
    try {
      return await task();
    } finally {
      this.#taken -= bytes;
    }
  }
}
