import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { Executor } from '../../../../worker/inference/engine/executor.ts';
import { winogradTile } from '../../../../worker/inference/engine/kernel-needs.ts';
import { rowStride } from '../../../../worker/inference/engine/layout.ts';
import { planMemory } from '../../../../worker/inference/engine/memory-plan.ts';
import type { ConvolutionStep, Int8Network, NetworkTensor } from '../../../../worker/inference/engine/network.ts';
import { padRows, randomBytes, randomFloats } from './kernel-memory.ts';
import { convolutionSums, scaleSums } from './scalar-kernels.ts';

const KERNEL_FILE = new URL('../../../../worker/inference/engine/kernels/engine.wasm', import.meta.url);
const module = new WebAssembly.Module(await readFile(KERNEL_FILE));
const OUTPUTS = 8;
const SCALE = Math.fround(0.02);

/** One 3x3 convolution of a map, as a network. */
function convolutionNetwork(size: number, inputs: number, zeroPoint: number): Int8Network {
  const map = { name: 'map', height: size, width: size };
  const tensor = (name: string, dtype: 'uint8' | 'float32', shape: number[]): NetworkTensor => {
    const bytes = (dtype === 'uint8' ? 1 : 4) * shape.reduce((product, length) => product * length, 1);
    return { name, dtype, shape, source: { kind: 'file', offset: 0, bytes }, contents: null };
  };
  const step: ConvolutionStep = {
    kind: 'convolution',
    name: 'convolution',
    input: 0,
    window: { kernel: 3, stride: 1, dilation: 1, pads: [1, 1, 1, 1] },
    weight: 0,
    scales: 1,
    residual: null,
    output: 1,
  };
  return {
    input: { name: 'pixel_values', channels: 3, height: 8, width: 8 },
    groups: 4,
    values: [
      { ...map, channels: inputs, quantization: { scale: SCALE, zeroPoint } },
      { ...map, channels: OUTPUTS, quantization: null },
    ],
    tensors: [tensor('weight', 'uint8', [9 * inputs, OUTPUTS]), tensor('scales', 'float32', [OUTPUTS])],
    steps: [step],
    outputs: [],
    weightsFile: null,
    macs: 0,
  };
}

/** Runs it on a map of `data` and compares every bit with the definition. */
function check(size: number, inputs: number, zeroPoint: number, data: Uint8Array, weights: Uint8Array): void {
  const network = convolutionNetwork(size, inputs, zeroPoint);
  const plan = planMemory(network)!;
  const executor = new Executor(module, network, plan);
  const { buffer } = executor.memory;
  const scales = randomFloats(OUTPUTS, 1, 1e-4, 2e-4);
  for (const [id, bytes] of [weights, new Uint8Array(scales.buffer)].entries()) {
    new Uint8Array(buffer, plan.staging.address).set(bytes);
    executor.load(id);
  }
  const { address, border } = plan.values[0]!;
  const pixel = rowStride(inputs);
  const { top, left, right, bottom } = border!;
  const pitch = (left + size + right) * pixel;
  new Uint8Array(buffer, address, (top + size + bottom) * pitch).fill(zeroPoint);
  const rows = padRows(data, inputs);
  for (let y = 0; y < size; y++) {
    const line = rows.subarray(y * size * pixel, (y + 1) * size * pixel);
    new Uint8Array(buffer, address + (top + y) * pitch + left * pixel).set(line);
  }
  executor.run(0);
  const map = { data, height: size, width: size, channels: inputs, zeroPoint };
  const window = { kernel: 3, stride: 1, dilation: 1, top: 1, left: 1 };
  const sums = convolutionSums(map, window, weights, OUTPUTS, size, size);
  const products = scales.map((scale) => scale * SCALE);
  const got = new Float32Array(buffer, plan.values[1]!.address, size * size * OUTPUTS);
  const expected = scaleSums(sums, products, null, null);
  const wrong = got.findIndex((value, i) => value !== expected[i]);
  expect(wrong, `value ${wrong} is ${got[wrong]}, not ${expected[wrong]}`).toBe(-1);
}

describe('the executor', () => {
  it('computes convolutions of any size', () => {
    const tiles = [];
    for (const size of [1, 3, 7, 8, 14, 16]) {
      const network = convolutionNetwork(size, 12, 9);
      tiles.push(winogradTile(network.steps[0] as ConvolutionStep, network));
      check(size, 12, 9, randomBytes(size * size * 12, 2), randomBytes(9 * 12 * OUTPUTS, 3));
    }
    // Both forms of Winograd's algorithm were among them.
    expect(tiles).toEqual([2, 2, 2, 4, 2, 4]);
  });

  it.each([
    ['all that tiles of 4x4 can take', 1036, 255],
    ['the same, negative', 1036, 1],
    ['more than tiles of 4x4 can take', 1152, 255],
    ['as negative as weights can be', 1152, 0],
  ])('is exact for weights that are %s', (_, extremes, extreme) => {
    const size = 8;
    const weights = new Uint8Array(1152 * OUTPUTS).fill(128).fill(extreme, 0, extremes * OUTPUTS);
    check(size, 128, 0, new Uint8Array(size * size * 128).fill(255), weights);
  });
});
