/**
 * The versions that are loaded: each is loaded once, one after the other, and makes room for itself by releasing the least recently
 * used; what broke or outgrew its room is thrown away. Knows versions only: aliases are the model host's.
 */
import type { Manifest } from '../../model-store/manifest.ts';
import { ModelError } from '../errors.ts';
import { blameOf } from '../problem.ts';
import { type HeapState, memoriesOf, planHeap } from './heap-plan.ts';
import type { Tensor } from './inference-session.ts';
import {
  BASE_HEAP_BYTES,
  checkModelFits,
  loadBytes,
  modelTooLarge,
  plannedHeapBytes,
  type SessionMemory,
} from './memory-plan.ts';
import type { ModelHostOptions } from './model-host-options.ts';
import { type HeapRoom, type LoadedModel, type LoadOptions, ModelLoader } from './model-loader.ts';
import type { PreparedVersion } from './prepare-variant.ts';
import { OrtRuntime } from './runtime.ts';
import { remember, type VersionLookup } from './version-lookup.ts';

/** How long one load may take before it is given up, in ms. */
const LOAD_TIMEOUT_MS = 60_000;

/** Networks that are kept for loads that are about to begin. */
const MAX_PREPARED = 2;

/** The loaded versions of one isolate. */
export class LoadedModels {
  readonly #options: ModelHostOptions;
  readonly #versions: VersionLookup;
  readonly #loader: ModelLoader;
  #runtimeStart: Promise<OrtRuntime> | null = null;
  #runtime: OrtRuntime | null = null;
  /** What versions take that were asked for, by `name@version`. */
  readonly #memoryById = new Map<string, SessionMemory>();
  /** Versions that are about to be loaded: their networks, which take a moment to read. */
  readonly #prepared = new Map<string, Promise<PreparedVersion>>();
  /** Versions that are being loaded and have their memory. */
  readonly #reserved = new Set<string>();
  /** By `name@version`, least recently used first. */
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

