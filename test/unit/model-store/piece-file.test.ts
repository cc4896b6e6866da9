import { expect, it } from 'vitest';
import { PIECE_BYTES, PieceFile } from '../../../model-store/piece-file.ts';

const LENGTH = 2 * PIECE_BYTES + 1000;

const byteAt = (offset: number): number => (offset * 7 + (offset >> 12)) & 0xff;

function makeFile(): PieceFile {
  const pieces = [PIECE_BYTES, PIECE_BYTES, 1000].map((size, index) =>
    Uint8Array.from({ length: size }, (_, i) => byteAt(index * PIECE_BYTES + i)),
  );
  return new PieceFile(pieces.map((piece) => piece.buffer));
}

function check(view: Uint8Array, begin: number, end: number): void {
  expect(view.byteLength).toBe(end - begin);
  expect(view.every((value, i) => value === byteAt(begin + i))).toBe(true);
}

it('gives every byte, within a piece and across pieces', () => {
  const file = makeFile();
  expect(file.byteLength).toBe(LENGTH);
  const cuts = [0, 10, PIECE_BYTES - 1, PIECE_BYTES + 1, 2 * PIECE_BYTES + 5, LENGTH];
  for (let i = 1; i < cuts.length; i++) check(file.subarray(cuts[i - 1]!, cuts[i]!), cuts[i - 1]!, cuts[i]!);
});

it('gives one range across all pieces', () => {
  check(makeFile().subarray(5, LENGTH - 5), 5, LENGTH - 5);
});

it('gives a piece back with the first call after its last byte, and the rest when it is released', () => {
  const file = makeFile();
  const half = file.subarray(PIECE_BYTES, PIECE_BYTES + 100);
  const first = file.subarray(0, 10);
  const rest = file.subarray(PIECE_BYTES + 100, 2 * PIECE_BYTES);
  check(half, PIECE_BYTES, PIECE_BYTES + 100);
  check(rest, PIECE_BYTES + 100, 2 * PIECE_BYTES);
  file.subarray(10, 20);
  expect([half.byteLength, rest.byteLength]).toEqual([0, 0]);
  check(first, 0, 10);
  file.release();
  expect(first.byteLength).toBe(0);
});

it('refuses bytes that were read before and bytes that are not there, rather than give others', () => {
  const file = makeFile();
  file.subarray(0, PIECE_BYTES);
  expect(() => file.subarray(0, 10)).toThrow(RangeError);
  expect(() => file.subarray(LENGTH - 10, LENGTH + 1)).toThrow(RangeError);
  expect(() => file.subarray(4 * PIECE_BYTES, 4 * PIECE_BYTES + 1)).toThrow(RangeError);
});
