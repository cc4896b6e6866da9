import { describe, expect, it } from 'vitest';
import type { Orientation } from '../../../worker/imaging/image.ts';
import { applyOrientation, UprightCollector } from '../../../worker/imaging/orient.ts';

/** A stored picture of 3x2: a b c / d e f, each letter a pixel whose three samples differ. */
const letters = 'abcdef';
const stored = {
  width: 3,
  height: 2,
  data: Uint8Array.from([...letters].flatMap((l) => [l.charCodeAt(0), l.charCodeAt(0) + 50, l.charCodeAt(0) + 100])),
};

/** What ImageOps.exif_transpose of Pillow makes of it. */
const upright: Readonly<Record<Orientation, string>> = {
  1: 'abc/def',
  2: 'cba/fed',
  3: 'fed/cba',
  4: 'def/abc',
  5: 'ad/be/cf',
  6: 'da/eb/fc',
  7: 'fc/eb/da',
  8: 'cf/be/ad',
};

function show(image: { width: number; height: number; data: Uint8Array }): string {
  const rows = [];
  for (let y = 0; y < image.height; y++) {
    let row = '';
    for (let x = 0; x < image.width; x++) {
      const at = (y * image.width + x) * 3;
      const first = image.data[at]!;
      expect([image.data[at + 1], image.data[at + 2]]).toEqual([first + 50, first + 100]);
      row += String.fromCharCode(first);
    }
    rows.push(row);
  }
  return rows.join('/');
}

describe('orientation', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8] as const)('%i stands as Pillow turns it', (orientation) => {
    expect(show(applyOrientation(stored, orientation))).toBe(upright[orientation]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8] as const)('%i is the same when rows come one by one at an offset', (orientation) => {
    const collector = new UprightCollector(orientation);
    collector.start(3, 2);
    const padded = new Uint8Array(5 + 9);
    for (let y = 0; y < 2; y++) {
      padded.set(stored.data.subarray(y * 9, y * 9 + 9), 5);
      collector.rows(padded, 5, y, 1);
    }
    expect(show(collector.image())).toBe(upright[orientation]);
  });
});
