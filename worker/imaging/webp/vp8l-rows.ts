/**
 * Undoes the transforms of VP8L row by row and hands RGB8 on (libwebp src/dec/vp8l_dec.c `ProcessRows`).
 */
import type { RowSink } from '../image.ts';
import type { PixelRows } from './vp8l-pixels.ts';
import { addPrediction } from './vp8l-predict.ts';
import {
  addCrossColor,
  addGreen,
  COLOR_INDEXING_TRANSFORM,
  CROSS_COLOR_TRANSFORM,
  lookUpColors,
  PREDICTOR_TRANSFORM,
  type Vp8lTransform,
} from './vp8l-transforms.ts';

/** Rows handed on at once. */
const BATCH_ROWS = 16;

/** Bytes that `new RowTransformer(transforms, width, ...)` allocates. */
export function rowTransformerBytes(transforms: readonly Vp8lTransform[], width: number): number {
  let bytes = width * 4 + BATCH_ROWS * width * 3;
  for (const transform of transforms) {
    if (transform.type === PREDICTOR_TRANSFORM) bytes += 2 * (transform.width + 1) * 4;
  }
  return bytes;
}

/** Turns coded rows into RGB8. */
export class RowTransformer implements PixelRows {
  /** Rows handed on so far. */
  rowsOut = 0;
  private readonly transforms: readonly Vp8lTransform[];
  private readonly width: number;
  private readonly sink: RowSink;
  private readonly row: Int32Array;
  private readonly rgb: Uint8Array;
  /** The predictor's output: the row above, and this one. */
  private above: Int32Array = new Int32Array(0);
  private predicted: Int32Array = new Int32Array(0);

  constructor(transforms: readonly Vp8lTransform[], width: number, sink: RowSink) {
    this.transforms = transforms;
    this.width = width;
    this.sink = sink;
    this.row = new Int32Array(width);
    this.rgb = new Uint8Array(BATCH_ROWS * width * 3);
    for (const transform of transforms) {
      if (transform.type !== PREDICTOR_TRANSFORM) continue;
      this.above = new Int32Array(transform.width + 1);
      this.predicted = new Int32Array(transform.width + 1);
    }
  }

  take(pixels: Int32Array, at: number, y: number, count: number): void {
    const { width, rgb } = this;
    const codedWidth = this.codedWidth();
    for (let i = 0; i < count; i++) this.writeRow(pixels, at + i * codedWidth, y + i, i * width * 3);
    this.sink.rows(rgb, 0, y, count);
    this.rowsOut = y + count;
  }

  private codedWidth(): number {
    let width = this.width;
    for (const { type, bits } of this.transforms) {
      if (type === COLOR_INDEXING_TRANSFORM) width = (width + (1 << bits) - 1) >> bits;
    }
    return width;
  }

  private writeRow(pixels: Int32Array, at: number, y: number, out: number): void {
    const { transforms, row } = this;
    let from = pixels;
    let fromAt = at;
    for (let n = transforms.length - 1; n >= 0; n--) {
      const transform = transforms[n]!;
      let to = row;
      if (transform.type === PREDICTOR_TRANSFORM) {
        to = this.predicted;
        this.predicted = this.above;
        this.above = to;
        addPrediction(transform, y, from, fromAt, this.predicted, to);
      } else if (transform.type === CROSS_COLOR_TRANSFORM) {
        addCrossColor(transform, y, from, fromAt, to);
      } else if (transform.type === COLOR_INDEXING_TRANSFORM) {
        lookUpColors(transform, from, fromAt, to);
      } else {
        addGreen(from, fromAt, to, transform.width);
      }
      from = to;
      fromAt = 0;
    }
    writeRgb(from, fromAt, this.rgb, out, this.width);
  }
}

/** Drops alpha. */
function writeRgb(from: Int32Array, at: number, rgb: Uint8Array, out: number, width: number): void {
  for (let x = 0, o = out; x < width; x++, o += 3) {
    const argb = from[at + x]!;
    rgb[o] = argb >> 16;
    rgb[o + 1] = argb >> 8;
    rgb[o + 2] = argb;
  }
}
