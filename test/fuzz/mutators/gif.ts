/** Mutations that know GIF: screen and image descriptors, colour tables, extension blocks, LZW code sizes and sub-blocks. */
import type { Random } from '../random.ts';
import { concat, type Mutator, noise, scribble } from './bytes.ts';
import { shuffle } from './chunks.ts';

const SCREEN_BYTES = 13;
const EXTENSION = 0x21;
const IMAGE = 0x2c;

/** The screen descriptor with its colour table, one extension, one image, or the trailer. */
interface Block {
  readonly kind: 'screen' | 'extension' | 'image' | 'rest';
  /** All but the sub-blocks. */
  readonly head: Uint8Array;
  /** Payloads of the sub-blocks. */
  readonly data: readonly Uint8Array[];
}

function colorTableBytes(flags: number): number {
  return (flags & 0x80) === 0 ? 0 : 3 << ((flags & 7) + 1);
}

function parse(bytes: Uint8Array): Block[] {
  let at = SCREEN_BYTES + colorTableBytes(bytes[10] ?? 0);
  const blocks: Block[] = [{ kind: 'screen', head: bytes.slice(0, at), data: [] }];
  while (at < bytes.length) {
    const start = at;
    const kind = bytes[at] === EXTENSION ? 'extension' : bytes[at] === IMAGE ? 'image' : 'rest';
    if (kind === 'rest') {
      blocks.push({ kind, head: bytes.slice(at), data: [] });
      break;
    }
    at += kind === 'extension' ? 2 : 10 + colorTableBytes(bytes[at + 9] ?? 0) + 1;
    const head = bytes.slice(start, at);
    const data: Uint8Array[] = [];
    for (let size = bytes[at] ?? 0; size > 0; size = bytes[at] ?? 0) {
      data.push(bytes.slice(at + 1, at + 1 + size));
      at += 1 + size;
    }
    at++;
    blocks.push({ kind, head, data });
  }
  return blocks;
}

function serialize(blocks: readonly Block[]): Uint8Array {
  return concat(
    blocks.flatMap(({ kind, head, data }) => {
      if (kind === 'screen' || kind === 'rest') return [head];
      return [head, ...data.flatMap((each) => [Uint8Array.of(each.length), each]), Uint8Array.of(0)];
    }),
  );
}

function setEdge(random: Random, head: Uint8Array, at: number): void {
  const value = random.edge(16, (head[at] ?? 0) | ((head[at + 1] ?? 0) << 8));
  head[at] = value & 255;
  head[at + 1] = value >> 8;
}

function mutateBlock(random: Random, block: Block): Block {
  const head = block.head.slice();
  const { data } = block;
  if (data.length > 0 && random.chance(0.5)) {
    const out = data.slice();
    const at = random.below(out.length);
    const piece = out[at]!;
    if (random.chance(0.6)) out[at] = scribble(random, piece, 0, piece.length);
    else if (random.chance(0.5)) out.splice(at, 1);
    else out.splice(at, 0, noise(random, 1 + random.below(255)));
    return { ...block, data: out };
  }
  const edges = block.kind === 'screen' ? [6, 8] : [1, 3, 5, 7];
  switch (random.below(4)) {
    case 0:
      setEdge(random, head, random.pick(edges));
      break;
    case 1:
      head[block.kind === 'screen' ? 10 : 9] = random.below(256);
      break;
    case 2:
      // The LZW code size of an image, the last table byte of a screen.
      head[head.length - 1] = random.pick([0, 1, 2, 7, 8, 9, 11, 12, 13, 255]);
      break;
    default:
      return { ...block, head: scribble(random, head, 0, head.length) };
  }
  return { ...block, head };
}

/** One mutation of a GIF's structure. */
export const mutateGif: Mutator = (random, bytes, other) => {
  const blocks = parse(bytes);
  if (random.chance(0.15)) return serialize(shuffle(random, blocks, parse(other)));
  const at = random.below(blocks.length);
  blocks[at] = mutateBlock(random, blocks[at]!);
  return serialize(blocks);
};
