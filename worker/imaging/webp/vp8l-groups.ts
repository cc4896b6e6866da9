/**
 * Groups of five prefix codes, and the image that says which tile uses which (RFC 9649, sections 3.7.2.2 and 6.2;
 * libwebp src/dec/vp8l_dec.c `ReadHuffmanCodes`).
 */
import type { LsbBitReader } from './vp8l-bit-reader.ts';
import { MAX_ALPHABET, PrefixCodeReader } from './vp8l-huffman.ts';

/** Symbols of the green code before the colour cache: literals, then copy lengths. */
export const LITERALS = 256;
export const LENGTH_CODES = 24;

/** Symbols of the distance code. */
const DISTANCE_CODES = 40;

/** Codes of a group, in stream order: green, red, blue, alpha, distance. */
const CODES_PER_GROUP = 5;

/** Most entries that the tables of one group take (libwebp `kTableSize`, 11 cache bits; zlib's `enough`). */
const MAX_GROUP_ENTRIES = 630 * 3 + 410 + 2704;

/** Bytes of a `PrefixGroup` besides its entries. */
const GROUP_OVERHEAD_BYTES = 256;

/** Bytes of a `PrefixGroup` whose table has this many entries. */
export function groupBytes(entries: number): number {
  return entries * 4 + GROUP_OVERHEAD_BYTES;
}

/** Five prefix codes in one table: each has the index of its first entry and the mask of its first level. */
export class PrefixGroup {
  readonly table: Int32Array;
  readonly greenAt: number;
  readonly redAt: number;
  readonly blueAt: number;
  readonly alphaAt: number;
  readonly distanceAt: number;
  readonly greenMask: number;
  readonly redMask: number;
  readonly blueMask: number;
  readonly alphaMask: number;
  readonly distanceMask: number;
  /** Alpha in place, where it has one value; 0 otherwise. */
  readonly alpha: number;
  /** True where red, blue and alpha each have one value: `literal` holds them. */
  readonly hasLiteral: boolean;
  readonly literal: number;
  /** True where green has but one value too, a literal: pixels take no bits at all, and are `literal`. */
  readonly isConstant: boolean;

  constructor(table: Int32Array, starts: Int32Array, masks: Int32Array) {
    this.table = table;
    this.greenAt = starts[0]!;
    this.redAt = starts[1]!;
    this.blueAt = starts[2]!;
    this.alphaAt = starts[3]!;
    this.distanceAt = starts[4]!;
    this.greenMask = masks[0]!;
    this.redMask = masks[1]!;
    this.blueMask = masks[2]!;
    this.alphaMask = masks[3]!;
    this.distanceMask = masks[4]!;
    this.alpha = this.alphaMask === 0 ? (table[this.alphaAt]! >> 8) << 24 : 0;
    this.hasLiteral = (this.redMask | this.blueMask | this.alphaMask) === 0;
    const green = table[this.greenAt]! >> 8;
    this.isConstant = this.hasLiteral && this.greenMask === 0 && green < LITERALS;
    let literal = 0;
    if (this.hasLiteral) {
      literal = this.alpha | ((table[this.redAt]! >> 8) << 16) | (table[this.blueAt]! >> 8);
    }
    this.literal = this.isConstant ? literal | (green << 8) : literal;
  }
}

/** Reads groups. Holds the scratch memory that takes. */
export class GroupReader {
  private readonly codes = new PrefixCodeReader();
  private readonly table = new Int32Array(MAX_GROUP_ENTRIES);
  private readonly starts = new Int32Array(CODES_PER_GROUP);
  private readonly masks = new Int32Array(CODES_PER_GROUP);

  /** Reads a group. */
  read(reader: LsbBitReader, cacheBits: number): PrefixGroup {
    const entries = this.readCodes(reader, cacheBits, this.table);
    return new PrefixGroup(this.table.slice(0, entries), this.starts, this.masks);
  }

  /** Reads past a group, and says how many entries its tables would take. */
  measure(reader: LsbBitReader, cacheBits: number): number {
    return this.readCodes(reader, cacheBits, undefined);
  }

  private readCodes(reader: LsbBitReader, cacheBits: number, table: Int32Array | undefined): number {
    let at = 0;
    for (let i = 0; i < CODES_PER_GROUP; i++) {
      const entries = this.codes.read(reader, alphabetSize(i, cacheBits), table, at);
      this.starts[i] = at;
      this.masks[i] = (1 << this.codes.rootBits) - 1;
      at += entries;
    }
    return at;
  }
}

/** Bytes that `new GroupReader()` allocates. */
export const GROUP_READER_BYTES: number = MAX_GROUP_ENTRIES * 4 + MAX_ALPHABET * 3 + 1024;

function alphabetSize(code: number, cacheBits: number): number {
  if (code === 0) return LITERALS + LENGTH_CODES + (cacheBits > 0 ? 1 << cacheBits : 0);
  return code === CODES_PER_GROUP - 1 ? DISTANCE_CODES : LITERALS;
}
