/**
 * Least-significant-bit-first reader of VP8L (RFC 9649, section 3.2), as libwebp reads it
 * (src/utils/bit_reader_utils.c).
 *
 * The state is public: the pixel loop keeps it in locals.
 */

/** libwebp's reader preloads eight bytes, and takes shorter streams as if zeros followed. */
const PRELOAD_BITS = 64;

/** Reads bits out of a byte array; zeros follow its end. */
export class LsbBitReader {
  readonly data: Uint8Array;
  /** Next byte to load; grows past the end of `data`. */
  pos = 0;
  /** Loaded bits, the next one lowest; less than 31 of them, so that this stays positive. */
  hold = 0;
  /** How many bits `hold` has. */
  count = 0;

  constructor(data: Uint8Array) {
    this.data = data;
  }

  /** Loads until there are `bits` bits, 0 to 23. */
  need(bits: number): void {
    while (this.count < bits) {
      this.hold |= (this.pos < this.data.length ? this.data[this.pos]! : 0) << this.count;
      this.pos++;
      this.count += 8;
    }
  }

  /** Takes bits that are loaded. */
  drop(bits: number): void {
    this.hold >>>= bits;
    this.count -= bits;
  }

  /** An unsigned number of `bits` bits, 0 to 23. */
  readBits(bits: number): number {
    this.need(bits);
    const value = this.hold & ((1 << bits) - 1);
    this.drop(bits);
    return value;
  }

  /** True once more bits were taken than there are. */
  get exhausted(): boolean {
    return this.pos * 8 - this.count > Math.max(PRELOAD_BITS, this.data.length * 8);
  }
}

/** The next 16 bits where fewer than two bytes are left: zeros follow the end. */
export function lastBits(data: Uint8Array, pos: number): number {
  return pos < data.length ? data[pos]! : 0;
}
