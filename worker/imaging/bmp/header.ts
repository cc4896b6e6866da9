/**
 * BMP headers: OS/2 1 and 2, Windows 3 to 5, with the file header or, as clipboards have it (DIB), without.
 *
 * Accepts what Pillow's `BmpImagePlugin` accepts and reads it the same way, odd corners included: a palette of black and
 * white (or of grays in order) replaces the declared depth by 1 (or 8) bits.
 */
import { ImageError } from '../../errors.ts';

/** How pixels are stored. */
export type BmpEncoding = 'indexed' | 'rle4' | 'rle8' | 'rgb555' | 'rgb565' | 'bytes';

/** What is needed to decode. */
export interface BmpFile {
  readonly width: number;
  readonly height: number;
  /** True where the first stored row is the top one. */
  readonly topDown: boolean;
  readonly encoding: BmpEncoding;
  /** Bits a stored pixel takes, and bytes from one row to the next. */
  readonly pixelBits: number;
  readonly strideBytes: number;
  /** Bytes of a pixel that hold red, green and blue, for `bytes`. */
  readonly channelAt: readonly [red: number, green: number, blue: number];
  readonly hasAlpha: boolean;
  /** What indices mean; undefined where pixels are no indices. */
  readonly palette: Palette | undefined;
  /** Index of the first pixel's byte. */
  readonly dataStart: number;
}

const FILE_HEADER_BYTES = 14;
/** BITMAPCOREHEADER, whose palette entries have 3 bytes. */
const CORE_HEADER_BYTES = 12;
const HEADER_BYTES = [40, 52, 56, 64, 108, 124];

/** First bytes of a bitmap without file header: the size of one of the headers above. */
export const DIB_MAGICS: readonly string[] = [CORE_HEADER_BYTES, ...HEADER_BYTES].map(
  (size) => `${String.fromCharCode(size)}\0\0\0`,
);

const RAW = 0;
const RLE8 = 1;
const RLE4 = 2;
const BITFIELDS = 3;

/** What indices mean: shades of gray, black and white, or colours stored as blue, green, red and perhaps a byte more. */
export interface Palette {
  readonly kind: 'gray' | 'black-white' | 'stored';
  /** Index of the first entry, and entries that are there. */
  readonly start: number;
  readonly entries: number;
  readonly entryBytes: number;
}

/** Bytes of the table that `paletteColors` makes. */
export const COLORS_BYTES = 768;

type Channels = readonly [red: number, green: number, blue: number];

/** Masks of 32-bit pixels that are read, as red, green, blue, alpha; where their bytes lie. */
const MASKS_32: ReadonlyArray<readonly [masks: readonly number[], channels: Channels]> = [
  [
    [0xff0000, 0xff00, 0xff, 0],
    [2, 1, 0],
  ],
  [
    [0xff000000, 0xff0000, 0xff00, 0],
    [3, 2, 1],
  ],
  [
    [0xff000000, 0xff00, 0xff, 0],
    [3, 1, 0],
  ],
  [
    [0xff000000, 0xff0000, 0xff00, 0xff],
    [3, 2, 1],
  ],
  [
    [0xff, 0xff00, 0xff0000, 0xff000000],
    [0, 1, 2],
  ],
  [
    [0xff0000, 0xff00, 0xff, 0xff000000],
    [2, 1, 0],
  ],
  [
    [0xff000000, 0xff00, 0xff, 0xff0000],
    [3, 1, 0],
  ],
  [
    [0, 0, 0, 0],
    [2, 1, 0],
  ],
];

const BGR: Channels = [2, 1, 0];

/** Fields of the headers, their sizes evened out. */
interface Fields {
  readonly headerBytes: number;
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly bits: number;
  readonly compression: number;
  /** Palette entries. */
  readonly colors: number;
  readonly entryBytes: number;
  /** Index behind the headers and masks. */
  readonly end: number;
  /** Red, green, blue and alpha masks; empty without bitfields. */
  readonly masks: readonly number[];
}

