/** Mutations of an ordered list of pieces (segments, chunks, blocks): dropped, doubled, swapped, borrowed. */
import type { Random } from '../random.ts';

/** Drops, doubles, swaps or borrows one of `pieces`; the first is left in its place. */
export function shuffle<T>(random: Random, pieces: readonly T[], others: readonly T[]): T[] {
  const out = pieces.slice();
  if (out.length < 2) return out;
  const at = random.between(1, out.length - 1);
  switch (random.below(4)) {
    case 0:
      out.splice(at, 1);
      break;
    case 1:
      out.splice(random.between(1, out.length), 0, out[at]!);
      break;
    case 2: {
      const to = random.between(1, out.length - 1);
      [out[at], out[to]] = [out[to]!, out[at]!];
      break;
    }
    default:
      if (others.length > 0) out.splice(at, random.below(2), random.pick(others));
  }
  return out;
}
