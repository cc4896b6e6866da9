/**
 * Lookup tables for DEFLATE's canonical Huffman codes (RFC 1951 section 3.2.2).
 *
 * One table lookup decodes a code of up to `rootBits` bits; longer codes take a second lookup in a subtable behind the
 * root. Codes are stored bit-reversed, since DEFLATE packs them starting with their first bit at the low end.
 *
 * An entry is an int32:
 * - literal: sign bit set, literal in bits 8..15, code length in bits 0..4;
 * - length or distance: base in bits 16..30, number of extra bits in 8..11, code length in 0..4;
 * - subtable link: `SUBTABLE`, subtable's first index in 16..30, its index width in 8..11, `rootBits` in 0..4;
 * - `END_OF_BLOCK` and `INVALID`: flag, code length in 0..4.
 */

/** Set in an entry that is neither a literal nor a plain length or distance. */
export const EXCEPTIONAL = 0x7000;
/** The code goes on in a subtable. */
export const SUBTABLE = 0x4000;
/** Symbol 256. */
export const END_OF_BLOCK = 0x2000;
/** No symbol has this code. */
export const INVALID = 0x1000;

/** Sign bit: the symbol is a literal. */
const LITERAL = -0x80000000;

/** Index width of the literal/length root table. */
export const LITERAL_ROOT_BITS = 11;
/** Index width of the distance root table. */
export const DISTANCE_ROOT_BITS = 8;
/** Index width of the code-length root table: the longest such code. */
export const PRECODE_ROOT_BITS = 7;

/** Entries that the largest literal/length code (286 symbols, root 11, 15 bits) can need; zlib's `enough` program. */
export const LITERAL_TABLE_ENTRIES = 2342;
/** Entries that the largest distance code (30 symbols, root 8, 15 bits) can need; zlib's `enough` program. */
export const DISTANCE_TABLE_ENTRIES = 402;
/** Entries of the code-length table. */
export const PRECODE_TABLE_ENTRIES = 128;

/** Longest code in bits. */
const MAX_CODE_BITS = 15;

/** Entries of the literal/length symbols 0..287, without code lengths. 286 and 287 have codes but no meaning. */
export const LITERAL_SYMBOLS = literalSymbols();
/** Entries of the distance symbols 0..31, without code lengths. 30 and 31 have codes but no meaning. */
export const DISTANCE_SYMBOLS = distanceSymbols();
/** Entries of the code-length symbols 0..18: the symbol is the base. */
export const PRECODE_SYMBOLS = Int32Array.from({ length: 19 }, (_, symbol) => symbol << 16);

/** RFC 1951 section 3.2.5, lengths: bases 3..258. */
function literalSymbols(): Int32Array {
  const symbols = new Int32Array(288).fill(INVALID);
  for (let literal = 0; literal < 256; literal++) symbols[literal] = LITERAL | (literal << 8);
  symbols[256] = END_OF_BLOCK;
  let base = 3;
  for (let symbol = 257; symbol < 285; symbol++) {
    const extraBits = symbol < 265 ? 0 : (symbol - 261) >> 2;
    symbols[symbol] = (base << 16) | (extraBits << 8);
    base += 1 << extraBits;
  }
  symbols[285] = 258 << 16;
  return symbols;
}

/** RFC 1951 section 3.2.5, distances: bases 1..24577. */
function distanceSymbols(): Int32Array {
  const symbols = new Int32Array(32).fill(INVALID);
  let base = 1;
  for (let symbol = 0; symbol < 30; symbol++) {
    const extraBits = symbol < 4 ? 0 : (symbol - 2) >> 1;
    symbols[symbol] = (base << 16) | (extraBits << 8);
    base += 1 << extraBits;
  }
  return symbols;
}

const counts = new Int32Array(MAX_CODE_BITS + 1);
const offsets = new Int32Array(MAX_CODE_BITS + 2);
const sorted = new Int32Array(288);

