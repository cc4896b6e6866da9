/** Networks of the int8 form for tests of the engine: the reference networks, quantized, and the same file in engine and onnxruntime. */
import type { Checkpoint } from '../../../../model-store/build/checkpoint/checkpoint.ts';
import type { GraphOptions } from '../../../../model-store/build/graph/build.ts';
import { buildInt8Graph, type Int8Graph } from '../../../../model-store/build/quantize/build-int8.ts';
import type { Calibration } from '../../../../model-store/build/quantize/calibration.ts';
import { calibrate } from '../../../../scripts/cli/calibrate.ts';
import { compileWasm } from '../../../../scripts/cli/local-model.ts';
import { type EngineSession, startEngineSession } from '../../../../worker/inference/engine/engine-session.ts';
import { planMemory } from '../../../../worker/inference/engine/memory-plan.ts';
import type { Int8Network } from '../../../../worker/inference/engine/network.ts';
import { recognize } from '../../../../worker/inference/engine/recognize.ts';
import type { Tensor } from '../../../../worker/inference/inference-session.ts';
import { fixtureCheckpoint, runAsWorker } from '../../model-store/build/graph/fixture.ts';

/** What a network is built of. */
export interface NetworkCase {
  readonly network: string;
  readonly config?: Partial<Checkpoint['config']>;
  readonly size: { readonly height: number; readonly width: number };
  readonly outputs?: readonly string[];
  readonly pixelGrid?: { readonly step: number; readonly offset: number } | null;
  readonly floatLayers?: ReadonlySet<string>;
}

/** Pixel values that look like nothing, the same every time: from -1 to 1 in steps of 2 / 255. */
export function noise(count: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 24) * 2) / 255 - 1;
  });
}

/** A reference network as int8: every layer, however much its random weights lose. */
export async function int8Graph(options: NetworkCase): Promise<Int8Graph> {
  const loaded = await fixtureCheckpoint(options.network);
  const checkpoint: Checkpoint = { ...loaded, config: { ...loaded.config, ...options.config } };
  const { height, width } = options.size;
  const image = noise(checkpoint.config.numChannels * height * width, 7);
  const calibration = withoutErrors(await calibrate(checkpoint, options.size, [image]));
  const graphOptions: GraphOptions & { inputSize: NetworkCase['size'] } = {
    inputSize: options.size,
    externalWeights: 'weights.bin',
    ...(options.outputs === undefined ? {} : { outputs: options.outputs }),
  };
  return buildInt8Graph(checkpoint, calibration, {
    ...graphOptions,
    pixelGrid: options.pixelGrid === undefined ? { step: 2 / 255, offset: -1 } : options.pixelGrid,
    floatLayers: options.floatLayers ?? new Set(),
  });
}

function withoutErrors(calibration: Calibration): Calibration {
  const sites = Object.entries(calibration.sites).map(
    ([name, site]) => [name, { ...site, relative_error: 0 }] as const,
  );
  return { ...calibration, sites: Object.fromEntries(sites) };
}

/** The network of a graph. @throws Error with the reason where it is none of the engine's. */
export function networkOf({ model, weights }: Pick<Int8Graph, 'model' | 'weights'>): Int8Network {
  const recognition = recognize(model, weights && { path: 'weights.bin', bytes: weights.byteLength });
  if (recognition.kind === 'int8') return recognition.network;
  throw new Error(`${recognition.reason}: ${recognition.detail}`);
}

/** A session of the engine on a graph, its weights written in pieces of `pieceBytes`. */
export async function engineSession(
  graph: Pick<Int8Graph, 'model' | 'weights'>,
  pieceBytes = 1000,
): Promise<EngineSession> {
  const network = networkOf(graph);
  const { engine } = await compileWasm();
  const unfinished = startEngineSession(engine, network, planMemory(network)!);
  const file = graph.weights ?? new Uint8Array(0);
  for (let at = 0; at < file.byteLength; at += pieceBytes) unfinished.weights.write(file.subarray(at, at + pieceBytes));
  return unfinished.finish();
}

/** What both give for the same images: `[engine, onnxruntime]`, by output. */
export async function runBoth(
  graph: Int8Graph,
  data: Float32Array,
  batch = 1,
): Promise<Map<string, readonly [Tensor, { readonly shape: readonly number[]; readonly data: Float32Array }]>> {
  const [input] = graph.inputs;
  const shape = [batch, ...input!.shape.slice(1).map(Number)];
  const names = graph.outputs.map(({ name }) => name);
  const session = await engineSession(graph);
  const ours = session.run(new Map([[input!.name, { type: 'float32', shape, data }]]), names);
  const theirs = await runAsWorker(graph, { shape, data });
  return new Map(names.map((name) => [name, [ours.get(name)!, theirs.get(name)!] as const]));
}
