import * as ort from 'onnxruntime-web';
import { expect, test } from 'vitest';
import { GraphBuilder } from '../../../../../model-store/build/graph/graph-builder.ts';
import { groupMinorOrder } from '../../../../../model-store/build/quantize/channel-order.ts';
import { emitGroupNormOfRows } from '../../../../../model-store/build/quantize/group-norm-of-rows.ts';
import { emitCheckpointOrder, emitPlanes, emitRows } from '../../../../../model-store/build/quantize/rows.ts';
import { encodeOnnxModel } from '../../../../../model-store/onnx/encode.ts';

const BATCH = 2;
const GROUPS = 4;

/** Group norm as PyTorch defines it, of NCHW values, in float64. */
function reference(x: Float32Array, channels: number, plane: number, weight: Float32Array, bias: Float32Array) {
  const length = (channels / GROUPS) * plane;
  const out = new Float32Array(x.length);
  for (let start = 0; start < x.length; start += length) {
    const group = Array.from(x.subarray(start, start + length));
    const mean = group.reduce((sum, value) => sum + value, 0) / length;
    const variance = group.reduce((sum, value) => sum + (value - mean) ** 2, 0) / length;
    for (let i = 0; i < length; i++) {
      const channel = Math.floor((start + i) / plane) % channels;
      out[start + i] = ((group[i]! - mean) / Math.sqrt(variance + 1e-5)) * weight[channel]! + bias[channel]!;
    }
  }
  return out;
}

/** Runs the norm of rows on NCHW values. */
async function run(x: Float32Array, channels: number, height: number, width: number, params: readonly Float32Array[]) {
  const [weight, bias] = params as [Float32Array, Float32Array];
  const graph = new GraphBuilder();
  const map = { channels, size: { height, width } };
  const order = groupMinorOrder(channels, GROUPS);
  const places = graph.int32('places', [order.length], [...order]);
  const planes = graph.node('Gather', 'planes', ['x', places], { attributes: { axis: 1 } });
  const norm = { name: 'norm', groups: GROUPS, weight, bias, activation: null };
  const rows = emitGroupNormOfRows(graph, emitRows(graph, planes, map), map, norm);
  const output = emitCheckpointOrder(graph, emitPlanes(graph, rows, map), map, GROUPS);
  const shape = ['batch', channels, height, width];
  const { model } = encodeOnnxModel(
    graph.finish('test', [{ name: 'x', dtype: 'float32', shape }], [{ name: output, dtype: 'float32', shape }]),
    null,
  );
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  const { [output]: result } = await session.run({ x: new ort.Tensor('float32', x, [BATCH, channels, height, width]) });
  await session.release();
  expect(result!.dims).toEqual([BATCH, channels, height, width]);
  return result!.data as Float32Array;
}

function waves(length: number, step: number, offset: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => 2 * Math.sin(i * step) + offset);
}

test.each([
  ['an even map, several positions in a run', 16, 4, 6],
  ['an odd map', 8, 3, 5],
  ['a single position', 12, 1, 1],
  ['one channel in a group', 4, 2, 3],
  ['channels that fill a run', 512, 2, 2],
])('group norm of rows is group norm: %s', async (_name, channels, height, width) => {
  const x = waves(BATCH * channels * height * width, 0.7, 0.5);
  const [weight, bias] = [waves(channels, 1.3, 0.1), waves(channels, 2.1, -0.3)];
  const expected = reference(x, channels, height * width, weight, bias);
  const actual = await run(x, channels, height, width, [weight, bias]);
  for (const [index, value] of expected.entries()) expect(actual[index], String(index)).toBeCloseTo(value, 4);
});

test('a group of equal values gives the bias, whatever float32 makes of its variance', async () => {
  const channels = 8;
  const groupLength = (channels / GROUPS) * 49;
  const x = Float32Array.from({ length: BATCH * channels * 49 }, (_, i) => 1000.1 * (1 + Math.floor(i / groupLength)));
  const [weight, bias] = [new Float32Array(channels), waves(channels, 2.1, 0)];
  expect(await run(x, channels, 7, 7, [weight, bias])).toEqual(reference(x, channels, 49, weight, bias));
});
