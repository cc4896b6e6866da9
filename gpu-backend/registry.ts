/**
 * The models being served, kept equal to what the store's aliases name. A new version is loaded and warm before the old one
 * goes, and an old one answers what it has accepted first.
 */
import type { Manifest } from '../model-store/manifest.ts';
import { ModelError } from '../worker/errors.ts';
import { type LoadedModel, readStoredManifest } from './load-model.ts';
import type { Log } from './log.ts';
import { type ModelReference, selectVersions, type WantedModel } from './model-reference.ts';
import type { ServedModel } from './served-model.ts';
import type { ModelFiles } from './store/model-files.ts';
import { listModelNames, readStoredModel } from './store/stored-models.ts';

/** What a registry needs. */
export interface RegistryOptions {
  readonly files: ModelFiles;
  /** Empty: every model that has a `gpu` variant. */
  readonly references: readonly ModelReference[];
  readonly defaultAlias: string;
  readonly load: (manifest: Manifest) => Promise<LoadedModel>;
  readonly serve: (manifest: Manifest, loaded: LoadedModel) => ServedModel;
  readonly release: (model: ServedModel) => Promise<void>;
  readonly log: Log;
}

interface Entry {
  defaultVersion: string;
  readonly versions: Map<string, ServedModel>;
}

export class Registry {
  readonly #options: RegistryOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: RegistryOptions) {
    this.#options = options;
  }

  /** Every version that is served. */
  *models(): Iterable<ServedModel> {
    for (const { versions } of this.#entries.values()) yield* versions.values();
  }

  /** The versions of a model that may be asked for. @throws ModelError `model_not_found`. */
  versions(name: string): string[] {
    return [...this.#entry(name).versions.keys()];
  }

  /**
   * Finds a version, or with undefined the default one.
   * @throws ModelError `model_not_found`.
   */
  get(name: string, version: string | undefined): ServedModel {
    const entry = this.#entry(name);
    const model = entry.versions.get(version ?? entry.defaultVersion);
    if (model !== undefined) return model;
    throw new ModelError(
      'model_not_found',
      `model "${name}" has no version "${version?.slice(0, 80)}" here; versions: ${[...entry.versions.keys()].join(', ')}`,
    );
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry !== undefined) return entry;
    const names = [...this.#entries.keys()].join(', ');
    throw new ModelError(
      'model_not_found',
      `model "${name.slice(0, 80)}" is not served here; models: ${names || 'none'}`,
    );
  }

  /**
   * Makes what is served equal to what the store says.
   * @param strict the first time: any failure is thrown. Later a failure is logged, and what is served stays.
   * @throws ModelError, RuntimeError where `strict`.
   */
  async sync(strict: boolean): Promise<void> {
    const wanted = await this.#wanted();
    for (const model of wanted) await this.#syncModel(model, strict);
    for (const [name, entry] of this.#entries) {
      if (wanted.some((model) => model.name === name)) continue;
      this.#entries.delete(name);
      for (const model of entry.versions.values()) await this.#retire(model);
    }
  }

  async #wanted(): Promise<WantedModel[]> {
    const { files, references, defaultAlias } = this.#options;
    const names =
      references.length > 0 ? [...new Set(references.map(({ name }) => name))] : await listModelNames(files);
    const wanted: WantedModel[] = [];
    for (const name of names) {
      const own = references.length > 0 ? references.filter((each) => each.name === name) : [{ name, selector: null }];
      const selected = selectVersions(await readStoredModel(files, name), own, defaultAlias);
      if (selected !== null) wanted.push(selected);
      else if (references.length > 0) {
        const asked = own.map(({ selector }) => (selector === null ? name : `${name}@${selector}`)).join(', ');
        throw new ModelError('model_not_found', `the store has no version for ${asked}`, { details: { model: name } });
      }
    }
    return wanted;
  }

  async #syncModel(wanted: WantedModel, strict: boolean): Promise<void> {
    const entry: Entry = this.#entries.get(wanted.name) ?? {
      defaultVersion: wanted.defaultVersion,
      versions: new Map(),
    };
    for (const version of wanted.versions) {
      if (entry.versions.has(version)) continue;
      try {
        const model = await this.#load(wanted.name, version);
        if (model !== null) entry.versions.set(version, model);
      } catch (error) {
        if (strict) throw error;
        this.#options.log('error', 'model_load_failed', { model: wanted.name, version, error });
      }
    }
    if (entry.versions.size === 0) return;
    this.#entries.set(wanted.name, entry);
    if (entry.versions.has(wanted.defaultVersion)) entry.defaultVersion = wanted.defaultVersion;
    else if (!entry.versions.has(entry.defaultVersion)) entry.defaultVersion = [...entry.versions.keys()][0]!;
    for (const [version, model] of entry.versions) {
      if (wanted.versions.includes(version) || version === entry.defaultVersion) continue;
      entry.versions.delete(version);
      await this.#retire(model);
    }
  }

  async #load(name: string, version: string): Promise<ServedModel | null> {
    const { files, references, load, serve, log } = this.#options;
    const manifest = await readStoredManifest(files, name, version);
    if (manifest === null) return null;
    if (manifest.variants.gpu === undefined && references.length === 0) {
      log('debug', 'model_skipped', { model: name, version, reason: 'no variant "gpu"' });
      return null;
    }
    const loaded = await load(manifest);
    log('info', 'model_loaded', { model: name, version, ...loaded.loaded });
    return serve(manifest, loaded);
  }

  async #retire(model: ServedModel): Promise<void> {
    await model.drain();
    await this.#options.release(model);
    this.#options.log('info', 'model_released', { model: model.name, version: model.version });
  }

  /** Answers what was accepted, without waiting for more; resolves when that is done. */
  async drain(): Promise<void> {
    await Promise.all([...this.models()].map((model) => model.drain()));
  }
}
