/**
 * Huffman tables, from their DHT form to the lookup tables that the entropy decoders index.
 * Source: ITU-T T.81 annex C and figure F.15; validity rules of libjpeg-turbo jdhuff.c `jpeg_make_d_derived_tbl`.
 */
import { corrupt } from './failures.ts';

/** Bits of the stream that one step of `HuffmanTable.lookup` resolves. */
export const LOOKUP_BITS = 10;

/** Entry kinds of `lookup`, in bits 5 to 7. */
export const KIND_VALUE = 0;
export const KIND_END_OF_BLOCK = 1 << 5;
export const KIND_ZERO_RUN = 2 << 5;
export const KIND_NEEDS_BITS = 3 << 5;
export const KIND_LONG_CODE = 4 << 5;

/** Mask of the bit count in a `lookup` entry. */
export const LENGTH_MASK = 31;

/** Mask of the kind in a `lookup` entry. */
export const KIND_MASK = 7 << 5;

/** A DHT table as transmitted: counts of codes by length (index 1..16) and symbols in code order, zero-padded to 256. */
export interface HuffmanSpec {
  readonly counts: Uint8Array;
  readonly symbols: Uint8Array;
}

/**
 * A table ready for decoding.
 *
 * `lookup` is indexed by the next `LOOKUP_BITS` bits. An entry holds the bits to consume (bits 0 to 4), the kind (5 to 7),
 * the zero run or the whole symbol (8 to 15), and the signed value (16 to 31):
 * - `KIND_VALUE`: code and value bits both fit; everything is resolved.
 * - `KIND_END_OF_BLOCK`, `KIND_ZERO_RUN`: AC symbols without a value.
 * - `KIND_NEEDS_BITS`: the code fits, its value bits do not; bits 8 to 15 are the symbol.
 * - `KIND_LONG_CODE`: the code is longer; use `limits`.
 */
export interface HuffmanTable {
  readonly lookup: Int32Array;
  /** By code length: one past the largest code, left-aligned in 16 bits; 0 where there is no code of that length. */
  readonly limits: Int32Array;
  /** By code length: what to add to a code to get its index in `symbols`. */
  readonly offsets: Int32Array;
  readonly symbols: Uint8Array;
}

/**
 * Checks that a DHT table is a prefix code that can be decoded.
 *
 * @param isDc DC symbols are value sizes and must be 15 or less
 * @throws ImageError `corrupt_image` where the counts are no prefix code or a DC symbol is out of range
 */
export function checkHuffmanSpec({ counts, symbols }: HuffmanSpec, isDc: boolean): void {
  let code = 0;
  let index = 0;
  for (let length = 1; length <= 16; length++) {
    code += counts[length]!;
    index += counts[length]!;
    if (index > 256) throw corrupt('Huffman table has more than 256 codes');
    // Figure C.2: no code may be all ones.
    if (counts[length] !== 0 && code >= 1 << length)
      throw corrupt(`Huffman table has too many codes of ${length} bits`);
    code <<= 1;
  }
  if (!isDc) return;
  const widest = symbols.subarray(0, index).reduce((most, symbol) => Math.max(most, symbol), 0);
  if (widest > 15) throw corrupt(`Huffman table has a DC difference of ${widest} bits; at most 15 are possible`);
}

/**
 * Derives the decoding tables of a DHT table.
 *
 * @throws ImageError `corrupt_image` as `checkHuffmanSpec` does
 */
export function buildHuffmanTable(spec: HuffmanSpec, isDc: boolean): HuffmanTable {
  checkHuffmanSpec(spec, isDc);
  const { counts, symbols } = spec;
  const lookup = new Int32Array(1 << LOOKUP_BITS).fill(KIND_LONG_CODE);
  const limits = new Int32Array(18);
  const offsets = new Int32Array(18);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= 16; length++) {
    const count = counts[length]!;
    if (count > 0) {
      offsets[length] = index - code;
      for (let i = 0; i < count; i++, code++, index++) {
        if (length <= LOOKUP_BITS) fillLookup(lookup, code, length, symbols[index]!, isDc);
      }
      limits[length] = code << (16 - length);
    }
    code <<= 1;
  }
  return { lookup, limits, offsets, symbols };
}

/**
 * The codes of a table alone, without the values that follow them: by the next `LOOKUP_BITS` bits the code's length (bits 0
 * to 7, 0 for a code that is longer) and its symbol (8 to 15).
 */
export function buildCodeLookup({ counts, symbols }: HuffmanSpec): Uint16Array {
  const lookup = new Uint16Array(1 << LOOKUP_BITS);
  let from = 0;
  let index = 0;
  for (let length = 1; length <= LOOKUP_BITS; length++) {
    for (let i = 0; i < counts[length]!; i++, index++) {
      const to = from + (1 << (LOOKUP_BITS - length));
      lookup.fill((symbols[index]! << 8) | length, from, to);
      from = to;
    }
  }
  return lookup;
}

/** Fills every entry that starts with one code, value bits included where they fit. */
function fillLookup(lookup: Int32Array, code: number, length: number, symbol: number, isDc: boolean): void {
  const spare = LOOKUP_BITS - length;
  const first = code << spare;
  const last = first + (1 << spare);
  const size = isDc ? symbol : symbol & 15;
  const run = isDc ? 0 : symbol >> 4;
  if (!isDc && size === 0) {
    lookup.fill(length | (run === 15 ? KIND_ZERO_RUN : KIND_END_OF_BLOCK) | (symbol << 8), first, last);
    return;
  }
  if (size > spare) {
    lookup.fill(length | KIND_NEEDS_BITS | (symbol << 8), first, last);
    return;
  }
  for (let entry = first; entry < last; entry++) {
    const bits = (entry >> (spare - size)) & ((1 << size) - 1);
    lookup[entry] = (extend(bits, size) << 16) | (run << 8) | KIND_VALUE | (length + size);
  }
}

/**
 * Turns `size` received bits into the signed value they stand for.
 * Source: ITU-T T.81 figure F.12 (EXTEND).
 */
function extend(bits: number, size: number): number {
  return size > 0 && bits < 1 << (size - 1) ? bits - (1 << size) + 1 : bits;
}
