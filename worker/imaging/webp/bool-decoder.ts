/**
 * The boolean entropy decoder of VP8 (RFC 6386, section 7), as libwebp reads it (src/utils/bit_reader_utils.c).
 *
 * The state is public: the token loop keeps it in locals for a whole macroblock and stores it back.
 */

/** Reads booleans of given probability out of `data[start .. end)`. */
export class BoolDecoder {
  readonly data: Uint8Array;
  /** Index after the last byte of the partition. */
  readonly end: number;
  /** Next byte to load; grows past `end` where zeros are fed in. */
  pos: number;
  /** Bits loaded and not yet consumed, `8 + bits` of them at most. */
  value = 0;
  /** Width of the current interval; 128 to 255 once normalized. Normalization waits until the next read. */
  range = 255;
  /** Position of the interval's lowest bit in `value`; negative where a load is due. */
  bits = -8;

  constructor(data: Uint8Array, start: number, end: number) {
    this.data = data;
    this.pos = start;
    this.end = end;
  }

  /** One boolean. `probability` is that of a zero, in 1/256. */
  readBit(probability: number): number {
    const shift = Math.clz32(this.range) - 24;
    let range = this.range << shift;
    let bits = this.bits - shift;
    if (bits < 0) {
      const { data, pos } = this;
      this.value =
        (this.value << 16) | (pos + 1 < this.end ? (data[pos]! << 8) | data[pos + 1]! : lastWord(data, pos, this.end));
      this.pos = pos + 2;
      bits += 16;
    }
    const split = 1 + (((range - 1) * probability) >> 8);
    const bound = split << bits;
    let bit = 0;
    if (this.value < bound) {
      range = split;
    } else {
      range -= split;
      this.value -= bound;
      bit = 1;
    }
    this.range = range;
    this.bits = bits;
    return bit;
  }

  /** One bit of even odds. */
  readFlag(): boolean {
    return this.readBit(128) !== 0;
  }

  /** An unsigned number of `bits` bits, highest first. */
  readLiteral(bits: number): number {
    let value = 0;
    for (let i = 0; i < bits; i++) value = (value << 1) | this.readBit(128);
    return value;
  }

  /** A magnitude of `bits` bits and a sign. */
  readSigned(bits: number): number {
    const value = this.readLiteral(bits);
    return this.readFlag() ? -value : value;
  }

  /** A flag and, where it is set, a signed number; 0 otherwise. */
  readOptionalSigned(bits: number): number {
    return this.readFlag() ? this.readSigned(bits) : 0;
  }

  /**
   * True once a read needed a byte that is not there: libwebp's `eof`. Words are loaded ahead, so the loaded bits
   * that lie past `end` must have become due.
   */
  get exhausted(): boolean {
    return (this.pos - this.end) * 8 > this.bits;
  }
}

/** The next 16 bits where fewer than two bytes are left: zeros follow the end. */
export function lastWord(data: Uint8Array, pos: number, end: number): number {
  return pos < end ? data[pos]! << 8 : 0;
}
