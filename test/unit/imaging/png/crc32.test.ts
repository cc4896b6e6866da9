import { crc32 as reference } from 'node:zlib';
import { expect, it } from 'vitest';
import { crc32 } from '../../../../worker/imaging/png/crc32.ts';

it('crc32 equals zlib for every length and start up to 40', () => {
  const bytes = Uint8Array.from({ length: 80 }, (_, i) => (i * 151 + (i >> 3) * 77) & 255);
  for (let from = 0; from < 40; from++) {
    for (let length = 0; length <= 40; length++) {
      expect(crc32(bytes, from, from + length)).toBe(reference(bytes.subarray(from, from + length)));
    }
  }
});
