/**
 * Sample planes of one row of MCUs, and the way from there to RGB rows in the sink.
 *
 * The triangle filters need the row below, so the last rows of a row of MCUs wait for the next one: they are carried over
 * at the top of the planes. Source: libjpeg-turbo jdmainct.c (context rows).
 */
import type { RowSink } from '../image.ts';
import { type ColorSpace, type RowConverter, type RowSource, rowConverter } from './color.ts';
import type { ComponentLayout, Layout } from './layout.ts';
import { upsampleH1V2, upsampleH2V1, upsampleH2V2, upsampleRepeat } from './upsample.ts';

/** The samples of one component: carried rows, then the rows of the current row of MCUs. */
export interface Plane {
  readonly samples: Uint8ClampedArray;
  readonly stride: number;
  /** Rows at the top that belong to the previous row of MCUs. */
  readonly carriedRows: number;
  /** Rows that one row of MCUs makes. */
  readonly mcuRows: number;
}

/** Turns planes into RGB rows and pushes them. */
export class RowOutput {
  readonly planes: readonly Plane[];

  private readonly layout: Layout;
  private readonly sink: RowSink;
  private readonly convert: RowConverter;
  private readonly sources: RowSource[];
  private readonly upsampled: (Uint8ClampedArray | undefined)[];
  private readonly pixels: Uint8ClampedArray;
  private readonly pixelBytes: Uint8Array;
  private nextRow = 0;

  constructor(layout: Layout, space: ColorSpace, sink: RowSink) {
    this.layout = layout;
    this.sink = sink;
    this.convert = rowConverter(space);
    this.planes = layout.components.map((component) => createPlane(layout, component));
    this.upsampled = layout.components.map((component) =>
      component.upsampling === 'none' ? undefined : new Uint8ClampedArray(upsampledBytes(layout)),
    );
    this.sources = this.planes.map((plane, i) => ({ samples: this.upsampled[i] ?? plane.samples, at: 0 }));
    this.pixels = new Uint8ClampedArray(pixelBytes(layout));
    this.pixelBytes = new Uint8Array(this.pixels.buffer);
  }

  /** Bytes that an output for this layout allocates. */
  static bytes(layout: Layout): number {
    let bytes = pixelBytes(layout);
    for (const component of layout.components) {
      bytes += planeBytes(layout, component);
      if (component.upsampling !== 'none') bytes += upsampledBytes(layout);
    }
    return bytes;
  }

  /** Pushes every row that is complete once row `mcuRow` of the MCUs stands in the planes. */
  flush(mcuRow: number): void {
    const { layout, pixels } = this;
    const { outputWidth, outputHeight, rowsPerMcuRow, maxVertical } = layout;
    const last = mcuRow === layout.mcuRows - 1;
    const pending = layout.needsContext ? maxVertical : 0;
    const end = last ? outputHeight : (mcuRow + 1) * rowsPerMcuRow - pending;
    const first = this.nextRow;
    for (let y = first, to = 0; y < end; y++, to += outputWidth * 3) {
      for (let c = 0; c < this.planes.length; c++) this.prepareRow(c, y, mcuRow);
      this.convert(this.sources, outputWidth, pixels, to);
    }
    if (end > first) this.sink.rows(this.pixelBytes, 0, first, end - first);
    this.nextRow = Math.max(first, end);
    if (!last) for (const plane of this.planes) carryOver(plane);
  }

  /** Points `sources[c]` at the samples of output row `y`, upsampling them where needed. */
  private prepareRow(c: number, y: number, mcuRow: number): void {
    const component = this.layout.components[c]!;
    const { samples, stride, carriedRows, mcuRows } = this.planes[c]!;
    const firstRow = mcuRow * mcuRows - carriedRows;
    const source = this.sources[c]!;
    const out = this.upsampled[c];
    if (out === undefined) {
      source.at = (y - firstRow) * stride;
      return;
    }
    switch (component.upsampling) {
      case 'h2v1-fancy':
        upsampleH2V1(samples, (y - firstRow) * stride, component.sampleWidth, out);
        break;
      case 'h1v2-fancy':
      case 'h2v2-fancy': {
        const lower = (y & 1) === 1;
        const near = y >> 1;
        // Above the first row and below the last stands that row once more.
        const far = Math.min(Math.max(near + (lower ? 1 : -1), 0), component.sampleHeight - 1);
        const nearAt = (near - firstRow) * stride;
        const farAt = (far - firstRow) * stride;
        if (component.upsampling === 'h2v2-fancy') upsampleH2V2(samples, nearAt, farAt, component.sampleWidth, out);
        else upsampleH1V2(samples, nearAt, farAt, lower, component.sampleWidth, out);
        break;
      }
      default: {
        const row = Math.floor(y / component.repeatVertical) - firstRow;
        upsampleRepeat(samples, row * stride, component.repeatHorizontal, this.layout.outputWidth, out);
      }
    }
  }
}

function createPlane(layout: Layout, component: ComponentLayout): Plane {
  return {
    samples: new Uint8ClampedArray(planeBytes(layout, component)),
    stride: component.paddedWidthInBlocks * component.blockSize,
    carriedRows: carriedRows(layout, component),
    mcuRows: component.vertical * component.blockSize,
  };
}

/** Samples of the last two groups of rows, each of which makes `maxVertical` output rows. */
function carriedRows(layout: Layout, component: ComponentLayout): number {
  return layout.needsContext ? Math.ceil((2 * layout.maxVertical) / component.repeatVertical) : 0;
}

function planeBytes(layout: Layout, component: ComponentLayout): number {
  const rows = carriedRows(layout, component) + component.vertical * component.blockSize;
  return component.paddedWidthInBlocks * component.blockSize * rows;
}

/** One row, rounded up to what the widest filter writes. */
function upsampledBytes(layout: Layout): number {
  return layout.outputWidth + 2 * layout.maxHorizontal;
}

/** Rows that one call of the sink can get: those of a row of MCUs and those that waited. */
function pixelBytes(layout: Layout): number {
  const rows = layout.rowsPerMcuRow + (layout.needsContext ? layout.maxVertical : 0);
  return layout.outputWidth * 3 * Math.min(rows, layout.outputHeight);
}

function carryOver({ samples, stride, carriedRows, mcuRows }: Plane): void {
  if (carriedRows > 0) samples.copyWithin(0, mcuRows * stride, (mcuRows + carriedRows) * stride);
}
