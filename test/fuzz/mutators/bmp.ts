/** Mutations that know BMP: header fields of every header version, palettes, masks, RLE bytes. */
import { type Mutator, mutateBytes, scribble } from './bytes.ts';

const FILE_HEADER_BYTES = 14;

/** Fields as `[offset, bits]`: pixel offset, header size, edges, planes, depth, compression, sizes, colours, masks. */
const FIELDS: readonly (readonly [number, 16 | 32])[] = [
  [2, 32],
  [10, 32],
  [14, 32],
  [18, 32],
  [18, 16],
  [20, 16],
  [22, 32],
  [26, 16],
  [28, 16],
  [30, 32],
  [34, 32],
  [46, 32],
  [50, 32],
  [54, 32],
  [58, 32],
  [62, 32],
  [66, 32],
];

const HEADER_SIZES = [12, 16, 40, 52, 56, 64, 108, 124];

/** One mutation of a BMP's structure. */
export const mutateBmp: Mutator = (random, bytes, other) => {
  if (bytes.length < FILE_HEADER_BYTES + 12) return mutateBytes(random, bytes, other);
  const out = bytes.slice();
  const view = new DataView(out.buffer);
  const pixels = Math.min(view.getUint32(10, true), out.length);
  switch (random.below(6)) {
    case 0:
      view.setUint32(14, random.pick(HEADER_SIZES), true);
      return out;
    case 1:
      if (out.length >= 30) view.setUint16(28, random.pick([1, 2, 4, 8, 16, 24, 32, 0, 3]), true);
      return out;
    case 2:
      if (out.length >= 34) view.setUint32(30, random.below(8), true);
      return out;
    case 3:
      return scribble(random, out, pixels, out.length);
    default: {
      const [at, bits] = random.pick(FIELDS);
      if (at + bits / 8 > out.length) return mutateBytes(random, bytes, other);
      const edge = (at === 18 || at === 22) && random.chance(0.7);
      if (bits === 16) view.setUint16(at, random.border(16, view.getUint16(at, true)), true);
      else
        view.setUint32(
          at,
          edge ? random.edge(32, 100) * random.pick([1, -1]) : random.border(32, view.getUint32(at, true)),
          true,
        );
      return out;
    }
  }
};
