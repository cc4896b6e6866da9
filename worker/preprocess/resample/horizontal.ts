/** The pass along a stored row: RGB8 in, RGB8 out, only the kept outputs. */
import { type Axis, PRECISION_BITS } from './axis.ts';

const HALF = 1 << (PRECISION_BITS - 1);

/**
 * Resamples one row. `src[srcOffset]` is the first byte of stored px `axis.begin`;
 * `axis.count * 3` bytes are written from `dst[dstOffset]`, in stored order.
 */
export function resampleRow(
  axis: Axis,
  src: Uint8Array,
  srcOffset: number,
  dst: Uint8ClampedArray,
  dstOffset: number,
): void {
  if (axis.kind === 'copy') copyRow(axis, src, srcOffset, dst, dstOffset);
  else filterRow(axis, src, srcOffset, dst, dstOffset);
}

function copyRow(axis: Axis, src: Uint8Array, srcOffset: number, dst: Uint8ClampedArray, dstOffset: number): void {
  const { count, first, taps } = axis;
  const base = srcOffset - axis.begin * 3;
  let out = dstOffset;
  for (let o = 0; o < count; o++, out += 3) {
    if (taps[o] === 0) {
      dst[out] = 0;
      dst[out + 1] = 0;
      dst[out + 2] = 0;
      continue;
    }
    const from = base + first[o]! * 3;
    dst[out] = src[from]!;
    dst[out + 1] = src[from + 1]!;
    dst[out + 2] = src[from + 2]!;
  }
}

function filterRow(axis: Axis, src: Uint8Array, srcOffset: number, dst: Uint8ClampedArray, dstOffset: number): void {
  const { count, first, taps, weights, ksize } = axis;
  const base = srcOffset - axis.begin * 3;
  let out = dstOffset;
  for (let o = 0; o < count; o++, out += 3) {
    let from = base + first[o]! * 3;
    let k = o * ksize;
    const end = k + taps[o]!;
    let red = HALF;
    let green = HALF;
    let blue = HALF;
    for (; k < end; k++, from += 3) {
      const weight = weights[k]!;
      red = (red + Math.imul(weight, src[from]!)) | 0;
      green = (green + Math.imul(weight, src[from + 1]!)) | 0;
      blue = (blue + Math.imul(weight, src[from + 2]!)) | 0;
    }
    // A clamped array does the reference's clip8.
    dst[out] = red >> PRECISION_BITS;
    dst[out + 1] = green >> PRECISION_BITS;
    dst[out + 2] = blue >> PRECISION_BITS;
  }
}