/**
 * Builds the lookup table of one code.
 *
 * A code must use its whole code space, except that a single 1-bit code and an empty code are allowed where
 * `allowIncomplete` says so (zlib's `inflate_table` draws the line in the same place).
 *
 * @param table receives the entries
 * @param rootBits index width of the root table, at the start of `table`
 * @param lengths code length of symbol `i` at `lengths[from + i]`; 0 means that the symbol does not occur
 * @param symbols entry of each symbol, without its code length
 * @returns false where the lengths do not describe a code
 */
export function buildTable(
  table: Int32Array,
  rootBits: number,
  lengths: Uint8Array,
  from: number,
  count: number,
  symbols: Int32Array,
  allowIncomplete: boolean,
): boolean {
  counts.fill(0);
  for (let i = 0; i < count; i++) counts[lengths[from + i]!]!++;
  let codeSpace = 1;
  let longest = 0;
  for (let bits = 1; bits <= MAX_CODE_BITS; bits++) {
    codeSpace = codeSpace * 2 - counts[bits]!;
    if (codeSpace < 0) return false;
    if (counts[bits]! > 0) longest = bits;
  }
  if (codeSpace > 0 && !(allowIncomplete && longest <= 1)) return false;
  if (codeSpace > 0) table.fill(INVALID | 1, 0, 1 << rootBits);

  offsets[1] = 0;
  for (let bits = 1; bits <= MAX_CODE_BITS; bits++) offsets[bits + 1] = offsets[bits]! + counts[bits]!;
  const used = offsets[MAX_CODE_BITS + 1]!;
  for (let i = 0; i < count; i++) {
    const bits = lengths[from + i]!;
    if (bits > 0) sorted[offsets[bits]!++] = i;
  }
  fillTable(table, rootBits, lengths, from, symbols, used);
  return true;
}

/** Enters the sorted symbols, shortest codes first, counting up the bit-reversed code. */
function fillTable(
  table: Int32Array,
  rootBits: number,
  lengths: Uint8Array,
  from: number,
  symbols: Int32Array,
  used: number,
): void {
  const rootSize = 1 << rootBits;
  let tableEnd = rootSize;
  let subtableStart = 0;
  let subtableBits = 0;
  let prefix = -1;
  let code = 0;
  for (let i = 0; i < used; i++) {
    const symbol = sorted[i]!;
    const bits = lengths[from + symbol]!;
    const entry = symbols[symbol]! | bits;
    if (bits <= rootBits) {
      for (let index = code; index < rootSize; index += 1 << bits) table[index] = entry;
    } else {
      if ((code & (rootSize - 1)) !== prefix) {
        prefix = code & (rootSize - 1);
        subtableStart = tableEnd;
        subtableBits = subtableWidth(bits, rootBits);
        tableEnd += 1 << subtableBits;
        table[prefix] = SUBTABLE | (subtableStart << 16) | (subtableBits << 8) | rootBits;
      }
      for (let index = code >> rootBits; index < 1 << subtableBits; index += 1 << (bits - rootBits)) {
        table[subtableStart + index] = entry;
      }
    }
    counts[bits]!--;
    code = nextReversed(code, bits);
    // The next code is longer by as many zero bits as the length grows: reversed, those are high zeros already there.
  }
}

/** Index width that the subtable needs whose first code has `bits` bits: codes left of each length fill it up. */
function subtableWidth(bits: number, rootBits: number): number {
  let width = bits - rootBits;
  let space = counts[bits]!;
  while (space < 1 << width) {
    width++;
    space = space * 2 + (counts[rootBits + width] ?? 0);
  }
  return width;
}

/** Adds one to a `bits`-bit code that is stored bit-reversed. */
function nextReversed(code: number, bits: number): number {
  let bit = 1 << (bits - 1);
  while (bit !== 0 && (code & bit) !== 0) bit >>= 1;
  return bit === 0 ? 0 : (code & (bit - 1)) | bit;
}
