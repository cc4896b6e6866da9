/** Memory for request bodies in tests: as much as is wanted, at once. */
import type { BodyMemory } from '../../worker/routes/support/request-body.ts';

/** Memory of bodies up to `maxBytes`, whose clients may take their time. */
export function testBodyMemory(maxBytes: number, held: ArrayBuffer[] = []): BodyMemory {
  return {
    maxBytes,
    deadlines: { idleMs: 1000, totalMs: 1000, now: () => 0, after: () => () => {} },
    reserve: async () => {},
    arrived: async () => {},
    giveUp: (source, error) => source.cancel(error),
    hold: (buffer) => void held.push(buffer),
    settle() {},
  };
}
