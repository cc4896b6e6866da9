/**
 * Huffman decoding of the blocks of sequential scans.
 *
 * Source: ITU-T T.81 F.2.2; what damaged data decodes to follows libjpeg-turbo jdhuff.c `decode_mcu_slow`: a code that
 * does not exist takes 17 bits and counts as symbol 0.
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
import { SAFE_MAGNITUDE } from './idct.ts';

/** Most bytes that one block can take: 64 symbols of up to 17 bits of code and 15 of value. */
export const MAX_BLOCK_BYTES = 256;

/** Set in the result of `decodeBlock` where the coefficients may overflow the fast transforms. */
export const OVERFLOWS = 128;

const LOOKUP_SHIFT = 32 - LOOKUP_BITS;

/**
 * Finds the symbol of a code that is longer than the lookup table.
 *
 * @param table the table
 * @param peek the next 16 bits
 * @returns `length << 8 | symbol`; length 17 and symbol 0 where no code matches
 */
export function decodeLongCode(table: HuffmanTable, peek: number): number {
  const { limits } = table;
  for (let length = LOOKUP_BITS + 1; length <= 16; length++) {
    if (peek < limits[length]!) {
      return (length << 8) | table.symbols[(peek >> (16 - length)) + table.offsets[length]!]!;
    }
  }
  return 17 << 8;
}

/**
 * Decodes one block and multiplies its coefficients by the quantization table.
 *
 * @param bits where to read
 * @param quant 80 multipliers in zigzag order
 * @param order 80 positions by zigzag index; positions from 64 on are for coefficients that nobody reads
 * @param predictors DC predictors by component
 * @param component index of the predictor to use
 * @param block receives the coefficients from `base` on, wrapped to 16 bits; must be zero but for position 0
 * @returns all positions written, OR-ed (DC counts as 0), with `OVERFLOWS` on top where it applies
 */
export function decodeBlock(
  bits: BitWindow,
  dcTable: HuffmanTable,
  acTable: HuffmanTable,
  quant: Int32Array,
  order: Uint8Array,
  predictors: Int32Array,
  component: number,
  block: Int16Array,
  base: number,
): number {
  const { state, view } = bits;
  let buffer = state[BIT_BUFFER]!;
  let count = state[BIT_COUNT]!;
  let position = state[POSITION]!;

  // DC difference (F.2.2.1).
  buffer |= view.getInt32(position) >>> count;
  position += (31 - count) >> 3;
  count |= 24;
  let entry = dcTable.lookup[buffer >>> LOOKUP_SHIFT]!;
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
  value = Math.imul((dc << 16) >> 16, quant[0]!);
  block[base] = value;
  let magnitude = Math.abs(value);
  let used = 0;

  // AC coefficients (F.2.2.2).
  const lookup = acTable.lookup;
  let k = 1;
  while (k < 64) {
    buffer |= view.getInt32(position) >>> count;
    position += (31 - count) >> 3;
    count |= 24;
    entry = lookup[buffer >>> LOOKUP_SHIFT]!;
    length = entry & LENGTH_MASK;
    value = entry >> 16;
    if (value !== 0) {
      k += (entry >> 8) & 15;
    } else {
      const kind = entry & KIND_MASK;
      if (kind === KIND_END_OF_BLOCK) {
        buffer <<= length;
        count -= length;
        break;
      }
      let symbol = (entry >> 8) & 255;
      if (kind === KIND_LONG_CODE) {
        const long = decodeLongCode(acTable, buffer >>> 16);
        length = long >> 8;
        symbol = long & 255;
      }
      buffer <<= length;
      count -= length;
      const size = symbol & 15;
      if (size === 0) {
        if (symbol !== 0xf0) break;
        k += 16;
        continue;
      }
      buffer |= view.getInt32(position) >>> count;
      position += (31 - count) >> 3;
      count |= 24;
      k += symbol >> 4;
      value = buffer >>> (32 - size);
      if (buffer >= 0) value += 1 - (1 << size);
      length = size;
    }
    buffer <<= length;
    count -= length;
    value = Math.imul(value, quant[k]!);
    const to = order[k]!;
    block[base + to] = value;
    used |= to;
    // Without a branch: signs are random, a wrong guess at each would take half the time.
    magnitude += Math.abs(value);
    k++;
  }

  state[BIT_BUFFER] = buffer;
  state[BIT_COUNT] = count;
  state[POSITION] = position;
  return magnitude > SAFE_MAGNITUDE ? (used & 63) | OVERFLOWS : used & 63;
}
