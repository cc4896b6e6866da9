/**
 * Heads as readers find them: index objects, believed for a while, and the heads themselves, kept within a bound. One library an
 * isolate.
 */
import { whileReading } from '../../model-store/load.ts';
import { getText, listAll, type ObjectStore } from '../../model-store/object-store.ts';
import { sha256Hex } from '../../model-store/sha256.ts';
import { ModelError } from '../errors.ts';
import type { ModelReference } from '../inference/classifier.ts';
import { readHead } from './head-file.ts';
import { HEAD_FILE, REPORT_FILE } from './head-publisher.ts';
import {
  type HeadIndex,
  type HeadVersion,
  headFileKey,
  headGrantSchema,
  headIndexKey,
  headIndexPrefix,
  headIndexSchema,
} from './layout.ts';
import type { HeadModel } from './math/head-model.ts';
import type { HeadReport } from './math/report.ts';

/** Bytes of heads that are kept; each holds its numbers as float32. */
export const MAX_KEPT_BYTES = 8 * 1024 * 1024;

/** That there is no head or version of a name is believed for so long, in ms: it may just be being made. */
const ABSENT_MAX_AGE_MS = 2_000;

/** Look-ups that are kept; names that a guesser tries are among them. */
const MAX_LOOKUPS = 1000;

/** A version of a head, found. */
export interface FoundHead {
  readonly name: string;
  readonly owner: string;
  readonly version: HeadVersion;
}

/** What a library needs. */
export interface HeadLibraryOptions {
  readonly store: ObjectStore;
  /** How long an index is believed, in ms. */
  readonly maxAgeMs: number;
  /** Names that are models for sure: no head is looked for. */
  readonly modelNames: readonly string[];
  now(): number;
}

export class HeadLibrary {
  readonly #options: HeadLibraryOptions;
  readonly #indexes = new Map<string, { readonly index: HeadIndex | null; readonly readAt: number }>();
  /** By key in the bucket, least recently used first. */
  readonly #heads = new Map<string, { readonly head: HeadModel; readonly bytes: number }>();
  #keptBytes = 0;

  constructor(options: HeadLibraryOptions) {
    this.#options = options;
  }

  /** Bytes of the heads that are kept. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  /**
   * The version of a head that a reference means to its tenant; null where the tenant has no head of that name.
   * @throws ModelError `model_not_found` where the head has no such version or alias.
   */
  async find({ name, reference, tenant }: ModelReference): Promise<FoundHead | null> {
    if (tenant === undefined || this.#options.modelNames.includes(name)) return null;
    const index = await this.index(tenant, name);
    if (index === null) return null;
    // A version that is asked for by name may be newer than what is believed.
    const found = findVersion(index, reference) ?? findVersion(await this.#newerIndex(tenant, name), reference);
    if (found !== null) return { name, owner: index.owner, version: found };
    throw new ModelError('model_not_found', `head ${name} has no version "${reference}"`, {
      details: { model: name, version: reference },
    });
  }

  /** A head's index, as old as is believed; null where the tenant has none. */
  async index(tenant: string, name: string): Promise<HeadIndex | null> {
    const id = `${tenant}/${name}`;
    const known = this.#indexes.get(id);
    if (known !== undefined) {
      const maxAge = known.index === null ? ABSENT_MAX_AGE_MS : this.#options.maxAgeMs;
      if (this.#options.now() - known.readAt < maxAge) return known.index;
    }
    const index = await whileReading(`head ${name}`, () => this.#readIndex(tenant, name));
    if (this.#indexes.size >= MAX_LOOKUPS) this.#indexes.clear();
    this.#indexes.set(id, { index, readAt: this.#options.now() });
    return index;
  }

  /** The index as it is, unless it has just been read. */
  async #newerIndex(tenant: string, name: string): Promise<HeadIndex | null> {
    const known = this.#indexes.get(`${tenant}/${name}`);
    if (known !== undefined && this.#options.now() - known.readAt >= ABSENT_MAX_AGE_MS) this.forget(tenant, name);
    return this.index(tenant, name);
  }

  /** Forgets what is known of a head: it was changed by this isolate. */
  forget(tenant: string, name: string): void {
    this.#indexes.delete(`${tenant}/${name}`);
  }

  /** The heads that a tenant may use, its own and those of others, by name. */
  async list(tenant: string): Promise<HeadIndex[]> {
    const prefix = headIndexPrefix(tenant);
    const heads = await listAll(this.#options.store, prefix);
    const names = heads.map(({ key }) => key.slice(prefix.length, -'.json'.length));
    const indexes = await Promise.all(names.map((name) => this.#readIndex(tenant, name)));
    return indexes.filter((index) => index !== null);
  }

  /**
   * A head's numbers.
   * @throws ModelError `model_not_found`, `model_corrupt`, `model_unavailable`.
   */
  async load({ owner, name, version }: FoundHead): Promise<HeadModel> {
    const key = headFileKey(owner, name, version.version, HEAD_FILE);
    const kept = this.#heads.get(key);
    if (kept !== undefined) {
      this.#heads.delete(key);
      this.#heads.set(key, kept);
      return kept.head;
    }
    const what = `head ${name}@${version.version}`;
    const object = await whileReading(what, () => this.#options.store.get(key));
    if (object === null) throw new ModelError('model_not_found', `${what} is gone`, { details: { model: name } });
    const bytes = await whileReading(what, () => object.bytes());
    if ((await sha256Hex(bytes)) !== version.sha256) {
      throw new ModelError('model_corrupt', `${what}: ${bytes.byteLength} bytes do not have SHA-256 ${version.sha256}`);
    }
    const head = readHead(bytes, what);
    this.#keep(key, head, bytes.byteLength);
    return head;
  }

  /** A version's report. @throws ModelError `model_not_found`. */
  async report({ owner, name, version }: FoundHead): Promise<HeadReport> {
    const key = headFileKey(owner, name, version.version, REPORT_FILE);
    const found = await whileReading(`the report of ${name}`, () => getText(this.#options.store, key));
    if (found === null) throw new ModelError('model_not_found', `the report of ${name}@${version.version} is gone`);
    return JSON.parse(found.text) as HeadReport;
  }

  #keep(key: string, head: HeadModel, bytes: number): void {
    if (bytes > MAX_KEPT_BYTES || this.#heads.has(key)) return;
    this.#heads.set(key, { head, bytes });
    this.#keptBytes += bytes;
    for (const [oldest, kept] of this.#heads) {
      if (this.#keptBytes <= MAX_KEPT_BYTES) break;
      this.#heads.delete(oldest);
      this.#keptBytes -= kept.bytes;
    }
  }

  async #readIndex(tenant: string, name: string): Promise<HeadIndex | null> {
    const { store } = this.#options;
    const own = await getText(store, headIndexKey(tenant, name));
    if (own === null) return null;
    const value = JSON.parse(own.text) as unknown;
    const grant = headGrantSchema.safeParse(value);
    if (!grant.success) return parseIndex(value, name);
    const theirs = await getText(store, headIndexKey(grant.data.granted_by, grant.data.name));
    return theirs === null ? null : parseIndex(JSON.parse(theirs.text) as unknown, name);
  }
}

function parseIndex(value: unknown, name: string): HeadIndex {
  const result = headIndexSchema.safeParse(value);
  if (result.success) return result.data;
  throw new ModelError('invalid_manifest', `the index of head ${name}: ${result.error.issues[0]!.message}`);
}

function findVersion(index: HeadIndex | null, reference: string): HeadVersion | null {
  const version = index?.aliases[reference]?.version ?? reference;
  return index?.versions.find((each) => each.version === version) ?? null;
}
