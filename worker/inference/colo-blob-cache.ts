/**
 * A version's files in the colo's cache, by SHA-256: a new isolate in the same place need not go to the bucket.
 * Source: Cache API (https://developers.cloudflare.com/workers/runtime-apis/cache/); objects of 512 MB at most.
 */
import type { BlobCache } from '../../model-store/load.ts';
import type { HttpCache } from './result-cache.ts';

/** A host that no zone serves: keys of the Cache API must be URLs. */
const KEY_ORIGIN = 'https://blob.bit-edge.invalid';

/** Hashes never change what they name. */
const CACHE_CONTROL = 'public, max-age=31536000, immutable';

/** Keeps blobs in the colo's cache. A cache that fails is a cache that has nothing. */
export class ColoBlobCache implements BlobCache {
  readonly #cache: HttpCache;
  readonly #waitUntil: (promise: Promise<unknown>) => void;

  constructor(cache: HttpCache, waitUntil: (promise: Promise<unknown>) => void) {
    this.#cache = cache;
    this.#waitUntil = waitUntil;
  }

  async get(sha256: string): Promise<Uint8Array<ArrayBuffer> | null> {
    try {
      const response = await this.#cache.match(keyOf(sha256));
      return response === undefined ? null : new Uint8Array(await response.arrayBuffer());
    } catch {
      return null;
    }
  }

  put(sha256: string, bytes: Uint8Array<ArrayBuffer>): void {
    const headers = { 'content-type': 'application/octet-stream', 'cache-control': CACHE_CONTROL };
    this.#waitUntil(this.#cache.put(keyOf(sha256), new Response(bytes, { headers })).catch(() => {}));
  }
}

function keyOf(sha256: string): Request {
  return new Request(`${KEY_ORIGIN}/${sha256}`);
}
