import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { sha256Hex, toHex } from '../../../model-store/sha256.ts';
import { Sha256 } from '../../../model-store/sha256-incremental.ts';

const bytes = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
const expected = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

it('hashes every length around the block size as Node does', async () => {
  for (let length = 0; length <= 200; length++) {
    const data = bytes.subarray(0, length);
    expect(toHex(new Sha256().update(data).digest()), `${length} bytes`).toBe(expected(data));
  }
  expect(await sha256Hex(bytes)).toBe(expected(bytes));
});

it.each([1, 3, 63, 64, 65, 1000])('gives the same in pieces of %d bytes', (size) => {
  const hash = new Sha256();
  for (let start = 0; start < bytes.length; start += size) hash.update(bytes.subarray(start, start + size));
  expect(toHex(hash.digest())).toBe(expected(bytes));
});
