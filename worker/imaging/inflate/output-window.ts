/** The last 32 KiB of output, which matches copy from, and what the consumer has not taken yet. */

/** Farthest that a match reaches back (RFC 1951 section 2). */
const HISTORY_BYTES = 32_768;
/** Fresh output between two calls of the consumer, at least. */
const CHUNK_BYTES = 65_536;
/** Room that is always there behind `out` after `makeRoom`: a literal and the longest match. */
export const ROOM_BYTES = 259;

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
 * Bytes of the window's buffer.
 *
 * @param unitBytes most bytes that the consumer leaves untaken
 */
export function windowBytes(unitBytes: number): number {
  return HISTORY_BYTES + unitBytes + CHUNK_BYTES + ROOM_BYTES;
}

/** The writing end. `symbols.ts` writes into `data` itself, so its fields are open. */
export class OutputWindow {
  readonly data: Uint8Array;
  /** Index behind the last byte produced. */
  out = 0;
  /** Bytes that left the buffer's start. */
  slidBytes = 0;
  /** Output left to produce. */
  left: number;

  private readonly consumer: InflateConsumer;
  private taken = 0;
  /** Index behind the last byte that the checksum covers. */
  private summed = 0;
  private adlerA = 1;
  private adlerB = 0;

  constructor(maxBytes: number, unitBytes: number, consumer: InflateConsumer) {
    this.data = new Uint8Array(Math.min(windowBytes(unitBytes), maxBytes + ROOM_BYTES));
    this.left = maxBytes;
    this.consumer = consumer;
  }

  /** Bytes that can be written without leaving the buffer, less the room that a symbol needs. */
  get room(): number {
    return this.data.length - ROOM_BYTES - this.out;
  }

  /** True where `high` and `low` are the halves of the Adler-32 of what has been flushed (RFC 1950 section 8.2). */
  hasChecksum(high: number, low: number): boolean {
    return high === this.adlerB && low === this.adlerA;
  }

  /** Hands the buffer over when it is nearly full, and makes the last 32 KiB its start. */
  makeRoom(): void {
    if (this.room > 1) return;
    this.flush();
    const keepFrom = Math.max(0, Math.min(this.taken, this.out - HISTORY_BYTES));
    this.data.copyWithin(0, keepFrom, this.out);
    this.slidBytes += keepFrom;
    this.out -= keepFrom;
    this.taken -= keepFrom;
    this.summed -= keepFrom;
  }

  /** Offers what is there to the consumer. */
  flush(): void {
    this.checksum();
    if (this.out > this.taken) this.taken = this.consumer.consume(this.data, this.taken, this.out);
  }

  /** Adds what is new to the checksum. */
  private checksum(): void {
    const { data, out } = this;
    let a = this.adlerA;
    let b = this.adlerB;
    let i = this.summed;
    while (i < out) {
      // 2654 bytes keep both sums under 2^31 between two divisions. Said to be int32, they take half the time.
      const stop = Math.min(out, i + 2654);
      for (; i < stop; i++) {
        a = (a + data[i]!) | 0;
        b = (b + a) | 0;
      }
      a %= 65_521;
      b %= 65_521;
    }
    this.adlerA = a;
    this.adlerB = b;
    this.summed = out;
  }
}
