import { describe, expect, it } from 'vitest';
import type { ImageError } from '../../../worker/errors.ts';
import type { ImageInfo } from '../../../worker/imaging/image.ts';
import { checkByteLength, checkLimits, DEFAULT_LIMITS, type ImageLimits } from '../../../worker/imaging/limits.ts';

const limits: ImageLimits = { maxBytes: 1000, maxPixels: 600, maxEdge: 40, maxMemoryBytes: 2000 };

function image(width: number, height: number): ImageInfo {
  return {
    format: 'png',
    width,
    height,
    storedWidth: width,
    storedHeight: height,
    orientation: 1,
    components: 3,
    bitsPerSample: 8,
    frames: 1,
    interlaced: false,
  };
}

function refusal(check: () => void): ImageError | undefined {
  try {
    check();
  } catch (error) {
    return error as ImageError;
  }
  return undefined;
}

describe('checkLimits', () => {
  it.each([
    ['bytes', 'maxBytes', 'image_too_large', (n: number) => checkLimits(image(1, 1), n, 0, limits), 1000],
    ['edge', 'maxEdge', 'image_too_large', (n: number) => checkLimits(image(1, n), 1, 0, limits), 40],
    ['pixels', 'maxPixels', 'image_too_large', (n: number) => checkLimits(image(n, 20), 1, 0, limits), 30],
    ['memory', 'maxMemoryBytes', 'image_memory_exceeded', (n: number) => checkLimits(image(1, 1), 1, n, limits), 2000],
  ] as const)('accepts n-1 and n, refuses n+1: %s', (_name, limit, code, check, n) => {
    expect(refusal(() => check(n - 1))).toBeUndefined();
    expect(refusal(() => check(n))).toBeUndefined();
    const error = refusal(() => check(n + 1));
    expect(error?.code).toBe(code);
    expect(error?.details.limit).toBe(limit);
    expect(error?.details.value).toBeGreaterThan(Number(error?.details.maximum));
  });

  it('says the numbers', () => {
    const huge = refusal(() => checkLimits(image(9000, 9000), 1, 0));
    expect(huge?.message).toBe('image is 9000x9000 = 81 MP; limit 50 MP');
    expect(refusal(() => checkLimits(image(1, 1), 1, 64 * 1024 * 1024))?.message).toBe(
      'decoding this 1x1 png takes 64 MiB; limit 40 MiB',
    );
  });

  it('checks the byte length alone before anything is parsed', () => {
    expect(refusal(() => checkByteLength(DEFAULT_LIMITS.maxBytes))).toBeUndefined();
    expect(refusal(() => checkByteLength(DEFAULT_LIMITS.maxBytes + 1))?.code).toBe('image_too_large');
  });
});
