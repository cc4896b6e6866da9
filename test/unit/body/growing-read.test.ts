import { describe, expect, it } from 'vitest';
import { openByteSource } from '../../../model-store/byte-source.ts';
import { readGrowing } from '../../../worker/body/growing-read.ts';

const bytesOf = (length: number): Uint8Array<ArrayBuffer> => Uint8Array.from({ length }, (_, i) => (i * 17) & 0xff);

function sourceOf(bytes: Uint8Array<ArrayBuffer>, chunk: number) {
  let at = 0;
  return openByteSource(
    new ReadableStream<Uint8Array>({
      pull(controller) {
        if (at >= bytes.length) return controller.close();
        controller.enqueue(bytes.slice(at, at + chunk));
        at += chunk;
      },
    }),
  );
}

/** Reads `length` bytes, and tells what memory was asked for, and how much had arrived by then. */
async function read(length: number, expected: number | null, limit = 1_000_000, chunk = 1000) {
  const bytes = bytesOf(length);
  const source = sourceOf(bytes, chunk);
  const reserved: { bytes: number; arrived: number }[] = [];
  let arrived = 0;
  const counted = {
    async read(buffer: ArrayBuffer, offset: number) {
      const filled = await source.read(buffer, offset);
      arrived += filled.length;
      return filled;
    },
  };
  const reserve = async (wanted: number) => void reserved.push({ bytes: wanted, arrived });
  const filled = await readGrowing(counted, { limit, expected, reserve });
  return { reserved, bytes, read: new Uint8Array(filled.buffer, 0, filled.length), buffer: filled.buffer };
}

describe('readGrowing', () => {
  it.each([0, 1, 4095, 4096, 4097, 100_000, 999_999])('reads %d bytes, whatever was expected', async (length) => {
    for (const expected of [length, null, 10, 2 * length, 999_999]) {
      const { read: got, bytes } = await read(length, expected);
      expect(Buffer.compare(got, bytes), `expected ${expected}`).toBe(0);
    }
  });

  it('takes 4 KiB for a stream that declares much and has sent nothing', async () => {
    const { reserved } = await read(4, 20_000_000, 30_000_000);
    expect(reserved).toEqual([{ bytes: 4096, arrived: 0 }]);
  });

  it('takes no more than twice what has arrived until an eighth has; then all of it, once', async () => {
    const { reserved, buffer } = await read(900_000, 900_000);
    const early = reserved.slice(0, -1);
    for (const { bytes, arrived } of early) expect(bytes).toBeLessThanOrEqual(Math.max(4096, 2 * arrived));
    const last = reserved.at(-1)!;
    expect(last.bytes).toBe(900_000);
    expect(last.arrived).toBeGreaterThanOrEqual(900_000 / 8);
    expect(last.arrived).toBeLessThanOrEqual(900_000 / 4);
    expect(buffer.byteLength).toBe(900_000);
  });

  it('stops at the limit', async () => {
    for (const expected of [null, 10, 2000]) {
      const { read: got, reserved } = await read(100_000, expected, 2000);
      expect(got.length).toBe(2000);
      expect(Math.max(...reserved.map(({ bytes }) => bytes))).toBeLessThanOrEqual(2000);
    }
  });

  it('ends with what the stream or the reservation fails with', async () => {
    const broken = { read: () => Promise.reject(new Error('the client left')) };
    const how = { limit: 10, expected: null, reserve: async () => {} };
    await expect(readGrowing(broken, how)).rejects.toThrow('the client left');
    const full = { ...how, reserve: () => Promise.reject(new Error('no memory')) };
    await expect(readGrowing(sourceOf(bytesOf(10), 1), full)).rejects.toThrow('no memory');
  });
});