/**
 * Reads the headers.
 *
 * @throws ImageError `truncated_image`, `corrupt_image`, `unsupported_image_feature`
 */
export function readBmp(bytes: Uint8Array): BmpFile {
  const base = bytes[0] === 0x42 && bytes[1] === 0x4d ? FILE_HEADER_BYTES : 0;
  if (bytes.length < base + 4) throw endsEarly(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const fields = readFields(view, base);
  const { width, height, bits, compression } = fields;
  if (width === 0 || height === 0) throw new ImageError('corrupt_image', `BMP is ${width}x${height} px`);

  const pixels = pixelFormat(fields);
  // Without a file header pixels follow the palette; 0 says the same.
  let dataStart = base === 0 ? 0 : view.getUint32(10, true);
  if (dataStart === FILE_HEADER_BYTES + fields.headerBytes && bits <= 8) {
    dataStart += fields.entryBytes * fields.colors;
  }
  const common = {
    width,
    height,
    topDown: fields.topDown,
    strideBytes: Math.floor((width * bits + 31) / 32) * 4,
    channelAt: pixels.channelAt,
    hasAlpha: pixels.hasAlpha,
  };
  if (bits > 8) {
    if (dataStart === 0) dataStart = fields.end;
    return { ...common, encoding: pixels.encoding, pixelBits: bits, palette: undefined, dataStart };
  }
  const palette = readPalette(bytes, fields);
  const isRle = compression === RLE8 || compression === RLE4;
  if (isRle && palette.kind === 'black-white') throw unsupported('run lengths with a palette of black and white');
  return {
    ...common,
    encoding: compression === RLE8 ? 'rle8' : compression === RLE4 ? 'rle4' : 'indexed',
    pixelBits: isRle || palette.kind === 'gray' ? 8 : palette.kind === 'black-white' ? 1 : bits,
    palette,
    dataStart: dataStart === 0 ? Math.min(bytes.length, fields.end + fields.colors * fields.entryBytes) : dataStart,
  };
}

/** @param base where the headers behind the file header start */
function readFields(view: DataView, base: number): Fields {
  const headerBytes = view.getUint32(base, true);
  if (headerBytes !== CORE_HEADER_BYTES && !HEADER_BYTES.includes(headerBytes)) {
    throw unsupported(`a header of ${headerBytes} bytes`);
  }
  const end = base + headerBytes;
  if (end > view.byteLength) throw endsEarly(view);
  if (headerBytes === CORE_HEADER_BYTES) {
    const bits = view.getUint16(base + 10, true);
    return {
      headerBytes,
      width: view.getUint16(base + 4, true),
      height: view.getUint16(base + 6, true),
      topDown: false,
      bits,
      compression: RAW,
      colors: 2 ** bits,
      entryBytes: 3,
      end,
      masks: [],
    };
  }
  const bits = view.getUint16(base + 14, true);
  const compression = view.getUint32(base + 16, true);
  const topDown = view.getUint8(base + 11) === 0xff;
  const height = view.getUint32(base + 8, true);
  const masks = compression === BITFIELDS ? readMasks(view, base, headerBytes) : [];
  return {
    headerBytes,
    width: view.getUint32(base + 4, true),
    height: topDown ? 2 ** 32 - height : height,
    topDown,
    bits,
    compression,
    colors: view.getUint32(base + 32, true) || 2 ** bits,
    entryBytes: 4,
    end: compression === BITFIELDS && headerBytes < 52 ? end + 12 : end,
    masks,
  };
}

/** Masks lie behind a 40-byte header and at the same place within a longer one; alpha's only in those. */
function readMasks(view: DataView, base: number, headerBytes: number): number[] {
  const count = headerBytes >= 56 ? 4 : 3;
  const at = base + 40;
  if (at + count * 4 > view.byteLength) throw endsEarly(view);
  return [0, 1, 2, 3].map((i) => (i < count ? view.getUint32(at + i * 4, true) : 0));
}

/** How pixels of more than 8 bits lie; checks depth and compression of all. */
function pixelFormat(fields: Fields): { encoding: BmpEncoding; channelAt: Channels; hasAlpha: boolean } {
  const { bits, compression, masks } = fields;
  if (![1, 4, 8, 16, 24, 32].includes(bits)) throw unsupported(`${bits} bits a pixel`);
  if (compression === BITFIELDS) return maskedFormat(bits, masks);
  if (compression === RLE8 || compression === RLE4) {
    if (bits > 8) throw unsupported(`run lengths with ${bits} bits a pixel`);
  } else if (compression !== RAW) {
    throw unsupported(`compression ${compression}`);
  }
  return { encoding: bits === 16 ? 'rgb555' : 'bytes', channelAt: BGR, hasAlpha: false };
}

function maskedFormat(
  bits: number,
  masks: readonly number[],
): { encoding: BmpEncoding; channelAt: Channels; hasAlpha: boolean } {
  const rgb = masks.slice(0, 3).join();
  if (bits === 16 && rgb === [0xf800, 0x7e0, 0x1f].join())
    return { encoding: 'rgb565', channelAt: BGR, hasAlpha: false };
  if (bits === 16 && rgb === [0x7c00, 0x3e0, 0x1f].join())
    return { encoding: 'rgb555', channelAt: BGR, hasAlpha: false };
  if (bits === 24 && rgb === [0xff0000, 0xff00, 0xff].join())
    return { encoding: 'bytes', channelAt: BGR, hasAlpha: false };
  const known = bits === 32 ? MASKS_32.find(([known32]) => known32.join() === masks.join()) : undefined;
  if (known !== undefined) return { encoding: 'bytes', channelAt: known[1], hasAlpha: masks[3] !== 0 };
  const names = masks.map((mask) => `0x${mask.toString(16)}`).join(', ');
  throw unsupported(`${bits}-bit pixels with masks ${names}`);
}

function readPalette(bytes: Uint8Array, fields: Fields): Palette {
  const { colors, entryBytes, end: start } = fields;
  if (colors > 65_536) throw unsupported(`a palette of ${colors} colours`);
  const entries = Math.min(colors, Math.floor(Math.max(0, bytes.length - start) / entryBytes));
  if (isGray(bytes, fields)) return { kind: colors === 2 ? 'black-white' : 'gray', start, entries, entryBytes };
  if (entries > 256) throw unsupported(`a palette of ${entries} colours`);
  return { kind: 'stored', start, entries, entryBytes };
}

/**
 * Builds the table of a palette's colours.
 *
 * @returns 256 entries of red, green, blue; black where the palette has none
 */
export function paletteColors(bytes: Uint8Array, palette: Palette): Uint8Array {
  const { kind, start, entries, entryBytes } = palette;
  const colors = new Uint8Array(COLORS_BYTES);
  if (kind === 'black-white') colors.fill(255, 3);
  if (kind === 'gray') for (let value = 0; value < 256; value++) colors.fill(value, value * 3, value * 3 + 3);
  if (kind === 'stored') {
    for (let i = 0; i < entries; i++) {
      const at = start + i * entryBytes;
      colors[i * 3] = bytes[at + 2]!;
      colors[i * 3 + 1] = bytes[at + 1]!;
      colors[i * 3 + 2] = bytes[at]!;
    }
  }
  return colors;
}

/** True where two colours are black and white, or where colour `i` is gray `i` for all of them. */
function isGray(bytes: Uint8Array, fields: Fields): boolean {
  const { colors, entryBytes, end } = fields;
  for (let i = 0; i < colors; i++) {
    const value = colors === 2 ? i * 255 : i & 255;
    const at = end + i * entryBytes;
    if (bytes[at] !== value || bytes[at + 1] !== value || bytes[at + 2] !== value) return false;
  }
  return true;
}

function unsupported(feature: string): ImageError {
  return new ImageError('unsupported_image_feature', `BMP with ${feature} is not supported`);
}

function endsEarly(bytes: { readonly byteLength: number }): ImageError {
  return new ImageError('truncated_image', `BMP ends after ${bytes.byteLength} bytes, in its headers`, {
    details: { presentBytes: bytes.byteLength },
  });
}
