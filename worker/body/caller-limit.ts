/** How many bodies one caller may be sending at a time: the others' share is not theirs. Pure bookkeeping, of one isolate. */
import { RequestError } from '../errors.ts';

/** Counts bodies by caller. */
export class CallerLimit {
  readonly #max: number;
  readonly #held = new Map<string, number>();

  constructor(max: number) {
    this.#max = max;
  }

  /**
   * One more body of a caller.
   * @param caller a key or an address; null for one that is not limited.
   * @returns to be called when its body has been read, or will not be.
   * @throws RequestError `too_many_uploads`.
   */
  enter(caller: string | null): () => void {
    if (caller === null) return () => {};
    const held = this.#held.get(caller) ?? 0;
    if (held >= this.#max) {
      throw new RequestError(
        'too_many_uploads',
        `${held} bodies of this caller are being received; limit ${this.#max}`,
        {
          details: { bodies: held, limit: this.#max },
          retryAfterSeconds: 1,
        },
      );
    }
    this.#held.set(caller, held + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = this.#held.get(caller)! - 1;
      if (left === 0) this.#held.delete(caller);
      else this.#held.set(caller, left);
    };
  }
}
