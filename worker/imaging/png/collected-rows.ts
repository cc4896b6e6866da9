/** Rows of an interlaced PNG, or of an APNG frame smaller than its canvas: collected whole, then passed on. */
import type { RowSink } from '../image.ts';
import type { PngHeader } from './chunks.ts';
import { colorSamples, type PixelLayout, sampleColors, storedRowBytes, unpackSamples } from './layout.ts';
import type { RowReader } from './row-reader.ts';
import { unfilterGray, unfilterRgb } from './unfilter.ts';

/** First column, first row, column step, row step of Adam7's passes (PNG specification, section 8.2). */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** A grid of pixels on the canvas that is stored as an image of its own. */
interface Pass {
  readonly x: number;
  readonly y: number;
  readonly stepX: number;
  readonly stepY: number;
  readonly width: number;
  readonly height: number;
  /** Bytes of a stored row, its filter type included. */
  readonly rowBytes: number;
}

/** Bytes that `CollectedRows` allocates. */
export function collectedBytes(header: PngHeader, layout: PixelLayout): number {
  const { width, height } = header;
  const rows = 2 * width * layout.sampleBytes + width;
  return width * height * layout.sampleBytes + rows + (layout.isRgb ? 0 : width * 3 + 768);
}

function passes(header: PngHeader, layout: PixelLayout): Pass[] {
  const region = header.region ?? { x: 0, y: 0, width: header.width, height: header.height };
  const grids = header.interlaced ? ADAM7 : ([[0, 0, 1, 1]] as const);
  return grids
    .map(([x, y, stepX, stepY]) => {
      const width = Math.ceil((region.width - x) / stepX);
      const height = Math.ceil((region.height - y) / stepY);
      const rowBytes = storedRowBytes(layout, width) + 1;
      // Pillow places an interlaced frame at the canvas's corner, whatever fcTL says.
      const at = header.interlaced ? { x: 0, y: 0 } : region;
      return { x: at.x + x, y: at.y + y, stepX, stepY, width, height, rowBytes };
    })
    .filter((pass) => pass.width > 0 && pass.height > 0);
}

/** Undoes filters pass by pass into a canvas of samples. */
export class CollectedRows implements RowReader {
  readonly totalBytes: number;
  readonly unitBytes: number;
  readonly rowsTotal: number;
  rowsDone = 0;
  takenBytes = 0;

  private readonly header: PngHeader;
  private readonly layout: PixelLayout;
  private readonly sink: RowSink;
  private readonly passes: readonly Pass[];
  private readonly canvas: Uint8Array;
  /** Two rows with their filter undone, then the unpacked samples of one. */
  private readonly rows: Uint8Array;
  private passIndex = 0;
  private passRow = 0;

  constructor(header: PngHeader, layout: PixelLayout, sink: RowSink) {
    this.header = header;
    this.layout = layout;
    this.sink = sink;
    this.passes = passes(header, layout);
    this.totalBytes = this.passes.reduce((sum, pass) => sum + pass.rowBytes * pass.height, 0);
    this.unitBytes = Math.max(...this.passes.map((pass) => pass.rowBytes));
    this.rowsTotal = this.passes.reduce((sum, pass) => sum + pass.height, 0);
    this.canvas = new Uint8Array(header.width * header.height * layout.sampleBytes);
    this.rows = new Uint8Array(2 * header.width * layout.sampleBytes + header.width);
  }

  consume(data: Uint8Array, from: number, to: number): number {
    let at = from;
    for (;;) {
      const pass = this.passes[this.passIndex];
      if (pass === undefined || to - at < pass.rowBytes) return at;
      this.row(data, at, pass);
      at += pass.rowBytes;
      this.takenBytes += pass.rowBytes;
      this.rowsDone++;
      this.passRow++;
      if (this.passRow === pass.height) {
        this.passRow = 0;
        this.passIndex++;
      }
    }
  }

  finish(): void {
    const { width, height } = this.header;
    if (this.layout.isRgb) {
      this.sink.rows(this.canvas, 0, 0, height);
      return;
    }
    const colors = sampleColors(this.header);
    const rgb = new Uint8Array(width * 3);
    for (let y = 0; y < height; y++) {
      colorSamples(this.canvas, y * width, colors, rgb, 0, width);
      this.sink.rows(rgb, 0, y, 1);
    }
  }

  private row(data: Uint8Array, at: number, pass: Pass): void {
    const { layout, rows } = this;
    const rowSize = this.header.width * layout.sampleBytes;
    const current = (this.passRow & 1) * rowSize;
    const above = rowSize - current;
    if (this.passRow === 0) rows.fill(0, above, above + rowSize);
    if (layout.isRgb) {
      unfilterRgb(data[at]!, data, at + 1, layout.stride, layout.step, rows, above, current, pass.width);
      this.scatterRgb(current, pass);
      return;
    }
    const count = layout.pixelsPerByte > 1 ? pass.rowBytes - 1 : pass.width;
    unfilterGray(data[at]!, data, at + 1, layout.stride, rows, above, current, count);
    if (layout.pixelsPerByte > 1) unpackSamples(rows, current, this.header.bitDepth, rows, 2 * rowSize, pass.width);
    this.scatterGray(layout.pixelsPerByte > 1 ? 2 * rowSize : current, pass);
  }

  private scatterRgb(from: number, pass: Pass): void {
    const { canvas, rows } = this;
    const end = from + pass.width * 3;
    let to = ((pass.y + this.passRow * pass.stepY) * this.header.width + pass.x) * 3;
    for (let i = from; i < end; i += 3) {
      canvas[to] = rows[i]!;
      canvas[to + 1] = rows[i + 1]!;
      canvas[to + 2] = rows[i + 2]!;
      to += pass.stepX * 3;
    }
  }

  private scatterGray(from: number, pass: Pass): void {
    const { canvas, rows } = this;
    let to = (pass.y + this.passRow * pass.stepY) * this.header.width + pass.x;
    for (let i = from; i < from + pass.width; i++) {
      canvas[to] = rows[i]!;
      to += pass.stepX;
    }
  }
}
