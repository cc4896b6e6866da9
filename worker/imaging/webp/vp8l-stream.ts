/**
 * What precedes the pixels of a VP8L image: transforms, colour cache, prefix codes (RFC 9649, sections 3.6 and 4 to 6;
 * libwebp src/dec/vp8l_dec.c `DecodeImageStream`, `ReadTransform`, `ReadHuffmanCodes`).
 */
import { corruptWebp } from './errors.ts';
import type { LsbBitReader } from './vp8l-bit-reader.ts';
import { GROUP_READER_BYTES, GroupReader, groupBytes, type PrefixGroup } from './vp8l-groups.ts';
import { type PixelRows, type PixelStream, readPixels, windowSize } from './vp8l-pixels.ts';
import {
  COLOR_INDEXING_TRANSFORM,
  expandPalette,
  SUBTRACT_GREEN_TRANSFORM,
  type Vp8lTransform,
} from './vp8l-transforms.ts';

/** Largest colour cache, in bits of its index. */
const MAX_CACHE_BITS = 11;

/** An image up to its first pixel. */
export interface Vp8lStream {
  /** Transforms in stream order; they are undone from the last to the first. */
  readonly transforms: readonly Vp8lTransform[];
  readonly pixels: PixelStream;
}

/**
 * Reads everything before the pixels.
 *
 * @throws {ImageError} `corrupt_image`, also where the data ends
 */
export function readVp8lStream(reader: LsbBitReader, width: number, height: number): Vp8lStream {
  return new StreamReader(reader, false).read(width, height);
}

/** What `readVp8lStream` would allocate, and return. */
export interface Vp8lMeasure {
  readonly bytes: number;
  /** Without its data; undefined where the bitstream ends early. */
  readonly stream: Vp8lStream | undefined;
}

/**
 * Measures what `readVp8lStream` allocates: tables are counted and parameter images read through a window, so that
 * asking costs little memory whatever the answer.
 *
 * @throws {ImageError} `corrupt_image`, but not where the data ends
 */
export function measureVp8lStream(reader: LsbBitReader, width: number, height: number): Vp8lMeasure {
  const measure = new StreamReader(reader, true);
  try {
    const stream = measure.read(width, height);
    return { bytes: measure.bytes, stream };
  } catch (error) {
    if (!reader.exhausted) throw error;
    return { bytes: measure.bytes, stream: undefined };
  }
}

class StreamReader {
  private readonly reader: LsbBitReader;
  /** True: `transforms` and `pixels` of the result have no data. */
  private readonly measure: boolean;
  private readonly groups = new GroupReader();
  /** Bytes allocated, or measured, so far. */
  bytes = GROUP_READER_BYTES;

  constructor(reader: LsbBitReader, measure: boolean) {
    this.reader = reader;
    this.measure = measure;
  }

  read(width: number, height: number): Vp8lStream {
    const { reader } = this;
    const transforms: Vp8lTransform[] = [];
    let codedWidth = width;
    let seen = 0;
    while (reader.readBits(1) === 1) {
      const type = reader.readBits(2);
      if ((seen & (1 << type)) !== 0) throw corruptWebp(`transform ${type} comes twice`);
      seen |= 1 << type;
      const transform = this.readTransform(type, codedWidth, height);
      transforms.push(transform);
      if (type === COLOR_INDEXING_TRANSFORM) codedWidth = subsample(codedWidth, transform.bits);
    }
    const cacheBits = this.readCacheBits();
    const tiles = this.readTiles(codedWidth, height);
    if (reader.exhausted) throw corruptWebp('VP8L data ends before its prefix codes');
    const groups = this.readGroups(tiles, cacheBits);
    return {
      transforms,
      pixels: { width: codedWidth, height, cacheBits, groups, tiles: tiles.tiles, tileBits: tiles.tileBits },
    };
  }

  private readTransform(type: number, width: number, height: number): Vp8lTransform {
    if (type === SUBTRACT_GREEN_TRANSFORM) return { type, bits: 0, width, data: NO_DATA };
    if (type === COLOR_INDEXING_TRANSFORM) {
      const colors = this.reader.readBits(8) + 1;
      const bits = colors > 16 ? 0 : colors > 4 ? 1 : colors > 2 ? 2 : 3;
      const data = expandPalette(this.readSubImage(colors, 1), bits);
      this.bytes += data.byteLength;
      return { type, bits, width, data };
    }
    const bits = 2 + this.reader.readBits(3);
    return { type, bits, width, data: this.readSubImage(subsample(width, bits), subsample(height, bits)) };
  }

