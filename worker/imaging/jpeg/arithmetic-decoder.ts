/**
 * The binary arithmetic decoder (QM coder) over one scan's entropy-coded data.
 *
 * Source: ITU-T T.81 annex D.2; the registers are laid out as in libjpeg-turbo jdarith.c `arith_decode`, so that damaged
 * data decodes to the same decisions. A marker is legal at any point: zeros follow it until the segment's decoding ends.
 */
import { END_OF_DATA, findMarker } from './bit-window.ts';

/** State of a bin whose probability stays at one half (ITU-T T.851, 10.3). */
export const FIXED_STATE = 113;

/** The sense of the more probable symbol, in a bin and in `NEXT_LPS`. */
const MPS_BIT = 0x80;

/** `ct` of a decoder that has yet to read its two first bytes. */
const INITIAL_SHIFT = -16;

/** Size of the interval of the less probable symbol, by state (ITU-T T.81 table D.3, column Qe). */
const QE = Uint16Array.from(
  (
    '5a1d 2586 1114 080b 03d8 01da 00e5 006f 0036 001a 000d 0006 0003 0001 5a7f 3f25 2cf2 207c 17b9 1182 0cef 09a1 072f ' +
    '055c 0406 0303 0240 01b1 0144 00f5 00b7 008a 0068 004e 003b 002c 5ae1 484c 3a0d 2ef1 261f 1f33 19a8 1518 1177 0e74 ' +
    '0bfb 09f8 0861 0706 05cd 04de 040f 0363 02d4 025c 01f8 01a4 0160 0125 00f6 00cb 00ab 008f 5b12 4d04 412c 37d8 2fe8 ' +
    '293c 2379 1edf 1aa9 174e 1424 119c 0f6b 0d51 0bb6 0a40 5832 4d1c 438e 3bdd 34ee 2eae 299a 2516 5570 4ca9 44d9 3e22 ' +
    '3824 32b4 2e17 56a8 4f46 47e5 41cf 3c3d 375e 5231 4c0f 4639 415e 5627 50e7 4b85 5597 504f 5a10 5522 59eb 5a1d'
  ).split(' '),
  (hex) => Number.parseInt(hex, 16),
);

/** States that exchange the senses of their symbols after the less probable one (table D.3, column Switch_MPS). */
const SWITCHING = new Set([0, 14, 36, 64, 80, 88, 95, 105, 110, 112]);

/** Next state after the less probable symbol (table D.3, column Next_Index_LPS), with `MPS_BIT` where the senses switch. */
const NEXT_LPS = Uint8Array.from(
  (
    '1 14 16 18 20 23 25 28 30 33 35 9 10 12 15 36 38 39 40 42 43 45 46 48 49 51 52 54 56 57 59 60 62 63 32 33 37 64 ' +
    '65 67 68 69 70 72 73 74 75 77 78 79 48 50 50 51 52 53 54 55 56 57 58 59 61 61 65 80 81 82 83 84 86 87 87 72 72 ' +
    '74 74 75 77 77 80 88 89 90 91 92 93 86 88 95 96 97 99 99 93 95 101 102 103 104 99 105 106 107 103 105 108 109 ' +
    '110 111 110 112 112 113'
  ).split(' '),
  (next, state) => (SWITCHING.has(state) ? Number(next) | MPS_BIT : Number(next)),
);

/** Next state after the more probable symbol (table D.3, column Next_Index_MPS). */
const NEXT_MPS = Uint8Array.from(
  (
    '1 2 3 4 5 6 7 8 9 10 11 12 13 13 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 9 37 38 39 40 ' +
    '41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 32 65 66 67 68 69 70 71 72 73 74 75 76 77 ' +
    '78 79 48 81 82 83 84 85 86 87 71 89 90 91 92 93 94 86 96 97 98 99 100 93 102 103 104 99 106 107 103 109 107 111 ' +
    '109 111 113'
  ).split(' '),
  Number,
);

/** Decodes binary decisions. */
export class ArithmeticDecoder {
  /** The marker that ended the segment (`END_OF_DATA` for the end of the file); undefined until it was met. */
  marker: number | undefined;
  /** Where the file goes on behind that marker, or with the next byte to read. */
  position = 0;
  /** True once the file ended before the data did. */
  ranOut = false;

  private readonly bytes: Uint8Array;
  private code = 0;
  private interval = 0;
  private shift = INITIAL_SHIFT;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Starts a segment whose data begins at `at`. */
  startSegment(at: number): void {
    this.marker = undefined;
    this.position = at;
    this.code = 0;
    this.interval = 0;
    this.shift = INITIAL_SHIFT;
  }

  /** Starts a segment that holds nothing: `marker` stands right here, the file goes on at `next`. */
  startEmptySegment(marker: number, next: number): void {
    this.startSegment(next);
    this.marker = marker;
  }

  /** Reads on to the marker that ends the segment, and returns it. */
  findEnd(): number {
    if (this.marker === undefined) {
      const found = findMarker(this.bytes, this.position);
      this.marker = this.bytes[found] ?? END_OF_DATA;
      this.position = Math.min(found + 1, this.bytes.length);
    }
    return this.marker;
  }

  /**
   * Decodes one decision, 0 or 1.
   *
   * @param bins statistics: state in bits 0 to 6, the sense of the more probable symbol in bit 7
   * @param bin the index of the decision's context
   */
  decode(bins: Uint8Array, bin: number): number {
    let { interval, shift } = this;
    while (interval < 0x8000) {
      if (--shift < 0) {
        this.code = (this.code << 8) | this.nextByte();
        shift += 8;
        // With its second byte the decoder starts on a whole interval, 0x10000 after the doubling below.
        if (shift < 0 && ++shift === 0) interval = 0x8000;
      }
      interval <<= 1;
    }
    const statistics = bins[bin]!;
    const state = statistics & 0x7f;
    const sense = statistics & MPS_BIT;
    const qe = QE[state]!;
    let decision = sense;
    interval -= qe;
    const bound = interval << shift;
    if (this.code >= bound) {
      this.code -= bound;
      if (interval < qe) bins[bin] = sense ^ NEXT_MPS[state]!;
      else {
        bins[bin] = sense ^ NEXT_LPS[state]!;
        decision ^= MPS_BIT;
      }
      interval = qe;
    } else if (interval < 0x8000) {
      if (interval < qe) {
        bins[bin] = sense ^ NEXT_LPS[state]!;
        decision ^= MPS_BIT;
      } else bins[bin] = sense ^ NEXT_MPS[state]!;
    }
    this.interval = interval;
    this.shift = shift;
    return decision >> 7;
  }

  /** The next data byte without byte stuffing; zeros behind the segment's end. */
  private nextByte(): number {
    const { bytes } = this;
    if (this.marker !== undefined) {
      if (this.marker === END_OF_DATA) this.ranOut = true;
      return 0;
    }
    const byte = bytes[this.position++];
    if (byte !== undefined && byte !== 0xff) return byte;
    while (bytes[this.position] === 0xff) this.position++;
    const second = bytes[this.position++];
    if (second === 0) return 0xff;
    this.marker = second ?? END_OF_DATA;
    if (second === undefined) {
      this.position = bytes.length;
      this.ranOut = true;
    }
    return 0;
  }
}
