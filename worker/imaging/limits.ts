/** Limits on what is decoded, checked against headers before a pixel is. Pure. */
import { ImageError } from '../errors.ts';
import type { ImageInfo } from './image.ts';

/** What an image may cost; every limit is inclusive. */
export interface ImageLimits {
  /** Encoded size. */
  readonly maxBytes: number;
  /** Stored width times stored height. */
  readonly maxPixels: number;
  /** Longer stored edge in px. */
  readonly maxEdge: number;
  /** What decoding allocates, as estimated from the header, the encoded bytes not counted. */
  readonly maxMemoryBytes: number;
}

/**
 * Limits for an isolate of 128 MB that also holds a model (70 MB of WASM heap) and the encoded bytes.
 *
 * 50 MP covers every phone's default photo; 20 MiB is a 50 MP JPEG at high quality. A non-interlaced PNG or baseline
 * JPEG of that size streams in a few MB; the memory limit is what stops interlaced and progressive giants.
 */
export const DEFAULT_LIMITS: ImageLimits = {
  maxBytes: 20 * 1024 * 1024,
  maxPixels: 50_000_000,
  maxEdge: 32_768,
  maxMemoryBytes: 40 * 1024 * 1024,
};

/**
 * Refuses an image that is over a limit.
 *
 * @param info from `readInfo`
 * @param byteLength encoded size
 * @param estimatedBytes from `estimateDecodeBytes`
 * @throws ImageError `image_too_large` for bytes, edges and pixels, `image_memory_exceeded` for memory; `details` names
 *   the limit and both numbers
 */
export function checkLimits(
  info: ImageInfo,
  byteLength: number,
  estimatedBytes: number,
  limits: ImageLimits = DEFAULT_LIMITS,
): void {
  checkByteLength(byteLength, limits);
  const { storedWidth, storedHeight } = info;
  const size = `${storedWidth}x${storedHeight}`;
  const edge = Math.max(storedWidth, storedHeight);
  if (edge > limits.maxEdge) {
    throw tooLarge(`image is ${size} px; limit is ${limits.maxEdge} px an edge`, 'maxEdge', edge, limits.maxEdge);
  }
  const pixels = storedWidth * storedHeight;
  if (pixels > limits.maxPixels) {
    const message = `image is ${size} = ${megapixels(pixels)} MP; limit ${megapixels(limits.maxPixels)} MP`;
    throw tooLarge(message, 'maxPixels', pixels, limits.maxPixels);
  }
  if (estimatedBytes > limits.maxMemoryBytes) {
    throw new ImageError(
      'image_memory_exceeded',
      `decoding this ${size} ${info.interlaced ? 'interlaced ' : ''}${info.format} takes ${mebibytes(estimatedBytes)} MiB; limit ${mebibytes(limits.maxMemoryBytes)} MiB`,
      { details: { limit: 'maxMemoryBytes', value: estimatedBytes, maximum: limits.maxMemoryBytes } },
    );
  }
}

/**
 * Refuses encoded bytes that are over the limit, before anything is read from them.
 *
 * @throws ImageError `image_too_large`
 */
export function checkByteLength(byteLength: number, limits: ImageLimits = DEFAULT_LIMITS): void {
  if (byteLength <= limits.maxBytes) return;
  const message = `image is ${byteLength} bytes = ${mebibytes(byteLength)} MiB; limit ${mebibytes(limits.maxBytes)} MiB`;
  throw tooLarge(message, 'maxBytes', byteLength, limits.maxBytes);
}

function tooLarge(message: string, limit: keyof ImageLimits, value: number, maximum: number): ImageError {
  return new ImageError('image_too_large', message, { details: { limit, value, maximum } });
}

function megapixels(pixels: number): string {
  return trim(pixels / 1e6);
}

function mebibytes(bytes: number): string {
  return trim(bytes / 1_048_576);
}

/** One decimal, more where that would show 0; none on a round number. */
function trim(value: number): string {
  return Number.isInteger(value) ? String(value) : value >= 0.1 ? value.toFixed(1) : value.toPrecision(2);
}
