import { describe, expect, it } from 'vitest';
import {
  BIT_BUFFER,
  BIT_COUNT,
  BitWindow,
  END_OF_DATA,
  findMarker,
  POSITION,
} from '../../../../worker/imaging/jpeg/bit-window.ts';

/** Takes one byte the way the decoders take bits. */
function takeByte({ state, view }: BitWindow): number {
  let buffer = state[BIT_BUFFER]!;
  let count = state[BIT_COUNT]!;
  buffer |= view.getInt32(state[POSITION]!) >>> count;
  state[POSITION] = state[POSITION]! + ((31 - count) >> 3);
  count |= 24;
  state[BIT_BUFFER] = buffer << 8;
  state[BIT_COUNT] = count - 8;
  return buffer >>> 24;
}

function stuffed(data: readonly number[], end: readonly number[]): Uint8Array {
  return Uint8Array.from([...data.flatMap((byte) => (byte === 0xff ? [0xff, 0] : [byte])), ...end]);
}

/** Data with 0xFF at every distance, alone and in rows. */
const DATA = Array.from({ length: 3000 }, (_, i) => (i % 37 < (i / 300) % 7 ? 0xff : (i * 7) & 0xff));

describe('BitWindow', () => {
  it.each([64, 65, 66, 67, 97, 128, 1000, 5000])('gives all data through a window of %d bytes', (windowBytes) => {
    const window = new BitWindow(stuffed(DATA, [0xff, 0xd9, 1, 2]), windowBytes, 8);
    window.startSegment(0);
    const got = DATA.map(() => {
      if (window.state[POSITION]! >= window.guard) expect(window.prepare()).toBe(true);
      return takeByte(window);
    });
    expect(got).toEqual(DATA);
    expect(window.exhausted()).toBe(false);
    expect(window.marker).toBe(0xd9);
  });

  it('gives zeros behind the end, and says so from the first bit on', () => {
    const window = new BitWindow(stuffed([1, 2], [0xff, 0xff, 0xd0, 9]), 64, 8);
    window.startSegment(0);
    window.prepare();
    expect([takeByte(window), takeByte(window), window.exhausted()]).toEqual([1, 2, false]);
    expect([takeByte(window), window.exhausted(), window.prepare()]).toEqual([0, true, false]);
    expect([window.findEnd(), window.sourceNext]).toEqual([0xd0, 5]);
  });

  it.each([[[]], [[0xff]], [[0xff, 0xff]]])('takes the end of the file, with %j, for the end of the segment', (end) => {
    const window = new BitWindow(stuffed([5], end), 64, 8);
    window.startSegment(0);
    window.prepare();
    expect([takeByte(window), window.exhausted()]).toEqual([5, false]);
    expect(window.findEnd()).toBe(END_OF_DATA);
  });

  it('takes several 0xFF before a zero for one', () => {
    const window = new BitWindow(Uint8Array.of(0xff, 0xff, 0xff, 0, 7, 0xff, 0xd9), 64, 8);
    window.startSegment(0);
    window.prepare();
    expect([takeByte(window), takeByte(window)]).toEqual([0xff, 7]);
  });
});

describe('findMarker', () => {
  it.each([
    [[1, 0xff, 0, 0xff, 0xff, 0xd8], 5],
    [[0xff, 0xd9], 1],
    [[0xff, 0, 1], 3],
    [[0xff], 1],
    [[], 0],
  ])('%j: %d', (bytes, at) => {
    expect(findMarker(Uint8Array.from(bytes), 0)).toBe(at);
  });
});
