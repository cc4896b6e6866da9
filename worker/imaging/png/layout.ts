/** How a PNG's samples lie in memory: as stored, as undone from their filter, and as RGB8. */
import type { PngHeader } from './chunks.ts';

/** The arithmetic of one colour type and bit depth. */
export interface PixelLayout {
  /** Bits of a stored pixel, all samples and alpha. */
  readonly pixelBits: number;
  /** Bytes from one pixel to the next for filters; 1 where a byte holds several pixels. */
  readonly stride: number;
  /** Bytes between two samples of a pixel. */
  readonly step: number;
  /** True where a pixel has red, green and blue; false where it has one gray value or palette index. */
  readonly isRgb: boolean;
  /** Pixels in one stored byte: 8, 4, 2 or 1. */
  readonly pixelsPerByte: number;
  /** Bytes a pixel takes once its filter is undone and unneeded samples are gone: 3, or 1. */
  readonly sampleBytes: number;
}

const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

/** Samples of a stored pixel, alpha included; a palette index counts 1. */
export function samplesPerPixel(colorType: number): number {
  return SAMPLES[colorType]!;
}

/** Derives the layout from IHDR. */
export function pixelLayout(header: PngHeader): PixelLayout {
  const pixelBits = samplesPerPixel(header.colorType) * header.bitDepth;
  const isRgb = (header.colorType & 3) === 2;
  return {
    pixelBits,
    stride: Math.max(1, pixelBits >> 3),
    step: header.bitDepth === 16 ? 2 : 1,
    isRgb,
    pixelsPerByte: Math.max(1, 8 / header.bitDepth) | 0,
    sampleBytes: isRgb ? 3 : 1,
  };
}

/** Bytes of a stored row of `width` pixels, without its filter type. */
export function storedRowBytes(layout: PixelLayout, width: number): number {
  return Math.ceil((width * layout.pixelBits) / 8);
}

/**
 * Builds the table that turns one-sample pixels into RGB8.
 *
 * Gray of fewer than 8 bits is spread over 0..255. Palette indices without an entry are black, as in Pillow.
 *
 * @returns 256 entries of red, green, blue
 */
export function sampleColors(header: PngHeader): Uint8Array {
  const colors = new Uint8Array(768);
  if (header.colorType === 3) {
    const palette = header.palette ?? colors;
    colors.set(palette.subarray(0, Math.min(768, palette.length - (palette.length % 3))));
    return colors;
  }
  const scale = header.bitDepth < 8 ? 255 / ((1 << header.bitDepth) - 1) : 1;
  for (let value = 0; value < 256; value++) colors.fill(value * scale, value * 3, value * 3 + 3);
  return colors;
}

/** Unpacks samples of 1, 2 or 4 bits, high bits first, to one byte each. */
export function unpackSamples(
  packed: Uint8Array,
  from: number,
  bitDepth: number,
  samples: Uint8Array,
  to: number,
  count: number,
): void {
  const mask = (1 << bitDepth) - 1;
  let shift = 8 - bitDepth;
  let p = from;
  for (let o = to; o < to + count; o++) {
    samples[o] = (packed[p]! >> shift) & mask;
    shift -= bitDepth;
    if (shift < 0) {
      shift = 8 - bitDepth;
      p++;
    }
  }
}

/** Looks `count` one-byte samples up in `colors`. */
export function colorSamples(
  samples: Uint8Array,
  from: number,
  colors: Uint8Array,
  rgb: Uint8Array,
  to: number,
  count: number,
): void {
  let o = to;
  for (let i = from; i < from + count; i++) {
    const color = samples[i]! * 3;
    rgb[o] = colors[color]!;
    rgb[o + 1] = colors[color + 1]!;
    rgb[o + 2] = colors[color + 2]!;
    o += 3;
  }
}
