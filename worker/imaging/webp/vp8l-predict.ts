/**
 * The predictor transform of VP8L, undone one row at a time (RFC 9649, section 4.1; libwebp src/dsp/lossless.c
 * `PredictorInverseTransform_C`).
 */
import { addPixels, type Vp8lTransform } from './vp8l-transforms.ts';

/** Opaque black. */
const BLACK = 0xff000000 | 0;

/**
 * Undoes the prediction of row `y`.
 *
 * @param from residuals, at `at`
 * @param above the row above as this function left it, `width + 1` elements; not read where `y` is 0
 * @param to out, `width + 1` elements: the last one is scratch
 */
export function addPrediction(
  transform: Vp8lTransform,
  y: number,
  from: Int32Array,
  at: number,
  above: Int32Array,
  to: Int32Array,
): void {
  const { bits, width, data } = transform;
  if (y === 0) {
    to[0] = addPixels(from[at]!, BLACK);
    addLeft(from, at, to, 1, width);
    return;
  }
  to[0] = addPixels(from[at]!, above[0]!);
  // Right of the last pixel above lies, in memory, the first one of this row.
  above[width] = to[0]!;
  const tileSize = 1 << bits;
  let tile = (y >> bits) * ((width + tileSize - 1) >> bits);
  for (let x = 1; x < width; tile++) {
    const end = Math.min((x & -tileSize) + tileSize, width);
    addMode((data[tile]! >> 8) & 0xf, from, at, above, to, x, end);
    x = end;
  }
}

/** Pixels `x .. end - 1` of one tile. */
function addMode(
  mode: number,
  from: Int32Array,
  at: number,
  above: Int32Array,
  to: Int32Array,
  x: number,
  end: number,
): void {
  let left = to[x - 1]!;
  switch (mode) {
    case 1:
      addLeft(from, at, to, x, end);
      break;
    case 2:
      for (let i = x; i < end; i++) to[i] = addPixels(from[at + i]!, above[i]!);
      break;
    case 3:
      for (let i = x; i < end; i++) to[i] = addPixels(from[at + i]!, above[i + 1]!);
      break;
    case 4:
      for (let i = x; i < end; i++) to[i] = addPixels(from[at + i]!, above[i - 1]!);
      break;
    case 5:
      for (let i = x; i < end; i++) {
        left = addPixels(from[at + i]!, average(average(left, above[i + 1]!), above[i]!));
        to[i] = left;
      }
      break;
    case 6:
      for (let i = x; i < end; i++) {
        left = addPixels(from[at + i]!, average(left, above[i - 1]!));
        to[i] = left;
      }
      break;
    case 7:
      for (let i = x; i < end; i++) {
        left = addPixels(from[at + i]!, average(left, above[i]!));
        to[i] = left;
      }
      break;
    case 8:
      for (let i = x; i < end; i++) to[i] = addPixels(from[at + i]!, average(above[i - 1]!, above[i]!));
      break;
    case 9:
      for (let i = x; i < end; i++) to[i] = addPixels(from[at + i]!, average(above[i]!, above[i + 1]!));
      break;
    case 10:
      for (let i = x; i < end; i++) {
        const mean = average(average(left, above[i - 1]!), average(above[i]!, above[i + 1]!));
        left = addPixels(from[at + i]!, mean);
        to[i] = left;
      }
      break;
    case 11:
      for (let i = x; i < end; i++) {
        left = addPixels(from[at + i]!, select(above[i]!, left, above[i - 1]!));
        to[i] = left;
      }
      break;
    case 12:
      for (let i = x; i < end; i++) {
        left = addPixels(from[at + i]!, clampedAddSubtractFull(left, above[i]!, above[i - 1]!));
        to[i] = left;
      }
      break;
    case 13:
      for (let i = x; i < end; i++) {
        left = addPixels(from[at + i]!, clampedAddSubtractHalf(average(left, above[i]!), above[i - 1]!));
        to[i] = left;
      }
      break;
    default:
      for (let i = x; i < end; i++) to[i] = addPixels(from[at + i]!, BLACK);
  }
}

function addLeft(from: Int32Array, at: number, to: Int32Array, x: number, end: number): void {
  let left = to[x - 1]!;
  for (let i = x; i < end; i++) {
    left = addPixels(from[at + i]!, left);
    to[i] = left;
  }
}

/** Mean of two pixels byte by byte, rounded down. */
function average(a: number, b: number): number {
  return ((((a ^ b) & 0xfefefefe) >>> 1) + (a & b)) | 0;
}

/** Whichever of `top` and `left` is nearer to `left + top - corner`, over all four bytes. */
function select(top: number, left: number, corner: number): number {
  const nearness =
    nearnessOf(top >>> 24, left >>> 24, corner >>> 24) +
    nearnessOf((top >> 16) & 0xff, (left >> 16) & 0xff, (corner >> 16) & 0xff) +
    nearnessOf((top >> 8) & 0xff, (left >> 8) & 0xff, (corner >> 8) & 0xff) +
    nearnessOf(top & 0xff, left & 0xff, corner & 0xff);
  return nearness <= 0 ? top : left;
}

function nearnessOf(top: number, left: number, corner: number): number {
  return Math.abs(left - corner) - Math.abs(top - corner);
}

/** `left + top - corner`, each byte clamped. */
function clampedAddSubtractFull(left: number, top: number, corner: number): number {
  return (
    (clampByte((left >>> 24) + (top >>> 24) - (corner >>> 24)) << 24) |
    (clampByte(((left >> 16) & 0xff) + ((top >> 16) & 0xff) - ((corner >> 16) & 0xff)) << 16) |
    (clampByte(((left >> 8) & 0xff) + ((top >> 8) & 0xff) - ((corner >> 8) & 0xff)) << 8) |
    clampByte((left & 0xff) + (top & 0xff) - (corner & 0xff))
  );
}

/** `mean + (mean - corner) / 2`, rounded towards zero, each byte clamped. */
function clampedAddSubtractHalf(mean: number, corner: number): number {
  return (
    (addHalf(mean >>> 24, corner >>> 24) << 24) |
    (addHalf((mean >> 16) & 0xff, (corner >> 16) & 0xff) << 16) |
    (addHalf((mean >> 8) & 0xff, (corner >> 8) & 0xff) << 8) |
    addHalf(mean & 0xff, corner & 0xff)
  );
}

function addHalf(mean: number, corner: number): number {
  const difference = mean - corner;
  return clampByte(mean + ((difference + (difference >>> 31)) >> 1));
}

function clampByte(value: number): number {
  return value < 0 ? 0 : Math.min(value, 255);
}
