/**
 * The models that answer, by name and alias: follows aliases, shares each look-up and load between the requests that wait for it, and
 * lets the version at hand answer while another is on its way or cannot be loaded. One host per isolate. Store, compiled WASM
 * modules, budget and clock are passed in; loading and releasing is `LoadedModels`.
 */
import { AppError } from '../errors.ts';
import { isRetryable } from '../problem.ts';
import type { Tensor } from './inference-session.ts';
import { LoadedModels } from './loaded-models.ts';
import type { ModelHostOptions } from './model-host-options.ts';
import type { DescribedModel, LoadedModel, LoadOptions } from './model-loader.ts';
import { type Resolution, VersionLookup } from './version-lookup.ts';

/** Keeps a promise alive after the response that started it: `ExecutionContext.waitUntil`. */
export type WaitUntil = (promise: Promise<unknown>) => void;

/** A model on its way: its look-up, and the load that follows if the version is not loaded. */
export interface LoadingModel {
  /** What is known before the weights are there; of the loaded model if there is one. */
  readonly described: Promise<DescribedModel>;
  readonly model: Promise<LoadedModel>;
}

/** The models of one isolate. */
export class ModelHost {
  readonly #options: ModelHostOptions;
  readonly #versions: VersionLookup;
  readonly #models: LoadedModels;
  /** What answers, by `name@reference`: a version that was loaded. */
  readonly #resolutions = new Map<string, Resolution>();
  /** Look-ups and loads under way, by `name@reference`; requests for the same share one. */
  readonly #loading = new Map<string, LoadingModel>();

  constructor(options: ModelHostOptions) {
    this.#options = options;
    this.#versions = new VersionLookup(options);
    this.#models = new LoadedModels(options, this.#versions);
  }

  /** Models that can answer now, without a load. */
  get loadedModels(): readonly LoadedModel[] {
    return this.#models.all;
  }

  /** Bytes of WASM memory: onnxruntime's heap, 0 before it has started, and the memory of each model in the engine. */
  get heapBytes(): number {
    return this.#models.heapBytes;
  }

  /** The same as it will be once each loaded model has run. */
  get committedHeapBytes(): number {
    return this.#models.committedHeapBytes;
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
   * @throws nothing itself; both promises reject as `get` does.
   */
  open(name: string, reference: string, waitUntil: WaitUntil): LoadingModel {
    const found = this.#find(name, reference, waitUntil);
    if ('model' in found) return found;
    return { described: Promise.resolve(found), model: Promise.resolve(found) };
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
      return await this.#models.loadRoom(name, await this.resolve(name, reference));
    } catch (error) {
      if (known !== undefined && isTemporary(error) && this.#models.has(`${name}@${known.version}`)) return () => 0;
      throw error;
    }
  }

  /** The loaded model where it can be believed, else the look-up under way. */
  #find(name: string, reference: string, waitUntil: WaitUntil): LoadedModel | LoadingModel {
    const id = `${name}@${reference}`;
    const known = this.#resolutions.get(id);
    const ready = known === undefined ? undefined : this.#models.use(`${name}@${known.version}`);
    if (known === undefined || ready === undefined) return this.#startLoading(name, reference, waitUntil);
    const age = this.#options.now() - known.checkedAt;
    if (age < this.#options.aliasMaxAgeMs) return ready;
    const loading = this.#startLoading(name, reference, waitUntil);
    if (age >= 2 * this.#options.aliasMaxAgeMs) return loading;
    loading.model.catch((error: unknown) => this.#options.onBackgroundError(error, id));
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

  /** Runs one batch; see `LoadedModels.run`. @throws RuntimeError `inference_failed`. */
  run(model: LoadedModel, pixelValues: Tensor, outputs: readonly string[]): Map<string, Tensor> {
    return this.#models.run(model, pixelValues, outputs);
  }

  /**
   * Hears that a loaded model cannot answer. It is released and its manifest forgotten, so that a repair in place is seen, but not
   * before it has failed for `aliasMaxAgeMs`: a broken model must not be loaded again for every request.
   */
  distrust(model: LoadedModel): void {
    this.#models.distrust(model);
  }

  #startLoading(name: string, reference: string, waitUntil: WaitUntil): LoadingModel {
    const id = `${name}@${reference}`;
    const underWay = this.#loading.get(id);
    if (underWay !== undefined) return underWay;
    const described = Promise.withResolvers<DescribedModel>();
    const model = this.#resolveAndLoad(name, reference, described.resolve).finally(() => this.#loading.delete(id));
    model.then(described.resolve, described.reject);
    const loading: LoadingModel = { model, described: described.promise };
    this.#loading.set(id, loading);
    // Other requests wait for it too: it must outlive the one that began it. Whoever asks for a part of it hears of its failure.
    waitUntil(Promise.all([model, described.promise].map((promise) => promise.catch(() => {}))));
    return loading;
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
      const model = this.#models.use(`${name}@${version}`) ?? (await this.#models.load(name, version, onDescribed));
      this.#resolutions.set(id, { version, checkedAt: this.#options.now() });
      if (known !== undefined && known.version !== version) this.#models.release(`${name}@${known.version}`);
      return model;
    } catch (error) {
      if (known === undefined || !isTemporary(error)) throw error;
      // The version at hand may have made room for the one that failed.
      const fallback =
        this.#models.use(`${name}@${known.version}`) ?? (await this.#models.load(name, known.version, onDescribed));
      this.#resolutions.set(id, { version: known.version, checkedAt: this.#options.now() });
      this.#options.onBackgroundError(error, id);
      return fallback;
    }
  }
}

/** True if the version at hand should go on answering: what failed is the new version or the service. A removed model answers no more. */
function isTemporary(error: unknown): boolean {
  return isRetryable(error) && !(error instanceof AppError && error.code === 'model_not_found');
}
