/**
 * The chunks of a PNG file: where they lie, and what the ones that matter say.
 *
 * Which damage is refused follows Pillow's `PngImagePlugin`: every chunk before the image data must be whole and carry
 * the right CRC, ancillary ones included, and those whose layout Pillow reads must have it. CRCs of the image data and
 * of what follows it are not looked at; the zlib checksum guards the data. `IEND` may be missing.
 */
import { ImageError } from '../../errors.ts';
import type { Chunk } from './chunk.ts';
import { crc32 } from './crc32.ts';
import { type Metadata, noteMetadata } from './metadata.ts';

/** Part of the canvas that the image data covers; the whole canvas unless an APNG frame says otherwise. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What the chunks say, gathered while they are read in file order. */
export interface PngHeader extends Metadata {
  /** Canvas width and height in px; 0 until IHDR has been read. */
  width: number;
  height: number;
  bitDepth: number;
  /** -1 until an IHDR has named one that exists. */
  colorType: number;
  /** What is wrong with an IHDR that names none; a second one may follow. */
  unknownLayout: string | undefined;
  interlaced: boolean;
  /** PLTE as stored, 3 bytes an entry; undefined where a palette image has none. */
  palette: Uint8Array | undefined;
  region: Region | undefined;
  /** Frames that acTL promises; undefined in a still image. */
  animationFrames: number | undefined;
  /** Sequence number of the last fcTL or fdAT; undefined before the first. */
  sequence: number | undefined;
}

/** The file up to its first chunk of image data. */
export interface PngFile {
  readonly header: PngHeader;
  readonly data: Chunk;
}

const SIGNATURE_BYTES = 8;
const CRC_BYTES = 4;

const NO_DATA = 'PNG has no image data';

/** Bit depths that each colour type allows (PNG specification, table 11.1). */
const BIT_DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

/**
 * Reads the chunk whose length field starts at `at`.
 *
 * @returns undefined where fewer than 8 bytes are left or the type is not made of letters, digits and underscores
 */
export function chunkAt(bytes: Uint8Array, at: number): Chunk | undefined {
  if (at + 8 > bytes.length) return undefined;
  const type = String.fromCharCode(bytes[at + 4]!, bytes[at + 5]!, bytes[at + 6]!, bytes[at + 7]!);
  return /^\w{4}$/.test(type) ? { type, start: at + 8, length: uint32(bytes, at) } : undefined;
}

/** Index of the chunk behind `chunk`, its CRC included. */
export function afterChunk(chunk: Chunk): number {
  return chunk.start + chunk.length + CRC_BYTES;
}

/** True where the chunk's data goes on past the end of the file. */
export function isCut(bytes: Uint8Array, chunk: Chunk): boolean {
  return chunk.start + chunk.length > bytes.length;
}

/**
 * Reads the chunks up to the first one with image data.
 *
 * @throws ImageError `truncated_image`, `corrupt_image`, `unsupported_image_feature`
 */
export function readHeader(bytes: Uint8Array): PngFile {
  const header: PngHeader = {
    width: 0,
    height: 0,
    bitDepth: 0,
    colorType: -1,
    unknownLayout: undefined,
    interlaced: false,
    palette: undefined,
    region: undefined,
    animationFrames: undefined,
    sequence: undefined,
    exif: undefined,
    rawProfile: undefined,
    xmp: undefined,
  };
  let at = SIGNATURE_BYTES;
  for (;;) {
    if (at + 8 > bytes.length) {
      if (header.colorType < 0 && header.unknownLayout !== undefined) throw corrupt(header.unknownLayout);
      throw new ImageError('truncated_image', `PNG ends after ${bytes.length} bytes, before its image data`);
    }
    const chunk = chunkAt(bytes, at);
    if (chunk === undefined) throw corrupt(`PNG has no chunk at byte ${at}`);
    const { type } = chunk;
    if (type === 'IEND') throw corrupt(header.colorType < 0 ? (header.unknownLayout ?? NO_DATA) : NO_DATA);
    // Image data ahead of IHDR is passed over like any unknown chunk.
    if (type === 'fdAT' || (type === 'IDAT' && header.colorType >= 0)) {
      checkReady(header);
      return { header, data: type === 'IDAT' ? chunk : frameData(bytes, chunk, header) };
    }
    readChunk(bytes, chunk, header);
    checkCrc(bytes, chunk);
    at = afterChunk(chunk);
  }
}

/**
 * Reads one chunk that is not image data.
 *
 * @throws ImageError `truncated_image` where its data is cut off, `corrupt_image` where its layout is wrong
 */
