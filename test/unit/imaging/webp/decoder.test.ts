/** What the goldens do not show: long copies, large windows, row order, and the words of errors. */
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeWebp, readWebpInfo } from '../../../../worker/imaging/webp/decoder.ts';
import { CollectingSink } from '../../../support/rgb-image.ts';

function decode(bytes: Uint8Array, allowTruncated = false): CollectingSink {
  const sink = new CollectingSink();
  decodeWebp(bytes, sink, { allowTruncated });
  return sink;
}

/** RGB noise that repeats after `period` pixels. */
function repeatingNoise(width: number, height: number, period: number): Uint8Array {
  const data = new Uint8Array(width * height * 3);
  let state = 7;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    data[i] = i < period * 3 ? state >>> 24 : data[i - period * 3]!;
  }
  return data;
}

async function lossless(data: Uint8Array, width: number, height: number): Promise<Uint8Array> {
  const image = sharp(data, { raw: { width, height, channels: 3 } });
  return new Uint8Array(await image.webp({ lossless: true, effort: 0 }).toBuffer());
}

describe('lossless WebP larger than its window', () => {
  it('copies from a million pixels back', async () => {
    const [width, height, period] = [2048, 1100, 1_040_000];
    const data = repeatingNoise(width, height, period);
    const bytes = await lossless(data, width, height);
    // Smaller than its noise: the encoder did find copies across the window's edge.
    expect(bytes.length).toBeLessThan(data.length * 0.6);
    expect(Buffer.from(decode(bytes).image().data).equals(data)).toBe(true);
  });

  it('is as wide as the format allows', async () => {
    const [width, height] = [16_383, 80];
    const data = repeatingNoise(width, height, width * 3 + 1);
    const bytes = await lossless(data, width, height);
    expect(Buffer.from(decode(bytes).image().data).equals(data)).toBe(true);
  });
});

const BLACK_ROW = Buffer.alloc(120);

describe('truncated WebP', () => {
  it.each([
    ['lossy', {}],
    ['lossless', { lossless: true }],
  ] as const)('%s: a prefix is refused, or filled up with black below what it holds', async (_name, options) => {
    const noise = repeatingNoise(40, 90, 3000);
    const image = sharp(noise, { raw: { width: 40, height: 90, channels: 3 } });
    const bytes = new Uint8Array(await image.webp(options).toBuffer());
    const whole = Buffer.from(decode(bytes).image().data);
    let rowsBefore = 0;
    for (let length = 0; length < bytes.length; length += length < 60 ? 1 : 17) {
      const part = bytes.subarray(0, length);
      expect(() => decode(part)).toThrow(expect.objectContaining({ name: 'ImageError' }));
      if (length < 30) continue;
      const data = Buffer.from(decode(part, true).image().data);
      let rows = 90;
      while (rows > 0 && data.subarray(rows * 120 - 120, rows * 120).equals(BLACK_ROW)) rows--;
      expect(data.subarray(0, rows * 120).equals(whole.subarray(0, rows * 120))).toBe(true);
      expect(rows).toBeGreaterThanOrEqual(rowsBefore);
      rowsBefore = rows;
    }
    expect(rowsBefore).toBeGreaterThan(0);
  });

  it('says how far it got', async () => {
    const noise = repeatingNoise(40, 90, 3000);
    const bytes = new Uint8Array(
      await sharp(noise, { raw: { width: 40, height: 90, channels: 3 } })
        .webp()
        .toBuffer(),
    );
    // The container claims to be whole; its tokens are not.
    const short = bytes.slice(0, 1400);
    new DataView(short.buffer).setUint32(4, short.length - 8, true);
    new DataView(short.buffer).setUint32(16, short.length - 20, true);
    expect(() => decode(short)).toThrow(
      expect.objectContaining({
        code: 'truncated_image',
        message: expect.stringMatching(/^WebP: data ends in macroblock row \d of 6$/),
        details: expect.objectContaining({ format: 'webp', height: 90 }),
      }),
    );
  });
});

describe('bytes that are not WebP', () => {
  it.each([
    ['nothing', new Uint8Array(0)],
    ['RIFF of another form', Uint8Array.from('RIFF\x24\0\0\0WAVEfmt \x10\0\0\0', (c) => c.charCodeAt(0))],
    ['an unknown first chunk', Uint8Array.from('RIFF\x24\0\0\0WEBPVP9 \x10\0\0\0', (c) => c.charCodeAt(0))],
  ])('%s', (_name, bytes) => {
    expect(() => readWebpInfo(bytes)).toThrow(expect.objectContaining({ code: 'unrecognized_image' }));
  });
});
