/**
 * Keeps models loaded: resolves aliases, loads each version once, shares that load between requests, makes room, and replaces
 * what broke. One host an isolate. Store, compiled WASM module, budget and clock are passed in.
 */
import type { StartDigest } from '../../model-store/digest.ts';
import type { BlobCache } from '../../model-store/load.ts';
import type { Manifest } from '../../model-store/manifest.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import { AppError, ModelError } from '../errors.ts';
import type { Tensor } from './inference-session.ts';
import type { MemoryBudget } from './memory-budget.ts';
import {
  BASE_HEAP_BYTES,
  checkModelFits,
  loadBytes,
  modelTooLarge,
  plannedHeapBytes,
  type SessionMemory,
  sessionMemory,
} from './memory-plan.ts';
import {
  type DescribedModel,
  type HeapRoom,
  type LoadedModel,
  type LoadOptions,
  type LoadTiming,
  ModelLoader,
} from './model-loader.ts';
import { OrtRuntime, type WasmModules } from './runtime.ts';
import { type Resolution, VersionLookup } from './version-lookup.ts';

/** How long one load may take before it is given up, in ms. */
const LOAD_TIMEOUT_MS = 60_000;

/** Keeps a promise alive after the response that started it: `ExecutionContext.waitUntil`. */
export type WaitUntil = (promise: Promise<unknown>) => void;

/** What a host needs. */
export interface ModelHostOptions {
  readonly store: ObjectStore;
  readonly blobs: BlobCache | null;
  readonly budget: MemoryBudget;
  /** Bytes that an isolate has for its models' heap: `modelRoomBytes`. */
  readonly modelBytes: number;
  readonly wasmModules: WasmModules;
  readonly aliasMaxAgeMs: number;
  readonly startDigest: StartDigest;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Told of failures that a request does not see: the version it has went on answering. */
  onBackgroundError(error: unknown, model: string): void;
  onLoaded(model: string, timing: LoadTiming): void;
}

/** A look-up, and the load that follows where the version is not loaded. */
interface Refresh {
  readonly model: Promise<LoadedModel>;
  /** What is known before the weights are there; of the loaded model where there is one. */
  readonly described: Promise<DescribedModel>;
}

/** A model that is loaded, or will be. */
export interface PendingModel {
  readonly described: DescribedModel;
  readonly model: Promise<LoadedModel>;
}

/** The models of one isolate. */
export class ModelHost {
  readonly #options: ModelHostOptions;
  readonly #loader: ModelLoader;
  #runtimeStart: Promise<OrtRuntime> | null = null;
  #runtime: OrtRuntime | null = null;
  /** What answers, by `name@reference`: a version that was loaded. */
  readonly #resolutions = new Map<string, Resolution>();
  readonly #versions: VersionLookup;
  /** Versions that are being loaded and have their memory. */
  readonly #reserved = new Set<string>();
  /** Look-ups and loads under way, by `name@reference`; requests for the same share one. */
  readonly #refreshes = new Map<string, Refresh>();
  /** Loaded models by `name@version`, least recently used first. */
  readonly #loaded = new Map<string, LoadedModel>();
  /** Sessions that the runtime has had. The first of them tells what a model takes by itself. */
  #sessionsMade = 0;
  /** By how much the heap of several models came out larger than planned: allowed for from then on. */
  #sharedExcessBytes = 0;
  /** Heaps of versions that turned out too large by themselves, by `name@version`. */
  readonly #oversized = new Map<string, number>();
  /** Ends when the last load that was begun has ended: loads are made one after the other, as each makes room for itself. */
  #lastLoad: Promise<unknown> = Promise.resolve();

