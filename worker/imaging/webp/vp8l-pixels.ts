/**
 * The entropy-coded pixels of VP8L: literals, copies and colour cache hits (RFC 9649, sections 3.7.3 and 5.2;
 * libwebp src/dec/vp8l_dec.c `DecodeImageData`).
 *
 * Pixels are ARGB in 32 bits. Since no copy reaches back further than a million pixels, they live in a window that
 * slides, not in a buffer of the whole image.
 */
import { corruptWebp } from './errors.ts';
import { type LsbBitReader, lastBits } from './vp8l-bit-reader.ts';
import { LENGTH_CODES, LITERALS, type PrefixGroup } from './vp8l-groups.ts';
import { ROOT_BITS } from './vp8l-huffman.ts';

/** Furthest that a copy reaches back, px: the largest distance code, less the 120 that name neighbours. */
const MAX_DISTANCE_PX: number = 1 << 20;

/** Window size of large images, px. Half of it is kept when it slides. */
const WINDOW_PX: number = 2 * MAX_DISTANCE_PX;

/** Longest copy, px. */
const MAX_LENGTH_PX = 4096;

/** Rows are handed on in batches of this many, as libwebp does (`NUM_ARGB_CACHE_ROWS`). */
const BATCH_ROWS = 16;

/** Multiplier of the colour cache's hash (section 5.2.3). */
const CACHE_HASH = 0x1e35a7bd;

/** Copies shorter than this are cheaper one pixel at a time. */
const SHORT_COPY_PX = 16;

/** Neighbours that the first 120 distance codes name (section 5.2.2): rows up, 8 - columns left. */
const NEIGHBOURS = new Uint8Array([
  0x18, 0x07, 0x17, 0x19, 0x28, 0x06, 0x27, 0x29, 0x16, 0x1a, 0x26, 0x2a, 0x38, 0x05, 0x37, 0x39, 0x15, 0x1b, 0x36,
  0x3a, 0x25, 0x2b, 0x48, 0x04, 0x47, 0x49, 0x14, 0x1c, 0x35, 0x3b, 0x46, 0x4a, 0x24, 0x2c, 0x58, 0x45, 0x4b, 0x34,
  0x3c, 0x03, 0x57, 0x59, 0x13, 0x1d, 0x56, 0x5a, 0x23, 0x2d, 0x44, 0x4c, 0x55, 0x5b, 0x33, 0x3d, 0x68, 0x02, 0x67,
  0x69, 0x12, 0x1e, 0x66, 0x6a, 0x22, 0x2e, 0x54, 0x5c, 0x43, 0x4d, 0x65, 0x6b, 0x32, 0x3e, 0x78, 0x01, 0x77, 0x79,
  0x53, 0x5d, 0x11, 0x1f, 0x64, 0x6c, 0x42, 0x4e, 0x76, 0x7a, 0x21, 0x2f, 0x75, 0x7b, 0x31, 0x3f, 0x63, 0x6d, 0x52,
  0x5e, 0x00, 0x74, 0x7c, 0x41, 0x4f, 0x10, 0x20, 0x62, 0x6e, 0x30, 0x73, 0x7d, 0x51, 0x5f, 0x40, 0x72, 0x7e, 0x61,
  0x6f, 0x50, 0x71, 0x7f, 0x60, 0x70,
]);

/** An entropy-coded image, ready to be read. */
export interface PixelStream {
  /** Width as coded, px: several palette indices may share a pixel. */
  readonly width: number;
  readonly height: number;
  /** Colour cache of `1 << cacheBits` entries; 0: none. */
  readonly cacheBits: number;
  readonly groups: readonly PrefixGroup[];
  /** Index into `groups` for each tile; undefined: one group for all. */
  readonly tiles: Int32Array | undefined;
  /** Tiles are `1 << tileBits` px square. */
  readonly tileBits: number;
}

/** Takes finished rows: `count` of them from row `y`, the first pixel at `pixels[at]`. */
export interface PixelRows {
  take(pixels: Int32Array, at: number, y: number, count: number): void;
}

/** Pixels that the window needs for an image of this size. */
export function windowSize(width: number, height: number): number {
  return Math.min(width * height, WINDOW_PX);
}

/**
 * Reads all pixels.
 *
 * @param window `windowSize` elements; holds the whole image afterwards where that fits
 * @param rows takes the rows as they are finished, if given
 * @param lastMayOverrun true: the data may end inside the last symbol (libwebp's 8-bit alpha path)
 * @returns false where the data ends before the image; rows were handed on in whole batches only
 * @throws {ImageError} `corrupt_image` where a copy leaves the image
 */
