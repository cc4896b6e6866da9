/**
 * Loads one version: manifest, files (from the colo's cache where they are there), hashes, session. Files and the growth of the
 * heap are leased from the memory budget for as long as the load takes.
 */
import { type BlobCache, readVerified, readVerifiedJson, whileReading } from '../../model-store/load.ts';
import type { Manifest, TensorSpecification, Variant } from '../../model-store/manifest.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import { readManifest } from '../../model-store/versions.ts';
import { ModelError, RuntimeError } from '../errors.ts';
import { type ProcessorConfig, parseProcessorConfig } from '../preprocess/config.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { checkModelFits, sessionHeapBytes, transferBytes } from './memory-plan.ts';
import type { OrtRuntime } from './runtime.ts';
import type { OrtSession } from './session.ts';

/** A version that is ready to answer. */
export interface LoadedModel {
  readonly manifest: Manifest;
  readonly variant: Variant;
  readonly labels: readonly string[];
  readonly processor: ProcessorConfig;
  /** The graph's one input: `[N, C, H, W]` float32. */
  readonly input: TensorSpecification;
  readonly session: OrtSession;
}

/** Milliseconds of a load's stages, by a clock that may stand still. */
export interface LoadTiming {
  readonly manifestMs: number;
  /** Files and the start of the runtime, which overlap. */
  readonly filesMs: number;
  readonly sessionMs: number;
}

/** What a loader needs. */
export interface ModelLoaderOptions {
  readonly store: ObjectStore;
  readonly blobs: BlobCache | null;
  readonly budget: MemoryBudget;
  /** Bytes that an isolate has for one model's heap and files. */
  readonly modelBytes: number;
  /** Milliseconds; may stand still. */
  now(): number;
  /** Starts the runtime, or gives the one that runs. */
  runtime(): Promise<OrtRuntime>;
  /** Makes room in the heap: releases other models until the new one fits. Returns the bytes by which the heap will grow. */
  makeRoom(heapBytes: number): number;
  onLoaded(id: string, timing: LoadTiming): void;
}

/** Loads versions, one at a time is the caller's business. */
export class ModelLoader {
  readonly #options: ModelLoaderOptions;

  constructor(options: ModelLoaderOptions) {
    this.#options = options;
  }

  /**
   * Loads one version.
   * @throws ModelError `model_not_found`, `model_unavailable`, `model_corrupt`, `model_too_large`, `invalid_manifest`;
   * RuntimeError `memory_budget_exceeded`, `overloaded`.
   */
  async load(name: string, version: string): Promise<LoadedModel> {
    const { store, blobs, budget, modelBytes, now } = this.#options;
    const id = `${name}@${version}`;
    const start = now();
    // Not awaited yet: it starts while the manifest and the files are on their way.
    const runtimeStart = this.#options.runtime();
    runtimeStart.catch(() => {});
    const manifest = await whileReading(`the manifest of ${id}`, () => readManifest(store, name, version));
    const variant = manifest.variants[manifest.default_variant]!;
    checkModelFits(manifest, variant, modelBytes);
    const growth = this.#options.makeRoom(sessionHeapBytes(variant));
    const lease = await budget.acquireForLoad(transferBytes(variant) + growth, `model ${id}`);
    const read = now();
    try {
      const [graph, weights, labels, processor, runtime] = await Promise.all([
        readVerified(store, manifest, variant.model, blobs),
        variant.weights === null ? null : readVerified(store, manifest, variant.weights, blobs),
        readVerifiedJson(store, manifest, manifest.labels, blobs),
        readVerifiedJson(store, manifest, manifest.preprocessor, blobs),
        runtimeStart,
      ]);
      const create = now();
      const external = new Map(variant.weights === null || weights === null ? [] : [[variant.weights.path, weights]]);
      const model = {
        manifest,
        variant,
        labels: checkLabels(labels, manifest),
        processor: parseProcessorConfig(processor),
        input: variant.inputs[0]!,
        session: createSession(runtime, graph, external, id),
      };
      this.#options.onLoaded(id, { manifestMs: read - start, filesMs: create - read, sessionMs: now() - create });
      return model;
    } finally {
      lease.release();
    }
  }
}

function createSession(
  runtime: OrtRuntime,
  graph: Uint8Array,
  externalData: ReadonlyMap<string, Uint8Array>,
  id: string,
): OrtSession {
  try {
    return runtime.createSession(graph, { externalData });
  } catch (cause) {
    if (!(cause instanceof RuntimeError)) throw cause;
    throw new ModelError('model_unavailable', `${id} could not be made ready: ${cause.message}`, { cause });
  }
}

/** The labels of a version: as many strings as its head has. @throws ModelError `model_corrupt`. */
export function checkLabels(value: unknown, manifest: Manifest): readonly string[] {
  if (
    Array.isArray(value) &&
    value.length === manifest.num_labels &&
    value.every((label): label is string => typeof label === 'string')
  ) {
    return value;
  }
  throw new ModelError('model_corrupt', `${manifest.labels.path} is no array of ${manifest.num_labels} strings`);
}
