/**
 * Prefix codes of VP8L (RFC 9649, section 3.7.2.1 and 6.2): code lengths, and two-level lookup tables
 * (libwebp src/dec/vp8l_dec.c `ReadHuffmanCode`, src/utils/huffman_utils.c).
 *
 * A table entry is `value << 8 | bits`. In the first level, `bits` over `ROOT_BITS` points to a second-level table:
 * `value` entries further on, indexed by the next `bits - ROOT_BITS` bits.
 */
import { corruptWebp } from './errors.ts';
import type { LsbBitReader } from './vp8l-bit-reader.ts';

/** Bits that the first level is indexed by, at most. */
export const ROOT_BITS = 8;

/** Longest code. */
const MAX_CODE_BITS = 15;

/** Symbols of the code that code lengths are written in: 16 lengths, three repeats. */
const LENGTH_SYMBOLS = 19;

/** Longest code of that one. */
const MAX_LENGTH_CODE_BITS = 7;

/** Order in which their own lengths come. */
const LENGTH_ORDER = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/** Largest alphabet: green, lengths and an 11-bit colour cache. */
export const MAX_ALPHABET: number = 256 + 24 + 2048;

/** Reads prefix codes. Holds the scratch memory that takes. */
export class PrefixCodeReader {
  private readonly lengths = new Uint8Array(MAX_ALPHABET);
  private readonly sorted = new Uint16Array(MAX_ALPHABET);
  private readonly counts = new Int32Array(MAX_CODE_BITS + 1);
  private readonly offsets = new Int32Array(MAX_CODE_BITS + 2);
  private readonly codeLengths = new Uint8Array(LENGTH_SYMBOLS);
  private readonly lengthTable = new Int32Array(1 << MAX_LENGTH_CODE_BITS);
  /** First-level bits of the code read last: 0 where it has one symbol, which takes no bits. */
  rootBits = 0;

  /**
   * Reads one prefix code.
   *
   * @param alphabet number of symbols
   * @param table where to build the lookup table; undefined to only check the code and count its entries
   * @param at index of the table's first entry
   * @returns entries the table has
   * @throws {ImageError} `corrupt_image` where the code is not complete, or its lengths run past the alphabet
   */
  read(reader: LsbBitReader, alphabet: number, table: Int32Array | undefined, at: number): number {
    const { lengths } = this;
    lengths.fill(0, 0, Math.max(alphabet, 256));
    if (reader.readBits(1) === 1) {
      readSimpleLengths(reader, lengths);
    } else {
      this.readLengths(reader, alphabet);
    }
    if (reader.exhausted) throw corruptWebp('VP8L data ends inside a prefix code');
    return this.build(lengths, alphabet, table, at);
  }

  /** Lengths that are prefix-coded themselves. */
  private readLengths(reader: LsbBitReader, alphabet: number): void {
    const { lengths, codeLengths, lengthTable } = this;
    const count = 4 + reader.readBits(4);
    codeLengths.fill(0);
    for (let i = 0; i < count; i++) codeLengths[LENGTH_ORDER[i]!] = reader.readBits(3);
    this.build(codeLengths, LENGTH_SYMBOLS, lengthTable, 0);
    const mask = (1 << this.rootBits) - 1;

    let left = alphabet;
    if (reader.readBits(1) === 1) {
      const bits = 2 + 2 * reader.readBits(3);
      left = 2 + reader.readBits(bits);
      if (left > alphabet) throw corruptWebp(`prefix code of ${left} lengths for ${alphabet} symbols`);
    }
    let previous = 8;
    for (let symbol = 0; symbol < alphabet && left > 0; left--) {
      reader.need(MAX_LENGTH_CODE_BITS);
      const entry = lengthTable[reader.hold & mask]!;
      reader.drop(entry & 0xff);
      const length = entry >> 8;
      if (length < 16) {
        lengths[symbol++] = length;
        if (length !== 0) previous = length;
        continue;
      }
      const repeat =
        length === 16 ? 3 + reader.readBits(2) : length === 17 ? 3 + reader.readBits(3) : 11 + reader.readBits(7);
      if (symbol + repeat > alphabet) throw corruptWebp(`prefix code runs past its ${alphabet} symbols`);
      lengths.fill(length === 16 ? previous : 0, symbol, symbol + repeat);
      symbol += repeat;
    }
  }

