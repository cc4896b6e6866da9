/** The sample pictures: drawings of this project, as JPEGs. Node only. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';

const FOLDER = fileURLToPath(new URL('samples', import.meta.url));

/** Width of a drawing in px; large enough to be decoded at a fraction. */
const WIDTH_PX = 640;

/** File names and bytes. */
export async function renderSamples(): Promise<Map<string, Uint8Array>> {
  const samples = new Map<string, Uint8Array>();
  for (const file of (await readdir(FOLDER)).filter((name) => name.endsWith('.svg')).sort()) {
    const drawing = await readFile(join(FOLDER, file));
    const jpeg = await sharp(drawing, { density: 144 })
      .resize({ width: WIDTH_PX })
      .flatten()
      .jpeg({ quality: 88 })
      .toBuffer();
    samples.set(file.replace('.svg', '.jpg'), jpeg);
  }
  return samples;
}
