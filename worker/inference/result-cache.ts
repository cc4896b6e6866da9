/**
 * Answers that were given before: same bytes, same version, same parameters, same tenant. Keys are content hashes, so a cached
 * answer can never be stale; it can only be forgotten.
 */
import { sha256Hex } from '../../model-store/sha256.ts';

/** The part of the Cache API that is used (`caches.default`). */
export interface HttpCache {
  match(request: Request): Promise<Response | undefined>;
  put(request: Request, response: Response): Promise<void>;
}

/** A host that no zone serves: keys of the Cache API must be URLs. */
const KEY_ORIGIN = 'https://result.bit-edge.invalid';

/** What an answer depends on. */
export interface ResultKey {
  readonly image: Uint8Array;
  readonly model: string;
  readonly version: string;
  readonly task: string;
  /** Every parameter that changes the answer. */
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  /** Whose answers these are: an API key's id, or a word that all share. */
  readonly tenant: string;
}

/** A cache of JSON answers. */
export class ResultCache {
  readonly #cache: HttpCache;
  readonly #ttlSeconds: number;

  constructor(cache: HttpCache, ttlSeconds: number) {
    this.#cache = cache;
    this.#ttlSeconds = ttlSeconds;
  }

  /** The key's address. */
  async address(key: ResultKey): Promise<Request> {
    const query = new URLSearchParams(
      Object.entries(key.parameters)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, value]) => [name, String(value)]),
    );
    const path = [key.tenant, key.task, key.model, key.version, await sha256Hex(key.image)].map(encodeURIComponent);
    return new Request(`${KEY_ORIGIN}/${path.join('/')}?${query}`);
  }

  /** The answer at an address, or null. */
  async get(address: Request): Promise<unknown> {
    const response = await this.#cache.match(address);
    return response === undefined ? null : response.json();
  }

  /** Keeps an answer. */
  async put(address: Request, answer: unknown): Promise<void> {
    const headers = { 'content-type': 'application/json', 'cache-control': `max-age=${this.#ttlSeconds}` };
    await this.#cache.put(address, new Response(JSON.stringify(answer), { headers }));
  }
}