export function readPixels(
  reader: LsbBitReader,
  stream: PixelStream,
  window: Int32Array,
  rows: PixelRows | undefined,
  lastMayOverrun = false,
): boolean {
  const { width, height, groups, tiles, tileBits } = stream;
  const total = width * height;
  const tileMask = tiles === undefined ? -1 : (1 << tileBits) - 1;
  const tilesPerRow = (width + (1 << tileBits) - 1) >> tileBits;
  const cacheSize = stream.cacheBits > 0 ? 1 << stream.cacheBits : 0;
  const cache = new Int32Array(cacheSize);
  const cacheShift = 32 - stream.cacheBits;

  const { data } = reader;
  const dataEnd = data.length;
  const lastPair = dataEnd - 1;
  let { pos, hold, count } = reader;

  // Index of the next pixel in the window; of the next one to enter the cache; of window[0] in the image.
  let at = 0;
  let cached = 0;
  let base = 0;
  let column = 0;
  let row = 0;
  let rowsTaken = 0;

  let group = groups[0]!;
  let { table, greenAt, greenMask } = group;

  for (;;) {
    const stopAt = total - base <= window.length ? total - base : window.length - MAX_LENGTH_PX;
    while (at < stopAt) {
      if ((column & tileMask) === 0 && tiles !== undefined) {
        group = groups[tiles[(row >> tileBits) * tilesPerRow + (column >> tileBits)]!]!;
        table = group.table;
        greenAt = group.greenAt;
        greenMask = group.greenMask;
      }
      let pixel = group.literal;
      if (!group.isConstant) {
        if (count < 16) {
          hold |= (pos < lastPair ? data[pos]! | (data[pos + 1]! << 8) : lastBits(data, pos)) << count;
          pos += 2;
          count += 16;
        }
        let entry = table[greenAt + (hold & greenMask)]!;
        let bits = entry & 0xff;
        if (bits > ROOT_BITS) {
          hold >>>= ROOT_BITS;
          count -= ROOT_BITS;
          entry = table[greenAt + (entry >> 8) + (hold & ((1 << (bits - ROOT_BITS)) - 1))]!;
          bits = entry & 0xff;
        }
        hold >>>= bits;
        count -= bits;
        const symbol = entry >> 8;

        if (symbol < LITERALS) {
          if (group.hasLiteral) {
            pixel |= symbol << 8;
          } else {
            if (count < 16) {
              hold |= (pos < lastPair ? data[pos]! | (data[pos + 1]! << 8) : lastBits(data, pos)) << count;
              pos += 2;
              count += 16;
            }
            entry = table[group.redAt + (hold & group.redMask)]!;
            bits = entry & 0xff;
            if (bits > ROOT_BITS) {
              hold >>>= ROOT_BITS;
              count -= ROOT_BITS;
              entry = table[group.redAt + (entry >> 8) + (hold & ((1 << (bits - ROOT_BITS)) - 1))]!;
              bits = entry & 0xff;
            }
            hold >>>= bits;
            count -= bits;
            pixel = (symbol << 8) | ((entry >> 8) << 16);

            if (count < 16) {
              hold |= (pos < lastPair ? data[pos]! | (data[pos + 1]! << 8) : lastBits(data, pos)) << count;
              pos += 2;
              count += 16;
            }
            entry = table[group.blueAt + (hold & group.blueMask)]!;
            bits = entry & 0xff;
            if (bits > ROOT_BITS) {
              hold >>>= ROOT_BITS;
              count -= ROOT_BITS;
              entry = table[group.blueAt + (entry >> 8) + (hold & ((1 << (bits - ROOT_BITS)) - 1))]!;
              bits = entry & 0xff;
            }
            hold >>>= bits;
            count -= bits;
            pixel |= (entry >> 8) | group.alpha;
            if (group.alphaMask !== 0) {
              if (count < 16) {
                hold |= (pos < lastPair ? data[pos]! | (data[pos + 1]! << 8) : lastBits(data, pos)) << count;
                pos += 2;
                count += 16;
              }
              entry = table[group.alphaAt + (hold & group.alphaMask)]!;
              bits = entry & 0xff;
              if (bits > ROOT_BITS) {
                hold >>>= ROOT_BITS;
                count -= ROOT_BITS;
                entry = table[group.alphaAt + (entry >> 8) + (hold & ((1 << (bits - ROOT_BITS)) - 1))]!;
                bits = entry & 0xff;
              }
              hold >>>= bits;
              count -= bits;
              pixel |= (entry >> 8) << 24;
            }
          }
        } else if (symbol < LITERALS + LENGTH_CODES) {
          reader.pos = pos;
          reader.hold = hold;
          reader.count = count;
          const length = readPrefixed(reader, symbol - LITERALS);
          const distance = toDistance(width, readPrefixed(reader, readDistanceSymbol(reader, group)));
          pos = reader.pos;
          hold = reader.hold;
          count = reader.count;
          if (pos > dataEnd && reader.exhausted && !(lastMayOverrun && base + at + length === total)) return false;
          if (base + at < distance || total - base - at < length) {
            throw corruptWebp(`copy of ${length} pixels from ${distance} back at pixel ${base + at} of ${total}`);
          }
          copyPixels(window, at, distance, length);
          at += length;
          column += length;
          while (column >= width) {
            column -= width;
            row++;
          }
          if (rows !== undefined && row - rowsTaken >= BATCH_ROWS) {
            rowsTaken = handOn(rows, window, base, width, rowsTaken, row - (row % BATCH_ROWS));
          }
          if ((column & tileMask) !== 0 && tiles !== undefined) {
            group = groups[tiles[(row >> tileBits) * tilesPerRow + (column >> tileBits)]!]!;
            table = group.table;
            greenAt = group.greenAt;
            greenMask = group.greenMask;
          }
          if (cacheSize > 0) cached = remember(cache, cacheShift, window, cached, at);
          continue;
        } else {
          cached = remember(cache, cacheShift, window, cached, at);
          pixel = cache[symbol - LITERALS - LENGTH_CODES]!;
        }
        if (pos > dataEnd) {
          reader.pos = pos;
          reader.count = count;
          if (reader.exhausted && !(lastMayOverrun && base + at + 1 === total)) return false;
        }
      }

      window[at++] = pixel;
      if (++column === width) {
        column = 0;
        row++;
        if (rows !== undefined && row - rowsTaken >= BATCH_ROWS) {
          rowsTaken = handOn(rows, window, base, width, rowsTaken, row);
        }
        if (cacheSize > 0) cached = remember(cache, cacheShift, window, cached, at);
      }
    }
    if (base + at === total) break;

    if (cacheSize > 0) cached = remember(cache, cacheShift, window, cached, at);
    const shift = at - MAX_DISTANCE_PX;
    window.copyWithin(0, shift, at);
    base += shift;
    at -= shift;
    cached = at;
  }

  reader.pos = pos;
  reader.hold = hold;
  reader.count = count;
  if (rows !== undefined && height > rowsTaken) handOn(rows, window, base, width, rowsTaken, height);
  return true;
}

