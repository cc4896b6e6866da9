import { describe, expect, it } from 'vitest';
import { type ByteSource, discard, fill, openByteSource } from '../../../model-store/byte-source.ts';

const BYTES = Uint8Array.from({ length: 1000 }, (_, i) => (i * 31) & 0xff);

/** The same bytes in chunks, as a byte stream or as one of objects. */
function streamOf(kind: 'bytes' | 'chunks', chunk: number): ReadableStream<Uint8Array> {
  let at = 0;
  const pull = (controller: ReadableStreamController<Uint8Array>): void => {
    if (at >= BYTES.length) {
      controller.close();
      if ('byobRequest' in controller) controller.byobRequest?.respond(0);
      return;
    }
    controller.enqueue(BYTES.slice(at, at + chunk));
    at += chunk;
  };
  return kind === 'bytes' ? new ReadableStream({ type: 'bytes', pull }) : new ReadableStream({ pull });
}

async function readAll(source: ByteSource, capacity: number): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const { buffer, length } = await fill(source, new ArrayBuffer(capacity));
    if (length > 0) parts.push(new Uint8Array(buffer, 0, length));
    if (length < capacity) return parts;
  }
}

describe.each(['bytes', 'chunks'] as const)('a stream of %s', (kind) => {
  it.each([
    [1, 7],
    [7, 1000],
    [300, 64],
    [1000, 1000],
    [1000, 1001],
    [64, 250],
  ])('in chunks of %d fills memory of %d bytes after another, in order, none lost', async (chunk, capacity) => {
    const parts = await readAll(openByteSource(streamOf(kind, chunk)), capacity);
    expect(parts.slice(0, -1).every((part) => part.byteLength === capacity)).toBe(true);
    expect(Buffer.concat(parts).equals(BYTES)).toBe(true);
  });

  it('fills behind what is there already', async () => {
    const { buffer, length } = await fill(openByteSource(streamOf(kind, 100)), new ArrayBuffer(50), 20);
    expect(length).toBe(50);
    expect(new Uint8Array(buffer, 20)).toEqual(BYTES.slice(0, 30));
  });

  it('passes on what the stream fails with', async () => {
    const pull = (controller: ReadableStreamController<Uint8Array>): void => controller.error(new Error('cut off'));
    const stream = kind === 'bytes' ? new ReadableStream({ type: 'bytes', pull }) : new ReadableStream({ pull });
    await expect(fill(openByteSource(stream), new ArrayBuffer(10))).rejects.toThrow('cut off');
  });
});

it('gives memory back at once', () => {
  const size = 64 * 1024 * 1024;
  const bytes = new Uint8Array(size);
  const before = process.memoryUsage().arrayBuffers;
  discard(bytes.buffer);
  discard(bytes.buffer);
  expect(bytes.byteLength).toBe(0);
  expect(before - process.memoryUsage().arrayBuffers).toBeGreaterThan(0.9 * size);
});
