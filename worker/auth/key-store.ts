/**
 * API keys in the bucket: one object a key, so that creating and revoking are one write each and rotation needs no downtime (make
 * a second key, move the clients, revoke the first). Look-ups are believed for a short while.
 */
import { getText, listAll, type ObjectStore } from '../../model-store/object-store.ts';
import { AppError } from '../errors.ts';
import { API_KEYS_PREFIX, type ApiKeyRecord, apiKeyObjectKey, apiKeyRecordSchema } from './api-key.ts';

/** Look-ups kept at most; unknown ids that a guesser tries are among them. */
const MAX_CACHED = 1000;

interface Cached<T> {
  readonly value: T;
  readonly readAt: number;
}

/** Reads a record. @param key of its object. @throws AppError `internal_error` if it is damaged. */
function parseRecord(text: string, key: string): ApiKeyRecord {
  const result = apiKeyRecordSchema.safeParse(parseJson(text));
  if (result.success) return result.data;
  throw new AppError('internal_error', `${key} is not a key record`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

/** Every key's record, oldest first. */
export async function listApiKeys(store: ObjectStore): Promise<ApiKeyRecord[]> {
  const records: ApiKeyRecord[] = [];
  for (const { key } of await listAll(store, API_KEYS_PREFIX)) {
    const found = await getText(store, key);
    if (found !== null) records.push(parseRecord(found.text, key));
  }
  return records.sort((a, b) => (a.created_at < b.created_at ? -1 : 1));
}

/** Stores a new key. @returns false where the id is taken. */
export async function putApiKey(store: ObjectStore, record: ApiKeyRecord): Promise<boolean> {
  const bytes = new TextEncoder().encode(`${JSON.stringify(record, null, 2)}\n`);
  return store.put(apiKeyObjectKey(record.id), bytes, { onlyIf: { absent: true }, contentType: 'application/json' });
}

/** Revokes a key. @returns false where there is none. */
export async function deleteApiKey(store: ObjectStore, id: string): Promise<boolean> {
  if ((await store.head(apiKeyObjectKey(id))) === null) return false;
  await store.delete([apiKeyObjectKey(id)]);
  return true;
}

/** Looks keys up, and remembers what it saw for `maxAgeMs`: a revoked key works for at most that long. */
export class KeyStore {
  readonly #store: ObjectStore;
  readonly #maxAgeMs: number;
  readonly #now: () => number;
  readonly #records = new Map<string, Cached<ApiKeyRecord | null>>();
  #anyKeys: Cached<boolean> | null = null;

  constructor(store: ObjectStore, maxAgeMs: number, now: () => number) {
    this.#store = store;
    this.#maxAgeMs = maxAgeMs;
    this.#now = now;
  }

  /** The record of a key, or null. */
  async find(id: string): Promise<ApiKeyRecord | null> {
    const cached = this.#records.get(id);
    if (cached !== undefined && this.#isFresh(cached)) return cached.value;
    const key = apiKeyObjectKey(id);
    const found = await getText(this.#store, key);
    const value = found === null ? null : parseRecord(found.text, key);
    if (this.#records.size >= MAX_CACHED) this.#records.clear();
    this.#records.set(id, { value, readAt: this.#now() });
    return value;
  }

  /** True if the deployment has any key. */
  async hasKeys(): Promise<boolean> {
    if (this.#anyKeys !== null && this.#isFresh(this.#anyKeys)) return this.#anyKeys.value;
    const { objects } = await this.#store.list(API_KEYS_PREFIX);
    this.#anyKeys = { value: objects.length > 0, readAt: this.#now() };
    return this.#anyKeys.value;
  }

  #isFresh(cached: Cached<unknown>): boolean {
    return this.#now() - cached.readAt < this.#maxAgeMs;
  }
}
