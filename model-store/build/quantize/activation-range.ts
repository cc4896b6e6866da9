/**
 * Chooses what an activation's 8 bits stand for, by least squared error over a histogram. Pure arithmetic.
 */
import type { Histogram } from './histogram.ts';

/** Real value = (quantized - zeroPoint) * scale, quantized from 0 to 255. */
export interface Quantization {
  readonly scale: number;
  /** 0 to 255. */
  readonly zeroPoint: number;
}

/** A chosen range and what it costs. */
export interface ActivationRange {
  readonly min: number;
  readonly max: number;
  /** Root of the mean squared error over the root of the mean square. */
  readonly relativeError: number;
}

/** Steps of the search: each threshold is tried from the whole range down to 1/128 of it. */
const SEARCH_STEPS = 128;

/** The 8-bit grid from `min` to `max`, widened so that zero is one of its points: padding must be exact. */
export function quantizationOf(min: number, max: number): Quantization {
  const low = Math.min(min, 0);
  const high = Math.max(max, 0);
  if (low === high) return { scale: 1, zeroPoint: 0 };
  const scale = Math.fround((high - low) / 255);
  return { scale, zeroPoint: Math.min(255, Math.max(0, Math.round(-low / scale))) };
}

/**
 * The range whose 8-bit grid has the least squared error: what lies outside is clipped. Behind a ReLU the grid begins at
 * zero, because the values do.
 */
export function chooseActivationRange(histogram: Histogram): ActivationRange {
  const { counts, binWidth } = histogram;
  const low = Math.min(0, histogram.min);
  const high = Math.max(0, histogram.max);
  let power = 0;
  for (let bin = 0; bin < counts.length; bin++) power += counts[bin]! * binCentre(bin, counts.length, binWidth) ** 2;
  if (power === 0) return { min: low, max: high, relativeError: 0 };
  let best = { min: low, max: high, error: squaredError(histogram, low, high) };
  // The two ends depend on each other only through the step: a second round settles them.
  for (let round = 0; round < 2; round++) {
    const { min } = best;
    for (let step = 1; step < SEARCH_STEPS; step++) {
      best = better(best, histogram, min, (high * step) / SEARCH_STEPS);
    }
    const { max } = best;
    for (let step = 1; step < SEARCH_STEPS && low < 0; step++) {
      best = better(best, histogram, (low * step) / SEARCH_STEPS, max);
    }
  }
  return { min: best.min, max: best.max, relativeError: Math.sqrt(best.error / power) };
}

interface Candidate {
  readonly min: number;
  readonly max: number;
  readonly error: number;
}

function better(best: Candidate, histogram: Histogram, min: number, max: number): Candidate {
  if (min === max) return best;
  const error = squaredError(histogram, min, max);
  return error < best.error ? { min, max, error } : best;
}

/** Sum of squared errors of the counted values. */
function squaredError({ counts, binWidth }: Histogram, min: number, max: number): number {
  const { scale, zeroPoint } = quantizationOf(min, max);
  let error = 0;
  for (let bin = 0; bin < counts.length; bin++) {
    const count = counts[bin]!;
    if (count === 0) continue;
    const value = binCentre(bin, counts.length, binWidth);
    const quantized = Math.min(255, Math.max(0, Math.round(value / scale) + zeroPoint));
    const clippedOrRounded = (quantized - zeroPoint) * scale - value;
    // Within the grid the centres of narrow bins hit it at random; a uniform error of one step is what that averages to.
    const isInside = quantized > 0 && quantized < 255;
    error += count * (isInside ? (scale * scale) / 12 : clippedOrRounded ** 2);
  }
  return error;
}

function binCentre(bin: number, bins: number, binWidth: number): number {
  return (bin + 0.5 - bins / 2) * binWidth;
}
