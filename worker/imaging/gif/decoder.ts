/**
 * GIF decoding: 87a and 89a, interlaced or not, the first image on its canvas. Exact with Pillow 12.3.
 *
 * Stages: blocks > LZW > colours. A non-interlaced image streams by rows; an interlaced one is collected, one byte a
 * pixel. Transparent pixels get the colour of their index; so does the canvas around a smaller first image.
 * Source: GIF89a specification, Pillow's GifImagePlugin.py and GifDecode.c.
 */
import { ImageError } from '../../errors.ts';
import type { DecodeOptions, ImageInfo, RowSink } from '../image.ts';
import { countFrames, type GifFile, readGif } from './blocks.ts';
import { decodeLzw, type IndexConsumer, LZW_MEMORY_BYTES } from './lzw.ts';

/** Bytes of a colour table of 256. */
const COLORS_BYTES = 768;

/**
 * Reads size and layout, and counts frames.
 *
 * @throws ImageError `truncated_image`, `corrupt_image`
 */
export function readGifInfo(bytes: Uint8Array): ImageInfo {
  const file = readGif(bytes);
  const { width, height } = file;
  return {
    format: 'gif',
    width,
    height,
    storedWidth: width,
    storedHeight: height,
    orientation: 1,
    components: 1,
    bitsPerSample: file.indexBits,
    frames: countFrames(bytes, file.dataStart),
    interlaced: file.interlaced,
  };
}

/**
 * Bytes that `decodeGif` will allocate at most, from the headers alone.
 *
 * @throws ImageError as `readGifInfo`
 */
export function estimateGifBytes(bytes: Uint8Array, _options: DecodeOptions = {}): number {
  const { width, frame, interlaced } = readGif(bytes);
  return LZW_MEMORY_BYTES + COLORS_BYTES + width * 3 + (interlaced ? frame.width * frame.height : frame.width);
}

/**
 * Decodes the first image on its canvas to RGB8 rows.
 *
 * @param options with `allowTruncated`, pixels that did not arrive have the canvas's colour, as Pillow fills them
 * @throws ImageError `truncated_image`, `corrupt_image`
 */
export function decodeGif(bytes: Uint8Array, sink: RowSink, options: DecodeOptions = {}): void {
  const file = readGif(bytes);
  const { frame } = file;
  const pixels = frame.width * frame.height;
  const rows = new GifRows(file, sink);
  sink.start(file.width, file.height);
  const result = decodeLzw(bytes, file.dataStart, file.codeBits, pixels, rows);
  const details = { pixels: result.pixels, expectedPixels: pixels };
  if (result.status === 'corrupt')
    throw new ImageError('corrupt_image', `GIF image data: ${result.reason}`, { details });
  if (result.status === 'truncated' && options.allowTruncated !== true) {
    throw new ImageError('truncated_image', `GIF image data ends after ${result.pixels} of ${pixels} pixels`, {
      details,
    });
  }
  rows.finish();
}

/** Puts indices into rows, in interlaced order where the file has it, and passes coloured rows on. */
class GifRows implements IndexConsumer {
  private readonly file: GifFile;
  private readonly sink: RowSink;
  private readonly colors: Uint8Array;
  /** The image's indices: all of them where interlaced, one row otherwise. */
  private readonly indices: Uint8Array;
  /** One row of the canvas. */
  private readonly rgb: Uint8Array;
  /** Column and row of the next pixel in the image. */
  private x = 0;
  private y = 0;
  /** Interlace pass, and its distance between rows (GIF89a specification, appendix E). */
  private pass = 0;
  private step: number;
  /** Canvas rows passed on. */
  private done = 0;

  constructor(file: GifFile, sink: RowSink) {
    const { frame, width, background } = file;
    this.file = file;
    this.sink = sink;
    this.colors = colorTable(file.palette);
    this.indices = new Uint8Array(file.interlaced ? frame.width * frame.height : frame.width).fill(background);
    this.rgb = new Uint8Array(width * 3);
    this.step = file.interlaced ? 8 : 1;
    this.fillRow();
  }

  consume(indices: Uint8Array, count: number): void {
    const { frame, interlaced } = this.file;
    let from = 0;
    while (from < count) {
      const run = Math.min(count - from, frame.width - this.x);
      this.indices.set(indices.subarray(from, from + run), (interlaced ? this.y * frame.width : 0) + this.x);
      from += run;
      this.x += run;
      if (this.x === frame.width) this.rowDone();
    }
  }

  /** Passes on the rows that are left. */
  finish(): void {
    const { file, indices } = this;
    const { frame } = file;
    if (!file.interlaced && this.y < frame.height) {
      indices.fill(file.background, this.x);
      while (this.y < frame.height) {
        this.pushImageRow(this.y++, 0);
        indices.fill(file.background);
      }
    }
    if (file.interlaced) for (let y = 0; y < frame.height; y++) this.pushImageRow(y, y * frame.width);
    this.fillRow();
    this.pushCanvasRows(file.height);
  }

  private rowDone(): void {
    const { frame, interlaced } = this.file;
    this.x = 0;
    if (!interlaced) this.pushImageRow(this.y, 0);
    this.y += this.step;
    while (interlaced && this.y >= frame.height && this.pass < 3) {
      this.pass++;
      this.step = 16 >> this.pass;
      this.y = this.step >> 1;
    }
  }

  private pushImageRow(y: number, from: number): void {
    const { frame } = this.file;
    this.pushCanvasRows(frame.y + y);
    const { colors, indices, rgb } = this;
    const end = from + frame.width;
    let o = frame.x * 3;
    for (let i = from; i < end; i++) {
      const color = indices[i]! * 3;
      rgb[o] = colors[color]!;
      rgb[o + 1] = colors[color + 1]!;
      rgb[o + 2] = colors[color + 2]!;
      o += 3;
    }
    this.sink.rows(rgb, 0, this.done++, 1);
  }

  /** Passes the current row on until `end` rows are done: those above and below the image. */
  private pushCanvasRows(end: number): void {
    while (this.done < end) this.sink.rows(this.rgb, 0, this.done++, 1);
  }

  /** Makes the row one of the canvas alone. */
  private fillRow(): void {
    const color = this.colors.subarray(this.file.background * 3, this.file.background * 3 + 3);
    for (let o = 0; o < this.rgb.length; o += 3) this.rgb.set(color, o);
  }
}

/** 256 colours: the table's, black where it has no entry, gray where there is no table. */
function colorTable(palette: Uint8Array | undefined): Uint8Array {
  const colors = new Uint8Array(COLORS_BYTES);
  if (palette !== undefined) colors.set(palette);
  else for (let value = 0; value < 256; value++) colors.fill(value, value * 3, value * 3 + 3);
  return colors;
}
