/**
 * Keeps models loaded: resolves aliases, loads each version once, shares that load between requests, and replaces what broke.
 * One host an isolate. The bucket, the compiled WASM module and the clock are passed in.
 */
import { readVerified, readVerifiedJson, whileReading } from '../../model-store/load.ts';
import type { Manifest, TensorSpecification, Variant } from '../../model-store/manifest.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import { readManifest, resolveVersion } from '../../model-store/versions.ts';
import { AppError, ModelError, RuntimeError } from '../errors.ts';
import { type ProcessorConfig, parseProcessorConfig } from '../preprocess/config.ts';
import { OrtRuntime } from './runtime.ts';
import type { OrtSession, Tensor } from './session.ts';

/** How long one load may take before its waiters give up, in ms. */
const LOAD_TIMEOUT_MS = 60_000;

/** Keeps a promise alive after the response that started it: `ExecutionContext.waitUntil`. */
export type WaitUntil = (promise: Promise<unknown>) => void;

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

/** What a host needs. */
export interface ModelHostOptions {
  readonly store: ObjectStore;
  readonly wasmModule: WebAssembly.Module;
  readonly aliasMaxAgeMs: number;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Told of failures that a request does not see: the version it has went on answering. */
  onBackgroundError(error: unknown, model: string): void;
}

interface Resolution {
  version: string;
  checkedAt: number;
}

/** The models of one isolate. */
export class ModelHost {
  readonly #options: ModelHostOptions;
  #runtime: Promise<OrtRuntime> | null = null;
  readonly #resolutions = new Map<string, Resolution>();
  readonly #loads = new Map<string, Promise<LoadedModel>>();
  readonly #loaded = new Map<string, LoadedModel>();

  constructor(options: ModelHostOptions) {
    this.#options = options;
  }

  /** Models that can answer now, without a load. */
  get loadedModels(): readonly LoadedModel[] {
    return [...this.#loaded.values()];
  }

  /**
   * The model that `reference` (alias or version) stands for, loaded. An alias is looked up again once it is
   * `aliasMaxAgeMs` old; where the new version cannot be loaded, the one that is loaded goes on answering.
   * @throws ModelError `model_not_found`, `model_unavailable`, `model_corrupt`, `invalid_manifest`.
   */
  async get(name: string, reference: string, waitUntil: WaitUntil): Promise<LoadedModel> {
    const id = `${name}@${reference}`;
    const known = this.#resolutions.get(id);
    if (known !== undefined && this.#options.now() - known.checkedAt < this.#options.aliasMaxAgeMs) {
      return this.#load(name, known.version, waitUntil);
    }
    try {
      const version = await whileReading(`model ${id}`, () => resolveVersion(this.#options.store, name, reference));
      const model = await this.#load(name, version, waitUntil);
      this.#resolutions.set(id, { version, checkedAt: this.#options.now() });
      if (known !== undefined && known.version !== version) this.#forget(`${name}@${known.version}`);
      return model;
    } catch (error) {
      const fallback = known === undefined ? undefined : this.#loaded.get(`${name}@${known.version}`);
      if (known === undefined || fallback === undefined || !isTemporary(error)) throw error;
      known.checkedAt = this.#options.now();
      this.#options.onBackgroundError(error, id);
      return fallback;
    }
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
      if (model.session.runtime.abortReason !== null) this.#reset();
    }
  }

  async #load(name: string, version: string, waitUntil: WaitUntil): Promise<LoadedModel> {
    const id = `${name}@${version}`;
    const ready = this.#loaded.get(id);
    if (ready !== undefined) return ready;
    let load = this.#loads.get(id);
    if (load === undefined) {
      load = this.#start(name, version);
      this.#loads.set(id, load);
      const settled = load.then(
        (model) => {
          this.#loads.delete(id);
          this.#loaded.set(id, model);
        },
        () => this.#loads.delete(id),
      );
      // Other requests wait for this load too: it must outlive the one that began it.
      waitUntil(settled);
    }
    return withTimeout(load, LOAD_TIMEOUT_MS, () => {
      this.#loads.delete(id);
      return new ModelError('model_unavailable', `loading ${id} took over ${LOAD_TIMEOUT_MS / 1000} s`, {
        details: { model: name, version },
        retryAfterSeconds: 5,
      });
    });
  }

  async #start(name: string, version: string): Promise<LoadedModel> {
    const { store } = this.#options;
    const runtimeStart = this.#startRuntime();
    const manifest = await whileReading(`the manifest of ${name}@${version}`, () => readManifest(store, name, version));
    const variant = manifest.variants[manifest.default_variant]!;
    const [model, weights, labels, processor, runtime] = await Promise.all([
      readVerified(store, manifest, variant.model),
      variant.weights === null ? null : readVerified(store, manifest, variant.weights),
      readVerifiedJson(store, manifest, manifest.labels),
      readVerifiedJson(store, manifest, manifest.preprocessor),
      runtimeStart,
    ]);
    const externalData = new Map(variant.weights === null || weights === null ? [] : [[variant.weights.path, weights]]);
    const session = this.#createSession(runtime, model, externalData, `${name}@${version}`);
    return {
      manifest,
      variant,
      labels: checkLabels(labels, manifest),
      processor: parseProcessorConfig(processor),
      input: variant.inputs[0]!,
      session,
    };
  }

  #createSession(
    runtime: OrtRuntime,
    model: Uint8Array,
    externalData: ReadonlyMap<string, Uint8Array>,
    id: string,
  ): OrtSession {
    try {
      return runtime.createSession(model, { externalData });
    } catch (cause) {
      if (runtime.abortReason !== null) this.#reset();
      if (!(cause instanceof RuntimeError)) throw cause;
      throw new ModelError('model_unavailable', `${id} could not be made ready: ${cause.message}`, { cause });
    }
  }

  #startRuntime(): Promise<OrtRuntime> {
    if (this.#runtime === null) {
      const start = OrtRuntime.start(this.#options.wasmModule);
      this.#runtime = start;
      start.catch(() => {
        if (this.#runtime === start) this.#runtime = null;
      });
    }
    return this.#runtime;
  }

  #forget(id: string): void {
    const model = this.#loaded.get(id);
    this.#loaded.delete(id);
    model?.session.release();
  }

  #reset(): void {
    this.#runtime = null;
    this.#loaded.clear();
    this.#loads.clear();
  }
}

/** True where the same look-up may succeed later, so that the version at hand should go on answering. */
function isTemporary(error: unknown): boolean {
  return !(error instanceof AppError) || error.code !== 'model_not_found';
}

function checkLabels(value: unknown, manifest: Manifest): readonly string[] {
  if (
    Array.isArray(value) &&
    value.length === manifest.num_labels &&
    value.every((label): label is string => typeof label === 'string')
  ) {
    return value;
  }
  throw new ModelError('model_corrupt', `${manifest.labels.path} is no array of ${manifest.num_labels} strings`);
}

function withTimeout<T>(promise: Promise<T>, ms: number, onTimeout: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(onTimeout()), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
