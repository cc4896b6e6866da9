/**
 * Chunk names, limits and the headers that open a VP8 or VP8L bitstream (RFC 9649, sections 2.3 to 2.7 and 3.4;
 * RFC 6386, section 9.1), checked as libwebp's `ParseHeadersInternal` does (src/dec/webp_dec.c).
 */
import { corruptWebp, truncatedWebp } from './errors.ts';

function fourcc(name: string): number {
  return (
    (name.charCodeAt(0) | (name.charCodeAt(1) << 8) | (name.charCodeAt(2) << 16) | (name.charCodeAt(3) << 24)) >>> 0
  );
}

/** Chunk names as little-endian 32-bit numbers. */
export const FOURCC_RIFF: number = fourcc('RIFF');
export const FOURCC_WEBP: number = fourcc('WEBP');
export const FOURCC_VP8: number = fourcc('VP8 ');
export const FOURCC_VP8L: number = fourcc('VP8L');
export const FOURCC_VP8X: number = fourcc('VP8X');
export const FOURCC_ALPH: number = fourcc('ALPH');
export const FOURCC_ANIM: number = fourcc('ANIM');
export const FOURCC_ANMF: number = fourcc('ANMF');
export const FOURCC_EXIF: number = fourcc('EXIF');
export const FOURCC_XMP: number = fourcc('XMP ');

/** Flags of the VP8X chunk (RFC 9649, section 2.7). */
export const FLAG_ANIMATION = 0x02;
export const FLAG_XMP = 0x04;
export const FLAG_EXIF = 0x08;
export const FLAG_ALPHA = 0x10;
export const FLAGS_KNOWN = 0x3e;

/** Largest payload a chunk may declare (libwebp `MAX_CHUNK_PAYLOAD`). */
export const MAX_CHUNK_PAYLOAD_BYTES = 0xfffffff6;

/** Canvas and frame areas must stay under this (libwebp `MAX_IMAGE_AREA`). */
export const MAX_IMAGE_AREA_PX: number = 2 ** 32;

/** Bytes of a VP8 key frame header (RFC 6386, section 9.1). */
const VP8_HEADER_BYTES = 10;

/** Bytes of a VP8L header (RFC 9649, section 3.4). */
const VP8L_HEADER_BYTES = 5;

/** Size and alpha of one bitstream. */
export interface BitstreamFeatures {
  readonly width: number;
  readonly height: number;
  readonly hasAlpha: boolean;
}

/** Little-endian 16 bits; missing bytes read as zero. */
export function readU16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

/** Little-endian 24 bits; missing bytes read as zero. */
export function readU24(bytes: Uint8Array, at: number): number {
  return readU16(bytes, at) | ((bytes[at + 2] ?? 0) << 16);
}

/** Little-endian 32 bits, unsigned; missing bytes read as zero. */
export function readU32(bytes: Uint8Array, at: number): number {
  return readU24(bytes, at) + (bytes[at + 3] ?? 0) * 0x1000000;
}

/**
 * Reads the size out of a `VP8 ` or `VP8L` chunk.
 *
 * @param at where the chunk header begins
 * @param end where the chunk's available data ends
 * @returns undefined where the chunk is too short to tell
 * @throws {ImageError} `corrupt_image`
 */
export function readBitstreamFeatures(bytes: Uint8Array, at: number, end: number): BitstreamFeatures | undefined {
  const data = at + 8;
  if (readU32(bytes, at) === FOURCC_VP8L) return readVp8lFeatures(bytes, data, end);
  return readVp8Features(bytes, data, end, readU32(bytes, at + 4));
}

/** `VP8LGetInfo`. */
function readVp8lFeatures(bytes: Uint8Array, at: number, end: number): BitstreamFeatures | undefined {
  if (end - at < VP8L_HEADER_BYTES) return undefined;
  const size = readU32(bytes, at + 1);
  if (bytes[at] !== 0x2f) throw corruptWebp('VP8L signature is missing');
  if (size >>> 29 !== 0) throw corruptWebp(`VP8L version ${size >>> 29}; only 0 exists`);
  return { width: (size & 0x3fff) + 1, height: ((size >>> 14) & 0x3fff) + 1, hasAlpha: ((size >>> 28) & 1) !== 0 };
}

