/**
 * Huffman decoding of the DC coefficients of progressive scans.
 *
 * Source: ITU-T T.81 G.1.2.1; libjpeg-turbo jdphuff.c.
 */
import { BIT_BUFFER, BIT_COUNT, type BitWindow, POSITION } from './bit-window.ts';
import { corrupt } from './failures.ts';
import { type HuffmanTable, KIND_LONG_CODE, KIND_MASK, LENGTH_MASK, LOOKUP_BITS } from './huffman-table.ts';
import { decodeLongCode } from './sequential.ts';

const LOOKUP_SHIFT = 32 - LOOKUP_BITS;

/** Decodes the first bits of a DC coefficient (`decode_mcu_DC_first`). */
export function decodeDcFirst(
  bits: BitWindow,
  table: HuffmanTable,
  predictors: Int32Array,
  component: number,
  approxLow: number,
): number {
  const { state, view } = bits;
  let buffer = state[BIT_BUFFER]!;
  let count = state[BIT_COUNT]!;
  let position = state[POSITION]!;
  buffer |= view.getInt32(position) >>> count;
  position += (31 - count) >> 3;
  count |= 24;
  const entry = table.lookup[buffer >>> LOOKUP_SHIFT]!;
  let length = entry & LENGTH_MASK;
  let value = entry >> 16;
  if ((entry & KIND_MASK) !== 0) {
    let symbol = (entry >> 8) & 255;
    if ((entry & KIND_MASK) === KIND_LONG_CODE) {
      const long = decodeLongCode(table, buffer >>> 16);
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
  state[BIT_BUFFER] = buffer << length;
  state[BIT_COUNT] = count - length;
  state[POSITION] = position;
  const dc = predictors[component]! + value;
  if (dc !== (dc | 0)) throw corrupt('DC coefficient overflows 32 bits');
  predictors[component] = dc;
  return dc << approxLow;
}

/**
 * Takes up to 24 bits: one for each block that a DC refinement covers (`decode_mcu_DC_refine`).
 *
 * @param wanted 1 to 24
 */
export function decodeBits(bits: BitWindow, wanted: number): number {
  const { state, view } = bits;
  const count = state[BIT_COUNT]!;
  const position = state[POSITION]!;
  const buffer = state[BIT_BUFFER]! | (view.getInt32(position) >>> count);
  state[BIT_BUFFER] = buffer << wanted;
  state[BIT_COUNT] = (count | 24) - wanted;
  state[POSITION] = position + ((31 - count) >> 3);
  return buffer >>> (32 - wanted);
}
