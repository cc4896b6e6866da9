import { describe, expect, it } from 'vitest';
import type { ImageError } from '../../../../worker/errors.ts';
import { decodeImage, decodeRows, estimateDecodeBytes, readInfo } from '../../../../worker/imaging/decode.ts';
import { checkLimits, DEFAULT_LIMITS } from '../../../../worker/imaging/limits.ts';
import { buildPng, pngChunk } from '../../../support/build-png.ts';
import { countAllocations } from '../../../support/count-allocations.ts';
import { CollectingSink } from '../../../support/rgb-image.ts';

/** A sink that keeps nothing. */
const nowhere = { start() {}, rows() {} };

async function failure(work: Promise<unknown>): Promise<ImageError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeDefined();
  return error as ImageError;
}

describe('PNG memory', () => {
  it.each([
    ['wide RGB', { width: 20_000, height: 12, colorType: 2 }, 60_001 * 12],
    ['wide 16-bit RGBA', { width: 9000, height: 8, colorType: 6, bitDepth: 16 }, 72_001 * 8],
    ['tall gray', { width: 40, height: 20_000, colorType: 0 }, 41 * 20_000],
    ['1-bit', { width: 9999, height: 99, colorType: 0, bitDepth: 1 }, 1251 * 99],
  ] as const)('%s: streams in what was estimated, which its width bounds', async (_name, shape, rawBytes) => {
    const png = buildPng(shape, new Uint8Array(rawBytes));
    const estimate = estimateDecodeBytes(png);
    const { bytes, error } = await countAllocations(() => decodeRows(png, nowhere));
    expect(error).toBeUndefined();
    expect(bytes).toBeLessThanOrEqual(estimate);
    // Not more than a tenth over, or the limit refuses what would fit.
    expect(estimate).toBeLessThan(bytes * 1.1 + 4096);
    expect(estimate).toBeLessThan(300_000 + shape.width * 20);
  });

  it('an interlaced image is estimated at its whole size, and refused by it before it is allocated', async () => {
    const rawBytes = 7 * 750 * 2300;
    const png = buildPng({ width: 1500, height: 1000, interlace: 1 }, new Uint8Array(rawBytes));
    const estimate = estimateDecodeBytes(png);
    expect(estimate).toBeGreaterThan(1500 * 1000 * 3);
    const { bytes, error } = await countAllocations(() => decodeRows(png, nowhere));
    expect(error).toBeUndefined();
    expect(bytes).toBeLessThanOrEqual(estimate);

    const limits = { ...DEFAULT_LIMITS, maxMemoryBytes: estimate - 1 };
    expect(() => checkLimits(readInfo(png), png.length, estimate, limits)).toThrow(
      expect.objectContaining({ code: 'image_memory_exceeded' }),
    );
    const refusal = await countAllocations(() => decodeImage(png, {}, limits));
    expect(refusal.error).toHaveProperty('code', 'image_memory_exceeded');
    expect(refusal.bytes).toBeLessThan(1000);
  });
});

describe('PNG bombs', () => {
  it('100 MB of zeros behind 1x1 px cost the one pixel', async () => {
    const bomb = buildPng({ width: 1, height: 1 }, new Uint8Array(100_000_000));
    const { bytes, error } = await countAllocations(() => decodeRows(bomb, nowhere));
    expect(error).toBeUndefined();
    expect(bytes).toBeLessThan(20_000);
  });

  it('a header that promises 60000x60000 px is refused before anything is allocated', async () => {
    const bomb = buildPng({ width: 60_000, height: 60_000 }, new Uint8Array(1000));
    const { bytes, error } = await countAllocations(() => decodeImage(bomb));
    expect(error).toHaveProperty('code', 'image_too_large');
    expect(bytes).toBeLessThan(1000);
  });

  it('a compressed text that is a bomb is inflated to 1 MiB at most', async () => {
    const text = Buffer.concat([Buffer.from('Raw profile type exif\0\0'), deflated(50_000_000)]);
    const png = buildPng({ width: 1, height: 1 }, new Uint8Array(4));
    const bomb = new Uint8Array(Buffer.concat([png.subarray(0, 33), pngChunk('zTXt', text), png.subarray(33)]));
    let orientation = 0;
    const { bytes } = await countAllocations(() => {
      orientation = readInfo(bomb).orientation;
    });
    expect(orientation).toBe(1);
    expect(bytes).toBeLessThan(4 * 1024 * 1024);
  });
});