/** Enters pixels `from .. until - 1` into the colour cache. Done late, since most pixels are never looked up. */
function remember(cache: Int32Array, shift: number, window: Int32Array, from: number, until: number): number {
  for (let i = from; i < until; i++) cache[Math.imul(window[i]!, CACHE_HASH) >>> shift] = window[i]!;
  return until;
}

/** Hands rows `from .. until - 1` on in batches. */
function handOn(rows: PixelRows, window: Int32Array, base: number, width: number, from: number, until: number): number {
  for (let y = from; y < until; ) {
    const count = Math.min(BATCH_ROWS, until - y);
    rows.take(window, y * width - base, y, count);
    y += count;
  }
  return until;
}

/** A length or distance: a prefix symbol and its extra bits (section 5.2.2). */
function readPrefixed(reader: LsbBitReader, symbol: number): number {
  if (symbol < 4) return symbol + 1;
  const extraBits = (symbol - 2) >> 1;
  return ((2 + (symbol & 1)) << extraBits) + reader.readBits(extraBits) + 1;
}

function readDistanceSymbol(reader: LsbBitReader, group: PrefixGroup): number {
  reader.need(16);
  let entry = group.table[group.distanceAt + (reader.hold & group.distanceMask)]!;
  let bits = entry & 0xff;
  if (bits > ROOT_BITS) {
    reader.drop(ROOT_BITS);
    entry = group.table[group.distanceAt + (entry >> 8) + (reader.hold & ((1 << (bits - ROOT_BITS)) - 1))]!;
    bits = entry & 0xff;
  }
  reader.drop(bits);
  return entry >> 8;
}

/** Distance in pixels of a distance code. */
function toDistance(width: number, code: number): number {
  if (code > NEIGHBOURS.length) return code - NEIGHBOURS.length;
  const neighbour = NEIGHBOURS[code - 1]!;
  // A narrow image turns some neighbours into pixels that are still to come.
  return Math.max(1, (neighbour >> 4) * width + 8 - (neighbour & 0xf));
}

/** Copies `length` pixels from `distance` back; source and destination may overlap. */
function copyPixels(window: Int32Array, at: number, distance: number, length: number): void {
  if (length < SHORT_COPY_PX || distance < length) {
    if (distance === 1) {
      window.fill(window[at - 1]!, at, at + length);
      return;
    }
    for (let i = at, end = at + length; i < end; i++) window[i] = window[i - distance]!;
    return;
  }
  window.copyWithin(at, at - distance, at - distance + length);
}
