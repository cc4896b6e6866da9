/**
 * What each output px of one axis takes from the stored picture: fixed-point weights of a filter, or one px to copy.
 * Only the outputs that the crop keeps are computed, and they are listed in stored order, so that rows can stream.
 *
 * Source: Pillow 12.3 `Resample.c` (`precompute_coeffs`, `normalize_coeffs_8bpc`), `Geometry.c` (`ImagingScaleAffine`).
 */
import type { Resample } from '../config.ts';
import { RESAMPLE_FILTERS, type ResampleFilter } from './filters.ts';

/** Fraction bits of a weight: 8 bits of sample and 2 bits of overshoot leave 22 of 32. */
export const PRECISION_BITS = 32 - 8 - 2;

/** One axis, before it is tabulated. Sizes and positions in px. */
export interface AxisGeometry {
  /** Stored length. */
  readonly inSize: number;
  /** The part of the *upright* axis that is resampled; `0 .. inSize` but for a scaled decode that was rounded up. */
  readonly boxStart: number;
  readonly boxEnd: number;
  /** Length of the whole resized axis. */
  readonly outSize: number;
  /** Kept outputs: `keepStart .. keepStart + keepCount - 1`. */
  readonly keepStart: number;
  readonly keepCount: number;
  /** True where the stored axis runs against the upright one. */
  readonly mirrored: boolean;
}

/** One axis, tabulated. Output `o` (stored order) reads stored px `first[o] .. first[o] + taps[o] - 1`. */
export interface Axis {
  /** `copy`: `taps` is 1, or 0 where the output stays black; `weights` is empty. */
  readonly kind: 'copy' | 'filter';
  /** Kept outputs. */
  readonly count: number;
  readonly first: Int32Array;
  readonly taps: Int32Array;
  /** `[count, ksize]`, scaled by `2 ** PRECISION_BITS`. */
  readonly weights: Int32Array;
  readonly ksize: number;
  /** Stored px that are read: `begin .. end - 1`. */
  readonly begin: number;
  readonly end: number;
  /** True where output `o` is the upright output `count - 1 - o`. */
  readonly mirrored: boolean;
  /** True where the axis grows: few taps, many outputs a px. */
  readonly enlarging: boolean;
}

function withRange(axis: Omit<Axis, 'begin' | 'end'>): Axis {
  let begin = Number.MAX_SAFE_INTEGER;
  let end = 0;
  for (let o = 0; o < axis.count; o++) {
    const taps = axis.taps[o]!;
    if (taps === 0) continue;
    begin = Math.min(begin, axis.first[o]!);
    end = Math.max(end, axis.first[o]! + taps);
  }
  return { ...axis, begin: Math.min(begin, end), end };
}

/** What bounds the memory of an axis; known without tabulating it. */
export interface AxisBounds {
  readonly kind: 'copy' | 'filter';
  readonly enlarging: boolean;
  /** Taps of one output, at most. */
  readonly ksize: number;
  /** Outputs that share one stored px, at most. */
  readonly openOutputs: number;
  /** Bytes of the tables. */
  readonly tableBytes: number;
}

function boxScale({ boxStart, boxEnd, outSize }: AxisGeometry): number {
  return Math.fround(Math.fround(boxEnd) - Math.fround(boxStart)) / outSize;
}

function kernelOf(
  { boxStart, boxEnd, outSize }: AxisGeometry,
  resample: Resample | null,
): ResampleFilter | 'copy' | 'nearest' {
  if (resample === null || (Number.isInteger(boxStart) && boxEnd - boxStart === outSize)) return 'copy';
  return resample === 0 ? 'nearest' : RESAMPLE_FILTERS[resample];
}

function kernelSize(geometry: AxisGeometry, support: number): number {
  return Math.min(Math.ceil(support * Math.max(boxScale(geometry), 1)) * 2 + 1, geometry.inSize);
}

/** Bounds of what `buildAxis` and the passes allocate for the same arguments. */
export function axisBounds(geometry: AxisGeometry, resample: Resample | null): AxisBounds {
  const kernel = kernelOf(geometry, resample);
  const enlarging = boxScale(geometry) < 1;
  if (typeof kernel === 'string') {
    return { kind: 'copy', enlarging, ksize: 1, openOutputs: 1, tableBytes: geometry.keepCount * 8 };
  }
  const ksize = kernelSize(geometry, kernel.support);
  // Each stored px lies in the support of 2 * support outputs; one more for rounding.
  const openOutputs = Math.ceil(kernel.support * 2) + 1;
  const tableBytes = geometry.keepCount * (8 + ksize * 4) + ksize * 8;
  return { kind: 'filter', enlarging, ksize, openOutputs, tableBytes };
}

