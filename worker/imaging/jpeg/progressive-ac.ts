/**
 * Huffman decoding of the AC coefficients of progressive scans: row by row of blocks, for what is done once a block counts.
 *
 * Source: ITU-T T.81 G.1.2.2, G.1.2.3 and G.2; libjpeg-turbo jdphuff.c. Coefficients are stored in zigzag order, not
 * dequantized.
 */
import { BIT_BUFFER, BIT_COUNT, type BitWindow, POSITION } from './bit-window.ts';
import type { CoefficientRow } from './coefficient-row.ts';
import {
  buildCodeLookup,
  buildHuffmanTable,
  type HuffmanSpec,
  type HuffmanTable,
  KIND_LONG_CODE,
  KIND_MASK,
  LENGTH_MASK,
  LOOKUP_BITS,
} from './huffman-table.ts';
import { decodeLongCode } from './sequential.ts';

const LOOKUP_SHIFT = 32 - LOOKUP_BITS;

/** Values from `-SHIFTABLE` to `SHIFTABLE - 1` fit 16 bits. */
const SHIFTABLE = 1 << 15;

/** A scan of AC coefficients: what every block's decoding needs to know of it. */
export interface AcBand {
  readonly table: HuffmanTable;
  /** For refinements, which are followed by no values: the table as `buildCodeLookup` makes it. */
  readonly codes: Uint16Array;
  readonly spectralStart: number;
  readonly spectralEnd: number;
  readonly approxLow: number;
  /** The band as bits in the manner of `CoefficientRow.nonzero`. */
  readonly low: number;
  readonly high: number;
  /** Blocks to come that an end-of-band run covers. */
  run: number;
}

/** Puts together what decoding a scan's band takes. */
export function createAcBand(spec: HuffmanSpec, spectralStart: number, spectralEnd: number, approxLow: number): AcBand {
  return {
    table: buildHuffmanTable(spec, false),
    codes: buildCodeLookup(spec),
    spectralStart,
    spectralEnd,
    approxLow,
    low: bandWord(spectralStart, spectralEnd),
    high: bandWord(spectralStart - 32, spectralEnd - 32),
    run: 0,
  };
}

/**
 * Decodes the first bits of a band of AC coefficients (`decode_mcu_AC_first`).
 *
 * @param row receives the coefficients of the blocks from `first` on, `limit` of them at most
 * @returns how many blocks were decoded: at least one, fewer than `limit` where `BitWindow.prepare` is due
 */
export function decodeAcFirst(
  bits: BitWindow,
  band: AcBand,
  row: CoefficientRow,
  first: number,
  limit: number,
): number {
  const { state, view, guard } = bits;
  const { table, spectralStart, spectralEnd, approxLow } = band;
  const { lookup } = table;
  const { coefficients, nonzero } = row;
  const end = first + limit;
  let buffer = state[BIT_BUFFER]!;
  let count = state[BIT_COUNT]!;
  let position = state[POSITION]!;
  let run = band.run;
  let b = first;
  for (; b < end; b++) {
    if (run > 0) {
      const passed = Math.min(run, end - b);
      run -= passed;
      b += passed - 1;
      continue;
    }
    if (position >= guard && b > first) break;
    const base = b * 64;
    let low = nonzero[2 * b]!;
    let high = nonzero[2 * b + 1]!;
    let overflow = 0;
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
      // Damaged data runs past the block's end; it then lands on its last coefficient.
      const at = k < 64 ? k : 63;
      coefficients[base + at] = value << approxLow;
      if (at < 32) low |= 1 << at;
      else high |= 1 << (at - 32);
      overflow |= value + (SHIFTABLE >> approxLow);
      k++;
    }
    nonzero[2 * b] = low;
    nonzero[2 * b + 1] = high;
    // What is shifted out of 16 bits may leave a zero; that happens in damaged data alone.
    if ((overflow & ~(2 * (SHIFTABLE >> approxLow) - 1)) !== 0) row.findNonzeroOf(b);
  }
  band.run = run;
  state[BIT_BUFFER] = buffer;
  state[BIT_COUNT] = count;
  state[POSITION] = position;
  return b - first;
}

/**
 * Decodes one more bit of a band of AC coefficients (`decode_mcu_AC_refine`).
 *
 * @param row receives the coefficients of the blocks from `first` on, `limit` of them at most
 * @returns how many blocks were decoded: at least one, fewer than `limit` where `BitWindow.prepare` is due
 */
