/** One variant of a version's folder in onnxruntime-web, as the worker runs it: the same runtime, options and heap. */
import { join } from 'node:path';
import type { BuiltGraph } from '../../../model-store/build/graph/build.ts';
import type { Manifest, Variant, VariantName } from '../../../model-store/manifest.ts';
import { ModelError } from '../../../worker/errors.ts';
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

/** Opens a graph that is not on disk, in a runtime of its own. @param weightsName the external data's name in the graph. */
export async function openGraph(graph: BuiltGraph, weightsName: string): Promise<OrtSession> {
  const runtime = await OrtRuntime.start(await compileWasm());
  const externalData = new Map(graph.weights === null ? [] : [[weightsName, graph.weights]]);
  return runtime.createSession(graph.model, { externalData });
}