/** Copies px without resizing: the axis keeps its length. */
function copyAxis({ inSize, boxStart, keepStart, keepCount, mirrored }: AxisGeometry): Axis {
  const first = new Int32Array(keepCount);
  const offset = boxStart + keepStart;
  const base = mirrored ? inSize - offset - keepCount : offset;
  for (let o = 0; o < keepCount; o++) first[o] = base + o;
  const taps = new Int32Array(keepCount).fill(1);
  return withRange({
    kind: 'copy',
    count: keepCount,
    first,
    taps,
    weights: new Int32Array(0),
    ksize: 1,
    mirrored,
    enlarging: false,
  });
}

/** Nearest neighbour. The position is a running sum, as in the reference: a product would round differently. */
function nearestAxis(geometry: AxisGeometry): Axis {
  const { inSize, keepStart, keepCount, mirrored } = geometry;
  const first = new Int32Array(keepCount);
  const taps = new Int32Array(keepCount);
  const step = boxScale(geometry);
  let position = Math.fround(geometry.boxStart) + step * 0.5;
  for (let upright = 0; upright < keepStart + keepCount; upright++) {
    const source = position < 0 ? -1 : Math.trunc(position);
    if (upright >= keepStart && source >= 0 && source < inSize) {
      const o = mirrored ? keepStart + keepCount - 1 - upright : upright - keepStart;
      first[o] = mirrored ? inSize - 1 - source : source;
      taps[o] = 1;
    }
    position += step;
  }
  const weights = new Int32Array(0);
  return withRange({ kind: 'copy', count: keepCount, first, taps, weights, ksize: 1, mirrored, enlarging: step < 1 });
}

function filterAxis(geometry: AxisGeometry, filter: ResampleFilter): Axis {
  const { inSize, keepStart, keepCount, mirrored } = geometry;
  const boxStart = Math.fround(geometry.boxStart);
  const scale = boxScale(geometry);
  const filterScale = Math.max(scale, 1);
  const support = filter.support * filterScale;
  const ksize = kernelSize(geometry, filter.support);
  const inverseScale = 1 / filterScale;
  const first = new Int32Array(keepCount);
  const taps = new Int32Array(keepCount);
  const weights = new Int32Array(keepCount * ksize);
  const exact = new Float64Array(ksize);
  for (let kept = 0; kept < keepCount; kept++) {
    const center = boxStart + (keepStart + kept + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(center - support + 0.5));
    const count = Math.min(inSize, Math.trunc(center + support + 0.5)) - begin;
    let sum = 0;
    for (let x = 0; x < count; x++) {
      const weight = filter.weight((x + begin - center + 0.5) * inverseScale);
      exact[x] = weight;
      sum += weight;
    }
    const o = mirrored ? keepCount - 1 - kept : kept;
    first[o] = mirrored ? inSize - begin - count : begin;
    taps[o] = count;
    for (let x = 0; x < count; x++) {
      const scaled = (sum === 0 ? exact[x]! : exact[x]! / sum) * (1 << PRECISION_BITS);
      // The assignment truncates towards zero, so this rounds halves away from zero.
      weights[o * ksize + (mirrored ? count - 1 - x : x)] = scaled < 0 ? scaled - 0.5 : scaled + 0.5;
    }
  }
  const enlarging = scale < 1;
  return withRange({ kind: 'filter', count: keepCount, first, taps, weights, ksize, mirrored, enlarging });
}

/**
 * Tabulates one axis. `resample` null means that the picture keeps its size.
 * Where only the other axis changes, this one is copied, as Pillow does.
 */
export function buildAxis(geometry: AxisGeometry, resample: Resample | null): Axis {
  const kernel = kernelOf(geometry, resample);
  if (kernel === 'copy') return copyAxis(geometry);
  return kernel === 'nearest' ? nearestAxis(geometry) : filterAxis(geometry, kernel);
}
