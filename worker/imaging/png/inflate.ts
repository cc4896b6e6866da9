/**
 * zlib decompression (RFC 1950, RFC 1951) that stops where the image ends.
 *
 * Input comes in byte ranges (PNG splits one stream over many IDAT chunks), read in place. Output goes through one
 * fixed window to a consumer, so memory does not depend on the size of the stream; bytes beyond `maxBytes` are never
 * produced, so a bomb costs what its image costs. Why this and not the platform's `DecompressionStream`:
 * docs/decisions, "PNG inflates in TypeScript".
 */
import {
  buildTable,
  DISTANCE_ROOT_BITS,
  DISTANCE_SYMBOLS,
  DISTANCE_TABLE_ENTRIES,
  END_OF_BLOCK,
  EXCEPTIONAL,
  INVALID,
  LITERAL_ROOT_BITS,
  LITERAL_SYMBOLS,
  LITERAL_TABLE_ENTRIES,
  PRECODE_ROOT_BITS,
  PRECODE_SYMBOLS,
  PRECODE_TABLE_ENTRIES,
  SUBTABLE,
} from './huffman-table.ts';

/** Farthest that a match reaches back, RFC 1951 section 2. */
const HISTORY_BYTES = 32_768;
/** Fresh output between two calls of the consumer, at least. */
const CHUNK_BYTES = 65_536;
/** Longest match. */
const MAX_MATCH_BYTES = 258;
/** One round of the fast loop reads at most this far ahead: four refills of at most 3 bytes and the last one's 4-byte load. */
const FAST_INPUT_BYTES = 16;
/** One round of the fast loop writes at most this much: a literal and a match. */
const FAST_OUTPUT_BYTES = MAX_MATCH_BYTES + 1;
/** Matches at least this long that do not overlap themselves are cheaper to copy by `copyWithin`. */
const BLOCK_COPY_BYTES = 64;

/** RFC 1951 section 3.2.7: the order in which code lengths of the code-length code are stored. */
const PRECODE_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/** Where the stream lies in the input, piece by piece. */
export interface ByteRanges {
  /** Indices of the current piece's first byte and of the one behind its last. */
  readonly start: number;
  readonly end: number;
  /** Goes to the next piece, to the first one when called first; false where there is none. */
  next(): boolean;
}

/** Takes output as it comes. */
export interface InflateConsumer {
  /**
   * Bytes `from .. to - 1` of `data` are ready; those it does not take now are offered again, followed by more.
   *
   * @returns index behind the last byte taken
   */
  consume(data: Uint8Array, from: number, to: number): number;
}

/**
 * How it ended:
 * `full` - `maxBytes` were produced and nothing up to there is wrong;
 * `ended` - the stream ended, its checksum right, before that;
 * `truncated` - input ran out; `corrupt` - the stream is damaged, `reason` says how.
 */
export interface InflateResult {
  readonly status: 'full' | 'ended' | 'truncated' | 'corrupt';
  /** Bytes produced and offered to the consumer. */
  readonly producedBytes: number;
  readonly reason: string;
}

/**
 * Size of the window that inflating allocates.
 *
 * @param unitBytes most bytes that the consumer leaves untaken (one row)
 */
export function inflateWindowBytes(unitBytes: number): number {
  return HISTORY_BYTES + unitBytes + CHUNK_BYTES + FAST_OUTPUT_BYTES;
}

/** Bytes that inflating allocates: the window and the tables. */
export function inflateMemoryBytes(unitBytes: number): number {
  return (
    inflateWindowBytes(unitBytes) +
    4 * (LITERAL_TABLE_ENTRIES + DISTANCE_TABLE_ENTRIES + PRECODE_TABLE_ENTRIES) +
    CODE_LENGTHS
  );
}

/** Code lengths of one block at most: 288 literal/length symbols and 32 distances. */
const CODE_LENGTHS = 320;

/**
 * Inflates one zlib stream.
 *
 * @param input the file
 * @param ranges the pieces of the stream in `input`; left at the one in which reading stopped
 * @param maxBytes output to stop at. The stream is then checked up to its next output byte or to the end of the
 *   current range, as zlib does when it has filled a buffer: a wrong checksum right behind the image is an error
 * @param unitBytes most bytes that the consumer leaves untaken
 */
