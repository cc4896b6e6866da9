/** What decoding WebP allocates, against what `estimateWebpBytes` says. */
import { readFileSync } from 'node:fs';
import sharp, { type WebpOptions } from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodeWebp, estimateWebpBytes } from '../../../../worker/imaging/webp/decoder.ts';

const MIB = 1024 * 1024;

/** Views and the like, which no estimate lists. */
const UNCOUNTED_BYTES = 16 * 1024;

const NO_SINK = { start: () => {}, rows: () => {} };

/** Bytes of array buffers that a decode leaves behind or in use; a collection in between can only make it less. */
function allocatedBytes(bytes: Uint8Array): number {
  const before = process.memoryUsage().arrayBuffers;
  decodeWebp(bytes, NO_SINK, {});
  return process.memoryUsage().arrayBuffers - before;
}

/** A picture with some texture, encoded. */
async function encode(width: number, height: number, alpha: boolean, options: WebpOptions): Promise<Uint8Array> {
  const channels = alpha ? 4 : 3;
  const data = new Uint8Array(width * height * channels);
  let state = 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) | 0;
    data[i] = ((i / channels) & 127) + ((state >>> 16) & 31);
  }
  return new Uint8Array(
    await sharp(data, { raw: { width, height, channels } })
      .webp({ effort: 0, ...options })
      .toBuffer(),
  );
}

describe('estimateWebpBytes', () => {
  it.each([
    ['lossy', false, {}],
    ['lossy with alpha', true, {}],
    ['lossless', false, { lossless: true }],
    ['lossless with alpha', true, { lossless: true }],
  ] as const)('bounds what a %s picture allocates, closely', async (_name, alpha, options) => {
    const bytes = await encode(700, 500, alpha, options);
    const estimate = estimateWebpBytes(bytes, {});
    const allocated = allocatedBytes(bytes);
    expect(allocated).toBeLessThanOrEqual(estimate + UNCOUNTED_BYTES);
    expect(estimate).toBeLessThan(allocated * 1.3 + UNCOUNTED_BYTES);
  });

  it('does not grow with the height of a lossy picture', async () => {
    const low = await encode(600, 100, false, {});
    const high = await encode(600, 1600, false, {});
    expect(estimateWebpBytes(high, {})).toBe(estimateWebpBytes(low, {}));
    expect(estimateWebpBytes(high, {})).toBeLessThan(0.2 * MIB);
  });

  it('stays under 10 MiB for a lossless picture of 2.2 megapixels, more than its window', async () => {
    const bytes = await encode(2000, 1100, false, { lossless: true });
    const estimate = estimateWebpBytes(bytes, {});
    expect(estimate).toBeLessThan(10 * MIB);
    expect(allocatedBytes(bytes)).toBeLessThanOrEqual(estimate + UNCOUNTED_BYTES);
  });

  it('adds rows of zeros where the frame does not fill the canvas', () => {
    const golden: { containers: { name: string; file: string }[] } = JSON.parse(
      readFileSync(new URL('../../../fixtures/webp/goldens.json', import.meta.url), 'utf8'),
    );
    const file = (name: string): Uint8Array =>
      new Uint8Array(Buffer.from(golden.containers.find((one) => one.name === name)!.file, 'base64'));
    const canvasBytes = 16 * 20 * 3;
    const still = file('two images');
    expect(estimateWebpBytes(file('frame whose header lies about its size'), {})).toBe(
      estimateWebpBytes(still, {}) + canvasBytes,
    );
  });
});
