/**
 * Loads one version: manifest, files (from the colo's cache where they are there), hashes, session. What a load takes of the
 * memory budget is leased before it is taken. Weights come as a stream of pieces, and each piece is given back once the session has it.
 */
import type { StartDigest } from '../../model-store/digest.ts';
import {
  type BlobCache,
  keepLarge,
  readVerified,
  readVerifiedJson,
  readVerifiedPieces,
  type VerifiedPieces,
} from '../../model-store/load.ts';
import type { Manifest, TensorSpecification, Variant } from '../../model-store/manifest.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import type { PieceFile } from '../../model-store/piece-file.ts';
import { ModelError, RuntimeError } from '../errors.ts';
import { type ProcessorConfig, parseProcessorConfig } from '../preprocess/config.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { loadBytes, type SessionMemory } from './memory-plan.ts';
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
  /** Files and the start of the runtime, which overlap. */
  readonly filesMs: number;
  readonly sessionMs: number;
}

/** What a loader needs. */
export interface ModelLoaderOptions {
  readonly store: ObjectStore;
  readonly blobs: BlobCache | null;
  readonly budget: MemoryBudget;
  /** Milliseconds; may stand still. */
  now(): number;
  /** Starts the runtime, or gives the one that runs. */
  runtime(): Promise<OrtRuntime>;
  /** The manifest of a version. @throws ModelError. */
  readManifest(name: string, version: string): Promise<Manifest>;
  /** What a version will take. @throws ModelError `model_too_large`. */
  checkFits(manifest: Manifest): SessionMemory;
  /** Plans for one more session. */
  planRoom(memory: SessionMemory): HeapRoom;
  readonly startDigest: StartDigest;
  /** Told that a load has its memory. */
  onReserved(id: string): void;
  /** Given the loaded model while its memory is still leased. */
  onLoaded(id: string, model: LoadedModel, timing: LoadTiming): void;
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
    const { store, blobs, budget, now, startDigest } = this.#options;
    const id = `${name}@${version}`;
    const start = now();
    const within = giveUpWith(signal);
    // Not awaited yet: it starts while the files are on their way.
    this.#options.runtime().catch(() => {});
    const manifest = await within(this.#options.readManifest(name, version));
    const variant = manifest.variants[manifest.default_variant]!;
    const memory = this.#options.checkFits(manifest);
    const room = this.#options.planRoom(memory);
    const lease = await budget.acquireForLoad(loadBytes(memory, room.growthBytes), room.growthBytes, `model ${id}`);
    const read = now();
    const { weights: weightsFile } = variant;
    let weightsRead: Promise<VerifiedPieces> | null = null;
    try {
      this.#options.onReserved(id);
      signal.throwIfAborted();
      room.make();
      if (weightsFile !== null) {
        weightsRead = readVerifiedPieces(store, manifest, weightsFile, blobs, { startDigest, signal });
      }
      const files = Promise.all([
        readVerified(store, manifest, variant.model, blobs),
        weightsRead,
        readVerifiedJson(store, manifest, manifest.labels, blobs),
        this.#describe(manifest, variant, onDescribed),
      ]);
      const [graph, weights, labels, processor] = await within(files);
      // Behind the files, and with nothing awaited before the session: another model's abort may have taken the first one.
      const runtime = await this.#options.runtime();
      const create = now();
      const external = new Map(
        weightsFile === null || weights === null ? [] : [[weightsFile.path, weights.pieces] as const],
      );
      const model: LoadedModel = {
        manifest,
        variant,
        labels: checkLabels(labels, manifest),
        processor,
        input: variant.inputs[0]!,
        session: createSession(runtime, graph, external, id),
      };
      const timing = { manifestMs: read - start, filesMs: create - read, sessionMs: now() - create };
      this.#options.onLoaded(id, model, timing);
      if (blobs !== null && weightsFile !== null && weights?.cached === false) {
        keepLarge(store, manifest, weightsFile, blobs);
      }
      return model;
    } finally {
      const released = weightsRead?.then(
        ({ pieces }) => pieces.release(),
        () => {},
      );
      // Where another file failed, the weights are still on their way; their memory is leased until they have gone. Not where the
      // bucket itself hangs.
      if (!signal.aborted) await released;
      lease.release();
    }
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

function createSession(
  runtime: OrtRuntime,
  graph: Uint8Array,
  externalData: ReadonlyMap<string, PieceFile>,
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
