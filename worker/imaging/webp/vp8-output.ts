/**
 * Turns finished rows of YUV into RGB8 and hands them on (libwebp src/dec/io_dec.c `EmitFancyRGB`). Rows `2k - 1`
 * and `2k` of luma lie between rows `k - 1` and `k` of chroma, so a row may wait for the next macroblocks.
 */
import type { RowSink } from '../image.ts';
import { CHROMA_ROWS_ABOVE, type FilterPlanes, LUMA_ROWS_ABOVE } from './vp8-filter-row.ts';
import { upsampleRow, upsampleRowPair } from './vp8-upsample.ts';

/** Most rows that one row of macroblocks can finish: its own, and those that waited. */
const MAX_ROWS = 16 + LUMA_ROWS_ABOVE;

/** Bytes that `new RgbRows(width, ...)` allocates. */
export function rgbRowsBytes(width: number): number {
  return MAX_ROWS * width * 3;
}

/** The last stage of the decoder. */
export class RgbRows {
  /** Rows handed on so far. */
  rowsOut = 0;
  private readonly width: number;
  private readonly height: number;
  private readonly planes: FilterPlanes;
  private readonly sink: RowSink;
  private readonly rgb: Uint8ClampedArray;
  /** The same memory as the sink wants it. */
  private readonly bytes: Uint8Array;

  constructor(width: number, height: number, planes: FilterPlanes, sink: RowSink) {
    this.width = width;
    this.height = height;
    this.planes = planes;
    this.sink = sink;
    const buffer = new ArrayBuffer(rgbRowsBytes(width));
    this.rgb = new Uint8ClampedArray(buffer);
    this.bytes = new Uint8Array(buffer);
  }

  /**
   * Emits what can be after macroblock row `mbY`.
   *
   * @param delay luma rows at its bottom that the filter may still change; 0 in the last row of macroblocks
   */
  emit(mbY: number, delay: number): void {
    const { planes, width, height } = this;
    const { lumaStride, chromaStride } = planes;
    const rowBytes = width * 3;
    const end = Math.min(mbY * 16 + 16 - delay, height);
    const firstRow = this.rowsOut;
    const lumaZero = (LUMA_ROWS_ABOVE - mbY * 16) * lumaStride;
    const chromaZero = (CHROMA_ROWS_ABOVE - mbY * 8) * chromaStride;
    let row = firstRow;
    if (row === 0) {
      this.convertRow(0, 0, lumaZero, chromaZero);
      row = 1;
    }
    // Rows come in pairs, the lower one even.
    for (; row + 1 < end; row += 2) {
      const below = chromaZero + ((row + 1) >> 1) * chromaStride;
      const out = (row - firstRow) * rowBytes;
      upsampleRowPair(
        planes.luma,
        lumaZero + row * lumaStride,
        lumaZero + (row + 1) * lumaStride,
        planes.u,
        planes.v,
        below - chromaStride,
        below,
        this.rgb,
        out,
        out + rowBytes,
        width,
      );
    }
    // The last row of an even height has no chroma row below it.
    if (end === height && row < end) {
      this.convertRow(row, row - firstRow, lumaZero, chromaZero);
      row++;
    }
    if (row > firstRow) this.sink.rows(this.bytes, 0, firstRow, row - firstRow);
    this.rowsOut = row;
  }

  /** Row `row`, which has one neighbouring row of chroma, to row `to` of the output. */
  private convertRow(row: number, to: number, lumaZero: number, chromaZero: number): void {
    const { planes, width } = this;
    const chroma = chromaZero + (row >> 1) * planes.chromaStride;
    upsampleRow(
      planes.luma,
      lumaZero + row * planes.lumaStride,
      planes.u,
      planes.v,
      chroma,
      this.rgb,
      to * width * 3,
      width,
    );
  }
}
