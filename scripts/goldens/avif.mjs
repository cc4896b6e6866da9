// Makes test/fixtures/avif with sharp (libvips, libheif, aom): node scripts/goldens/avif.mjs
import { writeFile } from 'node:fs/promises';
import sharp from 'sharp';

const folder = new URL('../../test/fixtures/avif/', import.meta.url);

/** Red, green, blue and white quarters. */
function quarters(width, height) {
  const data = new Uint8Array(width * height * 3);
  const colors = [
    [230, 20, 20],
    [20, 200, 20],
    [20, 20, 230],
    [240, 240, 240],
  ];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++)
      data.set(colors[(y < height / 2 ? 0 : 2) + (x < width / 2 ? 0 : 1)], (y * width + x) * 3);
  }
  return sharp(data, { raw: { width, height, channels: 3 } });
}

await writeFile(new URL('quarters-96x64.avif', folder), await quarters(96, 64).avif({ quality: 90 }).toBuffer());
await writeFile(new URL('quarters-1200x800.avif', folder), await quarters(1200, 800).avif({ quality: 60 }).toBuffer());
