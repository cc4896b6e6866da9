import * as ort from 'onnxruntime-web';
import { expect, test } from 'vitest';
import { GraphBuilder } from '../../../../model-store/graph/graph-builder.ts';
import type { Convolution } from '../../../../model-store/graph/network.ts';
import { type Pads, windowOutputSize } from '../../../../model-store/graph/padding.ts';
import { encodeOnnxModel } from '../../../../model-store/onnx/encode.ts';
import { emitConvolutionAsMatMul, isFasterAsMatMul } from '../../../../model-store/quantize/convolution-as-matmul.ts';

const IN_CHANNELS = 5;
const OUT_CHANNELS = 8;
const SIZE = { height: 9, width: 7 };
const BATCH = 2;

function convolution(stride: number, dilation: number, pads: Pads): Convolution {
  const window = { kernel: 3, stride, dilation };
  const kernel = {
    shape: [OUT_CHANNELS, IN_CHANNELS, 3, 3],
    data: new Float32Array(OUT_CHANNELS * IN_CHANNELS * 9),
  };
  return { name: 'conv', kernel, window, pads, outputSize: windowOutputSize(SIZE, window, pads) };
}

/** The definition of a convolution, in integers. */
function reference(x: Uint8Array, weights: Uint8Array, zeroPoint: number, { window, pads, outputSize }: Convolution) {
  const { height, width } = outputSize!;
  const out = new Int32Array(BATCH * OUT_CHANNELS * height * width);
  let index = 0;
  for (let image = 0; image < BATCH; image++) {
    for (let o = 0; o < OUT_CHANNELS; o++) {
      for (let row = 0; row < height; row++) {
        for (let column = 0; column < width; column++, index++) {
          for (let tap = 0; tap < IN_CHANNELS * 9; tap++) {
            const i = Math.floor(tap / 9);
            const y = row * window.stride + (Math.floor(tap / 3) % 3) * window.dilation - pads![0];
            const x0 = column * window.stride + (tap % 3) * window.dilation - pads![1];
            if (y < 0 || x0 < 0 || y >= SIZE.height || x0 >= SIZE.width) continue;
            const value = x[((image * IN_CHANNELS + i) * SIZE.height + y) * SIZE.width + x0]! - zeroPoint;
            out[index]! += value * (weights[o * IN_CHANNELS * 9 + tap]! - 128);
          }
        }
      }
    }
  }
  return out;
}

test.each<[number, number, Pads]>([
  [1, 1, [1, 1, 1, 1]],
  [2, 1, [1, 1, 1, 1]],
  [2, 1, [0, 1, 1, 1]],
  [1, 2, [2, 2, 2, 2]],
  [1, 1, [0, 0, 0, 0]],
])('gives the sums of the definition: stride %i, dilation %i, pads %j', async (stride, dilation, pads) => {
  const spec = convolution(stride, dilation, pads);
  const bytes = (count: number, factor: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => i * factor);
  const x = bytes(BATCH * IN_CHANNELS * SIZE.height * SIZE.width, 37);
  const weights = bytes(OUT_CHANNELS * IN_CHANNELS * 9, 101);
  const zeroPoint = 3;
  const graph = new GraphBuilder();
  const operands = { quantized: 'x', weights, zeroPoint };
  const sums = emitConvolutionAsMatMul(graph, operands, spec, OUT_CHANNELS);
  const { height, width } = spec.outputSize!;
  const { model } = encodeOnnxModel(
    graph.finish(
      'test',
      [{ name: 'x', dtype: 'uint8', shape: ['batch', IN_CHANNELS, SIZE.height, SIZE.width] }],
      [{ name: sums, dtype: 'int32', shape: ['batch', OUT_CHANNELS, height, width] }],
    ),
    null,
  );
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  const shape = [BATCH, IN_CHANNELS, SIZE.height, SIZE.width];
  const result = (await session.run({ x: new ort.Tensor('uint8', x, shape) }))[sums]!;
  await session.release();
  expect(result.dims).toEqual([BATCH, OUT_CHANNELS, height, width]);
  expect(result.data).toEqual(reference(x, weights, zeroPoint, spec));
});

test('is chosen for few positions only, and never where the size is free', () => {
  const spec = convolution(1, 1, [1, 1, 1, 1]);
  expect(isFasterAsMatMul(spec, SIZE)).toBe(true);
  expect(isFasterAsMatMul(spec, null)).toBe(false);
  expect(isFasterAsMatMul({ ...spec, pads: null }, SIZE)).toBe(false);
  expect(isFasterAsMatMul({ ...spec, outputSize: { height: 14, width: 15 } }, SIZE)).toBe(false);
  expect(isFasterAsMatMul({ ...spec, window: { ...spec.window, kernel: 1 } }, SIZE)).toBe(false);
});
