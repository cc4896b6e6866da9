/**
 * Whether libjpeg gets through a scan's last segment where the file ends behind it without any marker.
 *
 * libjpeg reads ahead: when its 64-bit buffer runs low it fills it up, and where the file ends before that is done it waits
 * for more data, even if the bits at hand would do. A file without end-of-image marker is thus refused, or not, by where
 * the fills happen to fall. This follows them: libjpeg-turbo jdhuff.c (`jpeg_fill_bit_buffer`, `decode_mcu_fast`,
 * `decode_mcu_slow`), fed in blocks of 64 KiB as Pillow does it (ImageFile.py `MAXBLOCK`).
 */
import type { HuffmanSpec } from './huffman-table.ts';

/** Bytes by which the reference's input grows. */
const INPUT_BLOCK_BYTES = 65536;

/** Bytes per block of an MCU that must be at hand for the reference's fast path (jdhuff.c `BUFSIZE`). */
const FAST_PATH_BYTES = 512;

/** Bits that a fill aims at (jdhuff.c `MIN_GET_BITS`). */
const FILLED_BITS = 57;

/** With as many bits left behind the last MCU, no fill ever ran short. */
export const AMPLE_BITS = 64;

/** The fast path fills when no more bits than this are left, six bytes at a time. */
const FAST_FILL_BITS = 16;
const FAST_FILL_BYTES = 6;

/** The reference's lookup tables resolve codes of up to 8 bits. */
const REFERENCE_LOOKUP_BITS = 8;

/** The tables of one block of an MCU. */
export interface BlockTables {
  readonly dc: HuffmanSpec;
  readonly ac: HuffmanSpec;
}

/** A segment that ends with the file. */
export interface LastSegment {
  /** Where its data starts in the file. */
  readonly start: number;
  /** MCUs in it. */
  readonly mcus: number;
  /** The blocks of an MCU. */
  readonly blocks: readonly BlockTables[];
  /** True where the scan has restart intervals: the fast path is not used then. */
  readonly restarts: boolean;
}

/** Tells whether the reference decoder completes the segment's MCUs without asking for data beyond the end of the file. */
export function completesWithoutMarker(bytes: Uint8Array, segment: LastSegment): boolean {
  return new Lookahead(bytes, segment).run();
}

class Lookahead {
  private readonly bytes: Uint8Array;
  private readonly segment: LastSegment;
  private readonly limits = new Map<HuffmanSpec, Int32Array>();
  /** Next bit to take, counted in data bits from the start of the segment. */
  private bit = 0;
  private bitsLeft = 0;
  /** Next byte of the file to load. */
  private next: number;
  private inputEnd = INPUT_BLOCK_BYTES;
  private fast = false;
  private readonly data: Uint8Array;

  constructor(bytes: Uint8Array, segment: LastSegment) {
    this.bytes = bytes;
    this.segment = segment;
    this.next = segment.start;
    this.data = unstuffed(bytes, segment.start);
    for (const { dc, ac } of segment.blocks) {
      this.limits.set(dc, codeLimits(dc));
      this.limits.set(ac, codeLimits(ac));
    }
  }

  run(): boolean {
    const { blocks, mcus, restarts } = this.segment;
    const length = this.bytes.length;
    while (this.inputEnd < this.next) this.inputEnd += INPUT_BLOCK_BYTES;
    for (let mcu = 0; mcu < mcus; ) {
      const { bit, bitsLeft, next } = this;
      this.fast = !restarts && Math.min(this.inputEnd, length) - next >= FAST_PATH_BYTES * blocks.length;
      if (blocks.every((tables) => this.takeBlock(tables))) {
        mcu++;
        continue;
      }
      if (this.inputEnd >= length) return false;
      // The MCU is read anew once there is more input.
      this.inputEnd += INPUT_BLOCK_BYTES;
      this.bit = bit;
      this.bitsLeft = bitsLeft;
      this.next = next;
    }
    return true;
  }

