/**
 * The way into image decoding: encoded bytes in, upright RGB8 out. No I/O, no clock.
 *
 * `decodeImage` checks limits itself. A caller that takes rows asks in this order: `readInfo`, `estimateDecodeBytes`,
 * `checkLimits` (for both and what it allocates itself), then `decodeRows`.
 */
import { decodeBmp, estimateBmpBytes, readBmpInfo } from './bmp/decoder.ts';
import { detectFormat } from './format.ts';
import { decodeGif, estimateGifBytes, readGifInfo } from './gif/decoder.ts';
import type { DecodeOptions, ImageFormat, ImageInfo, RgbImage, RowSink } from './image.ts';
import { decodeJpeg, estimateJpegBytes, readJpegInfo } from './jpeg/decoder.ts';
import { checkByteLength, checkLimits, DEFAULT_LIMITS, type ImageLimits } from './limits.ts';
import { UprightCollector } from './orient.ts';
import { decodePng, estimatePngBytes, readPngInfo } from './png/decoder.ts';
import { decodeWebp, estimateWebpBytes, readWebpInfo } from './webp/decoder.ts';

export { detectFormat } from './format.ts';

/** One format's decoder. Every function throws ImageError for bytes it does not accept. */
interface Decoder {
  /** Reads headers only. */
  readInfo(bytes: Uint8Array): ImageInfo;
  /** Bytes that `decode` allocates at most, by the headers alone. */
  estimateBytes(bytes: Uint8Array, options: DecodeOptions): number;
  decode(bytes: Uint8Array, sink: RowSink, options: DecodeOptions): void | Promise<void>;
}

const DECODERS: Readonly<Record<ImageFormat, Decoder>> = {
  bmp: { readInfo: readBmpInfo, estimateBytes: estimateBmpBytes, decode: decodeBmp },
  gif: { readInfo: readGifInfo, estimateBytes: estimateGifBytes, decode: decodeGif },
  jpeg: { readInfo: readJpegInfo, estimateBytes: estimateJpegBytes, decode: decodeJpeg },
  png: { readInfo: readPngInfo, estimateBytes: estimatePngBytes, decode: decodePng },
  webp: { readInfo: readWebpInfo, estimateBytes: estimateWebpBytes, decode: decodeWebp },
};

/**
 * Reads format, size, orientation and frames without decoding.
 *
 * @throws ImageError `unrecognized_image`, `unsupported_image_format`, `unsupported_image_feature`, `truncated_image`,
 *   `corrupt_image`
 */
export function readInfo(bytes: Uint8Array): ImageInfo {
  return decoderFor(bytes).readInfo(bytes);
}

/**
 * Bytes that decoding to rows allocates at most, by the headers alone.
 *
 * @throws ImageError as `readInfo`
 */
export function estimateDecodeBytes(bytes: Uint8Array, options: DecodeOptions = {}): number {
  return decoderFor(bytes).estimateBytes(bytes, options);
}

/**
 * Decodes to RGB8 rows in stored order, before orientation.
 *
 * When it throws, the sink may have got some of the rows.
 *
 * @returns what `readInfo` returns
 * @throws ImageError as `readInfo`
 */
export async function decodeRows(bytes: Uint8Array, sink: RowSink, options: DecodeOptions = {}): Promise<ImageInfo> {
  const decoder = decoderFor(bytes);
  const info = decoder.readInfo(bytes);
  await decoder.decode(bytes, sink, options);
  return info;
}

/**
 * Decodes to an upright RGB8 image: first frame, alpha dropped.
 *
 * @param limits checked before a pixel is decoded; the memory limit counts decoding and the image itself
 * @throws ImageError as `readInfo`, and `image_too_large` and `image_memory_exceeded`
 */
export async function decodeImage(
  bytes: Uint8Array,
  options: DecodeOptions = {},
  limits: ImageLimits = DEFAULT_LIMITS,
): Promise<RgbImage> {
  checkByteLength(bytes.length, limits);
  const decoder = decoderFor(bytes);
  const info = decoder.readInfo(bytes);
  const scale = info.format === 'jpeg' ? (options.scaleDenominator ?? 1) : 1;
  const imageBytes = Math.ceil(info.width / scale) * Math.ceil(info.height / scale) * 3;
  checkLimits(info, bytes.length, decoder.estimateBytes(bytes, options) + imageBytes, limits);
  const collector = new UprightCollector(info.orientation);
  await decoder.decode(bytes, collector, options);
  return collector.image();
}

function decoderFor(bytes: Uint8Array): Decoder {
  return DECODERS[detectFormat(bytes)];
}
