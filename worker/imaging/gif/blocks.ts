/**
 * The blocks of a GIF file up to its first image (GIF89a specification, sections 17 to 26).
 *
 * Read as leniently as Pillow's `GifImagePlugin` reads: unknown bytes between blocks are passed over, a colour table
 * may be cut short by a multiple of three bytes, and the canvas grows to hold a first image that leaves it.
 */
import { ImageError } from '../../errors.ts';

/** What is needed to decode the first image. */
export interface GifFile {
  /** Canvas width and height in px. */
  readonly width: number;
  readonly height: number;
  /** The first image's place on the canvas. */
  readonly frame: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
  readonly interlaced: boolean;
  /**
   * Colours as stored, 3 bytes an entry: the image's own table, or that of the file. A table whose entry `i` is gray
   * `i`, as far as it goes, counts as none; undefined where none is left, and indices are gray values.
   */
  readonly palette: Uint8Array | undefined;
  /** Bits of an index, by the size of the colour table; 8 without one. */
  readonly indexBits: number;
  /** Index that fills the canvas around the first image: its transparent one, otherwise 0. */
  readonly background: number;
  /** LZW minimum code size. */
  readonly codeBits: number;
  /** Index of the first data sub-block's length. */
  readonly dataStart: number;
}

const HEADER_BYTES = 13;
const DESCRIPTOR_BYTES = 9;

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const TRAILER = 0x3b;
const GRAPHIC_CONTROL = 0xf9;
const COMMENT = 0xfe;
const APPLICATION = 0xff;

const HAS_TABLE = 0x80;
const INTERLACED = 0x40;
const HAS_TRANSPARENCY = 0x01;

/** A position in the file that steps through sub-blocks. */
class Cursor {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** The next byte; -1 at the end of the file. */
  byte(): number {
    return this.bytes[this.at++] ?? -1;
  }

  /** The next sub-block, shorter than it says where the file ends in it; undefined for the empty one and at the end. */
  subBlock(): Uint8Array | undefined {
    const length = this.byte();
    if (length <= 0) return undefined;
    const block = this.bytes.subarray(this.at, this.at + length);
    this.at += block.length;
    return block;
  }

  skipSubBlocks(): void {
    for (let block = this.subBlock(); block !== undefined && block.length > 0; ) block = this.subBlock();
  }

  colorTable(flags: number): Uint8Array {
    const table = this.bytes.subarray(this.at, this.at + (6 << (flags & 7)));
    this.at += table.length;
    if (table.length % 3 !== 0) throw endsEarly(this.bytes, 'in a colour table');
    return table;
  }
}

/**
 * Reads up to the first image's data.
 *
 * @throws ImageError `truncated_image`, `corrupt_image`
 */
export function readGif(bytes: Uint8Array): GifFile {
  if (bytes.length < HEADER_BYTES) throw endsEarly(bytes, 'in its header');
  const screen = { width: uint16(bytes, 6), height: uint16(bytes, 8) };
  const flags = bytes[10]!;
  const cursor = new Cursor(bytes, HEADER_BYTES);
  const globalTable = (flags & HAS_TABLE) !== 0 ? cursor.colorTable(flags) : undefined;
  const transparentIndex = readToImage(cursor);

  const at = cursor.at;
  if (at + DESCRIPTOR_BYTES > bytes.length) throw endsEarly(bytes, 'in its image descriptor');
  const frame = {
    x: uint16(bytes, at),
    y: uint16(bytes, at + 2),
    width: uint16(bytes, at + 4),
    height: uint16(bytes, at + 6),
  };
  const imageFlags = bytes[at + 8]!;
  cursor.at += DESCRIPTOR_BYTES;
  const localTable = (imageFlags & HAS_TABLE) !== 0 ? cursor.colorTable(imageFlags) : undefined;
  const codeBits = cursor.byte();
  if (codeBits < 0) throw endsEarly(bytes, 'before its image data');

  const width = Math.max(screen.width, frame.x + frame.width);
  const height = Math.max(screen.height, frame.y + frame.height);
  if (frame.width === 0 || frame.height === 0) {
    throw new ImageError('corrupt_image', `GIF image is ${frame.width}x${frame.height} px`);
  }
  return {
    width,
    height,
    frame,
    interlaced: (imageFlags & INTERLACED) !== 0,
    palette: [localTable, globalTable].find((table) => table !== undefined && !isGrayRamp(table)),
    indexBits: indexBits(localTable ?? globalTable),
    background: transparentIndex ?? 0,
    codeBits,
    dataStart: cursor.at,
  };
}

/**
 * Counts the images in the file, as far as its blocks can be followed.
 *
 * @param dataStart of the first image, from `readGif`
 */
export function countFrames(bytes: Uint8Array, dataStart: number): number {
  const cursor = new Cursor(bytes, dataStart);
  let frames = 1;
  for (;;) {
    cursor.skipSubBlocks();
    try {
      readToImage(cursor);
    } catch (error) {
      if (error instanceof ImageError) return frames;
      throw error;
    }
    const flags = bytes[cursor.at + 8];
    if (flags === undefined) return frames;
    frames++;
    cursor.at += DESCRIPTOR_BYTES + ((flags & HAS_TABLE) !== 0 ? 6 << (flags & 7) : 0) + 1;
  }
}

/** Goes behind the next image separator; returns the transparent index in force there, if there is one. */
function readToImage(cursor: Cursor): number | undefined {
  let transparentIndex: number | undefined;
  for (;;) {
    const introducer = cursor.byte();
    if (introducer === IMAGE) return transparentIndex;
    if (introducer === TRAILER) throw new ImageError('corrupt_image', 'GIF has no image');
    if (introducer < 0) throw endsEarly(cursor.bytes, 'before its image');
    if (introducer !== EXTENSION) continue;
    const label = cursor.byte();
    if (label < 0) throw endsEarly(cursor.bytes, 'in an extension');
    const block = cursor.subBlock();
    if (label === GRAPHIC_CONTROL && block !== undefined) {
      transparentIndex = readTransparentIndex(cursor.bytes, block) ?? transparentIndex;
    }
    if (label === COMMENT) {
      if (block !== undefined && block.length > 0) cursor.skipSubBlocks();
      continue;
    }
    if (label === APPLICATION && block !== undefined && startsWithNetscape(block)) cursor.subBlock();
    // An extension without data is followed by what Pillow takes for its sub-blocks all the same.
    cursor.skipSubBlocks();
  }
}

function indexBits(table: Uint8Array | undefined): number {
  return table === undefined ? 8 : Math.max(1, Math.ceil(Math.log2(table.length / 3)));
}

function isGrayRamp(table: Uint8Array): boolean {
  return table.every((value, i) => value === Math.floor(i / 3));
}

function readTransparentIndex(bytes: Uint8Array, block: Uint8Array): number | undefined {
  const flags = block[0];
  const hasTransparency = flags !== undefined && (flags & HAS_TRANSPARENCY) !== 0;
  if (block.length < (hasTransparency ? 4 : 3)) throw endsEarly(bytes, 'in a graphic control extension');
  return hasTransparency ? block[3] : undefined;
}

function startsWithNetscape(block: Uint8Array): boolean {
  return String.fromCharCode(...block.subarray(0, 11)) === 'NETSCAPE2.0';
}

function uint16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function endsEarly(bytes: Uint8Array, where: string): ImageError {
  return new ImageError('truncated_image', `GIF ends after ${bytes.length} bytes, ${where}`, {
    details: { presentBytes: bytes.length },
  });
}