describe('truncated PNG', () => {
  const rows = Uint8Array.from({ length: 31 * 20 }, (_, i) => (i % 31 === 0 ? 0 : (i * 37) & 255));
  const whole = buildPng({ width: 10, height: 20 }, rows);
  const cut = whole.subarray(0, whole.length - 12 - 4 - 200);

  it('says how much was there', async () => {
    const error = await failure(decodeImage(cut));
    expect(error.code).toBe('truncated_image');
    const { rows: present, expectedRows } = error.details;
    expect(expectedRows).toBe(20);
    expect(present).toBeGreaterThan(0);
    expect(present).toBeLessThan(20);
    expect(error.message).toContain(`${present} of 20 rows`);
  });

  it('keeps the rows that came and leaves the rest black where the caller allows it', async () => {
    const present = Number((await failure(decodeImage(cut))).details.rows);
    const full = await decodeImage(whole);
    const partial = await decodeImage(cut, { allowTruncated: true });
    const split = present * 30;
    expect(partial.data.subarray(0, split)).toEqual(full.data.subarray(0, split));
    expect(partial.data.subarray(split).every((value) => value === 0)).toBe(true);
  });
});

describe('a damaged chunk', () => {
  it('names both CRCs', async () => {
    const damaged = buildPng({ width: 1, height: 1 }, new Uint8Array(4));
    damaged[29]! ^= 0xff;
    const error = await failure(decodeImage(damaged));
    expect(error.code).toBe('corrupt_image');
    expect(error.message).toMatch(/IHDR chunk has CRC [0-9a-f]{8}; its data gives [0-9a-f]{8}/);
  });
});

describe('readInfo', () => {
  it('tells colour type, depth, interlacing and frames without decoding', async () => {
    const png = buildPng({ width: 3, height: 2, colorType: 4, bitDepth: 16, interlace: 1 }, new Uint8Array(99));
    expect(readInfo(png)).toEqual({
      format: 'png',
      width: 3,
      height: 2,
      storedWidth: 3,
      storedHeight: 2,
      orientation: 1,
      components: 2,
      bitsPerSample: 16,
      frames: 1,
      interlaced: true,
    });
    const actl = pngChunk('acTL', Uint8Array.of(0, 0, 0, 5, 0, 0, 0, 0));
    const animated = new Uint8Array(Buffer.concat([png.subarray(0, 33), actl, png.subarray(33)]));
    // Without an fcTL ahead of it, the image is not one of the five.
    expect(readInfo(animated).frames).toBe(6);
  });

  it('swaps the size for an orientation that stands on its side, found behind the image data', async () => {
    const png = buildPng({ width: 3, height: 2 }, new Uint8Array(20));
    const tiff = Buffer.from('49492a0008000000010012010300010000000600000000000000', 'hex');
    const rotated = new Uint8Array(Buffer.concat([png.subarray(0, -12), pngChunk('eXIf', tiff), png.subarray(-12)]));
    expect(readInfo(rotated)).toMatchObject({ width: 2, height: 3, storedWidth: 3, storedHeight: 2, orientation: 6 });
    const sink = new CollectingSink();
    await decodeRows(rotated, sink);
    expect([sink.width, sink.height]).toEqual([3, 2]);
    expect(await decodeImage(rotated)).toMatchObject({ width: 2, height: 3 });
  });
});

function deflated(length: number): Uint8Array {
  // The IDAT of a PNG is a zlib stream like any other.
  const png = buildPng({ width: 1, height: 1 }, new Uint8Array(length));
  return png.subarray(41, png.length - 16);
}
