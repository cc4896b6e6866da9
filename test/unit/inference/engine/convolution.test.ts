import { describe, expect, it } from 'vitest';
import {
  convolutionScratchBytes,
  mapBytes,
  packedWeightBytes,
  productDepth,
  rowStride,
  rowsBytes,
  winograd4ScratchBytes,
  winogradScratchBytes,
} from '../../../../worker/inference/engine/layout.ts';
import { KernelMemory, padRows, randomBytes, randomFloats, unpadRows } from './kernel-memory.ts';
import { convolutionSums, groupStatistics, scaleSums } from './scalar-kernels.ts';

interface Problem {
  readonly height: number;
  readonly width: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly dilation?: number;
  /** Pixels on every side. */
  readonly pad?: number;
  readonly zeroPoint?: number;
  readonly groups?: number;
  readonly hasBias?: boolean;
  readonly hasResidual?: boolean;
  /** Edge of a Winograd tile. */
  readonly tile?: 2 | 4;
}

/** Runs a convolution and compares every bit with the definition: outputs, statistics, and what is not to be written. */
function check(problem: Problem): void {
  const { height, width, inputs, outputs, kernel, stride = 1, dilation = 1, pad = 0, zeroPoint = 0 } = problem;
  const groups = problem.groups ?? 4;
  const reach = dilation * (kernel - 1) + 1;
  const outHeight = Math.floor((height + 2 * pad - reach) / stride) + 1;
  const outWidth = Math.floor((width + 2 * pad - reach) / stride) + 1;
  const positions = outHeight * outWidth;
  const taps = kernel * kernel;
  const data = randomBytes(height * width * inputs, 1);
  const weights = randomBytes(taps * inputs * outputs, 2);
  const scales = randomFloats(outputs, 3, 1e-4, 2e-4);
  const bias = problem.hasBias === true ? randomFloats(outputs, 4) : null;
  const residual = problem.hasResidual === true ? randomFloats(positions * outputs, 5) : null;

  const memory = new KernelMemory();
  const { kernels } = memory;
  const pixel = rowStride(inputs);
  // Winograd's tiles are whole.
  const tile = problem.tile ?? 1;
  const bottom = pad + (Math.ceil(outHeight / tile) * tile - outHeight);
  const right = pad + (Math.ceil(outWidth / tile) * tile - outWidth);
  const border = { top: pad, left: pad, bottom, right };
  const pitch = (pad + width + right) * pixel;
  const map = memory.region(mapBytes(height, width, pixel, border));
  kernels.fillBorder(map, height, width, pad, pad, bottom, right, pixel, zeroPoint);
  // Padding channels hold anything: their weights are zeros.
  const padded = padRows(data, inputs, 77);
  for (let y = 0; y < height; y++) {
    const line = padded.subarray(y * width * pixel, (y + 1) * width * pixel);
    memory.bytes(map + (y + pad) * pitch + pad * pixel, line.length).set(line);
  }
  const depth = productDepth(taps, inputs);
  const packed = memory.region(packedWeightBytes(depth, outputs));
  kernels.packWeights(memory.place(weights), taps, inputs, outputs, packed);
  const output = memory.region(rowsBytes(positions, outputs));
  const statistics = memory.region(8 * groups);
  const packedScales = memory.place(padRows(scales, outputs));
  const columns = rowStride(outputs);
  const share = 1 / ((positions * outputs) / groups);
  if (tile !== 1) {
    const scratchBytes = (tile === 2 ? winogradScratchBytes : winograd4ScratchBytes)(outHeight, outWidth, inputs);
    const scratch = memory.region(scratchBytes);
    const sizes = [pixel, zeroPoint, outHeight, outWidth];
    const target = [packed, columns, packedScales, output, statistics, outputs, groups, share, scratch];
    (tile === 2 ? kernels.convolveWinograd : kernels.convolveWinograd4)(map, pitch, ...sizes, ...target);
  } else {
    const isDense = dilation === 1;
    const runs = [kernel, dilation * pitch, isDense ? 1 : kernel, dilation * pixel, isDense ? kernel * pixel : pixel];
    const biasAt = bias === null ? 0 : memory.place(padRows(bias, outputs));
    const residualAt = residual === null ? 0 : memory.place(padRows(residual, outputs));
    const target = [packed, columns, packedScales, biasAt, residualAt, output, statistics, outputs, groups, share];
    const scratch = memory.region(convolutionScratchBytes(depth, positions));
    kernels.convolve(map, pitch, pixel, zeroPoint, stride, ...runs, outWidth, positions, ...target, scratch);
  }
  memory.checkGuards();

  const scalar = { data, height, width, channels: inputs, zeroPoint };
  const window = { kernel, stride, dilation, top: pad, left: pad };
  const sums = convolutionSums(scalar, window, weights, outputs, outHeight, outWidth);
  const expected = scaleSums(sums, scales, bias, residual);
  const got = unpadRows(memory.floats(output, rowsBytes(positions, outputs) / 4), outputs);
  const wrong = got.findIndex((value, i) => value !== expected[i]);
  expect(wrong, `value ${wrong} is ${got[wrong]}, not ${expected[wrong]}`).toBe(-1);
  expect(memory.floats(statistics, 2 * groups)).toEqual(groupStatistics(expected, groups));
}

