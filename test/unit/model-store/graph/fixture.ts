/** Reference networks of `test/fixtures/bit`, and running built graphs in onnxruntime-web. */
import { readFile } from 'node:fs/promises';
import * as ort from 'onnxruntime-web';
import type { Checkpoint, WeightTensor } from '../../../../model-store/checkpoint/checkpoint.ts';
import { memoryDirectory } from '../../../../model-store/checkpoint/checkpoint-directory.ts';
import { readHuggingFace } from '../../../../model-store/checkpoint/huggingface.ts';
import type { BuiltGraph } from '../../../../model-store/graph/build.ts';
import { readSafetensors, tensorToFloat32 } from '../../../../model-store/safetensors.ts';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

const FIXTURES = new URL('../../../fixtures/', import.meta.url);

/** The bytes of a fixture. */
export async function fixtureBytes(path: string): Promise<Uint8Array> {
  const bytes = await readFile(new URL(path, FIXTURES));
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A reference network. */
export async function fixtureCheckpoint(name: string, folder = 'bit'): Promise<Checkpoint> {
  return readHuggingFace(
    memoryDirectory({
      'config.json': await fixtureBytes(`${folder}/${name}/config.json`),
      'model.safetensors': await fixtureBytes(`${folder}/${name}/model.safetensors`),
    }),
  );
}

/** Tensors of a safetensors fixture as float32. */
export async function fixtureTensors(path: string): Promise<Map<string, WeightTensor>> {
  const { tensors } = readSafetensors(await fixtureBytes(path));
  return new Map([...tensors].map(([name, tensor]) => [name, { shape: tensor.shape, data: tensorToFloat32(tensor) }]));
}

/** HF's name of an output in `io.safetensors`. */
export function referenceName(output: string): string {
  if (output === 'stem') return 'hidden_states.0';
  return output.startsWith('stage') ? `hidden_states.${output.slice('stage'.length)}` : output;
}

/** Opens a session on a built graph, with every optimization on, as the worker does. */
export async function openSession(
  { model, weights }: Pick<BuiltGraph, 'model' | 'weights'>,
  weightsFile = 'weights.bin',
): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(model, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all',
    ...(weights === null ? {} : { externalData: [{ path: weightsFile, data: weights }] }),
  });
}

/** Runs a built graph once on a float32 input. */
export async function runGraph(
  graph: BuiltGraph,
  input: WeightTensor,
): Promise<Map<string, { shape: readonly number[]; data: Float32Array }>> {
  const session = await openSession(graph);
  try {
    const tensor = new ort.Tensor('float32', input.data, input.shape);
    const results = await session.run({ [graph.inputs[0]!.name]: tensor });
    return new Map(
      Object.entries(results).map(([name, { dims, data }]) => [name, { shape: dims, data: data as Float32Array }]),
    );
  } finally {
    await session.release();
  }
}

/** Largest absolute difference over the reference's largest magnitude. */
export function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} values, expected ${expected.length}`);
  let difference = 0;
  let magnitude = 0;
  for (let i = 0; i < expected.length; i++) {
    const delta = Math.abs(actual[i]! - expected[i]!);
    if (!(delta <= difference)) difference = delta;
    magnitude = Math.max(magnitude, Math.abs(expected[i]!));
  }
  return difference / magnitude;
}