  /** `BuildHuffmanTable`: the code must be complete, or have a single symbol. */
  private build(lengths: Uint8Array, alphabet: number, table: Int32Array | undefined, at: number): number {
    const { counts, offsets, sorted } = this;
    counts.fill(0);
    for (let symbol = 0; symbol < alphabet; symbol++) counts[lengths[symbol]!]!++;
    const used = alphabet - counts[0]!;
    if (used === 0) throw corruptWebp('prefix code without symbols');
    let maxBits = 0;
    let open = 1;
    offsets[1] = 0;
    for (let bits = 1; bits <= MAX_CODE_BITS; bits++) {
      const count = counts[bits]!;
      if (count > 0) maxBits = bits;
      open = open * 2 - count;
      if (open < 0) throw corruptWebp('prefix code is over-subscribed');
      offsets[bits + 1] = offsets[bits]! + count;
    }
    for (let symbol = 0; symbol < alphabet; symbol++) {
      const bits = lengths[symbol]!;
      if (bits > 0) sorted[offsets[bits]!++] = symbol;
    }
    if (used === 1) {
      this.rootBits = 0;
      if (table !== undefined) table[at] = sorted[0]! << 8;
      return 1;
    }
    if (open !== 0) throw corruptWebp('prefix code is incomplete');
    return this.fillTable(maxBits, table, at);
  }

  /** Writes the entries of a complete code, shortest first. */
  private fillTable(maxBits: number, table: Int32Array | undefined, at: number): number {
    const { counts, sorted } = this;
    const rootBits = Math.min(ROOT_BITS, maxBits);
    this.rootBits = rootBits;
    let size = 1 << rootBits;
    let total = size;
    let key = 0;
    let symbol = 0;
    for (let bits = 1; bits <= rootBits; bits++) {
      for (let n = counts[bits]!; n > 0; n--) {
        if (table !== undefined) replicate(table, at + key, 1 << bits, at + size, (sorted[symbol]! << 8) | bits);
        symbol++;
        key = nextKey(key, bits);
      }
    }
    const mask = size - 1;
    let low = -1;
    let tableAt = at;
    for (let bits = rootBits + 1; bits <= maxBits; bits++) {
      for (; counts[bits]! > 0; counts[bits]!--) {
        if ((key & mask) !== low) {
          tableAt += size;
          const tableBits = secondLevelBits(counts, bits, rootBits);
          size = 1 << tableBits;
          total += size;
          low = key & mask;
          if (table !== undefined) table[at + low] = ((tableAt - at) << 8) | (tableBits + ROOT_BITS);
        }
        if (table !== undefined) {
          const entry = (sorted[symbol]! << 8) | (bits - rootBits);
          replicate(table, tableAt + (key >> rootBits), 1 << (bits - rootBits), tableAt + size, entry);
        }
        symbol++;
        key = nextKey(key, bits);
      }
    }
    return total;
  }
}

/** One or two symbols, written out. Both have a code of one bit, where there are two. */
function readSimpleLengths(reader: LsbBitReader, lengths: Uint8Array): void {
  const two = reader.readBits(1) === 1;
  const wide = reader.readBits(1) === 1;
  lengths[reader.readBits(wide ? 8 : 1)] = 1;
  if (two) lengths[reader.readBits(8)] = 1;
}

function replicate(table: Int32Array, from: number, step: number, end: number, entry: number): void {
  for (let i = from; i < end; i += step) table[i] = entry;
}

/** The next code of `bits` bits, counted up from the far end: codes are read lowest bit first. */
function nextKey(key: number, bits: number): number {
  let step = 1 << (bits - 1);
  while ((key & step) !== 0) step >>= 1;
  return step === 0 ? key : (key & (step - 1)) + step;
}

/** Index bits of the second-level table that begins with a code of `bits` bits. */
function secondLevelBits(counts: Int32Array, bits: number, rootBits: number): number {
  let left = 1 << (bits - rootBits);
  let longest = bits;
  while (longest < MAX_CODE_BITS) {
    left -= counts[longest]!;
    if (left <= 0) break;
    longest++;
    left <<= 1;
  }
  return longest - rootBits;
}
