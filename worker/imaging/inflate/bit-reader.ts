/** Bits of a stream that lies in pieces, the lowest bit of each byte first (RFC 1951 section 3.1.1). */
import { SUBTABLE } from './huffman-table.ts';

/** Where the stream lies in the input, piece by piece. */
export interface ByteRanges {
  /** Indices of the current piece's first byte and of the one behind its last. */
  readonly start: number;
  readonly end: number;
  /** Goes to the next piece, to the first one when called first; false where there is none. */
  next(): boolean;
}

/** The reading end. `symbols.ts` keeps its fields in locals while it runs, so they are open. */
export class BitReader {
  readonly input: Uint8Array;
  readonly view: DataView;
  /** The current piece: its next byte, and the one behind its last. */
  pos = 0;
  end = 0;
  /** Bits read and not used, the next one lowest; at most 31, and zeros above them. */
  hold = 0;
  bits = 0;
  /** True: what is behind the current piece is as good as not there. */
  confined = false;
  /** Why the stream is damaged. */
  reason = '';

  private readonly ranges: ByteRanges;

  constructor(input: Uint8Array, ranges: ByteRanges) {
    this.input = input;
    this.view = new DataView(input.buffer, input.byteOffset, input.byteLength);
    this.ranges = ranges;
  }

  /** Notes why the stream is damaged. */
  corrupt(reason: string): 'corrupt' {
    this.reason = reason;
    return 'corrupt';
  }

  /** Makes `count` bits (16 at most) available, going on to further pieces only for them; false where input ends. */
  hasBits(count: number): boolean {
    this.refill();
    while (this.bits < count) {
      if (!this.nextPiece()) return false;
      this.refill();
    }
    return true;
  }

  /** Makes a byte of the input itself available, where no bits are held; false where input ends. */
  hasByte(): boolean {
    return this.pos < this.end || this.nextPiece();
  }

  /** Takes bits that `hasBits` has made available. */
  take(count: number): number {
    const value = this.hold & ((1 << count) - 1);
    this.hold >>>= count;
    this.bits -= count;
    return value;
  }

  /** Drops the bits that are left of a byte. */
  alignToByte(): void {
    this.take(this.bits & 7);
  }

  /** Reads one code, and no further than it goes; returns its entry, undefined where input ends within it. */
  code(table: Int32Array, rootBits: number): number | undefined {
    for (;;) {
      this.refill();
      let entry = table[this.hold & ((1 << rootBits) - 1)]!;
      if (entry >= 0 && (entry & SUBTABLE) !== 0) {
        entry = table[(entry >>> 16) + ((this.hold >>> rootBits) & ((1 << ((entry >>> 8) & 15)) - 1))]!;
      }
      const bits = entry & 31;
      if (bits <= this.bits) {
        this.take(bits);
        return entry;
      }
      if (!this.nextPiece()) return undefined;
    }
  }

  /** Fills the bit buffer from the current piece to 24..31 bits, unless the piece ends. */
  private refill(): void {
    while (this.bits < 24 && this.pos < this.end) {
      this.hold |= this.input[this.pos++]! << this.bits;
      this.bits += 8;
    }
  }

  /** Goes on to the next piece that has bytes. */
  private nextPiece(): boolean {
    if (this.confined) return false;
    while (this.pos === this.end) {
      if (!this.ranges.next()) return false;
      this.pos = this.ranges.start;
      this.end = this.ranges.end;
    }
    return true;
  }
}