  private takeBlock({ dc, ac }: BlockTables): boolean {
    const size = this.takeSymbol(dc);
    if (size < 0 || !this.takeBits(size)) return false;
    for (let k = 1; k < 64; k++) {
      const symbol = this.takeSymbol(ac);
      if (symbol < 0) return false;
      const zeros = symbol >> 4;
      if ((symbol & 15) === 0) {
        if (zeros !== 15) break;
      } else if (!this.takeBits(symbol & 15)) return false;
      k += zeros;
    }
    return true;
  }

  /** Takes a code; returns its symbol, 0 where no code matches, -1 where input is missing. */
  private takeSymbol(spec: HuffmanSpec): number {
    if (this.fast) this.fillFast();
    else if (this.bitsLeft < REFERENCE_LOOKUP_BITS && !this.fill()) return -1;
    const limits = this.limits.get(spec)!;
    const { data, bit } = this;
    const at = bit >> 3;
    const word = ((data[at] ?? 0) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0);
    const peek = (word >> (8 - (bit & 7))) & 0xffff;
    let code = 0;
    let index = 0;
    for (let length = 1; length <= 16; length++) {
      // Beyond the lookup table bits are taken as the code grows, 9 at first, and each time the buffer may be filled.
      if (length > REFERENCE_LOOKUP_BITS && !this.takeBits(length === REFERENCE_LOOKUP_BITS + 1 ? length : 1))
        return -1;
      if (peek < limits[length]!) {
        if (length <= REFERENCE_LOOKUP_BITS) this.drop(length);
        return spec.symbols[index + (peek >> (16 - length)) - code]!;
      }
      index += spec.counts[length]!;
      code = (code + spec.counts[length]!) << 1;
    }
    return this.takeCodeBits(1) ? 0 : -1;
  }

  /** The fast path does not fill up within a code. */
  private takeCodeBits(count: number): boolean {
    if (!this.fast && this.bitsLeft < count && !this.fill()) return false;
    this.drop(count);
    return true;
  }

  private takeBits(count: number): boolean {
    if (count === 0) return true;
    if (this.fast) this.fillFast();
    else if (this.bitsLeft < count && !this.fill()) return false;
    this.drop(count);
    return true;
  }

  private drop(count: number): void {
    this.bit += count;
    this.bitsLeft -= count;
  }

  private fill(): boolean {
    while (this.bitsLeft < FILLED_BITS) {
      if (!this.load()) return false;
    }
    return true;
  }

  private fillFast(): void {
    if (this.bitsLeft <= FAST_FILL_BITS) {
      for (let i = 0; i < FAST_FILL_BYTES; i++) this.load();
    }
  }

  private load(): boolean {
    const end = Math.min(this.inputEnd, this.bytes.length);
    let next = this.next;
    if (next >= end) return false;
    if (this.bytes[next++] === 0xff) {
      while (next < end && this.bytes[next] === 0xff) next++;
      if (next >= end) return false;
      next++;
    }
    this.next = next;
    this.bitsLeft += 8;
    return true;
  }
}

/** The segment's data without byte stuffing. */
function unstuffed(bytes: Uint8Array, start: number): Uint8Array {
  const data = new Uint8Array(bytes.length - start);
  let length = 0;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === 0xff) {
      while (at + 1 < bytes.length && bytes[at + 1] === 0xff) at++;
      at++;
    }
    data[length++] = byte;
  }
  return data;
}

/** By length: one past the largest code, left-aligned in 16 bits; 0 where there is no code of that length. */
function codeLimits({ counts }: HuffmanSpec): Int32Array {
  const limits = new Int32Array(17);
  let code = 0;
  for (let length = 1; length <= 16; length++) {
    code += counts[length]!;
    if (counts[length] !== 0) limits[length] = code << (16 - length);
    code <<= 1;
  }
  return limits;
}
