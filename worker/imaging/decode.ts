/**
 * The way into image decoding: encoded bytes in, upright RGB8 out. No I/O, no clock.
 *
 * A caller with limits asks in this order: `readInfo`, `estimateDecodeBytes`, `checkLimits`, then `decodeRows` or
 * `decodeImage`.
 */
import { ImageError } from '../errors.ts';
import { decodeBmp, estimateBmpBytes, readBmpInfo } from './bmp/decoder.ts';
import { detectFormat } from './format.ts';
import { decodeGif, estimateGifBytes, readGifInfo } from './gif/decoder.ts';
import type { DecodeOptions, ImageFormat, ImageInfo, RgbImage, RowSink } from './image.ts';
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

const DECODERS: Readonly<Partial<Record<ImageFormat, Decoder>>> = {
  bmp: { readInfo: readBmpInfo, estimateBytes: estimateBmpBytes, decode: decodeBmp },
  gif: { readInfo: readGifInfo, estimateBytes: estimateGifBytes, decode: decodeGif },
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
 * Bytes that decoding to rows allocates at most, by the headers alone; `decodeImage` adds `width * height * 3`.
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
 * @throws ImageError as `readInfo`
 */
export async function decodeImage(bytes: Uint8Array, options: DecodeOptions = {}): Promise<RgbImage> {
  const decoder = decoderFor(bytes);
  const collector = new UprightCollector(decoder.readInfo(bytes).orientation);
  await decoder.decode(bytes, collector, options);
  return collector.image();
}

function decoderFor(bytes: Uint8Array): Decoder {
  const format = detectFormat(bytes);
  const decoder = DECODERS[format];
  if (decoder === undefined) throw new ImageError('unsupported_image_format', `${format} is not supported`);
  return decoder;
}