export function inflate(
  input: Uint8Array,
  ranges: ByteRanges,
  maxBytes: number,
  unitBytes: number,
  consumer: InflateConsumer,
): InflateResult {
  return new Inflater(input, ranges, maxBytes, unitBytes, consumer).run();
}

/** Why a block or the stream stopped; `go` means that it did not. */
type Step = 'go' | 'last' | 'full' | 'truncated' | 'corrupt';

class Inflater {
  private readonly input: Uint8Array;
  private readonly view: DataView;
  private readonly ranges: ByteRanges;
  private readonly consumer: InflateConsumer;
  private readonly window: Uint8Array;
  private readonly literals = new Int32Array(LITERAL_TABLE_ENTRIES);
  private readonly distances = new Int32Array(DISTANCE_TABLE_ENTRIES);
  private readonly precodes = new Int32Array(PRECODE_TABLE_ENTRIES);
  private readonly lengths = new Uint8Array(CODE_LENGTHS);

  private pos = 0;
  private end = 0;
  /** Bits read and not used, the next one lowest. */
  private hold = 0;
  private bits = 0;

  /** Bytes of the stream that left the window's start. */
  private slidBytes = 0;
  private out = 0;
  private taken = 0;
  /** Window index behind the last byte that the checksum covers. */
  private summed = 0;
  private adlerA = 1;
  private adlerB = 0;
  /** Output left to produce. */
  private left: number;
  private reason = '';

  constructor(input: Uint8Array, ranges: ByteRanges, maxBytes: number, unitBytes: number, consumer: InflateConsumer) {
    this.input = input;
    this.view = new DataView(input.buffer, input.byteOffset, input.byteLength);
    this.ranges = ranges;
    this.consumer = consumer;
    this.left = maxBytes;
    this.window = new Uint8Array(Math.min(inflateWindowBytes(unitBytes), maxBytes + FAST_OUTPUT_BYTES));
  }

  run(): InflateResult {
    let step = this.header();
    while (step === 'go') step = this.block();
    this.flush();
    if (step === 'last') step = this.trailer();
    return {
      status: step === 'last' || step === 'go' ? 'ended' : step,
      producedBytes: this.slidBytes + this.out,
      reason: this.reason,
    };
  }

  private corrupt(reason: string): 'corrupt' {
    this.reason = reason;
    return 'corrupt';
  }

  /** Fills the bit buffer from the current range to 24..31 bits, unless the range ends. */
  private refill(): void {
    while (this.bits < 24 && this.pos < this.end) {
      this.hold |= this.input[this.pos++]! << this.bits;
      this.bits += 8;
    }
  }

  /** Goes on to the next range that has bytes. */
  private nextRange(): boolean {
    // Behind the last output byte only what came with it counts.
    if (this.left === 0) return false;
    while (this.pos === this.end) {
      if (!this.ranges.next()) return false;
      this.pos = this.ranges.start;
      this.end = this.ranges.end;
    }
    return true;
  }

  private hasBits(count: number): boolean {
    this.refill();
    while (this.bits < count) {
      if (!this.nextRange()) return false;
      this.refill();
    }
    return true;
  }

  /** Takes up to 16 bits that `hasBits` has seen. */
  private take(count: number): number {
    const value = this.hold & ((1 << count) - 1);
    this.hold >>>= count;
    this.bits -= count;
    return value;
  }

  /** What running out of input means: an error, or no more than the end of the check behind a full image. */
  private starved(): Step {
    return this.left === 0 ? 'full' : 'truncated';
  }

  private header(): Step {
    if (!this.hasBits(16)) return 'truncated';
    const cmf = this.take(8);
    const flags = this.take(8);
    if (((cmf << 8) | flags) % 31 !== 0) return this.corrupt('zlib header check is wrong');
    if ((cmf & 15) !== 8) return this.corrupt(`zlib compression method is ${cmf & 15}; only 8 exists`);
    if (cmf >> 4 > 7) return this.corrupt(`zlib window is 2^${(cmf >> 4) + 8} bytes; at most 2^15 exist`);
    if ((flags & 0x20) !== 0) return this.corrupt('zlib stream needs a preset dictionary');
    return 'go';
  }

