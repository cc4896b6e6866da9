/**
 * Huffman decoding of progressive scans, a block at a time.
 *
 * Source: ITU-T T.81 G.1.2 and G.2; libjpeg-turbo jdphuff.c. Coefficients are stored in natural order, not dequantized.
 */
import { BIT_BUFFER, BIT_COUNT, type BitWindow, POSITION } from './bit-window.ts';
import { corrupt } from './failures.ts';
import { type HuffmanTable, KIND_LONG_CODE, KIND_MASK, LENGTH_MASK, LOOKUP_BITS } from './huffman-table.ts';
import { NATURAL_ORDER } from './markers.ts';
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

/** Takes one bit. */
export function decodeBit(bits: BitWindow): number {
  const { state, view } = bits;
  let buffer = state[BIT_BUFFER]!;
  let count = state[BIT_COUNT]!;
  if (count === 0) {
    const position = state[POSITION]!;
    buffer = view.getInt32(position);
    state[POSITION] = position + 3;
    count = 24;
  }
  state[BIT_BUFFER] = buffer << 1;
  state[BIT_COUNT] = count - 1;
  return buffer >>> 31;
}

/**
 * Decodes the first bits of a band of AC coefficients (`decode_mcu_AC_first`).
 *
 * @returns how many further blocks have nothing in this band
 */
export function decodeAcFirst(
  bits: BitWindow,
  table: HuffmanTable,
  spectralStart: number,
  spectralEnd: number,
  approxLow: number,
  block: Int16Array,
  base: number,
): number {
  const { state, view } = bits;
  const { lookup } = table;
  let buffer = state[BIT_BUFFER]!;
  let count = state[BIT_COUNT]!;
  let position = state[POSITION]!;
  let run = 0;
  let k = spectralStart;
  while (k <= spectralEnd) {
    buffer |= view.getInt32(position) >>> count;
    position += (31 - count) >> 3;
    count |= 24;
    const entry = lookup[buffer >>> LOOKUP_SHIFT]!;
    let length = entry & LENGTH_MASK;
    let value = entry >> 16;
    if (value !== 0) {
      k += (entry >> 8) & 15;
    } else {
      let symbol = (entry >> 8) & 255;
      if ((entry & KIND_MASK) === KIND_LONG_CODE) {
        const long = decodeLongCode(table, buffer >>> 16);
        length = long >> 8;
        symbol = long & 255;
      }
      buffer <<= length;
      count -= length;
      const size = symbol & 15;
      const zeros = symbol >> 4;
      if (size === 0 && zeros === 15) {
        k += 16;
        continue;
      }
      buffer |= view.getInt32(position) >>> count;
      position += (31 - count) >> 3;
      count |= 24;
      if (size === 0) {
        // End of band for 2^zeros blocks and as many more as the next bits say, this one included.
        run = (1 << zeros) - 1;
        if (zeros > 0) {
          run += buffer >>> (32 - zeros);
          buffer <<= zeros;
          count -= zeros;
        }
        break;
      }
      k += zeros;
      value = buffer >>> (32 - size);
      if (buffer >= 0) value += 1 - (1 << size);
      length = size;
    }
    buffer <<= length;
    count -= length;
    block[base + NATURAL_ORDER[k]!] = value << approxLow;
    k++;
  }
  state[BIT_BUFFER] = buffer;
  state[BIT_COUNT] = count;
  state[POSITION] = position;
  return run;
}

/**
 * Decodes one more bit of a band of AC coefficients (`decode_mcu_AC_refine`).
 *
 * @param run blocks, this one included, that an end-of-band run still covers
 * @returns the run that is left after this block
 */
export function decodeAcRefine(
  bits: BitWindow,
  table: HuffmanTable,
  spectralStart: number,
  spectralEnd: number,
  approxLow: number,
  run: number,
  block: Int16Array,
  base: number,
): number {
  const { state, view } = bits;
  const { lookup } = table;
  const plus = 1 << approxLow;
  const minus = -1 << approxLow;
  let buffer = state[BIT_BUFFER]!;
  let count = state[BIT_COUNT]!;
  let position = state[POSITION]!;
  let left = run;
  let k = spectralStart;
  if (left === 0) {
    for (; k <= spectralEnd; k++) {
      buffer |= view.getInt32(position) >>> count;
      position += (31 - count) >> 3;
      count |= 24;
      const entry = lookup[buffer >>> LOOKUP_SHIFT]!;
      // A resolved entry covers value bits; only the code is wanted here.
      let symbol = (entry >> 8) & 255;
      let length = entry & LENGTH_MASK;
      if (entry >> 16 !== 0) {
        const size = 32 - Math.clz32(Math.abs(entry >> 16));
        length -= size;
        symbol = (symbol << 4) | size;
      } else if ((entry & KIND_MASK) === KIND_LONG_CODE) {
        const long = decodeLongCode(table, buffer >>> 16);
        length = long >> 8;
        symbol = long & 255;
      }
      buffer <<= length;
      count -= length;
      let zeros = symbol >> 4;
      let fresh = 0;
      buffer |= view.getInt32(position) >>> count;
      position += (31 - count) >> 3;
      count |= 24;
      if ((symbol & 15) !== 0) {
        // A newly nonzero coefficient: its size should be 1, and its one bit is the sign.
        fresh = buffer < 0 ? plus : minus;
        buffer <<= 1;
        count--;
      } else if (zeros !== 15) {
        left = 1 << zeros;
        if (zeros > 0) {
          left += buffer >>> (32 - zeros);
          buffer <<= zeros;
          count -= zeros;
        }
        break;
      }
      // Step over `zeros` coefficients that are still zero; those that are not get a correction bit each.
      do {
        const at = base + NATURAL_ORDER[k]!;
        const value = block[at]!;
        if (value !== 0) {
          if (count === 0) {
            buffer = view.getInt32(position);
            position += 3;
            count = 24;
          }
          if (buffer < 0 && (value & plus) === 0) block[at] = value + (value >= 0 ? plus : minus);
          buffer <<= 1;
          count--;
        } else if (--zeros < 0) break;
        k++;
      } while (k <= spectralEnd);
      if (fresh !== 0) block[base + NATURAL_ORDER[k]!] = fresh;
    }
  }
  if (left > 0) {
    for (; k <= spectralEnd; k++) {
      const at = base + NATURAL_ORDER[k]!;
      const value = block[at]!;
      if (value === 0) continue;
      if (count === 0) {
        buffer = view.getInt32(position);
        position += 3;
        count = 24;
      }
      if (buffer < 0 && (value & plus) === 0) block[at] = value + (value >= 0 ? plus : minus);
      buffer <<= 1;
      count--;
    }
    left--;
  }
  state[BIT_BUFFER] = buffer;
  state[BIT_COUNT] = count;
  state[POSITION] = position;
  return left;
}
