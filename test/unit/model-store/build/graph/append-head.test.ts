/** A backbone and a head as one ONNX file: onnxruntime gives the logits that the worker gives. */
import { describe, expect, it } from 'vitest';
import { appendHead } from '../../../../../model-store/build/graph/append-head.ts';
import { buildBitGraph } from '../../../../../model-store/build/graph/build.ts';
import { decodeOnnxModel } from '../../../../../model-store/onnx/decode.ts';
import { encodeOnnxModel } from '../../../../../model-store/onnx/encode.ts';
import { applyHead, type HeadModel } from '../../../../../worker/heads/math/head-model.ts';
import { fixtureCheckpoint, fixtureTensors, relativeDifference, runGraph } from './fixture.ts';

const CLASSES = ['a', 'b', 'c'];

/** Numbers of a head, the same every time. */
function ramp(length: number, scale: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => scale * Math.sin(1 + 2.7 * i));
}

function headOf(dimensions: number, kind: HeadModel['features']['kind'], knowsUnknown: boolean): HeadModel {
  const standardized = kind === 'standardize';
  const means = ramp(CLASSES.length * dimensions, 1);
  for (let row = 0; row < means.length; row += dimensions) {
    const mean = means.subarray(row, row + dimensions);
    const length = Math.hypot(...mean);
    mean.forEach((value, d) => {
      mean[d] = value / length;
    });
  }
  return {
    classes: CLASSES,
    dimensions,
    multiLabel: false,
    features: {
      kind,
      mean: standardized ? ramp(dimensions, 0.1) : null,
      deviation: standardized ? ramp(dimensions, 0.2).map((value) => 1 + value) : null,
    },
    weight: ramp(CLASSES.length * dimensions, 2),
    bias: ramp(CLASSES.length, 1),
    unknown: knowsUnknown ? { means, threshold: 0.4, slope: 7 } : null,
  };
}

describe.each(['l2', 'standardize', 'none'] as const)('on %s features', (kind) => {
  it.each([false, true])('has the logits of the worker; with unknown: %s', async (knowsUnknown) => {
    const outputs = ['logits', 'pooler_output'];
    const options = { outputs, inputSize: { height: 64, width: 64 }, externalWeights: 'weights.bin' };
    const graph = buildBitGraph(await fixtureCheckpoint('default'), options);
    const input = (await fixtureTensors('bit/default/io.safetensors')).get('pixel_values.64x64')!;
    const backbone = await runGraph(graph, input);
    const pooled = backbone.get('pooler_output')!;
    const dimensions = pooled.shape[1]!;
    const head = headOf(dimensions, kind, knowsUnknown);
    const weights = new Map(graph.weights === null ? [] : [['weights.bin', graph.weights] as const]);
    const model = appendHead(decodeOnnxModel(graph.model, weights), head);
    const file = encodeOnnxModel(model, null);
    const together = await runGraph({ ...graph, ...file }, input);
    const labels = CLASSES.length + (knowsUnknown ? 1 : 0);
    const logits = together.get('logits')!;
    expect(logits.shape).toEqual([input.shape[0], labels]);
    for (let row = 0; row < input.shape[0]!; row++) {
      const expected = applyHead(head, pooled.data.slice(row * dimensions, (row + 1) * dimensions));
      expect(relativeDifference(logits.data.slice(row * labels, (row + 1) * labels), expected)).toBeLessThan(1e-5);
    }
  });
});
