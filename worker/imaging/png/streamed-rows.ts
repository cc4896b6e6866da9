/** Rows of a non-interlaced PNG, passed on as they are inflated. */
import type { RowSink } from '../image.ts';
import type { PngHeader } from './chunks.ts';
import { colorSamples, type PixelLayout, sampleColors, storedRowBytes, unpackSamples } from './layout.ts';
import type { RowReader } from './row-reader.ts';
import { unfilterGray, unfilterRgb } from './unfilter.ts';

/** Rows are passed on in bands of about this size. */
const BAND_BYTES = 65_536;

function bandRows(width: number, height: number): number {
  return Math.max(1, Math.min(height, Math.floor(BAND_BYTES / (width * 3))));
}

/** Bytes that `StreamedRows` allocates. */
export function streamedBytes(header: PngHeader, layout: PixelLayout): number {
  const { width, height } = header;
  const band = width * 3 * (bandRows(width, height) + 1);
  return layout.isRgb ? band : band + 2 * storedRowBytes(layout, width) + width + 768;
}

/** Undoes filters row by row into a band of RGB8 rows. */
export class StreamedRows implements RowReader {
  readonly totalBytes: number;
  readonly unitBytes: number;
  readonly rowsTotal: number;
  rowsDone = 0;

  private readonly layout: PixelLayout;
  private readonly sink: RowSink;
  private readonly width: number;
  private readonly bitDepth: number;
  /** The last row of the band before, then the rows of this band. */
  private readonly band: Uint8Array;
  private readonly bandRows: number;
  private rowsInBand = 0;

  /** One-sample images: two stored rows, then the unpacked samples of one. */
  private readonly samples: Uint8Array;
  private readonly packedBytes: number;
  private readonly colors: Uint8Array;

  constructor(header: PngHeader, layout: PixelLayout, sink: RowSink) {
    const { width, height } = header;
    this.layout = layout;
    this.sink = sink;
    this.width = width;
    this.bitDepth = header.bitDepth;
    this.rowsTotal = height;
    this.unitBytes = storedRowBytes(layout, width) + 1;
    this.totalBytes = this.unitBytes * height;
    this.bandRows = bandRows(width, height);
    this.band = new Uint8Array(width * 3 * (this.bandRows + 1));
    this.packedBytes = layout.pixelsPerByte > 1 ? this.unitBytes - 1 : width;
    this.samples = new Uint8Array(layout.isRgb ? 0 : 2 * this.packedBytes + width);
    this.colors = layout.isRgb ? this.samples : sampleColors(header);
  }

  get takenBytes(): number {
    return this.rowsDone * this.unitBytes;
  }

  consume(data: Uint8Array, from: number, to: number): number {
    let at = from;
    while (to - at >= this.unitBytes && this.rowsDone < this.rowsTotal) {
      if (this.layout.isRgb) this.rgbRow(data, at);
      else this.grayRow(data, at);
      at += this.unitBytes;
      this.rowDone();
    }
    return at;
  }

  finish(): void {
    if (this.rowsDone < this.rowsTotal) {
      this.pass();
      const rowBytes = this.width * 3;
      if (this.layout.isRgb) {
        this.band.fill(0);
      } else {
        this.samples.fill(0);
        for (let row = 1; row <= this.bandRows; row++) {
          colorSamples(this.samples, 0, this.colors, this.band, row * rowBytes, this.width);
        }
      }
      while (this.rowsDone < this.rowsTotal) this.rowDone();
    }
    this.pass();
  }

  private rgbRow(data: Uint8Array, at: number): void {
    const { layout, band, width } = this;
    const above = this.rowsInBand * width * 3;
    unfilterRgb(data[at]!, data, at + 1, layout.stride, layout.step, band, above, above + width * 3, width);
  }

  private grayRow(data: Uint8Array, at: number): void {
    const { layout, samples, packedBytes, width } = this;
    const current = (this.rowsDone & 1) * packedBytes;
    unfilterGray(data[at]!, data, at + 1, layout.stride, samples, packedBytes - current, current, packedBytes);
    let from = current;
    if (layout.pixelsPerByte > 1) {
      from = 2 * packedBytes;
      unpackSamples(samples, current, this.bitDepth, samples, from, width);
    }
    colorSamples(samples, from, this.colors, this.band, (this.rowsInBand + 1) * width * 3, width);
  }

  private rowDone(): void {
    this.rowsDone++;
    this.rowsInBand++;
    if (this.rowsInBand === this.bandRows) this.pass();
  }

  /** Passes the band on; its last row becomes the row above the next band. */
  private pass(): void {
    const count = this.rowsInBand;
    if (count === 0) return;
    const rowBytes = this.width * 3;
    this.sink.rows(this.band, rowBytes, this.rowsDone - count, count);
    this.band.copyWithin(0, count * rowBytes, (count + 1) * rowBytes);
    this.rowsInBand = 0;
  }
}
