import * as ort from 'onnxruntime-web';
import { expect, test } from 'vitest';
import { GraphBuilder } from '../../../../../model-store/build/graph/graph-builder.ts';
import { type Pads, type Window, windowOutputSize } from '../../../../../model-store/build/graph/padding.ts';
import { emitConvolutionOfRows } from '../../../../../model-store/build/quantize/convolution-as-matmul.ts';
import { encodeOnnxModel } from '../../../../../model-store/onnx/encode.ts';

const IN_CHANNELS = 5;
const OUT_CHANNELS = 8;
const SIZE = { height: 9, width: 7 };
const BATCH = 2;
const ZERO_POINT = 3;
const SCALE = 0.5;
/** Powers of two, so that float32 holds every result exactly. */
const SCALES = Float32Array.from({ length: OUT_CHANNELS }, (_, channel) => 2 ** (channel - 4));

/** The definition of a convolution: [image, output position, output channel]. */
function reference(x: Uint8Array, weights: Uint8Array, window: Window, pads: Pads): Float32Array {
  const { kernel, stride, dilation } = window;
  const { height, width } = windowOutputSize(SIZE, window, pads)!;
  const taps = kernel * kernel;
  const out = new Float32Array(BATCH * height * width * OUT_CHANNELS);
  let index = 0;
  for (let image = 0; image < BATCH; image++) {
    for (let position = 0; position < height * width; position++) {
      for (let o = 0; o < OUT_CHANNELS; o++, index++) {
        for (let i = 0; i < IN_CHANNELS * taps; i++) {
          const [channel, tap] = [Math.floor(i / taps), i % taps];
          const row = Math.floor(position / width) * stride + Math.floor(tap / kernel) * dilation - pads[0];
          const column = (position % width) * stride + (tap % kernel) * dilation - pads[1];
          if (row < 0 || column < 0 || row >= SIZE.height || column >= SIZE.width) continue;
          const value = x[((image * SIZE.height + row) * SIZE.width + column) * IN_CHANNELS + channel]! - ZERO_POINT;
          out[index]! += value * (weights[o * IN_CHANNELS * taps + i]! - 128) * SCALE * SCALES[o]!;
        }
      }
    }
  }
  return out;
}

test.each<[number, number, number, Pads]>([
  [3, 1, 1, [1, 1, 1, 1]],
  [3, 2, 1, [1, 1, 1, 1]],
  [3, 2, 1, [0, 1, 1, 1]],
  [3, 1, 2, [2, 2, 2, 2]],
  [3, 1, 1, [0, 0, 0, 0]],
  [1, 1, 1, [0, 0, 0, 0]],
  [1, 2, 1, [0, 0, 0, 0]],
])(
  'gives what the definition gives: kernel %i, stride %i, dilation %i, pads %j',
  async (size, stride, dilation, pads) => {
    const window = { kernel: size, stride, dilation };
    const outputSize = windowOutputSize(SIZE, window, pads)!;
    const bytes = (count: number, factor: number): Uint8Array =>
      Uint8Array.from({ length: count }, (_, i) => i * factor);
    const shape = [BATCH, SIZE.height * SIZE.width, IN_CHANNELS];
    const x = bytes(BATCH * SIZE.height * SIZE.width * IN_CHANNELS, 37);
    const weights = bytes(OUT_CHANNELS * IN_CHANNELS * size * size, 101);
    const graph = new GraphBuilder();
    const result = emitConvolutionOfRows(
      graph,
      { name: 'x', scale: SCALE, zeroPoint: ZERO_POINT },
      { channels: IN_CHANNELS, size: SIZE },
      { data: weights, scales: SCALES },
      { name: 'conv', window, pads, outputSize },
    );
    const positions = outputSize.height * outputSize.width;
    const { model } = encodeOnnxModel(
      graph.finish(
        'test',
        [{ name: 'x', dtype: 'uint8', shape: ['batch', ...shape.slice(1)] }],
        [{ name: result, dtype: 'float32', shape: ['batch', positions, OUT_CHANNELS] }],
      ),
      null,
    );
    const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
    const output = (await session.run({ x: new ort.Tensor('uint8', x, shape) }))[result]!;
    await session.release();
    expect(output.dims).toEqual([BATCH, positions, OUT_CHANNELS]);
    expect(output.data).toEqual(reference(x, weights, window, pads));
  },
);