  constructor(options: ModelHostOptions) {
    this.#options = options;
    this.#versions = new VersionLookup(options);
    this.#loader = new ModelLoader({
      ...options,
      runtime: () => this.#startRuntime(),
      readManifest: (name, version) => this.#versions.manifest(name, version),
      checkFits: (manifest) => this.#checkFits(manifest),
      planRoom: (memory) => this.#planRoom(memory),
      onReserved: (id) => void this.#reserved.add(id),
      onLoaded: (id, model, timing) => {
        this.#release(id);
        this.#loaded.set(id, model);
        this.#sessionsMade++;
        options.onLoaded(id, timing);
      },
      now: () => options.now(),
    });
  }

  /** Models that can answer now, without a load. */
  get loadedModels(): readonly LoadedModel[] {
    return [...this.#loaded.values()];
  }

  /** Bytes of the WASM heap; 0 before the runtime has started. */
  get heapBytes(): number {
    return this.#runtime?.heapBytes ?? 0;
  }

  /** Bytes that the heap has, or will have once each loaded model has run. */
  get committedHeapBytes(): number {
    const started = this.#runtimeStart === null ? 0 : BASE_HEAP_BYTES;
    return Math.max(this.heapBytes, started, plannedHeapBytes(this.#memories()));
  }

  /**
   * The model that `reference` (alias or version) stands for, loaded. What was looked up less than `aliasMaxAgeMs` ago is
   * believed; up to twice that age the loaded version answers while the look-up goes on behind the response; after that the
   * look-up is waited for. Where the new version cannot be loaded, the old one goes on answering.
   * @throws ModelError `model_not_found`, `model_unavailable`, `model_corrupt`, `model_too_large`, `invalid_manifest`;
   * RuntimeError `memory_budget_exceeded`, `overloaded`.
   */
  get(name: string, reference: string, waitUntil: WaitUntil): Promise<LoadedModel> {
    const found = this.#find(name, reference, waitUntil);
    return 'model' in found ? found.model : Promise.resolve(found);
  }

  /**
   * The same in two steps: what preprocessing needs is there before the weights are, so that an image is decoded meanwhile.
   * A load that fails falls back to the version before: `model` may be of another version than `described`.
   * @throws as `get`.
   */
  async open(name: string, reference: string, waitUntil: WaitUntil): Promise<PendingModel> {
    const found = this.#find(name, reference, waitUntil);
    if (!('model' in found)) return { described: found, model: Promise.resolve(found) };
    return { described: await found.described, model: found.model };
  }

  /**
   * Bytes that a load of this model would take now; 0 where it is loaded or has its memory already. Who leases memory and then
   * needs the model leaves so much free: else those who wait for it could hold what its load waits for. A version that cannot be
   * loaded takes nothing where the one before it is at hand: that one will answer.
   * @throws as `get`, where the version cannot be found or can never fit.
   */
  async loadRoom(name: string, reference: string): Promise<() => number> {
    const known = this.#resolutions.get(`${name}@${reference}`);
    try {
      return await this.#loadRoom(name, await this.resolve(name, reference));
    } catch (error) {
      if (known !== undefined && isTemporary(error) && this.#loaded.has(`${name}@${known.version}`)) return () => 0;
      throw error;
    }
  }

  async #loadRoom(name: string, version: string): Promise<() => number> {
    const id = `${name}@${version}`;
    if (this.#loaded.has(id)) return () => 0;
    const manifest = await this.#versions.manifest(name, version);
    const memory = this.#checkFits(manifest);
    return () =>
      this.#loaded.has(id) || this.#reserved.has(id) ? 0 : loadBytes(memory, this.#planRoom(memory).growthBytes);
  }

  /** What a version takes. @throws ModelError `model_too_large`, also where only running it has shown that. */
  #checkFits(manifest: Manifest): SessionMemory {
    const { modelBytes } = this.#options;
    const memory = checkModelFits(manifest, modelBytes);
    const measured = this.#oversized.get(`${manifest.name}@${manifest.version}`);
    if (measured !== undefined) throw modelTooLarge(manifest, measured, measured, modelBytes);
    return memory;
  }

  /** The loaded model where it can be believed, else the look-up under way. */
  #find(name: string, reference: string, waitUntil: WaitUntil): LoadedModel | Refresh {
    const id = `${name}@${reference}`;
    const known = this.#resolutions.get(id);
    const ready = known === undefined ? undefined : this.#use(`${name}@${known.version}`);
    if (known === undefined || ready === undefined) return this.#refresh(name, reference, waitUntil);
    const age = this.#options.now() - known.checkedAt;
    if (age < this.#options.aliasMaxAgeMs) return ready;
    const refresh = this.#refresh(name, reference, waitUntil);
    if (age >= 2 * this.#options.aliasMaxAgeMs) return refresh;
    refresh.model.catch((error: unknown) => this.#options.onBackgroundError(error, id));
    return ready;
  }

  /**
   * The version that `reference` stands for, without loading it; as old as `get` would accept, or as what is loaded where the
   * bucket does not answer.
   * @throws as `get`.
   */
  async resolve(name: string, reference: string): Promise<string> {
    const known = this.#resolutions.get(`${name}@${reference}`);
    if (known !== undefined && this.#options.now() - known.checkedAt < 2 * this.#options.aliasMaxAgeMs) {
      return known.version;
    }
    try {
      return await this.#versions.resolve(name, reference);
    } catch (error) {
      if (known === undefined || !isTemporary(error)) throw error;
      return known.version;
    }
  }

  /**
   * Runs one batch: `[N, C, H, W]` pixel values in, the named outputs out. Synchronous: nothing else runs meanwhile.
   * A runtime that aborts is thrown away, and so is one whose heap leaves no room for an image; the next `get` starts another.
   * @throws RuntimeError `inference_failed`.
   */
  run(model: LoadedModel, pixelValues: Tensor, outputs: readonly string[]): Map<string, Tensor> {
    try {
      return model.session.run(new Map([[model.input.name, pixelValues]]), outputs);
    } finally {
      this.#dropIfAborted();
      this.#dropIfOvergrown(model.manifest);
    }
  }

  /** A loaded model, from now on the last one to be released; one whose runtime has aborted is none. */
  #use(id: string): LoadedModel | undefined {
    const model = this.#loaded.get(id);
    if (model === undefined) return undefined;
    this.#loaded.delete(id);
    if (model.session.runtime.abortReason !== null) return undefined;
    this.#loaded.set(id, model);
    return model;
  }

  #refresh(name: string, reference: string, waitUntil: WaitUntil): Refresh {
    const id = `${name}@${reference}`;
    const underWay = this.#refreshes.get(id);
    if (underWay !== undefined) return underWay;
    const described = Promise.withResolvers<DescribedModel>();
    const model = this.#resolveAndLoad(name, reference, described.resolve).finally(() => this.#refreshes.delete(id));
    model.then(described.resolve, described.reject);
    const refresh: Refresh = { model, described: described.promise };
    this.#refreshes.set(id, refresh);
    // Other requests wait for it too: it must outlive the one that began it. Whoever asks for a part of it hears of its failure.
    waitUntil(Promise.all([model, described.promise].map((promise) => promise.catch(() => {}))));
    return refresh;
  }

  async #resolveAndLoad(
    name: string,
    reference: string,
    onDescribed: LoadOptions['onDescribed'],
  ): Promise<LoadedModel> {
    const id = `${name}@${reference}`;
    const known = this.#resolutions.get(id);
    try {
      const version = await this.#versions.resolve(name, reference);
      const model = this.#use(`${name}@${version}`) ?? (await this.#load(name, version, onDescribed));
      this.#resolutions.set(id, { version, checkedAt: this.#options.now() });
      if (known !== undefined && known.version !== version) this.#release(`${name}@${known.version}`);
      return model;
    } catch (error) {
      if (known === undefined || !isTemporary(error)) throw error;
      // The version at hand may have made room for the one that failed.
      const fallback = this.#use(`${name}@${known.version}`) ?? (await this.#load(name, known.version, onDescribed));
      this.#resolutions.set(id, { version: known.version, checkedAt: this.#options.now() });
      this.#options.onBackgroundError(error, id);
      return fallback;
    }
  }

  async #load(name: string, version: string, onDescribed: LoadOptions['onDescribed']): Promise<LoadedModel> {
    const id = `${name}@${version}`;
    const load = this.#lastLoad.then(async () => {
      const ready = this.#use(id);
      if (ready !== undefined) return ready;
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(tookTooLong(id)), LOAD_TIMEOUT_MS);
      try {
        const options = { signal: controller.signal, onDescribed };
        const model = await this.#loader.load(name, version, options);
        if (!this.#dropIfOvergrown(model.manifest)) return model;
        // By itself it may fit; if it was by itself, the loader refuses it now.
        return await this.#loader.load(name, version, options);
      } finally {
        clearTimeout(timer);
        this.#reserved.delete(id);
      }
    });
    this.#lastLoad = load.catch(() => this.#dropIfAborted());
    return load;
  }

  /** What the loaded models take. */
  *#memories(without: ReadonlySet<string> = new Set()): Generator<SessionMemory, void> {
    for (const [id, { variant }] of this.#loaded) if (!without.has(id)) yield sessionMemory(variant);
  }

  /** Chooses the least recently used models to release until one more fits. */
  #planRoom(memory: SessionMemory): HeapRoom {
    const leaving = new Set<string>();
    const planned = (): number => plannedHeapBytes([...this.#memories(leaving), memory]);
    for (const id of this.#loaded.keys()) {
      if (planned() + Math.max(memory.marginBytes, this.#sharedExcessBytes) <= this.#options.modelBytes) break;
      leaving.add(id);
    }
    return {
      growthBytes: Math.max(0, planned() - this.committedHeapBytes),
      make: () => {
        for (const id of leaving) this.#release(id);
      },
    };
  }

  #startRuntime(): Promise<OrtRuntime> {
    if (this.#runtimeStart === null) {
      const start = OrtRuntime.start(this.#options.wasmModules);
      this.#runtimeStart = start;
      start.then(
        (runtime) => {
          this.#runtime = runtime;
        },
        () => {
          this.#runtimeStart = null;
        },
      );
    }
    return this.#runtimeStart;
  }

  #release(id: string): void {
    const model = this.#loaded.get(id);
    this.#loaded.delete(id);
    model?.session.release();
  }

  #dropIfAborted(): void {
    if (this.#runtime !== null && this.#runtime.abortReason !== null) this.#dropRuntime();
  }

  /**
   * A heap never shrinks: one that has grown into the room for images would refuse them all for ever. It is thrown away, and the
   * models come back when they are asked for, but not one that was alone in it.
   * @returns true if it was thrown away.
   */
  #dropIfOvergrown({ name, version }: Manifest): boolean {
    const { heapBytes } = this;
    if (heapBytes <= this.#options.modelBytes) return false;
    if (this.#sessionsMade === 1) this.#oversized.set(`${name}@${version}`, heapBytes);
    else if (this.#loaded.size > 1) {
      this.#sharedExcessBytes = Math.max(0, heapBytes - plannedHeapBytes(this.#memories()));
    }
    this.#dropRuntime();
    return true;
  }

  #dropRuntime(): void {
    for (const id of [...this.#loaded.keys()]) this.#release(id);
    this.#runtime = null;
    this.#runtimeStart = null;
    this.#sessionsMade = 0;
  }
}

/** True where the same look-up may succeed later, so that the version at hand should go on answering. */
function isTemporary(error: unknown): boolean {
  return !(error instanceof AppError) || error.code !== 'model_not_found';
}

function tookTooLong(id: string): ModelError {
  return new ModelError('model_unavailable', `loading ${id} took over ${LOAD_TIMEOUT_MS / 1000} s`, {
    details: { model: id },
    retryAfterSeconds: 5,
  });
}
