/**
 * The grid that pixel values lie on: 8-bit samples, rescaled and normalised, lose nothing when they become 8 bits again.
 * Pure arithmetic.
 */
import type { Normalization } from '../graph/normalization.ts';
import type { Quantization } from './activation-range.ts';

/** Real pixel value = sample * step + offset, the same for every channel. */
export interface PixelGrid {
  readonly step: number;
  readonly offset: number;
}

/** The grid of a processor's pixel values; null where the channels have different ones. */
export function pixelGrid({ rescaleFactor, normalize }: Normalization): PixelGrid | null {
  const factor = rescaleFactor ?? 1;
  if (normalize === null) return { step: factor, offset: 0 };
  const [mean, std] = [normalize.mean[0]!, normalize.std[0]!];
  if (normalize.mean.some((value) => value !== mean) || normalize.std.some((value) => value !== std)) return null;
  return { step: factor / std, offset: (0 - mean) / std };
}

/** How to get the samples back: add `shift`, then quantize. */
export interface PixelQuantization extends Quantization {
  readonly shift: number;
}

/**
 * A quantization whose 256 steps are the 256 samples. The real zero rarely is a sample (with mean 0.5 it lies halfway
 * between 127 and 128): the values are shifted by the rest, which a kernel whose weights sum to zero does not see.
 * Null where zero is not within the samples, so that padding could not be told.
 */
export function quantizePixels({ step, offset }: PixelGrid): PixelQuantization | null {
  const zero = (0 - offset) / step;
  const zeroPoint = Math.round(zero);
  if (!(step > 0) || zeroPoint < 0 || zeroPoint > 255) return null;
  return { scale: Math.fround(step), zeroPoint, shift: (zero - zeroPoint) * step };
}