  constructor(options: ModelHostOptions, versions: VersionLookup) {
    this.#options = options;
    this.#versions = versions;
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
        this.release(id);
        this.#loaded.set(id, model);
        if (model.engine === 'onnxruntime') this.#sessionsMade++;
        options.onLoaded(id, report);
      },
      now: () => options.now(),
    });
  }

  /** Models that can answer now, least recently used first. */
  get all(): readonly LoadedModel[] {
    return [...this.#loaded.values()];
  }

  /** Bytes of WASM memory: onnxruntime's heap, 0 before it has started, and the memory of each model in the engine. */
  get heapBytes(): number {
    return this.#runtimeBytes + this.#engineBytes;
  }

  /** The same as it will be once each loaded model has run. */
  get committedHeapBytes(): number {
    const started = this.#runtimeStart === null ? 0 : BASE_HEAP_BYTES;
    const planned = plannedHeapBytes(memoriesOf(this.#state, 'onnxruntime'));
    return Math.max(this.#runtimeBytes, started, planned) + this.#engineBytes;
  }

  /** True if a version can answer now. @param id `name@version`. */
  has(id: string): boolean {
    return this.#loaded.has(id);
  }

  /** A loaded model, from now on the last one to be released; undefined if it has aborted. @param id `name@version`. */
  use(id: string): LoadedModel | undefined {
    const model = this.#loaded.get(id);
    if (model === undefined) return undefined;
    this.#loaded.delete(id);
    if (model.session.abortReason !== null) return undefined;
    this.#loaded.set(id, model);
    return model;
  }

  /**
   * Loads a version, behind the loads that were begun before.
   * @throws as `ModelHost.get`.
   */
  load(name: string, version: string, onDescribed: LoadOptions['onDescribed']): Promise<LoadedModel> {
    const id = `${name}@${version}`;
    const load = this.#lastLoad.then(async () => {
      const ready = this.use(id);
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

  /** Bytes that a load of this version would take now; 0 if it is loaded or has its memory already. @throws as `ModelHost.get`. */
  async loadRoom(name: string, version: string): Promise<() => number> {
    const id = `${name}@${version}`;
    if (this.#loaded.has(id)) return () => 0;
    const manifest = await this.#versions.manifest(name, version);
    const memory = this.#memoryById.get(id) ?? (await this.#prepare(manifest)).memory;
    this.#checkFits(manifest, memory);
    return () =>
      this.#loaded.has(id) || this.#reserved.has(id) ? 0 : loadBytes(memory, this.#planRoom(memory).growthBytes);
  }

  /**
   * Runs one batch: `[N, C, H, W]` pixel values in, the named outputs out. Synchronous: nothing else runs meanwhile.
   * A session that aborts is thrown away, and so is a runtime whose heap leaves no room for an image; the next load starts another.
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

  /** Hears that a loaded model cannot answer; see `ModelHost.distrust`. */
  distrust(model: LoadedModel): void {
    const { name, version } = model.manifest;
    const nowMs = this.#options.now();
    const since = this.#failingSince.get(model) ?? nowMs;
    this.#failingSince.set(model, since);
    if (nowMs - since < this.#options.aliasMaxAgeMs) return;
    this.#forget(name, version);
    if (this.#loaded.get(`${name}@${version}`) === model) this.release(`${name}@${version}`);
  }

  /** Releases a version, if it is loaded. @param id `name@version`. */
  release(id: string): void {
    const model = this.#loaded.get(id);
    this.#loaded.delete(id);
    model?.session.release();
  }

  /** Decides who runs a version; all who ask before it is loaded share the answer. @throws as `ModelHost.get`. */
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

  /** @throws ModelError `model_too_large`, also if only running the version has shown that. */
  #checkFits(manifest: Manifest, memory: SessionMemory): void {
    const { modelBytes } = this.#options;
    checkModelFits(manifest, memory, modelBytes);
    const measured = this.#oversized.get(`${manifest.name}@${manifest.version}`);
    if (measured !== undefined && measured.claimedBytes === claimedHeapBytes(manifest)) {
      throw modelTooLarge(manifest, measured.heapBytes, measured.heapBytes, modelBytes);
    }
  }

  /** Forgets what was read of a version, so that it is read again. */
  #forget(name: string, version: string): void {
    this.#versions.forget(name, version);
    this.#prepared.delete(`${name}@${version}`);
    this.#memoryById.delete(`${name}@${version}`);
  }

  #planRoom(memory: SessionMemory): HeapRoom {
    const { leaving, plannedBytes, keepsRuntime } = planHeap(memory, this.#state);
    return {
      growthBytes: Math.max(0, plannedBytes - this.committedHeapBytes),
      make: () => {
        for (const id of leaving) this.release(id);
        if (!keepsRuntime && this.#runtimeStart !== null) this.#dropRuntime();
      },
    };
  }

  get #state(): HeapState {
    return {
      loaded: this.#loaded,
      modelBytes: this.#options.modelBytes,
      runtimeBytes: this.#runtimeBytes,
      sharedExcessBytes: this.#sharedExcessBytes,
    };
  }

  /** Bytes of onnxruntime's heap. */
  get #runtimeBytes(): number {
    return this.#runtime?.heapBytes ?? 0;
  }

  /** Bytes of the engine's memories. */
  get #engineBytes(): number {
    return plannedHeapBytes(memoriesOf({ loaded: this.#loaded }, 'bit'));
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

  #dropIfAborted(): void {
    if (this.#runtime !== null && this.#runtime.abortReason !== null) this.#dropRuntime();
    for (const [id, { session }] of this.#loaded) if (session.abortReason !== null) this.release(id);
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
      const planned = plannedHeapBytes(memoriesOf(this.#state, 'onnxruntime'));
      this.#sharedExcessBytes = Math.max(0, this.#runtimeBytes - planned);
    }
    this.#dropRuntime();
    return true;
  }

  /** Throws onnxruntime away, and the models in it. */
  #dropRuntime(): void {
    for (const [id, { engine }] of [...this.#loaded]) if (engine === 'onnxruntime') this.release(id);
    this.#runtime = null;
    this.#runtimeStart = null;
    this.#sessionsMade = 0;
  }
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
