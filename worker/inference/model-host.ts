/**
 * Keeps models loaded: resolves aliases, loads each version once, shares that load between requests, makes room, and replaces
 * what broke. One host an isolate. Store, compiled WASM module, budget and clock are passed in.
 */
import { type BlobCache, whileReading } from '../../model-store/load.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import { resolveVersion } from '../../model-store/versions.ts';
import { AppError, ModelError } from '../errors.ts';
import type { MemoryBudget } from './memory-budget.ts';
import { BASE_HEAP_BYTES, sessionHeapBytes } from './memory-plan.ts';
import { type LoadedModel, type LoadTiming, ModelLoader } from './model-loader.ts';
import { OrtRuntime } from './runtime.ts';
import type { Tensor } from './session.ts';

/** How long one load may take before its waiters give up, in ms. */
const LOAD_TIMEOUT_MS = 60_000;

/** Keeps a promise alive after the response that started it: `ExecutionContext.waitUntil`. */
export type WaitUntil = (promise: Promise<unknown>) => void;

/** What a host needs. */
export interface ModelHostOptions {
  readonly store: ObjectStore;
  readonly blobs: BlobCache | null;
  readonly budget: MemoryBudget;
  /** Bytes that an isolate has for its models: heap, and files in flight. */
  readonly modelBytes: number;
  readonly wasmModule: WebAssembly.Module;
  readonly aliasMaxAgeMs: number;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Told of failures that a request does not see: the version it has went on answering. */
  onBackgroundError(error: unknown, model: string): void;
  onLoaded(model: string, timing: LoadTiming): void;
}

interface Resolution {
  readonly version: string;
  readonly checkedAt: number;
}

/** The models of one isolate. */
export class ModelHost {
  readonly #options: ModelHostOptions;
  readonly #loader: ModelLoader;
  #runtimeStart: Promise<OrtRuntime> | null = null;
  #runtime: OrtRuntime | null = null;
  readonly #resolutions = new Map<string, Resolution>();
  /** Look-ups and loads under way, by `name@reference`; requests for the same share one. */
  readonly #refreshes = new Map<string, Promise<LoadedModel>>();
  /** Loaded models by `name@version`, least recently used first. */
  readonly #loaded = new Map<string, LoadedModel>();
  /** Ends when the last load that was begun has ended: loads are made one after the other, as each makes room for itself. */
  #lastLoad: Promise<unknown> = Promise.resolve();