  private readCacheBits(): number {
    if (this.reader.readBits(1) === 0) return 0;
    const bits = this.reader.readBits(4);
    if (bits < 1 || bits > MAX_CACHE_BITS) throw corruptWebp(`colour cache of ${bits} bits; 1 to 11 exist`);
    this.bytes += 4 << bits;
    return bits;
  }

  /** An image that carries parameters: no transforms, one group of codes. Empty where memory is only measured. */
  private readSubImage(width: number, height: number, rows?: PixelRows): Int32Array {
    const { reader } = this;
    const cacheBits = this.readCacheBits();
    const group = this.groups.read(reader, cacheBits);
    this.bytes += groupBytes(group.table.length) + width * height * 4;
    const stream = { width, height, cacheBits, groups: [group], tiles: undefined, tileBits: 0 };
    const pixels = new Int32Array(this.measure ? windowSize(width, height) : width * height);
    if (!readPixels(reader, stream, pixels, rows) || reader.exhausted) {
      throw corruptWebp('VP8L data ends inside its transforms');
    }
    return this.measure && height > 1 ? NO_DATA : pixels;
  }

  /** The entropy image, if there is one, and the groups it names. */
  private readTiles(width: number, height: number): Tiles {
    if (this.reader.readBits(1) === 0) return { tiles: undefined, tileBits: 0, used: undefined };
    const tileBits = 2 + this.reader.readBits(3);
    const tilesWidth = subsample(width, tileBits);
    const used = new UsedGroups(tilesWidth);
    this.bytes += USED_GROUPS_BYTES;
    return { tiles: this.readSubImage(tilesWidth, subsample(height, tileBits), used), tileBits, used };
  }

  /**
   * Reads the groups of prefix codes, and renumbers the tiles. Groups that no tile uses are only checked, so that a file
   * cannot have tables built that no pixel needs.
   */
  private readGroups({ tiles, used }: Tiles, cacheBits: number): PrefixGroup[] {
    const groups: PrefixGroup[] = [];
    if (tiles === undefined || used === undefined) {
      this.readGroup(groups, cacheBits);
      return groups;
    }
    const numbers = new Int32Array(used.count);
    this.bytes += numbers.byteLength;
    for (let i = 0; i < used.count; i++) {
      numbers[i] = groups.length;
      if (used.has(i)) this.readGroup(groups, cacheBits);
      else this.groups.measure(this.reader, cacheBits);
    }
    for (let i = 0; i < tiles.length; i++) tiles[i] = numbers[groupOf(tiles[i]!)]!;
    return groups;
  }

  private readGroup(groups: PrefixGroup[], cacheBits: number): void {
    if (this.measure) {
      this.bytes += groupBytes(this.groups.measure(this.reader, cacheBits));
      return;
    }
    const group = this.groups.read(this.reader, cacheBits);
    this.bytes += groupBytes(group.table.length);
    groups.push(group);
  }
}

interface Tiles {
  readonly tiles: Int32Array | undefined;
  readonly tileBits: number;
  readonly used: UsedGroups | undefined;
}

const NO_DATA = new Int32Array(0);

/** Bytes that `new UsedGroups()` allocates: a bit for each of the 65,536 groups that an entropy image can name. */
const USED_GROUPS_BYTES = 8192;

/** Notes which groups the tiles name, row by row. */
class UsedGroups implements PixelRows {
  /** One more than the highest group named: how many the stream has. */
  count = 0;
  private readonly width: number;
  private readonly bits = new Uint8Array(USED_GROUPS_BYTES);

  constructor(width: number) {
    this.width = width;
  }

  take(pixels: Int32Array, at: number, _y: number, rows: number): void {
    for (let i = at, end = at + rows * this.width; i < end; i++) {
      const group = groupOf(pixels[i]!);
      this.bits[group >> 3]! |= 1 << (group & 7);
      if (group >= this.count) this.count = group + 1;
    }
  }

  has(group: number): boolean {
    return (this.bits[group >> 3]! & (1 << (group & 7))) !== 0;
  }
}

/** The group that a pixel of the entropy image names: red and green. */
function groupOf(pixel: number): number {
  return (pixel >> 8) & 0xffff;
}

function subsample(size: number, bits: number): number {
  return (size + (1 << bits) - 1) >> bits;
}
