/**
 * Entropy-coded data without its byte stuffing, a window at a time, in a form that decoders can read 32 bits at once.
 *
 * A segment ends at the first marker (ITU-T T.81 B.1.1.2): nothing a decoder reads can change where that is. Behind the
 * end stand zero bits, as libjpeg's `jpeg_fill_bit_buffer` (jdhuff.c) supplies them.
 */

/** Index in `BitWindow.state`: the next bits, left-aligned. */
export const BIT_BUFFER = 0;
/** Index in `BitWindow.state`: how many of them are valid, 0 to 31. */
export const BIT_COUNT = 1;
/** Index in `BitWindow.state`: the next byte of `view` to load. */
export const POSITION = 2;

/** Marker value that stands for the end of the file. */
export const END_OF_DATA = 0;

/** Bytes that a 32-bit load may reach past the last byte in use. */
const LOAD_SLACK_BYTES = 8;

/**
 * Reader of entropy-coded segments.
 *
 * Decoders keep the state in locals: refill with
 * `buffer |= view.getInt32(position) >>> count; position += (31 - count) >> 3; count |= 24`, which leaves at least 24 bits;
 * take `n` bits with `buffer >>> (32 - n)`, then `buffer <<= n; count -= n`.
 */
export class BitWindow {
  /** `BIT_BUFFER`, `BIT_COUNT`, `POSITION`. */
  readonly state = new Int32Array(3);
  readonly view: DataView;
  /** From this position on, `prepare` must be called before the next MCU. */
  guard = 0;
  /** The marker that ends the segment (`END_OF_DATA` for the end of the file); undefined until it is in sight. */
  marker: number | undefined;
  /** Where the source goes on after that marker. */
  sourceNext = 0;

  private readonly source: Uint8Array;
  private readonly sourceView: DataView;
  private readonly window: Uint8Array;
  private readonly unitBytes: number;
  private sourceAt = 0;
  private filled = 0;

  /**
   * @param source the whole file
   * @param windowBytes size of the window
   * @param unitBytes the most bytes that decoding one MCU can take
   */
  constructor(source: Uint8Array, windowBytes: number, unitBytes: number) {
    this.source = source;
    this.sourceView = new DataView(source.buffer, source.byteOffset, source.byteLength);
    this.unitBytes = unitBytes;
    this.window = new Uint8Array(windowBytes + unitBytes + LOAD_SLACK_BYTES);
    this.view = new DataView(this.window.buffer);
  }

  /** Bytes that a reader with these parameters allocates. */
  static bytes(windowBytes: number, unitBytes: number): number {
    return windowBytes + unitBytes + LOAD_SLACK_BYTES;
  }

  /** Starts a segment at `sourceAt`; bits left from the previous one are dropped. */
  startSegment(sourceAt: number): void {
    this.sourceAt = sourceAt;
    this.marker = undefined;
    this.filled = 0;
    this.state.fill(0);
    this.guard = 0;
  }

  /** Starts a segment that holds nothing: `marker` stands right here, `sourceNext` behind it. */
  startEmptySegment(marker: number, sourceNext: number): void {
    this.startSegment(sourceNext);
    this.marker = marker;
    this.sourceNext = sourceNext;
    this.window.fill(0);
  }

  /**
   * Makes sure that the next MCU can be read. To be called when `state[POSITION] >= guard`.
   *
   * @returns false where the previous MCU took bits beyond the end of the segment
   */
  prepare(): boolean {
    if (this.marker === undefined) this.slide();
    return !this.exhausted();
  }

  /** Bits of the segment that were not taken; negative where more were taken than it had. Only for segments in sight of their end. */
  get bitsLeft(): number {
    return (this.filled - this.state[POSITION]!) * 8 + this.state[BIT_COUNT]!;
  }

  /** True where more bits were taken than the segment had. */
  exhausted(): boolean {
    return this.marker !== undefined && this.bitsLeft < 0;
  }

  /** Looks for the end of the segment, without reading what is before it; sets `marker` and `sourceNext`. */
  findEnd(): number {
    if (this.marker === undefined) {
      const found = findMarker(this.source, this.sourceAt);
      this.marker = found < this.source.length ? this.source[found]! : END_OF_DATA;
      this.sourceNext = Math.min(found + 1, this.source.length);
    }
    return this.marker;
  }

  /** Drops what has been read and unstuffs as much as the window holds. */
  private slide(): void {
    const { window, state } = this;
    const position = state[POSITION]!;
    // What was loaded ahead stays in the bit buffer: loading it again yields the same bits.
    if (position > 0) window.copyWithin(0, position, this.filled);
    this.filled -= position;
    state[POSITION] = 0;
    const limit = window.length - this.unitBytes - LOAD_SLACK_BYTES;
    this.unstuff(limit);
    if (this.marker === undefined) {
      this.guard = this.filled - this.unitBytes - LOAD_SLACK_BYTES;
    } else {
      window.fill(0, this.filled);
      this.guard = Math.max(0, this.filled - this.unitBytes - LOAD_SLACK_BYTES);
    }
  }

  /** Copies data bytes up to `limit` in the window, or to the marker. */
  private unstuff(limit: number): void {
    const { source, sourceView, window, view } = this;
    const end = source.length;
    let from = this.sourceAt;
    let to = this.filled;
    while (to < limit) {
      // Four bytes at once while none of them is 0xFF.
      const fastEnd = Math.min(end - 4, from + limit - to - 4);
      while (from <= fastEnd) {
        const word = sourceView.getInt32(from, true);
        if (((~word - 0x01010101) & word & 0x80808080) !== 0) break;
        view.setInt32(to, word, true);
        from += 4;
        to += 4;
      }
      if (to >= limit) break;
      if (from >= end) {
        this.endAt(END_OF_DATA, end);
        break;
      }
      const byte = source[from++]!;
      if (byte === 0xff) {
        let next = from;
        while (next < end && source[next] === 0xff) next++;
        if (next >= end) {
          this.endAt(END_OF_DATA, end);
          break;
        }
        if (source[next] !== 0) {
          this.endAt(source[next]!, next + 1);
          break;
        }
        from = next + 1;
      }
      window[to++] = byte;
    }
    this.sourceAt = from;
    this.filled = to;
  }

  private endAt(marker: number, sourceNext: number): void {
    this.marker = marker;
    this.sourceNext = sourceNext;
  }
}

/**
 * Finds the next marker: 0xFF, any number of fill bytes 0xFF, then a byte other than 0x00 and 0xFF.
 * Source: ITU-T T.81 B.1.1.2; libjpeg jdmarker.c `next_marker`.
 *
 * @returns the index of the marker's second byte; `bytes.length` where there is none
 */
export function findMarker(bytes: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    at = bytes.indexOf(0xff, at);
    if (at < 0) return bytes.length;
    at++;
    while (at < bytes.length && bytes[at] === 0xff) at++;
    if (at >= bytes.length) return bytes.length;
    if (bytes[at] !== 0) return at;
    at++;
  }
}
