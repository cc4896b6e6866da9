/** Places blocks that are needed for a time each, so that those whose times overlap do not overlap. Pure arithmetic. */

/** A block of memory that is needed from one tick to another, both included. */
export interface Interval {
  readonly bytes: number;
  readonly from: number;
  readonly to: number;
}

/** Where each block is, and how much all of them take. */
export interface Placement {
  readonly offsets: readonly number[];
  readonly bytes: number;
}

/**
 * Places blocks, the largest first, each at the lowest offset where it meets none of its time. On BiT's networks that comes out at what
 * is needed at the fullest tick, or close to it.
 */
export function placeIntervals(intervals: readonly Interval[]): Placement {
  const order = intervals.map((_, index) => index).sort((a, b) => intervals[b]!.bytes - intervals[a]!.bytes || a - b);
  const offsets = new Array<number>(intervals.length).fill(0);
  /** Blocks that have their place, lowest first. */
  const placed: number[] = [];
  let bytes = 0;
  for (const index of order) {
    const block = intervals[index]!;
    let offset = 0;
    for (const other of placed) {
      const there = intervals[other]!;
      if (there.to < block.from || there.from > block.to) continue;
      if (offset + block.bytes <= offsets[other]!) break;
      offset = Math.max(offset, offsets[other]! + there.bytes);
    }
    offsets[index] = offset;
    const after = placed.findIndex((other) => offsets[other]! > offset);
    placed.splice(after < 0 ? placed.length : after, 0, index);
    bytes = Math.max(bytes, offset + block.bytes);
  }
  return { offsets, bytes };
}
