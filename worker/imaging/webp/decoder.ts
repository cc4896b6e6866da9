/**
 * WebP (RFC 9649): lossy (VP8), lossless (VP8L) and extended files, to RGB8 rows. Bit-exact with Pillow's
 * `Image.open(f).convert("RGB")`, which decodes with libwebp's animation decoder: alpha is dropped and not composited,
 * an animation yields its first frame on a canvas of zeros.
 */
import { resolveOrientation } from '../exif.ts';
import type { DecodeOptions, ImageInfo, RowSink } from '../image.ts';
import { checkAlpha, estimateAlphaBytes } from './alpha.ts';
import { CanvasSink, canvasBytes } from './canvas.ts';
import { parseWebpContainer, type WebpFrame } from './container.ts';
import { truncatedWebp } from './errors.ts';
import { decodeVp8, estimateVp8Bytes } from './vp8-decoder.ts';
import { decodeVp8l, estimateVp8lBytes } from './vp8l-decoder.ts';

/**
 * Reads size, orientation and frame count.
 *
 * @param bytes the whole file, or enough of its beginning to hold the image header
 * @throws {ImageError} `unrecognized_image`, `corrupt_image`, `truncated_image`
 */
export function readWebpInfo(bytes: Uint8Array): ImageInfo {
  const container = parseWebpContainer(bytes);
  const orientation = resolveOrientation(container.exif, container.xmp);
  const { width: storedWidth, height: storedHeight } = container;
  const swapped = orientation >= 5;
  return {
    format: 'webp',
    width: swapped ? storedHeight : storedWidth,
    height: swapped ? storedWidth : storedHeight,
    storedWidth,
    storedHeight,
    orientation,
    components: container.hasAlpha ? 4 : 3,
    bitsPerSample: 8,
    frames: container.frames,
    interlaced: false,
  };
}

/**
 * Bytes that `decodeWebp` allocates at most. Reads a lossless file up to its pixels, to count what its prefix codes take.
 *
 * @throws {ImageError} as `readWebpInfo`, and `corrupt_image` where a lossless header is damaged
 */
export function estimateWebpBytes(bytes: Uint8Array, options: DecodeOptions): number {
  const container = parseWebpContainer(bytes);
  const frame = container.firstFrame;
  const allowTruncated = options.allowTruncated ?? false;
  const canvas = canvasBytes(container, allowTruncated);
  if (frame === undefined) return canvas;
  if (frame.lossless) return canvas + estimateVp8lBytes(frame.data);
  const alpha = frame.alpha === undefined || container.truncated ? 0 : estimateAlphaBytes(frame.alpha, frame);
  // Alpha is checked before the frame is decoded; nobody can say when its memory is let go.
  return canvas + alpha + estimateVp8Bytes(frame.width);
}

/**
 * Decodes the picture, or the first frame of an animation.
 *
 * @throws {ImageError} as `readWebpInfo`; `truncated_image` unless `options.allowTruncated`, where the rows that are
 *   missing come out black
 */
export function decodeWebp(bytes: Uint8Array, sink: RowSink, options: DecodeOptions): void {
  const container = parseWebpContainer(bytes);
  const allowTruncated = options.allowTruncated ?? false;
  if (container.truncated && !allowTruncated) {
    throw truncatedWebp(`file has ${bytes.length} of ${container.declaredBytes} bytes`, {
      presentBytes: bytes.length,
      declaredBytes: container.declaredBytes,
    });
  }
  const canvas = new CanvasSink(container, container.firstFrame, sink);
  if (container.firstFrame !== undefined) {
    if (!container.truncated) checkAlpha(container.firstFrame);
    canvas.start();
    decodeFrame(container.firstFrame, canvas, allowTruncated);
  } else {
    canvas.start();
  }
  canvas.finish();
}

function decodeFrame(frame: WebpFrame, sink: RowSink, allowTruncated: boolean): void {
  if (frame.lossless) decodeVp8l(frame.data, sink, allowTruncated);
  else decodeVp8(frame.data, sink, allowTruncated);
}