export function decodeAcRefine(
  bits: BitWindow,
  band: AcBand,
  row: CoefficientRow,
  first: number,
  limit: number,
): number {
  const { state, view, guard } = bits;
  const { codes, spectralStart, spectralEnd, approxLow } = band;
  const { coefficients, nonzero } = row;
  const plus = 1 << approxLow;
  const end = first + limit;
  let buffer = state[BIT_BUFFER]!;
  let count = state[BIT_COUNT]!;
  let position = state[POSITION]!;
  let left = band.run;
  let b = first;
  for (; b < end; b++) {
    if (position >= guard && b > first) break;
    const base = b * 64;
    let low = nonzero[2 * b]!;
    let high = nonzero[2 * b + 1]!;
    // The nonzero coefficients of the band that are still to come: first those below 32 (offset 0), then the others.
    let rest = low & band.low;
    let restHigh = high & band.high;
    let offset = 0;
    let k = left === 0 ? spectralStart : 64;
    for (; k <= spectralEnd; k++) {
      buffer |= view.getInt32(position) >>> count;
      position += (31 - count) >> 3;
      count |= 24;
      const entry = codes[buffer >>> LOOKUP_SHIFT]!;
      let symbol = entry >> 8;
      let length = entry & 255;
      if (length === 0) {
        const long = decodeLongCode(band.table, buffer >>> 16);
        length = long >> 8;
        symbol = long & 255;
      }
      let zeros = symbol >> 4;
      let fresh = 0;
      if ((symbol & 15) !== 0) {
        // A newly nonzero coefficient: its size should be 1, and its one bit is the sign.
        fresh = withSign(plus, ~((buffer << length) >> 31));
        buffer <<= length + 1;
        count -= length + 1;
      } else if (zeros === 15) {
        buffer <<= length;
        count -= length;
      } else {
        buffer <<= length;
        count -= length;
        left = 1 << zeros;
        if (zeros > 0) {
          buffer |= view.getInt32(position) >>> count;
          position += (31 - count) >> 3;
          count |= 24;
          left += buffer >>> (32 - zeros);
          buffer <<= zeros;
          count -= zeros;
        }
        break;
      }
      // Step over `zeros` coefficients that are still zero; those on the way that are not get a correction bit each.
      for (;;) {
        let stop = spectralEnd + 1;
        if (rest !== 0) stop = offset + 31 - Math.clz32(rest & -rest);
        else if (offset === 0) {
          rest = restHigh;
          restHigh = 0;
          offset = 32;
          continue;
        }
        const between = stop - k;
        if (zeros < between) {
          k += zeros;
          break;
        }
        zeros -= between;
        k = stop;
        if (k > spectralEnd) break;
        rest &= rest - 1;
        if (count === 0) {
          buffer = view.getInt32(position);
          position += 3;
          count = 24;
        }
        const value = coefficients[base + k]!;
        coefficients[base + k] = value + correction(value, plus, buffer >> 31);
        buffer <<= 1;
        count--;
        if (++k > spectralEnd) break;
      }
      if (fresh !== 0) {
        const at = k - (k >> 6);
        coefficients[base + at] = fresh;
        if (at < 32) low |= 1 << at;
        else high |= 1 << (at - 32);
      }
    }
    if (left > 0) {
      for (; offset <= 32; offset += 32) {
        for (; rest !== 0; rest &= rest - 1) {
          const at = base + offset + 31 - Math.clz32(rest & -rest);
          if (count === 0) {
            buffer = view.getInt32(position);
            position += 3;
            count = 24;
          }
          const value = coefficients[at]!;
          coefficients[at] = value + correction(value, plus, buffer >> 31);
          buffer <<= 1;
          count--;
        }
        rest = restHigh;
        restHigh = 0;
      }
      left--;
    }
    nonzero[2 * b] = low;
    nonzero[2 * b + 1] = high;
  }
  band.run = left;
  state[BIT_BUFFER] = buffer;
  state[BIT_COUNT] = count;
  state[POSITION] = position;
  return b - first;
}

/** Bits `start` to `end` of a word, as far as they lie in 0 to 31. */
function bandWord(start: number, end: number): number {
  if (end < 0 || start > 31) return 0;
  return (-1 << Math.max(start, 0)) & (-1 >>> Math.max(31 - end, 0));
}

/**
 * What a correction bit adds to a coefficient: `plus` away from zero where the bit is set and the coefficient does not have
 * it yet. All without branches, for the bits are random.
 *
 * @param bit -1 for a set bit, 0 for a clear one
 */
function correction(value: number, plus: number, bit: number): number {
  return withSign(plus, value >> 31) & bit & (((value & plus) - 1) >> 31);
}

/** `value` for sign 0, `-value` for sign -1. */
function withSign(value: number, sign: number): number {
  return (value ^ sign) - sign;
}
