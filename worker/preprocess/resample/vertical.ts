/**
 * The pass across stored rows, streaming: rows come in once, top to bottom, and every finished output row is handed on.
 *
 * Three ways, chosen by the axis: `copy` hands rows through; `scatter` (shrinking) adds each row to the sums of the few
 * outputs it belongs to; `gather` (enlarging) keeps the last few rows and computes outputs from them. So the memory is
 * a handful of rows, whatever the picture's height.
 */
import { type Axis, type AxisBounds, PRECISION_BITS } from './axis.ts';
import { addRows, clipRow } from './row-sums.ts';

const HALF = 1 << (PRECISION_BITS - 1);

/** Takes output `o` (stored order): `rowBytes` samples at `row[offset]`, overwritten after the call. */
export type EmitRow = (o: number, row: Uint8Array, offset: number) => void;

/** A streaming vertical pass. */
export interface VerticalPass {
  /** True where stored row `y` is read at all. */
  needs(y: number): boolean;
  /** Rows `y .. y + count - 1`; row `y + i` is `rowBytes` samples at `data[offset + i * stride]`. */
  push(data: Uint8Array, offset: number, stride: number, y: number, count: number, emit: EmitRow): void;
}

function copyPass(axis: Axis): VerticalPass {
  const { count, first, taps } = axis;
  let asked = 0;
  let next = 0;
  return {
    needs(y) {
      while (asked < count && (taps[asked] === 0 || first[asked]! < y)) asked++;
      return asked < count && first[asked] === y;
    },
    push(data, offset, stride, y, rows, emit) {
      for (; next < count && (taps[next] === 0 || first[next]! < y + rows); next++) {
        if (taps[next] === 1) emit(next, data, offset + (first[next]! - y) * stride);
      }
    },
  };
}

/** Outputs that are begun but not finished at any one row, at most. */
function openOutputs(axis: Axis): number {
  let most = 1;
  let begun = 0;
  for (let o = 0; o < axis.count; o++) {
    const end = axis.first[o]! + axis.taps[o]!;
    while (begun < axis.count && axis.first[begun]! < end) begun++;
    most = Math.max(most, begun - o);
  }
  return most;
}

function scatterPass(axis: Axis, rowBytes: number): VerticalPass {
  const { count, first, taps, weights, ksize } = axis;
  const slots = openOutputs(axis);
  const sums = new Int32Array(slots * rowBytes);
  const clipped = new Uint8ClampedArray(rowBytes);
  const finished = new Uint8Array(clipped.buffer);
  let next = 0;
  return {
    needs: (y) => y >= axis.begin && y < axis.end,
    push(data, offset, stride, y, rows, emit) {
      const yEnd = y + rows;
      for (let o = next; o < count && first[o]! < yEnd; o++) {
        const begin = first[o]!;
        const end = begin + taps[o]!;
        const sum = (o % slots) * rowBytes;
        if (begin >= y) sums.fill(HALF, sum, sum + rowBytes);
        const from = Math.max(begin, y);
        const to = Math.min(end, yEnd);
        addRows(
          sums,
          sum,
          rowBytes,
          data,
          offset + (from - y) * stride,
          stride,
          weights,
          o * ksize + from - begin,
          to - from,
        );
        if (end <= yEnd) {
          clipRow(sums, sum, clipped, rowBytes);
          emit(o, finished, 0);
          next = o + 1;
        }
      }
    },
  };
}

function gatherPass(axis: Axis, rowBytes: number): VerticalPass {
  const { count, first, taps, weights, ksize } = axis;
  const ring = new Uint8Array(ksize * rowBytes);
  const sums = new Int32Array(rowBytes);
  const clipped = new Uint8ClampedArray(rowBytes);
  const finished = new Uint8Array(clipped.buffer);
  let next = 0;
  return {
    needs: (y) => y >= axis.begin && y < axis.end,
    push(data, offset, stride, y, rows, emit) {
      for (let i = 0; i < rows; i++) {
        const row = y + i;
        const from = offset + i * stride;
        ring.set(data.subarray(from, from + rowBytes), (row % ksize) * rowBytes);
        for (; next < count && first[next]! + taps[next]! - 1 === row; next++) {
          sums.fill(HALF);
          for (let t = 0; t < taps[next]!; t++) {
            const slot = ((first[next]! + t) % ksize) * rowBytes;
            addRows(sums, 0, rowBytes, ring, slot, 0, weights, next * ksize + t, 1);
          }
          clipRow(sums, 0, clipped, rowBytes);
          emit(next, finished, 0);
        }
      }
    },
  };
}

/** Starts a vertical pass over rows of `rowBytes` samples. */
export function createVerticalPass(axis: Axis, rowBytes: number): VerticalPass {
  if (axis.kind === 'copy') return copyPass(axis);
  return axis.enlarging ? gatherPass(axis, rowBytes) : scatterPass(axis, rowBytes);
}

/** Most bytes that `createVerticalPass` allocates for rows of `rowBytes` samples. */
export function verticalPassBytes(bounds: AxisBounds, rowBytes: number): number {
  if (bounds.kind === 'copy') return 0;
  return bounds.enlarging ? (bounds.ksize + 5) * rowBytes : (bounds.openOutputs * 4 + 1) * rowBytes;
}
