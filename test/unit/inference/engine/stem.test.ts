import { describe, expect, it } from 'vitest';
import {
  mapBytes,
  packedWeightBytes,
  productDepth,
  rowStride,
  rowsBytes,
  stemScratchBytes,
} from '../../../../worker/inference/engine/layout.ts';
import { KernelMemory, padRows, randomBytes, randomFloats, unpadRows } from './kernel-memory.ts';
import { convolutionSums, groupStatistics, maxPool, quantizeLinear, scaleSums } from './scalar-kernels.ts';

const f32 = Math.fround;

interface Problem {
  readonly height: number;
  readonly width: number;
  readonly channels?: number;
  readonly outputs?: number;
  readonly pad?: number;
  /** Lines and columns of border before the convolution's map, and how many behind it. */
  readonly before?: number;
  readonly behind?: number;
  readonly border?: number;
}

/** Pixel values to pooled rows, bit by bit. */
function check(problem: Problem): void {
  const { height, width, channels = 3, outputs = 8, pad = 3, before = 1, behind = 1, border = 1e-30 } = problem;
  const groups = 4;
  const [scale, shift, zeroPoint] = [f32(2 / 255), f32(-1 / 255), 127];
  const convHeight = Math.floor((height + 2 * pad - 7) / 2) + 1;
  const convWidth = Math.floor((width + 2 * pad - 7) / 2) + 1;
  const poolHeight = Math.floor((convHeight + before + behind - 3) / 2) + 1;
  const poolWidth = Math.floor((convWidth + before + behind - 3) / 2) + 1;
  const planes = randomFloats(channels * height * width, 1, -1.1, 1.1);
  const weights = randomBytes(49 * channels * outputs, 2);
  const scales = randomFloats(outputs, 3, 1e-4, 2e-4);

  const memory = new KernelMemory();
  const { kernels } = memory;
  const pitch = (width + 2 * pad) * channels;
  const map = memory.region(mapBytes(height, width, channels, { top: pad, left: pad, bottom: pad, right: pad }));
  kernels.fillBorder(map, height, width, pad, pad, pad, pad, channels, zeroPoint);
  const inside = map + pad * pitch + pad * channels;
  kernels.quantizeImage(memory.place(planes), channels, height, width, shift, scale, zeroPoint, inside, pitch);
  const run = rowStride(7 * channels);
  const depth = productDepth(7, 7 * channels);
  const packed = memory.region(packedWeightBytes(depth, outputs));
  kernels.packWeights(memory.place(weights), 7, 7 * channels, outputs, packed);
  const output = memory.region(rowsBytes(poolHeight * poolWidth, outputs));
  const statistics = memory.region(8 * groups);
  kernels.stem(
    map,
    pitch,
    channels,
    zeroPoint,
    2,
    7,
    pitch,
    run,
    convHeight,
    convWidth,
    packed,
    rowStride(outputs),
    memory.place(padRows(scales, outputs)),
    before,
    before,
    border,
    poolHeight,
    poolWidth,
    output,
    statistics,
    outputs,
    groups,
    1 / ((poolHeight * poolWidth * outputs) / groups),
    memory.region(stemScratchBytes(depth, convWidth, outputs)),
  );
  memory.checkGuards();

  const data = new Uint8Array(planes.length);
  for (const [i, value] of planes.entries()) {
    const at = (i % (height * width)) * channels + Math.floor(i / (height * width));
    data[at] = quantizeLinear(f32(value + shift), scale, zeroPoint);
  }
  const scalar = { data, height, width, channels, zeroPoint };
  const window = { kernel: 7, stride: 2, dilation: 1, top: pad, left: pad };
  const sums = convolutionSums(scalar, window, weights, outputs, convHeight, convWidth);
  const convolved = scaleSums(sums, scales, null, null);
  const pool = { top: before, left: before, border, poolHeight, poolWidth };
  const expected = maxPool(convolved, convHeight, convWidth, outputs, pool);
  const got = unpadRows(memory.floats(output, rowsBytes(poolHeight * poolWidth, outputs) / 4), outputs);
  const wrong = got.findIndex((value, i) => value !== expected[i]);
  expect(wrong, `value ${wrong} is ${got[wrong]}, not ${expected[wrong]}`).toBe(-1);
  expect(got.length).toBe(expected.length);
  expect(memory.floats(statistics, 2 * groups)).toEqual(groupStatistics(expected, groups));
}

describe('the stem', () => {
  it.each<Problem>([
    { height: 16, width: 16 },
    { height: 15, width: 18 },
    { height: 17, width: 9, channels: 1, outputs: 12 },
    { height: 9, width: 11, channels: 4 },
    { height: 3, width: 3 },
    { height: 1, width: 1 },
    { height: 14, width: 14, before: 0, behind: 0 },
    { height: 14, width: 12, before: 1, behind: 2, border: 0 },
    { height: 16, width: 16, border: -1e30 },
  ])('has the bits of the definition: %o', (problem) => {
    check(problem);
  });

  it('computes lines longer than a block', () => {
    check({ height: 9, width: 1400, outputs: 8 });
  });
});
