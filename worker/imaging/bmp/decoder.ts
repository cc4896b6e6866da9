/**
 * BMP decoding: 1, 4, 8, 16, 24 and 32 bits, RLE4 and RLE8, bit fields, either row order. Exact with Pillow 12.3.
 *
 * Rows are read where they lie, so an uncompressed image needs memory for a few rows; run lengths are collected, one
 * byte a pixel. Alpha is dropped.
 * Source: Microsoft's BITMAPINFOHEADER family, Pillow's BmpImagePlugin.py, RawDecode.c and Unpack.c.
 */
import { ImageError } from '../../errors.ts';
import type { DecodeOptions, ImageInfo, RowSink } from '../image.ts';
import { type BmpFile, COLORS_BYTES, paletteColors, readBmp } from './header.ts';
import { decodeRuns } from './rle.ts';

/** Rows are passed on in bands of about this size. */
const BAND_BYTES = 65_536;

/**
 * Reads size and layout.
 *
 * @throws ImageError `truncated_image`, `corrupt_image`, `unsupported_image_feature`
 */
export function readBmpInfo(bytes: Uint8Array): ImageInfo {
  const file = readBmp(bytes);
  const { width, height } = file;
  const isIndexed = file.palette !== undefined;
  return {
    format: 'bmp',
    width,
    height,
    storedWidth: width,
    storedHeight: height,
    orientation: 1,
    components: isIndexed ? 1 : file.hasAlpha ? 4 : 3,
    bitsPerSample: isIndexed ? file.pixelBits : file.encoding === 'bytes' ? 8 : 5,
    frames: 1,
    interlaced: false,
  };
}

/**
 * Bytes that `decodeBmp` will allocate at most, from the headers alone.
 *
 * @throws ImageError as `readBmpInfo`
 */
export function estimateBmpBytes(bytes: Uint8Array, _options: DecodeOptions = {}): number {
  const file = readBmp(bytes);
  const band = bandRows(file) * file.width * 3;
  return COLORS_BYTES + band + (isRunLength(file) ? file.width * file.height : 0);
}

/**
 * Decodes to RGB8 rows, top to bottom.
 *
 * @param options with `allowTruncated`, pixels that did not arrive are index 0, or black, as Pillow fills them
 * @throws ImageError `truncated_image`, `corrupt_image`, `unsupported_image_feature`
 */
export function decodeBmp(bytes: Uint8Array, sink: RowSink, options: DecodeOptions = {}): void {
  const file = readBmp(bytes);
  const { width, height } = file;
  const rowBytes = Math.ceil((width * file.pixelBits) / 8);
  let pixels = bytes;
  let { dataStart, strideBytes } = file;
  let storedRows: number;
  sink.start(width, height);
  if (isRunLength(file)) {
    pixels = new Uint8Array(width * height);
    const filled = decodeRuns(bytes, dataStart, file.encoding === 'rle4', width, pixels);
    storedRows = Math.floor(filled / width);
    dataStart = 0;
    strideBytes = width;
  } else {
    if (strideBytes < rowBytes) {
      throw new ImageError('corrupt_image', `BMP rows take ${rowBytes} bytes but lie ${strideBytes} bytes apart`);
    }
    storedRows = Math.floor((bytes.length - dataStart + strideBytes - rowBytes) / strideBytes);
  }
  storedRows = Math.max(0, Math.min(height, storedRows));
  if (storedRows < height && options.allowTruncated !== true) {
    throw new ImageError('truncated_image', `BMP has ${storedRows} of ${height} rows`, {
      details: { rows: storedRows, expectedRows: height },
    });
  }
  const rowsABand = bandRows(file);
  const band = new Uint8Array(rowsABand * width * 3);
  const colors = file.palette === undefined ? undefined : paletteColors(bytes, file.palette);
  for (let y = 0; y < height; y += rowsABand) {
    const count = Math.min(rowsABand, height - y);
    for (let i = 0; i < count; i++) {
      const stored = file.topDown ? y + i : height - 1 - y - i;
      const to = i * width * 3;
      if (stored < storedRows) readRow(file, colors, pixels, dataStart + stored * strideBytes, band, to);
      else fillRow(file, colors, band, to);
    }
    sink.rows(band, 0, y, count);
  }
}

function isRunLength(file: BmpFile): boolean {
  return file.encoding === 'rle4' || file.encoding === 'rle8';
}

function bandRows(file: BmpFile): number {
  return Math.max(1, Math.min(file.height, Math.floor(BAND_BYTES / (file.width * 3))));
}

/** Index 0, or black. */
function fillRow(file: BmpFile, colors: Uint8Array | undefined, band: Uint8Array, to: number): void {
  const end = to + file.width * 3;
  if (colors === undefined) band.fill(0, to, end);
  else for (let o = to; o < end; o += 3) band.set(colors.subarray(0, 3), o);
}

function readRow(
  file: BmpFile,
  colors: Uint8Array | undefined,
  pixels: Uint8Array,
  from: number,
  band: Uint8Array,
  to: number,
): void {
  if (colors !== undefined) readIndices(file, colors, pixels, from, band, to);
  else if (file.encoding === 'rgb555') readWords(pixels, from, band, to, file.width, 10, 31);
  else if (file.encoding === 'rgb565') readWords(pixels, from, band, to, file.width, 11, 63);
  else readBytes(file, pixels, from, band, to);
}

function readBytes(file: BmpFile, pixels: Uint8Array, from: number, band: Uint8Array, to: number): void {
  const [red, green, blue] = file.channelAt;
  const pixelBytes = file.pixelBits >> 3;
  const end = to + file.width * 3;
  for (let o = to, p = from; o < end; o += 3, p += pixelBytes) {
    band[o] = pixels[p + red]!;
    band[o + 1] = pixels[p + green]!;
    band[o + 2] = pixels[p + blue]!;
  }
}

/** 16-bit pixels: 5 bits of blue lowest, then green up to `redShift`, then 5 bits of red; spread over 0..255. */
function readWords(
  pixels: Uint8Array,
  from: number,
  band: Uint8Array,
  to: number,
  width: number,
  redShift: number,
  greenMax: number,
): void {
  const end = to + width * 3;
  for (let o = to, p = from; o < end; o += 3, p += 2) {
    const word = pixels[p]! | (pixels[p + 1]! << 8);
    band[o] = (((word >> redShift) & 31) * 255) / 31;
    band[o + 1] = (((word >> 5) & greenMax) * 255) / greenMax;
    band[o + 2] = ((word & 31) * 255) / 31;
  }
}

function readIndices(
  file: BmpFile,
  colors: Uint8Array,
  pixels: Uint8Array,
  from: number,
  band: Uint8Array,
  to: number,
): void {
  const { pixelBits } = file;
  const mask = (1 << pixelBits) - 1;
  const end = to + file.width * 3;
  let shift = 8 - pixelBits;
  let p = from;
  for (let o = to; o < end; o += 3) {
    const color = ((pixels[p]! >> shift) & mask) * 3;
    band[o] = colors[color]!;
    band[o + 1] = colors[color + 1]!;
    band[o + 2] = colors[color + 2]!;
    shift -= pixelBits;
    if (shift < 0) {
      shift = 8 - pixelBits;
      p++;
    }
  }
}
