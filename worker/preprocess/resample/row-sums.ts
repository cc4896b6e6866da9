/** The inner loops of the vertical pass: weighted rows into 32-bit sums, and sums back to 8 bits. */
import { PRECISION_BITS } from './axis.ts';

/**
 * `sums[sum + i] += weights[k + r] * data[offset + r * stride + i]` for `r < rows`, `i < length`.
 * Four rows at a time: the sums are loaded and stored once for all of them.
 */
export function addRows(
  sums: Int32Array,
  sum: number,
  length: number,
  data: Uint8Array,
  offset: number,
  stride: number,
  weights: Int32Array,
  k: number,
  rows: number,
): void {
  let r = 0;
  for (; r + 4 <= rows; r += 4) {
    const a = offset + r * stride;
    const b = a + stride;
    const c = b + stride;
    const d = c + stride;
    const wa = weights[k + r]!;
    const wb = weights[k + r + 1]!;
    const wc = weights[k + r + 2]!;
    const wd = weights[k + r + 3]!;
    for (let i = 0; i < length; i++) {
      sums[sum + i] =
        sums[sum + i]! +
        Math.imul(wa, data[a + i]!) +
        Math.imul(wb, data[b + i]!) +
        Math.imul(wc, data[c + i]!) +
        Math.imul(wd, data[d + i]!);
    }
  }
  for (; r < rows; r++) {
    const a = offset + r * stride;
    const wa = weights[k + r]!;
    for (let i = 0; i < length; i++) sums[sum + i] = sums[sum + i]! + Math.imul(wa, data[a + i]!);
  }
}

/** Rounded sums (half is already in them) to samples, clipped to 0 .. 255 by the clamped array. */
export function clipRow(sums: Int32Array, sum: number, out: Uint8ClampedArray, length: number): void {
  for (let i = 0; i < length; i++) out[i] = sums[sum + i]! >> PRECISION_BITS;
}
