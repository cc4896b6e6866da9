import { expect, it } from 'vitest';
import { decodeImage } from '../../worker/imaging/decode.ts';
import { readFixture } from '../support/worker/seed.ts';

interface Expected {
  readonly upright_size: readonly [number, number];
  readonly sha256_rgb: string;
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

it('gives the pixels of Pillow for every format inside workerd', async () => {
  const manifest: { images: Record<string, Expected> } = JSON.parse(
    new TextDecoder().decode(await readFixture('images/manifest.json')),
  );
  const formats = new Set<string>();
  for (const [name, expected] of Object.entries(manifest.images)) {
    const { width, height, data } = await decodeImage(await readFixture(`images/${name}`));
    expect([width, height], name).toEqual(expected.upright_size);
    expect(await sha256(data), name).toBe(expected.sha256_rgb);
    formats.add(name.slice(name.lastIndexOf('.') + 1));
  }
  expect([...formats].sort()).toEqual(['bmp', 'gif', 'jpg', 'png', 'webp']);
});
