/**
 * PNG's scanline filters undone (PNG specification, section 9), reading only the samples that end in the picture.
 *
 * Filters work on each byte of a pixel alone, so alpha bytes and the low bytes of 16-bit samples need no undoing: a row
 * is read with the stride of its stored pixels and written packed, as 1 or 3 bytes a pixel.
 */
import { ImageError } from '../../errors.ts';

/**
 * Undoes the filter of one row of three-sample pixels.
 *
 * @param filter filter type, 0 to 4
 * @param source the filtered row, its first byte (behind the filter type) at `from`
 * @param stride bytes a stored pixel takes: 3, 4, 6 or 8
 * @param step bytes between two samples of a pixel: 1, or 2 where samples have 16 bits
 * @param rows the row goes to `rows[to ..]`, 3 bytes a pixel; the row above lies at `rows[above ..]`
 * @throws ImageError `corrupt_image` for an unknown filter type
 */
export function unfilterRgb(
  filter: number,
  source: Uint8Array,
  from: number,
  stride: number,
  step: number,
  rows: Uint8Array,
  above: number,
  to: number,
  width: number,
): void {
  const end = to + width * 3;
  let p = from;
  let r = 0;
  let g = 0;
  let b = 0;
  let up = above;
  switch (filter) {
    case 0:
      for (let o = to; o < end; o += 3, p += stride) {
        rows[o] = source[p]!;
        rows[o + 1] = source[p + step]!;
        rows[o + 2] = source[p + 2 * step]!;
      }
      return;
    case 1:
      for (let o = to; o < end; o += 3, p += stride) {
        r = (r + source[p]!) & 255;
        g = (g + source[p + step]!) & 255;
        b = (b + source[p + 2 * step]!) & 255;
        rows[o] = r;
        rows[o + 1] = g;
        rows[o + 2] = b;
      }
      return;
    case 2:
      for (let o = to; o < end; o += 3, p += stride, up += 3) {
        rows[o] = rows[up]! + source[p]!;
        rows[o + 1] = rows[up + 1]! + source[p + step]!;
        rows[o + 2] = rows[up + 2]! + source[p + 2 * step]!;
      }
      return;
    case 3:
      for (let o = to; o < end; o += 3, p += stride, up += 3) {
        r = (((r + rows[up]!) >> 1) + source[p]!) & 255;
        g = (((g + rows[up + 1]!) >> 1) + source[p + step]!) & 255;
        b = (((b + rows[up + 2]!) >> 1) + source[p + 2 * step]!) & 255;
        rows[o] = r;
        rows[o + 1] = g;
        rows[o + 2] = b;
      }
      return;
    case 4:
      unfilterPaethRgb(source, from, stride, step, rows, above, to, end);
      return;
    default:
      throw unknownFilter(filter);
  }
}

function unfilterPaethRgb(
  source: Uint8Array,
  from: number,
  stride: number,
  step: number,
  rows: Uint8Array,
  above: number,
  to: number,
  end: number,
): void {
  let p = from;
  let up = above;
  let r = 0;
  let g = 0;
  let b = 0;
  let upLeftR = 0;
  let upLeftG = 0;
  let upLeftB = 0;
  for (let o = to; o < end; o += 3, p += stride, up += 3) {
    const upR = rows[up]!;
    const upG = rows[up + 1]!;
    const upB = rows[up + 2]!;
    r = (source[p]! + paeth(r, upR, upLeftR)) & 255;
    g = (source[p + step]! + paeth(g, upG, upLeftG)) & 255;
    b = (source[p + 2 * step]! + paeth(b, upB, upLeftB)) & 255;
    rows[o] = r;
    rows[o + 1] = g;
    rows[o + 2] = b;
    upLeftR = upR;
    upLeftG = upG;
    upLeftB = upB;
  }
}

/**
 * Undoes the filter of one row of one-sample pixels, or of packed samples of fewer than 8 bits.
 *
 * @param filter filter type, 0 to 4
 * @param source the filtered row, its first byte (behind the filter type) at `from`
 * @param stride bytes a stored pixel takes: 1, 2 or 4
 * @param rows the row goes to `rows[to ..]`, 1 byte a pixel; the row above lies at `rows[above ..]`
 * @param count pixels, or bytes of packed samples
 * @throws ImageError `corrupt_image` for an unknown filter type
 */
export function unfilterGray(
  filter: number,
  source: Uint8Array,
  from: number,
  stride: number,
  rows: Uint8Array,
  above: number,
  to: number,
  count: number,
): void {
  const end = to + count;
  let p = from;
  let left = 0;
  let up = above;
  switch (filter) {
    case 0:
      for (let o = to; o < end; o++, p += stride) rows[o] = source[p]!;
      return;
    case 1:
      for (let o = to; o < end; o++, p += stride) {
        left = (left + source[p]!) & 255;
        rows[o] = left;
      }
      return;
    case 2:
      for (let o = to; o < end; o++, p += stride) rows[o] = rows[up++]! + source[p]!;
      return;
    case 3:
      for (let o = to; o < end; o++, p += stride) {
        left = (((left + rows[up++]!) >> 1) + source[p]!) & 255;
        rows[o] = left;
      }
      return;
    case 4: {
      let upLeft = 0;
      for (let o = to; o < end; o++, p += stride) {
        const above8 = rows[up++]!;
        left = (source[p]! + paeth(left, above8, upLeft)) & 255;
        rows[o] = left;
        upLeft = above8;
      }
      return;
    }
    default:
      throw unknownFilter(filter);
  }
}

/**
 * Of left, above and upper left, the one nearest to `left + up - upLeft`; ties go in that order.
 *
 * Where upper left lies between the two others, it is nearest; where it lies beyond them, the one farther from it is.
 * So the choice takes two comparisons with `3 * upLeft - left - up`, done by sign masks: photographs make a branch here
 * unpredictable, and it then takes three times as long.
 */
function paeth(left: number, up: number, upLeft: number): number {
  const threshold = 3 * upLeft - up - left;
  const swap = (left ^ up) & ((left - up) >> 31);
  const low = up ^ swap;
  const high = left ^ swap;
  const lowOrUpLeft = low ^ ((low ^ upLeft) & ((threshold - high) >> 31));
  return high ^ ((high ^ lowOrUpLeft) & ((low - threshold) >> 31));
}

function unknownFilter(filter: number): ImageError {
  return new ImageError('corrupt_image', `PNG row has filter type ${filter}; only 0 to 4 exist`);
}
