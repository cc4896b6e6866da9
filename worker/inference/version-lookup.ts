/** What the bucket says of names and versions, remembered: aliases for as long as they are believed, manifests until they fail. */
import { whileReading } from '../../model-store/load.ts';
import type { Manifest } from '../../model-store/manifest.ts';
import type { ObjectStore } from '../../model-store/object-store.ts';
import { readManifest, resolveVersion } from '../../model-store/versions.ts';

/** Look-ups and manifests that are kept: names come from requests. */
const MAX_REMEMBERED = 64;

/** A version that a reference stood for. */
export interface Resolution {
  readonly version: string;
  /** When it was looked up, in ms since the epoch. */
  readonly checkedAt: number;
}

/** What a look-up needs. */
export interface VersionLookupOptions {
  readonly store: ObjectStore;
  readonly aliasMaxAgeMs: number;
  now(): number;
}

/** Look-ups of one isolate. */
export class VersionLookup {
  readonly #options: VersionLookupOptions;
  readonly #resolutions = new Map<string, Resolution>();
  readonly #manifests = new Map<string, Manifest>();

  constructor(options: VersionLookupOptions) {
    this.#options = options;
  }

  /**
   * The version that `reference` (alias or version) stands for. The steps of one request share a look-up.
   * @throws ModelError `model_not_found`, `model_unavailable`.
   */
  async resolve(name: string, reference: string): Promise<string> {
    const { store, aliasMaxAgeMs, now } = this.#options;
    const id = `${name}@${reference}`;
    const last = this.#resolutions.get(id);
    if (last !== undefined && now() - last.checkedAt < aliasMaxAgeMs) return last.version;
    const version = await whileReading(`model ${id}`, () => resolveVersion(store, name, reference));
    remember(this.#resolutions, id, { version, checkedAt: now() });
    return version;
  }

  /**
   * The manifest of a version; versions never change.
   * @throws ModelError `model_not_found`, `model_unavailable`, `invalid_manifest`.
   */
  async manifest(name: string, version: string): Promise<Manifest> {
    const id = `${name}@${version}`;
    const { store } = this.#options;
    const manifest =
      this.#manifests.get(id) ??
      (await whileReading(`the manifest of ${id}`, () => readManifest(store, name, version)));
    remember(this.#manifests, id, manifest);
    return manifest;
  }

  /** Forgets a manifest that does not fit what is stored: the next look-up reads it again. */
  forget(name: string, version: string): void {
    this.#manifests.delete(`${name}@${version}`);
  }
}

/** Puts a value into a map that forgets the oldest. */
export function remember<T>(map: Map<string, T>, key: string, value: T, most = MAX_REMEMBERED): void {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) return;
    map.delete(oldest);
  }
}
