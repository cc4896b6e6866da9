/**
 * AVIF and HEIC through the platform: where a deployment binds `IMAGES`, formats that no decoder of ours reads become PNG, no
 * larger than the network needs. Their pixels are the platform's, so they are said to be transcoded. Without the binding
 * they are refused by name, as ever. https://developers.cloudflare.com/images/transform-images/bindings/
 */
import { ImageError } from '../errors.ts';
import { refusedFormat } from '../imaging/format.ts';
import type { ImageInfo } from '../imaging/image.ts';
import { checkByteLength, checkLimits, type ImageLimits } from '../imaging/limits.ts';

/** What is used of Cloudflare's Images binding; `ImagesBinding` of workers-types is one. */
export interface ImageService {
  /** An SVG has no size. */
  info(
    image: ReadableStream<Uint8Array>,
  ): Promise<{ readonly format: string; readonly width?: number; readonly height?: number }>;
  input(image: ReadableStream<Uint8Array>): ImageTransforms;
}

interface ImageTransforms {
  transform(change: { readonly width: number; readonly height: number; readonly fit: 'scale-down' }): ImageTransforms;
  output(options: { readonly format: 'image/png' }): Promise<{ response(): Response }>;
}

/** Formats that the platform reads and we do not, as `refusedFormat` names them. */
const TRANSCODED: ReadonlySet<string> = new Set(['AVIF', 'HEIC', 'HEIF']);

/** How much larger than the network's input the PNG's shorter edge stays: the resize that follows is ours. */
const OVERSAMPLING = 2;

/** What an image was before it was transcoded. */
export interface Original {
  readonly format: string;
  /** Upright size in px. */
  readonly width: number;
  readonly height: number;
}

/** What an answer says of its image. */
export interface AnsweredImage {
  readonly format: string;
  /** Upright size in px, of the image that came. */
  readonly width: number;
  readonly height: number;
  /** Present where the platform made a PNG of it. */
  readonly transcoded?: true;
}

/** What is said of an image that was decoded as `info` says and was `original` before. */
export function answeredImage({ format, width, height }: ImageInfo, original: Original | null): AnsweredImage {
  return original === null ? { format, width, height } : { ...original, transcoded: true };
}

/** Bytes that a decoder of ours reads. */
export interface Decodable {
  readonly bytes: Uint8Array;
  /** Null where they are what came. */
  readonly original: Original | null;
  /** Gives back the memory of a transcoded image. */
  release(): void;
}

/** What an image is to be made ready for. */
export interface Target {
  readonly limits: ImageLimits;
  /** Longer edge of the network's input in px. */
  readonly edgePx: number;
  /** Takes memory, in bytes. */
  acquire(bytes: number): Promise<{ release(): void }>;
}

/**
 * Gives an image's bytes in a format that is decoded here.
 * @param images the platform's binding; null where there is none: bytes are given back as they came.
 * @throws ImageError `image_too_large` before a pixel is decoded, `corrupt_image` where the platform cannot read it.
 */
export async function toDecodable(bytes: Uint8Array, images: ImageService | null, target: Target): Promise<Decodable> {
  const format = images === null ? null : refusedFormat(bytes);
  if (images === null || format === null || !TRANSCODED.has(format)) {
    return { bytes, original: null, release() {} };
  }
  const { limits, edgePx, acquire } = target;
  checkByteLength(bytes.length, limits);
  const original = { format: format.toLowerCase(), ...(await sizeOf(images, bytes, format)) };
  const scale = Math.min(1, (OVERSAMPLING * edgePx) / Math.min(original.width, original.height));
  const width = Math.max(1, Math.round(original.width * scale));
  const height = Math.max(1, Math.round(original.height * scale));
  // A PNG is hardly ever larger than its pixels.
  checkLimits(infoOf(original), bytes.length, width * height * 3, limits);
  const lease = await acquire(width * height * 3);
  try {
    const result = await images
      .input(streamOf(bytes))
      .transform({ width, height, fit: 'scale-down' })
      .output({ format: 'image/png' });
    return { bytes: new Uint8Array(await result.response().arrayBuffer()), original, release: () => lease.release() };
  } catch (error) {
    lease.release();
    throw unreadable(format, error);
  }
}

async function sizeOf(
  images: ImageService,
  bytes: Uint8Array,
  format: string,
): Promise<{ readonly width: number; readonly height: number }> {
  try {
    const { width = 0, height = 0 } = await images.info(streamOf(bytes));
    if (width > 0 && height > 0) return { width, height };
  } catch (error) {
    throw unreadable(format, error);
  }
  throw new ImageError('corrupt_image', `${format} has no size`);
}

/** What the limits look at: nothing else is known of an image that only the platform reads. */
function infoOf({ width, height }: Original): ImageInfo {
  const size = { width, height, storedWidth: width, storedHeight: height };
  return { format: 'png', ...size, orientation: 1, components: 3, bitsPerSample: 8, frames: 1, interlaced: false };
}

function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new Blob([new Uint8Array(bytes)]).stream();
}

function unreadable(format: string, cause: unknown): ImageError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ImageError('corrupt_image', `${format} could not be read by the platform: ${reason.slice(0, 200)}`, {
    cause,
    details: { format },
  });
}
