/** The versions that chunks ask for: fetched, loaded and warmed up at the first, and kept. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { modelFileKey } from '../../model-store/layout.ts';
import type { Manifest } from '../../model-store/manifest.ts';
import { ModelError } from '../../worker/errors.ts';
import { type ProcessorConfig, parseProcessorConfig } from '../../worker/preprocess/config.ts';
import type { BackendMetrics } from '../backend-metrics.ts';
import type { BatchPolicy } from '../batcher.ts';
import type { Engine } from '../engine.ts';
import type { Provider } from '../engine-protocol.ts';
import { loadModel, readStoredManifest } from '../load-model.ts';
import type { Log } from '../log.ts';
import { ServedModel } from '../served-model.ts';
import type { ModelFiles } from '../store/model-files.ts';

/** A version that runs. */
export interface WorkModel {
  readonly manifest: Manifest;
  readonly labels: readonly string[];
  readonly processor: ProcessorConfig;
  readonly served: ServedModel;
}

/** How versions are loaded. */
export interface WorkModelsOptions {
  readonly files: Pick<ModelFiles, 'readText' | 'materialize'>;
  readonly engine: Engine;
  readonly providers: readonly Provider[];
  readonly threads: number;
  readonly batch: BatchPolicy;
  readonly metrics: BackendMetrics;
  readonly log: Log;
}

/** See the file's header. */
export class WorkModels {
  readonly #options: WorkModelsOptions;
  readonly #models = new Map<string, Promise<WorkModel>>();
  readonly #loaded: ServedModel[] = [];

  constructor(options: WorkModelsOptions) {
    this.#options = options;
  }

  /** Those that run. */
  get loaded(): readonly ServedModel[] {
    return this.#loaded;
  }

  /** A version. @throws ModelError, RuntimeError as `loadModel`; the next call tries again. */
  get(name: string, version: string): Promise<WorkModel> {
    const id = `${name}@${version}`;
    let model = this.#models.get(id);
    if (model === undefined) {
      model = this.#load(name, version);
      this.#models.set(id, model);
      model.catch(() => this.#models.delete(id));
    }
    return model;
  }

  async #load(name: string, version: string): Promise<WorkModel> {
    const { files, engine, providers, threads, batch, metrics, log } = this.#options;
    const manifest = await readStoredManifest(files, name, version);
    if (manifest === null) throw new ModelError('model_not_found', `the deployment has no ${name}@${version}`);
    const { signature, loaded } = await loadModel(manifest, {
      files,
      engine,
      providers,
      threads,
      maxBatch: batch.maxBatch,
    });
    const folder = await files.materialize(modelFileKey(name, version, ''), [manifest.labels, manifest.preprocessor]);
    const [labels, preprocessor] = await Promise.all(
      [manifest.labels, manifest.preprocessor].map(
        async ({ path }) => JSON.parse(await readFile(join(folder, path), 'utf8')) as unknown,
      ),
    );
    if (!Array.isArray(labels) || labels.length !== manifest.num_labels) {
      throw new ModelError('model_corrupt', `${name}@${version}: the labels are not ${manifest.num_labels}`);
    }
    const hooks = { now: () => performance.now(), schedule };
    const served = new ServedModel({ name, version, signature, loaded, engine, batch, metrics, hooks });
    this.#loaded.push(served);
    const { provider, precision, loadMs, warmUpMs } = loaded;
    log('info', 'model_loaded', { model: `${name}@${version}`, provider, precision, loadMs, warmUpMs });
    return { manifest, labels: labels.map(String), processor: parseProcessorConfig(preprocessor), served };
  }
}

function schedule(ms: number, task: () => void): () => void {
  const timer = setTimeout(task, ms);
  return () => clearTimeout(timer);
}
