/** What decoding JPEG allocates, against what `estimateJpegBytes` says. */
import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { ImageError } from '../../../../worker/errors.ts';
import type { DecodeOptions } from '../../../../worker/imaging/image.ts';
import { decodeJpeg, estimateJpegBytes } from '../../../../worker/imaging/jpeg/decoder.ts';
import { countAllocations } from '../../../support/count-allocations.ts';

const FOLDER = new URL('../../../fixtures/jpeg/', import.meta.url);
const NO_SINK = { start: () => {}, rows: () => {} };
const MIB = 1024 * 1024;
const SCALES = [1, 2, 4, 8] as const;

async function allocated(bytes: Uint8Array, options: DecodeOptions): Promise<number> {
  const { bytes: count, error } = await countAllocations(() => decodeJpeg(bytes, NO_SINK, options));
  if (error !== undefined && !(error instanceof ImageError)) throw error;
  return count;
}

/** A textured picture, 4:2:0. */
async function encode(width: number, height: number, progressive: boolean): Promise<Uint8Array> {
  const data = new Uint8Array(width * height * 3);
  let state = 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    data[i] = ((i / 3) & 127) + ((state >>> 16) & 63);
  }
  const encoder = sharp(data, { raw: { width, height, channels: 3 } });
  return new Uint8Array(await encoder.jpeg({ quality: 80, progressive }).toBuffer());
}

describe('estimateJpegBytes', () => {
  const { files }: { files: Readonly<Record<string, Readonly<Record<string, string>>>> } = JSON.parse(
    readFileSync(new URL('expected.json', FOLDER), 'utf8'),
  );
  // Damage to progressive arithmetic data makes markers of it, and then the headers themselves are refused.
  const isRefused = (name: string) =>
    name.startsWith('arithmetic-damaged-progressive') && files[name]?.['1']?.startsWith('error');
  const names = Object.keys(files).filter((name) => !name.startsWith('refused') && isRefused(name) !== true);

  it.each(names)('%s: bounds what is allocated, at every scale', async (name) => {
    const bytes = new Uint8Array(readFileSync(new URL(name, FOLDER)));
    for (const scaleDenominator of SCALES) {
      const options = { scaleDenominator, allowTruncated: true };
      const estimate = estimateJpegBytes(bytes, options);
      expect(await allocated(bytes, options)).toBeLessThanOrEqual(estimate);
    }
  });

  it.each([false, true])('is close for a large picture (progressive: %s)', async (progressive) => {
    const bytes = await encode(1600, 1200, progressive);
    for (const scaleDenominator of SCALES) {
      const estimate = estimateJpegBytes(bytes, { scaleDenominator });
      const count = await allocated(bytes, { scaleDenominator });
      expect(count).toBeLessThanOrEqual(estimate);
      expect(estimate).toBeLessThan(count * 1.3 + 128 * 1024);
    }
  });

  it.each([false, true])('does not depend on the height (progressive: %s)', async (progressive) => {
    const low = await encode(640, 64, progressive);
    const high = await encode(640, 2048, progressive);
    for (const scaleDenominator of SCALES) {
      expect(estimateJpegBytes(high, { scaleDenominator })).toBe(estimateJpegBytes(low, { scaleDenominator }));
    }
  });

  it.each([false, true])('stays under 1 MiB for 12 megapixels at 1/4 (progressive: %s)', async (progressive) => {
    const bytes = await encode(4032, 3024, progressive);
    const estimate = estimateJpegBytes(bytes, { scaleDenominator: 4 });
    expect(estimate).toBeLessThan(progressive ? MIB : MIB / 4);
    expect(await allocated(bytes, { scaleDenominator: 4 })).toBeLessThanOrEqual(estimate);
    expect(estimateJpegBytes(bytes, {})).toBeLessThan(1.5 * MIB);
  });
});