export function readChunk(bytes: Uint8Array, chunk: Chunk, header: PngHeader): void {
  if (isCut(bytes, chunk)) throw cutOff(bytes, chunk);
  const data = bytes.subarray(chunk.start, chunk.start + chunk.length);
  const { length, type } = chunk;
  switch (type) {
    case 'IHDR':
      readIhdr(data, header);
      break;
    case 'PLTE':
      if (header.colorType === 3) header.palette = data;
      break;
    case 'tRNS':
      requireBytes(chunk, header.colorType === 2 ? 6 : header.colorType === 0 ? 2 : 0);
      break;
    case 'iCCP':
      if (data[data.indexOf(0) + 1] !== 0) throw corrupt('PNG iCCP chunk names no known compression method');
      break;
    case 'gAMA':
      requireBytes(chunk, 4);
      break;
    case 'cHRM':
      if (length % 4 !== 0) throw corrupt(`PNG cHRM chunk has ${length} bytes, not a multiple of 4`);
      break;
    case 'sRGB':
      requireBytes(chunk, 1);
      break;
    case 'pHYs':
      requireBytes(chunk, 9);
      break;
    case 'eXIf':
    case 'tEXt':
    case 'zTXt':
    case 'iTXt':
      noteMetadata(bytes, chunk, header);
      break;
    case 'acTL':
      requireBytes(chunk, 8);
      readAnimation(data, header);
      break;
    case 'fcTL':
      requireBytes(chunk, 26);
      readFrame(data, header);
      break;
  }
}

/**
 * Passes over an fdAT chunk's sequence number.
 *
 * @returns the chunk without it
 * @throws ImageError `corrupt_image` where the number is out of order
 */
export function frameData(bytes: Uint8Array, chunk: Chunk, header: PngHeader): Chunk {
  requireBytes(chunk, 4);
  if (chunk.start + 4 > bytes.length) throw cutOff(bytes, chunk);
  if (header.sequence === undefined) throw corrupt('APNG has frame data ahead of its first frame');
  advanceSequence(uint32(bytes, chunk.start), header);
  return { type: chunk.type, start: chunk.start + 4, length: chunk.length - 4 };
}

/** `truncated_image` for a chunk whose data is cut off. */
export function cutOff(bytes: Uint8Array, chunk: Chunk): ImageError {
  const present = Math.max(0, bytes.length - chunk.start);
  return new ImageError(
    'truncated_image',
    `PNG ends after ${present} of the ${chunk.length} bytes of its ${chunk.type} chunk`,
    { details: { presentBytes: present, expectedBytes: chunk.length } },
  );
}

function readIhdr(data: Uint8Array, header: PngHeader): void {
  if (data.length < 13) throw corrupt(`PNG IHDR chunk has ${data.length} bytes; 13 are needed`);
  header.width = uint32(data, 0);
  header.height = uint32(data, 4);
  const [bitDepth, colorType] = [data[8]!, data[9]!];
  if (BIT_DEPTHS[colorType]?.includes(bitDepth) === true) {
    header.bitDepth = bitDepth;
    header.colorType = colorType;
  } else {
    header.unknownLayout = `PNG colour type ${colorType} with bit depth ${bitDepth} does not exist`;
  }
  if (data[12] !== 0) header.interlaced = true;
  if (data[11] !== 0) {
    throw new ImageError('unsupported_image_feature', `PNG filter method ${data[11]} does not exist; only 0 does`);
  }
}

function readAnimation(data: Uint8Array, header: PngHeader): void {
  const frames = uint32(data, 0);
  if (header.animationFrames !== undefined) header.animationFrames = undefined;
  else if (frames !== 0 && frames <= 0x80000000) header.animationFrames = frames;
}

/** fcTL (APNG specification): the frame's place on the canvas. */
function readFrame(data: Uint8Array, header: PngHeader): void {
  advanceSequence(uint32(data, 0), header);
  const region = { x: uint32(data, 12), y: uint32(data, 16), width: uint32(data, 4), height: uint32(data, 8) };
  if (region.x + region.width > header.width || region.y + region.height > header.height) {
    throw corrupt(
      `APNG frame of ${region.width}x${region.height} at ${region.x},${region.y} leaves the ${header.width}x${header.height} canvas`,
    );
  }
  header.region = region;
}

function advanceSequence(sequence: number, header: PngHeader): void {
  const expected = header.sequence === undefined ? 0 : header.sequence + 1;
  if (sequence !== expected) throw corrupt(`APNG chunk has sequence number ${sequence}; ${expected} is next`);
  header.sequence = sequence;
}

function checkReady(header: PngHeader): void {
  const { width, height, region, palette } = header;
  if (palette !== undefined && palette.length >= 3 * 257) {
    throw corrupt(`PNG palette has ${Math.floor(palette.length / 3)} colours; at most 256 exist`);
  }
  if (width === 0 || height === 0) throw corrupt(`PNG is ${width}x${height} px`);
  if (region !== undefined && (region.width === 0 || region.height === 0)) {
    throw corrupt(`APNG frame is ${region.width}x${region.height} px`);
  }
}

function checkCrc(bytes: Uint8Array, chunk: Chunk): void {
  const at = chunk.start + chunk.length;
  if (at + CRC_BYTES > bytes.length) throw cutOff(bytes, chunk);
  const stored = uint32(bytes, at);
  const computed = crc32(bytes, chunk.start - 4, at);
  if (stored === computed) return;
  throw corrupt(`PNG ${chunk.type} chunk has CRC ${hex(stored)}; its data gives ${hex(computed)}`);
}

function requireBytes(chunk: Chunk, count: number): void {
  if (chunk.length < count) {
    throw corrupt(`PNG ${chunk.type} chunk has ${chunk.length} bytes; ${count} are needed`);
  }
}

function corrupt(message: string): ImageError {
  return new ImageError('corrupt_image', message);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function uint32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
