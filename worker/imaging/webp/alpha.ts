/**
 * The ALPH chunk (RFC 9649, section 2.7.1.2). Its values are dropped with the alpha channel; but a file whose alpha
 * cannot be decoded is refused, as libwebp does (src/dec/alpha_dec.c), so it is read to its end.
 */
import type { WebpFrame } from './container.ts';
import { corruptWebp } from './errors.ts';
import { LsbBitReader } from './vp8l-bit-reader.ts';
import { readPixels, windowSize } from './vp8l-pixels.ts';
import { measureVp8lStream, readVp8lStream, type Vp8lStream } from './vp8l-stream.ts';
import { COLOR_INDEXING_TRANSFORM } from './vp8l-transforms.ts';

/** Alpha as plain bytes. */
const METHOD_RAW = 0;

/** Alpha in the green channel of a headerless VP8L image. */
const METHOD_LOSSLESS = 1;

/**
 * Checks that a frame's alpha can be decoded.
 *
 * @throws {ImageError} `corrupt_image`
 */
export function checkAlpha(frame: WebpFrame): void {
  if (frame.alpha === undefined) return;
  const method = alphaMethod(frame.alpha);
  if (method === METHOD_RAW) {
    checkRawSize(frame.alpha, frame);
    return;
  }
  const reader = new LsbBitReader(frame.alpha.subarray(1));
  const stream = readVp8lStream(reader, frame.width, frame.height);
  const window = new Int32Array(windowSize(stream.pixels.width, frame.height));
  if (!readPixels(reader, stream.pixels, window, undefined, isPlain(stream))) {
    throw corruptWebp(`alpha data of ${frame.alpha.length} bytes ends early`);
  }
}

/** Bytes that `checkAlpha` allocates. */
export function estimateAlphaBytes(alpha: Uint8Array, frame: WebpFrame): number {
  if (alphaMethod(alpha) === METHOD_RAW) return 0;
  const reader = new LsbBitReader(alpha.subarray(1));
  const { bytes, stream } = measureVp8lStream(reader, frame.width, frame.height);
  return bytes + (stream === undefined ? 0 : windowSize(stream.pixels.width, frame.height) * 4);
}

/** The header byte: two bits each of method, filter, preprocessing and nothing. */
function alphaMethod(alpha: Uint8Array): number {
  const header = alpha[0] ?? 0;
  const method = header & 3;
  const preprocessing = (header >> 4) & 3;
  if (alpha.length <= 1 || method > METHOD_LOSSLESS || preprocessing > 1 || header >> 6 !== 0) {
    throw corruptWebp(`ALPH chunk of ${alpha.length} bytes with header 0x${header.toString(16)}`);
  }
  return method;
}

function checkRawSize(alpha: Uint8Array, frame: WebpFrame): void {
  const needed = frame.width * frame.height;
  if (alpha.length - 1 < needed) {
    throw corruptWebp(`alpha has ${alpha.length - 1} of ${needed} bytes`, {
      presentBytes: alpha.length - 1,
      declaredBytes: needed,
    });
  }
}

/** Palette indices alone: libwebp reads these a byte a pixel, and lets the last symbol end past the data. */
function isPlain(stream: Vp8lStream): boolean {
  const { transforms, pixels } = stream;
  return (
    transforms.length === 1 &&
    transforms[0]!.type === COLOR_INDEXING_TRANSFORM &&
    pixels.cacheBits === 0 &&
    pixels.groups.every((group) => group.hasLiteral)
  );
}
