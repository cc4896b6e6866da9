/**
 * Decoding a block for its DC coefficient alone: the AC coefficients are stepped over, several at once.
 *
 * At 1/8 size the reference decoder needs no more (libjpeg-turbo jdhuff.c, `ac_needed`); what takes the time is then to
 * find where each block ends.
 */
import { BIT_BUFFER, BIT_COUNT, type BitWindow, POSITION } from './bit-window.ts';
import {
  type HuffmanTable,
  KIND_END_OF_BLOCK,
  KIND_LONG_CODE,
  KIND_MASK,
  LENGTH_MASK,
  LOOKUP_BITS,
} from './huffman-table.ts';
import { decodeLongCode } from './sequential.ts';

/** Bits of the stream that one step of a skip table resolves. */
const SKIP_BITS = 13;

/** Added to the advance of an entry that ends its block. */
const END_OF_BLOCK = 64;

/** Bytes of one skip table. */
export const SKIP_TABLE_BYTES = 2 << SKIP_BITS;

/**
 * Builds the skip table of an AC table, indexed by the next `SKIP_BITS` bits: bits to consume (0 to 3) and how far the
 * zigzag index moves (4 up), for as many whole symbols as fit; 0 where not even one does.
 */
export function buildSkipTable(table: HuffmanTable): Int16Array {
  const { lookup } = table;
  const skip = new Int16Array(1 << SKIP_BITS);
  const mask = (1 << LOOKUP_BITS) - 1;
  for (let index = 0; index < skip.length; index++) {
    let used = 0;
    let advance = 0;
    while (advance < END_OF_BLOCK - 16) {
      const entry = lookup[((index << used) >> (SKIP_BITS - LOOKUP_BITS)) & mask]!;
      const kind = entry & KIND_MASK;
      if (kind === KIND_LONG_CODE) break;
      const symbol = (entry >> 8) & 255;
      // The length of a resolved entry covers its value bits; that of the others the code alone.
      const length = (entry & LENGTH_MASK) + (entry >> 16 === 0 ? symbol & 15 : 0);
      if (used + length > SKIP_BITS) break;
      used += length;
      if (kind === KIND_END_OF_BLOCK) {
        advance += END_OF_BLOCK;
        break;
      }
      advance += (entry >> 16 === 0 ? symbol >> 4 : symbol) + 1;
    }
    skip[index] = (advance << 4) | used;
  }
  return skip;
}

/**
 * Decodes the DC coefficient of a block and skips the rest.
 *
 * @param skip the skip table of `acTable`
 * @returns the DC coefficient, wrapped to 16 bits, not dequantized
 */
export function decodeDcOnly(
  bits: BitWindow,
  dcTable: HuffmanTable,
  acTable: HuffmanTable,
  skip: Int16Array,
  predictors: Int32Array,
  component: number,
): number {
  const { state, view } = bits;
  let buffer = state[BIT_BUFFER]!;
  let count = state[BIT_COUNT]!;
  let position = state[POSITION]!;

  buffer |= view.getInt32(position) >>> count;
  position += (31 - count) >> 3;
  count |= 24;
  let entry = dcTable.lookup[buffer >>> (32 - LOOKUP_BITS)]!;
  let length = entry & LENGTH_MASK;
  let value = entry >> 16;
  if ((entry & KIND_MASK) !== 0) {
    let symbol = (entry >> 8) & 255;
    if ((entry & KIND_MASK) === KIND_LONG_CODE) {
      const long = decodeLongCode(dcTable, buffer >>> 16);
      length = long >> 8;
      symbol = long & 255;
    }
    buffer <<= length;
    count -= length;
    buffer |= view.getInt32(position) >>> count;
    position += (31 - count) >> 3;
    count |= 24;
    value = 0;
    if (symbol !== 0) {
      value = buffer >>> (32 - symbol);
      if (buffer >= 0) value += 1 - (1 << symbol);
    }
    length = symbol;
  }
  buffer <<= length;
  count -= length;
  const dc = (predictors[component]! + value) | 0;
  predictors[component] = dc;

  const lookup = acTable.lookup;
  let k = 1;
  while (k < 64) {
    buffer |= view.getInt32(position) >>> count;
    position += (31 - count) >> 3;
    count |= 24;
    const step = skip[buffer >>> (32 - SKIP_BITS)]!;
    const next = k + (step >> 4);
    // A step must not run past the block's end, into the next block's DC: it may end at 64, or with an end-of-block symbol
    // that follows an index below 64.
    if (step !== 0 && (next <= 64 || (next >= 65 && next < 128 && step >> 4 >= END_OF_BLOCK))) {
      buffer <<= step & 15;
      count -= step & 15;
      k = next;
      continue;
    }
    entry = lookup[buffer >>> (32 - LOOKUP_BITS)]!;
    length = entry & LENGTH_MASK;
    let symbol = (entry >> 8) & 255;
    if (entry >> 16 !== 0) {
      // Resolved: the length covers the value bits.
      k += symbol + 1;
      symbol = 0;
    } else {
      if ((entry & KIND_MASK) === KIND_LONG_CODE) {
        const long = decodeLongCode(acTable, buffer >>> 16);
        length = long >> 8;
        symbol = long & 255;
      }
      if ((symbol & 15) === 0 && symbol !== 0xf0) k = 64;
      else k += (symbol >> 4) + 1;
      symbol &= 15;
    }
    buffer <<= length;
    count -= length;
    if (symbol !== 0) {
      buffer |= view.getInt32(position) >>> count;
      position += (31 - count) >> 3;
      count |= 24;
      buffer <<= symbol;
      count -= symbol;
    }
  }

  state[BIT_BUFFER] = buffer;
  state[BIT_COUNT] = count;
  state[POSITION] = position;
  return (dc << 16) >> 16;
}
