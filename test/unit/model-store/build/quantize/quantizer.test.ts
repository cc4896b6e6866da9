import { describe, expect, test } from 'vitest';
import { chooseActivationRange, quantizationOf } from '../../../../../model-store/build/quantize/activation-range.ts';
import { Histogram } from '../../../../../model-store/build/quantize/histogram.ts';
import { pixelGrid, quantizePixels } from '../../../../../model-store/build/quantize/pixel-grid.ts';
import { quantizeWeights } from '../../../../../model-store/build/quantize/quantize-weights.ts';

/** Numbers that look random and are the same every time (a linear congruential generator), from -1 to 1. */
function pseudoRandom(count: number): Float32Array {
  let state = 12345;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

/** Root mean square of what 8 bits lose. */
function quantizationError(values: Float32Array, min: number, max: number): number {
  const { scale, zeroPoint } = quantizationOf(min, max);
  let error = 0;
  for (const value of values) {
    const quantized = Math.min(255, Math.max(0, Math.round(value / scale) + zeroPoint));
    error += ((quantized - zeroPoint) * scale - value) ** 2;
  }
  return Math.sqrt(error / values.length);
}

describe('Histogram', () => {
  test('keeps every count when larger values widen it', () => {
    const histogram = new Histogram();
    histogram.add(Float32Array.of(0, 0, 0));
    histogram.add(Float32Array.of(0.3, -0.3));
    histogram.add(Float32Array.of(5, -17));
    expect(histogram.total).toBe(7);
    expect(histogram.limit).toBe(32);
    expect([histogram.min, histogram.max]).toEqual([-17, 5]);
    const valueOfBin = (bin: number): number => (bin - histogram.counts.length / 2) * histogram.binWidth;
    const bins = [...histogram.counts].flatMap((count, bin) => (count > 0 ? [[valueOfBin(bin), count]] : []));
    for (const [index, value] of [-17, -0.3, 0, 0.3, 5].entries()) {
      expect(Math.abs(bins[index]![0]! - value)).toBeLessThanOrEqual(histogram.binWidth);
    }
    expect(bins.map(([, count]) => count)).toEqual([1, 1, 3, 1, 1]);
  });
});

describe('activation ranges', () => {
  test('zero is always a point of the grid', () => {
    for (const [min, max] of [
      [-1, 1],
      [-0.17, 3],
      [0.5, 2],
      [-2, -1],
      [0, 0],
    ] as const) {
      const { scale, zeroPoint } = quantizationOf(min, max);
      expect(zeroPoint).toBe(Math.round(zeroPoint));
      expect(zeroPoint).toBeGreaterThanOrEqual(0);
      expect(zeroPoint).toBeLessThanOrEqual(255);
      expect((0 - zeroPoint) * scale).toBeLessThanOrEqual(0);
      expect((255 - zeroPoint) * scale).toBeGreaterThanOrEqual(0);
    }
  });

  test('a rectified activation uses all 256 steps for what is positive', () => {
    const histogram = new Histogram();
    histogram.add(pseudoRandom(10_000).map((value) => Math.max(0, value)));
    const { min, max } = chooseActivationRange(histogram);
    expect(min).toBe(0);
    expect(max).toBeGreaterThan(0.98);
  });

  test('a rare outlier is clipped where that loses less, and the range beats the whole one', () => {
    const values = pseudoRandom(1_000_000);
    values[7] = 6;
    const histogram = new Histogram();
    histogram.add(values);
    const { min, max, relativeError } = chooseActivationRange(histogram);
    expect(max).toBeLessThan(3);
    const chosen = quantizationError(values, min, max);
    expect(chosen).toBeLessThan(quantizationError(values, -1, 6));
    for (const share of [0.8, 0.9, 1.1, 1.25]) {
      expect(chosen).toBeLessThan(quantizationError(values, min * share, max * share) * 1.02);
    }
    expect(relativeError).toBeCloseTo(chosen / Math.sqrt(1 / 3), 3);
  });
});

describe('weights', () => {
  test('are within half a step of the float weights, or clipped at the end of the grid', () => {
    const weights = pseudoRandom(8 * 36);
    const { data, scales, relativeError } = quantizeWeights(weights, 8, { mean: [0, 0, 0, 0], power: [1, 1, 1, 1] });
    let error = 0;
    let power = 0;
    for (const [index, weight] of weights.entries()) {
      const scale = scales[Math.floor(index / 36)]!;
      const delta = (data[index]! - 128) * scale - weight;
      if (data[index]! > 0 && data[index]! < 255) expect(Math.abs(delta)).toBeLessThanOrEqual(scale * 0.5001);
      error += delta ** 2;
      power += weight ** 2;
    }
    expect(relativeError).toBeCloseTo(Math.sqrt(error / power), 5);
    expect(relativeError).toBeLessThan(0.01);
  });

  test('clip an outlier that is multiplied with nothing, and keep it where its input is strong', () => {
    const weights = pseudoRandom(64);
    weights[10] = 1.9;
    const power = new Array<number>(64).fill(1);
    const end = (inputPower: number[]): number => {
      const mean = new Array<number>(64).fill(0);
      return quantizeWeights(weights, 1, { mean, power: inputPower }).scales[0]! * 127;
    };
    power[10] = 0;
    expect(end(power)).toBeLessThan(1.3);
    power[10] = 100;
    expect(end(power)).toBeGreaterThan(1.85);
  });

  test('errors cancel in the mean, each weight staying on one of its two neighbours', () => {
    const weights = pseudoRandom(4 * 90);
    const mean = Array.from({ length: 10 }, (_, channel) => 0.5 + 0.1 * channel);
    const power = mean.map((value) => 2 * value * value);
    const meanError = (quantized: ReturnType<typeof quantizeWeights>, channel: number): number => {
      let sum = 0;
      for (let i = 0; i < 90; i++) {
        const index = channel * 90 + i;
        const delta = (quantized.data[index]! - 128) * quantized.scales[channel]! - weights[index]!;
        sum += delta * mean[Math.floor(i / 9)]!;
      }
      return Math.abs(sum) / quantized.scales[channel]!;
    };
    const plain = quantizeWeights(weights, 4, { mean: mean.map(() => 0), power });
    const corrected = quantizeWeights(weights, 4, { mean, power });
    for (let channel = 0; channel < 4; channel++) {
      expect(meanError(corrected, channel)).toBeLessThan(0.75);
      expect(corrected.scales[channel]).toBe(plain.scales[channel]);
    }
    const total = (quantized: typeof plain): number =>
      [0, 1, 2, 3].reduce((sum, c) => sum + meanError(quantized, c), 0);
    expect(total(corrected)).toBeLessThan(total(plain) / 3);
    for (const [index, weight] of weights.entries()) {
      const scale = corrected.scales[Math.floor(index / 90)]!;
      if (corrected.data[index]! > 0 && corrected.data[index]! < 255) {
        expect(Math.abs((corrected.data[index]! - 128) * scale - weight)).toBeLessThan(scale);
      }
    }
  });

  test('an all-zero kernel stays zero', () => {
    const { data, scales, relativeError } = quantizeWeights(new Float32Array(16), 2, { mean: [1, 1], power: [1, 1] });
    expect([...new Set(data)]).toEqual([128]);
    expect(scales.every((scale) => scale > 0)).toBe(true);
    expect(relativeError).toBe(0);
  });
});

describe('the pixel grid', () => {
  const processor = { rescaleFactor: 1 / 255, normalize: { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] } };

  test('gives back every sample exactly', () => {
    const { scale, zeroPoint, shift } = quantizePixels(pixelGrid(processor)!)!;
    for (let sample = 0; sample < 256; sample++) {
      const pixelValue = Math.fround(Math.fround(Math.fround(sample * (1 / 255)) - 0.5) / 0.5);
      const shifted = Math.fround(pixelValue + Math.fround(shift));
      expect(Math.round(Math.fround(shifted / scale)) + zeroPoint).toBe(sample);
    }
  });

  test('is none where channels differ, or where zero is no pixel value', () => {
    const normalize = { mean: [0.48, 0.46, 0.41], std: [0.27, 0.26, 0.28] };
    expect(pixelGrid({ ...processor, normalize })).toBeNull();
    const bright = pixelGrid({ rescaleFactor: 1 / 255, normalize: { mean: [-1, -1, -1], std: [1, 1, 1] } });
    expect(quantizePixels(bright!)).toBeNull();
    expect(quantizePixels(pixelGrid({ rescaleFactor: null, normalize: null })!)).toEqual({
      scale: 1,
      zeroPoint: 0,
      shift: 0,
    });
  });
});
