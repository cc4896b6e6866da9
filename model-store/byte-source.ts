/**
 * Streams read into memory of the caller's: a byte stream fills it directly, so that reading leaves no garbage behind.
 * No I/O of its own; for workerd and Node.
 */

/** What one read gave. */
export interface Filled {
  /** The memory that was handed in; the object handed in may be detached. */
  readonly buffer: ArrayBuffer;
  /** Bytes that were written; 0 at the end of the stream. */
  readonly length: number;
}

/** A stream being read. */
export interface ByteSource {
  /**
   * Writes what has come into `buffer`, from `offset` on and to its end at most; waits for the first byte.
   * @throws what the stream fails with.
   */
  read(buffer: ArrayBuffer, offset: number): Promise<Filled>;
  /** Gives up what has not been read. */
  cancel(reason: unknown): Promise<void>;
}

/** Opens a stream for reading. */
export function openByteSource(stream: ReadableStream<Uint8Array>): ByteSource {
  let reader: ReadableStreamBYOBReader;
  try {
    reader = stream.getReader({ mode: 'byob' });
  } catch {
    // No byte stream: its chunks are copied.
    return new ChunkSource(stream.getReader());
  }
  return {
    async read(buffer, offset) {
      const { value } = await reader.read(new Uint8Array(buffer, offset));
      // A stream that was cancelled gives nothing back.
      if (value === undefined) return { buffer: new ArrayBuffer(0), length: 0 };
      return { buffer: value.buffer as ArrayBuffer, length: value.byteLength };
    },
    cancel: (reason) => reader.cancel(reason),
  };
}

class ChunkSource implements ByteSource {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  #chunk = new Uint8Array(0);

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>) {
    this.#reader = reader;
  }

  async read(buffer: ArrayBuffer, offset: number): Promise<Filled> {
    while (this.#chunk.byteLength === 0) {
      const { value, done } = await this.#reader.read();
      if (done) return { buffer, length: 0 };
      this.#chunk = value as Uint8Array<ArrayBuffer>;
    }
    const part = this.#chunk.subarray(0, buffer.byteLength - offset);
    new Uint8Array(buffer).set(part, offset);
    this.#chunk = this.#chunk.subarray(part.byteLength);
    return { buffer, length: part.byteLength };
  }

  cancel(reason: unknown): Promise<void> {
    return this.#reader.cancel(reason);
  }
}

/**
 * Reads until `memory` is full, from `start` on, or the stream ends.
 * @returns the memory, and the end of what is filled.
 * @throws what the stream fails with.
 */
export async function fill(source: Pick<ByteSource, 'read'>, memory: ArrayBuffer, start = 0): Promise<Filled> {
  const capacity = memory.byteLength;
  let buffer = memory;
  let length = start;
  while (length < capacity) {
    const filled = await source.read(buffer, length);
    buffer = filled.buffer;
    if (filled.length === 0) break;
    length += filled.length;
  }
  return { buffer, length };
}

/** What is read next where a stream is longer than declared, or of undeclared length, in bytes: at first, and at most. */
const FIRST_PART_BYTES = 64 * 1024;
const LARGEST_PART_BYTES = 1024 * 1024;
/** Behind what was declared there is nothing: this much is enough to see it. */
const PROBE_BYTES = 256;

/**
 * Reads a stream to its end, and no further than one byte over `maxBytes`.
 * @param declared how long it says that it is; null where it does not. A stream of that length is read without a copy.
 * @returns its bytes; of a stream that is too long only a length over `maxBytes`.
 * @throws what the stream fails with.
 */
export async function readAll(
  source: Pick<ByteSource, 'read'>,
  maxBytes: number,
  declared: number | null,
): Promise<Filled> {
  const parts: Filled[] = [];
  let total = 0;
  try {
    let size = declared === null || declared === 0 ? FIRST_PART_BYTES : declared;
    for (;;) {
      const capacity = Math.min(size, maxBytes + 1 - total);
      const part = await fill(source, new ArrayBuffer(capacity));
      parts.push(part);
      total += part.length;
      if (part.length < capacity || total > maxBytes) break;
      size = parts.length === 1 && declared !== null ? PROBE_BYTES : Math.min(LARGEST_PART_BYTES, size * 2);
    }
    return total > maxBytes ? { buffer: new ArrayBuffer(0), length: total } : join(parts, total);
  } finally {
    for (const { buffer } of parts) discard(buffer);
  }
}

/** The parts as one; what is in one part alone stays where it is, and is taken out of the list. */
function join(parts: Filled[], length: number): Filled {
  const whole = parts.findIndex((part) => part.length === length);
  if (whole >= 0) return parts.splice(whole, 1)[0]!;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(new Uint8Array(part.buffer, 0, part.length), offset);
    offset += part.length;
  }
  return { buffer: joined.buffer, length };
}

/** Gives memory back at once, not when the garbage collector comes by; whatever still looks at it sees nothing. Safe to call twice. */
export function discard(buffer: ArrayBuffer): void {
  if (!buffer.detached) buffer.transfer(0);
}
