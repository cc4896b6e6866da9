/**
 * Loads one version: manifest, files (from the colo's cache where they are there), hashes, session. What a load takes of the
 * memory budget is leased before it is taken. Weights come as a stream of pieces, and each piece is given back once the session has it.
 */
import { type BlobCache, readVerified, readVerifiedJson } from '../../model-store/load.ts';
import type { Manifest, TensorSpecification, Variant } from '../../model-store/manifest.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import { ModelError } from '../errors.ts';
import { type ProcessorConfig, parseProcessorConfig } from '../preprocess/config.ts';
import type { InferenceSession } from './inference-session.ts';
import { type MadeSession, makeSession, type SessionOptions } from './make-session.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { loadBytes, type SessionMemory } from './memory-plan.ts';
import { type EngineChoice, type PreparedVersion, prepareVersion } from './prepare-variant.ts';

/** A version that is ready to answer. */
export interface LoadedModel {
  readonly manifest: Manifest;
  readonly variant: Variant;
  readonly labels: readonly string[];
  readonly processor: ProcessorConfig;
  /** The graph's one input: `[N, C, H, W]` float32. */
  readonly input: TensorSpecification;
  readonly session: InferenceSession;
  readonly memory: SessionMemory;
  /** Who runs it. */
  readonly engine: PreparedVersion['kind'];
}

/** What is known of a version before its weights are there: enough to preprocess an image for it. */
export type DescribedModel = Pick<LoadedModel, 'manifest' | 'variant' | 'processor'>;

/** One load. */
export interface LoadOptions {
  /** Aborted, with the error to fail with, where it takes too long: it lets go of its streams and its memory. */
  readonly signal: AbortSignal;
  onDescribed(model: DescribedModel): void;
}

/** Room in the heap for a model that is to be loaded. */
export interface HeapRoom {
  /** Bytes by which the heap will grow. */
  readonly growthBytes: number;
  /** Releases the models that have to make room. */
  make(): void;
}

/** Milliseconds of a load's stages, by a clock that may stand still. */
export interface LoadTiming {
  readonly manifestMs: number;
  /** Files, and what happens meanwhile: the start of onnxruntime, or the packing of the engine's weights. */
  readonly filesMs: number;
  readonly sessionMs: number;
}

/** What became of a load. */
export interface LoadReport extends LoadTiming {
  readonly engine: PreparedVersion['kind'];
  /** Why it is onnxruntime; null for the engine. */
  readonly reason: string | null;
}

/** What a loader needs. */
export interface ModelLoaderOptions extends SessionOptions {
  readonly store: ObjectStore;
  readonly blobs: BlobCache | null;
  readonly budget: MemoryBudget;
  readonly choice: EngineChoice;
  /** The manifest of a version. @throws ModelError. */
  readManifest(name: string, version: string): Promise<Manifest>;
  /** `ModelLoader.prepare` for all who ask, and the check that there can be room. @throws as it does; ModelError `model_too_large`. */
  prepare(manifest: Manifest): Promise<PreparedVersion>;
  /** Plans for one more session. */
  planRoom(memory: SessionMemory): HeapRoom;
  /** Told that a load has its memory. */
  onReserved(id: string): void;
  /** Given the loaded model while its memory is still leased. */
  onLoaded(id: string, model: LoadedModel, report: LoadReport): void;
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
  async load(name: string, version: string, { signal, onDescribed }: LoadOptions): Promise<LoadedModel> {
    const { budget, now } = this.#options;
    const id = `${name}@${version}`;
    const start = now();
    const within = giveUpWith(signal);
    const manifest = await within(this.#options.readManifest(name, version));
    const variant = manifest.variants[manifest.default_variant]!;
    const prepared = await within(this.#options.prepare(manifest));
    const { memory, kind: engine } = prepared;
    // Not awaited yet: it starts while the files are on their way.
    if (engine === 'onnxruntime') this.#options.runtime().catch(() => {});
    const room = this.#options.planRoom(memory);
    const lease = await budget.acquireForLoad(loadBytes(memory, room.growthBytes), room.growthBytes, `model ${id}`);
    const read = now();
    let made: Promise<MadeSession> | null = null;
    try {
      this.#options.onReserved(id);
      signal.throwIfAborted();
      room.make();
      const described = Promise.all([this.#labels(manifest), this.#describe(manifest, variant, onDescribed)]);
      made = makeSession(this.#options, manifest, prepared, described, signal);
      // With nothing awaited in between: another model's abort may take a session of onnxruntime.
      const [{ session, filesAt }, [labels, processor]] = await within(Promise.all([made, described]));
      const model = { manifest, variant, labels, processor, input: variant.inputs[0]!, session, memory, engine };
      const reason = prepared.kind === 'bit' ? null : prepared.reason;
      const timing = { manifestMs: read - start, filesMs: filesAt - read, sessionMs: now() - filesAt };
      this.#options.onLoaded(id, model, { ...timing, engine, reason });
      return model;
    } finally {
      // What fails may leave a file on its way: its memory is leased until it has gone. Not where the bucket itself hangs.
      if (!signal.aborted) await made?.catch(() => {});
      lease.release();
    }
  }

  /** Decides who runs a version, by its graph. @throws ModelError `model_unavailable`, `model_corrupt`. */
  prepare(manifest: Manifest): Promise<PreparedVersion> {
    const { store, blobs, choice } = this.#options;
    const { model } = manifest.variants[manifest.default_variant]!;
    return prepareVersion(manifest, choice, () => readVerified(store, manifest, model, blobs));
  }

  async #labels(manifest: Manifest): Promise<readonly string[]> {
    const { store, blobs } = this.#options;
    return checkLabels(await readVerifiedJson(store, manifest, manifest.labels, blobs), manifest);
  }

  async #describe(
    manifest: Manifest,
    variant: Variant,
    onDescribed: LoadOptions['onDescribed'],
  ): Promise<ProcessorConfig> {
    const { store, blobs } = this.#options;
    const processor = parseProcessorConfig(await readVerifiedJson(store, manifest, manifest.preprocessor, blobs));
    onDescribed({ manifest, variant, processor });
    return processor;
  }
}

/** Waits for a step of a load, but no longer than its signal allows: a bucket may never answer. */
function giveUpWith(signal: AbortSignal): <T>(step: Promise<T>) => Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  // Nobody may be waiting when it is.
  aborted.catch(() => {});
  return (step) => Promise.race([step, aborted]);
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
  throw new ModelError('model_corrupt', `${manifest.labels.path} is not an array of ${manifest.num_labels} strings`);
}