describe('convolutions', () => {
  it('have the bits of the definition for every small product', () => {
    for (const positions of [1, 2, 3, 4, 5, 7, 8, 9]) {
      for (const outputs of [4, 8, 12, 20]) {
        for (const inputs of [1, 3, 4, 8, 12, 24]) check({ height: 1, width: positions, inputs, outputs, kernel: 1 });
      }
    }
  });

  it.each([
    { height: 7, width: 7, inputs: 16, outputs: 24, kernel: 3, pad: 1 },
    { height: 1, width: 1, inputs: 8, outputs: 8, kernel: 3, pad: 1 },
    { height: 2, width: 5, inputs: 12, outputs: 8, kernel: 3, pad: 1 },
    { height: 9, width: 6, inputs: 8, outputs: 16, kernel: 3, pad: 1, stride: 2 },
    { height: 8, width: 8, inputs: 4, outputs: 8, kernel: 3, stride: 2 },
    { height: 9, width: 9, inputs: 8, outputs: 8, kernel: 3, pad: 2, dilation: 2 },
    { height: 7, width: 5, inputs: 16, outputs: 8, kernel: 1, stride: 2 },
    { height: 5, width: 5, inputs: 8, outputs: 8, kernel: 5, pad: 2 },
  ])('have the bits of the definition: %o', (problem) => {
    check(problem);
    check({ ...problem, zeroPoint: 131, hasBias: true, hasResidual: true });
  });

  it('are exact over more than one block of rows, and for the deepest sums', () => {
    check({ height: 20, width: 20, inputs: 480, outputs: 16, kernel: 1, groups: 8, hasResidual: true });
    check({ height: 3, width: 3, inputs: 512, outputs: 8, kernel: 3, pad: 1, zeroPoint: 255 });
  });

  it.each([
    { height: 8, width: 8, inputs: 16, outputs: 8 },
    { height: 7, width: 7, inputs: 8, outputs: 24 },
    { height: 1, width: 1, inputs: 4, outputs: 4 },
    { height: 1, width: 6, inputs: 12, outputs: 12 },
    { height: 5, width: 2, inputs: 8, outputs: 8, zeroPoint: 255 },
    { height: 6, width: 3, inputs: 24, outputs: 16, zeroPoint: 7 },
    { height: 3, width: 3, inputs: 1024, outputs: 8, zeroPoint: 128 },
    // Several blocks of tiles.
    { height: 33, width: 35, inputs: 64, outputs: 8, groups: 8 },
    { height: 33, width: 35, inputs: 128, outputs: 8, groups: 8, zeroPoint: 3 },
  ])('have the same bits by Winograd: %o', (problem) => {
    check({ ...problem, kernel: 3, pad: 1, tile: 2 });
    if (problem.inputs < 200) check({ ...problem, kernel: 3, pad: 1, tile: 4 });
  });

  it('have the same bits by Winograd without padding', () => {
    check({ height: 8, width: 10, inputs: 8, outputs: 8, kernel: 3, tile: 2 });
    check({ height: 8, width: 10, inputs: 8, outputs: 8, kernel: 3, tile: 4 });
  });
});
