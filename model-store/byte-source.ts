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
export async function fill(source: ByteSource, memory: ArrayBuffer, start = 0): Promise<Filled> {
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

/** Gives memory back at once, not when the garbage collector comes by; whatever still looks at it sees nothing. Safe to call twice. */
export function discard(buffer: ArrayBuffer): void {
  if (!buffer.detached) buffer.transfer(0);
}
