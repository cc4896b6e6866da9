/**
 * What precedes the pixels of a VP8L image: transforms, colour cache, prefix codes (RFC 9649, sections 3.6 and 4 to 6;
 * libwebp src/dec/vp8l_dec.c `DecodeImageStream`, `ReadTransform`, `ReadHuffmanCodes`).
 */
import { corruptWebp } from './errors.ts';
import type { LsbBitReader } from './vp8l-bit-reader.ts';
import { GroupReader, type PrefixGroup } from './vp8l-groups.ts';
import { PrefixCodeReader } from './vp8l-huffman.ts';
import { type PixelStream, readPixels } from './vp8l-pixels.ts';
import {
  COLOR_INDEXING_TRANSFORM,
  expandPalette,
  SUBTRACT_GREEN_TRANSFORM,
  type Vp8lTransform,
} from './vp8l-transforms.ts';

/** Largest colour cache, in bits of its index. */
const MAX_CACHE_BITS = 11;

/** A level-0 image up to its first pixel. */
export interface Vp8lStream {
  /** Transforms in stream order; they are undone from the last to the first. */
  readonly transforms: readonly Vp8lTransform[];
  readonly pixels: PixelStream;
  /** Entries of all lookup tables. */
  readonly tableEntries: number;
  /** Groups of prefix codes that are used. */
  readonly groupCount: number;
}

/**
 * Reads everything before the pixels.
 *
 * @param countOnly true: prefix codes are checked and counted, and `pixels.groups` stays empty
 * @throws {ImageError} `corrupt_image`, also where the data ends
 */
export function readVp8lStream(reader: LsbBitReader, width: number, height: number, countOnly: boolean): Vp8lStream {
  const codes = new PrefixCodeReader();
  const transforms: Vp8lTransform[] = [];
  let codedWidth = width;
  let seen = 0;
  while (reader.readBits(1) === 1) {
    const type = reader.readBits(2);
    if ((seen & (1 << type)) !== 0) throw corruptWebp(`transform ${type} comes twice`);
    seen |= 1 << type;
    const transform = readTransform(reader, codes, type, codedWidth, height);
    transforms.push(transform);
    if (type === COLOR_INDEXING_TRANSFORM) codedWidth = subsample(codedWidth, transform.bits);
  }
  const cacheBits = readCacheBits(reader);
  let tiles: Int32Array | undefined;
  let tileBits = 0;
  if (reader.readBits(1) === 1) {
    tileBits = 2 + reader.readBits(3);
    tiles = readSubImage(reader, codes, subsample(codedWidth, tileBits), subsample(height, tileBits));
  }
  if (reader.exhausted) throw corruptWebp('VP8L data ends before its prefix codes');
  const groupReader = new GroupReader(codes);
  const used = tiles === undefined ? undefined : numberGroups(tiles);
  const groups: PrefixGroup[] = [];
  let groupCount = 0;
  for (let i = 0; i < (used === undefined ? 1 : used.length); i++) {
    if (used !== undefined && used[i] === UNUSED) {
      groupReader.skip(reader, cacheBits);
    } else if (countOnly) {
      groupReader.count(reader, cacheBits);
      groupCount++;
    } else {
      // Groups are numbered by their first use, which need not be their order in the stream.
      groups[used === undefined ? 0 : used[i]!] = groupReader.read(reader, cacheBits);
      groupCount++;
    }
  }
  return {
    transforms,
    pixels: { width: codedWidth, height, cacheBits, groups, tiles, tileBits },
    tableEntries: groupReader.entries,
    groupCount,
  };
}

function readTransform(
  reader: LsbBitReader,
  codes: PrefixCodeReader,
  type: number,
  width: number,
  height: number,
): Vp8lTransform {
  if (type === SUBTRACT_GREEN_TRANSFORM) return { type, bits: 0, width, data: new Int32Array(0) };
  if (type === COLOR_INDEXING_TRANSFORM) {
    const colors = reader.readBits(8) + 1;
    const bits = colors > 16 ? 0 : colors > 4 ? 1 : colors > 2 ? 2 : 3;
    return { type, bits, width, data: expandPalette(readSubImage(reader, codes, colors, 1), bits) };
  }
  const bits = 2 + reader.readBits(3);
  return { type, bits, width, data: readSubImage(reader, codes, subsample(width, bits), subsample(height, bits)) };
}

/** An image that carries parameters: no transforms, one group of codes. */
function readSubImage(reader: LsbBitReader, codes: PrefixCodeReader, width: number, height: number): Int32Array {
  const cacheBits = readCacheBits(reader);
  const groups = [new GroupReader(codes).read(reader, cacheBits)];
  const pixels = new Int32Array(width * height);
  const stream = { width, height, cacheBits, groups, tiles: undefined, tileBits: 0 };
  if (!readPixels(reader, stream, pixels, undefined) || reader.exhausted) {
    throw corruptWebp('VP8L data ends inside its transforms');
  }
  return pixels;
}

function readCacheBits(reader: LsbBitReader): number {
  if (reader.readBits(1) === 0) return 0;
  const bits = reader.readBits(4);
  if (bits < 1 || bits > MAX_CACHE_BITS) throw corruptWebp(`colour cache of ${bits} bits; 1 to 11 exist`);
  return bits;
}

/** Marks a group that no tile uses. */
const UNUSED = -1;

/**
 * Numbers the groups that tiles use in order of appearance, in place, so that a file cannot have tables built that no
 * pixel needs.
 *
 * @param tiles in: the entropy image, group numbers in red and green; out: new numbers
 * @returns new number of each group in the stream, or `UNUSED`
 */
function numberGroups(tiles: Int32Array): Int32Array {
  let count = 0;
  for (let i = 0; i < tiles.length; i++) {
    const group = (tiles[i]! >> 8) & 0xffff;
    tiles[i] = group;
    if (group >= count) count = group + 1;
  }
  const numbers = new Int32Array(count).fill(UNUSED);
  let next = 0;
  for (let i = 0; i < tiles.length; i++) {
    const group = tiles[i]!;
    if (numbers[group] === UNUSED) numbers[group] = next++;
    tiles[i] = numbers[group]!;
  }
  return numbers;
}

function subsample(size: number, bits: number): number {
  return (size + (1 << bits) - 1) >> bits;
}
