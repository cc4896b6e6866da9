/**
 * Inverse transforms of VP8L but prediction, one row at a time (RFC 9649, section 4; libwebp src/dsp/lossless.c).
 */

/** Transform types as coded (section 4). */
export const PREDICTOR_TRANSFORM = 0;
export const CROSS_COLOR_TRANSFORM = 1;
export const SUBTRACT_GREEN_TRANSFORM = 2;
export const COLOR_INDEXING_TRANSFORM = 3;

/** A transform as read from the stream. */
export interface Vp8lTransform {
  readonly type: number;
  /** Tiles are `1 << bits` px square; colour indexing: `1 << bits` indices share a pixel. */
  readonly bits: number;
  /** Width of its output, px. */
  readonly width: number;
  /** Predictor modes, colour multipliers, or the palette. */
  readonly data: Int32Array;
}

/** Green was subtracted from red and blue: adds it back. */
export function addGreen(from: Int32Array, at: number, to: Int32Array, width: number): void {
  for (let x = 0; x < width; x++) {
    const argb = from[at + x]!;
    const green = (argb >> 8) & 0xff;
    to[x] = (argb & 0xff00ff00) | (((argb & 0x00ff00ff) + green * 0x10001) & 0x00ff00ff);
  }
}

/** Undoes the colour transform of row `y` (section 4.2). */
export function addCrossColor(transform: Vp8lTransform, y: number, from: Int32Array, at: number, to: Int32Array): void {
  const { bits, width, data } = transform;
  const tileSize = 1 << bits;
  let tile = (y >> bits) * ((width + tileSize - 1) >> bits);
  for (let x = 0; x < width; tile++) {
    const multipliers = data[tile]!;
    const greenToRed = (multipliers << 24) >> 24;
    const greenToBlue = (multipliers << 16) >> 24;
    const redToBlue = (multipliers << 8) >> 24;
    const end = Math.min(x + tileSize, width);
    for (; x < end; x++) {
      const argb = from[at + x]!;
      const green = (argb << 16) >> 24;
      const red = ((argb >> 16) + (Math.imul(greenToRed, green) >> 5)) & 0xff;
      const blue =
        (argb + (Math.imul(greenToBlue, green) >> 5) + (Math.imul(redToBlue, (red << 24) >> 24) >> 5)) & 0xff;
      to[x] = (argb & 0xff00ff00) | (red << 16) | blue;
    }
  }
}

/** Replaces palette indices by colours (section 4.4). `from` may be `to`: it works from right to left. */
export function lookUpColors(transform: Vp8lTransform, from: Int32Array, at: number, to: Int32Array): void {
  const { bits, width, data } = transform;
  if (bits === 0) {
    for (let x = 0; x < width; x++) to[x] = data[(from[at + x]! >> 8) & 0xff]!;
    return;
  }
  const indexBits = 8 >> bits;
  const mask = (1 << indexBits) - 1;
  const inPixel = (1 << bits) - 1;
  for (let x = width - 1; x >= 0; x--) {
    const packed = from[at + (x >> bits)]! >> 8;
    to[x] = data[(packed >> ((x & inPixel) * indexBits)) & mask]!;
  }
}

/**
 * Palette of a colour indexing transform: stored as differences, byte by byte; indices past its end are transparent
 * black (libwebp `ExpandColorMap`).
 *
 * @param deltas the palette as coded
 * @param bits as in `Vp8lTransform`
 */
export function expandPalette(deltas: Int32Array, bits: number): Int32Array {
  const palette = new Int32Array(1 << (8 >> bits));
  let color = 0;
  for (let i = 0; i < deltas.length; i++) {
    color = addPixels(color, deltas[i]!);
    palette[i] = color;
  }
  return palette;
}

/** Adds two ARGB pixels byte by byte. */
export function addPixels(a: number, b: number): number {
  return (((a & 0xff00ff00) + (b & 0xff00ff00)) & 0xff00ff00) | (((a & 0x00ff00ff) + (b & 0x00ff00ff)) & 0x00ff00ff);
}
