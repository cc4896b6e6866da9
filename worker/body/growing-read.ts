/**
 * Reads a stream into memory that is taken as bytes arrive: who declares 20 MiB and sends 4 bytes holds 4 KiB. Pure but for the
 * source and for `reserve`, which are passed in.
 */
import { type ByteSource, discard, type Filled, fill } from '../../model-store/byte-source.ts';

/** How much is read, and where memory for it comes from. */
export interface GrowingRead {
  /** Reading stops after this many bytes. */
  readonly limit: number;
  /** Bytes that the stream is said to have; null where it does not say. */
  readonly expected: number | null;
  /** Waits for memory: `bytes` will be allocated, all in all. */
  reserve(bytes: number): Promise<void>;
}

/** Memory taken at first, in bytes. */
const FIRST_BYTES = 4096;

/** Once this part of a stream of known length has arrived, memory for all of it is taken, so that the rest is read without a copy. */
export const EARLY_SHARE = 1 / 8;

/** Behind what was expected there is nothing: this much is enough to see it. */
const PROBE_BYTES = 256;

/**
 * Reads until the stream ends or `limit` bytes have come.
 * @returns memory of exactly the bytes that were read, or, of a stream that ends early, somewhat more.
 * @throws what the stream fails with, and what `reserve` throws.
 */
export async function readGrowing(source: Pick<ByteSource, 'read'>, how: GrowingRead): Promise<Filled> {
  const { limit, reserve } = how;
  let expected = how.expected === null ? null : Math.min(how.expected, limit);
  let buffer = new ArrayBuffer(0);
  let length = 0;
  let capacity = Math.min(limit, expected === null || expected === 0 ? FIRST_BYTES : Math.min(expected, FIRST_BYTES));
  try {
    for (;;) {
      await reserve(capacity);
      buffer = moved(buffer, length, capacity);
      ({ buffer, length } = await fill(source, buffer, length));
      if (length < capacity || length >= limit) break;
      if (length === expected) {
        const probe = await source.read(new ArrayBuffer(PROBE_BYTES), 0);
        if (probe.length === 0) break;
        // It is longer than it said.
        expected = null;
        const more = Math.min(probe.length, limit - length);
        await reserve(length + more);
        buffer = moved(buffer, length, length + more);
        new Uint8Array(buffer).set(new Uint8Array(probe.buffer, 0, more), length);
        length += more;
        if (length >= limit) break;
      }
      capacity = Math.min(limit, nextCapacity(length, expected));
    }
    // What grew by doubling may end half empty.
    return { buffer: expected === null && length < buffer.byteLength ? buffer.transfer(length) : buffer, length };
  } catch (error) {
    discard(buffer);
    throw error;
  }
}

function nextCapacity(length: number, expected: number | null): number {
  if (expected === null) return 2 * length;
  return length >= EARLY_SHARE * expected ? expected : 2 * length;
}

/** New memory with the first `length` bytes of the old, which is given back. */
function moved(old: ArrayBuffer, length: number, capacity: number): ArrayBuffer {
  const grown = new Uint8Array(capacity);
  grown.set(new Uint8Array(old, 0, length));
  discard(old);
  return grown.buffer;
}
