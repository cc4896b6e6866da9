/** The QDQ form that the runtime suite compares with: the same network, every product in 8 bits. */
import { expect, it } from 'vitest';
import { buildBitGraph } from '../../../../model-store/build/graph/build.ts';
import { decodeOnnxModel } from '../../../../model-store/onnx/decode.ts';
import { quantizeStatically } from '../../../../scripts/bench/runtime/qdq-graph.ts';
import { compileWasm } from '../../../../scripts/cli/local-model.ts';
import { OrtRuntime } from '../../../../worker/inference/runtime.ts';
import { noise } from '../../inference/engine/engine-networks.ts';
import { fixtureCheckpoint } from '../../model-store/build/graph/fixture.ts';

it('answers as float32 does, within what 8 bits lose, with every product quantized', async () => {
  const checkpoint = await fixtureCheckpoint('default');
  const fp32 = buildBitGraph(checkpoint, { inputSize: { height: 64, width: 64 }, externalWeights: null });
  const image = { pixelValues: noise(3 * 64 * 64), height: 64, width: 64 };
  const model = await quantizeStatically(fp32, 'weights.bin', image);

  const count = (file: Uint8Array, opType: string): number =>
    decodeOnnxModel(file).nodes.filter((node) => node.opType === opType).length;
  expect(count(model, 'QLinearConv')).toBe(count(fp32.model, 'Conv'));
  expect([count(model, 'Conv'), count(model, 'Gemm'), count(model, 'QGemm')]).toEqual([0, 0, 1]);

  const runtime = await OrtRuntime.start(await compileWasm());
  const feeds = new Map([
    ['pixel_values', { type: 'float32', shape: [1, 3, 64, 64], data: image.pixelValues } as const],
  ]);
  const [expected, found] = [fp32.model, model].map((file) => {
    return Float32Array.from(runtime.createSession(file).run(feeds, ['logits']).get('logits')!.data);
  });
  const difference = expected!.reduce((sum, value, i) => sum + Math.abs(value - found![i]!), 0);
  const magnitude = expected!.reduce((sum, value) => sum + Math.abs(value), 0);
  expect(difference / magnitude).toBeLessThan(0.15);
  expect(difference).toBeGreaterThan(0);
});
