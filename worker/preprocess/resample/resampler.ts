/**
 * The streaming resizer: a `RowSink` that takes stored rows and leaves the upright, resized and cropped picture.
 *
 * The reference turns the picture upright first and then resizes rows before columns, rounding to 8 bits in between.
 * Here nothing is turned: where orientation swaps the axes, the upright rows are stored columns, so the passes run in
 * the other order; where it mirrors an axis, that axis is tabulated backwards. Both give the same bits.
 */
import { ImageError } from '../../errors.ts';
import type { Orientation, RowSink } from '../../imaging/image.ts';
import type { CropAxis } from '../size.ts';
import type { Axis, AxisBounds } from './axis.ts';
import { resampleRow } from './horizontal.ts';
import { createVerticalPass, type EmitRow, verticalPassBytes } from './vertical.ts';

/** What a resampler does. `x` and `y` are the axes of the *stored* picture; the crops are the upright ones. */
export interface ResamplerLayout {
  readonly storedWidth: number;
  readonly storedHeight: number;
  readonly orientation: Orientation;
  readonly x: Axis;
  readonly y: Axis;
  readonly cropX: CropAxis;
  readonly cropY: CropAxis;
}

/** A sink that ends in a picture. */
export interface Resampler extends RowSink {
  /**
   * The picture `[cropY.size, cropX.size, 3]`, RGB8; what no stored px reaches is 0.
   * Throws `ImageError` `corrupt_image` where the decoder pushed fewer rows than it announced.
   */
  finish(): Uint8Array;
}

/** Rows resampled along x before they go to the vertical pass together. */
const BATCH_ROWS = 16;

/** True where the stored axes are the upright ones swapped. */
export function swapsAxes(orientation: Orientation): boolean {
  return orientation >= 5;
}

/** Most bytes that a resampler allocates, its output and tables included. Sizes as in `ResamplerLayout`. */
export function resamplerBytes(
  x: AxisBounds & { readonly inSize: number; readonly count: number },
  y: AxisBounds,
  orientation: Orientation,
  outputBytes: number,
): number {
  const tables = x.tableBytes + y.tableBytes;
  const line = x.count * 3;
  if (swapsAxes(orientation)) return outputBytes + tables + verticalPassBytes(y, x.inSize * 3) + line;
  return outputBytes + tables + verticalPassBytes(y, line) + BATCH_ROWS * line;
}

/** Starts a resampler. */
export function createResampler(layout: ResamplerLayout): Resampler {
  const { storedWidth, storedHeight, orientation, x, y, cropX, cropY } = layout;
  const out = new Uint8Array(cropX.size * cropY.size * 3);
  const swapped = swapsAxes(orientation);
  const rowStride = cropX.size * 3;
  // Bytes from one stored-order output to the next, along each stored axis, and where output (0, 0) lies.
  const stepX = (swapped ? rowStride : 3) * (x.mirrored ? -1 : 1);
  const stepY = (swapped ? 3 : rowStride) * (y.mirrored ? -1 : 1);
  const origin =
    cropY.padBefore * rowStride +
    cropX.padBefore * 3 +
    (x.mirrored ? -stepX * (x.count - 1) : 0) +
    (y.mirrored ? -stepY * (y.count - 1) : 0);
  let rowsSeen = 0;

  function writeRow(o: number, row: Uint8Array, offset: number): void {
    let to = origin + o * stepY;
    const end = offset + x.count * 3;
    for (let from = offset; from < end; from += 3, to += stepX) {
      out[to] = row[from]!;
      out[to + 1] = row[from + 1]!;
      out[to + 2] = row[from + 2]!;
    }
  }

  const pushRows = swapped ? verticalFirst(x, y, storedWidth, writeRow) : horizontalFirst(x, y, storedWidth, writeRow);

  return {
    start(width, height) {
      if (width !== storedWidth || height !== storedHeight) {
        const message = `image decodes to ${width}x${height} px; its headers announced ${storedWidth}x${storedHeight}`;
        throw new ImageError('corrupt_image', message, { details: { width, height } });
      }
    },
    rows(data, offset, top, count) {
      rowsSeen += count;
      // Rows above and below the kept ones are skipped.
      const skip = Math.max(0, y.begin - top);
      const kept = Math.min(count, y.end - top) - skip;
      if (kept > 0) pushRows(data, offset + skip * storedWidth * 3, top + skip, kept);
    },
    finish() {
      if (rowsSeen !== storedHeight) {
        const message = `image has ${storedHeight} rows; ${rowsSeen} were decoded`;
        throw new ImageError('corrupt_image', message, { details: { rows: rowsSeen, height: storedHeight } });
      }
      return out;
    },
  };
}

type PushRows = (data: Uint8Array, offset: number, y: number, count: number) => void;

function horizontalFirst(x: Axis, y: Axis, storedWidth: number, writeRow: EmitRow): PushRows {
  const rowBytes = x.count * 3;
  const vertical = createVerticalPass(y, rowBytes);
  const batch = new Uint8ClampedArray(BATCH_ROWS * rowBytes);
  const resampled = new Uint8Array(batch.buffer);
  return (data, offset, top, count) => {
    const first = offset + x.begin * 3;
    for (let start = 0; start < count; start += BATCH_ROWS) {
      const rows = Math.min(BATCH_ROWS, count - start);
      for (let i = 0; i < rows; i++) {
        if (!vertical.needs(top + start + i)) continue;
        resampleRow(x, data, first + (start + i) * storedWidth * 3, batch, i * rowBytes);
      }
      vertical.push(resampled, 0, rowBytes, top + start, rows, writeRow);
    }
  };
}

function verticalFirst(x: Axis, y: Axis, storedWidth: number, writeRow: EmitRow): PushRows {
  const vertical = createVerticalPass(y, (x.end - x.begin) * 3);
  const line = new Uint8ClampedArray(x.count * 3);
  const resampled = new Uint8Array(line.buffer);
  const finishRow: EmitRow = (o, row, offset) => {
    resampleRow(x, row, offset, line, 0);
    writeRow(o, resampled, 0);
  };
  return (data, offset, top, count) => {
    vertical.push(data, offset + x.begin * 3, storedWidth * 3, top, count, finishRow);
  };
}
