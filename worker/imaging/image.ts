/**
 * The shapes that every decoder shares. Pure data, no I/O.
 */

/** Formats that are decoded here. */
export type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'bmp';

/** EXIF orientation (TIFF 6.0 tag 274): 1 is upright; 5 to 8 swap width and height. */
export type Orientation = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

/** What the headers say, read without decoding a pixel. */
export interface ImageInfo {
  readonly format: ImageFormat;
  /** Upright width in px, after orientation. */
  readonly width: number;
  /** Upright height in px, after orientation. */
  readonly height: number;
  /** Width in px as stored. */
  readonly storedWidth: number;
  /** Height in px as stored. */
  readonly storedHeight: number;
  readonly orientation: Orientation;
  /** Samples per pixel as stored: 1, 2, 3 or 4 (a palette counts 1). */
  readonly components: number;
  readonly bitsPerSample: number;
  /** Frames in the file, as far as the headers tell; 1 for a still image. */
  readonly frames: number;
  /** True where the file is progressive (JPEG) or interlaced (PNG, GIF). */
  readonly interlaced: boolean;
}

/** An upright RGB8 image: `data` is `[height, width, 3]`, row-major, no padding. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Denominator of a scaled JPEG decode: the picture comes out at `ceil(size * 1 / scaleDenominator)`. */
export type ScaleDenominator = 1 | 2 | 4 | 8;

/**
 * Receives decoded rows, in stored order (before orientation), top to bottom, each row once.
 * Decoders push into it so that a consumer (resize) never needs the whole picture.
 */
export interface RowSink {
  /** Called once, before the first row: the size of what will be pushed, in px (after any scaled decoding). */
  start(width: number, height: number): void;
  /**
   * Rows `y .. y + count - 1`, RGB8 interleaved, `width * 3` bytes a row, the first at `data[offset]`.
   * The buffer belongs to the decoder and is overwritten after the call.
   */
  rows(data: Uint8Array, offset: number, y: number, count: number): void;
}

/** What a decoder is told. */
export interface DecodeOptions {
  /** JPEG only: decode at 1/n size in the DCT domain. Default 1. Other formats ignore it. */
  readonly scaleDenominator?: ScaleDenominator;
  /** True: what is missing from a truncated file is filled the way the reference decoder does. Default false: an error. */
  readonly allowTruncated?: boolean;
}