  constructor(options: ModelHostOptions) {
    this.#options = options;
    this.#loader = new ModelLoader({
      ...options,
      runtime: () => this.#startRuntime(),
      makeRoom: (heapBytes) => this.#makeRoom(heapBytes),
      onLoaded: (id, timing) => options.onLoaded(id, timing),
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

  /**
   * The model that `reference` (alias or version) stands for, loaded. What was looked up less than `aliasMaxAgeMs` ago is
   * believed; up to twice that age the loaded version answers while the look-up goes on behind the response; after that the
   * look-up is waited for. Where the new version cannot be loaded, the old one goes on answering.
   * @throws ModelError `model_not_found`, `model_unavailable`, `model_corrupt`, `model_too_large`, `invalid_manifest`;
   * RuntimeError `memory_budget_exceeded`, `overloaded`.
   */
  async get(name: string, reference: string, waitUntil: WaitUntil): Promise<LoadedModel> {
    const id = `${name}@${reference}`;
    const known = this.#resolutions.get(id);
    const ready = known === undefined ? undefined : this.#use(`${name}@${known.version}`);
    if (known !== undefined && ready !== undefined) {
      const age = this.#options.now() - known.checkedAt;
      if (age < this.#options.aliasMaxAgeMs) return ready;
      const refresh = this.#refresh(name, reference, waitUntil);
      if (age < 2 * this.#options.aliasMaxAgeMs) {
        refresh.catch((error: unknown) => this.#options.onBackgroundError(error, id));
        return ready;
      }
      return refresh;
    }
    return this.#refresh(name, reference, waitUntil);
  }

  /** The version that `reference` stands for, without loading it; as old as `get` would accept. @throws as `get`. */
  async resolve(name: string, reference: string): Promise<string> {
    const known = this.#resolutions.get(`${name}@${reference}`);
    if (known !== undefined && this.#options.now() - known.checkedAt < 2 * this.#options.aliasMaxAgeMs) {
      return known.version;
    }
    return this.#lookUp(name, reference);
  }

  /**
   * Runs one batch: `[N, C, H, W]` pixel values in, the named outputs out. Synchronous: nothing else runs meanwhile.
   * A runtime that aborts is thrown away; the next `get` starts another.
   * @throws RuntimeError `inference_failed`.
   */
  run(model: LoadedModel, pixelValues: Tensor, outputs: readonly string[]): Map<string, Tensor> {
    try {
      return model.session.run(new Map([[model.input.name, pixelValues]]), outputs);
    } finally {
      this.#dropIfAborted();
    }
  }

  #use(id: string): LoadedModel | undefined {
    const model = this.#loaded.get(id);
    if (model !== undefined) {
      this.#loaded.delete(id);
      this.#loaded.set(id, model);
    }
    return model;
  }

  #refresh(name: string, reference: string, waitUntil: WaitUntil): Promise<LoadedModel> {
    const id = `${name}@${reference}`;
    const underWay = this.#refreshes.get(id);
    if (underWay !== undefined) return underWay;
    const refresh = this.#resolveAndLoad(name, reference).finally(() => this.#refreshes.delete(id));
    this.#refreshes.set(id, refresh);
    // Other requests wait for it too: it must outlive the one that began it.
    waitUntil(refresh.catch(() => {}));
    return refresh;
  }

  async #resolveAndLoad(name: string, reference: string): Promise<LoadedModel> {
    const id = `${name}@${reference}`;
    const known = this.#resolutions.get(id);
    try {
      const version = await this.#lookUp(name, reference);
      const model = this.#use(`${name}@${version}`) ?? (await this.#load(name, version));
      this.#resolutions.set(id, { version, checkedAt: this.#options.now() });
      if (known !== undefined && known.version !== version) this.#release(`${name}@${known.version}`);
      return model;
    } catch (error) {
      if (known === undefined || !isTemporary(error)) throw error;
      // The version at hand may have made room for the one that failed.
      const fallback = this.#use(`${name}@${known.version}`) ?? (await this.#load(name, known.version));
      this.#resolutions.set(id, { version: known.version, checkedAt: this.#options.now() });
      this.#options.onBackgroundError(error, id);
      return fallback;
    }
  }

  #lookUp(name: string, reference: string): Promise<string> {
    const { store } = this.#options;
    return whileReading(`model ${name}@${reference}`, () => resolveVersion(store, name, reference));
  }

  async #load(name: string, version: string): Promise<LoadedModel> {
    const id = `${name}@${version}`;
    const load = this.#lastLoad.then(async () => {
      const ready = this.#use(id);
      if (ready !== undefined) return ready;
      const model = await withTimeout(this.#loader.load(name, version), LOAD_TIMEOUT_MS, id);
      this.#loaded.set(id, model);
      return model;
    });
    this.#lastLoad = load.catch(() => this.#dropIfAborted());
    return load;
  }

  /** Releases the least recently used models until `heapBytes` more fit; gives the growth of the heap to expect. */
  #makeRoom(heapBytes: number): number {
    const planned = (): number => {
      let sum = BASE_HEAP_BYTES + heapBytes;
      for (const { variant } of this.#loaded.values()) sum += sessionHeapBytes(variant);
      return sum;
    };
    for (const id of [...this.#loaded.keys()]) {
      if (planned() <= this.#options.modelBytes) break;
      this.#release(id);
    }
    return Math.max(0, planned() - this.heapBytes);
  }

  #startRuntime(): Promise<OrtRuntime> {
    if (this.#runtimeStart === null) {
      const start = OrtRuntime.start(this.#options.wasmModule);
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
    if (this.#runtime === null || this.#runtime.abortReason === null) return;
    this.#runtime = null;
    this.#runtimeStart = null;
    this.#loaded.clear();
  }
}

/** True where the same look-up may succeed later, so that the version at hand should go on answering. */
function isTemporary(error: unknown): boolean {
  return !(error instanceof AppError) || error.code !== 'model_not_found';
}

function withTimeout<T>(promise: Promise<T>, ms: number, id: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const message = `loading ${id} took over ${ms / 1000} s`;
      reject(new ModelError('model_unavailable', message, { details: { model: id }, retryAfterSeconds: 5 }));
    }, ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