  private trailer(): Step {
    this.take(this.bits & 7);
    if (!this.hasBits(16)) return this.starved();
    const high = (this.take(8) << 8) | this.take(8);
    if (!this.hasBits(16)) return this.starved();
    const low = (this.take(8) << 8) | this.take(8);
    if (high !== this.adlerB || low !== this.adlerA) return this.corrupt('zlib checksum does not match the data');
    return this.left === 0 ? 'full' : 'last';
  }

  private block(): Step {
    if (!this.hasBits(3)) return this.starved();
    const last = this.take(1) === 1;
    const type = this.take(2);
    let step: Step;
    if (type === 0) {
      step = this.stored();
    } else if (type === 3) {
      step = this.corrupt('block type 3 does not exist');
    } else {
      step = type === 1 ? this.fixedCodes() : this.dynamicCodes();
      if (step === 'go') step = this.compressed();
    }
    return step === 'go' && last ? 'last' : step;
  }

  private stored(): Step {
    this.take(this.bits & 7);
    if (!this.hasBits(16)) return this.starved();
    let length = this.take(16);
    if (!this.hasBits(16)) return this.starved();
    if (this.take(16) !== (length ^ 0xffff)) return this.corrupt('stored block length does not match its complement');
    while (length > 0) {
      if (this.left === 0) return 'full';
      this.makeRoom();
      if (this.bits > 0) {
        this.window[this.out++] = this.take(8);
        this.left--;
        length--;
      } else {
        if (this.pos === this.end && !this.nextRange()) return 'truncated';
        const space = this.window.length - FAST_OUTPUT_BYTES - this.out;
        const count = Math.min(length, this.end - this.pos, space, this.left);
        this.window.set(this.input.subarray(this.pos, this.pos + count), this.out);
        this.pos += count;
        this.out += count;
        this.left -= count;
        length -= count;
      }
    }
    return 'go';
  }

  private fixedCodes(): Step {
    const { lengths } = this;
    lengths.fill(8, 0, 144).fill(9, 144, 256).fill(7, 256, 280).fill(8, 280, 288).fill(5, 288, 320);
    buildTable(this.literals, LITERAL_ROOT_BITS, lengths, 0, 288, LITERAL_SYMBOLS, false);
    buildTable(this.distances, DISTANCE_ROOT_BITS, lengths, 288, 32, DISTANCE_SYMBOLS, false);
    return 'go';
  }

  /** RFC 1951 section 3.2.7. */
  private dynamicCodes(): Step {
    const { lengths, precodes } = this;
    if (!this.hasBits(14)) return this.starved();
    const literalCount = this.take(5) + 257;
    const distanceCount = this.take(5) + 1;
    const precodeCount = this.take(4) + 4;
    if (literalCount > 286 || distanceCount > 30) {
      return this.corrupt(`block has ${literalCount} length and ${distanceCount} distance symbols; 286 and 30 exist`);
    }
    lengths.fill(0, 0, 19);
    for (let i = 0; i < precodeCount; i++) {
      if (!this.hasBits(3)) return this.starved();
      lengths[PRECODE_ORDER[i]!] = this.take(3);
    }
    if (!buildTable(precodes, PRECODE_ROOT_BITS, lengths, 0, 19, PRECODE_SYMBOLS, false)) {
      return this.corrupt('code lengths of the code lengths are no code');
    }
    const count = literalCount + distanceCount;
    let i = 0;
    while (i < count) {
      const entry = this.entry(precodes, PRECODE_ROOT_BITS);
      if (entry === undefined) return this.starved();
      const symbol = entry >>> 16;
      const repeatBits = symbol < 16 ? 0 : symbol === 16 ? 2 : symbol === 17 ? 3 : 7;
      if (!this.hasBits(repeatBits)) return this.starved();
      if (symbol < 16) {
        lengths[i++] = symbol;
        continue;
      }
      if (symbol === 16 && i === 0) return this.corrupt('code length repeats nothing');
      const repeated = symbol === 16 ? lengths[i - 1]! : 0;
      const repeat = (symbol === 18 ? 11 : 3) + this.take(repeatBits);
      if (i + repeat > count) return this.corrupt('code lengths repeat past their end');
      lengths.fill(repeated, i, i + repeat);
      i += repeat;
    }
    if (lengths[256] === 0) return this.corrupt('block has no end');
    if (!buildTable(this.literals, LITERAL_ROOT_BITS, lengths, 0, literalCount, LITERAL_SYMBOLS, true)) {
      return this.corrupt('literal code lengths are no code');
    }
    if (!buildTable(this.distances, DISTANCE_ROOT_BITS, lengths, literalCount, distanceCount, DISTANCE_SYMBOLS, true)) {
      return this.corrupt('distance code lengths are no code');
    }
    return 'go';
  }

