/**
 * Keeps models loaded: resolves aliases, loads each version once, shares that load between requests, makes room, and replaces
 * what broke. One host an isolate. Store, compiled WASM module, budget and clock are passed in.
 */
import type { StartDigest } from '../../model-store/digest.ts';
import type { BlobCache } from '../../model-store/load.ts';
import type { Manifest } from '../../model-store/manifest.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import { AppError, ModelError } from '../errors.ts';
import { blameOf, isRetryable } from '../problem.ts';
import type { Tensor } from './inference-session.ts';
import type { MemoryBudget } from './memory-budget.ts';
import {
  BASE_HEAP_BYTES,
  checkModelFits,
  loadBytes,
  modelTooLarge,
  plannedHeapBytes,
  type SessionMemory,
} from './memory-plan.ts';
import {
  type DescribedModel,
  type HeapRoom,
  type LoadedModel,
  type LoadOptions,
  type LoadReport,
  ModelLoader,
} from './model-loader.ts';
import type { EngineChoice, PreparedVersion } from './prepare-variant.ts';
import { OrtRuntime, type WasmModules } from './runtime.ts';
import { type Resolution, remember, VersionLookup } from './version-lookup.ts';

/** How long one load may take before it is given up, in ms. */
const LOAD_TIMEOUT_MS = 60_000;

