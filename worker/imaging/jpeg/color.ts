/**
 * From component samples to RGB8, one row at a time.
 *
 * YCbCr is bit-exact with libjpeg-turbo jdcolor.c (`ycc_rgb_convert`, `ycck_cmyk_convert`); CMYK becomes RGB the way Pillow
 * does it: always taken as Adobe's inverted CMYK (`CMYK;I`), then `cmyk2rgb` of its Convert.c.
 */
import type { MarkerReader } from './marker-reader.ts';

/** What the components of a file mean. */
export type ColorSpace = 'grayscale' | 'rgb' | 'ycbcr' | 'cmyk' | 'ycck';

/**
 * Guesses the colour space from what the headers say.
 * Source: libjpeg-turbo jdapimin.c `default_decompress_parms`.
 */
export function guessColorSpace(headers: MarkerReader): ColorSpace {
  const components = headers.frame?.components ?? [];
  const { adobeTransform } = headers;
  if (components.length === 1) return 'grayscale';
  if (components.length === 4) {
    return adobeTransform === undefined || adobeTransform === 0 ? 'cmyk' : 'ycck';
  }
  if (headers.sawJfif) return 'ycbcr';
  if (adobeTransform !== undefined) return adobeTransform === 0 ? 'rgb' : 'ycbcr';
  // No marker: the ids 'R', 'G', 'B' say RGB, all others are taken for YCbCr.
  const [first, second, third] = components;
  return first?.id === 0x52 && second?.id === 0x47 && third?.id === 0x42 ? 'rgb' : 'ycbcr';
}

// Constants of ITU-R BT.601 in 16-bit fixed point: 1.40200, 1.77200, 0.71414, 0.34414.
const CR_TO_R = 91881;
const CB_TO_B = 116130;
const CR_TO_G = 46802;
const CB_TO_G = 22554;
const HALF = 1 << 15;

/** Samples of one component of a row: where they are. */
export interface RowSource {
  samples: Uint8ClampedArray;
  at: number;
}

/** Writes one row of `width` pixels, RGB8, to `out` from `to` on. */
export type RowConverter = (sources: readonly RowSource[], width: number, out: Uint8ClampedArray, to: number) => void;

/** The converter of a colour space. */
export function rowConverter(space: ColorSpace): RowConverter {
  switch (space) {
    case 'grayscale':
      return grayscaleRow;
    case 'rgb':
      return rgbRow;
    case 'ycbcr':
      return ycbcrRow;
    case 'cmyk':
      return cmykRow;
    case 'ycck':
      return ycckRow;
  }
}

function grayscaleRow(sources: readonly RowSource[], width: number, out: Uint8ClampedArray, to: number): void {
  const { samples, at } = sources[0]!;
  for (let i = 0, o = to; i < width; i++, o += 3) {
    const value = samples[at + i]!;
    out[o] = value;
    out[o + 1] = value;
    out[o + 2] = value;
  }
}

function rgbRow(sources: readonly RowSource[], width: number, out: Uint8ClampedArray, to: number): void {
  for (let c = 0; c < 3; c++) {
    const { samples, at } = sources[c]!;
    for (let i = 0, o = to + c; i < width; i++, o += 3) out[o] = samples[at + i]!;
  }
}

function ycbcrRow(sources: readonly RowSource[], width: number, out: Uint8ClampedArray, to: number): void {
  const { samples: ys, at: y0 } = sources[0]!;
  const { samples: cbs, at: cb0 } = sources[1]!;
  const { samples: crs, at: cr0 } = sources[2]!;
  for (let i = 0, o = to; i < width; i++, o += 3) {
    const y = ys[y0 + i]!;
    const cb = cbs[cb0 + i]! - 128;
    const cr = crs[cr0 + i]! - 128;
    out[o] = y + ((CR_TO_R * cr + HALF) >> 16);
    out[o + 1] = y + ((HALF - CB_TO_G * cb - CR_TO_G * cr) >> 16);
    out[o + 2] = y + ((CB_TO_B * cb + HALF) >> 16);
  }
}

function cmykRow(sources: readonly RowSource[], width: number, out: Uint8ClampedArray, to: number): void {
  const { samples: ks, at: k0 } = sources[3]!;
  for (let c = 0; c < 3; c++) {
    const { samples, at } = sources[c]!;
    for (let i = 0, o = to + c; i < width; i++, o += 3) out[o] = inkToLight(255 - samples[at + i]!, ks[k0 + i]!);
  }
}

function ycckRow(sources: readonly RowSource[], width: number, out: Uint8ClampedArray, to: number): void {
  // libjpeg makes CMY = 255 - RGB of YCbCr, Pillow inverts that again: what is left to invert is RGB itself.
  ycbcrRow(sources, width, out, to);
  const { samples: ks, at: k0 } = sources[3]!;
  for (let i = 0, o = to; i < width; i++, o += 3) {
    const white = ks[k0 + i]!;
    out[o] = inkToLight(out[o]!, white);
    out[o + 1] = inkToLight(out[o + 1]!, white);
    out[o + 2] = inkToLight(out[o + 2]!, white);
  }
}

/** `white - ink * white / 255`, rounded as Pillow's `MULDIV255` does. */
function inkToLight(ink: number, white: number): number {
  const product = ink * white + 128;
  return white - (((product >> 8) + product) >> 8);
}