  private compressed(): Step {
    for (;;) {
      const step = this.fast();
      if (step !== 'go') return step === 'last' ? 'go' : step;
      this.makeRoom();
      const slow = this.symbol();
      if (slow !== 'go') return slow === 'last' ? 'go' : slow;
    }
  }

  /** Decodes one symbol with every check, near the end of a range, of the window or of the image. */
  private symbol(): Step {
    const entry = this.entry(this.literals, LITERAL_ROOT_BITS);
    if (entry === undefined) return this.starved();
    if (entry < 0) {
      if (this.left === 0) return 'full';
      this.window[this.out++] = entry >>> 8;
      this.left--;
      return 'go';
    }
    if ((entry & END_OF_BLOCK) !== 0) return 'last';
    if ((entry & INVALID) !== 0) return this.corrupt('length code does not exist');
    const lengthExtra = (entry >>> 8) & 15;
    if (!this.hasBits(lengthExtra)) return this.starved();
    const length = (entry >>> 16) + this.take(lengthExtra);
    const code = this.entry(this.distances, DISTANCE_ROOT_BITS);
    if (code === undefined) return this.starved();
    if ((code & INVALID) !== 0) return this.corrupt('distance code does not exist');
    const distanceExtra = (code >>> 8) & 15;
    if (!this.hasBits(distanceExtra)) return this.starved();
    const distance = (code >>> 16) + this.take(distanceExtra);
    const count = Math.min(length, this.left);
    if (count === 0) return 'full';
    if (distance > this.slidBytes + this.out) {
      return this.corrupt(`match reaches ${distance} bytes back, before the start of the data`);
    }
    const { window, out } = this;
    for (let i = 0; i < count; i++) window[out + i] = window[out + i - distance]!;
    this.out += count;
    this.left -= count;
    return count < length ? 'full' : 'go';
  }

