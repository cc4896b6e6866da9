/** The gpu graph agrees with the fp32 graph on the CPU provider, with the rounding to float16 kept after every node. */
import { readFile } from 'node:fs/promises';
import * as ort from 'onnxruntime-web';
import { describe, expect, test, vi } from 'vitest';
import type { Checkpoint } from '../../../../../model-store/build/checkpoint/checkpoint.ts';
import { readHuggingFace } from '../../../../../model-store/build/checkpoint/huggingface.ts';
import { type BuiltGraph, buildBitGraph } from '../../../../../model-store/build/graph/build.ts';
import { buildGpuGraph } from '../../../../../model-store/build/graph/build-gpu.ts';
import { memoryDirectory } from '../../../../../model-store/checkpoint-directory.ts';
import { decodeOnnxModel } from '../../../../../model-store/onnx/decode.ts';
import { fixtureCheckpoint, runGraph } from './fixture.ts';

vi.setConfig({ testTimeout: 60_000 });

const MEAN = [0.48145466, 0.4578275, 0.40821073];
const STD = [0.26862954, 0.26130258, 0.27577711];
const NORMALIZATION = { rescaleFactor: 1 / 255, normalize: { mean: MEAN, std: STD } };
const SIZE = { height: 64, width: 64 };

/** Smooth colour fields with some noise, the same every time: [count, 64, 64, channels]. */
function images(count: number, channels: number): Uint8Array {
  let state = 7;
  return Uint8Array.from({ length: count * 64 * 64 * channels }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const image = Math.floor(i / (64 * 64 * channels));
    const x = Math.floor(i / channels) % 64;
    const y = Math.floor(i / (64 * channels)) % 64;
    const wave = Math.sin((x * (1 + image)) / 9 + (i % channels)) * Math.cos((y * (2 + (image % 5))) / 11 + image);
    return 128 + 90 * wave + 37 * (state / 2 ** 31 - 1);
  });
}

/** What the processor makes of them: [count, channels, 64, 64]. */
function pixelValues(samples: Uint8Array, count: number, channels: number): Float32Array {
  const out = new Float32Array(samples.length);
  for (let image = 0; image < count; image++) {
    for (let pixel = 0; pixel < 64 * 64; pixel++) {
      for (let c = 0; c < channels; c++) {
        const sample = samples[(image * 64 * 64 + pixel) * channels + c]!;
        out[(image * channels + c) * 64 * 64 + pixel] = (sample / 255 - MEAN[c]!) / STD[c]!;
      }
    }
  }
  return out;
}

async function runGpu(graph: BuiltGraph, samples: Uint8Array, shape: readonly number[]): Promise<Float32Array> {
  // Without optimizations the casts that the CPU provider needs around each float16 node stay: so does the rounding.
  const session = await ort.InferenceSession.create(graph.model, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'disabled',
    externalData: [{ path: 'weights.bin', data: graph.weights! }],
  });
  try {
    const { logits } = await session.run({ image: new ort.Tensor('uint8', samples, shape) });
    return logits!.data as Float32Array;
  } finally {
    await session.release();
  }
}

function largestDifference(actual: Float32Array, expected: Float32Array): number {
  return expected.reduce((largest, value, index) => Math.max(largest, Math.abs(actual[index]! - value)), 0);
}

async function defaultCheckpoint(): Promise<Checkpoint> {
  const folder = new URL('../../../../../model-store/models/bit-tiny-200/', import.meta.url);
  const read = async (name: string): Promise<Uint8Array> => new Uint8Array(await readFile(new URL(name, folder)));
  return readHuggingFace(
    memoryDirectory({
      'config.json': await read('config.json'),
      'model.safetensors': await read('model.safetensors'),
    }),
  );
}

describe.each(['float16', 'float32'] as const)('in %s', (precision) => {
  test.each(['default', 'same-dynamic', 'bottleneck', 'stride16'])('network %s agrees', async (network) => {
    const checkpoint = await fixtureCheckpoint(network);
    const options = { inputSize: SIZE, externalWeights: 'weights.bin' };
    const samples = images(4, 3);
    const image = { shape: [4, 3, 64, 64], data: pixelValues(samples, 4, 3) };
    const expected = (await runGraph(buildBitGraph(checkpoint, options), image)).get('logits')!.data;
    const graph = buildGpuGraph(checkpoint, { ...options, precision, normalization: NORMALIZATION });
    const actual = await runGpu(graph, samples, [4, 64, 64, 3]);
    expect(largestDifference(actual, expected)).toBeLessThan(precision === 'float16' ? 1e-2 : 1e-5);
  });

  test('the default model gives the same labels', async () => {
    const checkpoint = await defaultCheckpoint();
    const options = { inputSize: SIZE, externalWeights: 'weights.bin' };
    const count = 24;
    const samples = images(count, 3);
    const image = { shape: [count, 3, 64, 64], data: pixelValues(samples, count, 3) };
    const expected = (await runGraph(buildBitGraph(checkpoint, options), image)).get('logits')!.data;
    const graph = buildGpuGraph(checkpoint, { ...options, precision, normalization: NORMALIZATION });
    const actual = await runGpu(graph, samples, [count, 64, 64, 3]);
    const label = (logits: Float32Array, index: number): number => {
      const row = logits.subarray(index * 200, (index + 1) * 200);
      return row.indexOf(Math.max(...row));
    };
    const indices = Array.from({ length: count }, (_, index) => index);
    expect(indices.map((index) => label(actual, index))).toEqual(indices.map((index) => label(expected, index)));
    const magnitude = Math.max(...expected.map(Math.abs));
    expect(largestDifference(actual, expected) / magnitude).toBeLessThan(precision === 'float16' ? 1e-2 : 1e-4);
  });
});

test('float16 halves the weights, and every output is float32', async () => {
  const checkpoint = await fixtureCheckpoint('default');
  const build = (precision: 'float16' | 'float32') =>
    buildGpuGraph(checkpoint, {
      inputSize: null,
      externalWeights: null,
      precision,
      normalization: NORMALIZATION,
      outputs: ['logits', 'pooler_output', 'stage2'],
    });
  const half = build('float16');
  expect(half.model.byteLength).toBeLessThan(build('float32').model.byteLength * 0.6);
  expect(decodeOnnxModel(half.model).outputs.map(({ dtype }) => dtype)).toEqual(['float32', 'float32', 'float32']);
  expect(half.inputs).toEqual([{ name: 'image', dtype: 'uint8', shape: ['batch', 'height', 'width', 3] }]);
});