/** `VP8GetInfo`: a shown key frame of a known profile, whose first partition fits the chunk. */
function readVp8Features(
  bytes: Uint8Array,
  at: number,
  end: number,
  chunkBytes: number,
): BitstreamFeatures | undefined {
  if (end - at < VP8_HEADER_BYTES) return undefined;
  const tag = readU24(bytes, at);
  if (readU24(bytes, at + 3) !== 0x2a019d) throw corruptWebp('VP8 start code is missing');
  if ((tag & 1) !== 0) throw corruptWebp('VP8 data does not begin with a key frame');
  if (((tag >> 1) & 7) > 3) throw corruptWebp(`VP8 profile ${(tag >> 1) & 7}; 0 to 3 exist`);
  if (((tag >> 4) & 1) === 0) throw corruptWebp('VP8 frame is not shown');
  if (tag >> 5 >= chunkBytes) throw corruptWebp(`first partition of ${tag >> 5} bytes in a chunk of ${chunkBytes}`);
  const width = readU16(bytes, at + 6) & 0x3fff;
  const height = readU16(bytes, at + 8) & 0x3fff;
  if (width === 0 || height === 0) throw corruptWebp(`VP8 frame is ${width}x${height}`, { width, height });
  return { width, height, hasAlpha: false };
}

/**
 * `ParseHeadersInternal` over a whole file of at least 20 bytes: what libwebp checks before it demuxes.
 *
 * @returns features as `WebPGetFeatures` reports them; undefined where the file ends before the bitstream begins
 * @throws {ImageError} `corrupt_image`, or `truncated_image` where a file without VP8X ends inside its header
 */
export function checkHeaders(bytes: Uint8Array): BitstreamFeatures | undefined {
  const riffBytes = readU32(bytes, 4);
  if (riffBytes < 12 || riffBytes > MAX_CHUNK_PAYLOAD_BYTES) throw corruptWebp(`RIFF size ${riffBytes}`);
  if (readU32(bytes, 12) === FOURCC_VP8X) return checkExtendedHeaders(bytes, riffBytes);
  const features = readImageChunk(bytes, 12, riffBytes);
  if (features === undefined) throw truncatedWebp(`file ends after ${bytes.length} bytes, inside the image header`);
  return features;
}

function readImageChunk(bytes: Uint8Array, at: number, riffBytes: number): BitstreamFeatures | undefined {
  const chunkBytes = readU32(bytes, at + 4);
  if (chunkBytes > riffBytes - 12) throw corruptWebp(`image chunk of ${chunkBytes} bytes in ${riffBytes} of RIFF`);
  return readBitstreamFeatures(bytes, at, bytes.length);
}

/** The VP8X chunk, and the chunks up to the first bitstream of a still picture. */
function checkExtendedHeaders(bytes: Uint8Array, riffBytes: number): BitstreamFeatures | undefined {
  const chunkBytes = readU32(bytes, 16);
  if (chunkBytes !== 10) throw corruptWebp(`VP8X chunk of ${chunkBytes} bytes; 10 needed`);
  if (bytes.length < 30) throw truncatedWebp(`file ends after ${bytes.length} bytes, inside the VP8X chunk`);
  const flags = bytes[20]!;
  const width = 1 + readU24(bytes, 24);
  const height = 1 + readU24(bytes, 27);
  if (width * height >= MAX_IMAGE_AREA_PX) throw corruptWebp(`canvas is ${width}x${height}`, { width, height });
  let hasAlpha = (flags & FLAG_ALPHA) !== 0;
  if ((flags & FLAG_ANIMATION) !== 0) return { width, height, hasAlpha };

  let at = 30;
  // libwebp starts this sum at 22: form type, VP8X header and payload.
  let total = 22;
  for (;;) {
    if (bytes.length - at < 8) return { width, height, hasAlpha };
    const name = readU32(bytes, at);
    const payload = readU32(bytes, at + 4);
    if (payload > MAX_CHUNK_PAYLOAD_BYTES) throw corruptWebp(`chunk of ${payload} bytes`);
    const onDisk = 8 + payload + (payload & 1);
    total += onDisk;
    if (total > riffBytes) throw corruptWebp(`chunk of ${payload} bytes at ${at} does not fit the RIFF size`);
    if (name === FOURCC_VP8 || name === FOURCC_VP8L) break;
    if (bytes.length - at < onDisk) return { width, height, hasAlpha };
    if (name === FOURCC_ALPH) hasAlpha = true;
    at += onDisk;
  }
  const features = readImageChunk(bytes, at, riffBytes);
  if (features === undefined) return { width, height, hasAlpha };
  if (features.width !== width || features.height !== height) {
    throw corruptWebp(`image of ${features.width}x${features.height} on a canvas of ${width}x${height}`);
  }
  const lossless = readU32(bytes, at) === FOURCC_VP8L;
  return { width, height, hasAlpha: lossless ? features.hasAlpha : hasAlpha };
}
