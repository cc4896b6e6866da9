/** Class activation maps against the networks they explain: each label's logit is its bias and the mean of its map. */
import { describe, expect, it } from 'vitest';
import type { BuiltGraph } from '../../../model-store/build/graph/build.ts';
import { buildBitGraph } from '../../../model-store/build/graph/build.ts';
import { readClassifierRow } from '../../../model-store/onnx/classifier-weights.ts';
import { decodeOnnxGraph } from '../../../model-store/onnx/decode.ts';
import { classActivationMap } from '../../../worker/inference/class-activation.ts';
import { fixtureCheckpoint, runAsWorker } from '../model-store/build/graph/fixture.ts';
import { int8Graph, noise, runBoth } from './engine/engine-networks.ts';

const SIZE = { height: 96, width: 64 };
const OUTPUTS = ['logits', 'pooler_output', 'last_hidden_state'];

type Values = { readonly shape: readonly number[]; readonly data: Float32Array };

/** Tensors of a graph, in pieces of a few bytes, from inside the file or beside it. */
function readerOf(graph: Pick<BuiltGraph, 'weights'>) {
  return async (tensor: { external: { offset: number } | null; data: Uint8Array }, offset: number, bytes: number) => {
    const from = tensor.external === null ? tensor.data : graph.weights!.subarray(tensor.external.offset);
    const part = from.subarray(offset, offset + bytes);
    return new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < part.byteLength; at += 13) controller.enqueue(part.subarray(at, at + 13));
        controller.close();
      },
    });
  };
}

async function expectExact(graph: BuiltGraph, groups: number, outputs: ReadonlyMap<string, Values>) {
  const [logits, pooled, hidden] = OUTPUTS.map((name) => ({ type: 'float32' as const, ...outputs.get(name)! }));
  const decoded = decodeOnnxGraph(graph.model);
  expect(logits!.data.length).toBeGreaterThan(1);
  for (const [label, logit] of logits!.data.entries()) {
    const row = await readClassifierRow(decoded, label, groups, readerOf(graph));
    const { height, width, values } = classActivationMap(hidden!, pooled!, row, logit);
    expect([height, width]).toEqual([3, 2]);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(Math.abs(mean + row.bias - logit), `label ${label}`).toBeLessThan(1e-4);
  }
}

describe('the mean of the map and the bias are the logit, to 1e-4', () => {
  it('of a float32 graph', async () => {
    const checkpoint = await fixtureCheckpoint('default');
    const graph = buildBitGraph(checkpoint, { inputSize: SIZE, externalWeights: 'weights.bin', outputs: OUTPUTS });
    const shape = [1, 3, SIZE.height, SIZE.width];
    const outputs = await runAsWorker(graph, { shape, data: noise(3 * SIZE.height * SIZE.width) });
    await expectExact(graph, checkpoint.config.numGroups, outputs);
  });

  it('of an int8 graph, in the engine and in onnxruntime', async () => {
    const { config } = await fixtureCheckpoint('default');
    const graph = await int8Graph({ network: 'default', size: SIZE, outputs: OUTPUTS });
    const both = await runBoth(graph, noise(3 * SIZE.height * SIZE.width));
    for (const side of [0, 1] as const) {
      const outputs = new Map([...both].map(([name, pair]) => [name, pair[side] as Values]));
      await expectExact(graph, config.numGroups, outputs);
    }
  });
});

describe('a map', () => {
  const hidden = { type: 'float32', shape: [1, 2, 1, 2], data: Float32Array.of(4, 0, 1, 3) } as const;
  const pooled = { type: 'float32', shape: [1, 2, 1, 1], data: Float32Array.of(2, 2) } as const;
  const row = { weights: Float32Array.of(1, -2), bias: 0.5, quantization: null };

  it('is what each place adds: weights times features', () => {
    expect([...classActivationMap(hidden, pooled, row, -1.5).values]).toEqual([2, -6]);
  });

  it('is refused where it does not explain the logit', () => {
    expect(() => classActivationMap(hidden, pooled, row, 1)).toThrow(
      expect.objectContaining({ code: 'model_corrupt' }),
    );
  });
});
