/** Reference networks of `test/fixtures/bit`, and running built graphs in onnxruntime-web. */
import { readFile } from 'node:fs/promises';
import * as ort from 'onnxruntime-web';
import type { Checkpoint, WeightTensor } from '../../../../../model-store/build/checkpoint/checkpoint.ts';
import { readHuggingFace } from '../../../../../model-store/build/checkpoint/huggingface.ts';
import type { BuiltGraph } from '../../../../../model-store/build/graph/build.ts';
import { memoryDirectory } from '../../../../../model-store/checkpoint-directory.ts';
import { readSafetensors, tensorToFloat32 } from '../../../../../model-store/safetensors.ts';
import { compileWasm } from '../../../../../scripts/cli/local-model.ts';
import { OrtRuntime } from '../../../../../worker/inference/runtime.ts';

ort.env.wasm.numThreads = 1;
ort.env.logLevel = 'error';

const FIXTURES = new URL('../../../../fixtures/', import.meta.url);

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

/** Opens a session on a built graph with every optimization on, as others who take the file do. */
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

let workerRuntime: Promise<OrtRuntime> | null = null;

/** The same in the worker's runtime: without onnxruntime's optimizer, with our 8-bit kernel. */
export async function runAsWorker(
  graph: BuiltGraph,
  input: WeightTensor,
): Promise<Map<string, { shape: readonly number[]; data: Float32Array }>> {
  workerRuntime ??= compileWasm().then((modules) => OrtRuntime.start(modules));
  const runtime = await workerRuntime;
  const externalData = new Map(graph.weights === null ? [] : [['weights.bin', graph.weights] as const]);
  const session = runtime.createSession(graph.model, { externalData });
  try {
    const feeds = new Map([
      [graph.inputs[0]!.name, { type: 'float32', shape: input.shape, data: input.data } as const],
    ]);
    const results = session.run(
      feeds,
      graph.outputs.map(({ name }) => name),
    );
    return new Map(
      [...results].map(([name, { shape, data }]) => {
        if (!(data instanceof Float32Array)) throw new Error(`${name} is not float32`);
        return [name, { shape, data }];
      }),
    );
  } finally {
    session.release();
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
