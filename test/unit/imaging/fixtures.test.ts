/** The committed fixtures: small files with the pixels that Pillow makes of them (see manifest.json beside them). */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeImage, decodeRows, estimateDecodeBytes, readInfo } from '../../../worker/imaging/decode.ts';

interface Expected {
  readonly upright_size: readonly [number, number];
  readonly stored_size: readonly [number, number];
  readonly sha256_rgb: string;
}

const folder = new URL('../../fixtures/images/', import.meta.url);
const manifest: { images: Record<string, Expected> } = JSON.parse(
  readFileSync(new URL('manifest.json', folder), 'utf8'),
);
const names = readdirSync(folder).filter((name) => /\.(png|gif|bmp|jpg|webp)$/.test(name));

describe('committed image fixtures', () => {
  it.each(names)('%s decodes to the pixels of Pillow', async (name) => {
    const expected = manifest.images[name]!;
    const bytes = new Uint8Array(readFileSync(new URL(name, folder)));
    const image = await decodeImage(bytes);
    expect([image.width, image.height]).toEqual(expected.upright_size);
    expect(createHash('sha256').update(image.data).digest('hex')).toBe(expected.sha256_rgb);

    const info = readInfo(bytes);
    expect([info.width, info.height]).toEqual(expected.upright_size);
    expect([info.storedWidth, info.storedHeight]).toEqual(expected.stored_size);
    expect(estimateDecodeBytes(bytes)).toBeGreaterThan(0);
  });

  it.each(names)('%s pushes every row once, in order', async (name) => {
    const bytes = new Uint8Array(readFileSync(new URL(name, folder)));
    let next = -1;
    let size = [0, 0];
    await decodeRows(bytes, {
      start(width, height) {
        expect(next).toBe(-1);
        size = [width, height];
        next = 0;
      },
      rows(data, offset, y, count) {
        expect(y).toBe(next);
        expect(data.length).toBeGreaterThanOrEqual(offset + count * size[0]! * 3);
        next += count;
      },
    });
    expect(size).toEqual(manifest.images[name]!.stored_size);
    expect(next).toBe(size[1]);
  });
});
