/** Mutations that know PNG: chunks, header fields, the zlib stream and the filtered scanlines inside it. */
import { crc32, deflateSync, inflateSync } from 'node:zlib';
import type { Random } from '../random.ts';
import { concat, type Mutator, mutateBytes, scribble } from './bytes.ts';
import { shuffle } from './chunks.ts';

const SIGNATURE_BYTES = 8;

interface Chunk {
  /** Four letters, latin-1. */
  readonly type: string;
  readonly data: Uint8Array;
  /** What the length field says. */
  readonly length: number;
  /** What the CRC field says; null for the right one. */
  readonly crc: number | null;
}

function parse(bytes: Uint8Array): Chunk[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: Chunk[] = [];
  for (let at = SIGNATURE_BYTES; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const data = bytes.slice(at + 8, at + 8 + length);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    chunks.push({ type, data, length, crc: null });
    at += 12 + length;
  }
  return chunks;
}

function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

function serialize(signature: Uint8Array, chunks: readonly Chunk[]): Uint8Array {
  const parts: Uint8Array[] = [signature];
  for (const { type, data, length, crc } of chunks) {
    const body = concat([Uint8Array.from(type, (letter) => letter.charCodeAt(0)), data]);
    parts.push(uint32(length), body, uint32(crc ?? crc32(body)));
  }
  return concat(parts);
}

function withData(chunk: Chunk, data: Uint8Array): Chunk {
  return { ...chunk, data, length: data.length };
}

function mutateHeader(random: Random, chunk: Chunk): Chunk {
  const data = chunk.data.slice();
  const view = new DataView(data.buffer);
  if (data.length < 13) return withData(chunk, scribble(random, data, 0, data.length));
  switch (random.below(6)) {
    case 0:
    case 1: {
      const at = random.pick([0, 4]);
      view.setUint32(at, random.edge(32, view.getUint32(at)));
      break;
    }
    case 2:
      data[8] = random.pick([1, 2, 4, 8, 16, 3, 0]);
      break;
    case 3:
      data[9] = random.pick([0, 2, 3, 4, 6, 1, 7]);
      break;
    case 4:
      data[12] = random.pick([0, 1, 2]);
      break;
    default:
      data[random.pick([10, 11])] = random.below(3);
  }
  return withData(chunk, data);
}

/** Inflates, changes scanlines or their filter bytes, and deflates again. */
function mutateScanlines(random: Random, chunks: readonly Chunk[], at: number): Chunk[] {
  const out = chunks.slice();
  const stream = concat(chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data));
  let lines: Uint8Array;
  try {
    lines = new Uint8Array(inflateSync(stream, { maxOutputLength: 4_000_000 }));
  } catch {
    out[at] = withData(chunks[at]!, scribble(random, chunks[at]!.data, 0, chunks[at]!.data.length));
    return out;
  }
  const changed = mutateBytes(random, lines, lines);
  const first = out.findIndex(({ type }) => type === 'IDAT');
  const rest = out.filter(({ type }, i) => type !== 'IDAT' || i === first);
  rest[first] = withData(out[first]!, new Uint8Array(deflateSync(changed, { level: random.pick([0, 1, 6]) })));
  return rest;
}

function mutateChunk(random: Random, chunks: readonly Chunk[], at: number): Chunk[] {
  const chunk = chunks[at]!;
  if (chunk.type === 'IDAT' && random.chance(0.5)) return mutateScanlines(random, chunks, at);
  const out = chunks.slice();
  const roll = random.below(12);
  if (chunk.type === 'IHDR' && roll < 9) out[at] = mutateHeader(random, chunk);
  else if (roll === 0) out[at] = { ...chunk, length: random.border(32, chunk.length) };
  else if (roll === 1) out[at] = { ...chunk, crc: random.uint32() };
  else if (roll === 2)
    out[at] = { ...chunk, type: random.pick(['IDAT', 'PLTE', 'tRNS', 'IEND', 'IHDR', 'eXIf', 'acTL', 'zzzz', 'ZZZZ']) };
  else if (roll === 3 && chunk.data.length > 1) {
    const cut = random.between(1, chunk.data.length - 1);
    out.splice(at, 1, withData(chunk, chunk.data.slice(0, cut)), withData(chunk, chunk.data.slice(cut)));
  } else if (chunk.data.length > 0) out[at] = withData(chunk, mutateBytes(random, chunk.data, chunk.data));
  return out;
}

/** One mutation of a PNG's structure; CRCs are right unless they are what is changed. */
export const mutatePng: Mutator = (random, bytes, other) => {
  const chunks = parse(bytes);
  if (chunks.length < 2) return mutateBytes(random, bytes, other);
  const signature = bytes.subarray(0, SIGNATURE_BYTES);
  if (random.chance(0.15)) return serialize(signature, shuffle(random, chunks, parse(other)));
  if (random.chance(0.05)) {
    const type = random.pick(['tRNS', 'PLTE', 'eXIf', 'IDAT']);
    const data = Uint8Array.from({ length: random.below(40) }, () => random.below(256));
    chunks.splice(random.between(1, chunks.length), 0, { type, data, length: data.length, crc: null });
    return serialize(signature, chunks);
  }
  return serialize(signature, mutateChunk(random, chunks, random.below(chunks.length)));
};
