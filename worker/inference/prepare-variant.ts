/**
 * Who runs a variant, and what that takes: by its graph, before a byte of its weights is read. `bit-edge publish` and the worker ask
 * the same function. No I/O but what is passed in.
 */
import type { Manifest, TensorSpecification, Variant } from '../../model-store/manifest.ts';
import { PIECE_BYTES } from '../../model-store/piece-file.ts';
import { ModelError } from '../errors.ts';
import { type EnginePlan, planMemory } from './engine/memory-plan.ts';
import type { Int8Network } from './engine/network.ts';
import { type OtherReason, type Recognition, recognize } from './engine/recognize.ts';
import type { ValueInfo } from './inference-session.ts';
import { checkModelFits, forGpuAlone, isForGpuAlone, type SessionMemory, sessionMemory } from './memory-plan.ts';

/** Who runs models: `auto` is the engine where it can, `bit` the engine alone, `onnxruntime` never the engine. */
export type EngineChoice = 'auto' | 'bit' | 'onnxruntime';

/** Graphs that are read before their memory is leased are small: what is large has its weights inside, and is none of the engine's. */
const MAX_GRAPH_BYTES = 2 * 1024 * 1024;

/** A network that the engine will run. */
export interface EngineVersion {
  readonly kind: 'bit';
  readonly memory: SessionMemory;
  readonly network: Int8Network;
  readonly plan: EnginePlan;
}

/** A graph that onnxruntime will run, and why; the graph where it was read to find out. */
export interface OnnxRuntimeVersion {
  readonly kind: 'onnxruntime';
  readonly memory: SessionMemory;
  readonly reason: OtherReason | 'configured';
  readonly graph: Uint8Array | null;
}

export type PreparedVersion = EngineVersion | OnnxRuntimeVersion;

/**
 * Decides who runs a version's default variant.
 * @param readGraph reads the graph, once at most.
 * @throws what `readGraph` does; ModelError `model_corrupt` where the graph contradicts itself, its weights' size or the manifest,
 * `model_unavailable` where the choice is `bit` and the engine does not run it, `model_too_large` where the version is for GPU backends
 * alone.
 */
export async function prepareVersion(
  manifest: Manifest,
  choice: EngineChoice,
  readGraph: () => Promise<Uint8Array>,
): Promise<PreparedVersion> {
  if (isForGpuAlone(manifest)) throw forGpuAlone(manifest);
  const variant = manifest.variants[manifest.default_variant]!;
  const { weights, model } = variant;
  const other = (
    reason: OnnxRuntimeVersion['reason'],
    detail: string,
    graph: Uint8Array | null,
  ): OnnxRuntimeVersion => {
    if (choice === 'bit') throw notForEngine(manifest, reason, detail);
    return { kind: 'onnxruntime', memory: sessionMemory(variant), reason, graph };
  };
  if (choice === 'onnxruntime') return other('configured', 'INFERENCE_ENGINE', null);
  if (manifest.default_variant !== 'int8') return other('not_int8', `variant ${manifest.default_variant}`, null);
  if (model.bytes > MAX_GRAPH_BYTES) return other('size', `a graph of ${model.bytes} bytes`, null);
  const graph = await readGraph();
  const recognition: Recognition = recognize(graph, weights);
  if (recognition.kind === 'other') return other(recognition.reason, recognition.detail, graph);
  const { network } = recognition;
  checkManifest(manifest, variant, network);
  const plan = planMemory(network);
  if (plan === null) return other('size', 'its memory', graph);
  return { kind: 'bit', memory: engineMemory(variant, plan), network, plan };
}

/**
 * Decides who runs a version, and checks that it can answer in an isolate that has nothing else loaded.
 * @param roomBytes `modelRoomBytes` of the budget.
 * @throws as `prepareVersion`; ModelError `model_too_large` with the numbers.
 */
export async function prepareFittingVersion(
  manifest: Manifest,
  choice: EngineChoice,
  roomBytes: number,
  readGraph: () => Promise<Uint8Array>,
): Promise<PreparedVersion> {
  const prepared = await prepareVersion(manifest, choice, readGraph);
  checkModelFits(manifest, prepared.memory, roomBytes);
  return prepared;
}

/** What the engine takes: its memory, and while it loads the graph and one piece of the weights. */
function engineMemory({ model }: Variant, plan: EnginePlan): SessionMemory {
  const passing = model.bytes + PIECE_BYTES;
  return { runtimeBytes: 0, sessionBytes: plan.bytes, marginBytes: 0, transferBytes: passing, graphBytes: passing };
}

/** @throws ModelError `model_corrupt` where the manifest promises what the graph does not give. */
function checkManifest(manifest: Manifest, { inputs, outputs }: Variant, network: Int8Network): void {
  const { name, channels, height, width } = network.input;
  const input: ValueInfo = { name, shape: ['batch', channels, height, width] };
  const [promised] = inputs;
  const fits =
    inputs.length === 1 &&
    isSame(promised!, input) &&
    outputs.every((output) => {
      const given = network.outputs.find((each) => each.name === output.name);
      return given !== undefined && isSame(output, { name: given.name, shape: ['batch', ...given.shape] });
    });
  if (fits) return;
  throw new ModelError(
    'model_corrupt',
    `${manifest.name}@${manifest.version}: inputs or outputs of the manifest are not the graph's`,
  );
}

/** The same name and shape; what one side leaves free the other may fix. */
function isSame(specification: TensorSpecification, value: ValueInfo): boolean {
  return (
    specification.name === value.name &&
    specification.dtype === 'float32' &&
    specification.shape.length === value.shape.length &&
    specification.shape.every((size, axis) => typeof size === 'string' || size === value.shape[axis])
  );
}

function notForEngine({ name, version }: Manifest, reason: string, detail: string): ModelError {
  return new ModelError(
    'model_unavailable',
    `${name}@${version} is not one that the engine runs (${reason}: ${detail}), and INFERENCE_ENGINE is bit`,
    { details: { model: `${name}@${version}`, reason } },
  );
}
