/**
 * What the headers say, up to the first scan, without decoding.
 *
 * Walks the segments the way Pillow's `JpegImageFile._open` does, so that what Pillow refuses to open is refused here.
 */
import { resolveOrientation } from '../exif.ts';
import type { ImageInfo } from '../image.ts';
import { corrupt, requireSupportedFrame, truncated, unsupported } from './failures.ts';
import { MARKER } from './markers.ts';

const EXIF_PREFIX = [0x45, 0x78, 0x69, 0x66, 0, 0];
const XMP_PREFIX = Array.from('http://ns.adobe.com/xap/1.0/\0', (c) => c.charCodeAt(0));
const JFIF_PREFIX = [0x4a, 0x46, 0x49, 0x46];
const ADOBE_PREFIX = [0x41, 0x64, 0x6f, 0x62, 0x65];

/** Bytes that a JFIF or Adobe segment must have for its version to be readable. */
const VERSIONED_SEGMENT_BYTES = 7;

interface Headers {
  frame: Uint8Array | undefined;
  frameMarker: number;
  /** EXIF blocks, without their prefix, in file order: a long block is split over several segments. */
  readonly exif: Uint8Array[];
  xmp: Uint8Array | undefined;
}

/**
 * Reads size, orientation and kind of a JPEG file from its headers.
 *
 * @throws ImageError `corrupt_image`, `truncated_image` (the headers are not all there) or `unsupported_image_feature`
 */
export function readJpegInfo(bytes: Uint8Array): ImageInfo {
  const headers = readHeaders(bytes);
  const { frame, frameMarker } = headers;
  if (frame === undefined) throw corrupt('has a scan before any frame header (SOF)');
  const storedHeight = frame[1]! * 256 + frame[2]!;
  const storedWidth = frame[3]! * 256 + frame[4]!;
  if (storedWidth === 0 || storedHeight === 0) {
    throw corrupt(`image is empty: ${storedWidth}x${storedHeight}`, { width: storedWidth, height: storedHeight });
  }
  const exif = headers.exif.length === 0 ? undefined : concatenate(headers.exif);
  const orientation = resolveOrientation(exif, headers.xmp);
  const swapped = orientation >= 5;
  return {
    format: 'jpeg',
    width: swapped ? storedHeight : storedWidth,
    height: swapped ? storedWidth : storedHeight,
    storedWidth,
    storedHeight,
    orientation,
    components: frame[5]!,
    bitsPerSample: 8,
    frames: 1,
    interlaced: frameMarker === MARKER.SOF2 || frameMarker === MARKER.SOF10,
  };
}

function readHeaders(bytes: Uint8Array): Headers {
  if (bytes[0] !== 0xff || bytes[1] !== MARKER.SOI || bytes[2] !== 0xff) {
    throw corrupt('does not start with the bytes ff d8 ff');
  }
  const headers: Headers = { frame: undefined, frameMarker: 0, exif: [], xmp: undefined };
  let at = 2;
  for (;;) {
    // Junk between segments is skipped; a marker may be preceded by any number of 0xFF.
    while (at < bytes.length && bytes[at] !== 0xff) at++;
    while (at < bytes.length && bytes[at] === 0xff) at++;
    if (at >= bytes.length) {
      throw truncated(`ends within its headers, after ${bytes.length} bytes`, { bytes: bytes.length });
    }
    const marker = bytes[at++]!;
    if (marker === 0) continue;
    if (marker < MARKER.SOF0 || marker === 0xff) throw corrupt(`has an unknown marker ff ${marker.toString(16)}`);
    if (!hasLength(marker)) continue;
    const length = at + 2 <= bytes.length ? bytes[at]! * 256 + bytes[at + 1]! : bytes.length;
    const end = at + Math.max(2, length);
    if (end > bytes.length) {
      throw truncated(`ends within its headers: a segment of ${length} bytes at ${at} in a file of ${bytes.length}`, {
        bytes: bytes.length,
      });
    }
    const segment = bytes.subarray(at + 2, end);
    at = end;
    if (marker === MARKER.SOS) return headers;
    readSegment(headers, marker, segment);
  }
}

/** Markers that stand alone: RSTn, SOI, EOI and the reserved JPGn; SOF's neighbour JPG (0xC8) too, as Pillow has it. */
function hasLength(marker: number): boolean {
  if (marker >= MARKER.RST0 && marker <= MARKER.EOI) return false;
  if (marker > MARKER.APP15 && marker < MARKER.COM) return false;
  return marker !== MARKER.JPG;
}

function readSegment(headers: Headers, marker: number, segment: Uint8Array): void {
  if (marker === MARKER.DQT) requireWholeQuantTables(segment);
  else if (marker === MARKER.APP0) requireVersion(segment, JFIF_PREFIX, 'JFIF');
  else if (marker === MARKER.APP14) requireVersion(segment, ADOBE_PREFIX, 'Adobe');
  else if (marker === MARKER.APP1) {
    if (startsWith(segment, EXIF_PREFIX)) headers.exif.push(segment.subarray(EXIF_PREFIX.length));
    else if (startsWith(segment, XMP_PREFIX)) headers.xmp = segment.subarray(XMP_PREFIX.length);
  } else if (isFrameMarker(marker)) {
    requireWholeFrame(marker, segment);
    headers.frame = segment;
    headers.frameMarker = marker;
  }
}

function isFrameMarker(marker: number): boolean {
  // DHT, JPG and DAC lie among the frame markers; DHP (0xDE) has a frame header too.
  if (marker === 0xde) return true;
  return marker <= MARKER.SOF15 && marker !== MARKER.DHT && marker !== MARKER.JPG && marker !== MARKER.DAC;
}

function requireWholeFrame(marker: number, segment: Uint8Array): void {
  if (segment.length < 6 || segment.length % 3 !== 0) {
    throw corrupt(`frame header has ${segment.length} bytes, not 6 and 3 for each component`);
  }
  requireSupportedFrame(marker, segment[0]!);
  const components = segment[5]!;
  if (components !== 1 && components !== 3 && components !== 4) {
    throw unsupported(`${components} components`, { components });
  }
}

function requireWholeQuantTables(segment: Uint8Array): void {
  let at = 0;
  while (at < segment.length) {
    at += 1 + (segment[at]! >> 4 === 0 ? 64 : 128);
    if (at > segment.length) throw corrupt('quantization table is cut short', { missingBytes: at - segment.length });
  }
}

function requireVersion(segment: Uint8Array, prefix: readonly number[], name: string): void {
  if (startsWith(segment, prefix) && segment.length < VERSIONED_SEGMENT_BYTES) {
    throw corrupt(`${name} segment has ${segment.length} bytes; at least ${VERSIONED_SEGMENT_BYTES} are needed`);
  }
}

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return prefix.every((value, i) => bytes[i] === value);
}

function concatenate(blocks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(blocks.reduce((sum, block) => sum + block.length, 0));
  let at = 0;
  for (const block of blocks) {
    whole.set(block, at);
    at += block.length;
  }
  return whole;
}
