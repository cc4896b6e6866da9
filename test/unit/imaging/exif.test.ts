import { describe, expect, it } from 'vitest';
import { readExifOrientation, readXmpOrientation, resolveOrientation } from '../../../worker/imaging/exif.ts';

type Entry = readonly [tag: number, type: number, count: number, value: readonly number[]];

/** A TIFF header and one IFD; an entry's value is its four raw bytes. */
function tiff(littleEndian: boolean, entries: readonly Entry[], declared = entries.length): Uint8Array {
  const bytes = new Uint8Array(8 + 2 + entries.length * 12 + 4);
  const view = new DataView(bytes.buffer);
  bytes.set(littleEndian ? [0x49, 0x49, 0x2a, 0] : [0x4d, 0x4d, 0, 0x2a]);
  view.setUint32(4, 8, littleEndian);
  view.setUint16(8, declared, littleEndian);
  entries.forEach(([tag, type, count, value], i) => {
    const at = 10 + i * 12;
    view.setUint16(at, tag, littleEndian);
    view.setUint16(at + 2, type, littleEndian);
    view.setUint32(at + 4, count, littleEndian);
    bytes.set(value, at + 8);
  });
  return bytes;
}

const text = (s: string) => new TextEncoder().encode(s);

describe('readExifOrientation', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('reads %i in both byte orders, with and without the Exif prefix', (n) => {
    const little = tiff(true, [[274, 3, 1, [n, 0, 0, 0]]]);
    const big = tiff(false, [[274, 3, 1, [0, n, 0, 0]]]);
    expect(readExifOrientation(little)).toBe(n);
    expect(readExifOrientation(big)).toBe(n);
    expect(readExifOrientation(new Uint8Array([...text('Exif\0\0Exif\0\0'), ...little]))).toBe(n);
  });

  it.each([0, 9, 255])('treats the value %i as upright', (n) => {
    expect(readExifOrientation(tiff(true, [[274, 3, 1, [n, 0, 0, 0]]]))).toBe(1);
  });

  it('reads a LONG and ignores BYTE and ASCII values, as Pillow does', () => {
    expect(readExifOrientation(tiff(true, [[274, 4, 1, [6, 0, 0, 0]]]))).toBe(6);
    expect(readExifOrientation(tiff(true, [[274, 1, 1, [6, 0, 0, 0]]]))).toBe(1);
    expect(readExifOrientation(tiff(true, [[274, 2, 1, [0x36, 0, 0, 0]]]))).toBe(1);
  });

  it('lets a repeated tag override the earlier one', () => {
    const block = tiff(true, [
      [274, 3, 1, [6, 0, 0, 0]],
      [274, 3, 1, [3, 0, 0, 0]],
    ]);
    expect(readExifOrientation(block)).toBe(3);
  });

  it('stops at a value outside the block, keeping what came before', () => {
    const outside: Entry = [270, 2, 4000, [0xff, 0xff, 0, 0]];
    const orientation: Entry = [274, 3, 1, [6, 0, 0, 0]];
    expect(readExifOrientation(tiff(true, [orientation, outside]))).toBe(6);
    expect(readExifOrientation(tiff(true, [outside, orientation]))).toBe(1);
  });

  it('reads the entries that are there when the directory claims more', () => {
    expect(readExifOrientation(tiff(true, [[274, 3, 1, [8, 0, 0, 0]]], 500))).toBe(8);
  });

  it('returns 1 for every truncation of a block before its orientation entry ends', () => {
    const block = tiff(false, [[274, 3, 1, [0, 6, 0, 0]]]);
    for (let length = 0; length < 22; length++) expect(readExifOrientation(block.subarray(0, length))).toBe(1);
    expect(readExifOrientation(block.subarray(0, 22))).toBe(6);
  });

  it('returns 1 for a block that is no TIFF and for a directory outside the block', () => {
    expect(readExifOrientation(text('Exif\0\0hello, world'))).toBe(1);
    const block = tiff(true, [[274, 3, 1, [6, 0, 0, 0]]]);
    new DataView(block.buffer).setUint32(4, 0xfffffff0, true);
    expect(readExifOrientation(block)).toBe(1);
  });
});

describe('resolveOrientation', () => {
  const xmp = text('<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="8"/>');

  it('prefers EXIF, and falls back to XMP only where EXIF has no orientation', () => {
    expect(resolveOrientation(tiff(true, [[274, 3, 1, [6, 0, 0, 0]]]), xmp)).toBe(6);
    expect(resolveOrientation(tiff(true, [[271, 3, 1, [6, 0, 0, 0]]]), xmp)).toBe(8);
    expect(resolveOrientation(tiff(true, [[274, 3, 1, [9, 0, 0, 0]]]), xmp)).toBe(1);
    expect(resolveOrientation(undefined, xmp)).toBe(8);
    expect(resolveOrientation(undefined, undefined)).toBe(1);
  });

  it('reads the element form and treats 0 and 9 as upright', () => {
    expect(readXmpOrientation(text('<tiff:Orientation>6</tiff:Orientation>'))).toBe(6);
    expect(readXmpOrientation(text('<tiff:Orientation>9</tiff:Orientation>'))).toBe(1);
    expect(readXmpOrientation(text('no orientation here'))).toBe(1);
  });
});
