/**
 * Pillow's resampling kernels: a support in px of the output grid, and the weight at a distance.
 *
 * Source: Pillow 12.3 `src/libImaging/Resample.c`.
 */

/** One kernel. */
export interface ResampleFilter {
  /** Half width, in px at scale 1. */
  readonly support: number;
  /** Weight at distance `x`, unnormalised. */
  weight(x: number): number;
}

function sinc(x: number): number {
  if (x === 0) return 1;
  const angle = x * Math.PI;
  return Math.sin(angle) / angle;
}

const BOX: ResampleFilter = {
  support: 0.5,
  weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0),
};

const BILINEAR: ResampleFilter = {
  support: 1,
  weight: (x) => Math.max(0, 1 - Math.abs(x)),
};

// The C source writes these two as float literals.
const HAMMING_BASE = Math.fround(0.54);
const HAMMING_SWING = Math.fround(0.46);

const HAMMING: ResampleFilter = {
  support: 1,
  weight(x) {
    const distance = Math.abs(x);
    if (distance >= 1) return 0;
    return sinc(distance) * (HAMMING_BASE + HAMMING_SWING * Math.cos(distance * Math.PI));
  },
};

/** Keys' cubic convolution with a = -1/2. */
const BICUBIC: ResampleFilter = {
  support: 2,
  weight(x) {
    const a = -0.5;
    const d = Math.abs(x);
    if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
    if (d < 2) return (((d - 5) * d + 8) * d - 4) * a;
    return 0;
  },
};

const LANCZOS: ResampleFilter = {
  support: 3,
  weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0),
};

/** Kernels by PIL filter number; 0 (nearest) has none. */
export const RESAMPLE_FILTERS = { 1: LANCZOS, 2: BILINEAR, 3: BICUBIC, 4: BOX, 5: HAMMING } as const;