  /** Reads one code, and no further than it goes; undefined where input ends within it. */
  private entry(table: Int32Array, rootBits: number): number | undefined {
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
      if (!this.nextRange()) return undefined;
    }
  }

  /**
   * Decodes symbols while input, window and image have room for any of them.
   *
   * @returns `last` at the end of the block, `go` where the room ends
   */
  private fast(): Step {
    const { view, window, literals, distances } = this;
    const literalMask = (1 << LITERAL_ROOT_BITS) - 1;
    const distanceMask = (1 << DISTANCE_ROOT_BITS) - 1;
    const inputEnd = this.end - FAST_INPUT_BYTES;
    const outputEnd = this.out + Math.min(this.left, window.length - this.out) - FAST_OUTPUT_BYTES;
    const history = this.slidBytes;
    let { pos, hold, bits, out } = this;
    let step: Step = 'go';
    // Bits above `bits` in `hold` are the stream's own in this loop, so OR-ing them in twice changes nothing.
    while (pos <= inputEnd && out <= outputEnd) {
      hold |= view.getInt32(pos, true) << bits;
      pos += (31 - bits) >> 3;
      bits |= 24;
      let entry = literals[hold & literalMask]!;
      if (entry < 0) {
        window[out++] = entry >>> 8;
        // A shift count is taken modulo 32: the entry's low five bits are its length.
        hold >>>= entry;
        bits -= entry & 31;
        entry = literals[hold & literalMask]!;
        if (entry < 0) {
          window[out++] = entry >>> 8;
          hold >>>= entry;
          bits -= entry & 31;
          continue;
        }
        hold |= view.getInt32(pos, true) << bits;
        pos += (31 - bits) >> 3;
        bits |= 24;
      }
      if ((entry & EXCEPTIONAL) !== 0) {
        if ((entry & SUBTABLE) !== 0) {
          entry = literals[(entry >>> 16) + ((hold >>> LITERAL_ROOT_BITS) & ((1 << ((entry >>> 8) & 15)) - 1))]!;
          if (entry < 0) {
            window[out++] = entry >>> 8;
            hold >>>= entry;
            bits -= entry & 31;
            continue;
          }
        }
        if ((entry & END_OF_BLOCK) !== 0) {
          hold >>>= entry;
          bits -= entry & 31;
          step = 'last';
          break;
        }
        if ((entry & INVALID) !== 0) {
          step = this.corrupt('length code does not exist');
          break;
        }
      }
      hold >>>= entry;
      bits -= entry & 31;
      const lengthExtra = (entry >>> 8) & 15;
      const length = (entry >>> 16) + (hold & ((1 << lengthExtra) - 1));
      hold >>>= lengthExtra;
      bits -= lengthExtra;
      hold |= view.getInt32(pos, true) << bits;
      pos += (31 - bits) >> 3;
      bits |= 24;
      entry = distances[hold & distanceMask]!;
      if ((entry & EXCEPTIONAL) !== 0) {
        if ((entry & SUBTABLE) !== 0) {
          entry = distances[(entry >>> 16) + ((hold >>> DISTANCE_ROOT_BITS) & ((1 << ((entry >>> 8) & 15)) - 1))]!;
        }
        if ((entry & INVALID) !== 0) {
          step = this.corrupt('distance code does not exist');
          break;
        }
      }
      hold >>>= entry;
      bits -= entry & 31;
      const distanceExtra = (entry >>> 8) & 15;
      if (bits < distanceExtra) {
        hold |= view.getInt32(pos, true) << bits;
        pos += (31 - bits) >> 3;
        bits |= 24;
      }
      const distance = (entry >>> 16) + (hold & ((1 << distanceExtra) - 1));
      hold >>>= distanceExtra;
      bits -= distanceExtra;
      if (distance > history + out) {
        step = this.corrupt(`match reaches ${distance} bytes back, before the start of the data`);
        break;
      }
      const matchEnd = out + length;
      let from = out - distance;
      if (length >= BLOCK_COPY_BYTES && distance >= length) {
        window.copyWithin(out, from, from + length);
        out = matchEnd;
      } else {
        do {
          window[out++] = window[from++]!;
        } while (out < matchEnd);
      }
    }
    this.left -= out - this.out;
    this.pos = pos;
    this.hold = hold & (2 ** bits - 1);
    this.bits = bits;
    this.out = out;
    return step;
  }

  /** Hands the window over when it is nearly full, and makes the last 32 KiB its start. */
  private makeRoom(): void {
    if (this.window.length - this.out > FAST_OUTPUT_BYTES + 1) return;
    this.flush();
    const keepFrom = Math.max(0, Math.min(this.taken, this.out - HISTORY_BYTES));
    this.window.copyWithin(0, keepFrom, this.out);
    this.slidBytes += keepFrom;
    this.out -= keepFrom;
    this.taken -= keepFrom;
    this.summed -= keepFrom;
  }

  private flush(): void {
    this.checksum();
    if (this.out > this.taken) this.taken = this.consumer.consume(this.window, this.taken, this.out);
  }

  /** Adler-32 (RFC 1950 section 8.2) over what is new in the window. */
  private checksum(): void {
    const { window, out } = this;
    let a = this.adlerA;
    let b = this.adlerB;
    let i = this.summed;
    while (i < out) {
      // 2654 bytes keep both sums under 2^31 - 1 between two divisions.
      const stop = Math.min(out, i + 2654);
      for (; i + 4 <= stop; i += 4) {
        const b0 = window[i]!;
        const b1 = window[i + 1]!;
        const b2 = window[i + 2]!;
        const b3 = window[i + 3]!;
        b += 4 * a + 4 * b0 + 3 * b1 + 2 * b2 + b3;
        a += b0 + b1 + b2 + b3;
      }
      for (; i < stop; i++) {
        a += window[i]!;
        b += a;
      }
      a %= 65_521;
      b %= 65_521;
    }
    this.adlerA = a;
    this.adlerB = b;
    this.summed = out;
  }
}