/** Networks that are kept for loads that are about to begin. */
const MAX_PREPARED = 2;

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
  /** Who runs models. */
  readonly engine: EngineChoice;
  readonly aliasMaxAgeMs: number;
  readonly startDigest: StartDigest;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Told of failures that a request does not see: the version it has went on answering. */
  onBackgroundError(error: unknown, model: string): void;
  onLoaded(model: string, report: LoadReport): void;
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
  /** What versions take that were asked for, by `name@version`. */
  readonly #memoryById = new Map<string, SessionMemory>();
  /** Versions that are about to be loaded: their networks, which take a moment to read. */
  readonly #prepared = new Map<string, Promise<PreparedVersion>>();
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
  /** Versions that turned out too large by themselves, by `name@version`: their heap, and what their manifest said of it. */
  readonly #oversized = new Map<string, { readonly heapBytes: number; readonly claimedBytes: number | null }>();
  /** When a loaded model failed first, in ms since the epoch. */
  readonly #failingSince = new WeakMap<LoadedModel, number>();
  /** Ends when the last load that was begun has ended: loads are made one after the other, as each makes room for itself. */
  #lastLoad: Promise<unknown> = Promise.resolve();

  constructor(options: ModelHostOptions) {
    this.#options = options;
    this.#versions = new VersionLookup(options);
    this.#loader = new ModelLoader({
      ...options,
      choice: options.engine,
      engine: options.wasmModules.engine,
      runtime: () => this.#startRuntime(),
      readManifest: (name, version) => this.#versions.manifest(name, version),
      prepare: (manifest) => this.#prepare(manifest),
      planRoom: (memory) => this.#planRoom(memory),
      onReserved: (id) => void this.#reserved.add(id),
      onLoaded: (id, model, report) => {
        this.#release(id);
        this.#loaded.set(id, model);
        if (model.engine === 'onnxruntime') this.#sessionsMade++;
        options.onLoaded(id, report);
      },
      now: () => options.now(),
    });
  }

  /** Models that can answer now, without a load. */
  get loadedModels(): readonly LoadedModel[] {
    return [...this.#loaded.values()];
  }

  /** Bytes of WASM memory: onnxruntime's heap, 0 before it has started, and the memory of each model in the engine. */
  get heapBytes(): number {
    return this.#runtimeBytes + this.#engineBytes();
  }

  /** The same as it will be once each loaded model has run. */
  get committedHeapBytes(): number {
    const started = this.#runtimeStart === null ? 0 : BASE_HEAP_BYTES;
    return Math.max(this.#runtimeBytes, started, plannedHeapBytes(this.#memories('onnxruntime'))) + this.#engineBytes();
  }

  /** Bytes of onnxruntime's heap. */
  get #runtimeBytes(): number {
    return this.#runtime?.heapBytes ?? 0;
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
    const memory = this.#memoryById.get(id) ?? (await this.#prepare(manifest)).memory;
    this.#checkFits(manifest, memory);
    return () =>
      this.#loaded.has(id) || this.#reserved.has(id) ? 0 : loadBytes(memory, this.#planRoom(memory).growthBytes);
  }

  /** Decides who runs a version; whoever asks before it is loaded shares the answer. @throws as `get`. */
  async #prepare(manifest: Manifest): Promise<PreparedVersion> {
    const id = `${manifest.name}@${manifest.version}`;
    const underWay = this.#prepared.get(id) ?? this.#loader.prepare(manifest);
    remember(this.#prepared, id, underWay, MAX_PREPARED);
    try {
      const prepared = await underWay;
      this.#checkFits(manifest, prepared.memory);
      remember(this.#memoryById, id, prepared.memory);
      return prepared;
    } catch (error) {
      this.#prepared.delete(id);
      throw error;
    }
  }

  /** @throws ModelError `model_too_large`, also where only running the version has shown that. */
  #checkFits(manifest: Manifest, memory: SessionMemory): void {
    const { modelBytes } = this.#options;
    checkModelFits(manifest, memory, modelBytes);
    const measured = this.#oversized.get(`${manifest.name}@${manifest.version}`);
    if (measured !== undefined && measured.claimedBytes === claimedHeapBytes(manifest)) {
      throw modelTooLarge(manifest, measured.heapBytes, measured.heapBytes, modelBytes);
    }
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
   * A session that aborts is thrown away, and so is a runtime whose heap leaves no room for an image; the next `get` starts another.
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

  /**
   * Hears that a loaded model cannot answer. It is released and its manifest forgotten, so that a repair in place is seen, but not
   * before it has failed for `aliasMaxAgeMs`: a broken model must not be loaded again for every request.
   */
  distrust(model: LoadedModel): void {
    const { name, version } = model.manifest;
    const nowMs = this.#options.now();
    const since = this.#failingSince.get(model) ?? nowMs;
    this.#failingSince.set(model, since);
    if (nowMs - since < this.#options.aliasMaxAgeMs) return;
    this.#forget(name, version);
    if (this.#loaded.get(`${name}@${version}`) === model) this.#release(`${name}@${version}`);
  }

  /** Forgets what was read of a version, so that it is read again. */
  #forget(name: string, version: string): void {
    this.#versions.forget(name, version);
    this.#prepared.delete(`${name}@${version}`);
    this.#memoryById.delete(`${name}@${version}`);
  }

  /** A loaded model, from now on the last one to be released; one that has aborted is none. */
  #use(id: string): LoadedModel | undefined {
    const model = this.#loaded.get(id);
    if (model === undefined) return undefined;
    this.#loaded.delete(id);
    if (model.session.abortReason !== null) return undefined;
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
      } catch (error) {
        // It may be repaired in place.
        if (blameOf(error) === 'model') this.#forget(name, version);
        throw error;
      } finally {
        clearTimeout(timer);
        this.#reserved.delete(id);
        this.#prepared.delete(id);
      }
    });
    this.#lastLoad = load.catch(() => this.#dropIfAborted());
    return load;
  }

  /** What the loaded models take that one of the two runs. */
  *#memories(engine: LoadedModel['engine'], without: ReadonlySet<string> = new Set()): Generator<SessionMemory, void> {
    for (const [id, model] of this.#loaded) if (model.engine === engine && !without.has(id)) yield model.memory;
  }

  /** Bytes of the engine's memories. */
  #engineBytes(without: ReadonlySet<string> = new Set()): number {
    return plannedHeapBytes(this.#memories('bit', without));
  }

  /** Chooses the least recently used models to release until one more fits. */
  #planRoom(memory: SessionMemory): HeapRoom {
    const leaving = new Set<string>();
    for (const id of this.#loaded.keys()) {
      if (this.#plannedWith(memory, leaving).needed <= this.#options.modelBytes) break;
      leaving.add(id);
    }
    const { planned, keepsRuntime } = this.#plannedWith(memory, leaving);
    return {
      growthBytes: Math.max(0, planned - this.committedHeapBytes),
      make: () => {
        for (const id of leaving) this.#release(id);
        if (!keepsRuntime && this.#runtimeStart !== null) this.#dropRuntime();
      },
    };
  }

  /**
   * What the memory comes to with one more session and without those that leave. onnxruntime's heap never shrinks: beside the engine it
   * counts as it is, and goes where nothing is left in it.
   */
  #plannedWith(memory: SessionMemory, leaving: ReadonlySet<string>) {
    const isEngine = memory.runtimeBytes === 0;
    const sessions = [...this.#memories('onnxruntime', leaving), ...(isEngine ? [] : [memory])];
    const engineBytes = this.#engineBytes(leaving) + (isEngine ? memory.sessionBytes : 0);
    const stays = plannedHeapBytes(this.#memories('onnxruntime', leaving)) > 0;
    const keepsRuntime =
      stays || (!isEngine && (engineBytes === 0 || this.#runtimeBytes <= plannedHeapBytes(sessions)));
    const heap = Math.max(plannedHeapBytes(sessions), engineBytes > 0 && keepsRuntime ? this.#runtimeBytes : 0);
    const margin =
      sessions.length === 0 ? 0 : Math.max(...sessions.map(({ marginBytes }) => marginBytes), this.#sharedExcessBytes);
    return { planned: heap + engineBytes, needed: heap + engineBytes + margin, keepsRuntime };
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
    for (const [id, { session }] of this.#loaded) if (session.abortReason !== null) this.#release(id);
  }

  /**
   * A heap never shrinks: one that has grown into the room for images would refuse them all for ever. It is thrown away, and the
   * models come back when they are asked for, but not one that was alone in it.
   * @returns true if it was thrown away.
   */
  #dropIfOvergrown(manifest: Manifest): boolean {
    const { name, version } = manifest;
    const { heapBytes } = this;
    if (heapBytes <= this.#options.modelBytes) return false;
    if (this.#sessionsMade === 1 && this.#loaded.size === 1) {
      this.#oversized.set(`${name}@${version}`, { heapBytes, claimedBytes: claimedHeapBytes(manifest) });
    } else if (this.#loaded.size > 1) {
      this.#sharedExcessBytes = Math.max(0, this.#runtimeBytes - plannedHeapBytes(this.#memories('onnxruntime')));
    }
    this.#dropRuntime();
    return true;
  }

  /** Throws onnxruntime away, and the models in it. */
  #dropRuntime(): void {
    for (const [id, { engine }] of [...this.#loaded]) if (engine === 'onnxruntime') this.#release(id);
    this.#runtime = null;
    this.#runtimeStart = null;
    this.#sessionsMade = 0;
  }
}

/** True if the version at hand should go on answering: what failed is the new version or the service. A removed model answers no more. */
function isTemporary(error: unknown): boolean {
  return isRetryable(error) && !(error instanceof AppError && error.code === 'model_not_found');
}

/** What a manifest says of the heap that its model takes. */
function claimedHeapBytes({ variants, default_variant: name }: Manifest): number | null {
  return variants[name]?.wasm_heap_bytes ?? null;
}

function tookTooLong(id: string): ModelError {
  return new ModelError('model_unavailable', `loading ${id} took over ${LOAD_TIMEOUT_MS / 1000} s`, {
    details: { model: id },
    retryAfterSeconds: 5,
  });
}
