/** Items a second over the last minute, in memory: a restart forgets it. Pure. */

const WINDOW_MS = 60_000;

/** Counts what was finished when. */
export class Throughput {
  readonly #events: { readonly atMs: number; readonly items: number }[] = [];

  /** Notes that items were finished. */
  add(items: number, nowMs: number): void {
    if (items > 0) this.#events.push({ atMs: nowMs, items });
    this.#forget(nowMs);
  }

  /** Items a second since the oldest event of the window; null where nothing was finished in it. */
  perSecond(nowMs: number): number | null {
    this.#forget(nowMs);
    const oldest = this.#events[0];
    if (oldest === undefined) return null;
    const items = this.#events.reduce((sum, event) => sum + event.items, 0);
    return items / (Math.max(1000, nowMs - oldest.atMs) / 1000);
  }

  #forget(nowMs: number): void {
    while (this.#events.length > 0 && this.#events[0]!.atMs < nowMs - WINDOW_MS) this.#events.shift();
  }
}
