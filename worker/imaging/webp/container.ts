/**
 * The RIFF container of WebP (RFC 9649, section 2): which chunk holds the first picture, where it lies on the
 * canvas, how many frames there are, the metadata. No pixel is decoded.
 *
 * Accepts and refuses what libwebp 1.6 does behind Pillow: `ParseHeadersInternal` (src/dec/webp_dec.c) first,
 * then the demuxer (src/demux/demux.c), including where they disagree with the specification.
 */
import { ImageError } from '../../errors.ts';
import {
  checkHeaders,
  FLAG_ANIMATION,
  FLAGS_KNOWN,
  FOURCC_RIFF,
  FOURCC_VP8,
  FOURCC_VP8L,
  FOURCC_VP8X,
  FOURCC_WEBP,
  readU32,
} from './chunks.ts';
import { Demuxer, type FrameDraft } from './demuxer.ts';
import { corruptWebp, truncatedWebp } from './errors.ts';

/** One picture of the file, as stored. */
export interface WebpFrame {
  /** Column of its left edge on the canvas, px. */
  readonly x: number;
  /** Row of its top edge on the canvas, px. */
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** True: VP8L; false: VP8. */
  readonly lossless: boolean;
  /** The VP8 or VP8L bitstream, as much of it as there is, with its padding byte. */
  readonly data: Uint8Array;
  /** Payload of the ALPH chunk that goes with a VP8 bitstream. */
  readonly alpha: Uint8Array | undefined;
}

/** What the container says. */
export interface WebpContainer {
  readonly width: number;
  readonly height: number;
  readonly hasAlpha: boolean;
  /** Frames an animation has; 1 for a still picture. */
  readonly frames: number;
  /** The first frame; undefined where the file ends before it begins. */
  readonly firstFrame: WebpFrame | undefined;
  readonly exif: Uint8Array | undefined;
  readonly xmp: Uint8Array | undefined;
  /** Bytes the RIFF header promises, its own 8 included. */
  readonly declaredBytes: number;
  /** True where the file is shorter than that. */
  readonly truncated: boolean;
}

/**
 * Reads the container.
 *
 * @param bytes the whole file, or the beginning of one
 * @throws {ImageError} `unrecognized_image` where these are not WebP bytes, `corrupt_image` where libwebp refuses the
 *   structure, `truncated_image` where not even the size is there
 */
export function parseWebpContainer(bytes: Uint8Array): WebpContainer {
  if (!isWebp(bytes)) {
    throw new ImageError('unrecognized_image', `not a WebP file: no RIFF/WEBP signature in ${bytes.length} bytes`);
  }
  if (bytes.length < 20) throw truncatedWebp(`file ends after ${bytes.length} bytes, inside its first chunk header`);
  const features = checkHeaders(bytes);
  const demuxer = new Demuxer(bytes);
  const complete = demuxer.parse();
  if (demuxer.width === 0) throw truncatedWebp(`file ends after ${bytes.length} bytes, before the image size`);
  if (complete && demuxer.frames.length === 0) throw corruptWebp('no image chunk');
  if (demuxer.extended) checkFrames(demuxer, complete);
  const first = demuxer.frames[0];
  return {
    width: demuxer.width,
    height: demuxer.height,
    hasAlpha: features?.hasAlpha ?? false,
    frames: Math.max(1, demuxer.frames.length),
    firstFrame: first === undefined || first.imageAt === 0 ? undefined : toFrame(bytes, first),
    exif: demuxer.exif,
    xmp: demuxer.xmp,
    declaredBytes: demuxer.riffEnd,
    truncated: demuxer.truncated,
  };
}

/** True where the bytes open like a WebP file: `RIFF`, any size, `WEBP`, and one of the three image chunks. */
function isWebp(bytes: Uint8Array): boolean {
  if (bytes.length < 16 || readU32(bytes, 0) !== FOURCC_RIFF || readU32(bytes, 8) !== FOURCC_WEBP) return false;
  const chunk = readU32(bytes, 12);
  return chunk === FOURCC_VP8 || chunk === FOURCC_VP8L || chunk === FOURCC_VP8X;
}

/** `IsValidExtendedFormat`. */
function checkFrames({ flags, frames, width, height }: Demuxer, complete: boolean): void {
  if ((flags & ~FLAGS_KNOWN) !== 0) throw corruptWebp(`unknown VP8X flags 0x${flags.toString(16)}`, { flags });
  const animated = (flags & FLAG_ANIMATION) !== 0;
  for (const frame of frames) {
    if (complete && !frame.complete) throw corruptWebp('a frame without image data');
    if (frame.alphaAt > 0 && frame.imageAt > 0 && frame.alphaAt > frame.imageAt) {
      throw corruptWebp('ALPH chunk after the image data');
    }
    if (frame.width === 0) continue;
    const fits = animated
      ? frame.x + frame.width <= width && frame.y + frame.height <= height
      : frame.width === width && frame.height === height;
    if (!fits) {
      const size = `${frame.width}x${frame.height} at ${frame.x},${frame.y}`;
      throw corruptWebp(`frame of ${size} on a canvas of ${width}x${height}`);
    }
  }
}

function toFrame(bytes: Uint8Array, draft: FrameDraft): WebpFrame {
  const { x, y, width, height, lossless, imageAt, imageBytes, alphaAt, alphaBytes } = draft;
  const data = bytes.subarray(imageAt, imageAt + imageBytes);
  const alpha = alphaAt === 0 ? undefined : bytes.subarray(alphaAt, alphaAt + alphaBytes);
  return { x, y, width, height, lossless, data, alpha };
}
