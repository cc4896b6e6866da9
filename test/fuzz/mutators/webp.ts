/** Mutations that know WebP: RIFF chunks, VP8X flags, frame headers of VP8 and VP8L, alpha and animation headers. */
import type { Random } from '../random.ts';
import { concat, type Mutator, mutateBytes, scribble } from './bytes.ts';
import { shuffle } from './chunks.ts';

const RIFF_HEADER_BYTES = 12;

interface Chunk {
  /** FourCC, latin-1. */
  readonly type: string;
  readonly data: Uint8Array;
  /** What the size field says. */
  readonly size: number;
}

function parse(bytes: Uint8Array): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  for (let at = RIFF_HEADER_BYTES; at + 8 <= bytes.length; ) {
    const size = view.getUint32(at + 4, true);
    const type = String.fromCharCode(...bytes.subarray(at, at + 4));
    chunks.push({ type, data: bytes.slice(at + 8, at + 8 + size), size });
    at += 8 + size + (size & 1);
  }
  return chunks;
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}

function serialize(random: Random, chunks: readonly Chunk[]): Uint8Array {
  const body = concat(
    chunks.flatMap(({ type, data, size }) => [
      Uint8Array.from(type, (letter) => letter.charCodeAt(0)),
      uint32(size),
      data,
      new Uint8Array(data.length & 1),
    ]),
  );
  const riffSize = random.chance(0.05) ? random.border(32, body.length + 4) : body.length + 4;
  return concat([
    Uint8Array.from('RIFF', (c) => c.charCodeAt(0)),
    uint32(riffSize),
    Uint8Array.from('WEBP', (c) => c.charCodeAt(0)),
    body,
  ]);
}

/** Bytes at the front of a chunk that hold its header fields. */
const HEADER_BYTES: Readonly<Record<string, number>> = { 'VP8 ': 30, VP8L: 40, VP8X: 10, ALPH: 1, ANMF: 24, ANIM: 6 };

function mutateVp8(random: Random, data: Uint8Array): Uint8Array {
  const out = data.slice();
  switch (random.below(4)) {
    case 0: {
      // Width or height with their scale bits.
      const at = random.pick([6, 8]);
      const value = random.edge(16, (out[at] ?? 0) | ((out[at + 1] ?? 0) << 8));
      out[at] = value & 255;
      out[at + 1] = value >> 8;
      return out;
    }
    case 1: {
      // Length of the first partition: the upper 19 bits of the frame tag.
      const value = random.border(32, out.length) & 0x7ffff;
      out[0] = ((out[0] ?? 0) & 0x1f) | ((value & 7) << 5);
      out[1] = (value >> 3) & 255;
      out[2] = (value >> 11) & 255;
      return out;
    }
    case 2:
      return scribble(random, out, 10, Math.min(out.length, 200));
    default:
      return scribble(random, out, 0, out.length);
  }
}

function mutateChunk(random: Random, chunk: Chunk): Chunk {
  const { type, data } = chunk;
  if (random.chance(0.1)) return { ...chunk, size: random.border(32, chunk.size) };
  if (random.chance(0.05))
    return { ...chunk, type: random.pick(['VP8 ', 'VP8L', 'VP8X', 'ALPH', 'ANMF', 'EXIF', 'zzzz']) };
  if (data.length === 0) return chunk;
  let changed: Uint8Array;
  if (type === 'VP8 ' && random.chance(0.7)) changed = mutateVp8(random, data);
  else if (random.chance(0.5)) changed = scribble(random, data, 0, Math.min(HEADER_BYTES[type] ?? 16, data.length));
  else changed = mutateBytes(random, data, data);
  return { type, data: changed, size: changed.length };
}

/** One mutation of a WebP file's structure. */
export const mutateWebp: Mutator = (random, bytes, other) => {
  const chunks = parse(bytes);
  if (chunks.length === 0) return mutateBytes(random, bytes, other);
  if (random.chance(0.12)) return serialize(random, shuffle(random, chunks, parse(other)));
  const at = random.below(chunks.length);
  chunks[at] = mutateChunk(random, chunks[at]!);
  return serialize(random, chunks);
};
