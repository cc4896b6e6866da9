import { describe, expect, it } from 'vitest';
import { mapBytes, rowStride, rowsBytes } from '../../../../worker/inference/engine/layout.ts';
import { KernelMemory, padRows, randomFloats, unpadRows } from './kernel-memory.ts';
import { groupStatistics, normFactors, quantizeLinear } from './scalar-kernels.ts';

const f32 = Math.fround;
const EPSILON = 1e-5;

describe('group norm', () => {
  it.each([
    { groups: 4, channels: 4 },
    { groups: 4, channels: 12 },
    { groups: 8, channels: 96 },
    { groups: 32, channels: 64 },
  ])('has a factor and an offset for each of $channels channels in $groups groups', ({ groups, channels }) => {
    const memory = new KernelMemory();
    const statistics = groupStatistics(randomFloats(50 * channels, 1, -3, 5), groups);
    const gamma = randomFloats(channels, 2, 0.5, 2);
    const beta = randomFloats(channels, 3);
    const columns = rowStride(channels);
    const factors = memory.region(8 * columns);
    memory.kernels.normFactors(
      memory.place(statistics),
      groups,
      channels,
      columns,
      memory.place(gamma),
      memory.place(beta),
      EPSILON,
      factors,
    );
    memory.checkGuards();
    const expected = normFactors(statistics, gamma, beta, EPSILON);
    expect(memory.floats(factors, columns)).toEqual(padRows(expected.factors, channels));
    expect(memory.floats(factors + 4 * columns, columns)).toEqual(padRows(expected.offsets, channels));
  });

  it('divides by no less than the root of epsilon where a group is constant', () => {
    const memory = new KernelMemory();
    // The mean of squares rounds below the square of the mean.
    const statistics = Float32Array.of(3, 0, 0, 0, 8.999999, 0, 0, 0);
    const one = Float32Array.of(1, 1, 1, 1);
    const factors = memory.region(8 * 8);
    memory.kernels.normFactors(
      memory.place(statistics),
      4,
      4,
      8,
      memory.place(one),
      memory.place(one),
      EPSILON,
      factors,
    );
    expect(memory.floats(factors, 4)).toEqual(
      Float32Array.of(...new Array<number>(4).fill(1 / Math.sqrt(f32(EPSILON)))),
    );
  });
});

interface Pass {
  readonly residual?: boolean;
  readonly relu?: boolean;
  readonly floats?: boolean;
  readonly map?: boolean;
  readonly zeroPoint?: number;
}

describe('one pass over rows', () => {
  it.each<Pass>([
    { relu: true, map: true },
    { map: true, zeroPoint: 119 },
    { relu: true, map: true, zeroPoint: 3 },
    { relu: true, floats: true },
    { residual: true, floats: true },
    { residual: true, relu: true, floats: true, map: true },
  ])('normalizes and writes what it is asked for: %o', (pass) => {
    const { residual = false, relu = false, floats = false, map = false, zeroPoint = 0 } = pass;
    const [height, width, channels, scale] = [5, 3, 12, f32(0.0117)];
    const columns = rowStride(channels);
    const positions = height * width;
    const memory = new KernelMemory();
    // Some values far outside the 8 bits, and some in the very middle of two steps.
    const values = randomFloats(positions * channels, 1, -5, 5).map((value, i) =>
      i % 7 === 0 ? (i % 5) * 0.5 * scale : value,
    );
    const factors = randomFloats(channels, 2, 0.5, 1.5).map((value, c) => (c % 3 === 0 ? 1 : value));
    const offsets = randomFloats(channels, 3, -0.5, 0.5).map((value, c) => (c % 3 === 0 ? 0 : value));
    const added = randomFloats(positions * channels, 4);
    const border = { top: 1, left: 2, bottom: 3, right: 1 };
    const mapLength = mapBytes(height, width, columns, border);
    const pitch = (border.left + width + border.right) * columns;
    const mapAt = map ? memory.region(mapLength) : 0;
    if (map) memory.kernels.fillBorder(mapAt, height, width, 1, 2, 3, 1, columns, zeroPoint);
    const floatsAt = floats ? memory.region(rowsBytes(positions, channels)) : 0;
    const parameters = new Float32Array(2 * columns);
    parameters.set(factors);
    parameters.set(offsets, columns);
    memory.kernels.normalizeRows(
      memory.place(padRows(values, channels)),
      height,
      width,
      columns,
      memory.place(parameters),
      residual ? memory.place(padRows(added, channels)) : 0,
      relu ? 0 : Number.NEGATIVE_INFINITY,
      floatsAt,
      map ? mapAt + pitch * border.top + columns * border.left : 0,
      pitch,
      scale,
      zeroPoint,
    );
    memory.checkGuards();
    const expected = values.map((value, i) => {
      let result = f32(f32(value * factors[i % channels]!) + offsets[i % channels]!);
      if (residual) result = f32(result + added[i]!);
      return relu ? Math.max(result, 0) : result;
    });
    if (floats) {
      const got = unpadRows(memory.floats(floatsAt, positions * columns), channels);
      expect(got.findIndex((value, i) => value !== expected[i])).toBe(-1);
    }
    if (!map) return;
    const bytes = memory.bytes(mapAt, mapLength);
    for (let y = -border.top; y < height + border.bottom; y++) {
      for (let x = -border.left; x < width + border.right; x++) {
        const isInside = y >= 0 && y < height && x >= 0 && x < width;
        const at = (y + border.top) * pitch + (x + border.left) * columns;
        for (let c = 0; c < (isInside ? channels : columns); c++) {
          const value = isInside
            ? quantizeLinear(expected[(y * width + x) * channels + c]!, scale, zeroPoint)
            : zeroPoint;
          expect(bytes[at + c], `pixel ${x}, ${y}, channel ${c}`).toBe(value);
        }
      }
    }
  });

  it('quantizes and averages', () => {
    const memory = new KernelMemory();
    const values = randomFloats(7 * 24, 1, -2, 6);
    const average = memory.region(4 * 24);
    memory.kernels.averageRows(memory.place(values), 7, 24, 1 / 7, average);
    const expected = new Float32Array(24);
    for (const [i, value] of values.entries()) expected[i % 24] = f32(expected[i % 24]! + f32(f32(1 / 7) * value));
    expect(memory.floats(average, 24)).toEqual(expected);
    const quantized = memory.region(24);
    memory.kernels.quantizeValues(average, 24, 0.02, 17, quantized);
    expect([...memory.bytes(quantized, 24)]).toEqual(
      [...expected].map((value) => quantizeLinear(value, f32(0.02), 17)),
    );
    memory.checkGuards();
  });
});
