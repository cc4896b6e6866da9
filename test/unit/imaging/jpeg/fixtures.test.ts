import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeJpeg, readJpegInfo } from '../../../../worker/imaging/jpeg/decoder.ts';
import { CollectingSink, sha256, upright } from '../../../support/rgb-image.ts';

const FOLDER = new URL('../../../fixtures/images/', import.meta.url);

interface Expected {
  readonly stored_size: readonly [number, number];
  readonly upright_size: readonly [number, number];
  readonly sha256_rgb: string;
}

const manifest: { readonly images: Readonly<Record<string, Expected>> } = JSON.parse(
  readFileSync(new URL('manifest.json', FOLDER), 'utf8'),
);
const images = Object.entries(manifest.images).filter(([name]) => name.endsWith('.jpg'));

describe('JPEG fixtures', () => {
  it('are all there', () => {
    expect(images.length).toBe(27);
  });

  it.each(images)('%s equals Pillow to the last bit', (name, expected) => {
    const bytes = readFileSync(new URL(name, FOLDER));
    const info = readJpegInfo(bytes);
    const sink = new CollectingSink();
    decodeJpeg(bytes, sink, {});
    expect([info.storedWidth, info.storedHeight]).toEqual(expected.stored_size);
    expect([info.width, info.height]).toEqual(expected.upright_size);
    expect(sha256(upright(sink.image(), info.orientation))).toBe(expected.sha256_rgb);
  });
});
