import { constants, deflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type ByteRanges, inflate, inflateMemoryBytes } from '../../../../worker/imaging/inflate/inflate.ts';
import { countAllocations } from '../../../support/count-allocations.ts';

/** A stream in ranges of `size` bytes. */
class Ranges implements ByteRanges {
  start = 0;
  end = 0;
  private readonly length: number;
  private readonly size: number;

  constructor(length: number, size: number) {
    this.length = length;
    this.size = size;
  }

  next(): boolean {
    this.start = this.end;
    this.end = Math.min(this.length, this.start + this.size);
    return this.start < this.end;
  }
}

/** Inflates with a consumer that takes whole units of `unit` bytes only. */
function run(stream: Uint8Array, maxBytes: number, options: { unit?: number; range?: number } = {}) {
  const { unit = 1, range = stream.length } = options;
  const output = new Uint8Array(maxBytes);
  let filled = 0;
  const result = inflate(stream, new Ranges(stream.length, range), maxBytes, unit, {
    consume(data, from, to) {
      const last = filled + to - from === maxBytes;
      const end = last ? to : to - ((to - from) % unit);
      output.set(data.subarray(from, end), filled);
      filled += end - from;
      return end;
    },
  });
  return { result, output: output.subarray(0, filled) };
}

/** Deterministic test data; every kind exercises another part of the format. */
function makeData(kind: number, length: number): Uint8Array {
  const data = new Uint8Array(length);
  let state = kind * 7919 + length + 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    const random = state >> 15;
    if (kind === 0) data[i] = random;
    else if (kind === 1) data[i] = 7;
    else if (kind === 2) data[i] = (i * i) >> 7;
    else if (kind === 3) data[i] = ((random & 255) * (random & 255)) >> 9;
    else data[i] = data[i - ((random & 4095) % Math.max(1, Math.min(i, 40_000)))]! + (random % 40 === 0 ? 1 : 0);
  }
  return data;
}

describe('inflate', () => {
  const { Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED } = constants;

  it.each([Z_DEFAULT_STRATEGY, Z_FILTERED, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED])(
    'undoes what zlib does with strategy %i, at every level, in any number of ranges',
    (strategy) => {
      for (let kind = 0; kind < 5; kind++) {
        for (const [level, length] of [
          [0, 70_000],
          [1, 1],
          [3, 300],
          [6, 100_000],
          [9, 200_001],
        ] as const) {
          const data = makeData(kind, length);
          const stream = deflateSync(data, { strategy, level, memLevel: 1 + kind });
          for (const range of [stream.length, 1000, 7, 1]) {
            const { result, output } = run(stream, length, { range, unit: 1 + kind * 700 });
            expect(result.status).toBe('full');
            expect(Buffer.compare(output, data)).toBe(0);
          }
        }
      }
    },
  );

  it('says when the stream ended before the output did', () => {
    const data = makeData(3, 5000);
    const { result, output } = run(deflateSync(data), 6000);
    expect(result).toMatchObject({ status: 'ended', producedBytes: 5000 });
    expect(Buffer.compare(output, data)).toBe(0);
  });

  it('calls every prefix truncated until all output is there, and never wrong', () => {
    const data = makeData(4, 900);
    const stream = deflateSync(data);
    for (let length = 0; length < stream.length; length++) {
      const { result, output } = run(stream.subarray(0, length), data.length);
      expect(result.status).toBe(output.length === data.length ? 'full' : 'truncated');
      expect(Buffer.compare(output, data.subarray(0, output.length))).toBe(0);
    }
  });

  it('checks the checksum behind the last byte, and not what the output does not reach', () => {
    const data = makeData(3, 5000);
    const stream = new Uint8Array(deflateSync(data));
    stream[stream.length - 1]! ^= 1;
    expect(run(stream, 5000).result).toMatchObject({ status: 'corrupt', reason: expect.stringContaining('checksum') });
    expect(run(stream, 4999).result.status).toBe('full');
  });

  it.each([
    ['zlib header check is wrong', [0x78, 0x9d]],
    ['only 8 exists', [0x77, 0x85]],
    ['zlib window', [0x88, 0x1c]],
    ['preset dictionary', [0x78, 0xbb]],
    ['block type 3', [0x78, 0x9c, 0x07]],
    ['complement', [0x78, 0x9c, 0x01, 0x01, 0x00, 0x00, 0x00]],
    ['length and', [0x78, 0x9c, 0xfd, 0xff, 0x00, 0x00]],
    ['no code', [0x78, 0x9c, 0x05, 0x00, 0x00, 0x00, 0x00]],
  ])('refuses: %s', (reason, bytes) => {
    const { result } = run(Uint8Array.from([...bytes, 0, 0, 0, 0]), 100);
    expect(result.status).toBe('corrupt');
    expect(result.reason).toContain(reason);
  });

  it('never writes outside its window or reads outside its ranges: damaged streams end in a status', () => {
    const stream = new Uint8Array(deflateSync(makeData(4, 3000)));
    const seen = new Set<string>();
    for (let at = 0; at < stream.length; at++) {
      for (const bit of [1, 16, 128]) {
        const damaged = stream.slice();
        damaged[at]! ^= bit;
        const { result } = run(damaged, 3000, { range: 100 });
        expect(result.producedBytes).toBeLessThanOrEqual(3000);
        seen.add(result.status);
      }
    }
    expect([...seen].sort()).toEqual(['corrupt', 'ended', 'full', 'truncated'].filter((each) => seen.has(each)));
    expect(seen).toContain('corrupt');
  });

  it('produces no more than it is asked for: 100 MB of zeros cost their first 10 kB', async () => {
    const bomb = deflateSync(new Uint8Array(100_000_000));
    expect(bomb.length).toBeLessThan(100_000);
    let produced = 0;
    const { bytes, error } = await countAllocations(() => {
      const result = inflate(bomb, new Ranges(bomb.length, bomb.length), 10_000, 100, {
        consume(_data, from, to) {
          produced += to - from;
          return to;
        },
      });
      expect(result).toMatchObject({ status: 'full', producedBytes: 10_000 });
    });
    expect(error).toBeUndefined();
    expect(produced).toBe(10_000);
    expect(bytes).toBeLessThanOrEqual(inflateMemoryBytes(100));
  });
});
