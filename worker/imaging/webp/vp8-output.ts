/**
 * Turns finished rows of YUV into RGB8 and hands them on (libwebp src/dec/io_dec.c `EmitFancyRGB`). Rows `2k - 1`
 * and `2k` of luma lie between rows `k - 1` and `k` of chroma, so a row may wait for the next macroblocks.
 */
import type { RowSink } from '../image.ts';
import { CHROMA_ROWS_ABOVE, type FilterPlanes, LUMA_ROWS_ABOVE } from './vp8-filter-row.ts';
import { upsampleRowPair } from './vp8-upsample.ts';

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
    for (; ((row + 1) >> 1) << 1 < end; ) {
      // The pair's lower row is even; row 0 has no upper partner.
      const lower = (row + 1) & ~1;
      const below = chromaZero + (lower >> 1) * chromaStride;
      const above = lower === 0 ? below : below - chromaStride;
      const out = (lower - firstRow) * rowBytes;
      upsampleRowPair(
        planes.luma,
        lower === 0 ? -1 : lumaZero + (lower - 1) * lumaStride,
        lumaZero + lower * lumaStride,
        planes.u,
        planes.v,
        above,
        below,
        this.rgb,
        out - rowBytes,
        out,
        width,
      );
      row = lower + 1;
    }
    if (end === height && row < end) {
      // The last row of an even height has no chroma row below it.
      const chroma = chromaZero + (row >> 1) * chromaStride;
      const out = (row - firstRow) * rowBytes;
      const at = lumaZero + row * lumaStride;
      upsampleRowPair(planes.luma, at, -1, planes.u, planes.v, chroma, chroma, this.rgb, out, 0, width);
      row++;
    }
    if (row > firstRow) this.sink.rows(this.bytes, 0, firstRow, row - firstRow);
    this.rowsOut = row;
  }
}
