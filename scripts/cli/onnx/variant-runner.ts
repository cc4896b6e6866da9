/** One variant of a version's folder, as the worker runs it: in the engine or in onnxruntime-web, the same runtime, options and heap. */
import { join } from 'node:path';
import type { BuiltGraph } from '../../../model-store/build/graph/build.ts';
import type { Manifest, Variant, VariantName } from '../../../model-store/manifest.ts';
import { ModelError } from '../../../worker/errors.ts';
import { startEngineSession } from '../../../worker/inference/engine/engine-session.ts';
import type { InferenceSession } from '../../../worker/inference/inference-session.ts';
import { type EngineChoice, type PreparedVersion, prepareVersion } from '../../../worker/inference/prepare-variant.ts';
import { OrtRuntime } from '../../../worker/inference/runtime.ts';
import type { OrtSession } from '../../../worker/inference/session.ts';
import { readBytes } from '../files/read-file.ts';
import { compileWasm } from '../local-model.ts';

/** A variant that can run. */
export interface OpenVariant {
  readonly name: VariantName;
  readonly variant: Variant;
  readonly runtime: OrtRuntime;
  readonly session: OrtSession;
  /** How long the session took to make, in ms. */
  readonly createMs: number;
}

/**
 * Opens a variant in a runtime of its own, so that its heap is its own.
 * @throws ModelError `model_not_found` where the version has no such variant.
 */
export async function openVariant(folder: string, manifest: Manifest, name: VariantName): Promise<OpenVariant> {
  const variant = manifest.variants[name];
  if (variant === undefined) {
    const there = Object.keys(manifest.variants).join(', ');
    throw new ModelError('model_not_found', `${folder}: no variant "${name}"; there is ${there}`);
  }
  const runtime = await OrtRuntime.start(await compileWasm());
  const model = await readBytes(join(folder, variant.model.path));
  const weights = variant.weights && (await readBytes(join(folder, variant.weights.path)));
  const externalData = new Map(weights === null ? [] : [[variant.weights!.path, weights]]);
  const start = performance.now();
  const session = runtime.createSession(model, { externalData });
  return { name, variant, runtime, session, createMs: performance.now() - start };
}

/** A version's default variant, run by whom a worker lets run it. */
export interface OpenVersion {
  readonly engine: PreparedVersion['kind'];
  readonly session: InferenceSession;
  /** From the files in memory to the session. */
  readonly createMs: number;
  /** WASM memory so far. */
  heapBytes(): number;
}

/**
 * Opens the variant that a worker would load, as a worker with that `INFERENCE_ENGINE` does.
 * @throws ModelError as `prepareVersion`, and what making a session does.
 */
export async function openAsWorker(folder: string, manifest: Manifest, choice: EngineChoice): Promise<OpenVersion> {
  const name = manifest.default_variant;
  const { model, weights } = manifest.variants[name]!;
  const prepared = await prepareVersion(manifest, choice, () => readBytes(join(folder, model.path)));
  if (prepared.kind === 'onnxruntime') {
    const { session, runtime, createMs } = await openVariant(folder, manifest, name);
    return { engine: 'onnxruntime', session, createMs, heapBytes: () => runtime.heapBytes };
  }
  return openEngine(prepared, weights && (await readBytes(join(folder, weights.path))));
}

/** Opens a network of the engine. @param weights its weights file. */
export async function openEngine(
  { network, plan }: Extract<PreparedVersion, { kind: 'bit' }>,
  weights: Uint8Array | null,
): Promise<OpenVersion> {
  const { engine } = await compileWasm();
  const start = performance.now();
  const unfinished = startEngineSession(engine, network, plan);
  if (weights !== null) unfinished.weights.write(weights);
  const session = unfinished.finish();
  return { engine: 'bit', session, createMs: performance.now() - start, heapBytes: () => plan.bytes };
}

/** Opens a graph that is not on disk, in a runtime of its own. @param weightsName the external data's name in the graph. */
export async function openGraph(graph: BuiltGraph, weightsName: string): Promise<OrtSession> {
  const runtime = await OrtRuntime.start(await compileWasm());
  const externalData = new Map(graph.weights === null ? [] : [[weightsName, graph.weights]]);
  return runtime.createSession(graph.model, { externalData });
}
